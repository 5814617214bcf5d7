//! The journal: what it shows, what it never shows, and that nothing sent to it becomes markup.

use admit::standins::{
    AUTHORIZATION_CODES, GENESYS_CLIENT, NICE_CLIENT, NICE_REFRESH, TALKDESK_CLIENT,
    TALKDESK_REFRESH,
};
use reqwest::Client;
use serde_json::{Value, json};

use super::{BY_CLIENT, answered, by_code, genesys_token, stage};

async fn page(origin: &str, client: &Client) -> (String, String) {
    let response = client.get(origin).send().await.unwrap();
    let policy = response.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    (response.text().await.unwrap(), policy)
}

#[tokio::test]
async fn no_secret_code_or_token_of_a_client_is_shown() {
    let (stand_ins, client) = stage().await;
    let origin = stand_ins.origin();
    let mut secrets = vec![
        GENESYS_CLIENT.1.to_owned(),
        TALKDESK_CLIENT.1.to_owned(),
        NICE_CLIENT.1.to_owned(),
        TALKDESK_REFRESH.to_owned(),
        NICE_REFRESH.to_owned(),
    ];
    secrets.extend(AUTHORIZATION_CODES.map(str::to_owned));
    for code in AUTHORIZATION_CODES {
        secrets.push(genesys_token(&stand_ins, &client, &by_code(code)).await);
    }
    let token = genesys_token(&stand_ins, &client, &BY_CLIENT).await;
    let queues = format!("{origin}/api/v2/routing/queues?access_token={token}");
    assert_eq!(
        answered(client.get(queues).bearer_auth(&token)).await.0,
        200
    );
    secrets.push(token);
    for (path, (id, secret), refresh) in [
        ("/talkdesk/oauth/token", TALKDESK_CLIENT, TALKDESK_REFRESH),
        ("/nice/auth/token", NICE_CLIENT, NICE_REFRESH),
    ] {
        let members = json!({
            "grant_type": "refresh_token",
            "refresh_token": refresh,
            "client_id": id,
            "client_secret": secret,
        });
        let url = format!("{origin}{path}");
        let refreshed = client
            .post(&url)
            .basic_auth(id, Some(secret))
            .form(&members);
        let (status, token) = answered(refreshed).await;
        assert_eq!(status, 200);
        secrets.push(token["refresh_token"].as_str().unwrap().to_owned());
        // Whatever they come in, and whether or not it can be read.
        let nested = json!({ "all": [members] });
        answered(client.post(&url).json(&nested)).await;
        let text = client.post(&url).header("content-type", "application/json");
        answered(text.body(format!("{{\"client_secret\": \"{secret}"))).await;
        answered(client.post(&url).body(format!("{refresh} {secret}"))).await;
    }
    let (page, _) = page(origin, &client).await;
    let json = client.get(format!("{origin}/journal.json"));
    let json = json.send().await.unwrap().text().await.unwrap();
    let entries = format!("{:?}", stand_ins.journal());
    for shown in [&page, &json, &entries] {
        for secret in &secrets {
            assert!(!shown.contains(secret.as_str()), "{secret} in {shown}");
        }
        assert!(shown.contains("client talkdesk-client"));
        assert!(shown.contains("grant_type"));
    }
}

#[tokio::test]
async fn what_is_sent_never_becomes_markup() {
    let (stand_ins, client) = stage().await;
    let origin = stand_ins.origin();
    let hostile = "</pre><script>alert('x')</script><img src=x onerror=\"y\">&amp;";
    let body = json!({ "to": hostile, hostile: 1, "text": hostile });
    let asked = client.post(format!("{origin}/sms")).json(&body);
    let asked = asked
        .query(&[("q", hostile)])
        .basic_auth("<b>bold</b>", Some("x"));
    assert_eq!(answered(asked).await.0, 200);
    let (page, policy) = page(origin, &client).await;
    for markup in ["<script", "<img", "<b>", "onerror=\"", "</pre><"] {
        let own = if markup == "</pre><" {
            0
        } else {
            page.matches(markup).count()
        };
        assert_eq!(own, 0, "{markup} in {page}");
    }
    assert_eq!(page.matches("</pre>").count(), 1, "{page}");
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)") && page.contains("&amp;amp;"));
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"));
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
    assert!(page.contains("name=\"viewport\"") && page.contains("color-scheme:light dark"));
}

#[tokio::test]
async fn it_says_who_asked_what_and_what_came_of_it() {
    let (stand_ins, client) = stage().await;
    let origin = stand_ins.origin();
    let token = genesys_token(&stand_ins, &client, &by_code("admin-code")).await;
    let queues = format!("{origin}/api/v2/routing/queues?name=Sales*");
    answered(client.get(queues).bearer_auth(&token)).await;
    answered(
        client
            .get(format!("{origin}/api/v2/users/me"))
            .bearer_auth("x"),
    )
    .await;
    let (status, shown) = answered(client.get(format!("{origin}/journal.json"))).await;
    assert_eq!(status, 200);
    let seen: Vec<[&Value; 5]> = shown.as_array().unwrap().iter().map(seen).collect();
    let expected = [
        ["POST", "/oauth/token", "", "client genesys-client"],
        ["GET", "/api/v2/routing/queues", "name=Sales*", "Kim Admin"],
        ["GET", "/api/v2/users/me", "", "an unknown token"],
    ];
    for ((seen, expected), status) in seen.iter().zip(expected).zip([200, 200, 401]) {
        assert_eq!(seen[..4], expected.map(Value::from).each_ref()[..]);
        assert_eq!(seen[4], status);
    }
    assert_eq!(seen.len(), expected.len());
}

fn seen(entry: &Value) -> [&Value; 5] {
    ["method", "path", "query", "who", "status"].map(|name| &entry[name])
}
