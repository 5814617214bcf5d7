//! Genesys Cloud: tokens, queues, callbacks and the person behind a token (wire.md 4.3), in the words of its API.

use std::time::Duration;

use serde_json::{Value, json};
use warp::http::StatusCode;
use warp::http::header::{HeaderName, HeaderValue};

use super::asked::{Asked, Pairs, answer};
use super::issued::{Holder, Use};
use super::{GENESYS_CLIENT, Scene};
use crate::http::Response;
use crate::kernel::Timestamp;

/// A person of the imitated organization.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: &'static str,
    code: &'static str,
    id: &'static str,
    email: &'static str,
    permissions: &'static [&'static str],
}

/// The authorization codes that can be redeemed, any number of times.
pub const AUTHORIZATION_CODES: [&str; 5] = [
    "agent-code",
    "supervisor-code",
    "admin-code",
    "viewer-code",
    "nobody-code",
];

/// Queues by name and id, apart from `Queue 01` to `Queue 60`.
pub const QUEUES: [(&str, &str); 5] = [
    ("Sales", "11111111-1111-4111-8111-111111111112"),
    ("Sales North", "11111111-1111-4111-8111-111111111113"),
    ("Support", "11111111-1111-4111-8111-111111111111"),
    ("Twins", "11111111-1111-4111-8111-111111111114"),
    ("Twins", "11111111-1111-4111-8111-111111111115"),
];

/// The permissions of wire.md 2.1.5 that make a role, and those that these calls need.
static PEOPLE: [Person; 5] = [
    Person {
        name: "Ada Agent",
        code: "agent-code",
        id: "44444444-4444-4444-8444-444444444441",
        email: "ada.agent@example.org",
        permissions: &[SEE_QUEUES, CREATE_CALLBACKS, "integration:auviousApps:view"],
    },
    Person {
        name: "Sam Supervisor",
        code: "supervisor-code",
        id: "44444444-4444-4444-8444-444444444442",
        email: "sam.supervisor@example.org",
        permissions: &[
            SEE_QUEUES,
            CREATE_CALLBACKS,
            "integration:auviousApps:view",
            "ui:supervisorAgentDetails:view",
        ],
    },
    Person {
        name: "Kim Admin",
        code: "admin-code",
        id: "44444444-4444-4444-8444-444444444443",
        email: "kim.admin@example.org",
        permissions: &[
            SEE_QUEUES,
            CREATE_CALLBACKS,
            "integration:auviousApps:view",
            "integrations:integration:add",
            "integrations:integration:delete",
            "integrations:integration:edit",
            "integrations:integration:view",
            "ui:supervisorAgentDetails:view",
        ],
    },
    Person {
        name: "Vic Viewer",
        code: "viewer-code",
        id: "44444444-4444-4444-8444-444444444444",
        email: "vic.viewer@example.org",
        permissions: &[
            SEE_QUEUES,
            CREATE_CALLBACKS,
            "integration:auviousApps:view",
            "integrations:integration:view",
        ],
    },
    Person {
        name: "Noor Nobody",
        code: "nobody-code",
        id: "44444444-4444-4444-8444-444444444445",
        email: "noor.nobody@example.org",
        permissions: &["directory:user:view"],
    },
];

/// `POST /oauth/token`: the client in a Basic header or in the form.
pub(super) fn token(scene: &Scene, asked: &Asked) -> Response {
    let (id, secret) = GENESYS_CLIENT;
    let known =
        |(given_id, given_secret): (String, String)| given_id == id && given_secret == secret;
    if !asked.client().is_some_and(known) {
        return no_token("invalid_client", "authentication failed");
    }
    let Some(form) = asked.form() else {
        return no_token("invalid_request", "the body must be a form");
    };
    match form.value("grant_type") {
        Some("client_credentials") => with_token(scene, Holder::Client(id)),
        Some("authorization_code") => redeem(scene, &form),
        Some("refresh_token") => refresh(scene, &form),
        Some(_) => no_token("unsupported_grant_type", "the grant type is not imitated"),
        None => no_token("invalid_request", "grant_type is missing"),
    }
}

fn redeem(scene: &Scene, form: &Pairs) -> Response {
    let (Some(code), Some(_)) = (form.value("code"), form.value("redirect_uri")) else {
        return no_token("invalid_request", "code and redirect_uri are needed");
    };
    match PEOPLE.iter().find(|person| person.code == code) {
        Some(person) => with_token(scene, Holder::Person(person)),
        None => no_token("invalid_grant", "the authorization code is invalid"),
    }
}

fn refresh(scene: &Scene, form: &Pairs) -> Response {
    let presented = form.value("refresh_token").unwrap_or_default();
    let now = scene.clock.now();
    let holder = scene.issued().good(presented, Use::GenesysRefresh, now);
    match holder {
        Some(holder) => with_token(scene, holder),
        None => no_token("invalid_grant", "the refresh token is invalid"),
    }
}

fn with_token(scene: &Scene, holder: Holder) -> Response {
    let access = scene.entropy.token::<48>();
    let until = scene.clock.now().after(TOKEN_LIFE);
    let mut issued = scene.issued();
    issued.add(&access, Use::Genesys, holder, until);
    let mut body = json!({
        "access_token": access,
        "token_type": "bearer",
        "expires_in": TOKEN_LIFE.as_secs(),
    });
    if let Holder::Person(_) = holder {
        let refresh = scene.entropy.token::<48>();
        issued.add(&refresh, Use::GenesysRefresh, holder, FOREVER);
        if let Some(members) = body.as_object_mut() {
            members.insert("refresh_token".to_owned(), refresh.into());
        }
    }
    answer(StatusCode::OK, &body)
}

/// Genesys Cloud answers 400 whatever is wrong, and says why twice.
fn no_token(error: &str, why: &str) -> Response {
    let body = json!({ "error": error, "description": why, "error_description": why });
    answer(StatusCode::BAD_REQUEST, &body)
}

/// `GET /api/v2/routing/queues`: by name, page by page.
pub(super) fn queues(scene: &Scene, asked: &Asked) -> Response {
    if let Err(refused) = permitted(scene, asked, SEE_QUEUES) {
        return error(scene, &refused);
    }
    let params = asked.params();
    let number = |name: &str, usual: usize, most: usize| match params.value(name) {
        None => Some(usual),
        Some(text) => text.parse().ok().filter(|n| (1..=most).contains(n)),
    };
    let (Some(page_size), Some(page)) = (
        number("pageSize", 25, 500),
        number("pageNumber", 1, 1_000_000),
    ) else {
        let why = "pageSize must be from 1 to 500 and pageNumber at least 1";
        return error(scene, &bad_request(why));
    };
    let pattern = params.value("name").unwrap_or("*");
    let mut all = queue_list();
    all.retain(|(name, _)| matches(pattern, name));
    if params.value("sortOrder").is_some_and(is_descending) {
        all.reverse();
    }
    answer(StatusCode::OK, &listing(&all, pattern, page, page_size))
}

/// One page of these queues, with the addresses of the others.
fn listing(all: &[(String, String)], pattern: &str, page: usize, page_size: usize) -> Value {
    let shown = all.iter().skip((page - 1) * page_size).take(page_size);
    let entities: Vec<Value> = shown.map(|(name, id)| queue(name, id)).collect();
    let pages = all.len().div_ceil(page_size);
    let uri = |page: usize| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("pageSize", &page_size.to_string());
        query.append_pair("pageNumber", &page.to_string());
        query.append_pair("name", pattern);
        format!("/api/v2/routing/queues?{}", query.finish())
    };
    let mut body = json!({
        "entities": entities,
        "pageSize": page_size,
        "pageNumber": page,
        "total": all.len(),
        "pageCount": pages,
        "firstUri": uri(1),
        "selfUri": uri(page),
        "lastUri": uri(pages.max(1)),
    });
    if let Some(members) = body.as_object_mut() {
        let next = (page < pages).then(|| ("nextUri".to_owned(), uri(page + 1).into()));
        let previous = (page > 1).then(|| ("previousUri".to_owned(), uri(page - 1).into()));
        members.extend(next.into_iter().chain(previous));
    }
    body
}

fn is_descending(order: &str) -> bool {
    let order = order.to_ascii_lowercase();
    order == "desc" || order == "descending"
}

/// All queues, sorted by name as the API sorts them.
fn queue_list() -> Vec<(String, String)> {
    let numbered = (1..=60).map(|n| {
        let id = format!("55555555-5555-4555-8555-5555555555{n:02}");
        (format!("Queue {n:02}"), id)
    });
    let named = QUEUES.map(|(name, id)| (name.to_owned(), id.to_owned()));
    let mut all: Vec<_> = numbered.chain(named).collect();
    all.sort();
    all
}

/// Leading and trailing asterisks stand for anything; letters are the same in either case.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let bare = pattern.trim_matches('*');
    match (pattern.starts_with('*'), pattern.ends_with('*')) {
        (true, true) => name.contains(bare),
        (true, false) => name.ends_with(bare),
        (false, true) => name.starts_with(bare),
        (false, false) => name == bare,
    }
}

fn queue(name: &str, id: &str) -> Value {
    json!({
        "id": id,
        "name": name,
        "division": division(),
        "memberCount": 1,
        "skillEvaluationMethod": "BEST",
        "selfUri": format!("/api/v2/routing/queues/{id}"),
    })
}

fn division() -> Value {
    let id = "66666666-6666-4666-8666-666666666666";
    json!({ "id": id, "name": "Home", "selfUri": format!("/api/v2/authorization/divisions/{id}") })
}

/// `POST /api/v2/conversations/callbacks`.
pub(super) fn callback(scene: &Scene, asked: &Asked) -> Response {
    if let Err(refused) = permitted(scene, asked, CREATE_CALLBACKS) {
        return error(scene, &refused);
    }
    let refused = |why: &str| error(scene, &bad_request(why));
    let Some(command) = asked.json().filter(Value::is_object) else {
        return refused("The request body must be a JSON object");
    };
    if let Some(why) = fault_of(&command) {
        return refused(why);
    }
    let id = scene.entropy.uuid();
    let identifier = |kind: &str| json!({ "type": kind, "id": scene.entropy.uuid() });
    let created = json!({
        "conversation": { "id": id, "selfUri": format!("/api/v2/conversations/{id}") },
        "callbackIdentifiers": [identifier("ACD"), identifier("EXTERNAL")],
    });
    answer(StatusCode::OK, &created)
}

/// What is wrong with a command to create a callback.
fn fault_of(command: &Value) -> Option<&'static str> {
    let given = |name: &str| command.get(name).filter(|value| !value.is_null());
    let routed = given("routingData").and_then(|routing| routing.get("queueId"));
    let Some(queue) = given("queueId").or(routed).and_then(Value::as_str) else {
        return Some("Either queueId or routingData.queueId is needed");
    };
    if !queue_list().iter().any(|(_, id)| id == queue) {
        return Some("There is no queue of this id");
    }
    let numbers = given("callbackNumbers").and_then(Value::as_array);
    let is_number = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    if !numbers.is_some_and(|numbers| !numbers.is_empty() && numbers.iter().all(is_number)) {
        return Some("callbackNumbers must be a list of numbers, and not empty");
    }
    if let Some(at) = given("callbackScheduledTime")
        && at
            .as_str()
            .is_none_or(|at| at.parse::<Timestamp>().is_err())
    {
        return Some("callbackScheduledTime must be a date and time with an offset");
    }
    if let Some(data) = given("data")
        && !data
            .as_object()
            .is_some_and(|data| data.values().all(Value::is_string))
    {
        return Some("data must be an object of texts");
    }
    None
}

/// `GET /api/v2/users/me`: the person a token was issued for.
pub(super) fn me(scene: &Scene, asked: &Asked) -> Response {
    let person = match holder(scene, asked) {
        Ok(Holder::Person(person)) => person,
        Ok(Holder::Client(_)) => return error(scene, &bad_request(NO_USER)),
        Err(refused) => return error(scene, &refused),
    };
    let mut user = json!({
        "id": person.id,
        "name": person.name,
        "division": division(),
        "email": person.email,
        "username": person.email,
        "state": "active",
        "version": 1,
        "acdAutoAnswer": false,
        "selfUri": format!("/api/v2/users/{}", person.id),
    });
    let params = asked.params();
    let expand = params.value("expand").unwrap_or_default();
    if expand.split(',').any(|part| part == "authorization")
        && let Some(members) = user.as_object_mut()
    {
        let permissions = person.permissions;
        let authorization = json!({ "roles": [], "unusedRoles": [], "permissions": permissions });
        members.insert("authorization".to_owned(), authorization);
    }
    answer(StatusCode::OK, &user)
}

/// What a call is answered with in place of what it asked for.
struct Refused {
    status: StatusCode,
    code: &'static str,
    why: String,
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, why: &str) -> Self {
        let why = why.to_owned();
        Self { status, code, why }
    }
}

fn bad_request(why: &str) -> Refused {
    Refused::new(StatusCode::BAD_REQUEST, "bad.request", why)
}

/// Whom the bearer speaks for.
fn holder(scene: &Scene, asked: &Asked) -> Result<Holder, Refused> {
    let unauthorized = |code, why| Refused::new(StatusCode::UNAUTHORIZED, code, why);
    let token = asked.bearer().ok_or_else(|| {
        let why = "No authentication bearer token specified in authorization header.";
        unauthorized("authentication.required", why)
    })?;
    let now = scene.clock.now();
    let holder = scene.issued().good(token, Use::Genesys, now);
    holder.ok_or_else(|| unauthorized("bad.credentials", "Invalid login credentials."))
}

/// Whether the bearer speaks for somebody who may do this: clients may do everything.
fn permitted(scene: &Scene, asked: &Asked, permission: &str) -> Result<(), Refused> {
    match holder(scene, asked)? {
        Holder::Person(person) if !person.permissions.contains(&permission) => {
            let why = format!(
                "Unable to perform the requested action. You must have at least one of the \
                 following permissions assigned: [{permission}]"
            );
            let code = "missing.any.permissions";
            Err(Refused::new(StatusCode::FORBIDDEN, code, &why))
        }
        Holder::Person(_) | Holder::Client(_) => Ok(()),
    }
}

/// An error of this status for no reason of its own.
pub(super) fn refused(scene: &Scene, status: StatusCode) -> Response {
    let (code, why) = match status.as_u16() {
        400 => (
            "bad.request",
            "The request could not be understood by the server due to malformed syntax.",
        ),
        401 => ("bad.credentials", "Invalid login credentials."),
        403 => (
            "not.authorized",
            "You are not authorized to perform the requested action.",
        ),
        404 => ("not.found", "The requested resource was not found."),
        409 => (
            "conflict",
            "The request conflicts with the current state of the resource.",
        ),
        429 => (
            "too.many.requests",
            "Rate limit exceeded the maximum. Retry the request later.",
        ),
        503 => (
            "service.unavailable",
            "Service Unavailable - The server is currently unavailable.",
        ),
        504 => ("gateway.timeout", "The request timed out."),
        _ => (
            "internal.server.error",
            "The server encountered an unexpected condition which prevented it from fulfilling the request.",
        ),
    };
    error(scene, &Refused::new(status, code, why))
}

fn error(scene: &Scene, refused: &Refused) -> Response {
    let context = scene.entropy.uuid();
    let body = json!({
        "message": refused.why,
        "code": refused.code,
        "status": refused.status.as_u16(),
        "messageParams": {},
        "contextId": context,
        "details": [],
        "errors": [],
    });
    let mut response = answer(refused.status, &body);
    if let Ok(context) = HeaderValue::try_from(context) {
        response.headers_mut().insert(CORRELATION, context);
    }
    response
}

const SEE_QUEUES: &str = "routing:queue:view";
const CREATE_CALLBACKS: &str = "conversation:callback:create";
const TOKEN_LIFE: Duration = Duration::from_secs(86_399);
const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX);
const CORRELATION: HeaderName = HeaderName::from_static("inin-correlation-id");
const NO_USER: &str = "This request requires a user context. Client credentials cannot be used for requests that \
                       require a user context.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_with_asterisks_at_their_ends_in_either_case() {
        for (pattern, name, expected) in [
            ("Sales", "Sales", true),
            ("sales", "Sales", true),
            ("Sales", "Sales North", false),
            ("Sales*", "Sales North", true),
            ("*north", "Sales North", true),
            ("*les*", "Sales North", true),
            ("Sa*rth", "Sales North", false),
            ("*", "Sales", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn every_code_has_its_person_and_every_queue_its_id() {
        assert!(
            AUTHORIZATION_CODES
                .iter()
                .eq(PEOPLE.iter().map(|person| &person.code))
        );
        let mut ids: Vec<_> = queue_list().into_iter().map(|(_, id)| id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 65);
        assert!(ids.iter().all(|id| id.len() == 36));
    }
}
