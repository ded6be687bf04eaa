//! Placeholders: `:name`, `:each` and `:range` in statements, and what is put in their place.
//!
//! # Why a value never becomes SQL
//!
//! A parameter's value gets into a statement only as `('…'::type)`: a literal that [`Literal`] quotes, with its type, in
//! brackets. The brackets keep it apart from what stands beside it: without them a constant on the line above would go on
//! in it, `U&` before it would read it otherwise, and `[1]` behind it would make an array of its type. So whatever the
//! value, the statement has the same pieces in the same order, and only the text of one constant differs.
//!
//! What was put in is never looked at again: [`bind`] and [`fill`] each read the statement once, and the second sees the
//! first one's values as constants.

pub mod lexer;

use std::collections::BTreeMap;

use corridor_pg::{Fault, Literal, Result};

use self::lexer::{Kind, tokens};
use super::fault::{PARAMETER_MISSING, PARAMETER_UNFIT, PARAMETER_UNKNOWN};
use super::problem::suggestion;
use super::{Definition, Parameter, ParameterType, text};

/// The value of a `for_each` query that a backfill is at.
pub const EACH: &str = "each";

/// The range of keys that a backfill is at.
pub const RANGE: &str = "range";

/// Puts the parameters into all statements: what is given, else the default. `:each` and `:range` stay.
///
/// The result is what a plan freezes. Its parameters have the values as defaults, so that it says with what it was
/// started, and binding it again changes nothing.
pub fn bind(definition: &Definition, given: &BTreeMap<String, String>) -> Result<Definition> {
    let values = values(definition, given)?;
    let literals: BTreeMap<&str, String> = definition
        .parameters
        .iter()
        .filter_map(|(name, parameter)| Some((name.as_str(), literal(parameter.kind, values.get(name)?))))
        .collect();
    let mut bound = definition.clone();
    text::for_each_mut(&mut bound, &mut |_, sql| {
        *sql = replace(sql, |name| literals.get(name).map(String::as_str));
    });
    for (name, parameter) in &mut bound.parameters {
        parameter.default = values.get(name).cloned();
    }
    Ok(bound)
}

/// The value of every parameter: what is given, else the default; checked.
pub fn values(definition: &Definition, given: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>> {
    let parameters = &definition.parameters;
    if let Some(name) = given.keys().find(|name| !parameters.contains_key(*name)) {
        let detail = match parameters.len() {
            0 => format!("{name:?}; it has no parameters"),
            _ => format!(
                "{name:?}{}",
                suggestion(name, parameters.keys().map(String::as_str))
            ),
        };
        return Err(Fault::new(&PARAMETER_UNKNOWN, detail));
    }
    let value = |(name, parameter): (&String, &Parameter)| {
        let value = given.get(name).or(parameter.default.as_ref()).ok_or_else(|| {
            let meaning = match parameter.description.as_str() {
                "" => String::new(),
                text => format!(": {text}"),
            };
            Fault::new(
                &PARAMETER_MISSING,
                format!("`{name}` ({}){meaning}", parameter.kind.sql()),
            )
        })?;
        fits(parameter.kind, value)
            .map_err(|wanted| Fault::new(&PARAMETER_UNFIT, format!("{name} = {value:?}; {wanted}")))?;
        Ok((name.clone(), value.clone()))
    };
    parameters.iter().map(value).collect()
}

/// Puts `each` and `range`, SQL both, in the place of `:each` and `:range`; what is not given stays.
pub fn fill(sql: &str, each: Option<&str>, range: Option<&str>) -> String {
    let each = each.map(|sql| format!("({sql})"));
    let range = range.map(|sql| format!("({sql})"));
    replace(sql, |name| match name {
        EACH => each.as_deref(),
        RANGE => range.as_deref(),
        _ => None,
    })
}

/// A value as SQL: `('5'::bigint)`. The value must fit; see [`fits`].
pub fn literal(kind: ParameterType, value: &str) -> String {
    let value = match kind {
        ParameterType::Text => value,
        _ => value.trim(),
    };
    format!("({}::{})", Literal(value), kind.sql())
}

/// Looks whether the server could read `value` as a parameter of this type; says what fits, when not.
///
/// For `timestamp` only the shape is looked at, because the server's calendar is the server's.
pub fn fits(kind: ParameterType, value: &str) -> std::result::Result<(), &'static str> {
    const BYTES_MAX: usize = 1 << 20;
    if value.contains('\0') || value.len() > BYTES_MAX {
        return Err("at most 1 MiB of text without a NUL character");
    }
    let plain = value.trim();
    let (does_fit, wanted) = match kind {
        ParameterType::Text => (true, ""),
        ParameterType::Integer => (
            plain.parse::<i64>().is_ok(),
            "a whole number from -9223372036854775808 to 9223372036854775807",
        ),
        ParameterType::Numeric => (is_numeric(plain), "a number, for example `-1.5` or `2e3`"),
        ParameterType::Boolean => (
            ["true", "false", "on", "off", "yes", "no", "1", "0", "t", "f"]
                .iter()
                .any(|word| plain.eq_ignore_ascii_case(word)),
            "`true` or `false`",
        ),
        ParameterType::Timestamp => (
            is_timestamp(plain),
            "a time such as `2026-11-20`, `2026-11-20 19:30` or `2026-11-20T19:30:00+00`",
        ),
        ParameterType::Json => (serde_json::from_str::<serde_json::Value>(plain).is_ok(), "JSON"),
    };
    if does_fit { Ok(()) } else { Err(wanted) }
}

fn is_numeric(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_mantissa = is_digits(whole) && is_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let is_exponent = exponent.is_none_or(|text| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        // The server's `numeric` ends at 131,072 digits.
        !digits.is_empty() && digits.len() <= 5 && is_digits(digits)
    });
    is_mantissa && is_exponent
}

fn is_timestamp(text: &str) -> bool {
    // `0000-00-00`, and perhaps ` 00:00` or `T00:00`, with whatever exactness and zone behind it.
    let fits = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(c, wanted)| match wanted {
                b'0' => c.is_ascii_digit(),
                _ => c == wanted,
            })
    };
    let Some((date, time)) = text.split_at_checked(10) else {
        return false;
    };
    if !fits(date, "0000-00-00") {
        return false;
    }
    let Some(time) = time.strip_prefix([' ', 'T', 't']) else {
        return time.is_empty();
    };
    time.split_at_checked(5).is_some_and(|(clock, zone)| {
        let is_zone =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '+' | '-' | ' ' | '/' | '_');
        fits(clock, "00:00") && zone.len() <= 50 && zone.chars().all(is_zone)
    })
}

fn replace<'a>(sql: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(sql.len());
    for token in tokens(sql) {
        let value = match token.kind {
            Kind::Placeholder(name) => value(name),
            _ => None,
        };
        out.push_str(value.unwrap_or(token.text));
    }
    out
}

#[cfg(test)]
mod tests;
