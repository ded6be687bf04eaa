//! Which functions give another value for each row.

use std::collections::BTreeSet;
use std::sync::LazyLock;

/// `facts/functions.txt`: what `pg_proc` of PostgreSQL 14 to 18 says; a name with several functions is as volatile as its
/// most volatile one.
static FUNCTIONS: LazyLock<(BTreeSet<&'static str>, BTreeSet<&'static str>)> = LazyLock::new(|| {
    let lines = || {
        include_str!("../../../facts/functions.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
    };
    let of = |mark: &'static str| lines().filter_map(move |line| line.strip_prefix(mark)).collect();
    (of("volatile "), of("other "))
});

/// Functions of extensions that people use in defaults.
const EXTENSIONS_VOLATILE: [&str; 6] = [
    "uuid_generate_v1",
    "uuid_generate_v1mc",
    "uuid_generate_v4",
    "gen_random_bytes",
    "gen_salt",
    "uuid_generate_v7",
];

/// `None` where nobody here knows the function.
pub fn is_volatile(function: &str) -> Option<bool> {
    let (volatile, other) = &*FUNCTIONS;
    if volatile.contains(function) || EXTENSIONS_VOLATILE.contains(&function) {
        Some(true)
    } else if other.contains(function)
        || function.starts_with("current_")
        || function.starts_with("localtime")
    {
        Some(false)
    } else {
        // Constructs of SQL that are no functions.
        matches!(
            function,
            "coalesce" | "nullif" | "greatest" | "least" | "row" | "array"
        )
        .then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::is_volatile;

    #[test]
    fn now_is_the_same_for_all_rows_and_a_random_number_is_not() {
        for function in ["now", "lower", "current_timestamp", "coalesce"] {
            assert_eq!(is_volatile(function), Some(false), "{function}");
        }
        for function in [
            "gen_random_uuid",
            "clock_timestamp",
            "random",
            "nextval",
            "uuid_generate_v4",
        ] {
            assert_eq!(is_volatile(function), Some(true), "{function}");
        }
        assert_eq!(is_volatile("my_own"), None);
    }
}
