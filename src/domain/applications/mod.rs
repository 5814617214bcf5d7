//! Integrations: which contact-centre platform an organization's tickets and rooms belong to, and how it is reached.

mod records;

use serde::{Deserialize, Serialize};

use super::Cx;
use crate::kernel::{ApplicationId, Fault, OrgId, Properties, Secret, Timestamp};

pub use records::{Sealed, put};

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
}

impl Application {
    /// One of the service parameters, when it is text.
    pub fn service_parameter(&self, name: &str) -> Option<String> {
        let text = self.service_parameters.as_ref()?;
        let parameters = Properties::from_text(text.expose())?;
        parameters.text(name).map(str::to_owned)
    }
}

/// The application of that id.
pub fn find(cx: &Cx<'_>, id: &ApplicationId) -> Result<Option<Application>, Fault> {
    records::get(cx, id)
}
