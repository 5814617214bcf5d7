//! The published schemas of both contracts. Every answer a test gets is compared with the one of its operation, so that
//! none gains, loses or bends a member unseen.

use admit::kernel::Timestamp;
use serde_json::{Map, Value};

use super::client::Answer;

/// What a member holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Text,
    Word(&'static [&'static str]),
    Whole,
    Flag,
    /// RFC 3339, as both documents have it.
    Instant,
    Texts,
    /// An object whose members strangers choose.
    Open,
    Of(Schema),
    ListOf(Schema),
}

/// The members a schema has. None is required by the documents.
type Schema = &'static [(&'static str, Kind)];

/// What an operation answers with.
#[derive(Debug, Clone, Copy)]
enum Body {
    /// Nothing at all.
    Nothing,
    /// No JSON: a calendar file, a redirect, a page, a header.
    Other,
    One(Schema),
    Many(Schema),
    /// The members of the schema and others that clients read beside them.
    AtLeast(Schema),
    /// JSON as another server wrote it.
    Foreign,
}

use Body::{AtLeast, Foreign, Many, Nothing, One, Other};
use Kind::{Flag, Instant, ListOf, Of, Open, Text, Texts, Whole, Word};

const TICKET: Schema = &[
    ("id", Text),
    ("userId", Text),
    ("organizationId", Text),
    ("type", Word(TICKET_TYPES)),
    ("properties", Open),
    ("disabled", Instant),
    ("revoked", Instant),
    ("createdAt", Instant),
    ("expiresAt", Instant),
    ("version", Whole),
    ("expired", Flag),
];
const TICKET_TYPES: &[&str] = &[
    "GENESYS_SINGLE_USE_TICKET",
    "GENESYS_MULTI_USE_TICKET",
    "GENESYS_SCHEDULE_TICKET",
    "MULTI_USE_TICKET",
    "SCHEDULE_TICKET",
    "APPOINTMENTS_SCHEDULE_TICKET",
    "SINGLE_USE_TICKET",
    "SINGLE_USE_SCHEDULE_TICKET",
    "SINGLE_USE_APPOINTMENTS_SCHEDULE_TICKET",
];
const CLIENT: Schema = &[
    ("clientId", Text),
    ("clientSecret", Text),
    ("description", Text),
    ("roles", Texts),
];
const APPLICATION: Schema = &[
    ("version", Whole),
    ("id", Text),
    ("organizationId", Text),
    ("type", Word(APPLICATION_TYPES)),
    ("config", Open),
    ("createdAt", Instant),
    ("visible", Flag),
    ("expiresAt", Instant),
];
const APPLICATION_TYPES: &[&str] = &[
    "GENESYS",
    "STANDALONE_OPENID",
    "TALKDESK_OPENID",
    "NICE_CXONE_OPENID",
    "TEST",
    "SETUP_TEST",
];
const ID: Schema = &[("id", Text)];
const CREATED_KEY: Schema = &[("id", Text), ("publicKey", Text), ("key", Text)];
const KEY: Schema = &[
    ("id", Text),
    ("userId", Text),
    ("organizationId", Text),
    ("type", Word(&["SSH_RSA"])),
    ("keySize", Whole),
    ("privateKey", Text),
    ("publicKey", Text),
    ("key", Text),
    ("comment", Text),
    ("createdAt", Instant),
];
const ROOM: Schema = &[
    ("agentUrl", Text),
    ("ticketUrl", Text),
    ("recordingUrl", Text),
];
const CALLBACK: Schema = &[
    ("conferenceId", Text),
    ("ticketId", Text),
    ("agentUrl", Text),
    ("ticketUrl", Text),
    (
        "genesys",
        Of(&[
            (
                "conversation",
                Of(&[("id", Text), ("name", Text), ("selfUri", Text)]),
            ),
            (
                "callbackIdentifiers",
                ListOf(&[("type", Text), ("id", Text)]),
            ),
        ]),
    ),
];
/// Without `password`, which the document has and we never show.
const USER: Schema = &[
    ("id", Text),
    ("expiresAt", Instant),
    ("locked", Flag),
    ("credentialsExpireAt", Instant),
    ("disabled", Flag),
    ("roles", Texts),
    ("createdAt", Instant),
    ("lastSeenAt", Instant),
    ("personalDataEntityId", Text),
    ("version", Whole),
    ("enabled", Flag),
    ("authorities", ListOf(&[("authority", Text)])),
    ("username", Text),
    ("accountNonExpired", Flag),
    ("accountNonLocked", Flag),
    ("credentialsNonExpired", Flag),
];
const TOKEN: Schema = &[
    ("access_token", Text),
    ("expires_in", Whole),
    ("refresh_token", Text),
    ("scope", Text),
    ("token_type", Word(&["bearer"])),
];
const STATUS: Schema = &[("code", Whole), ("detail", Open), ("message", Text)];
const API_RESPONSE: Schema = &[
    ("data", Open),
    ("errors", ListOf(&[("status", Of(STATUS))])),
    ("path", Text),
    ("status", Of(STATUS)),
];
const USER_ROLE: Schema = &[("name", Text), ("privileges", Texts)];
const CLOUD_USER: Schema = &[
    ("authorities", ListOf(USER_ROLE)),
    ("cmeUserName", Text),
    ("contactCenterId", Text),
    ("dbid", Whole),
    ("environmentId", Text),
    ("loginName", Text),
    ("properties", Open),
    ("username", Text),
];
const OPENID_USER: Schema = &[
    ("aud", Text),
    ("authorities", ListOf(USER_ROLE)),
    ("contact_center_id", Text),
    ("dbid", Whole),
    ("email", Text),
    ("environment_id", Text),
    ("family_name", Text),
    ("given_name", Text),
    ("properties", Open),
    ("sub", Text),
    ("user_name", Text),
];

/// Each documented operation with the status of its success, and the old names clients call some of them by.
const OPERATIONS: &[(&str, &str, u16, Body)] = &[
    ("GET", "/security/ticket/{}", 200, One(TICKET)),
    ("PUT", "/security/ticket/{}", 200, One(TICKET)),
    ("DELETE", "/security/ticket/{}", 200, Nothing),
    ("POST", "/security/ticket", 200, One(TICKET)),
    ("POST", "/security/ticket/{}/revoke", 204, Nothing),
    ("POST", "/security/ticket/{}/enable", 204, Nothing),
    ("POST", "/security/ticket/{}/disable", 204, Nothing),
    ("GET", "/security/ticket/{}/event", 200, Other),
    ("PUT", "/security/clients/{}", 200, One(CLIENT)),
    ("DELETE", "/security/clients/{}", 204, Nothing),
    ("GET", "/security/clients", 200, Many(CLIENT)),
    ("POST", "/security/clients", 200, One(CLIENT)),
    ("POST", "/security/clients/{}/rotate", 200, One(CLIENT)),
    ("GET", "/security/applications/{}", 200, One(APPLICATION)),
    ("PUT", "/security/applications/{}", 204, Nothing),
    ("DELETE", "/security/applications/{}", 204, Nothing),
    ("GET", "/security/applications", 200, Many(APPLICATION)),
    ("POST", "/security/applications", 200, One(ID)),
    ("POST", "/security/talkdesk/refresh_token", 200, Foreign),
    ("POST", "/security/nice/refresh_token", 200, Foreign),
    ("POST", "/security/otp", 200, One(ID)),
    ("POST", "/security/otp/verify", 204, Nothing),
    ("POST", "/security/keys", 200, One(CREATED_KEY)),
    ("GET", "/security/keys/{}", 200, One(KEY)),
    ("POST", "/security/facades/room", 200, One(ROOM)),
    ("POST", "/security/genesys/room", 200, One(ROOM)),
    ("POST", "/security/facades/callback", 200, One(CALLBACK)),
    ("POST", "/security/genesys/callback", 200, One(CALLBACK)),
    ("GET", "/security/users/{}", 200, One(USER)),
    ("POST", "/auth/v3/change-password", 200, One(API_RESPONSE)),
    ("GET", "/auth/v3/jwt-userinfo", 200, One(API_RESPONSE)),
    ("GET", "/auth/v3/oauth/authorize", 302, Other),
    ("POST", "/auth/v3/oauth/token", 200, AtLeast(TOKEN)),
    ("POST", "/security/oauth/token", 200, AtLeast(TOKEN)),
    ("GET", "/auth/v3/openid/userinfo", 200, One(OPENID_USER)),
    ("GET", "/auth/v3/ping", 200, One(API_RESPONSE)),
    ("GET", "/auth/v3/sign-out", 200, One(API_RESPONSE)),
    ("POST", "/auth/v3/sign-out", 200, One(API_RESPONSE)),
    ("GET", "/auth/v3/userinfo", 200, One(CLOUD_USER)),
];

/// How many operations of each contract are documented: 27 and 9, and three of the rows are other names.
#[test]
fn every_documented_operation_has_its_schema() {
    let under = |base: &str| {
        let rows = OPERATIONS.iter();
        rows.filter(|(_, path, ..)| path.starts_with(base)).count()
    };
    assert_eq!(under("/security/") - 3, 27);
    assert_eq!(under("/auth/v3/"), 9);
}

/// Whether the operation at this path, written with names in braces, has a schema.
pub(crate) fn is_known(method: &str, path: &str, status: u16) -> bool {
    let mut rows = OPERATIONS.iter();
    rows.any(|row| row.0 == method && is_at(row.1, path) && row.2 == status)
}

/// Compares a success with its operation's schema.
pub(crate) fn compare(method: &str, path: &str, answer: &Answer) {
    if !(200..300).contains(&answer.status) {
        return;
    }
    let path = path.split('?').next().unwrap();
    let found = OPERATIONS
        .iter()
        .find(|(known, template, ..)| *known == method && is_at(template, path));
    let Some((_, _, status, body)) = found else {
        return;
    };
    let shown = || format!("{method} {path}: {} {}", answer.status, answer.text);
    let is_form = answer
        .header("content-type")
        .starts_with("application/x-www-form-urlencoded");
    let is_page = answer.header("content-type").starts_with("text/html");
    if is_form || is_page {
        return;
    }
    match body {
        Other => return,
        Nothing => assert_eq!(answer.text, "", "{}", shown()),
        Foreign => assert!(answer.json().is_object(), "{}", shown()),
        One(schema) => object(schema, &answer.json(), &shown()),
        Many(schema) => each(schema, &answer.json(), &shown()),
        AtLeast(schema) => known(schema, answer.json().as_object().unwrap(), &shown()),
    }
    assert_eq!(answer.status, *status, "{}", shown());
}

fn is_at(template: &str, path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    let (wanted, found) = (template.split('/'), path.split('/'));
    wanted.clone().count() == found.clone().count()
        && wanted
            .zip(found)
            .all(|(wanted, found)| wanted == "{}" || wanted == found)
}

fn each(schema: Schema, value: &Value, shown: &str) {
    let list = value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {shown}"));
    for one in list {
        object(schema, one, shown);
    }
}

fn object(schema: Schema, value: &Value, shown: &str) {
    let members = value
        .as_object()
        .unwrap_or_else(|| panic!("no object: {shown}"));
    for name in members.keys() {
        let is_known = schema.iter().any(|(known, _)| known == name);
        assert!(is_known, "{name} is in no schema: {shown}");
    }
    known(schema, members, shown);
}

fn known(schema: Schema, members: &Map<String, Value>, shown: &str) {
    for (name, kind) in schema {
        if let Some(value) = members.get(*name) {
            let fits = fits(*kind, value, shown);
            assert!(fits, "{name} must be {kind:?}: {shown}");
        }
    }
}

fn fits(kind: Kind, value: &Value, shown: &str) -> bool {
    match kind {
        Text => value.is_string(),
        Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Whole => value.is_u64(),
        Flag => value.is_boolean(),
        Instant => value
            .as_str()
            .is_some_and(|text| text.parse::<Timestamp>().is_ok()),
        Texts => value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string)),
        Open => value.is_object(),
        Of(schema) => {
            object(schema, value, shown);
            true
        }
        ListOf(schema) => {
            each(schema, value, shown);
            true
        }
    }
}
