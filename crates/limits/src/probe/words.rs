//! Figures in words, for headlines and facts.

/// `1234567.4` as `1,234,567`.
pub fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 && digits != "0" {
        text.insert(0, '-');
    }
    text
}

/// Bytes with 1024 to the next unit: `1.5 GB`.
pub fn bytes(number: f64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    let (mut value, mut unit) = (number.max(0.0), 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {}", UNITS[unit])
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A share of 1: `12.5 %`.
pub fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    match percent {
        p if p != 0.0 && p.abs() < 0.1 => format!("{p:.3} %"),
        p if p > 99.9 && p < 100.0 => "99.9 %".to_owned(),
        p => format!("{p:.1} %"),
    }
}

/// Seconds as the two largest units that matter: `3 d 4 h`, `12 min`, `0.4 s`.
pub fn seconds(seconds: f64) -> String {
    let s = seconds.max(0.0);
    match s {
        s if s < 1.0 => format!("{:.0} ms", s * 1_000.0),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3_600.0),
        s if s < 730.0 * 86_400.0 => format!("{} days", grouped(s / 86_400.0)),
        s => format!("{} years", grouped(s / 86_400.0 / 365.25)),
    }
}

/// `schema.name`, each quoted where it must be, as commands need it.
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", identifier(schema), identifier(name))
}

/// A word for a shell, in quotes: a table may be called `o'brien`, or worse.
pub fn shell_word(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// `public.orders.id` of a table's name that is quoted already.
pub fn qualified_column(table: &str, column: &str) -> String {
    format!("{table}.{}", identifier(column))
}

/// A text as a literal of SQL: `'it''s'`.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', r"\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A name, quoted where it must be. What cannot be a name (the catalogue has none such) stays as it is.
pub fn identifier(name: &str) -> String {
    corridor_pg::Ident::new(name).map_or_else(|_| name.to_owned(), |ident| ident.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_said_as_people_say_them() {
        assert_eq!(grouped(1_234_567.4), "1,234,567");
        assert_eq!(grouped(-1_000.0), "-1,000");
        assert_eq!(grouped(-0.2), "0");
        assert_eq!(bytes(512.0), "512 bytes");
        assert_eq!(bytes(1_610_612_736.0), "1.5 GB");
        assert_eq!(percent(0.125), "12.5 %");
        assert_eq!(percent(0.000_05), "0.005 %");
        assert_eq!(percent(0.99999), "99.9 %");
        assert_eq!(seconds(0.25), "250 ms");
        assert_eq!(seconds(86_400.0 * 3.0), "3 days");
        assert_eq!(qualified("public", "Old One"), "public.\"Old One\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"a\b"), r"E'a\\b'");
    }
}
