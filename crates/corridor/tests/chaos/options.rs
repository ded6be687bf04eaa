//! The command line of the chaos.

use std::path::PathBuf;

use crate::fault::Fault;

/// What `--help` says.
pub(crate) const USAGE: &str = "\
usage: script/chaos [--minutes N] [--seed S] [--life K | --life-seed X] [--lives N]
                    [--major 15] [--only FAULT,FAULT…] [--failures N] [--keep]
                    [--binary PATH]
  --minutes N    begin no life after so many minutes [10]
  --seed S       the seed of the run [drawn, and printed]
  --life K       only the K-th life of that seed, counted from 1
  --life-seed X  only the life of this seed, as a line of an earlier run shows it
  --lives N      so many lives, however long it takes
  --major M      the server's major version [15]
  --only F,F     only these faults (names as in the summary)
  --failures N   end after so many failed lives [1]
  --binary PATH  another build of corridor; for failpoints it has to have the feature
  --keep         keep the directory of every life, not only of those that failed";

/// Seeds of the lives that a plain `cargo test` runs; none when the tests are to be quick.
const FIXED: [u64; 4] = [1, 2, 3, 5];

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) minutes: f64,
    pub(crate) seed: u64,
    pub(crate) life: Option<usize>,
    pub(crate) life_seed: Option<u64>,
    pub(crate) lives: Option<usize>,
    pub(crate) major: u32,
    pub(crate) only: Vec<String>,
    pub(crate) failures_max: usize,
    pub(crate) keep: bool,
    pub(crate) binary: PathBuf,
    /// Lives of a plain `cargo test`.
    fixed: &'static [u64],
}

impl Options {
    /// Reads the arguments; `None` when there is nothing to run.
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
        let mut options = Options {
            minutes: 10.0,
            seed: u64::from(fastrand::u32(..)),
            life: None,
            life_seed: None,
            lives: None,
            major: 15,
            only: Vec::new(),
            failures_max: 1,
            keep: false,
            binary: PathBuf::from(env!("CARGO_BIN_EXE_corridor")),
            fixed: &[],
        };
        let mut arguments = arguments.peekable();
        let is_plain = arguments
            .peek()
            .is_none_or(|first| !first.starts_with("--") || first.starts_with("--test"));
        if is_plain {
            // A life takes some twenty seconds; all of it at most a minute and a half.
            options.minutes = 1.0;
            options.fixed = &FIXED;
            // A filter of `cargo test` that does not mean us.
            let is_meant = arguments.next().is_none_or(|filter| "chaos".contains(&*filter));
            let is_quick = std::env::var_os("CORRIDOR_TEST_QUICK").is_some();
            return Ok((is_meant && !is_quick).then_some(options));
        }
        while let Some(name) = arguments.next() {
            match &*name {
                "--keep" => options.keep = true,
                "--list" | "--nocapture" | "--exact" => return Ok(None),
                "--help" => return Err(String::new()),
                _ => {
                    let value = arguments.next().ok_or(format!("{name} needs a value"))?;
                    options.set(&name, &value)?;
                }
            }
        }
        Ok(Some(options))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let bad = || format!("{name} cannot be {value:?}");
        match name {
            "--minutes" => self.minutes = value.parse().map_err(|_| bad())?,
            "--seed" => self.seed = value.parse().map_err(|_| bad())?,
            "--life" => self.life = Some(value.parse().ok().filter(|k| *k > 0).ok_or_else(bad)?),
            "--life-seed" => self.life_seed = Some(value.parse().map_err(|_| bad())?),
            "--lives" => self.lives = Some(value.parse().map_err(|_| bad())?),
            "--major" => self.major = value.parse().map_err(|_| bad())?,
            "--failures" => self.failures_max = value.parse().ok().filter(|n| *n > 0).ok_or_else(bad)?,
            "--binary" => self.binary = PathBuf::from(value),
            "--only" => self.only = value.split(',').map(str::to_owned).collect(),
            _ => return Err(format!("unknown argument {name}")),
        }
        Ok(())
    }

    /// True when this fault was not left out.
    pub(crate) fn allows(&self, fault: &Fault) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == fault.name())
    }

    /// True when the time decides how many lives there are.
    pub(crate) fn is_bounded_by_time(&self) -> bool {
        self.life.is_none() && self.life_seed.is_none() && self.lives.is_none()
    }

    /// The seeds of the lives, in their order.
    pub(crate) fn life_seeds(&self) -> Box<dyn Iterator<Item = u64>> {
        if let Some(seed) = self.life_seed {
            return Box::new(std::iter::once(seed));
        }
        if !self.fixed.is_empty() {
            return Box::new(self.fixed.iter().copied());
        }
        let seed = self.seed;
        let all = (1u64..).map(move |k| of_life(seed, k));
        match self.life {
            Some(k) => Box::new(all.skip(k - 1).take(1)),
            None => Box::new(all.take(self.lives.unwrap_or(usize::MAX))),
        }
    }
}

/// Short enough to be typed; neighbouring seeds have nothing in common.
fn of_life(seed: u64, k: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(k));
    u64::from(random.u32(..))
}
