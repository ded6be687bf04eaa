//! What a person may have meant: names near to one that does not exist. Pure.

/// Suggestions that are made at once. More are no help.
pub const SUGGESTIONS_MAX: usize = 3;

/// The names that come near to `wanted`, the nearest first, at most [`SUGGESTIONS_MAX`].
///
/// Near is: the same but for case; or one typing error (a character too many, too few or wrong, or two neighbours
/// exchanged) for each three characters that were typed, up to three; or, from four characters on, one contains the
/// other. Where two are as near as each other, the earlier one comes first.
pub fn near<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ranked: Vec<(usize, &str)> = names
        .into_iter()
        .filter_map(|name| Some((remoteness(wanted, name)?, name)))
        .collect();
    ranked.sort_by_key(|(remoteness, _)| *remoteness);
    ranked.truncate(SUGGESTIONS_MAX);
    ranked.into_iter().map(|(_, name)| name).collect()
}

/// How far `name` is from what was typed: 0 for the same, 1 for the same in other case, more for more; none when it is
/// another word.
pub fn remoteness(wanted: &str, name: &str) -> Option<usize> {
    const ERRORS_MAX: usize = 3;
    const CHARS_PER_ERROR: usize = 3;
    const CONTAINED_CHARS_MIN: usize = 4;
    if wanted == name {
        return Some(0);
    }
    let (wanted, name) = (wanted.to_lowercase(), name.to_lowercase());
    let typed = wanted.chars().count();
    let errors_max = (typed / CHARS_PER_ERROR).clamp(1, ERRORS_MAX);
    if let Some(errors) = distance(&wanted, &name, errors_max) {
        // A name of one or two characters is near to every other one of its kind.
        let is_other_word = errors >= typed.max(1);
        return (!is_other_word).then_some(1 + errors);
    }
    let shorter = typed.min(name.chars().count());
    let is_contained = wanted.contains(&name) || name.contains(&wanted);
    (is_contained && shorter >= CONTAINED_CHARS_MIN).then_some(2 + ERRORS_MAX)
}

/// The least number of characters to put in, take out, replace or exchange with their neighbour that makes `b` of `a`
/// (optimal string alignment); none when it is more than `max`. Takes no longer than `a`'s length times `b`'s.
pub fn distance(a: &str, b: &str, max: usize) -> Option<usize> {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > max {
        return None;
    }
    // Three rows of the table are enough: an exchange looks back by two.
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &to) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(from != to);
            let mut least = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            let is_exchanged = i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to;
            if is_exchanged {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        if row.iter().all(|errors| *errors > max) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|errors| *errors <= max)
}

/// `; did you mean a, b or c?`, to stand behind a message; empty without suggestions.
pub fn did_you_mean<T: std::fmt::Display>(names: &[T]) -> String {
    let names: Vec<String> = names.iter().map(T::to_string).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("; did you mean {one}?"),
        [first @ .., last] => format!("; did you mean {} or {last}?", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_typing_errors() {
        for (a, b, errors) in [
            ("", "", 0),
            ("events", "events", 0),
            ("evnts", "events", 1),
            ("eventss", "events", 1),
            ("evemts", "events", 1),
            ("evnets", "events", 1),
            ("mvoe_persons", "move_persons", 1),
            ("ca", "abc", 3),
            ("🐘x", "🐘y", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b, 3), Some(errors), "{a} {b}");
            assert_eq!(distance(b, a, 3), Some(errors), "{b} {a}");
        }
    }

    #[test]
    fn what_is_too_far_is_given_up() {
        assert_eq!(distance("kitten", "sitting", 2), None);
        assert_eq!(distance("a", &"a".repeat(1_000_000), 3), None);
        assert_eq!(distance("abcdef", "uvwxyz", 3), None);
    }

    #[test]
    fn the_nearest_come_first_and_few() {
        let names = ["events_archive", "event", "Events", "vents", "orders", "events2"];
        assert_eq!(near("events", names), ["Events", "event", "vents"]);
        assert_eq!(near("evnts", ["orders", "events", "even"]), ["events"]);
        assert_eq!(near("persons", ["app_persons", "teams"]), ["app_persons"]);
        assert_eq!(near("a", ["b", "c", "ab"]), Vec::<&str>::new());
        assert_eq!(near("A", ["a"]), ["a"]);
        assert_eq!(near("", ["a", "b"]), Vec::<&str>::new());
        assert_eq!(near("x", []), Vec::<&str>::new());
    }

    #[test]
    fn suggestions_read_as_a_question() {
        assert_eq!(did_you_mean::<&str>(&[]), "");
        assert_eq!(did_you_mean(&["a"]), "; did you mean a?");
        assert_eq!(did_you_mean(&["a", "b", "c"]), "; did you mean a, b or c?");
    }
}
