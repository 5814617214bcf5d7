//! Which server answers (RFC 9207, IS-1).

use super::Scene;
use crate::support::browser::Form;
use crate::support::client::Client;
use crate::support::party::FRONTS;
use crate::support::server::Server;

#[tokio::test]
async fn is_1_every_answer_names_its_issuer_byte_for_byte_as_the_metadata_do() {
    let server = Server::start().await;
    let client = Client::of(&server);
    let mut scene = Scene::of(&server, &client);
    for front in FRONTS {
        scene.at(front);
        let path = format!("{}/.well-known/openid-configuration", front.issuer);
        let metadata = client.get(&path).send().await.ok().json();
        let issuer = metadata["issuer"].as_str().unwrap();
        for mode in ["query", "fragment"] {
            for kind in ["code", "nonsense"] {
                let changes = [("response_mode", mode), ("response_type", kind)];
                let landed = scene.landed(&changes).await;
                assert_eq!(landed["iss"], issuer, "{mode} {kind}");
                assert_eq!(landed.contains_key("error"), kind != "code");
            }
        }
        for (scope, error) in [("openid", false), ("nonsense", true)] {
            let changes = [("response_mode", "form_post"), ("scope", scope)];
            let page = scene.asked(&changes).await.ok();
            let form = Form::of(&page.text);
            assert_eq!(form.fields["iss"], issuer, "{scope}");
            assert_eq!(form.fields.contains_key("error"), error, "{scope}");
        }
    }
}
