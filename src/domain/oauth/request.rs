//! Parameters → a token request; nothing half-valid survives.
//!
//! The oddities of real clients end here: a ticket comes as a password grant of public client `customer`, under the
//! name `username` or `ticket`. The rules see a ticket grant. An agent comes as a password grant of public client `agent`.

use super::Error;
use crate::domain::clients::{AGENT, CUSTOMER};
use crate::kernel::{Secret, TicketId};

/// How many parameters a request may have; no real one has a dozen.
const PARAMS_MAX: usize = 64;

/// The ticket grant's own name; RFC 6749 §4.5 wants an absolute URI.
pub const TICKET_GRANT: &str = "urn:admit:params:oauth:grant-type:ticket";

/// The own name of the grant that takes an authorization code of Genesys Cloud.
pub const GENESYS_GRANT: &str = "urn:admit:params:oauth:grant-type:genesys-code";

/// Request parameters, each at most once; an empty value is as good as none (RFC 6749 §3.2).
#[derive(Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Takes decoded pairs; a name given twice is refused.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Error> {
        let mut params = Self::default();
        for (name, value) in pairs {
            if params.0.len() >= PARAMS_MAX {
                return Err(Error::InvalidRequest(format!(
                    "more than {PARAMS_MAX} parameters are given"
                )));
            }
            if params.0.iter().any(|(known, _)| *known == name) {
                return Err(Error::InvalidRequest(format!(
                    "parameter `{}` is given more than once",
                    shown(&name)
                )));
            }
            params.0.push((name, value));
        }
        Ok(params)
    }

    /// The value of a parameter that was given and is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// Every parameter, in the order given.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether the parameter was given at all, even empty.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// How a token is asked for.
pub enum Grant {
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken(Secret<String>),
    /// RFC 6749 §4.1.3.
    AuthorizationCode(CodeRequest),
    /// RFC 6749 §4.3.
    Password(PasswordRequest),
    /// A ticket for tokens; `None` when what was presented can be no ticket's id.
    Ticket(Option<TicketId>),
    /// An authorization code of Genesys Cloud for tokens.
    GenesysCode(GenesysCode),
}

/// An authorization code of Genesys Cloud, and the application it was given to.
pub struct GenesysCode {
    /// The application's id, as it was presented.
    pub application: String,
    /// The code.
    pub code: Secret<String>,
    /// Where it was sent.
    pub redirect_uri: Option<String>,
}

/// A code, and what it must fit.
pub struct CodeRequest {
    /// The code.
    pub code: Secret<String>,
    /// Where it was sent.
    pub redirect_uri: Option<String>,
    /// What its challenge was made of (RFC 7636 §4.5).
    pub verifier: Option<String>,
}

/// A name and a password.
pub struct PasswordRequest {
    /// The name, or `tenant\name`.
    pub username: String,
    /// The password.
    pub password: Secret<String>,
}

/// What is asked of the token endpoint once the client is known.
pub struct TokenRequest {
    /// How.
    pub grant: Grant,
    /// The scopes asked for, if any.
    pub scope: Option<String>,
}

impl TokenRequest {
    /// Reads the parameters of a client that has proved who it is.
    pub fn parse(params: &Params, client: &str) -> Result<Self, Error> {
        let grant_type = params.get("grant_type");
        let grant_type =
            grant_type.ok_or_else(|| Error::InvalidRequest("Missing grant type".into()))?;
        let grant = match grant_type {
            "client_credentials" => Grant::ClientCredentials,
            "refresh_token" => Grant::RefreshToken(required(params, "refresh_token")?),
            "password" if client == CUSTOMER => ticket(params)?,
            TICKET_GRANT => ticket(params)?,
            "password" if client == AGENT => Grant::GenesysCode(genesys_code(params)?),
            GENESYS_GRANT => Grant::GenesysCode(genesys_code(params)?),
            "password" => Grant::Password(password(params)?),
            "authorization_code" => Grant::AuthorizationCode(code(params)?),
            "implicit" => return Err(Error::ImplicitGrant),
            unknown => return Err(Error::UnsupportedGrantType(shown(unknown))),
        };
        Ok(Self {
            grant,
            scope: params.get("scope").map(str::to_owned),
        })
    }
}

fn required(params: &Params, name: &str) -> Result<Secret<String>, Error> {
    let value = params
        .get(name)
        .ok_or_else(|| Error::InvalidRequest(format!("{name} parameter not provided")))?;
    Ok(Secret::new(value.to_owned()))
}

fn code(params: &Params) -> Result<CodeRequest, Error> {
    let missing = || Error::InvalidRequest("An authorization code must be supplied.".into());
    let code = params.get("code").ok_or_else(missing)?;
    let text = |name: &str| params.get(name).map(str::to_owned);
    Ok(CodeRequest {
        code: Secret::new(code.to_owned()),
        redirect_uri: text("redirect_uri"),
        verifier: text("code_verifier"),
    })
}

fn password(params: &Params) -> Result<PasswordRequest, Error> {
    let username = params
        .get("username")
        .ok_or_else(|| Error::InvalidRequest("username parameter not provided".into()))?;
    Ok(PasswordRequest {
        username: username.to_owned(),
        password: required(params, "password")?,
    })
}

fn genesys_code(params: &Params) -> Result<GenesysCode, Error> {
    let PasswordRequest { username, password } = password(params)?;
    Ok(GenesysCode {
        application: username,
        code: password,
        redirect_uri: params.get("redirect_uri").map(str::to_owned),
    })
}

fn ticket(params: &Params) -> Result<Grant, Error> {
    let presented = params.get("ticket").or_else(|| params.get("username"));
    let presented = presented
        .ok_or_else(|| Error::InvalidRequest("neither ticket nor username was provided".into()))?;
    Ok(Grant::Ticket(presented.parse().ok()))
}

/// A stranger's word, fit to be repeated in an error: short and printable.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\'))
        .take(64)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::new(
            pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned())),
        )
        .ok()
        .unwrap()
    }

    fn ticket_of(pairs: &[(&str, &str)], client: &str) -> Option<String> {
        match TokenRequest::parse(&params(pairs), client).ok()?.grant {
            Grant::Ticket(id) => id.map(|id| id.to_string()),
            Grant::ClientCredentials
            | Grant::RefreshToken(_)
            | Grant::AuthorizationCode(_)
            | Grant::Password(_)
            | Grant::GenesysCode(_) => None,
        }
    }

    #[test]
    fn a_ticket_comes_in_three_spellings() {
        let spellings: [&[(&str, &str)]; 4] = [
            &[
                ("grant_type", "password"),
                ("username", "ABC-def"),
                ("password", ""),
            ],
            &[
                ("grant_type", "password"),
                ("ticket", "abcdef"),
                ("password", "something"),
            ],
            &[
                ("grant_type", "password"),
                ("ticket", "abc-def"),
                ("username", "other"),
            ],
            &[("grant_type", TICKET_GRANT), ("ticket", "abc-def")],
        ];
        for pairs in spellings {
            assert_eq!(
                ticket_of(pairs, "customer").as_deref(),
                Some("abc-def"),
                "{pairs:?}"
            );
        }
    }

    #[test]
    fn a_password_grant_of_any_other_client_is_no_ticket() {
        let pairs = [
            ("grant_type", "password"),
            ("username", "abc-def"),
            ("password", "x"),
        ];
        let request = TokenRequest::parse(&params(&pairs), "backend");
        assert!(request.is_ok_and(|request| matches!(request.grant, Grant::Password(_))));
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        let twice = [
            ("scope".to_owned(), "a".to_owned()),
            ("scope".to_owned(), "a".to_owned()),
        ];
        assert!(matches!(Params::new(twice), Err(Error::InvalidRequest(_))));
    }

    #[test]
    fn thousands_of_parameters_are_refused_without_comparing_them_all() {
        let many = (0..10_000).map(|n| (format!("p{n}"), String::new()));
        assert!(matches!(Params::new(many), Err(Error::InvalidRequest(_))));
    }

    proptest! {
        #[test]
        fn any_parameters_are_read_or_refused(pairs in prop::collection::vec((".{0,12}", ".{0,40}"), 0..6)) {
            if let Ok(params) = Params::new(pairs) {
                let _ = TokenRequest::parse(&params, "customer");
            }
        }

        #[test]
        fn a_refused_grant_type_is_told_in_plain_characters(name in ".{1,80}") {
            if let Err(Error::UnsupportedGrantType(told)) = TokenRequest::parse(&params(&[("grant_type", &name)]), "x") {
                prop_assert!(told.chars().all(|c| c.is_ascii_graphic() && c != '"'));
            }
        }
    }
}
