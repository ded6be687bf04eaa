//! The plan for a terminal: 80 columns, most important first.

use std::fmt::Write;

use corridor_pg::ident::join;

use super::{Hold, Lock, MovePlan, Step};
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
    let operations: [(&str, String, &[Step]); 8] = [
        ("prepare", format!("new tables, empty; {capture}"), &plan.create),
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
                "one transaction; waits for its locks within a budget: {}",
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
            "the old table goes out of the way, or is dropped with --drop".into(),
            &plan.retire,
        ),
    ];
    for (number, (name, text, steps)) in operations.iter().enumerate() {
        out.push('\n');
        paragraph(out, "   ", &format!("{}. {name}: {text}", number + 1));
        list_steps(steps, *name != "cutover", out);
    }
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
mod tests {
    use super::*;
    use crate::carry::sample::{self, id};
    use crate::plan::make::tests::input;
    use crate::plan::{PlanInput, plan};
    use crate::preflight::{Bound, Spread};
    use crate::shape::{Every, Shape, TimeUnit};

    fn shown(input: &PlanInput) -> String {
        let text = render(&plan(input).unwrap());
        for line in text.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        text
    }

    #[test]
    fn a_composite_hash() {
        let mut input = input();
        input.table.indexes = vec![
            sample::primary_key(&["team_id", "id"]),
            sample::index(102, "persons_name_idx", &["name"]),
        ];
        insta::assert_snapshot!(shown(&input), @r#"
        Move public.persons into 2 partitions by hash of (team_id)

          rows          about 1,000
          size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
          disk needed   154.0 MB
          WAL needed    171.0 MB
          how           disk = heap + TOAST + indexes, and 10 % for the change log and
                        free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                        and its headers) + indexes x 1.05
          key           team_id, id
          new table     public.persons__c_new_t with 2 partitions
          old table     public.persons__c_old_t after the cut-over,
                        corridor_retired.persons__c_old_t after finish

        To know
          - a query that does not say team_id looks into all 2 partitions

        1. prepare: new tables, empty; capture triggers on public.persons: SHARE ROW
           EXCLUSIVE, milliseconds
             create table public.persons__c_new_t (
               id bigint not null,
               team_id integer not null,
               name text
             ) partition by hash (team_id);
             alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
               primary key (team_id, id);
             create table public.persons_p0 partition of public.persons__c_new_t for
               values with (modulus 2, remainder 0) using heap;
               -- and 1 more like it

        2. copy: in chunks, throttled, beside the application: id, team_id, name

        3. index: on the new table; the application does not use it yet
             create index persons_name_idx__c_new_t on only public.persons__c_new_t
               USING btree (name);
               -- SHARE on public.persons__c_new_t: milliseconds
             create index persons_name_idx_p0 on public.persons_p0 USING btree (name);
               -- SHARE on public.persons_p0: while it runs
             alter index public.persons_name_idx__c_new_t attach partition
               public.persons_name_idx_p0;
               -- and 1 more groups like these 2

        4. constrain: checks and keys are proven by the source; see cutover and hold

        5. verify: every row of both tables is compared; nothing is locked

        6. cutover: one transaction; waits for its locks within a budget: ACCESS
           EXCLUSIVE on public.persons, ACCESS EXCLUSIVE on public.persons__c_new_t
             alter index public.persons_pkey rename to persons_pkey__c_old_t;
             alter index public.persons_name_idx rename to persons_name_idx__c_old_t;
             alter table public.persons rename to persons__c_old_t;
             alter table public.persons__c_new_t rename to persons;
             alter index public.persons_pkey__c_new_t rename to persons_pkey;
             alter index public.persons_name_idx__c_new_t rename to persons_name_idx;

        7. hold: writes flow back to the old table; until you say finish

        8. finish: the old table goes out of the way, or is dropped with --drop
             do $$ begin if to_regnamespace('corridor_retired') is null then create
               schema corridor_retired; end if; end $$;
             alter table public.persons__c_old_t set schema corridor_retired;

        The way back
          before the cut-over: rollback drops the new table; the old one was never
            changed
             drop table if exists public.persons__c_new_t;
          after it, until finish: rollback swaps back, with every write since, in one
            transaction of 6 statements under the same locks: ACCESS EXCLUSIVE on
            public.persons, ACCESS EXCLUSIVE on public.persons__c_old_t
          after finish: there is none
        "#);
    }

    #[test]
    fn a_widened_key_that_nobody_accepted() {
        let mut input = input();
        input.accepts_key_widening = false;
        input.facts.missing_grants = vec!["grant create on schema public to boss".into()];
        insta::assert_snapshot!(shown(&input).split("\n1. ").next().unwrap(), @r#"
        Move public.persons into 2 partitions by hash of (team_id)

          rows          about 1,000
          size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
          disk needed   154.0 MB
          WAL needed    171.0 MB
          how           disk = heap + TOAST + indexes, and 10 % for the change log and
                        free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                        and its headers) + indexes x 1.05
          key           id; afterwards id, team_id
          new table     public.persons__c_new_t with 2 partitions
          old table     public.persons__c_old_t after the cut-over,
                        corridor_retired.persons__c_old_t after finish

        Refused, because
          - MOV-025: a unique key would have to take in the partition columns:
            persons_pkey guarantees today that no two rows have the same (id);
            afterwards only that no two have the same (id, team_id): two rows with the
            same (id) and different (team_id) become possible

        Somebody with the right to must first run
          - grant create on schema public to boss;

        Guarantees that are lost
          - persons_pkey guarantees today that no two rows have the same (id);
            afterwards only that no two have the same (id, team_id): two rows with the
            same (id) and different (team_id) become possible

        To know
          - a query that does not say team_id looks into all 2 partitions
        "#);
    }

    #[test]
    fn a_range_by_month() {
        let mut input = input();
        input.table.indexes = vec![sample::primary_key(&["id", "at"])];
        input
            .table
            .columns
            .push(sample::column(2, "at", "timestamp with time zone", 1184));
        let every = Every::Time {
            count: 1,
            unit: TimeUnit::Month,
        };
        input.shape = Shape::Range {
            column: id("at"),
            every,
            ahead: 1,
            has_default_partition: true,
        };
        let bound = |from: &str, to: &str| Bound {
            lower: Some(format!("{from}-01 00:00:00+00")),
            upper: Some(format!("{to}-01 00:00:00+00")),
            suffix: format!("p{}", from.replace('-', "_")),
        };
        input.spread = Spread::Range {
            bounds: vec![bound("2026-10", "2026-11"), bound("2026-11", "2026-12")],
            lowest: None,
            highest: None,
        };
        insta::assert_snapshot!(shown(&input), @r#"
        Move public.persons into partitions by range of at, one for every 1 month

          rows          about 1,000
          size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
          disk needed   154.0 MB
          WAL needed    171.0 MB
          how           disk = heap + TOAST + indexes, and 10 % for the change log and
                        free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                        and its headers) + indexes x 1.05
          key           id, at
          new table     public.persons__c_new_t with 3 partitions
          old table     public.persons__c_old_t after the cut-over,
                        corridor_retired.persons__c_old_t after finish

        To know
          - a query that does not say at looks into all 3 partitions

        1. prepare: new tables, empty; capture triggers on public.persons: SHARE ROW
           EXCLUSIVE, milliseconds
             create table public.persons__c_new_t (
               id bigint not null,
               team_id integer not null,
               name text,
               at timestamp with time zone not null
             ) partition by range (at);
             alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
               primary key (id, at);
             create table public.persons_p2026_10 partition of public.persons__c_new_t
               for values from ('2026-10-01 00:00:00+00') to ('2026-11-01 00:00:00+00')
               using heap;
               -- and 1 more like it
             create table public.persons_default partition of public.persons__c_new_t
               default using heap;

        2. copy: in chunks, throttled, beside the application: id, team_id, name, at

        3. index: on the new table; the application does not use it yet

        4. constrain: checks and keys are proven by the source; see cutover and hold

        5. verify: every row of both tables is compared; nothing is locked

        6. cutover: one transaction; waits for its locks within a budget: ACCESS
           EXCLUSIVE on public.persons, ACCESS EXCLUSIVE on public.persons__c_new_t
             alter index public.persons_pkey rename to persons_pkey__c_old_t;
             alter table public.persons rename to persons__c_old_t;
             alter table public.persons__c_new_t rename to persons;
             alter index public.persons_pkey__c_new_t rename to persons_pkey;

        7. hold: writes flow back to the old table; until you say finish

        8. finish: the old table goes out of the way, or is dropped with --drop
             do $$ begin if to_regnamespace('corridor_retired') is null then create
               schema corridor_retired; end if; end $$;
             alter table public.persons__c_old_t set schema corridor_retired;

        The way back
          before the cut-over: rollback drops the new table; the old one was never
            changed
             drop table if exists public.persons__c_new_t;
          after it, until finish: rollback swaps back, with every write since, in one
            transaction of 4 statements under the same locks: ACCESS EXCLUSIVE on
            public.persons, ACCESS EXCLUSIVE on public.persons__c_old_t
          after finish: there is none
        "#);
    }

    #[test]
    fn a_list() {
        let mut input = input();
        input.table.indexes = vec![sample::primary_key(&["id", "name"])];
        input.table.columns[2].is_not_null = true;
        input.shape = Shape::List {
            column: id("name"),
            has_default_partition: false,
        };
        input.spread = Spread::List {
            values: vec!["de".into(), "fr".into()],
        };
        insta::assert_snapshot!(shown(&input).split("\n2. ").next().unwrap(), @r#"
        Move public.persons into partitions by list of name, one for every value

          rows          about 1,000
          size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
          disk needed   154.0 MB
          WAL needed    171.0 MB
          how           disk = heap + TOAST + indexes, and 10 % for the change log and
                        free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                        and its headers) + indexes x 1.05
          key           id, name
          new table     public.persons__c_new_t with 2 partitions
          old table     public.persons__c_old_t after the cut-over,
                        corridor_retired.persons__c_old_t after finish

        To know
          - a query that does not say name looks into all 2 partitions
          - rows with a value of name that is not there today will be refused: make a
            partition for each new value in time, or use --default-partition

        1. prepare: new tables, empty; capture triggers on public.persons: SHARE ROW
           EXCLUSIVE, milliseconds
             create table public.persons__c_new_t (
               id bigint not null,
               team_id integer not null,
               name text not null
             ) partition by list (name);
             alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
               primary key (id, name);
             create table public.persons_p_de partition of public.persons__c_new_t for
               values in ('de') using heap;
             create table public.persons_p_fr partition of public.persons__c_new_t for
               values in ('fr') using heap;
        "#);
    }

    #[test]
    fn the_same_shape() {
        let mut input = input();
        input.shape = Shape::Same;
        input.table.row_estimate = -1.0;
        insta::assert_snapshot!(shown(&input), @r#"
        Move public.persons into the same shape, written anew

          rows          unknown (never analysed)
          size          80.0 MB rows, 40.0 MB TOAST, 20.0 MB indexes
          disk needed   154.0 MB
          WAL needed    171.0 MB
          how           disk = heap + TOAST + indexes, and 10 % for the change log and
                        free space; WAL = 1.25 x (heap + TOAST) for the copy (a full row
                        and its headers) + indexes x 1.05
          key           id
          new table     public.persons__c_new_t
          old table     public.persons__c_old_t after the cut-over,
                        corridor_retired.persons__c_old_t after finish

        1. prepare: new tables, empty; capture triggers on public.persons: SHARE ROW
           EXCLUSIVE, milliseconds
             create table public.persons__c_new_t (
               id bigint not null,
               team_id integer not null,
               name text
             ) using heap;
             alter table public.persons__c_new_t add constraint persons_pkey__c_new_t
               primary key (id);

        2. copy: in chunks, throttled, beside the application: id, team_id, name

        3. index: on the new table; the application does not use it yet

        4. constrain: checks and keys are proven by the source; see cutover and hold

        5. verify: every row of both tables is compared; nothing is locked

        6. cutover: one transaction; waits for its locks within a budget: ACCESS
           EXCLUSIVE on public.persons, ACCESS EXCLUSIVE on public.persons__c_new_t
             alter index public.persons_pkey rename to persons_pkey__c_old_t;
             alter table public.persons rename to persons__c_old_t;
             alter table public.persons__c_new_t rename to persons;
             alter index public.persons_pkey__c_new_t rename to persons_pkey;

        7. hold: writes flow back to the old table; until you say finish

        8. finish: the old table goes out of the way, or is dropped with --drop
             do $$ begin if to_regnamespace('corridor_retired') is null then create
               schema corridor_retired; end if; end $$;
             alter table public.persons__c_old_t set schema corridor_retired;

        The way back
          before the cut-over: rollback drops the new table; the old one was never
            changed
             drop table if exists public.persons__c_new_t;
          after it, until finish: rollback swaps back, with every write since, in one
            transaction of 4 statements under the same locks: ACCESS EXCLUSIVE on
            public.persons, ACCESS EXCLUSIVE on public.persons__c_old_t
          after finish: there is none
        "#);
    }

    #[test]
    fn groups_are_told_once() {
        let shapes = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(repetition(&shapes(&["a", "a", "a", "b"])), (1, 3));
        assert_eq!(repetition(&shapes(&["a", "b", "a", "b", "c"])), (2, 2));
        assert_eq!(repetition(&shapes(&["a", "b", "c"])), (1, 1));
        assert_eq!(repetition(&shapes(&["a"])), (1, 1));
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(
            (bytes(999).as_str(), bytes(80 << 20).as_str()),
            ("999 bytes", "80.0 MB")
        );
        assert_eq!(
            (grouped(999), grouped(1_234_567)),
            ("999".into(), "1,234,567".into())
        );
    }
}
