//! Why a store is not opened, in words an operator can act on. What is looked at first, and in which order, is
//! `opening`'s business.

use std::io;
use std::path::{Path, PathBuf};

use crate::kernel::Fault;

use super::schema::SCHEMA;

/// Why the store was not opened, and what the operator can do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or this one, has it open.
    #[error("the store in {0} is in use by another process: stop the running server first")]
    InUse(PathBuf),
    /// The machine refused: permissions, space, descriptors. Nothing was moved.
    #[error(
        "{path}: {cause}. Nothing was changed; check the owner and the permissions, the free space and the limit of open files, then start again"
    )]
    Machine {
        /// What was touched.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The engine's files do not open.
    #[error(
        "the store in {path} is damaged ({why}) and was set aside as {aside}: keep that folder, and restore the latest backup"
    )]
    Damaged {
        /// Where it stood.
        path: PathBuf,
        /// Where it stands now.
        aside: PathBuf,
        /// What the engine said.
        why: String,
    },
    /// The engine's files do not open, and cannot be moved either.
    #[error(
        "the store in {path} is damaged ({why}) and could not be set aside: {cause}. Move the folder away by hand, keep it, and restore the latest backup"
    )]
    Stuck {
        /// Where it stands.
        path: PathBuf,
        /// What the engine said.
        why: String,
        /// What the system said.
        cause: io::Error,
    },
    /// Data once existed and is gone.
    #[error(
        "{marker} says that a store once existed, but {path} holds none: mount or move the missing folder back, or restore a backup. \
         To give up all data for good, remove {marker} and start again"
    )]
    Vanished {
        /// Where the store should be.
        path: PathBuf,
        /// The file that says so.
        marker: PathBuf,
    },
    /// Data once existed, did not open, and was set aside.
    #[error(
        "{path} holds no store: the one that was there is damaged and was set aside as {aside}. Keep that folder, and restore the \
         latest backup into an empty data folder; or, if its files have been mended, move it back to {path}"
    )]
    Aside {
        /// Where the store should be.
        path: PathBuf,
        /// Where it stands.
        aside: PathBuf,
    },
    /// What is there is older than what was there.
    #[error(
        "{marker} says that the store in {path} had come further than it has: an older copy was put in its place, or its end was lost. \
         Put the right folder back, or restore a backup. To go on with the older state, run `admit store accept`: \
         every ticket, session and token from before ends then, because what was used or revoked since looks alive"
    )]
    Stale {
        /// The store.
        path: PathBuf,
        /// The file that says so.
        marker: PathBuf,
    },
    /// Data once existed, and not even the folder's marker is left.
    #[error(
        "{witness} says that a store once existed in {path}, which holds none: mount or move the missing folder back, or restore a backup. \
         To give up all data for good, remove {witness} and start again"
    )]
    Gone {
        /// The data folder.
        path: PathBuf,
        /// The file that says so.
        witness: PathBuf,
    },
    /// The witness is about another store.
    #[error(
        "{witness} belongs to another store than the one in {path}: put the right folder back, or name another place by store.witness. \
         If this store has taken the other one's place for good, run `admit store accept`: every ticket, session and token from before ends then"
    )]
    Another {
        /// The store.
        path: PathBuf,
        /// The file that says so.
        witness: PathBuf,
    },
    /// Records are damaged, or are not there although they are counted.
    #[error(
        "the store in {path} is damaged: {first}{}. Nothing is served from it. `admit store check` names everything that is damaged; \
         keep a copy of the folder, and restore the latest backup",
        and_more(*.more)
    )]
    Unsound {
        /// The store.
        path: PathBuf,
        /// What is damaged, by table and key.
        first: String,
        /// How much else is.
        more: u64,
    },
    /// What was durable at the end of the engine's log is not there.
    #[error(
        "the store in {path} is damaged: its file db has lost its end, and with it the last {missing} batches of changes that were answered. \
         Keep a copy of the folder, and restore the latest backup. To accept the loss, run `admit store accept`: every ticket, session and token from before ends then"
    )]
    EndLost {
        /// The store.
        path: PathBuf,
        /// How many batches.
        missing: u64,
    },
    /// The engine's files do not open, and stay where they are.
    #[error(
        "the store in {path} is damaged, and nothing of it can be read ({why}): keep the folder, and restore the latest backup"
    )]
    Unreadable {
        /// The store.
        path: PathBuf,
        /// What the engine said.
        why: String,
    },
    /// There are records, but not the one every store begins with.
    #[error(
        "{0} holds records but not the one every store begins with: it is not a store of this program, or it is damaged. Move it away, or restore a backup"
    )]
    Foreign(PathBuf),
    /// A newer program wrote it.
    #[error(
        "the store has schema {found}, and this program knows up to {SCHEMA}: install the newer version again, or restore a backup made by this one. Nothing was changed"
    )]
    Newer {
        /// The store's schema number.
        found: u32,
    },
    /// The first record's checksum does not agree with our key.
    #[error(
        "the master key does not belong to the store in {0} (or its first record is damaged): put back the master key the store was made with. Nothing was changed"
    )]
    WrongKey(PathBuf),
    /// The store refused a write or a read that opening needs.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn and_more(more: u64) -> String {
    match more {
        0 => String::new(),
        more => format!(", and {more} more"),
    }
}

/// What the machine refused at a path.
pub(super) fn at<T>(path: &Path, outcome: io::Result<T>) -> Result<T, OpenError> {
    outcome.map_err(|cause| OpenError::Machine {
        path: path.to_path_buf(),
        cause,
    })
}
