//! Upstreams as an organization's applications name them: where they are, as whom they are asked, and what is wrong
//! when they are not. Whether an address may be asked at all is the operator's rule and stands in `adapters`.

mod refresh;

use super::access::Denied;
use super::applications::{Application, Kind};
use super::ports::{Failure, GENESYS_ENVIRONMENTS, GenesysAccount, TokenAccount};
use crate::kernel::{BaseUrl, Fault, Secret};

pub use refresh::{refresh_plan, renewed};

/// Why an upstream does not do what it is asked on behalf of an application.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no application it could be asked on behalf of, or something is missing in it.
    #[error("{0}")]
    NoAccount(String),
    /// It was asked.
    #[error(transparent)]
    Failure(#[from] Failure),
    /// It refused what the caller sent, in words that are for the caller.
    #[error("{code}: {message}")]
    Declined {
        /// Its word for it.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Where the Genesys Cloud of an application is, and as whom it is asked.
pub fn genesys_account(application: &Application) -> Result<GenesysAccount, Error> {
    is_of(application, Kind::Genesys)?;
    let environment = application.config.text(ENVIRONMENT);
    let known = environment.filter(|name| GENESYS_ENVIRONMENTS.contains(name));
    let at = |parameter: &str, first: &str| {
        if let Some(base) = address(application, parameter)? {
            return Ok(base);
        }
        let environment = known.ok_or_else(|| no_environment(application, environment))?;
        read(
            application,
            ENVIRONMENT,
            &format!("https://{first}.{environment}"),
        )
    };
    Ok(GenesysAccount {
        login: at("loginBase", "login")?,
        api: at("apiBase", "api")?,
        client_id: client_id(application)?,
        client_secret: client_secret(application)?,
    })
}

/// Where an application's tokens are refreshed, and as whom.
pub fn token_account(application: &Application) -> Result<TokenAccount, Error> {
    let token_url = match (address(application, "tokenUrl")?, application.kind) {
        (Some(url), Kind::TalkdeskOpenId | Kind::NiceCxoneOpenId) => url,
        (None, Kind::TalkdeskOpenId) => talkdesk(application)?,
        (None, Kind::NiceCxoneOpenId) => {
            let issuer = address(application, "issuer")?;
            let issuer = issuer.map_or(NICE.to_owned(), |issuer| issuer.to_string());
            read(
                application,
                "serviceParameters.issuer",
                &format!("{issuer}/auth/token"),
            )?
        }
        (_, Kind::Test | Kind::Genesys | Kind::StandaloneOpenId | Kind::SetupTest) => {
            let (id, kind) = (&application.id, application.kind.name());
            return Err(Error::NoAccount(format!(
                "the application {id} is of type {kind}, whose tokens nobody refreshes here"
            )));
        }
    };
    Ok(TokenAccount {
        token_url,
        client_id: client_id(application)?,
        client_secret: client_secret(application)?,
    })
}

/// The issuer of NICE CXone unless an application names another.
const NICE: &str = "https://cxone.niceincontact.com";

const ENVIRONMENT: &str = "pcEnvironment";

/// Where Talkdesk's accounts are, by region.
const TALKDESK: [(&str, &str); 4] = [
    ("us", "talkdeskid.com"),
    ("eu", "talkdeskid.eu"),
    ("ca", "talkdeskidca.com"),
    ("au", "talkdeskid.au"),
];

fn talkdesk(application: &Application) -> Result<BaseUrl, Error> {
    let account = required(application, "account")?;
    let region = application.service_parameter("region");
    let region = region.filter(|region| !region.is_empty());
    let region = region.map_or("us".to_owned(), |region| region.to_ascii_lowercase());
    let domain = TALKDESK.iter().find(|(known, _)| *known == region);
    let (_, domain) = domain.ok_or_else(|| {
        wrong(
            application,
            "serviceParameters.region is none of us, eu, ca, au",
        )
    })?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    if !account.bytes().all(plain) {
        let words = "serviceParameters.account is not the first part of a Talkdesk address";
        return Err(wrong(application, words));
    }
    let address = format!("https://{account}.{domain}/oauth/token");
    read(application, "serviceParameters.account", &address)
}

fn is_of(application: &Application, kind: Kind) -> Result<(), Error> {
    if application.kind == kind {
        return Ok(());
    }
    let (id, kind) = (&application.id, kind.name());
    Err(Error::NoAccount(format!(
        "the application {id} is not of type {kind}"
    )))
}

fn no_environment(application: &Application, given: Option<&str>) -> Error {
    let known = GENESYS_ENVIRONMENTS.join(", ");
    wrong(
        application,
        &match given {
            Some(_) => format!("config.pcEnvironment is none of {known}"),
            None => format!("config.pcEnvironment is missing; it is one of {known}"),
        },
    )
}

fn client_id(application: &Application) -> Result<String, Error> {
    required(application, "clientId")
}

fn client_secret(application: &Application) -> Result<Secret<String>, Error> {
    required(application, "clientSecret").map(Secret::new)
}

fn required(application: &Application, name: &str) -> Result<String, Error> {
    let given = application.service_parameter(name);
    given
        .filter(|text| !text.is_empty())
        .ok_or_else(|| wrong(application, &format!("serviceParameters.{name} is missing")))
}

/// An address among the service parameters, if it is given.
fn address(application: &Application, name: &str) -> Result<Option<BaseUrl>, Error> {
    let given = application.service_parameter(name);
    let given = given.filter(|text| !text.is_empty());
    let parsed = given.map(|text| read(application, &format!("serviceParameters.{name}"), &text));
    parsed.transpose()
}

fn read(application: &Application, what: &str, text: &str) -> Result<BaseUrl, Error> {
    text.parse()
        .map_err(|error| wrong(application, &format!("{what} {error}")))
}

fn wrong(application: &Application, what: &str) -> Error {
    Error::NoAccount(format!("application {}: {what}", application.id))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::kernel::{Properties, Timestamp};

    fn application(kind: Kind, config: &Value, service: &Value) -> Application {
        let properties = |value: &Value| Properties::new(value.as_object().unwrap().clone());
        Application {
            id: "app".parse().unwrap(),
            organization: "org".parse().unwrap(),
            kind,
            config: properties(config).unwrap(),
            service_parameters: Some(Secret::new(service.to_string())),
            is_visible: true,
            created_at: Timestamp::from_seconds(0),
            expires_at: None,
            version: 0,
            vouches: true,
        }
    }

    fn genesys(config: &Value, service: &Value) -> Result<(String, String), String> {
        let account = genesys_account(&application(Kind::Genesys, config, service));
        account
            .map(|account| (account.login.to_string(), account.api.to_string()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn genesys_cloud_is_where_the_environment_is_or_where_the_application_says() {
        let own = json!({"clientId": "c", "clientSecret": "s"});
        let pair = |one: &str, other: &str| Ok((one.to_owned(), other.to_owned()));
        assert_eq!(
            genesys(&json!({"pcEnvironment": "mypurecloud.de"}), &own),
            pair("https://login.mypurecloud.de", "https://api.mypurecloud.de")
        );
        let both = json!({"clientId": "c", "clientSecret": "s", "loginBase": "https://127.0.0.1:9443/genesys/login/", "apiBase": "https://127.0.0.1:9443"});
        assert_eq!(
            genesys(&json!({}), &both),
            pair(
                "https://127.0.0.1:9443/genesys/login",
                "https://127.0.0.1:9443"
            )
        );
        for (config, service, missing) in [
            (json!({}), own.clone(), "pcEnvironment is missing"),
            (
                json!({"pcEnvironment": "evil.example"}),
                own.clone(),
                "pcEnvironment is none of",
            ),
            (
                json!({"pcEnvironment": "mypurecloud.de"}),
                json!({"clientId": "c"}),
                "clientSecret is missing",
            ),
            (
                json!({"pcEnvironment": "mypurecloud.de"}),
                json!({"clientId": "", "clientSecret": "s"}),
                "clientId is missing",
            ),
            (
                json!({"pcEnvironment": "mypurecloud.de"}),
                json!({"apiBase": "file:///etc"}),
                "apiBase is not an address",
            ),
        ] {
            let told = genesys(&config, &service).unwrap_err();
            assert!(told.contains(missing) && told.contains("app"), "{told}");
        }
    }

    #[test]
    fn tokens_are_refreshed_where_the_vendor_has_the_account() {
        let at = |kind: Kind, more: &Value| {
            let mut service = json!({"clientId": "c", "clientSecret": "s"});
            let more = more.as_object().unwrap().clone();
            service.as_object_mut().unwrap().extend(more);
            let account = token_account(&application(kind, &json!({}), &service));
            account
                .map(|account| account.token_url.to_string())
                .map_err(|error| error.to_string())
        };
        let (talkdesk, nice) = (Kind::TalkdeskOpenId, Kind::NiceCxoneOpenId);
        for (kind, more, expected) in [
            (
                talkdesk,
                json!({"account": "acme"}),
                "https://acme.talkdeskid.com/oauth/token",
            ),
            (
                talkdesk,
                json!({"account": "acme", "region": "EU"}),
                "https://acme.talkdeskid.eu/oauth/token",
            ),
            (
                talkdesk,
                json!({"account": "acme", "region": "ca"}),
                "https://acme.talkdeskidca.com/oauth/token",
            ),
            (
                talkdesk,
                json!({"tokenUrl": "https://127.0.0.1:9443/talkdesk/oauth/token"}),
                "https://127.0.0.1:9443/talkdesk/oauth/token",
            ),
            (
                nice,
                json!({}),
                "https://cxone.niceincontact.com/auth/token",
            ),
            (
                nice,
                json!({"issuer": "https://nicecxone-sov1.eu/"}),
                "https://nicecxone-sov1.eu/auth/token",
            ),
        ] {
            assert_eq!(at(kind, &more).as_deref(), Ok(expected));
        }
        for (kind, more) in [
            (talkdesk, json!({})),
            (talkdesk, json!({"account": "acme", "region": "moon"})),
            (talkdesk, json!({"account": "acme.evil.example/"})),
            (talkdesk, json!({"account": "a@b"})),
            (nice, json!({"issuer": "nowhere"})),
            (Kind::Test, json!({"tokenUrl": "https://127.0.0.1:9443"})),
        ] {
            assert!(at(kind, &more).is_err(), "{more}");
        }
    }
}
