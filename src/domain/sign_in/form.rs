//! Tokens in our own forms, so that no other site can post one for somebody (RFC 6749 §10.12).
//!
//! A token is bound to a cookie the browser has before anybody signs in. Nothing is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::Cx;
use crate::kernel::{Digest, Secret};

/// What a browser keeps that our forms shall know.
pub fn cookie(cx: &Cx<'_>) -> Secret<String> {
    Secret::new(cx.entropy().token::<16>())
}

/// The token of forms for the browser that keeps `cookie`, good for forms about this alone.
pub fn token(cx: &Cx<'_>, cookie: &str, about: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(cx, cookie, about).as_bytes())
}

/// Whether `presented` is that token.
pub fn is_right(cx: &Cx<'_>, cookie: &str, about: &str, presented: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(presented).unwrap_or_default();
    let presented = <[u8; 32]>::try_from(bytes).map(Digest::from_bytes);
    presented.is_ok_and(|presented| presented == digest(cx, cookie, about))
}

fn digest(cx: &Cx<'_>, cookie: &str, about: &str) -> Digest {
    // No cookie of ours has a space.
    let whole = format!("{cookie} {about}");
    cx.appliance.keyring.bearer_digest("form", whole.as_bytes())
}
