//! Customers' key pairs, for the operator: made, brought in, listed, removed. Private halves go in and are not shown: who
//! may have them asks as an internal service (security.md S7).

use serde::{Deserialize, Serialize};

use super::Hidden;
use super::command::{AdminReply, Error, called, gone};
use crate::domain::Cx;
use crate::domain::access::Caller;
use crate::domain::keys::{self, Key, NewKey};
use crate::kernel::{Fault, KeyId, Secret};

/// What can be asked about key pairs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum KeyPairCommand {
    /// Make one, or bring one in.
    Create {
        /// In which organization.
        org: Option<String>,
        /// The private half of one that is brought in.
        private: Option<Hidden<String>>,
        /// What is said about it.
        comment: Option<String>,
    },
    /// Those of an organization.
    List {
        /// In which organization.
        org: Option<String>,
    },
    /// One of them.
    Show {
        /// Its id.
        id: KeyId,
    },
    /// Remove one.
    Delete {
        /// Its id.
        id: KeyId,
    },
}

/// A key pair without its private half.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyPairView {
    /// Its identifier.
    pub key_id: String,
    /// The organization it belongs to.
    pub organization_id: String,
    /// Who made it or brought it in.
    pub creator: String,
    /// The size of its modulus in bits.
    pub bits: u32,
    /// What is said about it.
    pub comment: String,
    /// When it was made or brought in.
    pub created_at: String,
    /// The public half, as a line of `authorized_keys`.
    pub public_key: String,
}

/// Carries a command about key pairs out. Making one takes seconds: never on a request's thread.
pub(super) fn execute(cx: &Cx<'_>, command: KeyPairCommand) -> Result<AdminReply, Error> {
    let anywhere = Caller::operator(None)?;
    match command {
        KeyPairCommand::Create {
            org,
            private,
            comment,
        } => {
            let caller = Caller::operator(Some(&called(cx, org.as_deref())?.id))?;
            let new = NewKey {
                organization: None,
                private: private.map(|Hidden(private)| Secret::new(private)),
                public: None,
                comment,
            };
            let turn = cx.appliance.key_making().take();
            let _turn = turn.ok_or_else(|| Fault::unavailable("too many keys are being made"))?;
            Ok(one(&keys::create(cx, &caller, &new)?))
        }
        KeyPairCommand::List { org } => {
            let caller = Caller::operator(Some(&called(cx, org.as_deref())?.id))?;
            let all = keys::list(cx, &caller)?;
            Ok(AdminReply::KeyPairs(
                all.iter().map(KeyPairView::of).collect(),
            ))
        }
        KeyPairCommand::Show { id } => Ok(one(&keys::show(cx, &anywhere, &id)?)),
        KeyPairCommand::Delete { id } => {
            keys::delete(cx, &anywhere, &id)?;
            Ok(gone("key pair", id.as_str()))
        }
    }
}

fn one(key: &Key) -> AdminReply {
    AdminReply::KeyPair(Box::new(KeyPairView::of(key)))
}

impl KeyPairView {
    fn of(key: &Key) -> Self {
        Self {
            key_id: key.id.to_string(),
            organization_id: key.organization.to_string(),
            creator: key.creator.clone(),
            bits: key.bits,
            comment: key.comment.clone(),
            created_at: key.created_at.to_string(),
            public_key: key.public.clone(),
        }
    }
}
