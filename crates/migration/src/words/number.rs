//! Figures, sizes and durations for people.

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A figure with as many digits as it is worth: `0.25`, `7.5`, `1,234`.
pub fn figure(number: f64) -> String {
    if !number.is_finite() {
        return "unknown".to_owned();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let number = number.abs();
    // Beyond 2^53 a float has no fraction, and casting saturates.
    if number >= 100.0 || number.fract() == 0.0 {
        return format!("{sign}{}", grouped(number.round() as u64));
    }
    let text = if number >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    };
    format!("{sign}{text}")
}

/// `1536` as `1.5 kB`: 1024 to the next, and names as PostgreSQL has them.
pub fn bytes(number: u64) -> String {
    const UNITS: &[&str] = &["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1024 {
        return format!("{number} bytes");
    }
    let mut size = number as f64;
    let mut unit = "bytes";
    for next in UNITS {
        if size < 1023.95 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    format!("{size:.1} {unit}")
}

/// A duration in at most two units: `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn seconds(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => pair(whole / 60, "min", whole % 60, "s"),
        3_600..86_400 => pair(whole / 3_600, "h", whole % 3_600 / 60, "min"),
        _ => pair(whole / 86_400, "d", whole % 86_400 / 3_600, "h"),
    }
}

/// How long something took, and how much of that it was paused, when that is a second or more: `2 h 10 min, 1 h of it paused`.
pub fn took(ms: f64, paused_ms: f64) -> String {
    match paused_ms {
        paused_ms if paused_ms >= 1_000.0 => format!(
            "{}, {} of it paused",
            seconds(ms / 1_000.0),
            seconds(paused_ms / 1_000.0)
        ),
        _ => seconds(ms / 1_000.0),
    }
}

/// Milliseconds: `0.6 ms`, `12 ms`, then as [`seconds`].
pub fn millis(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() || ms < 0.0 => "unknown".to_owned(),
        ms if ms < 9.95 => format!("{ms:.1} ms"),
        ms if ms < 999.5 => format!("{ms:.0} ms"),
        ms => seconds(ms / 1_000.0),
    }
}

/// The share of `part` in `whole`, `12.3 %`. An estimate can be too low: never above 99.9 % before the end.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.0 %".to_owned();
    }
    let share = part as f64 / whole as f64 * 100.0;
    format!("{:.1} %", share.min(99.9))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(figure(0.254), "0.25");
        assert_eq!(figure(12.34), "12.3");
        assert_eq!(figure(7300.4), "7,300");
        assert_eq!(figure(-3.0), "-3");
        assert_eq!(figure(f64::NAN), "unknown");
        assert_eq!(figure(1e300), "18,446,744,073,709,551,615");
    }

    #[test]
    fn sizes_and_durations_are_readable() {
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 kB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MB");
        assert_eq!(bytes(u64::MAX), "16.0 EB");
        assert_eq!(seconds(0.44), "0.4 s");
        assert_eq!(seconds(59.6), "1 min");
        assert_eq!(seconds(185.0), "3 min 5 s");
        assert_eq!(seconds(7_800.0), "2 h 10 min");
        assert_eq!(seconds(1e12), "11574074 d 1 h");
        assert_eq!(seconds(f64::INFINITY), "unknown");
        assert_eq!(millis(0.61), "0.6 ms");
        assert_eq!(millis(120.2), "120 ms");
        assert_eq!(millis(1500.0), "1.5 s");
    }

    #[test]
    fn nothing_is_complete_before_its_end() {
        assert_eq!(percent(1, 8), "12.5 %");
        assert_eq!(percent(2_000, 1_000), "99.9 %");
        assert_eq!(percent(5, 0), "0.0 %");
    }
}
