//! Pages while they change: Server-Sent Events.
//!
//! One task for each topic that somebody watches writes the topic's parts anew once a second, and hands on what has changed.
//! Everybody who watches it gets the same bytes: a hundred streams cost a hundred connections and one text. A reader who is
//! slow misses what lies between, never the newest. The task ends when nobody listens any more.
//!
//! **Trap:** the server's graceful shutdown waits for every open answer, so each stream ends when the process leaves.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;

use crate::Console;
use crate::access::identity::Standing;
use crate::page::{banner, fleet, fragment, migration as page};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After so long without a word a comment is sent: who has gone away without saying so is found by that.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Topic {
    Fleet,
    Migration { cluster: String, name: String },
}

/// The parts of a topic as they stand: each with a number that grows when it changes, and its text as it is sent.
type Parts = BTreeMap<&'static str, (u64, Bytes)>;
type Drawing = Pin<Box<dyn Future<Output = Vec<(&'static str, String)>> + Send>>;

/// What somebody watches.
#[derive(Default)]
pub(crate) struct Topics(Mutex<HashMap<Topic, watch::Sender<Arc<Parts>>>>);

/// `GET /live`
pub(crate) async fn fleet(
    State(console): State<Arc<Console>>,
    Extension(standing): Extension<Standing>,
) -> Response {
    listen(&console, Topic::Fleet, standing)
}

/// `GET /clusters/{cluster}/migrations/{name}/live`
pub(crate) async fn migration(
    State(console): State<Arc<Console>>,
    Extension(standing): Extension<Standing>,
    Path((cluster, name)): Path<(String, String)>,
) -> Response {
    // What is not there must not begin a task. A cluster that does not answer is told of on the stream.
    let is_there = match console.cluster(&cluster) {
        Ok(cluster) if corridor_migration::Name::new(name.as_str()).is_ok() => {
            match page::look(&console, &cluster, &name).await {
                Err(trouble) => trouble.code().id != corridor_migration::fault::NO_SUCH_MIGRATION.id,
                Ok(_) => true,
            }
        }
        _ => false,
    };
    if !is_there {
        return axum::http::StatusCode::NOT_FOUND.into_response();
    }
    listen(&console, Topic::Migration { cluster, name }, standing)
}

fn draw(console: &Arc<Console>, topic: &Topic) -> Drawing {
    let (console, topic) = (Arc::clone(console), topic.clone());
    Box::pin(async move {
        let notices = banner::notices(&console.host.clusters(), banner::now_s());
        let mut parts = vec![("banner", fragment(&banner::Banner { notices }))];
        match topic {
            Topic::Fleet => parts.push(("fleet", fleet::rows(&console).await)),
            Topic::Migration { cluster, name } => {
                if let Ok(cluster) = console.cluster(&cluster) {
                    let drawn = match page::look(&console, &cluster, &name).await {
                        Ok(one) => page::parts(&cluster.name, &one),
                        // What was seen stays on the page, and beside it that it is old.
                        Err(trouble) => vec![("trouble", fragment(&banner::Away::of(&trouble)))],
                    };
                    let is_well = drawn.iter().all(|(name, _)| *name != "trouble");
                    parts.extend(drawn);
                    if is_well {
                        parts.push(("trouble", String::new()));
                    }
                }
            }
        }
        parts
    })
}

/// A stream of a topic, which begins with all of its parts. It ends when whoever listens may not any more.
fn listen(console: &Arc<Console>, topic: Topic, standing: Standing) -> Response {
    let parts = subscribe(console, topic);
    let leaving = console.leaving.clone();
    let seen: BTreeMap<&'static str, u64> = BTreeMap::new();
    let over = Box::pin(async move { standing.holds().await });
    let stream = stream::unfold(
        (parts, leaving, seen, over),
        |(mut parts, mut leaving, mut seen, mut over)| async move {
            loop {
                let news = news(&parts.borrow_and_update(), &mut seen);
                if !news.is_empty() {
                    return Some((Ok::<Bytes, Infallible>(news), (parts, leaving, seen, over)));
                }
                let is_silent = tokio::select! {
                    changed = parts.changed() => {
                        changed.ok()?;
                        false
                    }
                    // A sender that is gone means the same.
                    _ = leaving.wait_for(|is_leaving| *is_leaving) => return None,
                    () = &mut over => return None,
                    () = tokio::time::sleep(SILENCE_MAX) => true,
                };
                if is_silent {
                    return Some((
                        Ok(Bytes::from_static(b": still here\n\n")),
                        (parts, leaving, seen, over),
                    ));
                }
            }
        },
    );
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies would hold it back until they have a page of it.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Body::from_stream(stream)).into_response()
}

/// What this reader has not seen. One part is handed on as it is; only several are put together.
fn news(parts: &Parts, seen: &mut BTreeMap<&'static str, u64>) -> Bytes {
    let mut news: Vec<&Bytes> = Vec::new();
    for (name, (number, text)) in parts {
        if seen.insert(name, *number) != Some(*number) {
            news.push(text);
        }
    }
    match &news[..] {
        [] => Bytes::new(),
        [one] => Bytes::clone(one),
        several => {
            let mut together = Vec::with_capacity(several.iter().map(|text| text.len()).sum());
            several.iter().for_each(|text| together.extend_from_slice(text));
            Bytes::from(together)
        }
    }
}

fn subscribe(console: &Arc<Console>, topic: Topic) -> watch::Receiver<Arc<Parts>> {
    let mut topics = console.live.0.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = topics.get(&topic) {
        return sender.subscribe();
    }
    let (sender, receiver) = watch::channel(Arc::default());
    topics.insert(topic.clone(), sender.clone());
    tokio::spawn(tell(Arc::clone(console), topic, sender));
    receiver
}

/// Writes a topic anew once a second, as long as somebody listens.
async fn tell(console: Arc<Console>, topic: Topic, sender: watch::Sender<Arc<Parts>>) {
    let mut leaving = console.leaving.clone();
    loop {
        let drawn = draw(&console, &topic).await;
        let parts = renewed(&sender.borrow(), drawn);
        if let Some(parts) = parts {
            sender.send_replace(Arc::new(parts));
        }
        let slept = tokio::time::timeout(LOOK_EVERY, leaving.wait_for(|is_leaving| *is_leaving)).await;
        let mut topics = console.live.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: nobody can begin to listen in between.
        if slept.is_ok() || sender.receiver_count() == 0 {
            topics.remove(&topic);
            return;
        }
    }
}

/// The parts with what was drawn now; `None` when nothing has changed.
fn renewed(before: &Parts, drawn: Vec<(&'static str, String)>) -> Option<Parts> {
    let mut parts = before.clone();
    let mut has_changed = false;
    for (name, text) in drawn {
        let sent = event(name, &text);
        let number = match parts.get(name) {
            Some((_, known)) if *known == sent => continue,
            Some((number, _)) => number + 1,
            None => 1,
        };
        parts.insert(name, (number, sent));
        has_changed = true;
    }
    has_changed.then_some(parts)
}

/// As it goes over the wire. A line break in a text begins a new line of data, whatever kind it is.
fn event(name: &str, text: &str) -> Bytes {
    let mut sent = format!("event: {name}\n");
    for line in text.split(['\n', '\r']) {
        sent.push_str("data: ");
        sent.push_str(line);
        sent.push('\n');
    }
    sent.push('\n');
    Bytes::from(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_begin_an_event_of_its_own() {
        let sent = event("head", "a\r\nevent: actions\rdata: evil\n\nb");
        let text = std::str::from_utf8(&sent).unwrap();
        assert_eq!(text.matches("\n\n").count(), 1);
        for line in text.lines().filter(|line| !line.is_empty()).skip(1) {
            assert!(line.starts_with("data: "), "{line:?}");
        }
    }

    #[test]
    fn a_reader_gets_everything_at_first_and_then_what_has_changed() {
        let first = renewed(&Parts::new(), vec![("a", "1".into()), ("b", "1".into())]).unwrap();
        assert_eq!(renewed(&first, vec![("a", "1".into()), ("b", "1".into())]), None);
        let second = renewed(&first, vec![("a", "1".into()), ("b", "2".into())]).unwrap();
        let mut seen = BTreeMap::new();
        assert_eq!(
            news(&first, &mut seen),
            "event: a\ndata: 1\n\nevent: b\ndata: 1\n\n"
        );
        assert!(news(&first, &mut seen).is_empty());
        assert_eq!(news(&second, &mut seen), "event: b\ndata: 2\n\n");
    }
}
