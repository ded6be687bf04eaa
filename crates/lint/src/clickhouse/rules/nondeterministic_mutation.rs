//! A mutation that each replica computes differently.

use super::super::case::{Case, Words};
use super::super::statement::{Kind, Mutation, What};
use crate::finding::{Finding, Severity};

rule! {
    "LNT-317" "nondeterministic-mutation" Hazard Warning
    "a mutation gives another result on each replica"
    "Write the value into the statement, or fill the column by INSERT … SELECT on one replica."
    r#"**Symptom.** The mutation is refused, with a word about `allow_nondeterministic_mutations`; or, where that is on, replicas hold different values, and a
later merge fetches parts from one another without end.

**Why.** Each replica of a table carries a mutation out by itself. `now()`, `rand()`, `generateUUIDv4()`, a dictionary, or a query over another table give
each of them something else.

**Safe way.** A literal that was computed once; or rows written anew by INSERT … SELECT, which replicates its result. Tables that are known not to be
replicated are not spoken of.

```sql
alter table hits update seen_at = now() in partition 202601 where id = 1;
```

Not found:

```sql
alter table hits update seen_at = '2026-11-30 12:00:00' in partition 202601 where id = 1;
```"#
}

/// Lower case. From the server's own list of functions that are not deterministic, with those that ask other tables.
const FUNCTIONS: &[&str] = &[
    "now",
    "now64",
    "nowinblock",
    "today",
    "yesterday",
    "current_timestamp",
    "utctimestamp",
    "rand",
    "rand32",
    "rand64",
    "randcanonical",
    "randuniform",
    "randnormal",
    "randomstring",
    "randomfixedstring",
    "randomprintableascii",
    "fuzzbits",
    "generateuuidv4",
    "generateuuidv7",
    "generateulid",
    "generatesnowflakeid",
    "hostname",
    "fqdn",
    "servertimezone",
    "uptime",
    "rownumberinblock",
    "rownumberinallblocks",
    "blocknumber",
    "runningdifference",
    "neighbor",
    "dictget",
    "dictgetordefault",
    "dictgetornull",
    "dicthas",
    "joinget",
    "joingetornull",
    "getmacro",
    "currentuser",
    "currentdatabase",
    "getserverport",
];

fn culprit(case: &Case<'_, '_>, mutation: &Mutation) -> Option<String> {
    let tokens = case.script.tokens(mutation.expressions);
    tokens.iter().enumerate().find_map(|(at, token)| {
        let word = case.script.slice(*token);
        let is_call = tokens
            .get(at + 1)
            .is_some_and(|next| case.script.slice(*next) == "(");
        let lower = word.to_ascii_lowercase();
        if is_call && FUNCTIONS.contains(&lower.as_str()) {
            return Some(format!("{word}()"));
        }
        (token.kind == super::super::token::TokenKind::Word && lower == "select")
            .then(|| "a query over another table".to_owned())
    })
}

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    let mutations: Vec<&Mutation> = match &case.statement().kind {
        Kind::Alter(alter) => alter
            .actions
            .iter()
            .filter_map(|action| match &action.what {
                What::Update(mutation) | What::Delete(mutation) => Some(mutation),
                _ => None,
            })
            .collect(),
        Kind::LightDelete(mutation) | Kind::LightUpdate(mutation) => vec![mutation],
        _ => return,
    };
    for mutation in mutations {
        let is_replicated = case.table(&mutation.table).and_then(|t| t.is_replicated());
        let Some(culprit) = culprit(case, mutation).filter(|_| is_replicated != Some(false)) else {
            continue;
        };
        let is_allowed = case.is_on("allow_nondeterministic_mutations");
        let what = match (is_replicated, is_allowed) {
            (_, true) => format!(
                "{culprit} in a mutation of {}: allowed here, and different on each replica",
                mutation.table
            ),
            (Some(_), false) => format!(
                "{culprit} in a mutation of {}, which is replicated: the server refuses it",
                mutation.table
            ),
            (None, false) => format!(
                "{culprit} in a mutation of {}: refused, or different on each replica, if it is replicated",
                mutation.table
            ),
        };
        let mut finding = case.finding(
            &RULE,
            case.script.span(mutation.expressions),
            Words {
                what,
                why: "Each replica computes a mutation by itself.",
                safe_way: "A literal that was computed once, or INSERT … SELECT into a new table.".into(),
            },
        );
        match is_replicated {
            Some(_) => finding.severity = Severity::Error,
            None => finding
                .unknown
                .push(format!("whether {} is replicated", mutation.table)),
        }
        out.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent, silent_with};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "alter table t update a = generateUUIDv4() where 1",
                "alter table t delete where id in (select id from gone)",
                "delete from t where at < today() - 30",
                "alter table t update a = dictGet('d', 'x', id) where 1 settings allow_nondeterministic_mutations = 1",
            ],
        );
        fires_with(
            &RULE,
            "[[table]]\nname='t'\nengine='ReplicatedMergeTree'",
            &["alter table t update a = rand() where 1"],
        );
        silent(
            &RULE,
            &[
                "alter table t update a = toDate('2026-01-01') where now = 1",
                "alter table t delete where id in (1, 2)",
                "create table t (a Int8) engine=MergeTree order by a; alter table t update a = rand() where 1",
                "alter table t add column a DateTime default now()",
            ],
        );
        silent_with(
            &RULE,
            "[[table]]\nname='t'\nengine='MergeTree'",
            &["alter table t update a = rand() where 1"],
        );
    }
}
