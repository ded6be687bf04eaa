//! The key space as it fills up: a row for each lane of a copy, a field for each part of a backfill's list.

use std::fmt::Write;

use corridor_migration::words::number::grouped;
use corridor_move::run::gauge::Gauge;

use crate::read::grid::{Backfill, CELLS_MAX, Cell};

/// Most fields of one lane; fewer where there are many lanes, so that the picture stays small.
const LANE_FIELDS_MAX: i64 = 48;
/// Fields of one row of a list.
const ROW_FIELDS: usize = 40;
/// Width and height of a field.
const FIELD: i64 = 12;

/// A grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) title: String,
    /// An SVG, made from numbers alone.
    pub(crate) picture: String,
    pub(crate) words: String,
}

/// The lanes of a copy. How much a lane will have is an estimate: the rows expected, spread evenly.
pub(crate) fn lanes(gauge: &Gauge) -> Option<Grid> {
    if gauge.lanes.is_empty() {
        return None;
    }
    let expected = (gauge.rows_estimate / gauge.lanes.len() as i64).max(1);
    let lanes = gauge.lanes.len() as i64;
    let in_lane = (CELLS_MAX / lanes).clamp(4, LANE_FIELDS_MAX);
    let height = lanes * FIELD;
    let mut picture = open(in_lane * FIELD, height, "key ranges that are copied");
    for (place, lane) in gauge.lanes.iter().enumerate() {
        let y = place as i64 * FIELD;
        // A lane that has more rows than expected is not full before its end.
        let fields = match lane.is_done {
            true => in_lane,
            false => (lane.rows.max(0) * in_lane / expected).clamp(0, in_lane - 1),
        };
        for field in 0..in_lane {
            let class = match field {
                field if field < fields => "f",
                field if field == fields && !lane.is_done && lane.rows > 0 => "p",
                _ => "e",
            };
            rect(&mut picture, field * FIELD, y, class);
        }
    }
    picture.push_str("</svg>");
    let done = gauge.lanes.iter().filter(|lane| lane.is_done).count();
    Some(Grid {
        title: "Key ranges".to_owned(),
        picture,
        words: format!(
            "{done} of {} lanes are copied to their end; each row is a range of the key",
            gauge.lanes.len()
        ),
    })
}

/// The list of a backfill.
pub(crate) fn list(backfill: &Backfill) -> Grid {
    let rows = backfill.cells.len().div_ceil(ROW_FIELDS).max(1) as i64;
    let columns = backfill.cells.len().clamp(1, ROW_FIELDS) as i64;
    let mut picture = open(columns * FIELD, rows * FIELD, "parts of the list that are done");
    for (place, cell) in backfill.cells.iter().enumerate() {
        let class = match cell {
            Cell::Done => "f",
            Cell::Begun => "p",
            Cell::Empty => "e",
        };
        rect(
            &mut picture,
            (place % ROW_FIELDS) as i64 * FIELD,
            (place / ROW_FIELDS) as i64 * FIELD,
            class,
        );
    }
    picture.push_str("</svg>");
    let items = grouped(backfill.items.max(0).unsigned_abs());
    let mut words = match backfill.items {
        1 => "one range of keys".to_owned(),
        _ => format!("{items} values in the list"),
    };
    if let Some(position) = backfill.position.filter(|_| backfill.items > 1) {
        let value = backfill.value.as_deref().unwrap_or("null");
        words.push_str(&format!("; at the {} of them, {value}", ordinal(position)));
    }
    if let Some(rows) = backfill.rows {
        words.push_str(&format!(
            "; {} rows of it so far",
            grouped(rows.max(0).unsigned_abs())
        ));
    }
    if let Some(key) = &backfill.last_key {
        words.push_str(&format!(", up to key {key}"));
    }
    Grid {
        title: backfill.operation.clone(),
        picture,
        words,
    }
}

fn ordinal(number: i64) -> String {
    let text = grouped(number.max(0).unsigned_abs());
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{text}{suffix}")
}

fn open(width: i64, height: i64, label: &'static str) -> String {
    format!(
        "<svg class=\"cells\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\" aria-label=\"{label}\">"
    )
}

fn rect(out: &mut String, x: i64, y: i64, class: &'static str) {
    let side = FIELD - 2;
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\"/>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_drawn_and_told() {
        let backfill = Backfill {
            operation: "fill".into(),
            items: 1_200,
            position: Some(3),
            value: Some("<i>7</i>".into()),
            last_key: Some("{42}".into()),
            rows: Some(1_000),
            cells: vec![Cell::Done, Cell::Begun, Cell::Empty],
        };
        let grid = list(&backfill);
        assert_eq!(
            grid.words,
            "1,200 values in the list; at the 3rd of them, <i>7</i>; 1,000 rows of it so far, up to key {42}"
        );
        insta::assert_snapshot!(grid.picture, @r#"<svg class="cells" viewBox="0 0 36 12" width="36" height="12" role="img" aria-label="parts of the list that are done"><rect class="f" x="0" y="0" width="10" height="10"/><rect class="p" x="12" y="0" width="10" height="10"/><rect class="e" x="24" y="0" width="10" height="10"/></svg>"#);
    }

    #[test]
    fn places_are_counted_as_people_do() {
        let told: Vec<String> = [1, 2, 3, 4, 11, 12, 21, 1_111].into_iter().map(ordinal).collect();
        assert_eq!(
            told,
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "1,111th"]
        );
    }
}
