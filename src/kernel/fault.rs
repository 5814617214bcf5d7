//! An internal failure with its causes: told to the log, never to a caller.

use std::error::Error;
use std::fmt;

/// Something of ours broke. A caller learns only that it did, and the request's id.
#[derive(Debug)]
pub struct Fault {
    kind: FaultKind,
    what: String,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What a caller may be told about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Our mistake or a damaged record: 500.
    Internal,
    /// The store takes no writes, or a bounded queue is full: 503, and the request may be tried again.
    Unavailable,
}

impl Fault {
    /// A fault of ours, told in words fit for the log.
    pub fn internal(what: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Internal,
            what: what.into(),
            cause: None,
        }
    }

    /// The appliance cannot do this now; nothing was changed for the caller to rely on.
    pub fn unavailable(what: impl Into<String>) -> Self {
        Self {
            kind: FaultKind::Unavailable,
            what: what.into(),
            cause: None,
        }
    }

    /// The same fault with the error that led to it.
    #[must_use]
    pub fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// What a caller may be told.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause: Option<&dyn Error> = self.cause.as_deref().map(|c| c as &dyn Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl Error for Fault {}
