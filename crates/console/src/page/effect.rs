//! What a dialog says before somebody says yes: what will happen, which locks, what is written, what becomes of the tables,
//! and whether it can be taken back. Pure.

use corridor_migration::words::number::millis;
use corridor_migration::{StateName, Verb};
use corridor_move::plan::{Lock, MovePlan};

use crate::read::one::One;

/// Something that can be asked for on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A verb of every migration.
    Verb(Verb),
    /// Saying that it need not be done here.
    Skip,
    /// Saying what became of an operation whose end nobody knows.
    Settle,
    /// Changing a setting.
    Set,
}

impl Deed {
    /// As it stands in the address.
    pub(crate) fn parse(text: &str) -> Option<Deed> {
        match text {
            "skip" => Some(Deed::Skip),
            "settle" => Some(Deed::Settle),
            "set" => Some(Deed::Set),
            _ => Verb::ALL
                .into_iter()
                .find(|verb| verb.as_str() == text)
                .map(Deed::Verb),
        }
    }

    /// The same.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Deed::Verb(verb) => verb.as_str(),
            Deed::Skip => "skip",
            Deed::Settle => "settle",
            Deed::Set => "set",
        }
    }
}

/// What may be asked for now, the most likely first.
pub(crate) fn deeds(one: &One) -> Vec<Deed> {
    const ORDER: [Verb; 8] = [
        Verb::Start,
        Verb::Cutover,
        Verb::Finish,
        Verb::Resume,
        Verb::Verify,
        Verb::Pause,
        Verb::Rollback,
        Verb::Stop,
    ];
    let status = &one.status;
    // One of a person's own has no tables to compare or to swap.
    let has_sense = |verb: &Verb| !one.is_data() || !matches!(verb, Verb::Verify | Verb::Cutover);
    let mut deeds: Vec<Deed> = ORDER
        .into_iter()
        .filter(|verb| status.allowed.contains(verb) && has_sense(verb))
        // What has not begun cannot go back; `skip` and `stop` are there.
        .filter(|verb| !(status.state == StateName::Planned && *verb == Verb::Rollback))
        .map(Deed::Verb)
        .collect();
    if !one.unsettled().is_empty() {
        deeds.insert(0, Deed::Settle);
    }
    if one.is_data() && status.state == StateName::Planned {
        deeds.push(Deed::Skip);
    }
    if !status.state.is_final() {
        deeds.push(Deed::Set);
    }
    deeds
}

/// The word on the button.
pub(crate) fn button(deed: Deed, one: &One) -> &'static str {
    match deed {
        Deed::Verb(Verb::Start) => "Start",
        Deed::Verb(Verb::Resume) => "Resume",
        Deed::Verb(Verb::Pause) => "Pause",
        Deed::Verb(Verb::Stop) if one.status.state == StateName::Planned => "Put aside",
        Deed::Verb(Verb::Stop) => "Stop",
        Deed::Verb(Verb::Verify) => "Verify",
        Deed::Verb(Verb::Cutover) => "Cut over",
        Deed::Verb(Verb::Rollback) if is_begun_and_before(one) => "Stop and roll back",
        Deed::Verb(Verb::Rollback) => "Roll back",
        Deed::Verb(Verb::Finish) => "Finish",
        Deed::Skip => "Skip",
        Deed::Settle => "Settle",
        Deed::Set => "Set",
    }
}

/// How the button stands out: `main`, `danger`, or plain.
pub(crate) fn class(deed: Deed) -> &'static str {
    match deed {
        Deed::Verb(Verb::Start | Verb::Resume | Verb::Cutover) | Deed::Settle => "main",
        Deed::Verb(Verb::Stop | Verb::Rollback | Verb::Finish) => "danger",
        _ => "",
    }
}

fn is_begun_and_before(one: &One) -> bool {
    matches!(
        one.status.state,
        StateName::Running | StateName::Paused | StateName::Failed | StateName::CuttingOver
    ) && !is_after(one)
}

/// The cut-over has been, or everything is done.
fn is_after(one: &One) -> bool {
    one.status.side == Some(corridor_migration::Side::AfterCutover)
}

/// What will happen, label and text.
pub(crate) fn effects(deed: Deed, one: &One) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    match (&one.move_plan, deed) {
        (_, Deed::Skip) => {
            said.push(("What happens", "It counts as done here without having run, for the gate and for what depends on it. Nothing of it is executed.".to_owned()));
            said.push(("Locks", NONE.to_owned()));
            said.push(("The way back", "None: one that was skipped cannot be started. Only skip what this database certainly does not need.".to_owned()));
        }
        (_, Deed::Settle) => {
            said.push(("What happens", "A worker ended while this operation was being carried out, and nobody can see from here whether it took place. You have looked, and say it. \"Done\" goes on with the next operation; \"not done\" carries it out again.".to_owned()));
            said.push(("Locks", NONE.to_owned()));
            said.push((
                "What is written",
                "Your answer and your name, in the journal. `resume` takes the work up afterwards."
                    .to_owned(),
            ));
            said.push((
                "The way back",
                "None: a wrong answer leaves something out or does it twice.".to_owned(),
            ));
        }
        (_, Deed::Set) => {
            said.push(("What happens", "A living worker reads it with its next sample, within about a second. One that starts later begins with it.".to_owned()));
            said.push(("Locks", NONE.to_owned()));
            said.push((
                "The way back",
                "Set it again, or give it its default back.".to_owned(),
            ));
        }
        (_, Deed::Verb(Verb::Pause)) => {
            said.push(("What happens", "The worker ends what it is in the middle of (a chunk, a batch: about half a second), checkpoints, and leaves. Nothing is lost; `resume` goes on from there.".to_owned()));
            if one.move_plan.is_some() {
                said.push(("Meanwhile", "The capture stays on: the application's writes are still noted in the change log, which grows until somebody resumes.".to_owned()));
            }
            said.push(("Locks", NONE.to_owned()));
            said.push(("The way back", "Resume.".to_owned()));
        }
        (_, Deed::Verb(Verb::Resume)) => {
            said.push((
                "What happens",
                format!("A worker takes it up where it is: {}.", resumed(one)),
            ));
            said.push((
                "Locks",
                "Those of the operations that follow; the tab Plan has each.".to_owned(),
            ));
            said.push(("The way back", "Pause, at any time.".to_owned()));
        }
        (Some(plan), Deed::Verb(verb)) => of_move(verb, plan, one, &mut said),
        (None, Deed::Verb(verb)) => of_data(verb, one, &mut said),
    }
    said
}

const NONE: &str = "None that the application could meet.";

fn resumed(one: &One) -> String {
    let course = one
        .status
        .state_detail
        .get("course")
        .and_then(|course| course.as_str());
    match course {
        Some("swap_back" | "clean_up") => "it goes on rolling back".to_owned(),
        Some("stop") => "it goes on stopping".to_owned(),
        Some("finish") => "it goes on finishing".to_owned(),
        _ => match &one.status.current_operation {
            Some(operation) => format!("operation {operation}"),
            None => "the first operation".to_owned(),
        },
    }
}

/// `access exclusive on public.persons`, one for each; long lists are counted.
fn locks(locks: &[Lock]) -> String {
    const NAMED_MAX: usize = 6;
    let mut named: Vec<String> = locks
        .iter()
        .take(NAMED_MAX)
        .map(|lock| format!("{} on {}", lock.mode, lock.relation))
        .collect();
    if locks.len() > NAMED_MAX {
        named.push(format!("and {} more", locks.len() - NAMED_MAX));
    }
    match named.is_empty() {
        true => NONE.to_owned(),
        false => named.join(", "),
    }
}

fn of_move(verb: Verb, plan: &MovePlan, one: &One, said: &mut Vec<(&'static str, String)>) {
    let source = &plan.source.name;
    let setting = |key: &str| {
        let found = one.status.settings.iter().find(|setting| setting.key == key);
        found.map_or(String::new(), |setting| setting.value.clone())
    };
    let budget = setting("cutover.lock_budget_ms")
        .parse()
        .map_or_else(|_| "a budget".to_owned(), millis);
    match verb {
        Verb::Start => {
            said.push(("What happens", format!("A new table {} is made, empty; triggers on {source} note which rows change; then every row is copied in chunks, throttled, while the application goes on. It comes to a halt before the cut-over, and waits for you.", plan.target)));
            said.push(("Locks", format!("share row exclusive on {source} for milliseconds, for the triggers: writers wait for it, readers do not. It is waited for at most 100 ms at a time.")));
            said.push((
                "What is written",
                format!(
                    "About {} on disk and {} of WAL.",
                    size(plan.estimate.disk_needed_bytes),
                    size(plan.estimate.wal_needed_bytes)
                ),
            ));
            said.push((
                "The old table",
                format!("{source} stays as it is and in use; none of its rows is touched."),
            ));
            said.push((
                "The way back",
                "Stop, at any time before the cut-over: what was made is dropped.".to_owned(),
            ));
            if setting("cutover.auto") == "on" {
                said.push((
                    "Careful",
                    "`cutover.auto` is on: it cuts over by itself as soon as it is ready.".to_owned(),
                ));
            }
        }
        Verb::Cutover => {
            said.push(("What happens", format!("The last changes are carried over, and {source} and the new table change places, in one transaction. If the locks are not free within their budget it steps back, lets everybody through, and tries again, at most {} times.", setting("cutover.attempts"))));
            said.push(("Locks", format!("{}; each try waits at most {budget}, and everybody who comes to the table meanwhile waits as long.", locks(&plan.swap_locks))));
            said.push((
                "The old table",
                match plan.is_one_way {
                    false => format!(
                        "It becomes {}, and every later write flows back to it, until you finish.",
                        plan.parked
                    ),
                    true => format!(
                        "It becomes {}, as it was at this moment: nothing flows back to it.",
                        plan.parked
                    ),
                },
            ));
            said.push((
                "The way back",
                match plan.is_one_way {
                    false => "Roll back, at any time until you finish: it loses no write.".to_owned(),
                    true => "None: this move is one way.".to_owned(),
                },
            ));
        }
        Verb::Verify => {
            said.push(("What happens", match is_after(one) {
                false => "Every row of the new table is compared with the old one, range by range, each in one snapshot. What differs is repaired and compared again.".to_owned(),
                true => "Every row of the old table is compared with the new one, range by range, each in one snapshot.".to_owned(),
            }));
            said.push((
                "Locks",
                "access share on both tables: nobody waits. It reads both once, throttled.".to_owned(),
            ));
            said.push(("The way back", "It only looks; pause ends it.".to_owned()));
        }
        Verb::Rollback if is_after(one) => {
            said.push(("What happens", format!("The tables change places again, in one transaction, with every write since the cut-over; then {} is dropped.", plan.target)));
            said.push((
                "Locks",
                format!(
                    "{}; each try waits at most {budget}.",
                    locks(&plan.swap_back_locks)
                ),
            ));
            said.push(("The old table", format!("It is {source} again.")));
            said.push((
                "The way back",
                "None: the new table is dropped, and another move begins from the first row.".to_owned(),
            ));
        }
        Verb::Stop | Verb::Rollback => {
            if one.status.state == StateName::Planned {
                said.push((
                    "What happens",
                    "Nothing has begun: the plan is put aside for good, and stays in the list.".to_owned(),
                ));
                said.push(("Locks", NONE.to_owned()));
            } else {
                said.push(("What happens", format!("Work ends. The triggers on {source}, the new table {} with all that was copied, and the mirror's own tables are dropped, in one transaction of milliseconds.", plan.target)));
                said.push((
                    "Locks",
                    format!("{}, waited for within a budget.", locks(&plan.clean_up_locks)),
                ));
                said.push((
                    "The old table",
                    format!("{source} is as it was; its rows were never touched."),
                ));
            }
            said.push((
                "The way back",
                "None: another move has to copy from the first row.".to_owned(),
            ));
        }
        Verb::Finish => {
            said.push(("What happens", "Writes do not flow back any more: the capture for the way back ends, and the mirrors' own tables are dropped, in one transaction of milliseconds.".to_owned()));
            said.push((
                "Locks",
                format!("{}, waited for within a budget.", locks(&plan.finish_locks)),
            ));
            said.push(("The old table", format!("Retired, it is kept as {}, out of the application's way; dropped, it is gone with its rows.", plan.retired)));
            said.push((
                "The way back",
                "None from here on. Nothing can roll this move back afterwards.".to_owned(),
            ));
        }
        Verb::Pause | Verb::Resume => {}
    }
}

fn of_data(verb: Verb, one: &One, said: &mut Vec<(&'static str, String)>) {
    let begun = one
        .status
        .operations
        .iter()
        .filter(|operation| operation.attempts > 0)
        .count();
    match verb {
        Verb::Start => {
            said.push(("What happens", format!("Whether it is needed here and can begin is asked first; when it is not needed, it is done without having run. Then the parameters are put in, the plan is frozen, and {} in their order.", counted(one.status.operations.len()))));
            said.push(("Locks", "Each operation's own; the tab Plan has them.".to_owned()));
            said.push(("The way back", "Stop leaves what is done; roll back takes the operations back, the newest first, where each can be.".to_owned()));
        }
        Verb::Stop if one.status.state == StateName::Planned => {
            said.push((
                "What happens",
                "Nothing has begun: it is put aside. Adding its file again makes it ready anew.".to_owned(),
            ));
            said.push(("Locks", NONE.to_owned()));
            said.push((
                "The gate",
                "It still counts as not done. Skip it, when this database does not need it.".to_owned(),
            ));
        }
        Verb::Stop => {
            said.push(("What happens", "The worker ends its batch and leaves for good. What is done stays as it is: nothing is taken back.".to_owned()));
            said.push(("Locks", NONE.to_owned()));
            said.push((
                "The way back",
                "None for this run; adding its file again makes it ready anew, from its first operation."
                    .to_owned(),
            ));
        }
        Verb::Rollback => {
            said.push(("What happens", format!("The operations that were begun ({begun}) are taken back, the newest first. It is refused before anything is undone, when one of them cannot be.")));
            said.push((
                "Locks",
                "Those of the statements that take it back; the tab Plan has each under \"way back\"."
                    .to_owned(),
            ));
            said.push((
                "The way back",
                "None: afterwards it can be started from the beginning, when its file is added again."
                    .to_owned(),
            ));
        }
        Verb::Finish => {
            said.push((
                "What happens",
                "What is done is kept for good, and the migration is over. Tables that an operation of it has moved are finished with \
                 it: the old ones go to the schema corridor_retired."
                    .to_owned(),
            ));
            said.push((
                "Locks",
                "None that the application could meet, save of moved tables: a moment's access exclusive within the lock budget."
                    .to_owned(),
            ));
            said.push((
                "The way back",
                "None from here on: it cannot be rolled back any more.".to_owned(),
            ));
        }
        _ => {}
    }
}

fn counted(operations: usize) -> String {
    match operations {
        1 => "one operation follows,".to_owned(),
        n => format!("{n} operations follow,"),
    }
}

fn size(bytes: i64) -> String {
    corridor_migration::words::number::bytes(bytes.max(0).unsigned_abs())
}
