//! Codecs that do not fit the type or each other.

use super::super::case::{Case, Words, measured};
use super::super::column_type::{is_fixed_size, is_float};
use super::super::state::type_text;
use super::super::statement::{Column, Kind, What};
use crate::finding::Finding;

rule! {
    "LNT-316" "codec" Hazard Error
    "a codec does not fit the type, or the chain of codecs does not compress"
    "A transformation that fits the type first, one general codec (LZ4, ZSTD) last."
    r#"**Symptom.** `Codec Delta is not applicable for String`, `does not compress anything`, or `meaningless`: the statement is refused.

**Why.** Measured on ClickHouse 26.9. Delta alone only transforms. Delta, DoubleDelta, Gorilla, FPC and T64 need values of a fixed size; Gorilla and FPC
need floating-point numbers. Behind a general codec nothing finds a pattern any more, and a second general one finds nothing to compress. All but the
first of these can be forced by `allow_suspicious_codecs`, and are waste then.

**Safe way.** `CODEC(Delta, ZSTD)` for numbers and times that grow, `CODEC(Gorilla, ZSTD)` for measurements, `CODEC(ZSTD(3))` for texts.

```sql
alter table hits modify column url String codec(Delta, ZSTD);
```

Not found:

```sql
alter table hits modify column url String codec(ZSTD(3)), modify column at DateTime codec(Delta, ZSTD);
```"#
}

const GENERAL: &[&str] = &["LZ4", "LZ4HC", "ZSTD", "DEFLATE_QPL", "ZSTD_QAT"];
const OF_FIXED_SIZE: &[&str] = &["DELTA", "DOUBLEDELTA", "GORILLA", "FPC", "T64", "GCD"];

pub(crate) fn check(case: &Case<'_, '_>, out: &mut Vec<Finding>) {
    match &case.statement().kind {
        Kind::Create(create) => create
            .columns
            .iter()
            .for_each(|column| judge(case, column, None, out)),
        Kind::Alter(alter) => {
            for action in &alter.actions {
                if let What::AddColumn { column, .. } | What::ModifyColumn { column } = &action.what {
                    let known = case
                        .table(&alter.table)
                        .and_then(|t| t.columns.get(&column.name))
                        .cloned();
                    judge(case, column, known, out);
                }
            }
        }
        _ => {}
    }
}

fn judge(case: &Case<'_, '_>, column: &Column, known: Option<String>, out: &mut Vec<Finding>) {
    let Some((inside, span)) = &column.codec else {
        return;
    };
    let chain: Vec<String> = case
        .script
        .cursor(*inside)
        .list()
        .into_iter()
        .map(|part| case.script.cursor(part).keyword())
        .collect();
    let data_type = if column.data_type.is_some() {
        Some(type_text(case.script, column))
    } else {
        known
    };
    let is_suspicious_allowed = case.is_on("allow_suspicious_codecs");
    let fixed = data_type.as_deref().and_then(is_fixed_size);
    let float = data_type.as_deref().and_then(is_float);
    let of_type = data_type.as_deref().unwrap_or_default();
    let general = chain.iter().position(|codec| GENERAL.contains(&codec.as_str()));
    let mut problem = None;
    for codec in &chain {
        if OF_FIXED_SIZE.contains(&codec.as_str()) && fixed == Some(false) {
            problem = Some(format!(
                "{codec} is for values of a fixed size, and {} is {of_type}",
                column.name
            ));
        }
        let is_for_floats = matches!(codec.as_str(), "GORILLA" | "FPC") && float == Some(false);
        if is_for_floats && !is_suspicious_allowed && problem.is_none() {
            problem = Some(format!(
                "{codec} is for floating-point numbers, and {} is {of_type}",
                column.name
            ));
        }
    }
    if problem.is_none() && !is_suspicious_allowed {
        problem = match general {
            Some(at) if at + 1 < chain.len() => Some(format!(
                "{} of {} comes behind {}, which leaves it nothing to find",
                chain[at + 1],
                column.name,
                chain[at]
            )),
            None if chain.last().is_some_and(|last| last == "DELTA") => {
                Some(format!("Delta of {} alone does not compress", column.name))
            }
            _ => None,
        };
    }
    let Some(what) = problem else { return };
    let mut finding = case.finding(
        &RULE,
        span.clone(),
        Words {
            what,
            why: "The server refuses such a chain, or keeps one that costs time and saves nothing.",
            safe_way: "Transformations that fit the type first, one general codec last.".into(),
        },
    );
    finding.evidence.push(measured("codec", "refused"));
    out.push(finding);
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::{fires, fires_with, silent};
    use super::RULE;

    #[test]
    fn cases() {
        fires(
            &RULE,
            &[
                "create table t (a UInt8 codec(Delta)) engine=Memory",
                "create table t (a LowCardinality(String) codec(Delta, LZ4)) engine=Memory",
                "create table t (a Array(String) codec(Delta, LZ4)) engine=Memory",
                "create table t (a Map(String, UInt8) codec(Delta, LZ4)) engine=Memory",
                "create table t (a UInt8 codec(ZSTD, Delta)) engine=Memory",
                "create table t (a UInt8 codec(LZ4, ZSTD)) engine=Memory",
                "alter table t add column a UInt8 codec(Gorilla, LZ4)",
                "alter table t add column a String codec(T64, LZ4)",
            ],
        );
        fires_with(
            &RULE,
            "[[table]]\nname='t'\ncolumns={a='String'}",
            &["alter table t modify column a codec(Delta, LZ4)"],
        );
        silent(
            &RULE,
            &[
                "create table t (a UInt8 codec(Delta(4), ZSTD(1)), b String codec(NONE), c Float64 codec(FPC)) engine=Memory",
                "create table t (a UInt64 codec(DoubleDelta), b UInt32 codec(T64), c Array(UInt32) codec(Delta, ZSTD)) engine=Memory",
                "alter table t modify column a codec(Delta, LZ4)",
                "set allow_suspicious_codecs = 1; create table t (a UInt8 codec(Delta)) engine=Memory",
            ],
        );
    }
}
