//! What everybody should know, on every page: a cluster that cannot be reached, work that nobody does.

use std::time::SystemTime;

use askama::Template;

use super::prose::filters;
use super::tone::wants_worker;
use crate::host::Cluster;

/// A look that is older than this says nothing.
const SEEN_MAX_S: f64 = 60.0;
/// Migrations that are named; the others are counted.
const NAMED_MAX: usize = 3;

/// One line of the banner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) is_bad: bool,
    pub(crate) words: String,
    /// Migrations that it is about, with their addresses.
    pub(crate) links: Vec<(String, String)>,
    /// What is to be done.
    pub(crate) hint: &'static str,
}

/// The banner, for the stream.
#[derive(Template)]
#[template(path = "banner.html")]
pub(crate) struct Banner {
    pub(crate) notices: Vec<Notice>,
}

/// What is shown is old, and why.
#[derive(Template)]
#[template(path = "away.html")]
pub(crate) struct Away {
    words: String,
    hint: &'static str,
}

impl Away {
    pub(crate) fn of(fault: &corridor_pg::Fault) -> Away {
        Away {
            words: fault.to_string(),
            hint: fault.code().hint,
        }
    }
}

pub(crate) fn now_s() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Why a cluster is not known to be well; `None` when it is, or was not looked at yet.
pub(crate) fn trouble(cluster: &Cluster, now_s: f64) -> Option<String> {
    let seen = cluster.seen.as_ref()?;
    match &seen.fault {
        Some(fault) => Some(fault.clone()),
        // No figure: the line would change with every second.
        None if now_s - seen.at_s > SEEN_MAX_S => {
            Some("nobody has looked at it for more than a minute".to_owned())
        }
        None => None,
    }
}

/// What everybody should know now.
pub(crate) fn notices(clusters: &[Cluster], now_s: f64) -> Vec<Notice> {
    let mut notices = Vec::new();
    for cluster in clusters {
        if let Some(why) = trouble(cluster, now_s) {
            notices.push(Notice {
                is_bad: true,
                words: format!("Cluster {} cannot be reached: {why}", cluster.name),
                links: Vec::new(),
                hint: "What is under way there goes on by itself; here it cannot be seen.",
            });
            continue;
        }
        let unworked: Vec<_> = cluster
            .seen
            .iter()
            .flat_map(|seen| &seen.migrations)
            .filter(|one| wants_worker(&one.kind, &one.state) && !one.is_worker_alive)
            .collect();
        if unworked.is_empty() {
            continue;
        }
        let more = unworked.len().saturating_sub(NAMED_MAX);
        let what = match (unworked.len(), more) {
            (1, _) => format!(
                "No worker is alive on {} for a migration that has work to do",
                cluster.name
            ),
            (n, 0) => format!(
                "No worker is alive on {} for {n} migrations that have work to do",
                cluster.name
            ),
            (n, _) => format!(
                "No worker is alive on {} for {n} migrations that have work to do, among them",
                cluster.name
            ),
        };
        notices.push(Notice {
            is_bad: true,
            words: what,
            links: unworked
                .iter()
                .take(NAMED_MAX)
                .map(|one| {
                    (
                        one.name.to_string(),
                        format!("/clusters/{}/migrations/{}", cluster.name, one.name),
                    )
                })
                .collect(),
            hint: "A running `corridor serve` takes it up by itself; so does `corridor resume NAME`.",
        });
    }
    notices
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use corridor_migration::store::Summary;
    use corridor_migration::{Name, State};
    use corridor_pg::ConnectOptions;

    use super::*;
    use crate::host::Seen;

    fn cluster(seen: Seen) -> Cluster {
        Cluster {
            name: "main".into(),
            connect: ConnectOptions::from_process(Some("postgres://u@127.0.0.1:1/x")).unwrap(),
            seen: Some(Arc::new(seen)),
        }
    }

    fn summary(name: &str, is_worker_alive: bool) -> Summary {
        Summary {
            id: 1,
            name: Name::new(name).unwrap(),
            kind: "move".into(),
            description: String::new(),
            state: State::Running,
            current_operation: None,
            created_at: String::new(),
            finished_at: None,
            is_worker_alive,
            unsettled: Vec::new(),
        }
    }

    #[test]
    fn a_cluster_that_is_away_and_work_that_nobody_does_are_told() {
        let away = cluster(Seen {
            at_s: 100.0,
            fault: Some("<b>refused</b>".into()),
            ..Seen::default()
        });
        let old = cluster(Seen {
            at_s: 0.0,
            ..Seen::default()
        });
        let idle = cluster(Seen {
            at_s: 100.0,
            migrations: vec![summary("a", true), summary("b", false)],
            ..Seen::default()
        });
        assert!(
            notices(
                &[cluster(Seen {
                    at_s: 100.0,
                    ..Seen::default()
                })],
                101.0
            )
            .is_empty()
        );
        assert_eq!(notices(&[old], 101.0).len(), 1);
        let all = notices(&[away, idle], 101.0);
        assert_eq!(all.len(), 2);
        assert_eq!(
            all[1].links,
            [("b".to_owned(), "/clusters/main/migrations/b".to_owned())]
        );
        let text = Banner { notices: all }.render().unwrap();
        assert!(
            text.contains("&#60;b&#62;refused") && !text.contains("<b>refused"),
            "{text}"
        );
    }
}
