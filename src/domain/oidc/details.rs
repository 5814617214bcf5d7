//! The published user details of contract B: for users, clients and customers alike.

use crate::domain::Cx;
use crate::domain::access::{Caller, Subject};
use crate::domain::users::{self, User};
use crate::kernel::Fault;

/// What contract B tells about a caller. Absent members do not apply to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserDetails {
    /// The roles, as tokens carry them.
    pub authorities: Vec<&'static str>,
    /// The system-wide unique name.
    pub username: String,
    /// The name it signs in with.
    pub login_name: Option<String>,
    /// The organization.
    pub contact_center: Option<String>,
    /// The number of its account.
    pub dbid: Option<u32>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
}

impl UserDetails {
    /// What else is known, by contract B's names.
    pub fn properties(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let known = [
            ("firstName", &self.given_name),
            ("lastName", &self.family_name),
            ("email", &self.email),
        ];
        let known = known.into_iter();
        known.filter_map(|(name, value)| value.as_deref().map(|value| (name, value)))
    }
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The account is gone although its token is not.
    #[error("the account of this token does not exist any more")]
    Gone,
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Tells who the caller is.
pub fn of(cx: &Cx<'_>, caller: &Caller) -> Result<UserDetails, Error> {
    let authorities = caller.roles().authorities();
    match caller.subject() {
        Subject::Client(id) => Ok(UserDetails {
            authorities,
            username: id.to_string(),
            ..UserDetails::default()
        }),
        Subject::Customer(id) => Ok(UserDetails {
            authorities,
            username: id.to_string(),
            contact_center: Some(caller.organization().to_string()),
            ..UserDetails::default()
        }),
        Subject::User(id) => {
            let user = users::find(cx, id)?.ok_or(Error::Gone)?;
            Ok(of_user(user, authorities))
        }
    }
}

fn of_user(user: User, authorities: Vec<&'static str>) -> UserDetails {
    UserDetails {
        authorities,
        username: format!("{}-{}@{}", user.name, user.dbid, user.organization),
        login_name: Some(user.name),
        contact_center: Some(user.organization.to_string()),
        dbid: Some(user.dbid),
        given_name: user.first_name,
        family_name: user.last_name,
        email: user.email,
    }
}
