//! Client secrets: drawn by us, shown once, kept as a digest.

use crate::domain::{Appliance, Cx};
use crate::kernel::{Digest, Secret};

use super::Client;

/// Draws a secret of 256 bits, of letters and digits alone: one that begins with a dash is an option to most programs.
pub fn draw(cx: &Cx<'_>) -> Secret<String> {
    Secret::new(cx.entropy().word(LENGTH, LETTERS_AND_DIGITS))
}

/// Forty-three of sixty-two are 256 bits.
const LENGTH: usize = 43;
const LETTERS_AND_DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// What the store keeps instead of `secret`. A random secret needs no slow hash: it cannot be guessed.
pub fn digest(appliance: &Appliance, secret: &Secret<String>) -> Digest {
    appliance
        .keyring
        .digest("client secret", secret.expose().as_bytes())
}

/// Whether `presented` is the client's secret, or the one before while that is still good. An unknown client costs the
/// same work.
pub fn is_right(cx: &Cx<'_>, client: Option<&Client>, presented: &Secret<String>) -> bool {
    let presented = digest(cx.appliance, presented);
    let kept = client.and_then(|client| client.secret);
    let outgoing = client.and_then(|client| client.outgoing);
    let outgoing = outgoing.filter(|outgoing| cx.now < outgoing.until);
    let is = |digest: Option<Digest>| digest.unwrap_or(Digest::from_bytes([0; 32])) == presented;
    is(kept) | is(outgoing.map(|outgoing| outgoing.secret))
}
