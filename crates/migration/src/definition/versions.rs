//! Ranges of versions: `>=1.33.0, <1.42.0`.
//!
//! A range is one stretch between two bounds. It is compared by those bounds and not by `VersionReq::matches`: that one says
//! that `1.40.0-rc.1` is not in `>=1.33.0, <1.42.0`, and a gate has to say on which side of a range a version lies.

use std::fmt;

use corridor_pg::{Fault, Result};
use semver::{Comparator, Op, Prerelease, Version, VersionReq};

use super::fault::{BAD_APP_VERSION, BAD_VERSIONS};

/// Where a version lies, seen from a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Older than the range.
    Before,
    /// In it.
    Inside,
    /// Newer than the range.
    Behind,
}

/// A range of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionRange {
    text: String,
    /// The oldest version in it.
    from: Bound,
    /// The first version behind it, or the last one in it.
    to: Option<(Bound, End)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Excluded,
    Included,
}

/// A version as a bound. Without a mark of a pre-release it counts every pre-release as its release: a candidate of 1.42.0
/// has the code of 1.42.0.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    numbers: (u64, u64, u64),
    pre: Prerelease,
    /// For the lower bound: the version itself is left out (`>1.33.0`).
    is_left_out: bool,
}

impl Bound {
    fn new(major: u64, minor: u64, patch: u64) -> Self {
        Bound {
            numbers: (major, minor, patch),
            pre: Prerelease::EMPTY,
            is_left_out: false,
        }
    }

    fn of(comparator: &Comparator) -> Self {
        let mut bound = Bound::new(
            comparator.major,
            comparator.minor.unwrap_or(0),
            comparator.patch.unwrap_or(0),
        );
        bound.pre = comparator.pre.clone();
        bound
    }

    /// How `version` compares with this bound.
    fn compare(&self, version: &Version) -> std::cmp::Ordering {
        let numbers = (version.major, version.minor, version.patch);
        let by_numbers = numbers.cmp(&self.numbers);
        if self.pre.is_empty() {
            by_numbers
        } else {
            by_numbers.then_with(|| version.pre.cmp(&self.pre))
        }
    }

    fn version(&self) -> Version {
        let (major, minor, patch) = self.numbers;
        Version {
            pre: self.pre.clone(),
            ..Version::new(major, minor, patch)
        }
    }
}

impl VersionRange {
    /// Reads `>=1.33.0, <1.42.0`, `~1.33`, `=1.33.2`, `*`. Refuses a range that no version is in.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |why: String| Fault::new(&BAD_VERSIONS, format!("{text:?}: {why}"));
        let wanted = VersionReq::parse(text.trim()).map_err(|error| refuse(error.to_string()))?;
        let mut range = VersionRange {
            text: text.trim().to_owned(),
            from: Bound::new(0, 0, 0),
            to: None,
        };
        for comparator in &wanted.comparators {
            range.narrow(comparator);
        }
        if range.is_empty() {
            return Err(refuse("no version is in it".to_owned()));
        }
        Ok(range)
    }

    /// Where `version` lies, seen from the range.
    pub fn place(&self, version: &Version) -> Place {
        let at = self.from.compare(version);
        if at.is_lt() || (at.is_eq() && self.from.is_left_out) {
            return Place::Before;
        }
        match &self.to {
            Some((bound, end)) => {
                let at = bound.compare(version);
                if at.is_gt() || (at.is_eq() && *end == End::Excluded) {
                    Place::Behind
                } else {
                    Place::Inside
                }
            }
            None => Place::Inside,
        }
    }

    fn narrow(&mut self, comparator: &Comparator) {
        let own = Bound::of(comparator);
        let (major, minor, patch) = own.numbers;
        // The first version behind all that a partial one stands for: 1.34.0 for `1.33`.
        let next = match (comparator.minor, comparator.patch) {
            (None, _) => Some(Bound::new(major.saturating_add(1), 0, 0)),
            (Some(_), None) => Some(Bound::new(major, minor.saturating_add(1), 0)),
            _ => None,
        };
        match comparator.op {
            Op::Exact | Op::Wildcard => {
                self.raise(own.clone());
                self.lower(next.map_or((own, End::Included), |next| (next, End::Excluded)));
            }
            Op::Greater => self.raise(next.unwrap_or(Bound {
                is_left_out: true,
                ..own
            })),
            Op::GreaterEq => self.raise(own),
            Op::Less => self.lower((own, End::Excluded)),
            Op::LessEq => self.lower(next.map_or((own, End::Included), |next| (next, End::Excluded))),
            Op::Tilde => {
                self.raise(own);
                let behind = next.unwrap_or(Bound::new(major, minor.saturating_add(1), 0));
                self.lower((behind, End::Excluded));
            }
            // Caret, and whatever the grammar may get.
            _ => {
                let behind = match (major, comparator.minor, comparator.patch) {
                    (0, Some(0), Some(_)) => Bound::new(0, 0, patch.saturating_add(1)),
                    (0, Some(_), _) => Bound::new(0, minor.saturating_add(1), 0),
                    _ => Bound::new(major.saturating_add(1), 0, 0),
                };
                self.raise(own);
                self.lower((behind, End::Excluded));
            }
        }
    }

    fn raise(&mut self, bound: Bound) {
        let key = |bound: &Bound| (bound.version(), bound.is_left_out);
        if key(&bound) > key(&self.from) {
            self.from = bound;
        }
    }

    fn lower(&mut self, (bound, end): (Bound, End)) {
        let key = |bound: &Bound, end: End| (bound.version(), end == End::Included);
        let is_nearer = self
            .to
            .as_ref()
            .is_none_or(|(known, its_end)| key(&bound, end) < key(known, *its_end));
        if is_nearer {
            self.to = Some((bound, end));
        }
    }

    fn is_empty(&self) -> bool {
        let Some((to, end)) = &self.to else { return false };
        let (from, to) = (self.from.version(), to.version());
        match end {
            End::Excluded => from >= to,
            End::Included => from > to || (from == to && self.from.is_left_out),
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads the version of an application: `1.42.0`, also `v1.42`, which is `1.42.0`.
pub fn app_version(text: &str) -> Result<Version> {
    let refuse = |why: String| Fault::new(&BAD_APP_VERSION, format!("{text:?}: {why}"));
    let plain = text.trim();
    let plain = plain.strip_prefix(['v', 'V']).unwrap_or(plain);
    let numbers_end = plain.find(['-', '+']).unwrap_or(plain.len());
    let (numbers, marks) = plain.split_at(numbers_end);
    let missing = 2usize.saturating_sub(numbers.matches('.').count());
    let whole = format!("{numbers}{}{marks}", ".0".repeat(missing));
    Version::parse(&whole).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(range: &str, version: &str) -> Place {
        let range = VersionRange::parse(range).unwrap();
        range.place(&app_version(version).unwrap())
    }

    #[test]
    fn a_version_is_before_inside_or_behind() {
        let mut table = String::new();
        for range in [
            ">=1.33.0, <1.42.0",
            ">1.33.0, <=1.42",
            "~1.33",
            "=1.33.2",
            "1.33",
            "0.3.1",
            ">=1.33.0-rc.2",
            "*",
            "1.*",
        ] {
            table.push_str(range);
            for version in [
                "0.3.9",
                "1.32",
                "1.33.0-rc.1",
                "v1.33.0",
                "1.33.2",
                "1.42.0-rc.1",
                "1.42.0",
                "1.42.7",
                "2",
            ] {
                table.push_str(match place(range, version) {
                    Place::Before => " <",
                    Place::Inside => " =",
                    Place::Behind => " >",
                });
            }
            table.push('\n');
        }
        insta::assert_snapshot!(table, @r#"
        >=1.33.0, <1.42.0 < < = = = > > > >
        >1.33.0, <=1.42 < < < < = = = = >
        ~1.33 < < = = = > > > >
        =1.33.2 < < < < = > > > >
        1.33 < < = = = = = = >
        0.3.1 = > > > > > > > >
        >=1.33.0-rc.2 < < < = = = = = =
        * = = = = = = = = =
        1.* < = = = = = = = >
        "#);
    }

    #[test]
    fn ranges_that_cannot_be_read_or_met_are_refused() {
        for bad in [
            "",
            "1.2.3.4",
            ">=x",
            ">=2, <1",
            ">1.0.0, <=1.0.0",
            "<0.0.0",
            "1 || 2",
        ] {
            assert_eq!(
                VersionRange::parse(bad).unwrap_err().code().id,
                "MIG-114",
                "{bad}"
            );
        }
        for bad in ["", "1.x", "1.2.3.4", "latest", "-1"] {
            assert_eq!(app_version(bad).unwrap_err().code().id, "MIG-119", "{bad}");
        }
    }

    proptest! {
        /// Where no pre-release is in play, it is what the range's own library says.
        #[test]
        fn inside_is_what_matches(
            ops in proptest::collection::vec(("(>=|<=|>|<|=|~|\\^)", 0u64..3, 0u64..3, 0u64..3, 1usize..4), 1..3),
            version in (0u64..4, 0u64..4, 0u64..4),
        ) {
            let text = ops
                .iter()
                .map(|(op, a, b, c, parts)| {
                    let numbers = [a, b, c].map(u64::to_string);
                    format!("{op}{}", numbers[..*parts].join("."))
                })
                .collect::<Vec<_>>()
                .join(", ");
            let version = Version::new(version.0, version.1, version.2);
            let matches = VersionReq::parse(&text).unwrap().matches(&version);
            match VersionRange::parse(&text) {
                Ok(range) => prop_assert_eq!(range.place(&version) == Place::Inside, matches, "{}", text),
                Err(_) => prop_assert!(!matches, "{}", text),
            }
        }
    }
}
