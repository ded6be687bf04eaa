//! When somebody is told. Pure: from what each check found to what is worth a message.
//!
//! A finding is told once it was there in two checks in a row, told again when it got worse (in two checks in a row), and
//! each 24 hours as long as it lasts; it is over once it was missing in three checks in a row. What comes and goes with
//! every check is never told. A check that could not see what an earlier one saw says nothing about what is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::finding::{Finding, Severity};
use crate::reader::Degraded;

/// Checks in a row in which it must be there.
pub const RAISE_AFTER: u32 = 2;
/// Checks in a row in which it must be missing.
pub const CLEAR_AFTER: u32 = 3;
/// It is told again after so long.
pub const REMIND_S: f64 = 86_400.0;
/// More than these are not followed: the worst come first, and a person has enough with those.
pub const FOLLOWED_MAX: usize = 1_000;

/// Why somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It is there.
    Raised,
    /// It was a warning, and is critical.
    Worse,
    /// It is still there.
    Reminder,
    /// It is over.
    Cleared,
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// Why.
    pub event: Event,
    /// `LIM-001`.
    pub code: &'static str,
    /// Of what.
    pub object: String,
    /// How bad it is, or was.
    pub severity: Severity,
    /// What, one line.
    pub headline: String,
    /// Days left, where they are known.
    pub days_left: Option<f64>,
    /// What to type.
    pub command: Option<String>,
    /// Seconds since it was raised.
    pub lasted_s: f64,
}

/// What is followed from check to check.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerts {
    followed: BTreeMap<(&'static str, String), Followed>,
}

#[derive(Debug, Clone, PartialEq)]
struct Followed {
    notice: Notice,
    /// In so many checks in a row.
    there: u32,
    missing: u32,
    critical: u32,
    /// When it was raised, and told last.
    raised_s: Option<(f64, f64)>,
    /// The severity that was told.
    told: Severity,
    /// What could not be seen when it was there last.
    unseen: BTreeSet<(&'static str, String)>,
}

impl Alerts {
    /// What is to be told after a check at `at_s`. Notices (findings that stop nothing) are not alerts.
    pub fn after(&mut self, findings: &[Finding], degraded: &[Degraded], at_s: f64) -> Vec<Notice> {
        let unseen: BTreeSet<_> = degraded.iter().map(|d| (d.probe, d.what.clone())).collect();
        let mut there = BTreeSet::new();
        let mut notices = Vec::new();
        for finding in findings.iter().filter(|f| f.severity > Severity::Notice) {
            let key = (finding.code.id, finding.object.clone());
            let is_known = self.followed.contains_key(&key);
            // One object may have two findings of one code: the worse one came first.
            if there.contains(&key) || !is_known && self.followed.len() >= FOLLOWED_MAX {
                continue;
            }
            let followed = self
                .followed
                .entry(key.clone())
                .or_insert_with(|| Followed::new(finding));
            notices.extend(followed.seen(finding, at_s));
            followed.unseen.clone_from(&unseen);
            there.insert(key);
        }
        self.followed.retain(|key, followed| {
            if there.contains(key) {
                return true;
            }
            if !unseen.is_subset(&followed.unseen) {
                return true;
            }
            let (is_kept, notice) = followed.missed(at_s);
            notices.extend(notice);
            is_kept
        });
        notices
    }

    /// How many have been raised and are not over.
    pub fn raised(&self) -> usize {
        self.followed.values().filter(|f| f.raised_s.is_some()).count()
    }
}

impl Followed {
    fn new(finding: &Finding) -> Self {
        Followed {
            notice: Notice {
                event: Event::Raised,
                code: finding.code.id,
                object: finding.object.clone(),
                severity: finding.severity,
                headline: String::new(),
                days_left: None,
                command: None,
                lasted_s: 0.0,
            },
            there: 0,
            missing: 0,
            critical: 0,
            raised_s: None,
            told: finding.severity,
            unseen: BTreeSet::new(),
        }
    }

    fn seen(&mut self, finding: &Finding, at_s: f64) -> Option<Notice> {
        self.there = self.there.saturating_add(1);
        self.missing = 0;
        self.critical = match finding.severity {
            Severity::Critical => self.critical.saturating_add(1),
            _ => 0,
        };
        self.notice.severity = finding.severity;
        self.notice.headline.clone_from(&finding.headline);
        self.notice.days_left = finding.runway.days_mid();
        self.notice.command = finding.advice.as_ref().and_then(|advice| advice.command.clone());
        let event = match self.raised_s {
            None if self.there >= RAISE_AFTER => Event::Raised,
            None => return None,
            Some(_) if self.told < Severity::Critical && self.critical >= RAISE_AFTER => Event::Worse,
            Some((_, told_s)) if at_s - told_s >= REMIND_S => Event::Reminder,
            Some(_) => return None,
        };
        // It is as bad as it was told at its worst, until it is over: down and up again is no news.
        self.told = match event {
            Event::Raised | Event::Worse => finding.severity,
            _ => self.told,
        };
        let raised_s = self.raised_s.map_or(at_s, |(raised_s, _)| raised_s);
        self.raised_s = Some((raised_s, at_s));
        Some(self.tell(event, at_s - raised_s))
    }

    /// Whether it is followed on, and what is told.
    fn missed(&mut self, at_s: f64) -> (bool, Option<Notice>) {
        self.there = 0;
        self.critical = 0;
        self.missing += 1;
        match self.raised_s {
            None => (false, None),
            Some(_) if self.missing < CLEAR_AFTER => (true, None),
            Some((raised_s, _)) => (false, Some(self.tell(Event::Cleared, at_s - raised_s))),
        }
    }

    fn tell(&self, event: Event, lasted_s: f64) -> Notice {
        Notice {
            event,
            lasted_s,
            ..self.notice.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fault::TOAST_IDS;

    fn finding(severity: Severity) -> Finding {
        Finding::new(&TOAST_IDS, "public.persons", severity, "it is full")
    }

    fn unseen() -> Degraded {
        Degraded {
            probe: "toast",
            what: "the ids".to_owned(),
            why: "it took longer than 2000 ms".to_owned(),
            remedy: String::new(),
        }
    }

    /// `w`arning, `c`ritical, `n`otice, missing (`.`), missing because it was not seen (`?`); a minute apart.
    fn told(checks: &str) -> String {
        let mut alerts = Alerts::default();
        let mut told = String::new();
        for (n, check) in checks.chars().enumerate() {
            let (findings, degraded) = match check {
                'w' => (vec![finding(Severity::Warning)], Vec::new()),
                'c' => (vec![finding(Severity::Critical)], Vec::new()),
                'n' => (vec![finding(Severity::Notice)], Vec::new()),
                '?' => (Vec::new(), vec![unseen()]),
                _ => (Vec::new(), Vec::new()),
            };
            let notices = alerts.after(&findings, &degraded, n as f64 * 60.0);
            told.push(match notices.as_slice() {
                [] => '-',
                [one] => match one.event {
                    Event::Raised => 'R',
                    Event::Worse => 'W',
                    Event::Reminder => 'M',
                    Event::Cleared => 'C',
                },
                _ => panic!("{notices:?}"),
            });
        }
        told
    }

    #[test]
    fn two_raise_and_three_clear() {
        for (checks, wanted) in [
            ("wwwww", "-R---"),
            ("ww...", "-R--C"),
            ("ww..w..w...", "-R--------C"),
            ("w.w.w.w.w", "---------"),
            ("ww...ww", "-R--C-R"),
            ("nnnnn", "-----"),
            ("wwnnn", "-R--C"),
            // Critical once is an accident, twice is news; down and up again is not.
            ("wwcwcc", "-R---W"),
            ("wwccwwcc", "-R-W----"),
            ("wccc", "-R--"),
            ("cc...cc", "-R--C-R"),
            // What was not seen is not over.
            ("ww?????...", "-R-------C"),
            ("w?w", "--R"),
        ] {
            assert_eq!(told(checks), wanted, "{checks}");
        }
    }

    #[test]
    fn a_right_that_was_always_missing_does_not_keep_it() {
        let mut alerts = Alerts::default();
        let poor = [unseen()];
        for _ in 0..2 {
            alerts.after(&[finding(Severity::Warning)], &poor, 0.0);
        }
        let told: Vec<_> = (0..3).flat_map(|_| alerts.after(&[], &poor, 60.0)).collect();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].event, told[0].lasted_s), (Event::Cleared, 60.0));
        assert_eq!(alerts, Alerts::default());
    }

    #[test]
    fn it_is_told_again_each_day() {
        let told = told(&"w".repeat(3 * 1_440));
        assert_eq!(told.matches('R').count(), 1);
        assert_eq!(told.matches('M').count(), 2);
        assert_eq!(&told[1_441..1_442], "M");
    }

    #[test]
    fn not_more_are_followed_than_people_can_read() {
        let many: Vec<Finding> = (0..3 * FOLLOWED_MAX)
            .map(|n| Finding::new(&TOAST_IDS, format!("t{n}"), Severity::Warning, "full"))
            .collect();
        let mut alerts = Alerts::default();
        alerts.after(&many, &[], 0.0);
        assert_eq!(alerts.after(&many, &[], 60.0).len(), FOLLOWED_MAX);
        assert_eq!(alerts.raised(), FOLLOWED_MAX);
    }

    proptest! {
        /// Raised and cleared come in turn, never nearer than their number of checks, whatever happens.
        #[test]
        fn it_never_flaps(checks in "[wcn.?]{0,300}") {
            let told = told(&checks);
            let mut last: Option<(usize, char)> = None;
            for (n, event) in told.char_indices().filter(|(_, event)| "RC".contains(*event)) {
                match (last, event) {
                    (None, event) => prop_assert_eq!(event, 'R'),
                    (Some((_, before)), event) => prop_assert_ne!(before, event),
                }
                if let Some((at, _)) = last {
                    let least = if event == 'R' { RAISE_AFTER } else { CLEAR_AFTER };
                    prop_assert!(n - at >= least as usize, "{} {}", checks, told);
                }
                last = Some((n, event));
            }
        }

        /// What is there to the end is raised, and what is away to the end is not.
        #[test]
        fn it_ends_up_right(checks in "[wcn.?]{0,60}") {
            let told_there = told(&format!("{checks}ww"));
            let open = |told: &str| told.matches('R').count() - told.matches('C').count();
            prop_assert_eq!(open(&told_there), 1);
            prop_assert_eq!(open(&told(&format!("{checks}..."))), 0);
        }
    }
}
