//! A statement that cannot be judged.


rule! {
    "LNT-090" "not-evaluated" Hazard Notice
    "a statement that cannot be judged"
    "Look at it yourself, and write down that you did."
    "What a `do` block or a procedure executes, and what the parser cannot read, is not known from the text. It is named, so that silence means that a statement was judged.\n\n**The safe way.** Look at it yourself; `-- corridor: allow LNT-090 because …` says that you did.\n\nIt fires on:\n\n```sql\ndo $$ begin alter table t add column x int; end $$;\n```\n\nLocks, rewrites and scans are measured on PostgreSQL 14 to 18 (`crates/lint/facts/facts.tsv`)."
}

#[cfg(test)]
mod tests {
    use super::RULE;
    use crate::rules::trial::{fires, passes};

    #[test]
    fn it_fires() {
        fires(&RULE, &[
            "do $$ begin end $$",
            "call p()",
            "alter tabel t add x int",
            "\\i other.sql",
            "/* oops",
        ]);
    }

    #[test]
    fn near_misses_pass() {
        passes(&RULE, &[
            "select 1",
            "\\set ON_ERROR_STOP on\nselect 1",
        ]);
    }
}
