//! Times as files say them: `500ms`, `5s`, `30min`, `2h`.

use std::time::Duration;

use corridor_pg::{Fault, Result};

use super::fault::UNFIT_VALUE;
use crate::setting::time_with_unit_ms;

/// The longest time: a year.
const HOURS_MAX: u32 = 8_760;

/// What a time must look like, for messages.
const WANTED: &str = "a time with its unit, from 1ms to 8760h: `500ms`, `5s`, `30min`, `2h`";

/// Reads a time: a number and its unit, `ms`, `s`, `min` or `h`; from one millisecond to a year.
///
/// A time without a unit is refused, and so is zero: to PostgreSQL a timeout of zero is no timeout.
pub fn duration(text: &str) -> Result<Duration> {
    let ms_max = f64::from(HOURS_MAX) * 3_600_000.0;
    match time_with_unit_ms(text) {
        Some(ms) if (1.0..=ms_max).contains(&ms) => Ok(Duration::from_millis(ms.round() as u64)),
        _ => Err(Fault::new(&UNFIT_VALUE, format!("{text:?}; {WANTED}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_need_a_unit() {
        let ms = |text: &str| duration(text).unwrap().as_millis();
        assert_eq!(ms("500ms"), 500);
        assert_eq!(ms(" 5 s "), 5_000);
        assert_eq!(ms("1.5min"), 90_000);
        assert_eq!(ms("2h"), 7_200_000);
        assert_eq!(ms("8760h"), 31_536_000_000);
        for bad in [
            "", "5", "0s", "-1s", "0.1ms", "9999h", "1d", "s", "1e9s", "infs", "NaNs", "5 s s",
        ] {
            assert_eq!(duration(bad).unwrap_err().code().id, "MIG-102", "{bad}");
        }
    }
}
