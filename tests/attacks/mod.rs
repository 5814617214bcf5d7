//! The abuses of the threat table's OAuth part, tried against a running server; names begin with the row.

mod cross_site;
mod forge;
mod forged_tokens;
mod guessing;
mod pages;
mod queries;
mod sessions;
mod sign_out;
mod ssrf;

use crate::support::browser::Browser;
use crate::support::client::{Answer, Client};
use crate::support::server::Server;

const SESSION: &str = "__Host-admit-session";
const PING: &str = "__Host-admit-ping";
const FORM: &str = "__Host-admit-form";
const DEVICE: &str = "__Host-admit-device";
const SIGN_IN: &str = "/auth/sign-in.html";
const WRONG: &str = "a wet dog at noon";
const NEW: &str = "seven small boats";

/// A cookie that an answer sets; nothing if it sets none of that name.
fn set(answer: &Answer, name: &str) -> Option<String> {
    let lines = answer.headers.get_all("set-cookie").iter();
    let mut values = lines.filter_map(|line| {
        let (pair, _) = line.to_str().unwrap().split_once(';').unwrap();
        let (given, value) = pair.split_once('=').unwrap();
        (given == name).then(|| value.to_owned())
    });
    values.next()
}

/// Whether somebody is signed in who brings this as this cookie.
async fn pings(client: &Client, cookie: &str, value: &str) -> bool {
    let request = client.get("/auth/v3/ping");
    let answer = request.header("cookie", &format!("{cookie}={value}"));
    let answer = answer.send().await;
    assert!(matches!(answer.status, 200 | 403), "{answer:?}");
    answer.status == 200
}

/// The sign-in page as a browser sees it that nobody was sent to it with.
async fn page(browser: &mut Browser<'_>) -> Answer {
    browser.get(&format!("{SIGN_IN}?error=again")).await.ok()
}

/// How many browser sessions there are.
fn sessions(server: &Server) -> u64 {
    server.count("sessions")
}
