//! Synthetic years whose truth is known: the series goes on as it was made, and the day on which it reaches its limit
//! lies in the stated range for at least nine seeds of ten.

use proptest::prelude::*;

use super::*;

const SEEDS: u64 = 60;

/// What a check loads, see `sql/sample/load.sql`.
fn times(days: f64) -> Vec<f64> {
    let mut at = Vec::new();
    let mut t = 0.0;
    while t <= days {
        at.push(-t);
        t += match t {
            t if t < 2.0 => 1.0 / 24.0,
            t if t < 30.0 => 4.0 / 24.0,
            t if t < 90.0 => 1.0,
            t if t < 364.0 => 7.0,
            _ => 28.0,
        };
    }
    at.reverse();
    at
}

/// Seconds of a day; day 0 is now, a Sunday at 10 o'clock.
fn at_s(day: f64) -> f64 {
    1_700_000_000.0 + day * DAY_S
}

fn sampled(days: f64, mut value: impl FnMut(f64) -> f64) -> Vec<Point> {
    times(days)
        .into_iter()
        .map(|day| Point {
            at_s: at_s(day),
            value: value(day),
        })
        .collect()
}

/// Normal, near enough.
fn normal(random: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// The day on which it first reaches the limit.
fn truth(limit: f64, value: impl Fn(f64) -> f64) -> Option<f64> {
    (0..80_000)
        .map(|n| f64::from(n) * 0.05)
        .find(|day| value(*day) >= limit)
}

/// A year, its truth, and what is said of it; `slack` days are how coarse the truth itself is.
struct Year {
    points: Vec<Point>,
    truth: Option<f64>,
    limit: f64,
    slack: f64,
}

impl Year {
    fn said(&self) -> Runway {
        let used = self.points[self.points.len() - 1].value;
        runway(&self.points, Kind::Gauge, used, self.limit)
    }

    fn holds(&self) -> bool {
        match (self.truth, self.said()) {
            (Some(truth), Runway::Days { low, high, .. }) => {
                low - self.slack <= truth && high.is_none_or(|high| truth <= high + self.slack)
            }
            (None, Runway::Never) => true,
            (Some(truth), Runway::Reached) => truth <= self.slack,
            _ => false,
        }
    }
}

#[track_caller]
fn mostly(name: &str, year: impl Fn(&mut fastrand::Rng) -> Year) {
    let years: Vec<Year> = (0..SEEDS)
        .map(|seed| year(&mut fastrand::Rng::with_seed(seed)))
        .collect();
    let held = years.iter().filter(|year| year.holds()).count() as u64;
    let missed: Vec<_> = years
        .iter()
        .filter(|year| !year.holds())
        .map(|year| (year.truth, year.said(), growth(&year.points, Kind::Gauge)))
        .take(5)
        .collect();
    assert!(
        held * 10 >= SEEDS * 9,
        "{name}: {held} of {SEEDS}; missed {missed:?}"
    );
    // A range that holds everything says nothing.
    let mut widths: Vec<f64> = years
        .iter()
        .filter_map(|year| match year.said() {
            Runway::Days { low, mid, high } => Some((high.unwrap_or(f64::INFINITY) - low) / mid.max(1.0)),
            _ => None,
        })
        .collect();
    let width = slope::quantile(&mut widths, 0.5);
    assert!(
        width <= 3.0,
        "{name}: the range is {width:.1} times as wide as it is far"
    );
}

/// A year of `value`, measured with noise.
fn noisy(random: &mut fastrand::Rng, limit: f64, noise: f64, slack: f64, value: impl Fn(f64) -> f64) -> Year {
    young(random, 365.0, limit, noise, slack, value)
}

/// A history of so many days.
fn young(
    random: &mut fastrand::Rng,
    days: f64,
    limit: f64,
    noise: f64,
    slack: f64,
    value: impl Fn(f64) -> f64,
) -> Year {
    Year {
        points: sampled(days, |day| value(day) + noise * normal(random)),
        truth: truth(limit, &value),
        limit,
        slack,
    }
}

/// Monday to Friday only; day 0 is a Sunday.
fn working_days(day: f64) -> f64 {
    let week = (day / 7.0).floor();
    let within = day - week * 7.0;
    week * 5.0 + (within - 1.0).clamp(0.0, 5.0)
}

#[test]
fn a_straight_line() {
    mostly("line", |random| {
        let (rate, limit) = (0.01 + random.f64(), 100.0 + 500.0 * random.f64());
        noisy(random, limit, 1.0, 2.0, move |day| 60.0 + rate * day)
    });
}

#[test]
fn noise_that_lingers() {
    mostly("lingering", |random| {
        let rate = 0.05 + 0.2 * random.f64();
        let (mut drift, mut before) = (0.0, -365.0);
        let points = sampled(365.0, |day| {
            let kept = f64::exp(-(day - before) / 3.0);
            drift = drift * kept + 2.0 * (1.0 - kept * kept).sqrt() * normal(random);
            before = day;
            100.0 + rate * day + drift
        });
        let value = |day| 100.0 + rate * day;
        Year {
            points,
            truth: truth(130.0, value),
            limit: 130.0,
            slack: 2.0,
        }
    });
}

#[test]
fn working_days_only() {
    mostly("working days", |random| {
        let rate = 0.1 + random.f64();
        // Any day of the week is now.
        let shift = f64::from(random.u32(0..7));
        let noise = 0.05 * rate;
        noisy(random, 300.0, noise, 3.0, move |day| {
            200.0 + rate * working_days(day + shift)
        })
    });
}

#[test]
fn nights_and_days() {
    mostly("nights", |random| {
        let rate = 0.05 + 0.1 * random.f64();
        let hour = random.f64();
        // A level that swings by the hour reaches its limit when its noon does.
        noisy(random, 130.0, 1.0, 60.0, move |day| {
            100.0 + rate * day + 5.0 * f64::sin((day + hour) * std::f64::consts::TAU)
        })
    });
}

#[test]
fn teeth_of_a_vacuum() {
    for (name, every) in [("daily teeth", 1.3), ("weekly teeth", 7.0), ("long teeth", 24.0)] {
        mostly(name, |random| {
            let (rate, shift) = (0.05 + 0.1 * random.f64(), random.f64() * every);
            let noise = 0.2;
            noisy(random, 180.0, noise, every + 4.0, move |day| {
                100.0 + rate * day + 30.0 * ((day + shift) / every).rem_euclid(1.0)
            })
        });
    }
}

#[test]
fn teeth_that_do_not_grow_are_never_or_far() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let points = sampled(365.0, |day| {
            100.0 + 30.0 * ((day + 0.3) / 2.0).rem_euclid(1.0) + 0.5 * normal(&mut random)
        });
        let said = runway(&points, Kind::Gauge, points[points.len() - 1].value, 200.0);
        // With high: None: perhaps never. Some noise looks like growth.
        assert!(
            said.days_mid().is_none_or(|days| days > 1_000.0),
            "{seed}: {said:?}"
        );
    }
}

#[test]
fn the_peaks_of_growing_teeth_matter_and_not_their_middle() {
    // The floor stays, the peaks rise: 0.1 a day.
    let points = sampled(365.0, |day| (100.0 + 0.1 * day) * (day / 15.0).rem_euclid(1.0));
    let said = growth(&points, Kind::Gauge).unwrap();
    let per_day = said.per_s * DAY_S;
    assert!((0.085..=0.115).contains(&per_day), "{per_day}: {said:?}");
    assert!(said.lift > 50.0, "{said:?}");
}

#[test]
fn a_vacuum_that_comes_no_more_is_seen() {
    // Teeth of a day, until ten days ago.
    let points = sampled(365.0, |day| match day {
        day if day < -10.0 => 20.0 * day.rem_euclid(1.0),
        day => 20.0 * (day + 10.0),
    });
    match runway(&points, Kind::Gauge, 200.0, 400.0) {
        Runway::Days { mid, .. } => assert!((8.0..=12.0).contains(&mid), "{mid}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_import_is_no_growth() {
    mostly("import", |random| {
        let rate = 0.05 + 0.1 * random.f64();
        let when = -5.0 - 300.0 * random.f64();
        noisy(random, 250.0, 0.3, 2.0, move |day| {
            150.0 + rate * day + if day > when { 40.0 } else { 0.0 }
        })
    });
}

#[test]
fn one_import_does_not_bend_the_slope() {
    for when in [-300.0, -180.0, -60.0, -20.0] {
        let points = sampled(365.0, |day| 0.1 * day + if day > when { 40.0 } else { 0.0 });
        let said = growth(&points, Kind::Gauge).unwrap();
        assert!((said.per_s * DAY_S - 0.1).abs() < 0.002, "{when}: {said:?}");
        assert!(
            said.low_per_s * DAY_S > 0.09 && said.scatter < 1.0,
            "{when}: {said:?}"
        );
    }
}

#[test]
fn a_batch_every_month_is_growth() {
    // Also one that the last 30 days may have missed.
    for every in [30.0, 45.0] {
        mostly(&format!("batches every {every} days"), |random| {
            let shift = every * random.f64();
            noisy(random, 160.0, 0.02, every + 1.0, move |day| {
                100.0 + 10.0 * ((day + shift) / every).floor()
            })
        });
    }
}

#[test]
fn a_new_regime_is_believed_and_named() {
    for (since, expected) in [
        (1.0, Window::Day),
        (7.0, Window::Week),
        (10.0, Window::Week),
        (45.0, Window::Month),
        (70.0, Window::Month),
    ] {
        mostly(&format!("since {since} days"), |random| {
            let noise = 0.02;
            noisy(random, 300.0, noise, 3.0, move |day| {
                100.0 + 0.05 * day + 2.0 * (day + since).max(0.0)
            })
        });
        let points = sampled(365.0, |day| 100.0 + 0.05 * day + 2.0 * (day + since).max(0.0));
        assert_eq!(growth(&points, Kind::Gauge).unwrap().window, expected, "{since}");
    }
}

#[test]
fn what_has_slowed_down_is_believed_after_a_month() {
    let points = sampled(365.0, |day| 100.0 + 0.5 * day.min(-60.0));
    assert_eq!(runway(&points, Kind::Gauge, 70.0, 100.0), Runway::Never);
}

#[test]
fn a_series_with_holes() {
    mostly("holes", |random| {
        let rate = 0.05 + 0.2 * random.f64();
        let from = -300.0 * random.f64();
        let mut year = noisy(random, 200.0, 1.0, 2.0, move |day| 100.0 + rate * day);
        year.points.retain(|p| {
            let day = (p.at_s - at_s(0.0)) / DAY_S;
            day == 0.0 || !(from..from + 25.0).contains(&day) && random.f64() > 0.3
        });
        year
    });
}

#[test]
fn a_counter_is_reset_and_goes_on() {
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let resets: Vec<f64> = (0..5).map(|_| -365.0 * random.f64()).collect();
        let points = sampled(365.0, |day| {
            let since = resets.iter().copied().filter(|r| *r < day).fold(-365.0, f64::max);
            1_000.0 * (day - since)
        });
        let per_day = growth(&points, Kind::Counter).unwrap().per_s * DAY_S;
        assert!((900.0..=1_100.0).contains(&per_day), "{seed}: {per_day}");
    }
}

#[test]
fn a_wrapping_counter_goes_round() {
    let modulus = 4_294_950_912.0;
    for seed in 0..SEEDS {
        let mut random = fastrand::Rng::with_seed(seed);
        let rate = modulus / (20.0 + 300.0 * random.f64());
        let points = sampled(365.0, |day| (rate * (day + 365.0)).rem_euclid(modulus));
        let per_day = growth(&points, Kind::Wrapping(modulus)).unwrap().per_s * DAY_S;
        assert!(
            (per_day / rate - 1.0).abs() < 0.05,
            "{seed}: {per_day} for {rate}"
        );
    }
}

#[test]
fn a_counter_that_somebody_moves_does_not_grow_by_that() {
    let modulus = 4_294_950_912.0;
    for by in [5e8, -5e8] {
        let points = sampled(365.0, |day| 1e9 + 1e6 * day + if day > -90.0 { by } else { 0.0 });
        let per_day = growth(&points, Kind::Wrapping(modulus)).unwrap().per_s * DAY_S;
        assert!((per_day / 1e6 - 1.0).abs() < 0.05, "{by}: {per_day}");
    }
}

#[test]
fn flat_and_shrinking_is_never() {
    for slope in [0.0, -0.1] {
        let mut falsely = 0;
        for seed in 0..SEEDS {
            let mut random = fastrand::Rng::with_seed(seed);
            let points = sampled(365.0, |day| 100.0 + slope * day + normal(&mut random));
            if runway(&points, Kind::Gauge, 100.0, 150.0) != Runway::Never {
                falsely += 1;
            }
        }
        assert!(falsely * 10 <= SEEDS, "{slope}: {falsely} of {SEEDS}");
        let points = sampled(365.0, |day| 100.0 + slope * day);
        assert_eq!(runway(&points, Kind::Gauge, 100.0, 150.0), Runway::Never);
    }
}

#[test]
fn too_short_is_said() {
    let short = |hours: f64, count: u32| -> Vec<Point> {
        (0..count)
            .map(|n| Point {
                at_s: f64::from(n) * hours * 3_600.0 / f64::from(count - 1),
                value: f64::from(n),
            })
            .collect()
    };
    for points in [Vec::new(), short(5.0, 100), short(48.0, 5)] {
        let said = runway(&points, Kind::Gauge, 1.0, 100.0);
        assert!(
            matches!(
                said,
                Runway::NotEnough {
                    need_s: SPAN_MIN_S,
                    ..
                }
            ),
            "{said:?}"
        );
    }
    assert!(matches!(
        runway(&short(7.0, 8), Kind::Gauge, 7.0, 100.0),
        Runway::Days { .. }
    ));
    assert_eq!(runway(&[], Kind::Gauge, 100.0, 100.0), Runway::Reached);
}

#[test]
fn four_hundred_points_take_under_two_milliseconds() {
    let mut random = fastrand::Rng::with_seed(1);
    let points: Vec<Point> = (0..400)
        .map(|n| Point {
            at_s: at_s(f64::from(n)),
            value: 0.1 * f64::from(n) + normal(&mut random),
        })
        .collect();
    let mut took: Vec<f64> = (0..40)
        .map(|_| {
            let begun = std::time::Instant::now();
            let _ = growth(&points, Kind::Gauge);
            begun.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    let took = slope::quantile(&mut took, 0.2);
    // Without optimisation it is some ten times slower.
    let most = if cfg!(debug_assertions) { 25.0 } else { 2.0 };
    assert!(took < most, "{took:.2} ms");
}

proptest! {
    /// Whatever was kept: an answer, its range in order, no figure that is none.
    #[test]
    fn any_series_has_an_answer(
        values in proptest::collection::vec((0.0f64..4e7, prop_oneof![-1e12f64..1e12, Just(0.0), Just(f64::NAN), Just(f64::INFINITY)]), 0..80),
        kind in prop_oneof![Just(Kind::Gauge), Just(Kind::Counter), Just(Kind::Wrapping(1e9))],
        room in 0.0f64..1e13,
    ) {
        let points: Vec<Point> = values.into_iter().map(|(at_s, value)| Point { at_s, value }).collect();
        if let Ok(growth) = growth(&points, kind) {
            prop_assert!(growth.per_s.is_finite() && growth.lift >= 0.0 && growth.scatter >= 0.0);
        }
        if let Runway::Days { low, mid, high } = runway(&points, kind, 0.0, room) {
            prop_assert!(0.0 <= low && low <= mid, "{low} {mid}");
            prop_assert!(high.is_none_or(|high| mid <= high), "{mid} {high:?}");
        }
    }

    /// More growth is never more time, and units do not matter.
    #[test]
    fn more_growth_is_less_time(rate in 0.1f64..10.0, scale in 1e-6f64..1e9) {
        let days = |rate: f64, scale: f64| {
            let points = sampled(60.0, |day| scale * (1_000.0 + rate * day));
            runway(&points, Kind::Gauge, scale * 1_000.0, scale * 2_000.0).days_mid()
        };
        let (Some(slow), Some(fast)) = (days(rate, scale), days(2.0 * rate, scale)) else {
            return Err(TestCaseError::fail("it grows"));
        };
        prop_assert!((slow / fast - 2.0).abs() < 0.01, "{slow} {fast}");
    }
}

#[test]
fn a_young_history_knows_less_and_says_so() {
    for days in [1.0, 2.5, 5.0, 10.0, 16.0, 40.0] {
        mostly(&format!("{days} days"), |random| {
            let rate = 1.0 + random.f64();
            // A tenth of a day's growth is noise.
            young(random, days, 150.0, 0.1 * rate, 2.0, move |day| {
                100.0 + rate * day
            })
        });
    }
}

#[test]
fn two_weeks_know_the_weekend() {
    for days in [14.5, 17.0, 21.0, 30.0] {
        mostly(&format!("{days} days of working days"), |random| {
            let rate = 1.0 + random.f64();
            let shift = f64::from(random.u32(0..7));
            young(random, days, 300.0, 0.02 * rate, 4.0, move |day| {
                200.0 + rate * working_days(day + shift)
            })
        });
    }
}

#[test]
fn three_days_know_the_night() {
    for days in [3.5, 6.0, 12.0] {
        mostly(&format!("{days} days and nights"), |random| {
            let (rate, hour) = (1.0 + random.f64(), random.f64());
            young(random, days, 200.0, 0.1, 4.0, move |day| {
                100.0 + rate * day + 5.0 * f64::sin((day + hour) * std::f64::consts::TAU)
            })
        });
    }
}
