//! The engine meets damage, and a disk that fails, with panics as well as with errors: here both become errors.
//!
//! Knows nothing of records. Nothing may be done with the engine outside this guard that reads its files.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

/// What the engine answers, or what it panicked with. Nothing of a panic reaches standard error: the error says it.
pub(super) fn guarded<T>(
    engine: impl FnOnce() -> Result<T, sled::Error>,
) -> Result<T, sled::Error> {
    caught(engine).unwrap_or_else(|payload| Err(sled::Error::ReportableBug(words(&*payload))))
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
pub(super) fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("the engine panicked").to_owned()
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}
