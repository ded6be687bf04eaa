//! Making the plan: everything that was read goes in, and out comes everything that will be done.

use corridor_mirror::spec::{Column, Digest, KeyColumn};
use corridor_pg::catalog::{Fingerprint, IdentityKind, Index, Table};
use corridor_pg::ident::join;
use corridor_pg::{Fault, Ident, Literal, LockMode, QualifiedName, Result};

use super::{
    Lock, MovePlan, PLAN_VERSION, Partition, Source, Step, check_columns, check_relation, choose_key,
    partition,
};
use crate::carry::{Carried, Carry, Phases, carry_all};
use crate::estimate::Estimate;
use crate::fault;
use crate::names::{Names, RETIRED_SCHEMA, is_tag};
use crate::preflight::{Facts, Offending, Spread};
use crate::shape::Shape;

/// What a plan is made from.
#[derive(Debug, Clone)]
pub struct PlanInput {
    /// The table with everything that hangs on it.
    pub table: Table,
    /// Its definition, to be compared later.
    pub fingerprint: Fingerprint,
    /// The wanted shape.
    pub shape: Shape,
    /// What must be known beside the table.
    pub facts: Facts,
    /// How the rows lie in the partition column.
    pub spread: Spread,
    /// Rows that stand in the way.
    pub offending: Offending,
    /// What makes the names of this move different from those of every other.
    pub tag: String,
    /// `--accept key-widening`
    pub accepts_key_widening: bool,
}

/// Makes the plan of a move. Pure.
///
/// What stands in the way of carrying it out is in the plan ([`MovePlan::refusals`]), so that a person sees all of it
/// at once. Fails only where no plan can be thought of: not a table, no such column, no key, no usable tag.
pub fn plan(input: &PlanInput) -> Result<MovePlan> {
    let table = &input.table;
    if !is_tag(&input.tag) {
        return Err(Fault::new(
            &fault::BAD_SHAPE,
            format!(
                "tag {:?}: 1 to 24 lower-case letters, digits and underscores",
                input.tag
            ),
        ));
    }
    check_relation(table)?;
    check_columns(table, &input.shape)?;
    let key = choose_key(table)?;
    let layout = partition::layout(input);
    let suffixes: Vec<String> = layout.iter().map(|(suffix, _)| suffix.clone()).collect();
    let names = Names::assign(table, &suffixes, &input.tag, &input.facts.taken_names);
    let carry = Carry {
        table,
        names: &names,
        shape: &input.shape,
        major: input.facts.server_major,
        key_index: key.oid,
        role: &input.facts.role,
        default_table_grants: &input.facts.default_table_grants,
        default_sequence_grants: &input.facts.default_sequence_grants,
        sequence_gap: input.facts.session_limit,
    };
    let mut carried = carry_all(&carry);
    partition::judge(input, &mut carried);
    judge(input, &mut carried);
    let partitions = partition::partitions(&names.partitions, &layout);
    let (swap_locks, swap_back_locks) = locks(&names, &carried, &input.facts.unlockable);
    Ok(MovePlan {
        version: PLAN_VERSION,
        tag: input.tag.clone(),
        server_major: input.facts.server_major,
        source: Source {
            oid: table.oid,
            name: table.name.clone(),
        },
        target: names.target.clone(),
        parked: names.parked.clone(),
        retired: names.retired.clone(),
        shape: input.shape.clone(),
        key: key_columns(table, key, &[]),
        reverse_key: key_columns(table, key, &carry.missing_columns(|c| key.has_key_column(c))),
        columns: copied_columns(table),
        has_identity_always: table
            .columns
            .iter()
            .any(|c| c.identity == Some(IdentityKind::Always)),
        fingerprint: input.fingerprint.clone(),
        estimate: Estimate::of(
            table.row_estimate,
            table.heap_bytes,
            table.toast_bytes,
            table.index_bytes,
        ),
        create: create(table, &names, &input.shape, &partitions, &carried),
        drop_target: drop_target(&names),
        retire: retire(&names, &carried),
        drop_parked: vec![Step::new(
            "the old table goes",
            format!("drop table {}", names.parked),
        )],
        swap: swap(&carried.forward, &names.source, &names.parked, &names.target),
        swap_back: swap(&carried.back, &names.source, &names.target, &names.parked),
        partitions,
        swap_locks,
        swap_back_locks,
        widened: carried.widened,
        warnings: carried.warnings,
        refusals: carried.refusals,
        missing_grants: input.facts.missing_grants.clone(),
        index: carried.index,
        swap_first: carried.swap_first,
        settle: carried.settle,
        settle_back: carried.settle_back,
    })
}

fn judge(input: &PlanInput, out: &mut Carried) {
    let name = input.table.name.name.as_str();
    if !input.facts.our_triggers.is_empty() {
        let triggers = join(&input.facts.our_triggers, ", ");
        out.refuse(
            &fault::UNFINISHED_MOVE,
            format!("{} has the triggers {triggers}", input.table.name),
        );
    } else if name.contains("__c_new_") || name.contains("__c_old_") {
        out.refuse(
            &fault::UNFINISHED_MOVE,
            format!("{} was made by a move", input.table.name),
        );
    }
    if !out.widened.is_empty() && !input.accepts_key_widening {
        let lost: Vec<_> = out.widened.iter().map(|w| w.lost.clone()).collect();
        out.refuse(&fault::KEY_WIDENING, lost.join("; "));
    }
    let unvalidated = input
        .table
        .constraints
        .iter()
        .any(|c| !c.is_validated && c.is_enforced);
    if unvalidated {
        out.warnings
            .push("constraints that are not validated stay so".into());
    }
}

fn key_columns(table: &Table, key: &Index, appended: &[&Ident]) -> Vec<KeyColumn> {
    let own = key.key().filter_map(|c| c.column.as_ref());
    own.chain(appended.iter().copied())
        .filter_map(|name| table.column(name))
        .map(|column| KeyColumn {
            name: column.name.clone(),
            type_sql: column.base_type_sql.clone(),
            collation: column.collation.clone().filter(|_| column.is_collation_explicit),
        })
        .collect()
}

fn copied_columns(table: &Table) -> Vec<Column> {
    let live = table.columns.iter().filter(|c| !c.is_generated());
    live.map(|column| Column {
        name: column.name.clone(),
        digest: digest(column),
    })
    .collect()
}

/// Types in which two values are equal only when they are the same to the byte: bool, bytea, "char", name, the
/// integers, oid, date, time, the timestamps, uuid; text and varchar unless the collation is loose. Not numeric
/// (`1.0 = 1.00`), float (`-0 = 0`), interval (24 hours are a day), jsonb (it holds numerics), character (blanks).
fn digest(column: &corridor_pg::catalog::Column) -> Digest {
    const EXACT: [u32; 13] = [16, 17, 18, 19, 20, 21, 23, 26, 1082, 1083, 1114, 1184, 2950];
    const TEXTS: [u32; 2] = [25, 1043];
    let oid = column.type_oid.0;
    let is_exact = EXACT.contains(&oid) || (TEXTS.contains(&oid) && column.is_collation_deterministic);
    if is_exact { Digest::Native } else { Digest::Text }
}

fn create(
    table: &Table,
    names: &Names,
    shape: &Shape,
    partitions: &[Partition],
    carried: &Carried,
) -> Vec<Step> {
    let target = &names.target;
    let mut items: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let clauses = carried
                .column_clauses
                .iter()
                .filter(|(name, _)| name == &column.name);
            let clauses: Vec<&str> = clauses.map(|(_, clause)| clause.as_str()).collect();
            // Collation and compression stand before constraints in PostgreSQL's grammar of all versions.
            let (first, rest): (Vec<&str>, Vec<&str>) = clauses
                .into_iter()
                .partition(|c| c.starts_with("collate ") || c.starts_with("compression "));
            let (collate, compression): (Vec<&str>, Vec<&str>) =
                first.into_iter().partition(|c| c.starts_with("collate "));
            let words = [vec![column.type_sql.as_str()], compression, collate, rest].concat();
            format!("{} {}", column.name, words.join(" "))
        })
        .collect();
    items.extend(carried.table_clauses.iter().cloned());
    let tail = match shape.is_partitioned() {
        true => format!(" {}{}", shape.clause(), carried.parent_clause),
        false => carried.storage_clause.clone(),
    };
    let sql = format!("create table {target} (\n    {}\n){tail}", items.join(",\n    "));
    let mut steps = vec![Step::new(format!("the new table, as {}", target.name), sql)];
    steps.extend(carried.create_parent.iter().cloned());
    steps.extend(partitions.iter().map(|partition| {
        Step::new(
            format!("partition {}", partition.name.name),
            format!(
                "create table {} partition of {target} {}{}",
                partition.name, partition.bounds, carried.storage_clause
            ),
        )
    }));
    steps.extend(carried.create.iter().cloned());
    steps
}

fn swap(
    phases: &Phases,
    name: &QualifiedName,
    leaving_to: &QualifiedName,
    arriving_from: &QualifiedName,
) -> Vec<Step> {
    let rename = |from: &QualifiedName, to: &QualifiedName| {
        Step::new(
            format!("{} becomes {}", from.name, to.name),
            format!("alter table {from} rename to {}", to.name),
        )
        .brief([(from, LockMode::AccessExclusive)])
    };
    let mut steps = phases.detach.clone();
    steps.extend(phases.aside.iter().cloned());
    steps.push(rename(name, leaving_to));
    steps.push(rename(arriving_from, name));
    steps.extend(phases.arrive.iter().cloned());
    steps.extend(phases.attach.iter().cloned());
    steps.extend(phases.finish.iter().cloned());
    steps
}

/// The table that the application uses first, because that is where it waits; then the other half of the pair; then
/// what hangs on them, in the order of names, the same for every move. What the role may not lock by a statement of its
/// own is locked by the step that changes it, a moment later and within the same budget.
fn locks(names: &Names, carried: &Carried, unlockable: &[QualifiedName]) -> (Vec<Lock>, Vec<Lock>) {
    let mut others = carried.locks.clone();
    others.retain(|lock| !unlockable.contains(&lock.relation));
    others.sort_by(|a, b| a.relation.cmp(&b.relation));
    let exclusive = |relation: &QualifiedName| Lock {
        relation: relation.clone(),
        mode: LockMode::AccessExclusive,
    };
    let with = |second: &QualifiedName| {
        let pair = [exclusive(&names.source), exclusive(second)];
        pair.into_iter().chain(others.iter().cloned()).collect()
    };
    (with(&names.target), with(&names.parked))
}

fn drop_target(names: &Names) -> Vec<Step> {
    let target = &names.target;
    vec![Step::new(
        format!("{} goes, with its partitions", target.name),
        format!("drop table if exists {target}"),
    )]
}

fn retire(names: &Names, carried: &Carried) -> Vec<Step> {
    let parked = &names.parked;
    let schema = Step::new(
        "the schema of retired tables",
        // Not `create schema if not exists`: that needs CREATE on the database even when there is nothing to create.
        format!(
            "do $$ begin if to_regnamespace({}) is null then create schema {RETIRED_SCHEMA}; end if; end $$",
            Literal(RETIRED_SCHEMA)
        ),
    );
    let mut steps = vec![schema];
    steps.extend(carried.retire.iter().cloned());
    steps.push(
        Step::new(
            format!("{} goes to {RETIRED_SCHEMA}", parked.name),
            format!("alter table {parked} set schema {RETIRED_SCHEMA}"),
        )
        .brief([]),
    );
    steps
}

#[cfg(test)]
pub(crate) mod tests {
    use corridor_pg::Oid;
    use corridor_pg::catalog::FingerprintEntry;

    use super::*;
    use crate::carry::sample::{self, id};

    pub(crate) fn input() -> PlanInput {
        PlanInput {
            table: sample::table("persons"),
            fingerprint: Fingerprint(vec![FingerprintEntry {
                aspect: "columns".into(),
                digest: "d".into(),
            }]),
            shape: sample::shape(),
            facts: Facts {
                role: id("boss"),
                server_major: 15,
                session_limit: 100,
                lock_slots: 6400,
                taken_names: vec![],
                default_table_grants: vec![],
                default_sequence_grants: vec![],
                unlockable: vec![],
                our_triggers: vec![],
                missing_grants: vec![],
            },
            spread: Spread::Unasked,
            offending: Offending::default(),
            tag: "t".into(),
            accepts_key_widening: true,
        }
    }

    #[test]
    fn widening_needs_consent() {
        let mut input = input();
        assert!(plan(&input).unwrap().check_executable().is_ok());
        input.accepts_key_widening = false;
        let fault = plan(&input).unwrap().check_executable().unwrap_err();
        assert_eq!(fault.code().id, "MOV-025");
        assert!(fault.detail().contains("become possible"));
    }

    #[test]
    fn the_mirrors_keys_are_the_old_one_and_the_widened_one() {
        let plan = plan(&input()).unwrap();
        let names = |key: &[KeyColumn]| key.iter().map(|k| k.name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&plan.key), ["id"]);
        assert_eq!(names(&plan.reverse_key), ["id", "team_id"]);
    }

    #[test]
    fn generated_columns_are_not_copied_and_digests_know_their_types() {
        let mut input = input();
        input.table.columns[2].generated = Some(corridor_pg::catalog::Generated::Stored);
        input
            .table
            .columns
            .push(sample::column(4, "price", "numeric", 1700));
        let columns = plan(&input).unwrap().columns;
        let shown: Vec<_> = columns.iter().map(|c| (c.name.as_str(), c.digest)).collect();
        assert_eq!(
            shown,
            [
                ("id", Digest::Native),
                ("team_id", Digest::Native),
                ("price", Digest::Text)
            ]
        );
    }

    #[test]
    fn a_table_of_a_move_is_not_moved() {
        let mut input = input();
        input.facts.our_triggers = vec![id("corridor_capture_1_fwd_new")];
        assert_eq!(plan(&input).unwrap().refusals[0].code, "MOV-019");
        input.facts.our_triggers.clear();
        input.table.name.name = id("persons__c_old_x");
        assert_eq!(plan(&input).unwrap().refusals[0].code, "MOV-019");
    }

    #[test]
    fn missing_grants_and_bad_tags_stop_it() {
        let mut input = input();
        input.facts.missing_grants = vec!["grant create on schema public to boss".into()];
        assert_eq!(
            plan(&input).unwrap().check_executable().unwrap_err().code().id,
            "MOV-021"
        );
        input.tag = "Not a tag".into();
        assert_eq!(plan(&input).unwrap_err().code().id, "MOV-001");
    }

    #[test]
    fn the_way_back_is_the_mirror_image() {
        let plan = plan(&input()).unwrap();
        let sql = |steps: &[Step]| steps.iter().map(|s| s.sql.clone()).collect::<Vec<_>>();
        assert_eq!(
            sql(&plan.swap),
            [
                "alter index public.persons_pkey rename to persons_pkey__c_old_t",
                "alter table public.persons rename to persons__c_old_t",
                "alter table public.persons__c_new_t rename to persons",
                "alter index public.persons_pkey__c_new_t rename to persons_pkey",
            ]
        );
        assert_eq!(
            sql(&plan.swap_back),
            [
                "alter index public.persons_pkey rename to persons_pkey__c_new_t",
                "alter table public.persons rename to persons__c_new_t",
                "alter table public.persons__c_old_t rename to persons",
                "alter index public.persons_pkey__c_old_t rename to persons_pkey",
            ]
        );
    }

    #[test]
    fn a_plan_survives_being_stored() {
        let plan = plan(&input()).unwrap();
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<MovePlan>(&text).unwrap(), plan);
    }

    #[test]
    fn oids_tell_tables_apart() {
        assert_eq!(plan(&input()).unwrap().source.oid, Oid(100));
    }
}
