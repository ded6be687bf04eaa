//! Operations that only ask.

use std::time::Duration;

use corridor_pg::{Fault, FaultContext, Result, Session};
use serde_json::json;

use super::{Hands, time};
use crate::data::deck::Step;
use crate::data::fault::{CHECK_FAILED, NOT_VERIFIED, WAITED_TOO_LONG};
use crate::data::question::{Answer, Count, ask, count};
use crate::definition::tolerance::Tolerance;
use crate::definition::{CheckOperation, Verify, WaitUntil};

/// Between two questions, unless the file says otherwise.
const EVERY_DEFAULT: Duration = Duration::from_secs(10);

/// What a check that was not passed is called.
pub(in crate::data) fn not_passed(name: &str, message: &str, answer: &Answer) -> String {
    let why = match answer {
        Answer::Unknown { why } => why.as_str(),
        _ => "the answer is false",
    };
    match message {
        "" => format!("{name}: {why}"),
        message => format!("{name}: {message} ({why})"),
    }
}

pub(super) async fn check(hands: &mut Hands<'_>, check: &CheckOperation) -> Step<()> {
    let session = hands.session().await?;
    match ask(session, &check.query).await? {
        Answer::Yes => hands.done().await,
        answer => {
            let detail = not_passed(&check.name, &check.message, &answer);
            Err(Fault::new(&CHECK_FAILED, detail).into())
        }
    }
}

pub(super) async fn verify(hands: &mut Hands<'_>, verify: &Verify) -> Step<()> {
    let deck = hands.deck;
    deck.step(format!("{}: counting", verify.name));
    let session = hands.session().await?;
    let canceller = session.cancel_token();
    let Count { bad, total } = deck.or_cancel(&canceller, count(session, &verify.query)).await?;
    hands
        .note(json!({ "bad": bad, "total": total, "tolerance": verify.tolerance }))
        .await?;
    let tolerance = Tolerance::parse(&verify.tolerance)?;
    if tolerance.is_met(bad, total) {
        return hands.done().await;
    }
    let found = match (bad, total) {
        (None, _) => "the query did not answer with a number".to_owned(),
        (Some(bad), Some(total)) => format!("{bad} of {total}"),
        (Some(bad), None) => bad.to_string(),
    };
    let message = match verify.message.as_str() {
        "" => String::new(),
        message => format!("{message}: "),
    };
    let detail = format!(
        "{}: {message}{found}, tolerated are {}",
        verify.name, verify.tolerance
    );
    Err(Fault::new(&NOT_VERIFIED, detail).into())
}

/// `at_most` is counted by the server from the operation's first begin: a crash, a pause or another worker gives it no more time.
pub(super) async fn wait_until(hands: &mut Hands<'_>, wait: &WaitUntil) -> Step<()> {
    let (id, operation) = (hands.deck.id(), hands.operation);
    let every = time(Some(&wait.every), EVERY_DEFAULT);
    let at_most = wait
        .at_most
        .as_deref()
        .map(|text| time(Some(text), Duration::MAX));
    loop {
        let session = hands.session().await?;
        let answer = ask(session, &wait.query).await?;
        if answer == Answer::Yes {
            return hands.done().await;
        }
        let why = not_passed(&wait.name, "", &answer);
        let mut pause = every;
        if let Some(at_most) = at_most {
            let left = at_most.saturating_sub(waited(session, id, operation).await?);
            if left.is_zero() {
                return Err(Fault::new(&WAITED_TOO_LONG, why).into());
            }
            pause = every.min(left);
        }
        hands.deck.step(format!("waiting: {why}"));
        hands.deck.pause(pause).await?;
    }
}

async fn waited(session: &Session, id: i64, operation: &str) -> Result<Duration> {
    let row = session
        .query_one(include_str!("../../../sql/data/waited.sql"), &[&id, &operation])
        .await
        .doing(|| format!("asking how long {operation} has waited"))?;
    Ok(Duration::from_secs_f64(row.get::<_, f64>("waited_s").max(0.0)))
}
