//! The plan as chapters: the operations in their order, and the way back; each with its transactions, their locks and
//! their statements. Pure; [`render`](super::render()) writes it down for a terminal.

use corridor_mirror::spec::Column;
use corridor_pg::ident::join;
use corridor_pg::{LockMode, QualifiedName};

use super::{Lock, MirrorSteps, MovePlan, Step};

/// More columns than so many are counted, not named: the new table's definition has them.
const COLUMNS_NAMED_MAX: usize = 20;

/// Statements that belong together, with the locks that are held for all of them.
#[derive(Debug, Default)]
pub struct Section {
    /// What happens; empty when the chapter has said it.
    pub text: String,
    /// What is locked from its beginning to its end.
    pub locks: Vec<Lock>,
    /// Those among `locks` whose partitions are locked with them.
    pub partitioned: Vec<QualifiedName>,
    /// What is done.
    pub steps: Vec<Step>,
}

/// An operation, or one of the ways back.
#[derive(Debug)]
pub struct Chapter {
    /// What happens.
    pub text: String,
    /// What is locked by its one transaction; empty when it has none, or several. A partition is locked with its table,
    /// and not named here: there may be thousands.
    pub locks: Vec<Lock>,
    /// Those among `locks` whose partitions are locked with them.
    pub partitioned: Vec<QualifiedName>,
    /// Its parts, in their order.
    pub sections: Vec<Section>,
}

impl Chapter {
    fn new(text: impl Into<String>, sections: Vec<Section>) -> Self {
        Chapter {
            text: text.into(),
            locks: Vec::new(),
            partitioned: Vec::new(),
            sections: sections.into_iter().filter(|s| !s.is_empty()).collect(),
        }
    }

    /// One transaction that takes these locks before anything else. `new` is the table that has the new partitions at
    /// that time.
    fn under(mut self, locks: &[Lock], plan: &MovePlan, new: &QualifiedName) -> Self {
        self.locks = with_stronger(locks, self.sections.iter().flat_map(|s| &s.steps));
        self.locks.retain(|lock| !plan.is_partition(&lock.relation));
        if !plan.partitions.is_empty() {
            self.partitioned.push(new.clone());
        }
        if !plan.old_partitions.is_empty() {
            let is_before = new == &plan.target;
            let old = if is_before {
                &plan.source.name
            } else {
                &plan.parked
            };
            self.partitioned.push(old.clone());
        }
        self
    }
}

impl Section {
    /// Nothing where there are no steps.
    fn steps(text: &str, steps: &[Step]) -> Self {
        Section::of(if steps.is_empty() { "" } else { text }, steps)
    }

    fn of(text: impl Into<String>, steps: &[Step]) -> Self {
        Section {
            text: text.into(),
            locks: Vec::new(),
            partitioned: Vec::new(),
            steps: steps.to_vec(),
        }
    }

    /// One transaction of its own before the cut-over; its locks are those of its statements.
    fn in_one(mut self, plan: &MovePlan) -> Self {
        self.locks = with_stronger(&[], &self.steps);
        self.locks.retain(|lock| !plan.is_partition(&lock.relation));
        if !plan.old_partitions.is_empty() {
            self.partitioned.push(plan.source.name.clone());
        }
        self
    }

    fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.text.is_empty()
    }
}

/// `locks`, and those of the statements that a reader or writer could meet and that are not among them.
fn with_stronger<'s>(locks: &[Lock], steps: impl IntoIterator<Item = &'s Step>) -> Vec<Lock> {
    let mut all = locks.to_vec();
    for lock in steps.into_iter().flat_map(|step| &step.locks) {
        if !is_covered(lock, &all) && lock.mode != LockMode::ShareUpdateExclusive {
            all.retain(|weaker| weaker.relation != lock.relation);
            all.push(lock.clone());
        }
    }
    all
}

/// True when `held` has the relation in this mode or a stronger one.
fn is_covered(lock: &Lock, held: &[Lock]) -> bool {
    held.iter()
        .any(|h| h.relation == lock.relation && h.mode >= lock.mode)
}

/// The operations by their names, in their order.
pub fn operations(plan: &MovePlan, mirror: &MirrorSteps) -> Vec<(&'static str, Chapter)> {
    let columns = match plan.columns.len() {
        n if n > COLUMNS_NAMED_MAX && plan.shape.wanted().is_none() => {
            format!("all {n} columns that are not generated")
        }
        _ => join(plan.columns.iter().map(made_of), ", "),
    };
    vec![
        ("prepare", prepare(plan, mirror)),
        (
            "copy",
            Chapter::new(
                format!("in chunks, throttled, beside the application: {columns}"),
                vec![],
            ),
        ),
        (
            "index",
            Chapter::new(
                "on the new table; the application does not use it yet",
                vec![Section::of("", &plan.index)],
            ),
        ),
        (
            "constrain",
            Chapter::new(
                "analyze; checks and keys are proven by the source, see cutover and hold",
                vec![],
            ),
        ),
        (
            "verify",
            Chapter::new("every row of both tables is compared; nothing is locked", vec![]),
        ),
        ("cutover", cutover(plan, mirror)),
        (
            "hold",
            Chapter::new(
                match plan.is_one_way {
                    false => "writes flow back to the old table; until you say finish",
                    true => "nothing flows back to the old table (--one-way); until you say finish",
                },
                vec![Section::of("", &plan.settle)],
            ),
        ),
        ("finish", finish(plan, mirror)),
    ]
}

/// `id`, or `id = (s.id)::bigint`.
fn made_of(column: &Column) -> String {
    match &column.value {
        Some(value) => format!("{} = {}", column.name, value.sql),
        None => column.name.to_string(),
    }
}

fn prepare(plan: &MovePlan, mirror: &MirrorSteps) -> Chapter {
    let own = format!(
        "the mirror's own tables and functions, in the schema corridor (made when it is not there): {}",
        uncounted(&mirror.create)
    );
    let view = plan.fallback_view.iter().flat_map(|view| &view.create);
    let view: Vec<Step> = view.cloned().collect();
    let mut sections = vec![
        Section::of("", &plan.create),
        Section::of(own, &[]),
        Section::of(
            format!(
                "the capture on {}; n is the number that the migration gets",
                plan.source.name
            ),
            &mirror.capture,
        )
        .in_one(plan),
    ];
    if let Some(wanted) = &plan.fallback_view {
        let text = format!("the fallback view {}, until the cut-over", wanted.name);
        sections.push(Section::of(text, &view).in_one(plan));
    }
    Chapter::new(
        "new tables, empty; nothing of the application's is locked for them",
        sections,
    )
}

/// Statements that are named by their number alone.
fn uncounted(steps: &[Step]) -> String {
    format!(
        "{} statements, no lock that the application could meet; --json has them",
        steps.len()
    )
}

fn drop_of_view(plan: &MovePlan) -> Vec<Step> {
    let steps = plan.fallback_view.iter().flat_map(|view| &view.drop);
    steps.cloned().collect()
}

fn cutover(plan: &MovePlan, mirror: &MirrorSteps) -> Chapter {
    let text = "one transaction, after the tables of the reverse mirror are made; waits for its locks within a budget, \
                then holds them for as long as these statements and the last changes take";
    let aside = [mirror.end_capture.as_slice(), &drop_of_view(plan)].concat();
    let sections = vec![
        Section::steps(
            "before it, each in a transaction of its own: what is made anew is filled once more",
            &plan.before_swap,
        ),
        Section::of("", &plan.swap_first),
        Section::of("the capture ends", &aside),
        Section::of("the tables change places", &plan.swap),
        Section::steps("the capture for the way back begins", &mirror.capture_back),
    ];
    Chapter::new(text, sections).under(&plan.swap_locks, plan, &plan.target)
}

fn finish(plan: &MovePlan, mirror: &MirrorSteps) -> Chapter {
    let sections = vec![
        Section::steps("the capture for the way back ends", &mirror.end_capture_back),
        Section::of("`finish`: the old table goes out of the way", &plan.retire),
        Section::of(
            "`finish --drop`, instead: the old table is dropped",
            &plan.drop_parked,
        ),
        Section::of(
            format!(
                "the mirrors' own tables and functions go: {}",
                uncounted(&mirror.drop)
            ),
            &[],
        ),
    ];
    Chapter::new("when you say so, and from then on there is no way back; one transaction of milliseconds, its locks waited for within a budget", sections).under(&plan.finish_locks, plan, &plan.source.name)
}

/// The ways back, until there is none.
pub fn way_back(plan: &MovePlan, mirror: &MirrorSteps) -> Vec<Chapter> {
    let first = [
        mirror.end_capture.as_slice(),
        &drop_of_view(plan),
        &plan.drop_target,
    ]
    .concat();
    let before = vec![
        Section::of("", &first),
        Section::of(
            format!(
                "the mirrors' own tables and functions go: {}",
                uncounted(&mirror.drop)
            ),
            &[],
        ),
    ];
    let after = vec![
        Section::steps(
            "before it, each in a transaction of its own: what the old table has beside it is filled once more",
            &plan.before_swap_back,
        ),
        Section::of("", &plan.swap_first),
        Section::of("the capture ends", &mirror.end_capture_back),
        Section::of("the tables change places again", &plan.swap_back),
    ];
    let text = "after it, until finish: rollback swaps back, with every write since, in one transaction as at the cut-over";
    let before = Chapter::new(
        "before the cut-over: stop or rollback drops what was made, in one transaction of milliseconds; the rows of \
         the old table were never touched",
        before,
    )
    .under(&plan.clean_up_locks, plan, &plan.target);
    if plan.is_one_way {
        let text = "after it: there is none (--one-way); rollback is refused, and the old table has what it had at the cut-over";
        return vec![before, Chapter::new(text, vec![])];
    }
    let mut chapters = vec![
        before,
        Chapter::new(text, after).under(&plan.swap_back_locks, plan, &plan.source.name),
    ];
    if !plan.settle_back.is_empty() {
        let text = "then, each in a transaction of its own";
        chapters.push(Chapter::new(text, vec![Section::of("", &plan.settle_back)]));
    }
    chapters.push(Chapter::new(
        "then the new table is dropped, as before the cut-over",
        vec![],
    ));
    chapters.push(Chapter::new("after finish: there is none", vec![]));
    chapters
}
