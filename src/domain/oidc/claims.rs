//! What is told about a user, by scope and by name (OpenID Connect Core §5.1, §5.4, §5.5).

use serde_json::{Map, Value, json};

use crate::domain::users::User;

/// Every claim about a user there is, and the scope that brings it.
pub const CLAIMS: [(&str, &str); 11] = [
    ("name", "profile"),
    ("given_name", "profile"),
    ("family_name", "profile"),
    ("preferred_username", "profile"),
    ("locale", "profile"),
    ("updated_at", "profile"),
    ("email", "email"),
    ("email_verified", "email"),
    ("phone_number", "phone"),
    ("phone_number_verified", "phone"),
    ("address", "address"),
];

/// The claims the scopes bring, and those asked for by name.
pub fn of(user: &User, scope: &str, asked: &[String]) -> Map<String, Value> {
    let granted = |wanted: &str| scope.split(' ').any(|scope| scope == wanted);
    let by_scope = CLAIMS.iter().filter(|(_, scope)| granted(scope));
    let names = by_scope.map(|(name, _)| *name);
    told(user, names.chain(asked.iter().map(String::as_str)))
}

/// The claims of these names, as far as they are known.
pub fn named(user: &User, names: &[String]) -> Map<String, Value> {
    told(user, names.iter().map(String::as_str))
}

fn told<'n>(user: &User, names: impl Iterator<Item = &'n str>) -> Map<String, Value> {
    let known = names.filter_map(|name| claim(user, name).map(|value| (name.to_owned(), value)));
    known.collect()
}

fn claim(user: &User, name: &str) -> Option<Value> {
    let text = |value: &Option<String>| value.clone().map(Value::String);
    match name {
        "name" => text(&user.display_name),
        "given_name" => text(&user.first_name),
        "family_name" => text(&user.last_name),
        "preferred_username" => Some(user.name.clone().into()),
        "locale" => text(&user.locale),
        "updated_at" => Some(user.updated_at.seconds().into()),
        "email" => text(&user.email),
        "email_verified" => user.email.as_ref().map(|_| user.email_verified.into()),
        "phone_number" => text(&user.phone),
        "phone_number_verified" => user.phone.as_ref().map(|_| user.phone_verified.into()),
        "address" => user
            .address
            .as_ref()
            .map(|address| json!({ "formatted": address })),
        _ => None,
    }
}
