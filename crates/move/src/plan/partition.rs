//! Partition columns and the partitions that they make.

use corridor_pg::catalog::{Column, Table};
use corridor_pg::ident::join;
use corridor_pg::{Fault, Literal, Oid, QualifiedName, Result};

use super::{Partition, PlanInput};
use crate::carry::Carried;
use crate::fault;
use crate::preflight::{Bound, Spread};
use crate::shape::{Every, PARTITIONS_MAX, Shape, TimeUnit};

/// A type that range partitions can be cut in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RangeType {
    /// smallint, integer, bigint.
    Integer {
        /// The type's lowest value.
        min: i64,
        /// The type's highest value.
        max: i64,
    },
    /// numeric
    Numeric,
    /// date
    Date,
    /// timestamp
    Timestamp,
    /// timestamptz
    TimestampTz,
}

/// How the column's type can be cut into ranges, if it can.
pub fn range_type(column: &Column) -> Option<RangeType> {
    let integer = |min, max| RangeType::Integer { min, max };
    // The ids of PostgreSQL's own types never change.
    match column.base_type_oid {
        Oid(21) => Some(integer(i64::from(i16::MIN), i64::from(i16::MAX))),
        Oid(23) => Some(integer(i64::from(i32::MIN), i64::from(i32::MAX))),
        Oid(20) => Some(integer(i64::MIN, i64::MAX)),
        Oid(1700) => Some(RangeType::Numeric),
        Oid(1082) => Some(RangeType::Date),
        Oid(1114) => Some(RangeType::Timestamp),
        Oid(1184) => Some(RangeType::TimestampTz),
        _ => None,
    }
}

/// Fails when a partition column is missing (`MOV-002`) or cannot be one (`MOV-003`).
pub fn check_columns(table: &Table, shape: &Shape) -> Result<()> {
    for name in shape.columns() {
        let Some(column) = table.column(name) else {
            let all = join(table.columns.iter().map(|c| &c.name), ", ");
            return Err(Fault::new(
                &fault::NO_SUCH_COLUMN,
                format!("{} has no column {name}; it has {all}", table.name),
            ));
        };
        if let Some(why) = why_not_column(column, shape) {
            return Err(Fault::new(
                &fault::BAD_PARTITION_COLUMN,
                format!("{name} ({}): {why}", column.type_sql),
            ));
        }
    }
    Ok(())
}

fn why_not_column(column: &Column, shape: &Shape) -> Option<String> {
    if column.is_generated() {
        return Some("it is generated".into());
    }
    match shape {
        Shape::Same | Shape::Plain | Shape::Wanted(_) => None,
        Shape::Hash { .. } => (!column.is_hashable).then(|| "its type has no hash operator class".into()),
        Shape::List { .. } => (!column.has_btree_order).then(|| "its type has no order".into()),
        Shape::Range { every, .. } => match (range_type(column), every) {
            (None, _) => Some("not an integer, numeric, date, timestamp or timestamptz".into()),
            (Some(RangeType::Integer { .. } | RangeType::Numeric), Every::Number(_)) => None,
            (Some(RangeType::Integer { .. } | RangeType::Numeric), every) => {
                Some(format!("--every {every} is no number"))
            }
            (Some(_), Every::Number(n)) => Some(format!("--every {n} has no unit")),
            (
                Some(RangeType::Date),
                Every::Time {
                    unit: TimeUnit::Hour, ..
                },
            ) => Some("a date has no hours".into()),
            (Some(_), Every::Time { .. }) => None,
        },
    }
}

/// The ends of the partitions' names, and what stands after `partition of`.
pub(super) fn layout(input: &PlanInput) -> Vec<(String, String)> {
    let mut layout: Vec<(String, String)> = match (&input.shape, &input.spread) {
        (Shape::Hash { partitions, .. }, _) => (0..*partitions)
            .map(|i| {
                (
                    format!("p{i}"),
                    format!("for values with (modulus {partitions}, remainder {i})"),
                )
            })
            .collect(),
        (Shape::Range { .. }, Spread::Range { bounds, .. }) => bounds.iter().map(range_partition).collect(),
        (Shape::List { .. }, Spread::List { values }) => values
            .iter()
            .map(|value| (value_suffix(value), format!("for values in ({})", Literal(value))))
            .collect(),
        _ => Vec::new(),
    };
    if input.shape.has_default_partition() {
        layout.push(("default".into(), "default".into()));
    }
    layout
}

fn range_partition(bound: &Bound) -> (String, String) {
    let end = |text: &Option<String>, open: &str| match text {
        Some(text) => Literal(text).to_string(),
        None => open.to_owned(),
    };
    let (lower, upper) = (end(&bound.lower, "minvalue"), end(&bound.upper, "maxvalue"));
    (
        bound.suffix.clone(),
        format!("for values from ({lower}) to ({upper})"),
    )
}

/// `p_` and the letters and digits of the value; names that meet get a number.
fn value_suffix(value: &str) -> String {
    const LETTERS_MAX: usize = 20;
    let plain: String = value
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '_' })
        .take(LETTERS_MAX)
        .collect();
    format!("p_{plain}")
}

/// The partitions with their names.
pub(super) fn partitions(names: &[QualifiedName], layout: &[(String, String)]) -> Vec<Partition> {
    names
        .iter()
        .zip(layout)
        .map(|(name, (_, bounds))| Partition {
            name: name.clone(),
            made_as: None,
            bounds: bounds.clone(),
        })
        .collect()
}

/// Refuses what the rows or the server cannot bear, and warns of what a person should know of the shape.
pub(super) fn judge(input: &PlanInput, out: &mut Carried) {
    let shape = &input.shape;
    if !shape.is_partitioned() {
        return;
    }
    judge_count(input, out);
    judge_nulls(input, out);
    if !input.offending.unfit_keys.is_empty() && !shape.has_default_partition() {
        let keys = input.offending.unfit_keys.join(", ");
        out.refuse(
            &fault::ROW_FITS_NO_PARTITION,
            format!("infinite values, the first keys: {keys}"),
        );
    }
    if let Spread::Unknown { why } = &input.spread {
        out.refuse(&fault::BOUNDARIES_UNKNOWN, why.clone());
    }
    let columns = join(shape.columns(), ", ");
    let count = layout(input).len();
    out.warnings.push(format!(
        "a query that does not say {columns} looks into all {count} partitions"
    ));
    match (shape, &input.spread) {
        (Shape::Range { has_default_partition: false, column, .. }, Spread::Range { bounds, .. }) => {
            let lower = bounds.first().and_then(|b| b.lower.as_deref()).unwrap_or("-infinity");
            let upper = bounds.last().and_then(|b| b.upper.as_deref()).unwrap_or("infinity");
            out.warnings.push(format!(
                "rows with {column} below {lower} or from {upper} on will be refused: make further partitions in time, \
                 or use --default-partition"
            ));
        }
        (Shape::List { has_default_partition: false, column, .. }, Spread::List { .. }) => out.warnings.push(format!(
            "rows with a value of {column} that is not there today will be refused: make a partition for each new \
             value in time, or use --default-partition"
        )),
        _ => {}
    }
}

fn judge_count(input: &PlanInput, out: &mut Carried) {
    let count = layout(input).len() as i64;
    if count == 0 && !matches!(input.spread, Spread::Unknown { .. }) {
        out.refuse(
            &fault::ROW_FITS_NO_PARTITION,
            "the table holds no values to make list partitions of; use --default-partition",
        );
    }
    if count > i64::from(PARTITIONS_MAX) {
        let between = match &input.spread {
            Spread::Range { lowest, highest, .. } => {
                let shown = |v: &Option<String>| v.clone().unwrap_or_else(|| "nothing".into());
                format!(", for values from {} to {}", shown(lowest), shown(highest))
            }
            _ => String::new(),
        };
        out.refuse(
            &fault::TOO_MANY_PARTITIONS,
            format!("more than {PARTITIONS_MAX}{between}"),
        );
        return;
    }
    // Making or dropping the table locks each partition, its TOAST table with index, and its indexes.
    const TABLE_AND_TOAST: i64 = 3;
    let locks = count * (TABLE_AND_TOAST + input.table.indexes.len() as i64);
    if locks > input.facts.lock_slots {
        out.refuse(
            &fault::TOO_MANY_PARTITIONS,
            format!(
                "{count} partitions need {locks} locks in one transaction, the server has {} \
                 (max_locks_per_transaction x max_connections)",
                input.facts.lock_slots
            ),
        );
    }
}

/// Nulls fit into hash partitions and into a default one; not into a primary key, nor into the mirror's key.
fn judge_nulls(input: &PlanInput, out: &mut Carried) {
    let table = &input.table;
    let is_hash = matches!(input.shape, Shape::Hash { .. });
    for name in input.shape.columns() {
        let Some(column) = table.column(name).filter(|c| !c.is_not_null) else {
            continue;
        };
        let key = super::choose_key(table).ok();
        let is_widened = |index: &&corridor_pg::catalog::Index| {
            (index.is_primary || Some(index.oid) == key.map(|k| k.oid)) && !index.has_key_column(name)
        };
        let widened = table.indexes.iter().find(is_widened);
        let why = match widened {
            Some(index) => format!("{} has to take it in, and needs it not null", index.name),
            None if is_hash || input.shape.has_default_partition() => continue,
            None => "a null fits into no partition".to_owned(),
        };
        let keys = match input.offending.null_keys.as_slice() {
            [] => String::new(),
            keys => format!("; null today in the rows {}", keys.join(", ")),
        };
        out.refuse(
            &fault::NULL_PARTITION_COLUMN,
            format!("{} may be null: {why}{keys}", column.name),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample::{self, id};
    use crate::plan::make::tests::input;

    fn range(every: Every) -> Shape {
        Shape::Range {
            column: id("team_id"),
            every,
            ahead: 1,
            has_default_partition: false,
        }
    }

    fn codes(input: &PlanInput) -> Vec<String> {
        let mut out = Carried::default();
        judge(input, &mut out);
        out.refusals.into_iter().map(|r| r.code).collect()
    }

    #[test]
    fn columns_are_checked_before_anything_else() {
        let table = sample::table("persons");
        let missing = Shape::Hash {
            columns: vec![id("Team")],
            partitions: 2,
        };
        let fault = check_columns(&table, &missing).unwrap_err();
        assert_eq!(fault.code().id, "MOV-002");
        assert!(fault.detail().contains("\"Team\"") && fault.detail().contains("team_id"));
        let month = Every::Time {
            count: 1,
            unit: TimeUnit::Month,
        };
        assert_eq!(
            check_columns(&table, &range(month)).unwrap_err().code().id,
            "MOV-003"
        );
        assert!(check_columns(&table, &range(Every::Number(5))).is_ok());
        let mut table = sample::table("persons");
        table.columns[1].is_hashable = false;
        assert_eq!(
            check_columns(&table, &sample::shape()).unwrap_err().code().id,
            "MOV-003"
        );
        table.columns[1].base_type_oid = Oid(1082);
        let hour = Every::Time {
            count: 1,
            unit: TimeUnit::Hour,
        };
        assert!(
            check_columns(&table, &range(hour))
                .unwrap_err()
                .detail()
                .contains("no hours")
        );
        assert!(check_columns(&table, &range(month)).is_ok());
    }

    #[test]
    fn bounds_are_written_as_literals() {
        let mut input = input();
        input.shape = Shape::List {
            column: id("name"),
            has_default_partition: true,
        };
        input.spread = Spread::List {
            values: vec!["it's".into(), "Öl 🛢".into()],
        };
        assert_eq!(
            layout(&input),
            [
                ("p_it_s".to_owned(), "for values in ('it''s')".to_owned()),
                ("p_öl__".to_owned(), "for values in ('Öl 🛢')".to_owned()),
                ("default".to_owned(), "default".to_owned()),
            ]
        );
        input.shape = range(Every::Number(10));
        let bound = Bound {
            lower: Some("-10".into()),
            upper: None,
            suffix: "pm10".into(),
        };
        input.spread = Spread::Range {
            bounds: vec![bound],
            lowest: None,
            highest: None,
        };
        assert_eq!(layout(&input)[0].1, "for values from ('-10') to (maxvalue)");
    }

    #[test]
    fn a_nullable_column_refuses_where_a_null_could_not_stay() {
        let mut input = input();
        input.table.columns[1].is_not_null = false;
        input.offending.null_keys = vec!["(7)".into()];
        // The primary key has to take team_id in.
        assert_eq!(codes(&input), ["MOV-022"]);
        // It has it already, as nothing but a partition column of a hash.
        input.table.indexes = vec![sample::index(101, "persons_name_key", &["id"])];
        assert_eq!(codes(&input), Vec::<String>::new());
        input.shape = range(Every::Number(10));
        let bound = Bound {
            lower: None,
            upper: None,
            suffix: "p".into(),
        };
        input.spread = Spread::Range {
            bounds: vec![bound],
            lowest: None,
            highest: None,
        };
        assert_eq!(codes(&input), ["MOV-022"]);
        input.shape = Shape::Range {
            column: id("team_id"),
            every: Every::Number(10),
            ahead: 0,
            has_default_partition: true,
        };
        assert_eq!(codes(&input), Vec::<String>::new());
    }

    #[test]
    fn too_many_partitions_and_unknown_boundaries_refuse() {
        let mut input = input();
        input.shape = Shape::Hash {
            columns: vec![id("team_id")],
            partitions: 4000,
        };
        assert_eq!(codes(&input), ["MOV-024"]);
        input.shape = range(Every::Number(1));
        let bound = Bound {
            lower: None,
            upper: None,
            suffix: "p".into(),
        };
        input.spread = Spread::Range {
            bounds: vec![bound; 4097],
            lowest: Some("1".into()),
            highest: Some("9".into()),
        };
        assert_eq!(codes(&input), ["MOV-024"]);
        input.spread = Spread::Unknown {
            why: "the lowest team_id".into(),
        };
        assert_eq!(codes(&input), ["MOV-026"]);
        input.shape = Shape::List {
            column: id("name"),
            has_default_partition: false,
        };
        input.spread = Spread::List { values: vec![] };
        input.table.columns[2].is_not_null = true;
        assert_eq!(codes(&input), ["MOV-023"]);
    }
}
