//! Instants, and the only two clocks: the system's and one that tests move by hand.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in microseconds since 1970-01-01T00:00:00Z, between the years -9999 and 9999.
///
/// Written and read as RFC 3339; always in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant so many microseconds after 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The instant so many whole seconds after 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant cut to whole milliseconds, as answers show it.
    #[must_use]
    pub const fn to_millis(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000))
    }

    /// The instant `span` later; stops at the end of time rather than wrapping.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The instant `span` earlier; stops at the beginning of time rather than wrapping.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// The same instant for the calendar library; out-of-range instants become its last one.
    pub fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_microsecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_jiff().fmt(f)
    }
}

/// The text is not an RFC 3339 instant with an offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a date and time as RFC 3339 writes it, such as 2026-11-21T21:30:24Z")]
pub struct NotAnInstant;

impl FromStr for Timestamp {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        if !is_rfc_3339(text.as_bytes()) {
            return Err(NotAnInstant);
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| NotAnInstant)?;
        let instant = Self(instant.as_microsecond());
        // An offset can carry the first hours of year 1 into a year that RFC 3339 cannot write.
        if instant < FIRST {
            Err(NotAnInstant)
        } else {
            Ok(instant)
        }
    }
}

/// 0001-01-01T00:00:00Z.
const FIRST: Timestamp = Timestamp::from_seconds(-62_135_596_800);

/// Whether the text has the shape of RFC 3339 §5.6; the calendar library reads other forms of ISO 8601 as well.
fn is_rfc_3339(text: &[u8]) -> bool {
    let has = |shape: &[u8], text: &[u8]| {
        shape.len() == text.len()
            && shape.iter().zip(text).all(|(wanted, found)| match wanted {
                b'0' => found.is_ascii_digit(),
                b'T' => matches!(found, b'T' | b't' | b' '),
                b'+' => matches!(found, b'+' | b'-'),
                wanted => wanted == found,
            })
    };
    let Some((instant, rest)) = text.split_at_checked(b"0000-00-00T00:00:00".len()) else {
        return false;
    };
    let fraction = rest.strip_prefix(b".").map(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (digits, rest.get(digits..).unwrap_or_default())
    });
    let (digits, offset) = fraction.unwrap_or((1, rest));
    let is_offset = offset.eq_ignore_ascii_case(b"Z") || has(b"+00:00", offset);
    has(b"0000-00-00T00:00:00", instant) && digits > 0 && is_offset
}

/// Where `now` comes from. Read once per request; operations are given the instant, never the clock.
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the system clock"
    )]
    fn now(&self) -> Timestamp {
        let span = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the clock, backwards if need be.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_rfc_3339_and_read_back() {
        let instant: Timestamp = "2026-11-21T21:30:24.936571Z".parse().unwrap();
        assert_eq!(instant.to_string(), "2026-11-21T21:30:24.936571Z");
        assert_eq!(instant.to_millis().to_string(), "2026-11-21T21:30:24.936Z");
        assert_eq!(
            "2026-11-21T23:30:24+02:00"
                .parse::<Timestamp>()
                .unwrap()
                .to_string(),
            "2026-11-21T21:30:24Z"
        );
    }

    #[test]
    fn text_without_an_offset_is_no_instant() {
        for text in [
            "",
            "2026-11-21T21Z",
            "20261121T213024Z",
            "2026-11-21T21:30:24.Z",
            "2026-11-21T21:30:24Z[Europe/Athens]",
            "-009999-01-02T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "tomorrow",
            "2026-11-21",
            "2026-11-21T21:30:24",
            "2026-13-01T00:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(NotAnInstant), "{text}");
        }
    }

    #[test]
    fn spans_stop_at_the_ends_of_time() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.after(Duration::from_secs(1)), last);
        assert_eq!(
            Timestamp::from_seconds(1).since(Timestamp::from_seconds(2)),
            Duration::ZERO
        );
    }
}
