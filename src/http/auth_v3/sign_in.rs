//! `/auth/v3/auth-scheme` and `/auth/v3/sign-in`: how the vendor's own pages signed people in, for software that still
//! speaks it. People use our page.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Method, StatusCode};
use serde::Serialize;
use warp::Filter;

use super::super::call::{Call, bare, call, with_header};
use super::super::cookies::Cookie;
use super::super::form_token;
use super::super::{Dialect, Problem, Response, Routes, any};
use super::api_response;
use crate::domain::sign_in::password::{self, Attempt, Refusal};
use crate::domain::sign_in::{self, SignedIn};
use crate::domain::{Appliance, Front};
use crate::kernel::{Fault, Secret};

pub(super) fn routes(on: &Arc<Appliance>) -> Routes {
    let call = |route| call(on, Dialect::AuthV3, route);
    any([
        warp::path!("auth-scheme")
            .and(call("/auth/v3/auth-scheme"))
            .then(auth_scheme)
            .boxed(),
        warp::path!("sign-in")
            .and(call("/auth/v3/sign-in"))
            .then(sign_in)
            .boxed(),
    ])
}

/// `POST /auth/v3/auth-scheme`: how a user signs in. The same for everyone, so that nobody learns who there is.
async fn auth_scheme(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run(|_, call| {
        call.json()?
            .required_object("data")?
            .required_text("userName")?;
        api_response::with_data(AuthScheme { scheme: "basic" })
    })
    .await
}

#[derive(Serialize)]
struct AuthScheme {
    scheme: &'static str,
}

/// `POST /auth/v3/sign-in`: a name and a password for a browser's session, and back to the request that waits.
async fn sign_in(call: Call) -> Response {
    if call.method != Method::POST {
        return call.not_allowed("POST");
    }
    call.run_slow(|cx, call| {
        form_token::same_origin(call)?;
        let form = call.form()?;
        let name = form
            .get("username")
            .ok_or_else(|| Problem::bad_request("username is required"))?;
        let password = form
            .get("password")
            .ok_or_else(|| Problem::bad_request("password is required"))?;
        let attempt = Attempt {
            tenant: form.get("tenant"),
            name,
            password: &Secret::new(password.to_owned()),
            device: call.cookie(Cookie::Device),
        };
        let judged = password::check(cx, &attempt)
            .and_then(|user| sign_in::begin(cx, &user, call.cookie(Cookie::Session)));
        match judged {
            Ok(begun) => on(call, &begun),
            Err(Refusal::Wrong) => back(call, "wrong"),
            Err(Refusal::Expired(_)) => back(call, "expired"),
            Err(Refusal::Fault(fault)) => Err(fault.into()),
        }
    })
    .await
}

/// On to the request that waits for somebody to sign in, or to the page where nobody does.
fn on(call: &Call, begun: &SignedIn) -> Result<Response, Problem> {
    let to = match Waiting::of(call) {
        Some(waiting) => format!("{}/oauth/authorize?{}", waiting.front, waiting.query),
        None => SIGN_IN.to_owned(),
    };
    let response = Cookie::Session.set(found(&to)?, &begun.cookie);
    let response = Cookie::Device.set(response, &begun.device);
    Ok(Cookie::Waiting.clear(response))
}

/// Back to the page, with the request that waits and a word of what was wrong.
fn back(call: &Call, error: &str) -> Result<Response, Problem> {
    let query = Waiting::of(call).map(|waiting| format!("{}&", waiting.whole));
    found(&format!(
        "{SIGN_IN}?{}error={error}",
        query.unwrap_or_default()
    ))
}

const SIGN_IN: &str = "/auth/sign-in.html";

fn found(to: &str) -> Result<Response, Problem> {
    let location = HeaderValue::try_from(to).map_err(|error| {
        Problem::from(Fault::internal("an address of ours is no header").because(error))
    })?;
    Ok(with_header(bare(StatusCode::FOUND), LOCATION, location))
}

/// The authorization request that a browser keeps while somebody signs in. It says what is asked, never where: that is
/// one of our own paths, whatever the cookie holds.
struct Waiting {
    /// The path of the front it came to.
    front: &'static str,
    /// The request's own parameters.
    query: String,
    /// The same with the name of the front, as our pages carry it.
    whole: String,
}

impl Waiting {
    fn of(call: &Call) -> Option<Self> {
        let kept = call.cookie(Cookie::Waiting)?;
        Self::parse(&URL_SAFE_NO_PAD.decode(kept).ok()?)
    }

    fn parse(kept: &[u8]) -> Option<Self> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let mut whole = form_urlencoded::Serializer::new(String::new());
        let mut front = Front::AuthV3;
        let mut is_request = false;
        for (name, value) in form_urlencoded::parse(kept) {
            match name.as_ref() {
                "error" => continue,
                "front" if value == "security" => front = Front::Security,
                "front" => (),
                _ => _ = query.append_pair(&name, &value),
            }
            is_request |= name == "client_id";
            whole.append_pair(&name, &value);
        }
        is_request.then(|| Self {
            front: match front {
                Front::Security => "/security",
                Front::AuthV3 => "/auth/v3",
            },
            query: query.finish(),
            whole: whole.finish(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_waiting_request_is_taken_apart_and_put_together_again() {
        let kept = b"client_id=c&redirect_uri=http://a/?b&error=x&front=security";
        let waiting = Waiting::parse(kept).unwrap();
        assert_eq!(waiting.front, "/security");
        assert_eq!(
            waiting.query,
            "client_id=c&redirect_uri=http%3A%2F%2Fa%2F%3Fb"
        );
        assert_eq!(waiting.whole, format!("{}&front=security", waiting.query));
        assert!(Waiting::parse(b"front=security").is_none());
    }

    proptest! {
        #[test]
        fn whatever_is_kept_leads_to_one_of_our_own_paths(kept: Vec<u8>) {
            let kept = [b"client_id=c&".as_slice(), &kept].concat();
            let waiting = Waiting::parse(&kept).unwrap();
            for text in [&waiting.query, &waiting.whole] {
                let plain = |b: u8| b.is_ascii_graphic() && b != b'#';
                prop_assert!(text.bytes().all(plain));
            }
        }
    }
}
