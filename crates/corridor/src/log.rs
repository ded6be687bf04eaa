//! What happens inside, on stderr.
//!
//! Warnings are always shown; `-v` adds what is worth knowing, `-vv` what helps to find a bug. Only Corridor's own rooms
//! are heard. A subscriber of our own, because this is all of it: no filters by target, no spans, no colours.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::output::Output;
use crate::output::text::harmless;

/// Hears the rooms.
struct Listener {
    output: Arc<Output>,
    level_max: Level,
    spans: AtomicU64,
}

/// Listens from now on; `verbosity` is how often `-v` was given.
pub(crate) fn listen(output: &Arc<Output>, verbosity: u8) {
    let level_max = match verbosity {
        0 => Level::WARN,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let listener = Listener {
        output: Arc::clone(output),
        level_max,
        spans: AtomicU64::new(1),
    };
    // Only a second listener of the same process is refused; there is none.
    let _ = tracing::subscriber::set_global_default(listener);
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("corridor") && *metadata.level() <= self.level_max
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(self.level_max.into())
    }

    fn new_span(&self, _attributes: &Attributes<'_>) -> Id {
        Id::from_u64(self.spans.fetch_add(1, Ordering::Relaxed))
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!(
            "{:<5} {}: {}{}",
            event.metadata().level().as_str(),
            event.metadata().target(),
            line.message,
            line.fields
        );
        self.output.say(&harmless(&text));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// The message and the fields of one event.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
