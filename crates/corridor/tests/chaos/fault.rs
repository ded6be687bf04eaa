//! What can strike, drawn with all its figures before the life begins.

use std::time::Duration;

use corridor_testbed::faults::Cut;

use crate::scene::one_of;

/// One fault.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// SIGKILL of everybody who works.
    Kill,
    /// Another worker while one runs.
    Rival,
    /// SIGSTOP for so long; the lease is of one second.
    Freeze(Duration),
    /// The server ends at once, and is back after a while.
    Crash(Duration),
    /// All connections are cut; new ones are refused for a while.
    Cut(Duration),
    /// Nothing passes for a while, and then everything.
    Stall(Duration),
    /// Connections with this text in their first message are half-open from now on.
    Silence(&'static str),
    /// A connection is cut at a statement with this text.
    LostAnswer { text: &'static str, skip: u32, cut: Cut },
    /// Statements of one of our sessions are cancelled.
    Cancel(usize),
    /// One of our sessions is ended.
    Terminate(usize),
    /// The server process of one of our sessions stops for so long, amid whatever it does.
    Doze(usize, Duration),
    /// No byte is free for a while.
    DiskFull(Duration),
    /// The worker's clock leaps by so many seconds.
    Clock(i64),
    /// The next worker aborts there.
    Failpoint(String),
    /// A person gives an order amid everything.
    Order(&'static [&'static str]),
    /// The application truncates the table.
    Truncate,
}

/// What this machine can do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    pub(crate) has_small_disk: bool,
    pub(crate) has_fake_clock: bool,
    pub(crate) has_failpoints: bool,
}

/// All durable steps that have a name (`corridor_pg::failpoint::step`).
pub(crate) const STEPS: &[&str] = &[
    "any",
    "schema",
    "stored",
    "lease",
    "target",
    "view",
    "lanes",
    "capture",
    "capture-noted",
    "claim",
    "chunk",
    "round",
    "truncate",
    "switched",
    "emptied",
    "step",
    "proof",
    "verified",
    "event",
    "request",
    "order",
    "reverse",
    "swap",
    "hold",
    "again",
    "clean-up",
];

/// Pieces of statements at which a connection is cut.
const STATEMENTS: &[&str] = &[
    "commit",
    "commit",
    "commit /* corridor: swap */",
    "corridor.lease",
    "corridor.heartbeat",
    "corridor.operation",
    "corridor.journal",
    "corridor.lane_",
    "corridor.chunk_",
    "corridor.change_",
    "corridor.check_",
    "insert into",
    "delete from",
    "create trigger",
    "create index",
    "alter table",
    "drop table",
    "/* corridor */",
];

const ORDERS: &[&[&str]] = &[
    &["pause", "life"],
    &["verify", "life"],
    &["status", "life"],
    &["logs", "life"],
    &["set", "life", "workers=4"],
    &["set", "life", "nice=0", "chunk.target_ms=100"],
];

impl Fault {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Fault::Kill => "kill",
            Fault::Rival => "rival",
            Fault::Freeze(_) => "freeze",
            Fault::Crash(_) => "crash",
            Fault::Cut(_) => "cut",
            Fault::Stall(_) => "stall",
            Fault::Silence(_) => "silence",
            Fault::LostAnswer { cut, .. } => match cut {
                Cut::BeforePassing => "cut-before",
                Cut::AfterPassing => "cut-amid",
                Cut::AfterDone => "lost-answer",
            },
            Fault::Cancel(_) => "cancel",
            Fault::Terminate(_) => "terminate",
            Fault::Doze(..) => "doze",
            Fault::DiskFull(_) => "disk-full",
            Fault::Clock(_) => "clock",
            Fault::Failpoint(_) => "failpoint",
            Fault::Order(_) => "order",
            Fault::Truncate => "truncate",
        }
    }

    pub(crate) fn draw(random: &mut fastrand::Rng) -> Fault {
        let mut ms = |from, to| Duration::from_millis(random.u64(from..to));
        let (long, short, second) = (ms(1200, 3500), ms(0, 1500), ms(100, 2500));
        match random.u8(0..100) {
            0..18 => Fault::Kill,
            18..26 => Fault::Doze(random.usize(..), second / 2),
            26..30 => Fault::Rival,
            30..37 => Fault::Freeze(long),
            37..43 => Fault::Crash(short),
            43..49 => Fault::Cut(short),
            49..53 => Fault::Stall(second),
            53..55 => Fault::Silence(one_of(
                random,
                &[
                    "",
                    "corridor:copy",
                    "corridor:apply",
                    "corridor:control",
                    "corridor:swap",
                ],
            )),
            55..69 => Fault::LostAnswer {
                text: one_of(random, STATEMENTS),
                skip: one_of(random, &[0, 0, 1, 3, 10, 30]),
                cut: one_of(
                    random,
                    &[
                        Cut::AfterDone,
                        Cut::AfterDone,
                        Cut::AfterPassing,
                        Cut::BeforePassing,
                    ],
                ),
            },
            69..74 => Fault::Cancel(random.usize(..)),
            74..79 => Fault::Terminate(random.usize(..)),
            79..82 => Fault::DiskFull(second),
            82..85 => Fault::Clock(one_of(random, &[-86_400, -30, -2, 2, 30, 3_600, 864_000])),
            85..94 => {
                let when = one_of(random, &["before", "after"]);
                // Half of them wherever it may be: most steps are never reached so often.
                let (step, count) = match random.bool() {
                    true => ("any", random.u32(1..40)),
                    false => (one_of(random, STEPS), one_of(random, &[1, 1, 1, 2, 5])),
                };
                Fault::Failpoint(format!("{when}-{step}:{count}"))
            }
            94..98 => Fault::Order(one_of(random, ORDERS)),
            _ => Fault::Truncate,
        }
    }

    /// What matters while an order is carried out that decides something.
    pub(crate) fn draw_for_a_swap(random: &mut fastrand::Rng) -> Fault {
        let short = Duration::from_millis(random.u64(0..800));
        match random.u8(0..16) {
            0..3 => Fault::Kill,
            3 => Fault::Crash(short),
            4 => Fault::Cut(short),
            5 => Fault::Terminate(random.usize(..)),
            6 => Fault::Cancel(random.usize(..)),
            7 => Fault::Freeze(Duration::from_millis(1_500)),
            8 => Fault::Truncate,
            9..13 => Fault::LostAnswer {
                text: one_of(
                    random,
                    &[
                        "commit /* corridor: swap */",
                        "commit",
                        "alter table",
                        "drop table",
                    ],
                ),
                skip: one_of(random, &[0, 0, 2]),
                cut: one_of(random, &[Cut::AfterDone, Cut::AfterPassing, Cut::BeforePassing]),
            },
            _ => {
                let when = one_of(random, &["before", "after"]);
                let step = one_of(
                    random,
                    &[
                        "swap", "swap", "reverse", "hold", "step", "clean-up", "order", "event", "round",
                    ],
                );
                Fault::Failpoint(format!("{when}-{step}:1"))
            }
        }
    }

    /// False when this machine cannot do it.
    pub(crate) fn is_possible(&self, means: Means) -> bool {
        match self {
            Fault::DiskFull(_) => means.has_small_disk,
            Fault::Clock(_) => means.has_fake_clock,
            Fault::Failpoint(_) => means.has_failpoints,
            _ => true,
        }
    }
}
