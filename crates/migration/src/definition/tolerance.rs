//! How many bad rows a verification tolerates: `0`, `12` or `1%`.

use std::fmt;

use corridor_pg::{Fault, Result};

use super::fault::UNFIT_VALUE;

/// How many bad rows are tolerated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tolerance {
    /// At most this many.
    Rows(u64),
    /// At most this share of all rows, in percent: 0 to 100.
    Share(f64),
}

impl Tolerance {
    /// Reads `0`, `12` or `0.5%`.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = || {
            Fault::new(
                &UNFIT_VALUE,
                format!("{text:?}; a number of rows (`0`, `12`) or a share (`1%`, at most `100%`)"),
            )
        };
        let is_number = |number: &str| {
            !number.is_empty()
                && number
                    .bytes()
                    .all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.'))
        };
        let trimmed = text.trim();
        let number = trimmed.trim_end_matches('%').trim_end();
        if !is_number(number) {
            return Err(refuse());
        }
        let number = number.replace('_', "");
        match trimmed.strip_suffix('%') {
            None => number.parse().map(Tolerance::Rows).map_err(|_| refuse()),
            Some(rest) if !rest.contains('%') => match number.parse::<f64>() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Tolerance::Share(percent)),
                _ => Err(refuse()),
            },
            Some(_) => Err(refuse()),
        }
    }

    /// True when `bad` rows of `total` are tolerated.
    ///
    /// What is not known is not tolerated: no number, NULL, NaN, a negative one, and for a share no total, or fewer rows in
    /// all than bad ones. No bad row of none is tolerated: there is nothing that could be wrong.
    pub fn is_met(self, bad: Option<f64>, total: Option<f64>) -> bool {
        // As counts, so that neither NaN nor infinity gets through.
        let count = |figure: Option<f64>| figure.filter(|figure| figure.is_finite() && *figure >= 0.0);
        let Some(bad) = count(bad) else { return false };
        match self {
            Tolerance::Rows(rows) => bad <= rows as f64,
            Tolerance::Share(percent) => {
                // 0.57 percent of 10,000 is a little less than 57 in floating point.
                const ROUNDING: f64 = 1.0 + 1e-14;
                count(total).is_some_and(|total| bad * 100.0 <= percent * total * ROUNDING)
            }
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tolerance::Rows(rows) => write!(f, "{rows}"),
            Tolerance::Share(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_read() {
        assert_eq!(Tolerance::parse("0").unwrap(), Tolerance::Rows(0));
        assert_eq!(Tolerance::parse(" 1_000 ").unwrap(), Tolerance::Rows(1_000));
        assert_eq!(Tolerance::parse("0.5 %").unwrap(), Tolerance::Share(0.5));
        assert_eq!(Tolerance::parse("100%").unwrap().to_string(), "100%");
        for bad in [
            "", "%", "-1", "101%", "NaN%", "inf%", "1%%", "1.5", "1e3", "12 rows", "+1",
        ] {
            assert_eq!(Tolerance::parse(bad).unwrap_err().code().id, "MIG-102", "{bad}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_tolerated() {
        let (none, all) = (Tolerance::Rows(0), Tolerance::Share(100.0));
        for bad in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1.0)] {
            assert!(!none.is_met(bad, Some(10.0)), "{bad:?}");
            assert!(!all.is_met(bad, Some(10.0)), "{bad:?}");
        }
        for total in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1.0), Some(0.0)] {
            assert!(!all.is_met(Some(1.0), total), "{total:?}");
        }
        assert!(!all.is_met(Some(5.0), Some(3.0)), "more bad ones than there are");
    }

    #[test]
    fn the_limit_itself_is_tolerated() {
        assert!(Tolerance::Rows(12).is_met(Some(12.0), None));
        assert!(!Tolerance::Rows(12).is_met(Some(13.0), None));
        let percent = |text: &str| Tolerance::parse(text).unwrap();
        assert!(percent("1%").is_met(Some(0.0), Some(0.0)));
        assert!(percent("0%").is_met(Some(0.0), Some(9.0)));
        assert!(!percent("0%").is_met(Some(1.0), Some(1e15)));
        // In floating point 0.57 * 10,000 is less than 5,700.
        for (share, bad, total) in [
            ("0.57%", 57.0, 10_000.0),
            ("29%", 29.0, 100.0),
            ("1.1%", 11.0, 1_000.0),
        ] {
            assert!(percent(share).is_met(Some(bad), Some(total)), "{share}");
            assert!(!percent(share).is_met(Some(bad + 1.0), Some(total)), "{share}");
        }
    }
}
