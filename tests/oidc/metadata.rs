//! Discovery: both issuers, each in every form somebody looks for.

use serde_json::Value;

use super::suite::is_valid_and_public;
use crate::support::client::Client;
use crate::support::server::Server;

/// Each path, and the path of the issuer it tells of.
const FORMS: [(&str, &str); 6] = [
    ("/.well-known/openid-configuration", ""),
    ("/.well-known/oauth-authorization-server", ""),
    ("/auth/v3/.well-known/openid-configuration", "/auth/v3"),
    (
        "/auth/v3/.well-known/oauth-authorization-server",
        "/auth/v3",
    ),
    ("/.well-known/openid-configuration/auth/v3", "/auth/v3"),
    (
        "/.well-known/oauth-authorization-server/auth/v3",
        "/auth/v3",
    ),
];

fn base(server: &Server) -> String {
    format!("https://localhost:{}", server.address.port())
}

async fn document(client: &Client, path: &str) -> Value {
    client.get(path).send().await.ok().json()
}

fn list<'d>(document: &'d Value, name: &str) -> Vec<&'d str> {
    let values = document[name].as_array();
    let values = values.unwrap_or_else(|| panic!("{name} is no list: {document}"));
    values.iter().map(|value| value.as_str().unwrap()).collect()
}

/// Members that are addresses.
fn addresses(document: &Value) -> Vec<(&String, &str)> {
    let members = document.as_object().unwrap().iter();
    let named = |name: &str| name.ends_with("_endpoint") || name == "jwks_uri" || name == "issuer";
    members
        .filter(|(name, _)| named(name))
        .map(|(name, value)| (name, value.as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn md_1_what_is_required_is_there_and_no_list_is_empty() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, issuer) in FORMS {
        let document = document(&client, path).await;
        for (name, address) in addresses(&document) {
            assert!(address.starts_with("https://"), "{path}: {name}");
            assert!(!address.contains(['?', '#']), "{path}: {name}");
        }
        for (name, value) in document.as_object().unwrap() {
            assert!(!value.is_null(), "{path}: {name}");
            assert!(
                value.as_array().is_none_or(|list| !list.is_empty()),
                "{path}: {name}"
            );
        }
        let oauth = if issuer.is_empty() {
            "/security/oauth"
        } else {
            "/auth/v3/oauth"
        };
        let base = base(&server);
        for (name, expected) in [
            ("authorization_endpoint", format!("{base}{oauth}/authorize")),
            ("token_endpoint", format!("{base}{oauth}/token")),
            ("introspection_endpoint", format!("{base}/oauth/introspect")),
            ("revocation_endpoint", format!("{base}/oauth/revoke")),
        ] {
            assert_eq!(document[name], expected, "{path}");
        }
        let secrets = ["client_secret_basic", "client_secret_post"];
        let either = ["client_secret_basic", "client_secret_post", "none"];
        let methods = |of: &str| list(&document, &format!("{of}_endpoint_auth_methods_supported"));
        assert_eq!(methods("token"), either);
        assert_eq!(methods("revocation"), either);
        assert_eq!(
            methods("introspection"),
            secrets,
            "a name alone proves nothing"
        );
    }
}

#[tokio::test]
async fn md_2_every_form_leads_to_the_one_document_of_its_issuer() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, issuer) in FORMS {
        let first = FORMS.iter().find(|(_, of)| *of == issuer).unwrap().0;
        assert_eq!(
            document(&client, path).await,
            document(&client, first).await,
            "{path}"
        );
    }
    for path in [
        "/.well-known/openid-configuration/auth",
        "/.well-known/openid-configuration/security",
        "/auth/v3/.well-known/jwks.json",
        "/auth/v3/.well-known",
    ] {
        client.get(path).send().await.is(404, "not_found");
    }
}

#[tokio::test]
async fn md_3_di_4_the_issuer_is_the_address_the_document_was_looked_for_under() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, issuer) in FORMS {
        let answer = client.get(path).send().await.ok();
        assert!(
            answer
                .header("content-type")
                .starts_with("application/json")
        );
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        assert_eq!(
            answer.json()["issuer"],
            format!("{}{issuer}", base(&server)),
            "{path}"
        );
    }
}

#[tokio::test]
async fn di_3_an_openid_provider_says_what_it_must() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, _) in FORMS {
        let document = document(&client, path).await;
        assert!(list(&document, "response_types_supported").contains(&"code"));
        assert_eq!(list(&document, "subject_types_supported"), ["public"]);
        assert!(list(&document, "id_token_signing_alg_values_supported").contains(&"RS256"));
        let keys = document["jwks_uri"].as_str().unwrap();
        let keys = keys.strip_prefix(&base(&server)).unwrap();
        assert!(!client.get(keys).send().await.ok().json()["keys"][0].is_null());
    }
}

#[tokio::test]
async fn is_1_the_issuer_is_promised_in_authorization_responses() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, _) in FORMS {
        let document = document(&client, path).await;
        assert_eq!(
            document["authorization_response_iss_parameter_supported"], true,
            "{path}"
        );
    }
}

#[tokio::test]
async fn bcp_2_1_1_pk_4_2_only_s256_is_offered() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, _) in FORMS {
        let document = document(&client, path).await;
        assert_eq!(
            list(&document, "code_challenge_methods_supported"),
            ["S256"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn o19_scripts_of_any_site_read_what_is_public_and_nothing_else() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let elsewhere = ("origin", "https://elsewhere.example");
    let name = "access-control-allow-origin";
    let public = FORMS.iter().map(|(path, _)| *path);
    for path in public.chain(["/.well-known/jwks.json"]) {
        let answer = client
            .get(path)
            .header(elsewhere.0, elsewhere.1)
            .send()
            .await;
        assert_eq!(answer.ok().header(name), "*", "{path}");
    }
    for path in [
        "/oidc/userinfo",
        "/oidc/logout",
        "/oauth/introspect",
        "/oauth/revoke",
    ] {
        for method in ["GET", "POST", "OPTIONS"] {
            let request = client.request(method, path);
            let answer = request.header(elsewhere.0, elsewhere.1).quiet().await;
            assert_eq!(answer.header(name), "", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn oidcc_discovery_endpoint_verification() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for (path, issuer) in FORMS {
        let document = document(&client, path).await;
        follows_the_schema(&document);
        assert_eq!(document["issuer"], format!("{}{issuer}", base(&server)));
        for (member, address) in addresses(&document) {
            assert!(address.starts_with(&base(&server)), "{member}");
        }
        for member in ["authorization", "token", "userinfo", "end_session"] {
            assert!(
                document[format!("{member}_endpoint")].is_string(),
                "{member}"
            );
        }
        assert!(document["userinfo_signing_alg_values_supported"].is_null());
        assert_eq!(document["request_parameter_supported"], false);
        assert_eq!(document["request_uri_parameter_supported"], false);
        assert_eq!(document["require_request_uri_registration"], false);
        assert_eq!(document["claims_parameter_supported"], true);
        assert!(document["registration_endpoint"].is_null());
        for (member, expected) in [
            ("response_types_supported", "code"),
            ("subject_types_supported", "public"),
            ("id_token_signing_alg_values_supported", "RS256"),
            ("code_challenge_methods_supported", "S256"),
            ("grant_types_supported", "authorization_code"),
            ("grant_types_supported", "refresh_token"),
            ("scopes_supported", "openid"),
            ("scopes_supported", "offline_access"),
            ("claims_supported", "sub"),
            ("claims_supported", "email_verified"),
            ("response_modes_supported", "form_post"),
        ] {
            assert!(list(&document, member).contains(&expected), "{member}");
        }
        let legal = |c: char| matches!(c, '!' | '#'..='[' | ']'..='~');
        let scopes = list(&document, "scopes_supported");
        assert!(scopes.iter().all(|scope| scope.chars().all(legal)));
        for locale in list(&document, "ui_locales_supported") {
            assert!(locale.len() == 2 && locale.chars().all(|c| c.is_ascii_lowercase()));
        }
        let keys = document["jwks_uri"].as_str().unwrap();
        keys_are_valid_public_and_distinct(&client, keys.strip_prefix(&base(&server)).unwrap())
            .await;
    }
}

/// Every member is one OpenID Connect Discovery §3, RFC 8414 §2, RFC 9207 §3 or RP-Initiated Logout §2.1 registers, of
/// the type it has there.
fn follows_the_schema(document: &Value) {
    for (name, value) in document.as_object().unwrap() {
        let text = ["issuer", "jwks_uri"].contains(&name.as_str()) || name.ends_with("_endpoint");
        let flag = [
            "claims_parameter_supported",
            "request_parameter_supported",
            "request_uri_parameter_supported",
            "require_request_uri_registration",
            "authorization_response_iss_parameter_supported",
        ];
        if text {
            assert!(value.is_string(), "{name}");
        } else if flag.contains(&name.as_str()) {
            assert!(value.is_boolean(), "{name}");
        } else {
            assert!(name.ends_with("_supported"), "{name} is registered nowhere");
            let mut values = list(document, name);
            let count = values.len();
            values.sort_unstable();
            values.dedup();
            assert_eq!(values.len(), count, "{name} repeats itself");
        }
    }
}

async fn keys_are_valid_public_and_distinct(client: &Client, path: &str) {
    let keys = document(client, path).await;
    let keys = keys["keys"].as_array().unwrap().clone();
    let mut kids: Vec<_> = keys
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    kids.sort_unstable();
    kids.dedup();
    assert_eq!(kids.len(), keys.len());
    for key in &keys {
        is_valid_and_public(key);
    }
}

#[tokio::test]
async fn di_4_each_document_is_json_at_its_issuers_address() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for issuer in ["", "/auth/v3"] {
        let path = format!("{issuer}/.well-known/openid-configuration");
        let answer = client.get(&path).send().await.ok();
        let kind = answer.header("content-type");
        assert!(kind.starts_with("application/json"), "{kind}");
        let expected = format!("{}{issuer}", base(&server));
        assert_eq!(answer.json()["issuer"], expected);
        client
            .post(&path)
            .send()
            .await
            .is(405, "method_not_allowed");
    }
}
