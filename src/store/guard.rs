//! The engine meets damage, and a disk that fails, with panics as well as with errors: here both become errors.
//!
//! Knows nothing of records. Nothing may be done with the engine outside this guard that reads its files.

use std::any::Any;
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What the engine answers, or what it panicked with. Nothing of a panic reaches standard error: the error says it.
pub(super) fn guarded<T>(
    engine: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, sled::Error> {
    match caught(engine) {
        Ok(outcome) => outcome.map_err(as_it_was),
        Err(payload) => {
            let text = words(&*payload);
            Err(of_system(&text).map_or(sled::Error::ReportableBug(text), sled::Error::Io))
        }
    }
}

/// The engine gives an error of the system to everybody after the first as a text for programmers.
fn as_it_was(error: sled::Error) -> sled::Error {
    let sled::Error::Io(cause) = error else {
        return error;
    };
    let text = cause.to_string();
    let is_told_anew = ["Os {", "Custom {"].iter().any(|how| text.starts_with(how));
    let system = is_told_anew.then(|| of_system(&text)).flatten();
    sled::Error::Io(system.unwrap_or(cause))
}

/// What the engine says, for whoever operates it.
pub(super) fn in_words(error: sled::Error) -> io::Error {
    match error {
        sled::Error::Corruption { .. } => {
            io::Error::new(ErrorKind::InvalidData, "a page is not as it was written")
        }
        sled::Error::ReportableBug(why) => io::Error::other(why),
        other @ (sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::Io(_)) => other.into(),
    }
}

/// The error of the system that such a text, or that of a panic, tells of.
fn of_system(text: &str) -> Option<io::Error> {
    let (_, behind) = text.split_once("Os { code: ")?;
    let (code, _) = behind.split_once(',')?;
    code.parse().ok().map(io::Error::from_raw_os_error)
}

/// The same for whoever tells a panic from an error.
pub(super) fn caught<T>(engine: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !GUARDED.with(Cell::get) {
                before(panic);
            }
        }));
    });
    let outer = GUARDED.with(|guarded| guarded.replace(true));
    let outcome = catch_unwind(AssertUnwindSafe(engine));
    GUARDED.with(|guarded| guarded.set(outer));
    outcome
}

/// What a panic said.
fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the engine panicked").to_owned()
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(engine: impl FnOnce() -> Result<(), sled::Error>) -> io::Error {
        in_words(guarded(engine).unwrap_err())
    }

    #[test]
    fn an_error_of_the_system_is_told_in_words_however_often_the_engine_handed_it_on() {
        for (code, kind, words) in [
            (5, None, "Input/output error (os error 5)"),
            (
                28,
                Some(ErrorKind::StorageFull),
                "No space left on device (os error 28)",
            ),
            (
                122,
                Some(ErrorKind::QuotaExceeded),
                "Disk quota exceeded (os error 122)",
            ),
        ] {
            let first = || sled::Error::Io(io::Error::from_raw_os_error(code));
            let all = [
                told(|| Err(first())),
                told(|| Err(first().clone())),
                told(|| Err(first().clone().clone())),
                told(|| panic!("called `Result::unwrap()` on an `Err` value: {:?}", first())),
            ];
            for error in all {
                assert_eq!(error.to_string(), words);
                assert!(kind.is_none_or(|kind| error.kind() == kind), "{error:?}");
            }
        }
    }

    #[test]
    fn what_is_no_error_of_the_system_stays_as_it_is() {
        let lock =
            "could not acquire lock on \"db\": Os { code: 11, kind: WouldBlock, message: \"\" }";
        let lock = sled::Error::Io(io::Error::other(lock));
        assert!(
            told(|| Err(lock))
                .to_string()
                .starts_with("could not acquire lock")
        );
        let torn = || sled::Error::Io(ErrorKind::UnexpectedEof.into());
        assert_eq!(told(|| Err(torn())).kind(), ErrorKind::UnexpectedEof);
        assert_eq!(told(|| panic!("a page")).to_string(), "a page");
    }
}
