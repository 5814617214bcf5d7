//! `admit client`: OAuth clients.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::{Target, USAGE, algorithm, failed, listed, role, texts};
use crate::domain::admin::{
    AdminCommand, Algorithm, ClientCommand, Facts, GrantType, NewClient, Role,
};
use crate::kernel::ClientId;

#[derive(Args)]
pub(super) struct Client {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register a client. Prints its id and, this once, its secret.
    Create {
        /// The organization it belongs to, by name or id; only its own people can then sign in to it [default: the one
        /// called default, or the only one, and everybody can].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
        /// The id it shall have [default: a generated one].
        #[arg(long, value_parser = client_id)]
        id: Option<ClientId>,
        /// It can keep no secret, as software on people's own devices.
        #[arg(long)]
        public: bool,
        #[command(flatten)]
        facts: Box<Options>,
    },
    /// The clients of an organization.
    List {
        /// The organization, by name or id [default: the one called default, or the only one].
        #[arg(long, value_name = "ORG")]
        org: Option<String>,
    },
    /// One client.
    Show {
        /// Its id.
        id: String,
    },
    /// Change a client: what is named, and nothing else. The values given for a list are all it holds from then on; an
    /// empty value alone empties it.
    Update {
        /// Its id.
        id: String,
        #[command(flatten)]
        facts: Box<Options>,
    },
    /// Give a client a new secret and print it, this once. The one before is good for nothing from then on, unless an
    /// overlap is asked for.
    Rotate {
        /// Its id.
        id: String,
        /// For how long the one before is good as well, at most a week.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        overlap: u64,
    },
    /// Remove a client and end every token it was issued.
    Delete {
        /// Its id.
        id: String,
    },
}

const ROLES: &str = "A role of its own tokens: Agent, Supervisor, Admin, ClientService or Service; \
                     may be repeated [a new client's without any: ClientService with client_credentials, else none]";
const GRANTS: &str = "A way to ask for tokens: authorization_code, refresh_token, client_credentials, password, \
                      implicit, urn:admit:params:oauth:grant-type:ticket or \
                      urn:admit:params:oauth:grant-type:genesys-code; may be repeated [a new client's without any: \
                      authorization_code and refresh_token with a redirect URI, else client_credentials]";

#[derive(Args, Default, PartialEq)]
struct Options {
    /// What people who sign in to it call it.
    #[arg(long)]
    name: Option<String>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[arg(long = "role", value_name = "ROLE", value_parser = role, help = ROLES)]
    roles: Vec<Option<Role>>,
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant, help = GRANTS)]
    grants: Vec<GrantType>,
    /// A scope it may ask for; may be repeated.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Where people may be sent back to when they have signed in; may be repeated.
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where people may be sent back to when they have signed out; may be repeated.
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// How its access tokens are signed: EdDSA or RS256.
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    signing: Option<Algorithm>,
    /// How its ID tokens are signed: RS256 or EdDSA.
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    id_token_signing: Option<Algorithm>,
    /// Its own lifetime of access tokens; 0 is everyone's.
    #[arg(long, value_name = "SECONDS")]
    access_seconds: Option<u32>,
    /// How long a sign-in of its own may lie unused; 0 is everyone's.
    #[arg(long, value_name = "SECONDS")]
    refresh_seconds: Option<u32>,
}

impl Options {
    fn facts(self) -> Facts {
        Facts {
            name: self.name,
            description: self.description,
            roles: listed(self.roles),
            grants: (!self.grants.is_empty()).then_some(self.grants),
            scopes: texts(self.scopes),
            redirect_uris: texts(self.redirect_uris),
            post_logout_redirect_uris: texts(self.post_logout_redirect_uris),
            signing: self.signing,
            id_token_signing: self.id_token_signing,
            access_seconds: self.access_seconds,
            refresh_seconds: self.refresh_seconds,
            secret: None,
        }
    }
}

impl Client {
    pub(super) fn run(self) -> ExitCode {
        let command = match self.command {
            Command::Create {
                org,
                id,
                public,
                facts,
            } => {
                let facts = facts.facts();
                let shared = org.is_none();
                let new = Box::new(NewClient {
                    id,
                    public,
                    shared,
                    facts,
                });
                ClientCommand::Create { org, new }
            }
            Command::List { org } => ClientCommand::List { org },
            Command::Show { id } => ClientCommand::Show { id },
            Command::Update { facts, .. } if *facts == Options::default() => {
                return failed(
                    "name what to change; see `admit client update --help`",
                    USAGE,
                );
            }
            Command::Update { id, facts } => ClientCommand::Update {
                id,
                facts: Box::new(facts.facts()),
            },
            Command::Rotate { id, overlap } => ClientCommand::Rotate { id, overlap },
            Command::Delete { id } => ClientCommand::Delete { id },
        };
        self.target.run(&AdminCommand::Client(command))
    }
}

fn grant(word: &str) -> Result<GrantType, String> {
    GrantType::named(word).ok_or_else(|| {
        let known = GrantType::ALL.map(|(_, word)| word);
        format!("grants are {}", known.join(", "))
    })
}

fn client_id(word: &str) -> Result<ClientId, String> {
    let id = word.parse();
    id.map_err(|_| "a client's id is 1 to 128 letters, digits and . _ - @".to_owned())
}
