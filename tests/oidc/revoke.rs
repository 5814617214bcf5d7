//! `POST /oauth/revoke` (RFC 7009).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use admit::store::Disk;

use crate::security::tickets::Breakable;
use crate::support::client::{Answer, Client};
use crate::support::server::{Server, Setup};

use super::token;

const PATH: &str = "/oauth/revoke";

/// A customer's login: access and refresh token.
async fn customer(server: &Server, client: &Client) -> (String, String) {
    let bearer = client.bearer(&server.first_client()).await;
    let ticket = client.ticket(&bearer, "MULTI_USE_TICKET").await;
    let login = client.login(&ticket).await.ok();
    (login.member("access_token"), login.member("refresh_token"))
}

async fn revoke(client: &Client, by: (&str, &str), form: &[(&str, &str)]) -> Answer {
    let request = client.post(PATH).basic(by.0, by.1).form(form);
    request.send().await
}

async fn done(client: &Client, by: (&str, &str), token: &str) {
    let answer = revoke(client, by, &[("token", token)]).await.ok();
    assert_eq!(answer.text, "", "RFC 7009 §2.2: the status says it all");
}

const CUSTOMER: (&str, &str) = ("customer", "");

#[tokio::test]
async fn rv_1_an_access_token_ends_alone() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let (access, refresh) = customer(&server, &client).await;
    done(&client, CUSTOMER, &access).await;
    assert!(!client.is_alive(&access).await);
    let renewed = client.refresh(&refresh).await.ok();
    assert!(client.is_alive(&renewed.member("access_token")).await);

    let first = server.first_client();
    let own = client.bearer(&first).await;
    done(&client, (&first.id, &first.secret), &own).await;
    assert!(!client.is_alive(&own).await);
}

#[tokio::test]
async fn rv_2_a_refresh_token_takes_its_sign_in_along_for_good() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let (first, refresh) = customer(&server, &client).await;
    let (other, other_refresh) = customer(&server, &client).await;
    let renewed = client.refresh(&refresh).await.ok();
    // A token that was used up stands for its sign-in as well.
    done(&client, CUSTOMER, &refresh).await;
    assert!(!client.is_alive(&first).await);
    assert!(!client.is_alive(&renewed.member("access_token")).await);
    let again = client.refresh(&renewed.member("refresh_token")).await;
    again.is(400, "invalid_grant");
    assert!(client.is_alive(&other).await, "another sign-in");
    client.refresh(&other_refresh).await.ok();

    let server = server.restart().await;
    let client = Client::of(&server);
    assert!(!client.is_alive(&first).await, "after a restart");
    assert!(client.is_alive(&other).await);
}

#[tokio::test]
async fn rv_1_a_public_client_says_its_name() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let (access, _) = customer(&server, &client).await;
    let form = [("token", access.as_str()), ("client_id", "customer")];
    client.post(PATH).form(&form).send().await.ok();
    assert!(!client.is_alive(&access).await);
}

#[tokio::test]
async fn rv_1_a_wrong_hint_still_works() {
    let server = Server::start().await;
    let client = Client::of(&server);
    for hint in ["access_token", "refresh_token", "nonsense"] {
        let (access, refresh) = customer(&server, &client).await;
        let form = [("token", refresh.as_str()), ("token_type_hint", hint)];
        revoke(&client, CUSTOMER, &form).await.ok();
        assert!(!client.is_alive(&access).await, "{hint}");
        let (access, _) = customer(&server, &client).await;
        let form = [("token", access.as_str()), ("token_type_hint", hint)];
        revoke(&client, CUSTOMER, &form).await.ok();
        assert!(!client.is_alive(&access).await, "{hint}");
    }
}

#[tokio::test]
async fn rv_2_what_is_unknown_over_or_another_clients_is_a_200_without_effect() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let by = (first.id.as_str(), first.secret.as_str());
    let (access, refresh) = customer(&server, &client).await;
    for token in ["nonsense", "a.b.c", "adr_nonsense", &access, &refresh] {
        done(&client, by, token).await;
    }
    let own = token(&server, "openid", &[]);
    done(&client, CUSTOMER, &own).await;
    assert!(client.is_alive(&access).await && client.is_alive(&own).await);
    let renewed = client.refresh(&refresh).await.ok().member("refresh_token");
    done(&client, CUSTOMER, &renewed).await;
    let audited = server.count("audit");
    done(&client, CUSTOMER, &renewed).await;
    done(&client, CUSTOMER, &access).await;
    assert_eq!(server.count("audit"), audited, "what is over ends once");
}

#[tokio::test]
async fn rv_1_a_stranger_is_a_401_and_no_token_a_400() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let first = server.first_client();
    let own = token(&server, "openid", &[]);
    let form = [("token", own.as_str())];
    revoke(&client, (&first.id, "wrong"), &form)
        .await
        .is(401, "invalid_client");
    let named = [form[0], ("client_id", first.id.as_str())];
    let answer = client.post(PATH).form(&named).send().await;
    answer.is(401, "invalid_client");
    let answer = client.post(PATH).form(&form).send().await;
    answer.is(401, "invalid_client");
    let by = (first.id.as_str(), first.secret.as_str());
    revoke(&client, by, &[]).await.is(400, "invalid_request");
    let query = client.post(&format!("{PATH}?token={own}"));
    let answer = query.basic(by.0, by.1).send().await;
    answer.is(400, "invalid_request");
    assert!(client.is_alive(&own).await);
}

/// Every type of token can be revoked here, so `unsupported_token_type` has no use.
#[tokio::test]
async fn rv_3_what_cannot_be_kept_is_a_503_that_says_when_to_come_back() {
    let disk = Arc::new(Breakable::default());
    let server = Server::with(Setup {
        disk: Arc::clone(&disk) as Arc<dyn Disk>,
        ..Setup::default()
    })
    .await;
    let client = Client::of(&server);
    let (access, refresh) = customer(&server, &client).await;
    disk.0.store(true, Ordering::SeqCst);
    for token in [access, refresh] {
        let answer = revoke(&client, CUSTOMER, &[("token", &token)]).await;
        answer.is(503, "temporarily_unavailable");
        assert!(!answer.header("retry-after").is_empty());
    }
}
