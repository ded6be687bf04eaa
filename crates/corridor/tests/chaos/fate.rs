//! Everything that is drawn before a life begins.

use std::time::Duration;

use corridor_testbed::traffic::{Mix, StatementMode, TrafficOptions};

use crate::fault::Fault;
use crate::options::Options;
use crate::scene::{Scene, one_of};

/// How the move is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destiny {
    /// Before the cut-over, at an instant of its own.
    Stop(&'static str),
    /// When it is ready for the cut-over.
    BackBefore,
    BackAfter,
    Finish(bool),
}

/// Everything that is drawn.
#[derive(Debug)]
pub(crate) struct Fate {
    pub(crate) scene: Scene,
    pub(crate) settings: Vec<String>,
    pub(crate) destiny: Destiny,
    /// Since the start.
    pub(crate) cut_at: Duration,
    pub(crate) end_at: Duration,
    /// Sorted.
    pub(crate) faults: Vec<(Duration, Fault)>,
    /// What strikes so long after the next order that decides something.
    pub(crate) aftershocks: Vec<(Duration, Fault)>,
    pub(crate) calm_at: Duration,
    pub(crate) traffic_seed: u64,
    pub(crate) mode: StatementMode,
    pub(crate) has_clock: bool,
}

impl Fate {
    pub(crate) fn draw(seed: u64, options: &Options) -> Fate {
        let mut random = fastrand::Rng::with_seed(seed);
        let scene = Scene::draw(&mut random.fork());
        let mut random = random.fork();
        let storm_ms = random.u64(4_000..14_000);
        let destiny = match random.u8(0..12) {
            0 => Destiny::Stop(one_of(&mut random, &["stop", "rollback"])),
            1 | 2 => Destiny::BackBefore,
            3..6 => Destiny::BackAfter,
            _ => Destiny::Finish(random.u8(0..4) > 0),
        };
        let cut_ms = random.u64(storm_ms / 10..storm_ms * 7 / 10);
        let end_ms = random.u64(cut_ms..storm_ms);
        let mut faults = Vec::new();
        let mut at_ms = random.u64(100..1_500);
        while at_ms < storm_ms {
            let fault = Fault::draw(&mut random);
            if options.allows(&fault) {
                faults.push((Duration::from_millis(at_ms), fault));
            }
            at_ms += random.u64(50..2_000);
        }
        let mut aftershocks = Vec::new();
        for _ in 0..random.u8(0..4) {
            let fault = Fault::draw_for_a_swap(&mut random);
            if options.allows(&fault) {
                aftershocks.push((Duration::from_millis(random.u64(0..900)), fault));
            }
        }
        Fate {
            scene,
            settings: settings(&mut random),
            destiny,
            cut_at: Duration::from_millis(cut_ms),
            end_at: Duration::from_millis(end_ms),
            faults,
            aftershocks,
            calm_at: Duration::from_millis(storm_ms),
            traffic_seed: random.u64(..),
            mode: one_of(&mut random, &[StatementMode::Simple, StatementMode::Prepared]),
            has_clock: random.u8(0..4) == 0,
        }
    }

    /// The traffic of this life.
    pub(crate) fn traffic(&self) -> TrafficOptions {
        let mut options = TrafficOptions::new(self.scene.table.clone());
        options.clients = 4;
        options.seed = self.traffic_seed;
        options.rate_per_s = Some(150.0);
        options.mode = self.mode;
        options.mix = Mix {
            two_phase: 2,
            long_transaction: 1,
            ..Mix::nasty()
        };
        options.bulk_rows = 200;
        options.strict_percent = 20;
        options.long_transaction = Duration::from_millis(600);
        options
    }
}

/// Slow enough that faults meet every phase, quick enough for a life.
fn settings(random: &mut fastrand::Rng) -> Vec<String> {
    let mut all = vec![
        "lease.ttl_ms=1000".to_owned(),
        // The smallest there is, so that the change log turns in a short life too.
        "log.slot_max_bytes=65536".to_owned(),
        "throttle.interval_ms=100".to_owned(),
    ];
    all.push(format!("chunk.target_ms={}", one_of(random, &[10, 20, 100, 500])));
    all.push(format!("nice={}", one_of(random, &["0", "0.5", "1"])));
    all.push(format!("workers={}", random.u8(1..4)));
    all.push(format!("lanes={}", one_of(random, &[1, 2, 8, 16])));
    if random.bool() {
        let often = one_of(random, &["0.3", "0.6", "0.8"]);
        all.push("throttle.custom=0".to_owned());
        all.push(format!("throttle.custom.query=select (random() < {often})::int"));
    }
    all
}
