//! console-agent-app-js over superagent 1.7: the password grant with Basic, and spaces as `%20`.

use admit::crypto::password::hash;
use admit::domain::clients::GrantType;
use admit::domain::users;
use admit::kernel::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{person, vendors_client};
use crate::support::accounts::change_user;
use crate::support::raw;
use crate::support::server::Server;

#[tokio::test]
async fn a_password_with_every_awkward_letter_arrives_whole() {
    let server = Server::start().await;
    let client = vendors_client(&server, &[GrantType::Password]);
    let person = person(&server);
    let cx = server.appliance.own_context();
    let user = users::find(&cx, &person.id).unwrap().unwrap();
    let entropy = server.appliance.entropy();
    let password = hash(&Secret::new("a long p w+&x".into()), entropy.as_ref()).unwrap();
    change_user(&server, &user, |user| user.password = password);
    let form = format!(
        "grant_type=password&scope=*&client_id={}&username=default%5C{}&password=a%20long%20p%20w%2B%26x",
        client.id, person.name
    );
    let head = format!(
        "POST /auth/v3/oauth/token HTTP/1.1
Host: {{host}}
Accept-Encoding: gzip, deflate
User-Agent: node-superagent/1.7.2
x-api-key: an-api-key
Authorization: Basic {}
Content-Type: application/x-www-form-urlencoded
Content-Length: {}
Connection: close",
        STANDARD.encode(format!("{}:{}", client.id, client.secret)),
        form.len()
    );
    let reply = raw::say(&server, &head, &form).await.ok().json();
    assert_eq!(reply["token_type"], "bearer");
    assert_eq!(reply["scope"], "*");
    assert!(reply["expires_in"].as_u64().unwrap() >= 43_199);
    for member in ["access_token", "refresh_token"] {
        assert!(reply[member].is_string(), "{member}: {reply}");
    }
    let spaced = form.replace("%2B", "+");
    let head = head.replace(&form.len().to_string(), &spaced.len().to_string());
    raw::say(&server, &head, &spaced)
        .await
        .is(400, "invalid_grant");
}
