//! The plan for a terminal: 80 columns, most important first.

use std::fmt::Write;

use corridor_pg::ident::join;

use super::{Hold, Lock, LockMode, MovePlan, Step};
use crate::estimate::Estimate;

const WIDTH: usize = 80;
/// Statements of one operation that are shown; the JSON form has all.
const STEPS_SHOWN: usize = 30;

/// The plan as text: summary, what stands in the way, what to know, the operations with their statements, the way
/// back. Lines have at most 80 columns unless a word is longer.
pub fn render(plan: &MovePlan) -> String {
    let mut out = String::new();
    paragraph(
        &mut out,
        "",
        &format!("Move {} into {}", plan.source.name, plan.shape),
    );
    out.push('\n');
    summary(plan, &mut out);
    let refusals: Vec<String> = plan
        .refusals
        .iter()
        .map(|r| format!("{}: {}", r.code, title(r)))
        .collect();
    bullets(&mut out, "Refused, because", &refusals);
    bullets(
        &mut out,
        "Somebody with the right to must first run",
        &statements(&plan.missing_grants),
    );
    let lost: Vec<String> = plan.widened.iter().map(|w| w.lost.clone()).collect();
    bullets(&mut out, "Guarantees that are lost", &lost);
    bullets(&mut out, "To know", &plan.warnings);
    operations(plan, &mut out);
    way_back(plan, &mut out);
    out
}

fn title(refusal: &super::Refusal) -> String {
    format!("{}: {}", crate::fault::by_id(&refusal.code).title, refusal.detail)
}

fn statements(statements: &[String]) -> Vec<String> {
    statements.iter().map(|s| format!("{s};")).collect()
}

fn summary(plan: &MovePlan, out: &mut String) {
    let names = |key: &[corridor_mirror::spec::KeyColumn]| join(key.iter().map(|k| &k.name), ", ");
    let e = &plan.estimate;
    let rows = match e.row_estimate {
        rows if rows < 0.0 => "unknown (never analysed)".to_owned(),
        rows => format!("about {}", grouped(rows as i64)),
    };
    let key = match names(&plan.key) == names(&plan.reverse_key) {
        true => names(&plan.key),
        false => format!("{}; afterwards {}", names(&plan.key), names(&plan.reverse_key)),
    };
    let target = match plan.partitions.len() {
        0 => plan.target.to_string(),
        n => format!("{} with {n} partitions", plan.target),
    };
    for (label, text) in [
        ("rows", rows),
        (
            "size",
            format!(
                "{} rows, {} TOAST, {} indexes",
                bytes(e.heap_bytes),
                bytes(e.toast_bytes),
                bytes(e.index_bytes)
            ),
        ),
        ("disk needed", bytes(e.disk_needed_bytes)),
        ("WAL needed", bytes(e.wal_needed_bytes)),
        ("how", Estimate::FORMULA.to_owned()),
        ("key", key),
        ("new table", target),
        (
            "old table",
            format!(
                "{} after the cut-over, {} after finish",
                plan.parked, plan.retired
            ),
        ),
    ] {
        field(out, label, &text);
    }
}

fn operations(plan: &MovePlan, out: &mut String) {
    let columns = join(plan.columns.iter().map(|c| &c.name), ", ");
    let source = &plan.source.name;
    let capture = format!("capture triggers on {source}: SHARE ROW EXCLUSIVE, milliseconds");
    let first = [plan.swap_first.as_slice(), &plan.swap].concat();
    let prepare = [plan.create.as_slice(), &capture_steps(plan)].concat();
    let finish = [
        Lock {
            relation: source.clone(),
            mode: LockMode::AccessExclusive,
        },
        Lock {
            relation: plan.parked.clone(),
            mode: LockMode::AccessExclusive,
        },
    ];
    let operations: [(&str, String, &[Step]); 8] = [
        ("prepare", format!("new tables, empty; {capture}"), &prepare),
        (
            "copy",
            format!("in chunks, throttled, beside the application: {columns}"),
            &[],
        ),
        (
            "index",
            "on the new table; the application does not use it yet".into(),
            &plan.index,
        ),
        (
            "constrain",
            "checks and keys are proven by the source; see cutover and hold".into(),
            &[],
        ),
        (
            "verify",
            "every row of both tables is compared; nothing is locked".into(),
            &[],
        ),
        (
            "cutover",
            format!(
                "one transaction; waits for its locks within a budget, then holds them for as long as these \
                 statements and the last changes take: {}",
                lock_list(&plan.swap_locks)
            ),
            &first,
        ),
        (
            "hold",
            "writes flow back to the old table; until you say finish".into(),
            &plan.settle,
        ),
        (
            "finish",
            format!(
                "the capture ends, and the old table goes out of the way, or is dropped with --drop: {}, milliseconds",
                lock_list(&finish)
            ),
            &plan.retire,
        ),
    ];
    for (number, (name, text, steps)) in operations.iter().enumerate() {
        out.push('\n');
        paragraph(out, "   ", &format!("{}. {name}: {text}", number + 1));
        list_steps(steps, *name != "cutover", out);
    }
}

/// The capture triggers, as the migration with the number n will name them.
fn capture_steps(plan: &MovePlan) -> Vec<Step> {
    let (forward, _) = crate::run::mirrors(plan, "n");
    let lock = Lock {
        relation: plan.source.name.clone(),
        mode: LockMode::ShareRowExclusive,
    };
    forward
        .trigger_statements(&[])
        .into_iter()
        .map(|sql| Step {
            what: "capture".to_owned(),
            sql,
            locks: vec![lock.clone()],
            hold: Hold::Brief,
        })
        .collect()
}

fn way_back(plan: &MovePlan, out: &mut String) {
    out.push_str("\nThe way back\n");
    paragraph(
        out,
        "    ",
        "  before the cut-over: rollback drops the new table; the old one was never changed",
    );
    list_steps(&plan.drop_target, true, out);
    let steps = plan.swap_back.len() + plan.settle_back.len() + plan.swap_first.len();
    let text = format!(
        "  after it, until finish: rollback swaps back, with every write since, in one transaction of {steps} statements \
         under the same locks: {}",
        lock_list(&plan.swap_back_locks)
    );
    paragraph(out, "    ", &text);
    paragraph(out, "    ", "  after finish: there is none");
}

/// Statements, those that differ in their numbers only told once; with their locks when `has_notes`.
fn list_steps(steps: &[Step], has_notes: bool, out: &mut String) {
    let shapes: Vec<String> = steps.iter().map(|step| without_numbers(&step.sql)).collect();
    let mut shown = 0;
    let mut at = 0;
    while at < steps.len() {
        if shown >= STEPS_SHOWN {
            let _ = writeln!(out, "     … {} more statements; --json has all", steps.len() - at);
            return;
        }
        let (group, repeats) = repetition(&shapes[at..]);
        for step in &steps[at..at + group] {
            shown += 1;
            paragraph(out, "       ", &format!("     {};", step.sql));
            if has_notes && !step.locks.is_empty() {
                let hold = match step.hold {
                    Hold::None | Hold::Brief => "milliseconds",
                    Hold::WholeBuild => "while it runs",
                };
                let note = format!("       -- {}: {hold}", lock_list(&step.locks));
                paragraph(out, "       -- ", &note);
            }
        }
        match (group, repeats) {
            (_, 1) => {}
            (1, n) => paragraph(out, "", &format!("       -- and {} more like it", n - 1)),
            (_, n) => paragraph(
                out,
                "",
                &format!("       -- and {} more groups like these {group}", n - 1),
            ),
        }
        at += group * repeats;
    }
}

/// The shortest group of statements at the beginning that comes again at once, and how often it stands there: indexes
/// on partitions are built, attached, built, attached…
fn repetition(shapes: &[String]) -> (usize, usize) {
    const GROUP_MAX: usize = 5;
    for group in 1..=GROUP_MAX.min(shapes.len() / 2) {
        let first = &shapes[..group];
        let repeats = shapes
            .chunks_exact(group)
            .take_while(|chunk| *chunk == first)
            .count();
        if repeats > 1 {
            return (group, repeats);
        }
    }
    (1, 1)
}

fn without_numbers(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    for c in sql.chars() {
        match c.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(c),
        }
    }
    out
}

fn lock_list(locks: &[Lock]) -> String {
    join(
        locks.iter().map(|l| format!("{} on {}", l.mode, l.relation)),
        ", ",
    )
}

fn bullets(out: &mut String, head: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = write!(out, "\n{head}\n");
    for item in items {
        paragraph(out, "    ", &format!("  - {item}"));
    }
}

fn field(out: &mut String, label: &str, text: &str) {
    const INDENT: &str = "                ";
    paragraph(out, INDENT, &format!("  {label:<12}  {text}"));
}

/// Writes `text` broken at blanks into lines of [`WIDTH`] columns; all but the first begin with `indent`. Line ends in
/// the text (a view's definition) stay.
fn paragraph(out: &mut String, indent: &str, text: &str) {
    let mut is_first = true;
    for line in text.lines() {
        let (mut current, body) = match is_first {
            true => {
                let body = line.trim_start();
                (line[..line.len() - body.len()].to_owned(), body)
            }
            // The parenthesis that closes a `create table` stands below its beginning.
            false if line.starts_with(')') => (indent[..indent.len().saturating_sub(2)].to_owned(), line),
            false => (indent.to_owned(), line.trim_start()),
        };
        is_first = false;
        let mut is_empty = true;
        for (gap, word) in words(body) {
            let width = current.chars().count() + gap.len() + word.chars().count();
            if !is_empty && width > WIDTH {
                out.push_str(current.trim_end());
                out.push('\n');
                current = indent.to_owned();
            } else {
                current.push_str(gap);
            }
            current.push_str(word);
            is_empty = false;
        }
        out.push_str(current.trim_end());
        out.push('\n');
    }
}

/// Words with the blanks before them: two blanks inside of a literal stay two as long as the line does not break.
fn words(text: &str) -> Vec<(&str, &str)> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.len() - rest.trim_start_matches(' ').len();
        let end = rest[gap..].find(' ').map_or(rest.len(), |at| gap + at);
        words.push((&rest[..gap], &rest[gap..end]));
        rest = &rest[end..];
    }
    words
}

fn bytes(n: i64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{n} bytes"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

/// 1234567 as `1,234,567`.
fn grouped(n: i64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) && c.is_ascii_digit() {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests;
