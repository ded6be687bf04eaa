//! The properties that the fuzz targets look at (`fuzz/`), with what proptest thinks of. It has no eyes for the source, as a
//! fuzzer has; but it runs everywhere.

use proptest::prelude::*;

#[path = "../../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub)] // a crate of its own, elsewhere
mod fuzz;

/// Bounds near each other, near the ends, and anywhere.
fn bound() -> impl Strategy<Value = i64> {
    prop_oneof![
        -20i64..20,
        (0i64..5).prop_map(|i| i64::MAX - i),
        (0i64..5).prop_map(|i| i64::MIN + i),
        any::<i64>()
    ]
}

fn bounds() -> impl Strategy<Value = Vec<i64>> {
    proptest::collection::vec(bound(), 0..12)
}

/// Anything, and much of what has a meaning in a constant.
fn texts() -> impl Strategy<Value = Vec<String>> {
    let text = prop_oneof!["\\PC{0,20}", r"['\\E$;(),? -]{0,12}", "[^\\x00]{0,8}"];
    proptest::collection::vec(text, 1..4)
}

proptest! {
    #[test]
    fn keys_get_into_statements_as_they_are(from in texts(), to in texts()) {
        fuzz::key_encoding(&from, &to);
    }

    #[test]
    fn lint_judges_any_text(text in prop_oneof!["\\PC{0,80}", "(alter table t |add |column |create |index |;|begin|commit|\\(|'|--){0,20}"]) {
        fuzz::lint(&text);
    }

    #[test]
    fn every_key_is_in_one_chunk(cuts in bounds(), ends in bounds(), keys in bounds()) {
        fuzz::range_arithmetic(&cuts, &ends, &keys);
    }

    #[test]
    fn a_connection_string_is_understood_or_refused(
        text in prop_oneof![
            "\\PC{0,60}",
            r"(postgres://)?[a-c:@/,?=&%0-9\[\]]{0,40}",
            r"((host|port|dbname|user|password|options|sslmode|service|hostaddr)=[a-c0-9'\\,/:%\] ]{0,10} ?){1,4}",
        ]
    ) {
        fuzz::connection_string(&text);
    }

    #[test]
    fn a_migration_file_is_understood_or_refused(
        text in prop_oneof![
            "\\PC{0,80}",
            r#"(-- corridor migration\n)(-- description = "x"\n)?(-- (operation|roll back|timeout|irreversible|done when): a[ b]?\n|select (:p|'|\$\$|1);\n|-- [a-z]{1,9}:? a\n|\n){0,8}"#,
            r#"(description = "x"\n)?(name = "[a-z]{1,3}"\n|versions = "[<>=1-3., ]{1,9}"\n|parameters\.p\.type = "text"\n|parameters\.p\.default = [1-9]\n){0,3}(\[\[operations\]\]\nkind = "(sql|check|backfill)"\n(name = "[a-z]"\n|statement = '(select :p|[:a-z' ]{0,9})'\n|query = "select :(p|range)"\n|rollback = ""\n){0,4}){0,3}"#,
        ]
    ) {
        fuzz::migration_file(&text);
    }

    #[test]
    fn a_value_gets_into_a_statement_as_one_constant(
        pieces in proptest::collection::vec(
            prop_oneof![
                1 => Just(":each".to_owned()),
                3 => r"(select|E|U&|'|''|\x22|\$\$|\$t\$|--|\n|/\*|\*/|\\|\(|\[|\]|:|::|,|1| |'a'|E'b')"
            ],
            0..20
        ),
        values in texts(),
    ) {
        fuzz::placeholders(&pieces.concat(), &values[0]);
    }
}
