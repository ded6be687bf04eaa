//! A call of a web address.

use std::time::Duration;

use corridor_pg::Fault;
use serde_json::json;

use super::command::is_settled;
use super::{Hands, time};
use crate::data::attempt::{End, Place};
use crate::data::deck::{Halt, Step};
use crate::data::fault::{HTTP_FAILED, OUTCOME_UNKNOWN};
use crate::definition::{Http, Repeat};

/// The longest that a call may take, unless the file says otherwise.
const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
/// How much of an answer is kept.
const ANSWER_BYTES_MAX: u64 = 4 * 1024;

pub(super) async fn carry_out(hands: &mut Hands<'_>, http: &Http) -> Step<()> {
    if is_settled(hands, http.repeat, false).await? {
        return hands.done().await;
    }
    let (deck, operation) = (hands.deck, hands.operation);
    let place = Place {
        lease: &deck.lease,
        operation,
        is_rollback: false,
    };
    let session = hands.session().await?;
    let (number, _) = place.begin(session, None, &[]).await?;
    deck.step(format!("{operation}: calling {}", http.url));
    deck.rest();
    let call = http.clone();
    let timeout = time(http.timeout.as_deref(), TIMEOUT_DEFAULT);
    let calling = tokio::task::spawn_blocking(move || request(&call, timeout));
    let answered = tokio::select! {
        answered = calling => answered.unwrap_or_else(|error| Err(Unanswered::Unknown(error.to_string()))),
        // The call was sent, and nobody knows what it does: whoever has only been asked to do something else hears it out.
        () = deck.left() => return Err(Halt::Turn),
    };
    let is_expected = |status: u16| match &http.expect[..] {
        [] => (200..300).contains(&status),
        expected => expected.contains(&status),
    };
    let (result, end, detail) = match answered {
        Ok((status, body)) if is_expected(status) => {
            (Ok(()), End::Done, json!({ "status": status, "body": body }))
        }
        Ok((status, body)) => {
            let words = format!("{operation}: {} answered with {status}: {body}", http.url);
            let fault = Fault::new(&HTTP_FAILED, words);
            (
                Err(Halt::Fault(fault)),
                End::Failed,
                json!({ "status": status, "body": body }),
            )
        }
        // The try stays open: a person says whether it was done.
        Err(Unanswered::Unknown(why)) if http.repeat == Repeat::Ask => {
            let detail = format!("{operation}: {}: {why}", http.url);
            return Err(Fault::new(&OUTCOME_UNKNOWN, detail).into());
        }
        Err(Unanswered::Unknown(why) | Unanswered::NotSent(why)) => {
            let fault = Fault::new(&HTTP_FAILED, format!("{operation}: {}: {why}", http.url));
            (Err(Halt::Fault(fault)), End::Failed, json!({ "why": why }))
        }
    };
    let session = hands.session().await?;
    place.end_alone(session, number, end, &detail).await?;
    result?;
    hands.done().await
}

/// Why there is no answer.
enum Unanswered {
    /// Nobody heard the call.
    NotSent(String),
    /// It may have been heard.
    Unknown(String),
}

impl Unanswered {
    fn of(error: &ureq::Error) -> Unanswered {
        let words = error.to_string();
        match error {
            ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::BadUri(_)
            | ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                Unanswered::NotSent(words)
            }
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                Unanswered::NotSent(words)
            }
            _ => Unanswered::Unknown(words),
        }
    }
}

/// Status and the beginning of the body.
fn request(http: &Http, timeout: Duration) -> Result<(u16, String), Unanswered> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = ureq::http::Request::builder()
        .method(http.method.to_uppercase().as_str())
        .uri(&http.url);
    for (name, value) in &http.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(http.body.clone())
        .map_err(|error| Unanswered::NotSent(error.to_string()))?;
    let mut answer = agent.run(request).map_err(|error| Unanswered::of(&error))?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .lossy_utf8(true)
        .read_to_string();
    // A long answer is no fault.
    Ok((answer.status().as_u16(), body.unwrap_or_default()))
}
