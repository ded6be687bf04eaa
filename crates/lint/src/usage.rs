//! What was called between two moments: the counters of `pg_stat_statements` then and now. Pure; [`read`](crate::evidence::read)
//! asks the server.
//!
//! A call that was counted proves use. That nothing was called is proven only where nothing that was counted can have been lost
//! in between: [`Between::gaps`] says what speaks against it.

use std::collections::HashMap;

use corridor_pg::{Fault, Result};
use serde::{Deserialize, Serialize};

use crate::fault::BAD_USAGE;

/// The version of the file.
const VERSION: u32 = 1;

/// The counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Of this form.
    pub version: u32,
    /// The identifier that the cluster got when it was made.
    pub server: String,
    /// The database.
    pub database: String,
    /// When, for people, by the server's clock.
    pub taken_at: String,
    /// When, in seconds since 1970.
    pub taken_at_s: f64,
    /// When all counters began.
    pub stats_reset: String,
    /// How often the server has thrown the least used entries away.
    pub deallocations: i64,
    /// `pg_stat_statements.track`
    pub track: String,
    /// What was counted.
    pub entries: Vec<Entry>,
}

/// One statement of one role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The role's id.
    pub user_id: u32,
    /// The role.
    pub role: String,
    /// The statement, as the server computes it.
    pub query_id: i64,
    /// A client sent it; otherwise a function runs it.
    pub is_top_level: bool,
    /// How often it was called.
    pub calls: i64,
    /// How long in all, ms.
    pub total_ms: f64,
    /// Since when the entry counts; from 17 on.
    pub counted_since: Option<String>,
    /// Its text, where it is a query.
    pub text: Option<String>,
}

/// What makes an entry the same.
type Key = (u32, i64, bool);

impl Entry {
    fn key(&self) -> Key {
        (self.user_id, self.query_id, self.is_top_level)
    }

    /// Calls of `self`, the later one, that `then` did not have; an entry that began anew counts from zero.
    fn calls_since(&self, then: &Entry) -> i64 {
        let is_same = then.counted_since == self.counted_since;
        if !is_same || self.calls < then.calls {
            return self.calls;
        }
        match self.calls - then.calls {
            // Reset, and called as often again: the time tells.
            #[expect(
                clippy::float_cmp,
                reason = "a counter that nothing was added to is the same to the last bit"
            )]
            0 if self.total_ms != then.total_ms => self.calls,
            more => more,
        }
    }
}

impl Moment {
    /// From the text of a file.
    pub fn parse(label: &str, text: &str) -> Result<Moment> {
        let moment: Moment = serde_json::from_str(text)
            .map_err(|error| Fault::new(&BAD_USAGE, format!("{label}: {error}")).caused_by(error))?;
        if moment.version != VERSION {
            let why = format!("{label}: its version is {}, {VERSION} is read", moment.version);
            return Err(Fault::new(&BAD_USAGE, why));
        }
        Ok(moment)
    }

    /// The text of a file.
    pub fn render(&self) -> String {
        let moment = Moment {
            version: VERSION,
            ..self.clone()
        };
        // Plain data of strings and numbers: it is always written.
        serde_json::to_string_pretty(&moment).unwrap_or_default() + "\n"
    }
}

/// Two moments of one database.
#[derive(Debug, Clone, Default)]
pub struct Between {
    /// When the first was, for people.
    pub since: String,
    /// The same in seconds since 1970.
    pub since_s: f64,
    /// How long ago that was, s.
    pub lasted_s: f64,
    /// Why calls in between may not have been counted.
    pub gaps: Vec<String>,
    then: HashMap<Key, Entry>,
}

impl Between {
    /// Puts two moments beside each other; refused when they are not of one database.
    pub fn of(then: Moment, now: &Moment) -> Result<Between> {
        let refused = |why: String| Err(Fault::new(&BAD_USAGE, why));
        if then.server != now.server {
            return refused(format!(
                "it was taken on another server (system identifier {}, here {})",
                then.server, now.server
            ));
        }
        if then.database != now.database {
            return refused(format!(
                "it was taken in the database {}, this is {}",
                then.database, now.database
            ));
        }
        if then.taken_at_s > now.taken_at_s {
            return refused(format!(
                "it was taken at {}, and the server's clock says {}",
                then.taken_at, now.taken_at
            ));
        }
        let mut gaps = Vec::new();
        let lost = now.deallocations - then.deallocations;
        if then.stats_reset != now.stats_reset {
            gaps.push(format!(
                "all counters were reset in between, at {}",
                now.stats_reset
            ));
        } else if lost != 0 {
            gaps.push(format!(
                "the server threw entries away in between ({lost} times): pg_stat_statements.max is too small"
            ));
        }
        let by_key: HashMap<Key, &Entry> = now.entries.iter().map(|entry| (entry.key(), entry)).collect();
        let is_continued = |entry: &&Entry| {
            by_key
                .get(&entry.key())
                .is_some_and(|later| later.calls >= entry.calls && later.counted_since == entry.counted_since)
        };
        let broken = then.entries.iter().filter(|entry| !is_continued(entry)).count();
        if broken > 0 && gaps.is_empty() {
            gaps.push(format!(
                "{broken} of the counters of then are gone or began anew: some were reset in between"
            ));
        }
        for track in [&then.track, &now.track] {
            if track == "none" && gaps.iter().all(|gap| !gap.contains("counts nothing")) {
                gaps.push("pg_stat_statements.track is none: it counts nothing".to_owned());
            }
        }
        Ok(Between {
            since: then.taken_at,
            since_s: then.taken_at_s,
            lasted_s: now.taken_at_s - then.taken_at_s,
            gaps,
            then: then
                .entries
                .into_iter()
                .map(|entry| (entry.key(), entry))
                .collect(),
        })
    }

    /// Calls of an entry of now since then.
    pub fn calls(&self, now: &Entry) -> i64 {
        self.then
            .get(&now.key())
            .map_or(now.calls, |then| now.calls_since(then))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(query_id: i64, calls: i64) -> Entry {
        Entry {
            query_id,
            calls,
            #[expect(clippy::cast_precision_loss, reason = "small")]
            total_ms: calls as f64,
            ..Entry::default()
        }
    }

    fn moment(at_s: f64, entries: &[Entry]) -> Moment {
        Moment {
            version: VERSION,
            server: "7".to_owned(),
            database: "app".to_owned(),
            taken_at: format!("at {at_s}"),
            taken_at_s: at_s,
            entries: entries.to_vec(),
            ..Moment::default()
        }
    }

    #[test]
    fn only_what_grew_was_called_and_without_a_gap_the_rest_was_not() {
        let now = [entry(1, 5), entry(2, 9), entry(3, 2)];
        let between = Between::of(moment(1.0, &[entry(1, 5), entry(2, 7)]), &moment(3_601.0, &now)).unwrap();
        let calls: Vec<i64> = now.iter().map(|entry| between.calls(entry)).collect();
        assert_eq!(calls, [0, 2, 2]);
        assert!(between.gaps.is_empty(), "{:?}", between.gaps);
        assert_eq!(between.lasted_s, 3_600.0);
    }

    #[test]
    fn what_was_lost_in_between_is_a_gap_and_what_came_back_was_called() {
        let then = moment(1.0, &[entry(1, 5), entry(2, 7)]);
        let gap = |now: &Moment| Between::of(then.clone(), now).unwrap().gaps.join("; ");
        // Reset as a whole; evicted; one counter reset; gone.
        let reset = Moment {
            stats_reset: "later".to_owned(),
            ..moment(2.0, &[])
        };
        assert!(gap(&reset).contains("reset in between, at later"));
        let evicted = Moment {
            deallocations: 3,
            ..moment(2.0, &[entry(1, 5), entry(2, 7)])
        };
        assert!(gap(&evicted).contains("threw entries away in between (3 times)"));
        let again = moment(2.0, &[entry(1, 5), entry(2, 3)]);
        assert!(gap(&again).contains("1 of the counters"));
        assert!(gap(&moment(2.0, &[entry(1, 5)])).contains("1 of the counters"));
        let between = Between::of(then.clone(), &again).unwrap();
        assert_eq!(between.calls(&entry(2, 3)), 3);
        // Reset, and called as often as before: the time is another one, and from 17 on so is the beginning.
        let other = Entry {
            total_ms: 7.5,
            ..entry(2, 7)
        };
        assert_eq!(between.calls(&other), 7);
        let younger = Entry {
            counted_since: Some("later".to_owned()),
            ..entry(2, 7)
        };
        assert_eq!(between.calls(&younger), 7);
    }

    #[test]
    fn moments_of_two_databases_are_refused() {
        let then = moment(1.0, &[]);
        for (now, why) in [
            (
                Moment {
                    server: "8".to_owned(),
                    ..moment(2.0, &[])
                },
                "another server",
            ),
            (
                Moment {
                    database: "other".to_owned(),
                    ..moment(2.0, &[])
                },
                "in the database app",
            ),
            (moment(0.5, &[]), "the server's clock"),
        ] {
            let fault = Between::of(then.clone(), &now).unwrap_err();
            assert!(fault.to_string().contains(why), "{fault}");
        }
        assert!(Moment::parse("x", "{}").is_err());
        let old = then.render().replace("\"version\": 1", "\"version\": 9");
        assert!(Moment::parse("x", &old).is_err());
        assert_eq!(Moment::parse("x", &then.render()).unwrap(), then);
    }
}
