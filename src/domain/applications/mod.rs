//! Integrations: which contact-centre platform an organization's tickets and rooms belong to, and how it is reached.

mod manage;
mod records;
mod view;

use serde::{Deserialize, Serialize};

use super::Cx;
use super::access::Denied;
use crate::kernel::{ApplicationId, Fault, OrgId, Properties, Secret, Timestamp};

pub use manage::{Changes, End, NewApplication, create, delete, update};
pub(in crate::domain) use records::strays;
pub use records::{Sealed, all, of_kind, put, vouches};
pub use view::{Listing, Seen, SortKey, list, read};

/// What an application is. Stored by position: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// For trying things out.
    Test,
    /// Genesys Cloud.
    Genesys,
    /// Any OpenID provider.
    StandaloneOpenId,
    /// Talkdesk.
    TalkdeskOpenId,
    /// NICE CXone.
    NiceCxoneOpenId,
    /// For trying an installation out.
    SetupTest,
}

const KINDS: [(Kind, &str); 6] = [
    (Kind::Genesys, "GENESYS"),
    (Kind::StandaloneOpenId, "STANDALONE_OPENID"),
    (Kind::TalkdeskOpenId, "TALKDESK_OPENID"),
    (Kind::NiceCxoneOpenId, "NICE_CXONE_OPENID"),
    (Kind::Test, "TEST"),
    (Kind::SetupTest, "SETUP_TEST"),
];

impl Kind {
    /// The kind of that published name.
    pub fn named(name: &str) -> Option<Self> {
        let known = KINDS.iter().find(|(_, known)| *known == name);
        known.map(|(kind, _)| *kind)
    }

    /// Its published name.
    pub fn name(self) -> &'static str {
        let known = KINDS.iter().find(|(kind, _)| *kind == self);
        known.map_or("", |(_, name)| name)
    }
}

/// The member of a configuration that holds what only services and administrators may see; it is sealed at rest.
pub const SERVICE_PARAMETERS: &str = "serviceParameters";

/// Why an application is not made, changed or shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of that id in the caller's organization.
    #[error("there is no such application")]
    NotFound,
    /// There is one of that id.
    #[error("the application id {0} is taken")]
    Taken(ApplicationId),
    /// The organization has as many as it may.
    #[error(
        "an organization has at most {} applications: remove some first",
        records::PER_ORGANIZATION
    )]
    Full,
    /// It cannot be as it is told to be.
    #[error("{0}")]
    Invalid(String),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// An integration with its configuration.
#[derive(Debug, Clone)]
pub struct Application {
    /// Its identifier.
    pub id: ApplicationId,
    /// The organization it belongs to.
    pub organization: OrgId,
    /// What it is.
    pub kind: Kind,
    /// Its configuration without [`SERVICE_PARAMETERS`].
    pub config: Properties,
    /// The JSON text of [`SERVICE_PARAMETERS`], if there are any.
    pub service_parameters: Option<Secret<String>>,
    /// Whether listings show it.
    pub is_visible: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if it does.
    pub expires_at: Option<Timestamp>,
    /// 0 at first, one more with each change.
    pub version: u64,
    /// Whether an administrator or internal service said whose platform it asks: only then its word about people counts.
    pub vouches: bool,
}

impl Application {
    /// Whether it can be used: it has not ended. Whether listings show it is another matter.
    pub fn is_open(&self, now: Timestamp) -> bool {
        has_not_ended(self.expires_at, now)
    }

    /// One of the service parameters, when it is text.
    pub fn service_parameter(&self, name: &str) -> Option<String> {
        let text = self.service_parameters.as_ref()?;
        let parameters = Properties::from_text(text.expose())?;
        parameters.text(name).map(str::to_owned)
    }
}

fn has_not_ended(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_none_or(|end| now < end)
}

/// The application of that id.
pub fn find(cx: &Cx<'_>, id: &ApplicationId) -> Result<Option<Application>, Fault> {
    records::get(cx, id)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::marker::PhantomData;

    use super::*;

    struct Is<T>(PhantomData<T>);

    trait Silent {
        const PRINTS: bool = false;
    }

    impl<T> Silent for Is<T> {}

    impl<T: Debug> Is<T> {
        const PRINTS: bool = true;
    }

    #[test]
    fn s10_what_holds_service_parameters_in_the_open_cannot_be_printed() {
        let printed = [
            Is::<NewApplication>::PRINTS,
            Is::<Changes>::PRINTS,
            Is::<Seen>::PRINTS,
        ];
        assert_eq!(printed, [false; 3]);
        assert!([Is::<Kind>::PRINTS][0], "it tells the difference");
    }
}
