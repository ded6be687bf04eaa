//! Values as people type them, checked, and brought into the form that is stored.

use corridor_pg::{Fault, Result};

use super::{DEFINITIONS, Definition, Kind, Unit};
use crate::fault::{BAD_SETTING, NO_SUCH_SETTING};

/// The definition of `key`, or `MIG-011` with the closest key.
pub fn definition(key: &str) -> Result<&'static Definition> {
    DEFINITIONS.iter().find(|d| d.key == key).ok_or_else(|| {
        let detail = match closest(key) {
            Some(near) => format!("{key:?}; did you mean `{near}`?"),
            None => format!("{key:?}"),
        };
        Fault::new(&NO_SUCH_SETTING, detail)
    })
}

/// Checks `value` and returns it in the form that is stored: a plain number in the setting's own unit.
pub fn normalise(key: &str, value: &str) -> Result<String> {
    let definition = definition(key)?;
    let value = value.trim();
    let refuse = |wanted: String| Fault::new(&BAD_SETTING, format!("{key} = {value:?}; {wanted}"));
    match definition.kind {
        Kind::Whole { min, max, unit } => {
            let wanted = || {
                format!("a whole number from {min} to {max} {}", unit.as_str())
                    .trim_end()
                    .to_owned()
            };
            let figure = figure(value, unit).ok_or_else(|| refuse(wanted()))?;
            if figure.fract() != 0.0 || figure < min as f64 || figure > max as f64 {
                return Err(refuse(wanted()));
            }
            Ok(figure.to_string())
        }
        Kind::Figure { min, max, unit } => match figure(value, unit) {
            Some(figure) if (min..=max).contains(&figure) => Ok(figure.to_string()),
            _ => Err(refuse(format!("a number from {min} to {max}"))),
        },
        Kind::Limit { unit } => match figure(value, unit) {
            _ if value.eq_ignore_ascii_case("off") => Ok("off".into()),
            Some(figure) if figure >= 0.0 => Ok(figure.to_string()),
            _ => Err(refuse(format!("a number from 0 {} or `off`", unit.as_str()))),
        },
        Kind::Auto { min, max } => match figure(value, Unit::Number) {
            _ if value.eq_ignore_ascii_case("auto") => Ok("auto".into()),
            Some(figure) if (min..=max).contains(&figure) => Ok(figure.to_string()),
            _ => Err(refuse(format!("a number from {min} to {max} or `auto`"))),
        },
        Kind::Switch => match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok("on".into()),
            "off" | "false" | "no" | "0" => Ok("off".into()),
            _ => Err(refuse("`on` or `off`".into())),
        },
        Kind::Query if value.len() <= 10_000 && !value.contains('\0') => {
            Ok(value.trim_end_matches([';', ' ', '\n', '\t', '\r']).to_owned())
        }
        Kind::Query => Err(refuse("at most 10,000 bytes".into())),
    }
}

/// A number with an optional unit, in `unit`. `None` when it cannot be read or is not finite.
fn figure(text: &str, unit: Unit) -> Option<f64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_')))
        .unwrap_or(text.len());
    let number: f64 = text[..end].replace('_', "").parse().ok()?;
    let suffix = text[end..].trim().to_ascii_lowercase();
    let factor = match (unit, suffix.as_str()) {
        (_, "") => 1.0,
        (Unit::Ms, suffix) => time_ms(suffix)?,
        (Unit::Seconds, suffix) => time_ms(suffix)? / 1_000.0,
        (Unit::Bytes | Unit::BytesPerSecond, suffix) => match suffix.trim_end_matches("/s") {
            "b" | "bytes" => 1.0,
            "kb" | "kib" => 1024.0,
            "mb" | "mib" => 1024.0 * 1024.0,
            "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
            "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
            _ => return None,
        },
        (Unit::Number, _) => return None,
    };
    let figure = number * factor;
    figure.is_finite().then_some(figure)
}

/// A time with its unit, in milliseconds: `500ms`, `5s`, `30min`, `2h`. `None` when it cannot be read or has no unit.
pub(crate) fn time_with_unit_ms(text: &str) -> Option<f64> {
    let text = text.trim();
    let has_unit = text.ends_with(|c: char| c.is_ascii_alphabetic());
    has_unit.then(|| figure(text, Unit::Ms))?
}

fn time_ms(suffix: &str) -> Option<f64> {
    match suffix {
        "ms" => Some(1.0),
        "s" => Some(1_000.0),
        "min" => Some(60_000.0),
        "h" => Some(3_600_000.0),
        _ => None,
    }
}

/// The key that is closest to `key`, when it is close enough to be meant.
fn closest(key: &str) -> Option<&'static str> {
    let near = DEFINITIONS
        .iter()
        .map(|d| {
            // `replica_lag_ms` is likely to mean `throttle.replica_lag_ms`.
            let tail = d.key.rsplit_once("throttle.").map_or(d.key, |(_, tail)| tail);
            (distance(key, d.key).min(distance(key, tail)), d.key)
        })
        .min()?;
    (near.0 <= key.len().max(3) / 3 + 1).then_some(near.1)
}

/// Levenshtein's distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
