//! The plan for a terminal: 80 columns, most important first.

use std::fmt::Write;

use corridor_pg::QualifiedName;
use corridor_pg::ident::join;

use super::outline::{self, Chapter};
use super::{Hold, Lock, MirrorSteps, MovePlan, Step};
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
    for (label, text) in facts(plan) {
        field(&mut out, label, &text);
    }
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
    // A widening that nobody accepted has been said above.
    if !plan
        .refusals
        .iter()
        .any(|r| r.code == crate::fault::KEY_WIDENING.id)
    {
        let lost: Vec<String> = plan.widened.iter().map(|w| w.lost.clone()).collect();
        bullets(&mut out, "Guarantees that are lost", &lost);
    }
    bullets(&mut out, "To know", &plan.warnings);
    let mirror = plan.mirror_steps();
    operations(plan, &mirror, &mut out);
    way_back(plan, &mirror, &mut out);
    out
}

fn title(refusal: &super::Refusal) -> String {
    format!("{}: {}", crate::fault::by_id(&refusal.code).title, refusal.detail)
}

fn statements(statements: &[String]) -> Vec<String> {
    statements.iter().map(|s| format!("{s};")).collect()
}

/// What the plan comes to, label and text: rows, sizes, disk and WAL, key, names.
pub fn facts(plan: &MovePlan) -> Vec<(&'static str, String)> {
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
    vec![
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
    ]
}

fn operations(plan: &MovePlan, mirror: &MirrorSteps, out: &mut String) {
    for (number, (name, chapter)) in outline::operations(plan, mirror).iter().enumerate() {
        out.push('\n');
        let head = format!(
            "{}. {name}: {}",
            number + 1,
            with_locks(&chapter.text, &chapter.locks, &chapter.partitioned)
        );
        paragraph(out, "   ", &head);
        sections(chapter, out);
    }
}

fn way_back(plan: &MovePlan, mirror: &MirrorSteps, out: &mut String) {
    out.push_str("\nThe way back\n");
    for chapter in outline::way_back(plan, mirror) {
        let head = format!(
            "  {}",
            with_locks(&chapter.text, &chapter.locks, &chapter.partitioned)
        );
        paragraph(out, "    ", &head);
        sections(&chapter, out);
    }
}

fn sections(chapter: &Chapter, out: &mut String) {
    for section in &chapter.sections {
        if !section.text.is_empty() {
            let mut text = with_locks(&section.text, &section.locks, &section.partitioned);
            if !section.locks.is_empty() {
                text.push_str("; milliseconds");
            }
            paragraph(out, "     ", &format!("   - {text}"));
        }
        list_steps(
            &section.steps,
            &[chapter.locks.as_slice(), &section.locks].concat(),
            out,
        );
    }
}

/// `text` with the locks behind it. `partitioned` are the tables among them whose partitions are locked with them.
pub fn with_locks(text: &str, locks: &[Lock], partitioned: &[QualifiedName]) -> String {
    let one = |lock: &Lock| match partitioned.contains(&lock.relation) {
        true => format!("{} on {} and its partitions", lock.mode, lock.relation),
        false => format!("{} on {}", lock.mode, lock.relation),
    };
    match locks {
        [] => text.to_owned(),
        locks => format!("{text}: {}", join(locks.iter().map(one), ", ")),
    }
}

/// Statements as [`fold`] groups them; with their locks, unless those are `held` for all of
/// them.
fn list_steps(steps: &[Step], held: &[Lock], out: &mut String) {
    let mut shown = 0;
    let mut at = 0;
    for (group, repeats) in fold(steps) {
        if shown >= STEPS_SHOWN {
            let _ = writeln!(out, "     … {} more statements; --json has all", steps.len() - at);
            return;
        }
        for step in group {
            shown += 1;
            paragraph(out, "       ", &format!("     {};", step.sql));
            if held.is_empty() && !step.locks.is_empty() {
                let hold = match step.hold {
                    Hold::None | Hold::Brief => "milliseconds",
                    Hold::WholeBuild => "while it runs",
                };
                let note = format!("       -- {}: {hold}", lock_list(&step.locks));
                paragraph(out, "       -- ", &note);
            }
        }
        if let Some(note) = repeated(group.len(), repeats) {
            paragraph(out, "", &format!("       -- {note}"));
        }
        at += group.len() * repeats;
    }
}

/// What is said behind a group of statements that comes again: `and 63 more like it`.
pub fn repeated(group: usize, repeats: usize) -> Option<String> {
    match (group, repeats) {
        (_, 1) => None,
        (1, n) => Some(format!("and {} more like it", n - 1)),
        (_, 2) => Some(format!("and 1 more group like these {group}")),
        (_, n) => Some(format!("and {} more groups like these {group}", n - 1)),
    }
}

/// Groups of statements that differ in their numbers only, each told once, and how often it comes.
pub fn fold(steps: &[Step]) -> Vec<(&[Step], usize)> {
    let shapes: Vec<String> = steps.iter().map(|step| without_numbers(&step.sql)).collect();
    let mut folded = Vec::new();
    let mut at = 0;
    while at < steps.len() {
        let (group, repeats) = repetition(&shapes[at..]);
        folded.push((&steps[at..at + group], repeats));
        at += group * repeats;
    }
    folded
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
            let width = columns(&current) + gap.len() + columns(word);
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

/// The columns that a text takes on a terminal: ideographs, Hangul, full-width forms and emoji take two.
fn columns(text: &str) -> usize {
    let is_wide = |c: char| {
        matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
            | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{1f300}'..='\u{1faff}'
            | '\u{20000}'..='\u{3fffd}')
    };
    text.chars().map(|c| 1 + usize::from(is_wide(c))).sum()
}

/// Words with the blanks before them: two blanks inside of a literal stay two as long as the line does not break. A
/// quoted name is one word, or the statement could not be copied from where it is shown.
fn words(text: &str) -> Vec<(&str, &str)> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let gap = rest.len() - rest.trim_start_matches(' ').len();
        let end = gap + word_end(&rest[gap..]);
        words.push((&rest[..gap], &rest[gap..end]));
        rest = &rest[end..];
    }
    words
}

/// The first blank outside of double quotes; a quote that nobody closes is none.
fn word_end(text: &str) -> usize {
    let mut is_quoted = false;
    let mut first = None;
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            ' ' if !is_quoted => return at,
            ' ' => first = first.or(Some(at)),
            _ => {}
        }
    }
    if is_quoted { first } else { None }.unwrap_or(text.len())
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
