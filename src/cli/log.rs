//! The log on standard error: lines for people, JSON for machines, and lines that the journal sorts by weight.

use std::env;
use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format as Lines, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Format, Level, Log};
use crate::http;

/// Begins the log.
pub(super) fn start(log: &Log) {
    let filter = filter(log.level);
    let lines = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(io::stderr)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal());
    // A second subscriber in one process is a test's; the first one stays.
    let _ = match log.format {
        Format::Text if is_journal() => {
            let lines = lines.event_format(Journal::default());
            lines.finish().with(filter).try_init()
        }
        Format::Text => lines.finish().with(filter).try_init(),
        Format::Json => lines.json().finish().with(filter).try_init(),
    };
}

/// What is let through. The storage engine's own words only where details are asked for: whatever it has to tell, the
/// store says in a sentence that an operator can act on.
fn filter(level: Level) -> Targets {
    let engine = match level {
        Level::Error | Level::Warn | Level::Info => ",sled=off",
        Level::Debug | Level::Trace => "",
    };
    let directives = format!("{},{}{engine}", level.as_str(), http::TALKATIVE);
    // They are ours, and parse.
    directives.parse().unwrap_or_default()
}

/// Whether standard error goes to the journal: systemd says which file that is (systemd.exec(5), `JOURNAL_STREAM`).
fn is_journal() -> bool {
    let named = env::var("JOURNAL_STREAM").unwrap_or_default();
    let file = rustix::fs::fstat(io::stderr());
    file.is_ok_and(|file| named == format!("{}:{}", file.st_dev, file.st_ino))
}

/// Lines that begin with their weight as the journal reads it (sd-daemon(3)). It knows the time itself.
struct Journal(Lines<Full, ()>);

impl Default for Journal {
    fn default() -> Self {
        let lines = Lines::default().without_time().with_target(false);
        Self(lines.with_ansi(false).with_level(false))
    }
}

impl<S, N> FormatEvent<S, N> for Journal
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let weight = match *event.metadata().level() {
            tracing::Level::ERROR => "<3>",
            tracing::Level::WARN => "<4>",
            tracing::Level::INFO => "<6>",
            tracing::Level::DEBUG | tracing::Level::TRACE => "<7>",
        };
        line.write_str(weight)?;
        self.0.format_event(context, line, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_speaks_only_where_details_are_asked_for() {
        let words = |level| filter(level).would_enable("sled::pagecache", &tracing::Level::ERROR);
        for level in [Level::Error, Level::Warn, Level::Info] {
            assert!(!words(level), "{level:?}");
            assert!(filter(level).would_enable("admit::store", &tracing::Level::ERROR));
        }
        for level in [Level::Debug, Level::Trace] {
            assert!(words(level), "{level:?}");
            // Its details hold keys and values.
            assert!(!filter(level).would_enable("sled::tree", &tracing::Level::DEBUG));
        }
    }
}
