#![allow(clippy::unwrap_used)] // a test that cannot go on says so by panicking

use super::*;
use crate::sample::{Past, Point};

const NOW_S: f64 = 1_800_000_000.0;

/// Three fifths in use: the first half and a little of the rest.
fn persons() -> Toast {
    let mut map = vec![0.0; 64];
    map[..32].fill(1.0);
    map[40] = 0.5;
    Toast {
        now_s: NOW_S,
        counter: Some(Counter {
            next: 3_221_225_472,
            age_s: 0.0,
        }),
        relations: vec![Relation {
            schema_name: "public".to_owned(),
            table_name: "persons".to_owned(),
            chunks: 2.5e9,
            space: Some(Space {
                points: 3_072,
                hits: 1_843,
                map,
            }),
            ..Relation::default()
        }],
        ..Toast::default()
    }
}

fn judge(toast: &Toast, past: &Past) -> Finding {
    toast.judge(&Judging { past, now_s: NOW_S }).swap_remove(0)
}

#[test]
fn the_map_comes_with_the_counter_in_it() {
    let finding = judge(&persons(), &Past::default());
    let density = finding.density.clone().unwrap();
    assert_eq!(density.shares.len(), 64);
    assert_eq!(
        (density.shares[31], density.shares[32], density.shares[40]),
        (1.0, 0.0, 0.5)
    );
    // Three quarters of the way round.
    assert_eq!(density.at, Some(47));
    let document = serde_json::to_value(&finding).unwrap();
    assert_eq!(document["density"]["shares"].as_array().unwrap().len(), 64);
    // The time was up before all points were taken: no map is better than half of one.
    let mut toast = persons();
    toast.relations[0].space.as_mut().unwrap().map.clear();
    assert_eq!(judge(&toast, &Past::default()).density, None);
}

#[test]
fn a_growth_is_said_with_the_time_that_it_was_seen_over() {
    let mut past = Past::default();
    let share = persons().relations[0].used().0;
    for hour in 1..=14 * 24 {
        let point = Point {
            at_s: NOW_S - f64::from(hour) * 3_600.0,
            value: share - f64::from(hour) * 0.001 / 24.0,
        };
        past.push(USED_RATIO.name, "public.persons", point);
    }
    let finding = judge(&persons(), &past);
    let fact = finding.facts.iter().find(|fact| fact.name == "grows by").unwrap();
    assert_eq!(fact.text, "0.1 % of the ids a day, over the last 14 days");
}
