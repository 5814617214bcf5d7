//! What Genesys Cloud lets a person do with integrations, as contract A asks it of whoever manages a GENESYS application.

use serde::{Deserialize, Serialize};

/// One permission. Its name on the platform is `integrations:integration:` and the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Create an integration.
    Add,
    /// Change one.
    Edit,
    /// Delete one.
    Delete,
    /// See all of its configuration.
    View,
}

const ALL: [(Permission, &str); 4] = [
    (Permission::Add, "integrations:integration:add"),
    (Permission::Edit, "integrations:integration:edit"),
    (Permission::Delete, "integrations:integration:delete"),
    (Permission::View, "integrations:integration:view"),
];

impl Permission {
    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Permissions(u8);

impl Permissions {
    /// Those of the platform's names that are known here; it has thousands of others.
    pub fn among<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let known = |name: &str| ALL.iter().find(|(_, known)| *known == name);
        let found = names.into_iter().filter_map(known);
        Self(found.fold(0, |bits, (permission, _)| bits | permission.bit()))
    }

    /// Whether the set has `permission`.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
}

impl From<Vec<String>> for Permissions {
    fn from(names: Vec<String>) -> Self {
        Self::among(names.iter().map(String::as_str))
    }
}

impl From<Permissions> for Vec<String> {
    fn from(permissions: Permissions) -> Self {
        let held = ALL.iter().filter(|(one, _)| permissions.has(*one));
        held.map(|(_, name)| (*name).to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_four_permissions_that_matter_are_kept() {
        let held = Permissions::among([
            "integrations:integration:view",
            "routing:queue:view",
            "integrations:integration:*",
        ]);
        assert!(held.has(Permission::View));
        assert!(!held.has(Permission::Add), "a wildcard is no permission");
        assert_eq!(Vec::from(held), ["integrations:integration:view"]);
        assert_eq!(Permissions::from(Vec::from(held)), held);
    }
}
