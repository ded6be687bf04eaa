//! Making the plan: everything that was read goes in, and out comes everything that will be done.

use corridor_pg::catalog::{Fingerprint, IdentityKind, Table};
use corridor_pg::ident::join;
use corridor_pg::{Fault, Ident, Literal, LockMode, Oid, QualifiedName, Result};

use super::copied::{copied_columns, key_columns};
use super::wanted::Fitted;
use super::{
    Lock, MovePlan, OldPartition, PLAN_VERSION, Partition, Source, Step, WantedView, check_columns,
    check_relation, choose_key, fallback, partition, tree,
};
use crate::carry::partition::{self as part, Part, parts};
use crate::carry::{Carried, Carry, Phases, carry_all};
use crate::estimate::Estimate;
use crate::fault;
use crate::names::{Books, Names, RETIRED_SCHEMA, is_tag};
use crate::preflight::{Facts, Offending, Reading, Spread, Trial};
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
    /// The same of those partitions of the source of which something else is true.
    pub partition_facts: Vec<(Oid, Facts)>,
    /// How the rows lie in the partition column.
    pub spread: Spread,
    /// Rows that stand in the way.
    pub offending: Offending,
    /// What makes the names of this move different from those of every other.
    pub tag: String,
    /// `--accept key-widening`
    pub accepts_key_widening: bool,
    /// `--accept partition-settings`
    pub accepts_partition_settings: bool,
    /// `--fallback-view`
    pub fallback_view: Option<WantedView>,
    /// `--to`: what the server and the rows say to it.
    pub wanted: Option<(Reading, Trial)>,
}

/// Makes the plan of a move. Pure.
///
/// What stands in the way of carrying it out is in the plan ([`MovePlan::refusals`]), so that a person sees all of it
/// at once. Fails only where no plan can be thought of: not a table, no such column, no key, no usable tag.
pub fn plan(input: &PlanInput) -> Result<MovePlan> {
    let source: &Table = &tree::effective(&input.table, &input.shape);
    if !is_tag(&input.tag) {
        return Err(Fault::new(
            &fault::BAD_SHAPE,
            format!(
                "tag {:?}: 1 to 24 lower-case letters, digits and underscores",
                input.tag
            ),
        ));
    }
    check_relation(source)?;
    check_columns(source, &input.shape)?;
    let fitted = fitted(input, source)?;
    // From here on: what the new table is to have.
    let table = fitted.as_ref().map_or(source, |fitted| &fitted.table);
    let key = match &fitted {
        Some(fitted) => table.index(fitted.key_index),
        None => Some(choose_key(table)?),
    };
    let key = key.ok_or_else(|| Fault::new(&fault::NO_KEY, table.name.to_string()))?;
    let layout = partition::layout(input);
    let suffixes: Vec<String> = layout.iter().map(|(suffix, _)| suffix.clone()).collect();
    let mut books = Books::default();
    books.take(&table.name.schema, &input.facts.taken_names);
    for (oid, facts) in &input.partition_facts {
        if let Some(partition) = table.partitions.iter().find(|p| p.table.oid == *oid) {
            books.take(&partition.table.name.schema, &facts.taken_names);
        }
    }
    let mut names = Names::assign_in(&mut books, table, &suffixes, &input.tag);
    let is_same = input.shape == Shape::Same;
    let parts = parts(table, key.oid, &mut books, &input.tag, is_same);
    names.departed = parts.iter().map(|p| p.names.source.clone()).collect();
    if is_same {
        names.arrived = parts.iter().map(|p| p.names.source.clone()).collect();
    }
    let carry = Carry {
        table,
        source,
        names: &names,
        shape: &input.shape,
        major: input.facts.server_major,
        key_index: key.oid,
        role: &input.facts.role,
        default_table_grants: &input.facts.default_table_grants,
        default_sequence_grants: &input.facts.default_sequence_grants,
        is_bypassing_row_security: input.facts.is_bypassing_row_security,
        assumable_grantors: &input.facts.assumable_grantors,
        partition_grants: tree::common_grants(table),
        sequence_gap: input.facts.session_limit,
    };
    let mut carried = carry_all(&carry);
    let mut create = create(
        table,
        &names,
        &input.shape,
        &partition::partitions(&names.partitions, &layout),
        &carried,
    );
    let mut renames = vec![[names.source.clone(), names.target.clone(), names.parked.clone()]];
    for part in &parts {
        let facts = input.partition_facts.iter().find(|(oid, _)| *oid == part.own.oid);
        let facts = facts.map_or(&input.facts, |(_, facts)| facts);
        let carry = Carry {
            default_table_grants: &facts.default_table_grants,
            assumable_grantors: &facts.assumable_grantors,
            ..carry
        };
        let mut own = match is_same {
            true => part::same(&carry, part),
            false => part::left(&carry, part),
        };
        if is_same {
            create.extend(create_part(&names, part, &own));
            let n = &part.names;
            renames.push([n.source.clone(), n.target.clone(), n.parked.clone()]);
        }
        own.retire.push(part::retire(part));
        carried.merge(own);
    }
    partition::judge(input, &mut carried);
    tree::judge(input, table, &parts, &carry, &mut carried);
    judge(input, &mut carried);
    if let (Some(fitted), Some((_, trial))) = (&fitted, &input.wanted) {
        fitted.judge(source, &input.facts, trial, &mut carried);
    }
    let keys = match &fitted {
        Some(fitted) => (fitted.key.clone(), fitted.reverse_key.clone()),
        None => {
            let missing = carry.missing_columns(|c| key.has_key_column(c));
            (key_columns(table, key, &[]), key_columns(table, key, &missing))
        }
    };
    let columns = match &fitted {
        Some(fitted) => (fitted.columns.clone(), fitted.reverse_columns.clone()),
        None => (copied_columns(table), copied_columns(table)),
    };
    let partitions = match is_same {
        true => parts.iter().map(same_partition).collect(),
        false => partition::partitions(&names.partitions, &layout),
    };
    let fallback_view = input.fallback_view.as_ref().map(|view| {
        let key: Vec<&Ident> = key.key().filter_map(|c| c.column.as_ref()).collect();
        fallback::fallback_view(table, &names, &key, &view.name)
    });
    let (swap_locks, swap_back_locks) = locks(&names, &carried, &input.facts.unlockable);
    let mut plan = MovePlan {
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
        key: keys.0,
        reverse_key: keys.1,
        columns: columns.0,
        reverse_columns: columns.1,
        is_one_way: input.shape.wanted().is_some_and(|wanted| wanted.is_one_way),
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
        create,
        old_partitions: parts.iter().map(old_partition).collect(),
        drop_target: drop_target(&names, &carried),
        retire: retire(&names, &carried),
        drop_parked: drop_parked(&names, &carried),
        fallback_view,
        clean_up_locks: vec![exclusive(&names.source)],
        finish_locks: vec![exclusive(&names.source), exclusive(&names.parked)],
        swap: swap(&carried.forward, &renames),
        swap_back: swap(&carried.back, &back(&renames)),
        partitions,
        swap_locks,
        swap_back_locks,
        widened: carried.widened,
        warnings: carried.warnings,
        refusals: carried.refusals,
        missing_grants: input.facts.missing_grants.clone(),
        index: carried.index,
        before_swap: carried.before_swap,
        before_swap_back: carried.before_swap_back,
        swap_first: carried.swap_first,
        settle: carried.settle,
        settle_back: carried.settle_back,
    };
    if plan.is_one_way {
        plan.swap_back_locks.clear();
        for steps in [
            &mut plan.before_swap_back,
            &mut plan.swap_back,
            &mut plan.settle_back,
        ] {
            steps.clear();
        }
    }
    Ok(plan)
}

/// The shape in the user's own words, fitted to the table.
fn fitted(input: &PlanInput, source: &Table) -> Result<Option<Fitted>> {
    match (input.shape.wanted(), &input.wanted) {
        (Some(wanted), Some((reading, _))) => Ok(Some(super::wanted::fit(source, reading, wanted)?)),
        _ => Ok(None),
    }
}

fn exclusive(relation: &QualifiedName) -> Lock {
    Lock {
        relation: relation.clone(),
        mode: LockMode::AccessExclusive,
    }
}

fn judge(input: &PlanInput, out: &mut Carried) {
    let name = input.table.name.name.as_str();
    if input.fallback_view.is_some() && input.shape.wanted().is_some() {
        let why = "--fallback-view needs both tables to have the same columns, and --to changes them";
        out.refuse(&fault::BAD_SHAPE, why);
    }
    if let Some(view) = input.fallback_view.as_ref().filter(|view| view.is_taken) {
        out.refuse(&crate::run::fault::FALLBACK_NAME_TAKEN, view.name.to_string());
    }
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
    let tail = match (shape, &table.inheritance.partition_key) {
        (Shape::Same, Some(key)) => format!(" partition by {key}{}", carried.parent_clause),
        (Shape::Same | Shape::Plain | Shape::Wanted(_), _) => carried.storage_clause.clone(),
        _ => format!(" {}{}", shape.clause(), carried.parent_clause),
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

/// The same names, with the tables that leave and arrive exchanged.
fn back(renames: &[[QualifiedName; 3]]) -> Vec<[QualifiedName; 3]> {
    let exchanged = renames.iter().cloned();
    exchanged
        .map(|[name, target, parked]| [name, parked, target])
        .collect()
}

/// `renames`: the lasting name, where the table arrives from, and where the one that leaves goes to.
fn swap(phases: &Phases, renames: &[[QualifiedName; 3]]) -> Vec<Step> {
    let rename = |from: &QualifiedName, to: &QualifiedName| {
        Step::new(
            format!("{} becomes {}", from.name, to.name),
            format!("alter table {from} rename to {}", to.name),
        )
        .brief([(from, LockMode::AccessExclusive)])
    };
    let mut steps = phases.detach.clone();
    steps.extend(phases.aside.iter().cloned());
    for [name, arriving_from, leaving_to] in renames {
        steps.push(rename(name, leaving_to));
        steps.push(rename(arriving_from, name));
    }
    steps.extend(phases.arrive.iter().cloned());
    steps.extend(phases.attach.iter().cloned());
    steps.extend(phases.finish.iter().cloned());
    steps
}

fn same_partition(part: &Part<'_>) -> Partition {
    Partition {
        name: part.names.source.clone(),
        made_as: Some(part.names.target.clone()),
        bounds: part.partition.bounds.clone(),
    }
}

fn old_partition(part: &Part<'_>) -> OldPartition {
    OldPartition {
        oid: part.own.oid,
        name: part.names.source.clone(),
        parked: part.names.parked.clone(),
    }
}

/// A partition with all that is its own, and only then made a part of its parent: so its indexes, which the parent
/// would otherwise name, have the names that they are to have.
fn create_part(names: &Names, part: &Part<'_>, carried: &Carried) -> Vec<Step> {
    let target = &part.names.target;
    let mut steps = create(&part.own, &part.names, &Shape::Same, &[], carried);
    steps.push(Step::new(
        format!("{} becomes a partition", target.name),
        format!(
            "alter table {} attach partition {target} {}",
            names.target, part.partition.bounds
        ),
    ));
    steps
}

/// The table that the application uses first, because that is where it waits; then the other half of the pair; then
/// what hangs on them, in the order of names, the same for every move. What the role may not lock by a statement of its
/// own is locked by the step that changes it, a moment later and within the same budget.
fn locks(names: &Names, carried: &Carried, unlockable: &[QualifiedName]) -> (Vec<Lock>, Vec<Lock>) {
    let mut others = carried.locks.clone();
    others.retain(|lock| !unlockable.contains(&lock.relation));
    others.sort_by(|a, b| a.relation.cmp(&b.relation));
    let with = |second: &QualifiedName| {
        let pair = [exclusive(&names.source), exclusive(second)];
        pair.into_iter().chain(others.iter().cloned()).collect()
    };
    (with(&names.target), with(&names.parked))
}

fn drop_target(names: &Names, carried: &Carried) -> Vec<Step> {
    let target = &names.target;
    let mut steps = carried.drop_new.clone();
    steps.push(
        Step::new(
            format!("{} goes, with its partitions", target.name),
            format!("drop table if exists {target}"),
        )
        .brief([(target, LockMode::AccessExclusive)]),
    );
    steps
}

fn drop_parked(names: &Names, carried: &Carried) -> Vec<Step> {
    let mut steps = carried.drop_old.clone();
    steps.push(
        Step::new("the old table goes", format!("drop table {}", names.parked))
            .brief([(&names.parked, LockMode::AccessExclusive)]),
    );
    steps
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
    steps.extend(carried.drop_old.iter().chain(&carried.retire).cloned());
    steps.push(
        Step::new(
            format!("{} goes to {RETIRED_SCHEMA}", parked.name),
            format!("alter table {parked} set schema {RETIRED_SCHEMA}"),
        )
        .brief([(parked, LockMode::AccessExclusive)]),
    );
    steps
}

#[cfg(test)]
pub(crate) mod tests {
    use corridor_mirror::spec::{Digest, KeyColumn};
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
                is_bypassing_row_security: false,
                assumable_grantors: vec![],
                our_triggers: vec![],
                missing_grants: vec![],
            },
            partition_facts: vec![],
            spread: Spread::Unasked,
            offending: Offending::default(),
            tag: "t".into(),
            accepts_key_widening: true,
            accepts_partition_settings: false,
            fallback_view: None,
            wanted: None,
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
