//! Failpoints: a process that ends right before, or right after, a chosen durable step.
//!
//! ```text
//! CORRIDOR_FAILPOINT=before-chunk:3     ends as the third chunk is about to be committed
//! CORRIDOR_FAILPOINT=after-swap         ends as soon as the swap is committed
//! CORRIDOR_FAILPOINT=after-any:40       ends after the fortieth durable step, whichever it is
//! ```
//!
//! Every commit that something depends on goes through [`step`] and has a name there. The process ends by an abort:
//! nothing is unwound, no connection is closed in good order.
//!
//! **Invariant:** a release build has none of it, unless it was built with the feature `failpoints`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// True in a build that looks at `CORRIDOR_FAILPOINT`.
pub const IS_BUILT_IN: bool = cfg!(any(debug_assertions, feature = "failpoints"));

/// Carries out the durable step `name`; with a failpoint at it, the process ends before or after it.
pub async fn step<T>(name: &str, durable: impl Future<Output = T>) -> T {
    if IS_BUILT_IN {
        armed().inspect(|point| point.reach("before-", name));
    }
    let result = durable.await;
    if IS_BUILT_IN {
        armed().inspect(|point| point.reach("after-", name));
    }
    result
}

/// What `CORRIDOR_FAILPOINT` says.
#[derive(Debug)]
struct Failpoint {
    at: String,
    /// Steps that still pass.
    left: AtomicU32,
}

fn armed() -> Option<&'static Failpoint> {
    static ARMED: OnceLock<Option<Failpoint>> = OnceLock::new();
    ARMED
        .get_or_init(|| Failpoint::read(&std::env::var("CORRIDOR_FAILPOINT").ok()?))
        .as_ref()
}

impl Failpoint {
    /// `name[:count]`; none for what is empty or has a count that is no number from 1 on.
    fn read(text: &str) -> Option<Failpoint> {
        let (at, count) = text.split_once(':').unwrap_or((text, "1"));
        let left = count.parse::<u32>().ok()?.checked_sub(1)?;
        (!at.is_empty()).then(|| Failpoint {
            at: at.to_owned(),
            left: AtomicU32::new(left),
        })
    }

    fn reach(&self, when: &str, name: &str) {
        if self.is_due(when, name) {
            std::process::abort();
        }
    }

    fn is_due(&self, when: &str, name: &str) -> bool {
        let is_meant = self
            .at
            .strip_prefix(when)
            .is_some_and(|at| at == name || at == "any");
        // `fetch_update` fails at zero: then it is due.
        is_meant
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_at_the_count_and_only_there() {
        let point = Failpoint::read("after-chunk:3").unwrap();
        let steps = [
            ("after-", "round"),
            ("before-", "chunk"),
            ("after-", "chunk"),
            ("after-", "chunk"),
        ];
        assert!(!steps.iter().any(|(when, name)| point.is_due(when, name)));
        assert!(point.is_due("after-", "chunk"));
        let any = Failpoint::read("before-any").unwrap();
        assert!(!any.is_due("after-", "swap") && any.is_due("before-", "swap"));
    }

    #[test]
    fn what_makes_no_sense_is_none() {
        for text in ["", ":2", "after-chunk:0", "after-chunk:x", "after-chunk:-1"] {
            assert!(Failpoint::read(text).is_none(), "{text}");
        }
    }
}
