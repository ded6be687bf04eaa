//! Fitting without a server: `persons (id bigint primary key, team_id integer, name text)` to other tables.

use corridor_mirror::spec::Digest;
use corridor_pg::Oid;
use corridor_pg::catalog::{Column, Constraint, SequenceLink, Table};

use super::*;
use crate::carry::sample::{self, column, id};
use crate::plan::make::tests::input;
use crate::plan::plan;
use crate::preflight::{Expression, Origin, Understood};
use crate::shape::Shape;

fn understood(sql: &str, reads: &[&str]) -> Understood {
    Understood {
        sql: sql.into(),
        reads: reads.iter().map(|name| id(name)).collect(),
        obstacle: None,
        unassignable: None,
        is_of_settings: false,
        is_label: false,
    }
}

/// What the server would answer: columns of one name are taken as they are, or cast.
fn answers(to: &[Column], from: &[Column]) -> Vec<Expression> {
    let answer = |column: &Column| {
        let twin = from.iter().find(|c| c.name == column.name);
        let (origin, understood) = match twin {
            None => (Origin::Nothing, None),
            Some(twin) if twin.type_sql == column.type_sql => (Origin::Same, None),
            Some(twin) => (
                Origin::Cast {
                    from: twin.type_sql.clone(),
                },
                Some(understood(
                    &format!("(s.{})::{}", twin.name, column.type_sql),
                    &[twin.name.as_str()],
                )),
            ),
        };
        Expression {
            column: column.name.clone(),
            origin,
            understood,
        }
    };
    to.iter().map(answer).collect()
}

/// `create table made (…)`, as it was read.
fn reading(source: &Table, columns: Vec<Column>) -> Reading {
    let mut table = sample::table("made");
    table.columns = columns;
    table.indexes = vec![sample::primary_key(&["id"])];
    table.indexes[0].oid = Oid(5001);
    table.indexes[0].name = id("made_pkey");
    Reading {
        has_indexes: false,
        forward: answers(&table.columns, &source.columns),
        back: answers(&source.columns, &table.columns),
        unheld: vec![],
        users: vec![],
        referencing: vec![],
        functions: vec![],
        table,
    }
}

fn wanted(is_one_way: bool) -> Wanted {
    Wanted {
        file: "shape.sql".into(),
        sql: "create table made (…)".into(),
        set: vec![],
        reverse_set: vec![],
        is_one_way,
    }
}

fn source() -> Table {
    let mut table = sample::table("persons");
    table.columns[0] = column(1, "id", "integer", 23);
    table
}

fn widened() -> Vec<Column> {
    sample::table("made").columns
}

#[test]
fn a_widened_key_is_compared_and_logged_in_the_wider_type() {
    let source = source();
    let fitted = fit(&source, &reading(&source, widened()), &wanted(false)).unwrap();
    assert_eq!(fitted.refusals, []);
    assert_eq!(
        (fitted.key[0].type_sql.as_str(), fitted.key_index),
        ("bigint", Oid(5001))
    );
    assert_eq!(fitted.key, fitted.reverse_key);
    assert_eq!(fitted.columns[0].value.as_ref().unwrap().sql, "(s.id)::bigint");
    assert_eq!(fitted.reverse_columns[0].digest, Digest::Native);
    // Its index has the old one's name, and the table the old one's id.
    assert_eq!(fitted.table.indexes[0].name, source.indexes[0].name);
    assert_eq!(fitted.table.oid, source.oid);
}

#[test]
fn the_plan_of_a_wanted_shape_survives_being_stored() {
    let mut input = input();
    input.table = source();
    input.shape = Shape::Wanted(Box::new(wanted(true)));
    input.wanted = Some((reading(&input.table, widened()), Trial::default()));
    let plan = plan(&input).unwrap();
    assert!(plan.is_one_way && plan.swap_back.is_empty() && plan.mirror_steps().capture_back.is_empty());
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<crate::MovePlan>(&text).unwrap(), plan);
}

#[test]
fn a_serial_key_goes_on_drawing_and_its_default_is_not_lost() {
    let mut source = source();
    source.columns[0].default_sql = Some("nextval('public.persons_id_seq'::regclass)".into());
    let mut sequence = sample::sequence("persons_id_seq", SequenceLink::Owned, "id");
    sequence.type_sql = "integer".into();
    source.sequences.push(sequence);
    let fitted = fit(&source, &reading(&source, widened()), &wanted(false)).unwrap();
    assert_eq!(fitted.table.columns[0].default_sql, source.columns[0].default_sql);
    assert_eq!(fitted.table.sequences, source.sequences);
    assert!(
        fitted
            .notes
            .iter()
            .any(|n| n.contains("becomes bigint in the swap"))
    );
}

#[test]
fn what_has_no_value_or_no_way_back_is_refused_by_name() {
    let source = source();
    let mut columns = widened();
    columns[1] = column(2, "fresh", "integer", 23);
    let reading = reading(&source, columns);
    let codes = |one_way| {
        let fitted = fit(&source, &reading, &wanted(one_way)).unwrap();
        let codes: Vec<String> = fitted.refusals.iter().map(|r| r.code.clone()).collect();
        codes
    };
    assert_eq!(codes(false), ["MOV-061", "MOV-062"]);
    assert_eq!(codes(true), ["MOV-061"]);
}

#[test]
fn what_names_a_column_that_goes_is_refused() {
    let source = source();
    let mut reading = reading(
        &source,
        widened().into_iter().filter(|c| c.name != id("name")).collect(),
    );
    for (column, kind, what) in [
        ("name", "pg_trigger", "trigger t on table persons"),
        ("id", "pg_rewrite", "view v"),
        ("id", "pg_policy", "policy p on table persons"),
    ] {
        reading.users.push(crate::preflight::wanted::ColumnUser {
            column: id(column),
            kind: kind.into(),
            what: what.into(),
        });
    }
    let fitted = fit(&source, &reading, &wanted(true)).unwrap();
    let refused: Vec<&str> = fitted.refusals.iter().map(|r| r.detail.as_str()).collect();
    assert_eq!(
        refused,
        [
            "trigger t on table persons: it uses name, which goes",
            "view v: it uses id, whose type changes"
        ]
    );
    assert!(
        fitted
            .notes
            .iter()
            .any(|n| n.starts_with("policy p on table persons"))
    );
}

#[test]
fn checks_and_indexes_are_carried_unless_the_file_or_the_server_says_otherwise() {
    let mut source = source();
    let check = |name: &str, of: &str| Constraint {
        columns: vec![id(of)],
        ..sample::check(name, "CHECK (true)")
    };
    source.constraints = vec![
        check("kept", "team_id"),
        check("unheld", "name"),
        check("changed", "id"),
    ];
    source
        .indexes
        .push(sample::index(102, "persons_name_idx", &["name"]));
    source
        .indexes
        .push(sample::index(103, "persons_id_idx", &["id", "team_id"]));
    let mut reading = reading(&source, widened());
    reading.unheld = vec![(id("unheld"), "no such operator".into())];
    let names = |reading: &Reading| {
        let fitted = fit(&source, reading, &wanted(false)).unwrap();
        let checks: Vec<String> = fitted
            .table
            .constraints
            .iter()
            .map(|c| c.name.to_string())
            .collect();
        let indexes: Vec<String> = fitted.table.indexes.iter().map(|i| i.name.to_string()).collect();
        (checks.join(" "), indexes.join(" "))
    };
    assert_eq!(
        names(&reading),
        (
            "kept changed".into(),
            "persons_pkey persons_name_idx persons_id_idx".into()
        )
    );
    reading.has_indexes = true;
    reading.table.constraints = vec![Constraint {
        definition: "CHECK (id > 0)".into(),
        ..check("made_id_check", "id")
    }];
    assert_eq!(
        names(&reading),
        (
            "persons_id_check kept".into(),
            "persons_pkey persons_name_idx".into()
        )
    );
}
