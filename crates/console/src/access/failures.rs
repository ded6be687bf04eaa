//! Failed tries to sign in, told by the audit: once a minute at most for each account, with how many there were.
//!
//! Whoever tries without end, with whatever names, adds a few lines an hour. What was typed as a name is kept only when there is such an
//! account: people type passwords there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use corridor_migration::store;
use serde_json::json;

use super::account;
use crate::Console;
use crate::home::within;

/// Until the first failure is told: some that come together are one line.
const FIRST: Duration = Duration::from_secs(1);
/// Between two lines about an account.
const EVERY: Duration = Duration::from_secs(60);
/// Names that are told apart within a minute; what is beyond is counted together.
const NAMES_MAX: usize = 1_000;
/// Addresses that a line names.
const ADDRESSES_MAX: usize = 5;
/// Who the audit says it was: nobody who is known.
const ACTOR: &str = "nobody";

#[derive(Debug, Default, Clone, PartialEq)]
struct Tally {
    times: u64,
    from: BTreeSet<IpAddr>,
}

impl Tally {
    fn add(&mut self, other: &Tally) {
        self.times += other.times;
        for address in &other.from {
            if self.from.len() < ADDRESSES_MAX {
                self.from.insert(*address);
            }
        }
    }
}

/// What has failed and is not told yet.
#[derive(Debug, Default)]
struct Untold {
    by_name: BTreeMap<String, Tally>,
    /// Names that there was no room for.
    others: Tally,
    is_told: bool,
}

impl Untold {
    fn add(&mut self, name: &str, one: &Tally) {
        let has_room = self.by_name.len() < NAMES_MAX;
        match self.by_name.get_mut(name) {
            Some(known) => known.add(one),
            None if has_room => drop(self.by_name.insert(name.to_owned(), one.clone())),
            None => self.others.add(one),
        }
    }
}

/// Counts failed tries.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<Untold>);

impl Failures {
    fn lock(&self) -> std::sync::MutexGuard<'_, Untold> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A try failed: it is counted, and told with the next line.
pub(crate) fn failed(console: &Arc<Console>, name: &str, address: Option<IpAddr>) {
    let one = Tally {
        times: 1,
        from: address.into_iter().collect(),
    };
    let mut untold = console.failures.lock();
    let name: String = name.chars().take(100).collect();
    untold.add(&name, &one);
    if !std::mem::replace(&mut untold.is_told, true) {
        tokio::spawn(tell(Arc::clone(console)));
    }
}

/// Tells what there is, as long as something comes.
async fn tell(console: Arc<Console>) {
    let mut leaving = console.leaving.clone();
    let mut pause = FIRST;
    loop {
        let slept = tokio::time::timeout(pause, leaving.wait_for(|is_leaving| *is_leaving))
            .await
            .map(drop);
        pause = EVERY;
        let (mut by_name, mut others) = {
            let mut untold = console.failures.lock();
            if untold.by_name.is_empty() {
                untold.is_told = false;
                return;
            }
            (
                std::mem::take(&mut untold.by_name),
                std::mem::take(&mut untold.others),
            )
        };
        if let Err(fault) = write(&console, &mut by_name, &mut others).await {
            // Told when home is back, with what comes until then.
            tracing::debug!(%fault, "failed sign-ins are not told yet");
            let mut untold = console.failures.lock();
            for (name, tally) in &by_name {
                untold.add(name, tally);
            }
            untold.others.add(&others);
        }
        if slept.is_ok() {
            return;
        }
    }
}

/// Takes away what is told.
async fn write(
    console: &Console,
    by_name: &mut BTreeMap<String, Tally>,
    others: &mut Tally,
) -> corridor_pg::Result<()> {
    let home = console.home.session(&*console.host).await?;
    let names: Vec<&str> = by_name.keys().map(String::as_str).collect();
    for name in within(account::known(&**home, &names)).await? {
        let (object, told) = (format!("account {name}"), by_name.get(&name).map(detail));
        if let Some(told) = told {
            within(store::audit(&**home, ACTOR, "sign_in_failed", &object, &told)).await?;
            by_name.remove(&name);
        }
    }
    let mut strangers = others.clone();
    by_name.values().for_each(|tally| strangers.add(tally));
    if strangers.times > 0 {
        let object = "names without an account";
        within(store::audit(
            &**home,
            ACTOR,
            "sign_in_failed",
            object,
            &detail(&strangers),
        ))
        .await?;
    }
    by_name.clear();
    *others = Tally::default();
    Ok(())
}

fn detail(tally: &Tally) -> serde_json::Value {
    json!({ "times": tally.times, "from": tally.from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_need_no_room_without_end() {
        let mut untold = Untold::default();
        let one = Tally {
            times: 1,
            from: [IpAddr::from([127, 0, 0, 1])].into(),
        };
        for n in 0..NAMES_MAX + 50 {
            untold.add(&format!("n{n}"), &one);
        }
        untold.add("n0", &one);
        assert_eq!(untold.by_name.len(), NAMES_MAX);
        assert_eq!((untold.by_name["n0"].times, untold.others.times), (2, 50));
        for n in 0..9u8 {
            let from = [IpAddr::from([10, 0, 0, n])].into();
            untold.add("n0", &Tally { times: 1, from });
        }
        assert_eq!(
            (untold.by_name["n0"].times, untold.by_name["n0"].from.len()),
            (11, ADDRESSES_MAX)
        );
    }
}
