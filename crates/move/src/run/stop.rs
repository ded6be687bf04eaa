//! Why a task of the runner ends before its work does.

use corridor_pg::Fault;

/// Ends the current piece of work at a checkpoint.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something else is to be done now (a command, an interrupt, a lost lease): the state says what.
    Turn,
    /// A fault that may not be tried again.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Stop::Fault(fault)
    }
}

/// Result of the runner's inner steps.
pub(crate) type Step<T> = std::result::Result<T, Stop>;
