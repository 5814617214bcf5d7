//! `admit config`: each mistake of an operator with its file, line and what to do, on the built program; and what holds.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::Said;
use crate::tour::admit;

/// What is written, and what is said of it after the file's name.
#[rustfmt::skip]
const MISTAKES: &[(&str, &str)] = &[
        ("[server]\nlisen = 1", "2:1: server.lisen: is not a setting; did you mean \"listen\"?"),
        ("[server]\n  Listen = 1", "2:3: server.Listen: is not a setting; did you mean \"listen\"?"),
        ("[sevrer]\nlisten = 1", "1:2: sevrer: is not a section; did you mean \"server\"?"),
        ("listen = \"127.0.0.1:1\"", "1:1: listen: is not a setting; did you mean \"server.listen\"?"),
        ("[server]\ndata = \"x\"", "2:1: server.data: is not a setting; did you mean \"store.data\"?"),
        ("ofline = true", "1:1: ofline: is not a setting; did you mean \"offline\"?"),
        ("colour = true", "1:1: colour: is not a setting; above the first section stands only offline"),
        ("[colours]\n", "1:2: colours: is not a section; there are server, tls, store, tickets, tokens, signing, sessions, passwords, codes, spool, smtp, gateway, keys, upstreams, backup, limits, metrics, log"),
        ("[log]\ncolour = true", "2:1: log.colour: is not a setting; [log] has level, format"),
        ("[log]\n\"a\\nb\" = true", "2:1: log.\"a\\nb\": is not a setting; [log] has level, format"),
        ("log = \"info\"", "1:1: log: must be a section: [log]"),
        ("[[log]]\nlevel = \"info\"", "1:3: log: must be a section: [log]"),
        ("[server]\nlisten = 8443", "2:10: server.listen: must be an address and port such as 127.0.0.1:8443, not 8443"),
        ("[server]\nlisten = \"localhost\"", "2:10: server.listen: must be an address and port such as 127.0.0.1:8443, not \"localhost\""),
        ("[server]\npublic_url = \"admit\"", "2:14: server.public_url: must be an address such as https://admit.example.org, not \"admit\""),
        ("[server]\nplain_http = \"yes\"", "2:14: server.plain_http: must be true or false, not \"yes\""),
        ("[server]\nnames = \"a.example\"", "2:9: server.names: must be a list of host names and addresses, not \"a.example\""),
        ("[server]\nnames = [\"a b\", 1]", "2:9: server.names: must be a list of host names and addresses, not [\"a b\", 1]"),
        ("[server]\ntrusted_proxies = \"127.0.0.1\"", "2:19: server.trusted_proxies: must be a list of IP addresses, not \"127.0.0.1\""),
        ("[server]\ntrusted_proxies = [\"10.0.0.1\", \"10.0.0.0/8\"]", "2:19: server.trusted_proxies: must be a list of IP addresses, not [\"10.0.0.1\", \"10.0.0.0/8\"]"),
        ("[server]\ntrusted_proxies = [\"proxy.example\"]", "2:19: server.trusted_proxies: must be a list of IP addresses, not [\"proxy.example\"]"),
        ("[store]\ndata = \"\"", "2:8: store.data: must be a path, not \"\""),
        ("[store]\ndata = { a = 1 }", "2:8: store.data: must be a path, not a table"),
        ("[store]\nmaster_key_credential = \"../key\"", "2:25: store.master_key_credential: must be the name of a systemd credential, not \"../key\""),
        ("[limits]\ndrain_seconds = -1", "2:17: limits.drain_seconds: must be a whole number of seconds from 0 to 600, not -1"),
        ("[tokens]\naccess_seconds = 59", "2:18: tokens.access_seconds: must be a whole number of seconds from 60 to 31536000, not 59"),
        ("[tokens]\naccess = 600", "2:1: tokens.access: is not a setting; [tokens] has access_seconds, refresh_idle_seconds, refresh_absolute_seconds, refresh_grace_seconds"),
        ("[log]\nlevel = \"inf\"", "2:9: log.level: must be one of error, warn, info, debug, trace, not \"inf\"; did you mean \"info\"?"),
        ("[log]\nformat = \"yaml\"", "2:10: log.format: must be one of text, json, not \"yaml\""),
        ("[tickets]\ndefault_ttl_seconds = 120\nmax_ttl_seconds = 60", "2:23: tickets.default_ttl_seconds: 120 is more than tickets.max_ttl_seconds, which is 60"),
        ("[tickets]\nmax_ttl_seconds = 60", "2:19: tickets.max_ttl_seconds: 60 is less than tickets.default_ttl_seconds, which is 14400"),
        ("[tokens]\nrefresh_absolute_seconds = 60", "2:28: tokens.refresh_absolute_seconds: 60 is less than tokens.refresh_idle_seconds, which is 2592000"),
        ("[signing]\nrotate_days = 1\npublish_hours = 25", "3:17: signing.publish_hours: is longer than a key signs by signing.rotate_days"),
        ("[tls]\ncertificate = \"c\"", "2:15: tls.certificate: needs tls.key as well: set both or neither"),
        ("[tls]\nkey = \"k\"", "2:7: tls.key: needs tls.certificate as well: set both or neither"),
        ("[server]\nlisten = \"0.0.0.0:80\"\nplain_http = true", "2:10: server.listen: must be a loopback address when server.plain_http is on, not 0.0.0.0:80"),
        ("[store]\nmaster_key = \"m\"\nmaster_key_credential = \"c\"", "3:25: store.master_key_credential: cannot be set together with store.master_key"),
        ("[store]\nmaster_key_credential = \"c\"", "2:25: store.master_key_credential: needs systemd's CREDENTIALS_DIRECTORY, which is not set"),
        ("[codes]\nsms = \"smpt\"", "2:7: codes.sms: must be one of outbox, spool, smtp, gateway, not \"smpt\"; did you mean \"smtp\"?"),
        ("[codes]\nsms = \"smtp\"", "2:7: codes.sms: cannot be smtp, which takes e-mail only: choose outbox, spool or gateway"),
        ("[codes]\nvoice = \"smtp\"", "2:9: codes.voice: cannot be smtp, which takes e-mail only: choose outbox, spool or gateway"),
        ("[codes]\nemail = \"smtp\"", "2:9: codes.email: needs smtp.host as well"),
        ("[codes]\nemail = \"gateway\"", "2:9: codes.email: needs gateway.url as well"),
        ("[codes]\nlength = 3", "2:10: codes.length: must be a whole number from 4 to 8, not 3"),
        ("[codes]\nlife_seconds = 3601", "2:16: codes.life_seconds: must be a whole number of seconds from 60 to 3600, not 3601"),
        ("[codes]\nallowed_prefixes = [\"30\"]", "2:20: codes.allowed_prefixes: must be a list of prefixes such as +30, of 1 to 7 digits, not [\"30\"]"),
        ("[codes]\ndenied_prefixes = [\"+12345678\"]", "2:19: codes.denied_prefixes: must be a list of prefixes such as +30, of 1 to 7 digits, not [\"+12345678\"]"),
        ("[codes]\ndenied_prefixes = [\"+030\"]", "2:19: codes.denied_prefixes: must be a list of prefixes such as +30, of 1 to 7 digits, not [\"+030\"]"),
        ("[codes]\nsender = \"see http://x\"", "2:10: codes.sender: must be 1 to 20 letters, digits and spaces, not \"see http://x\""),
        ("[codes]\nsender = \"twenty-one characters\"", "2:10: codes.sender: must be 1 to 20 letters, digits and spaces, not \"twenty-one characters\""),
        ("[smtp]\nhost = \"mail\"", "2:8: smtp.host: needs smtp.from as well"),
        ("[smtp]\nhost = \"mail server\"", "2:8: smtp.host: must be a host name or address, not \"mail server\""),
        ("[smtp]\nport = 0", "2:8: smtp.port: must be a whole number from 1 to 65535, not 0"),
        ("[smtp]\ntls = \"ssl\"", "2:7: smtp.tls: must be one of starttls, implicit, none, not \"ssl\""),
        ("[smtp]\nfrom = \"Codes <c@example.org>\"", "2:8: smtp.from: must be an e-mail address such as codes@example.org, not \"Codes <c@example.org>\""),
        ("[smtp]\nuser = \"u\"", "2:8: smtp.user: needs smtp.password, smtp.password_file or smtp.password_credential as well"),
        ("[smtp]\npassword = \"hunter2\"", "2:12: smtp.password: needs smtp.user as well"),
        ("[smtp]\npassword = \"hunter\\n2\"", "2:12: smtp.password: must be text on one line"),
        ("[smtp]\nuser = \"u\"\npassword = \"p\"\npassword_file = \"f\"", "4:17: smtp.password_file: cannot be set together with smtp.password"),
        ("[smtp]\nuser = \"u\"\npassword_file = \"/nowhere/f\"", "3:17: smtp.password_file: /nowhere/f cannot be read: No such file or directory (os error 2)"),
        ("[smtp]\nhost = \"mail\"\nfrom = \"a@b\"\ntls = \"none\"\nuser = \"u\"\npassword = \"p\"", "4:7: smtp.tls: would show the password to the network: choose starttls or implicit"),
        ("[smtp]\nehlo = \"a b\"", "2:8: smtp.ehlo: must be a host name, not \"a b\""),
        ("[gateway]\nurl = \"ftp://x\"", "2:7: gateway.url: must be an address such as https://sms.example.org/send, not \"ftp://x\""),
        ("[gateway]\nurl = \"https://x/?a={two}\"", "2:7: gateway.url: must be an address such as https://sms.example.org/send, not \"https://x/?a={two}\""),
        ("[gateway]\nurl = \"https://{to}/?a={message}\"", "2:7: gateway.url: must be an address such as https://sms.example.org/send, not \"https://{to}/?a={message}\""),
        ("[gateway]\nmethod = \"get\"", "2:10: gateway.method: must be one of POST, PUT, GET, not \"get\"; did you mean \"GET\"?"),
        ("[gateway]\nurl = \"https://x\"\nmethod = \"GET\"", "2:7: gateway.url: must hold {to} somewhere"),
        ("[gateway]\nurl = \"https://x?to={to}\"\nmethod = \"GET\"", "2:7: gateway.url: must hold {message} or {code} somewhere"),
        ("[gateway]\nurl = \"https://x?to={to}&c={code}\"\nmethod = \"GET\"\nbody = \"x\"", "4:8: gateway.body: cannot be sent by GET: put the values into the query of gateway.url"),
        ("[gateway]\nurl = \"https://x\"\nbody = '{\"t\": \"{message}\"}'", "3:8: gateway.body: must hold {to} somewhere"),
        ("[gateway]\nurl = \"https://x\"\nbody = '{\"to\": \"{to}\", \"t\": \"{message}\"'", "3:8: gateway.body: is not JSON once its placeholders are filled: choose another gateway.content_type, or mend it"),
        ("[gateway]\nurl = \"https://x\"\nbody = '{\"to\": \"{to}\", \"t\": {code}}'", "3:8: gateway.body: has a placeholder outside quotation marks"),
        ("[gateway]\nheaders = [\"X-Key hunter2\"]", "2:11: gateway.headers: must be a list of headers such as \"X-Account: 42\", none of which frames the request"),
        ("[gateway]\nheaders = [\"Content-Length: 2\"]", "2:11: gateway.headers: must be a list of headers such as \"X-Account: 42\", none of which frames the request"),
        ("[gateway]\nauthorization = 5", "2:17: gateway.authorization: must be text on one line"),
        ("[gateway]\nauthorization = \"Bearer x\"\nauthorization_file = \"f\"", "3:22: gateway.authorization_file: cannot be set together with gateway.authorization"),
        ("[gateway]\nurl = \"https://x\"\nauthorization = \"Bearer x\"\nheaders = [\"authorization: y\"]", "4:11: gateway.headers: names Authorization, which another setting of [gateway] sets"),
        ("[gateway]\nurl = \"http://x\"\nauthorization = \"Bearer x\"", "2:7: gateway.url: would show the authorization to the network: use https"),
        ("[upstreams]\norigins = [\"https://a/b\"]", "2:11: upstreams.origins: must be a list of origins such as https://127.0.0.1:9443, not [\"https://a/b\"]"),
        ("[upstreams]\ntimeout_seconds = 0", "2:19: upstreams.timeout_seconds: must be a whole number of seconds from 1 to 60, not 0"),
        ("[server]\nlisten = ", "2:10: string values must be quoted, expected literal string"),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"", "3:1: duplicate key"),
        ("# ä\n[log] ö", "2:7: unexpected key or value, expected newline, `#`"),
        ("[smtp]\nuser = \"u\"\npassword_credential = \"p\"", "3:23: smtp.password_credential: needs systemd's CREDENTIALS_DIRECTORY, which is not set"),
        ("[smtp]\nuser = \"u\"\npassword = \"p\"\npassword_credential = \"p\"", "4:23: smtp.password_credential: cannot be set together with smtp.password"),
        ("[gateway]\nauthorization_credential = \"../x\"", "2:28: gateway.authorization_credential: must be the name of a systemd credential, not \"../x\""),
        ("[gateway]\nheaders = [\"a: b\"]\nheaders_file = \"f\"", "3:16: gateway.headers_file: cannot be set together with gateway.headers"),
        ("[tls]\nkey_credential = \"k\"", "2:18: tls.key_credential: needs tls.certificate as well: set both or neither\nbad.toml:2:18: tls.key_credential: needs systemd's CREDENTIALS_DIRECTORY, which is not set"),
        ("[tls]\ncertificate = \"/nowhere/c\"\nkey = \"/nowhere/k\"", "2:15: tls.certificate: /nowhere/c: No such file or directory (os error 2)"),
        ("[upstreams]\nauthority = \"bad.toml\"", "2:13: upstreams.authority: bad.toml: the upstreams' authority holds no certificates in PEM: there is none in it"),
        ("[store]\nmaster_key = \"bad.toml\"", "2:14: store.master_key: bad.toml: a master key is 64 hexadecimal digits and nothing else"),
];

fn written(text: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bad.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

fn run(folder: &TempDir, words: &[&str], env: &[(&str, &str)]) -> Said {
    let mut command = admit(folder.path());
    command.env_remove("CREDENTIALS_DIRECTORY");
    Said::of(
        &command
            .args(words)
            .envs(env.iter().copied())
            .output()
            .unwrap(),
    )
}

#[test]
fn every_mistake_is_told_by_the_program_with_file_line_and_what_to_do() {
    assert!(MISTAKES.len() >= 40, "{}", MISTAKES.len());
    for (text, expected) in MISTAKES {
        let folder = written(text);
        let said = run(&folder, &["config", "check", "--config", "bad.toml"], &[]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{text}");
        assert_eq!(said.err, format!("admit: bad.toml:{expected}\n"), "{text}");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "it changed something"
        );
    }
}

#[test]
fn every_command_that_reads_a_wrong_configuration_refuses_with_the_same_words() {
    let folder = written("[sever]\n[log]\nlevel = \"loud\"\n");
    let expected = run(&folder, &["config", "check", "--config", "bad.toml"], &[]);
    assert_eq!(expected.err.lines().count(), 2, "{}", expected.err);
    for words in [
        &["serve"][..],
        &["init"],
        &["config", "show"],
        &["status"],
        &["doctor"],
        &["org", "list"],
        &["tour"],
    ] {
        let said = run(&folder, &[words, &["--config", "bad.toml"]].concat(), &[]);
        assert_eq!(
            (said.code, said.err.as_str()),
            (2, expected.err.as_str()),
            "{words:?}"
        );
    }
    let as_json = run(
        &folder,
        &["config", "check", "--config", "bad.toml", "--json"],
        &[],
    );
    let told: Value = serde_json::from_str(&as_json.out).unwrap();
    assert_eq!(
        (as_json.code, told["mistakes"].as_array().unwrap().len()),
        (2, 2)
    );
}

#[test]
fn what_is_in_order_is_said_to_be_and_shown_without_secrets() {
    let folder = written(
        "[server]\nnames = [\"a.example\"]\n[smtp]\nhost = \"m\"\nfrom = \"a@b\"\nuser = \"u\"\npassword = \"hunter2\"\n",
    );
    let at = &["--config", "bad.toml"];
    let well = run(&folder, &[&["config", "check"][..], at].concat(), &[]);
    assert_eq!((well.code, well.err.as_str()), (0, ""));
    assert!(
        well.out.starts_with("bad.toml is in order."),
        "{}",
        well.out
    );
    let env = [("ADMIT_LOG_LEVEL", "debug")];
    let shown = run(&folder, &[&["config", "show"][..], at].concat(), &env);
    assert!(!shown.out.contains("hunter2"), "{}", shown.out);
    for line in [
        "names = [\"a.example\"]  # set in bad.toml:2:9",
        "level = \"debug\"  # set in ADMIT_LOG_LEVEL",
        "# password: set in bad.toml:7:12, not shown",
        "listen = \"127.0.0.1:8443\"",
        "# public_url: not set",
    ] {
        assert!(
            shown.out.lines().any(|shown| shown == line),
            "{line}\n{}",
            shown.out
        );
    }
    let as_json = run(
        &folder,
        &[&["config", "show", "--json"][..], at].concat(),
        &env,
    );
    let all: Value = serde_json::from_str(&as_json.out).unwrap();
    assert_eq!(
        all["log.level"],
        json!({ "value": "debug", "set_in": "ADMIT_LOG_LEVEL" })
    );
    assert_eq!(
        all["smtp.password"],
        json!({ "hidden": true, "set_in": "bad.toml:7:12" })
    );
    // What is shown is a configuration itself.
    fs::write(
        folder.path().join("again.toml"),
        shown.out.replace("user = ", "# user = "),
    )
    .unwrap();
    let again = run(&folder, &["config", "check", "--config", "again.toml"], &[]);
    assert_eq!((again.code, again.err.as_str()), (0, ""));
}

#[test]
fn each_secret_comes_by_value_by_file_or_from_systemd() {
    let folder = written("");
    let handed_over = folder.path().join("handed-over");
    fs::create_dir(&handed_over).unwrap();
    for (name, text) in [
        ("password", "p w\n"),
        ("authorization", "Bearer x\n"),
        ("headers", "X-A: b\nX-C: d\n"),
        ("master", &"ab".repeat(32)),
    ] {
        let path = handed_over.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    }
    let common = "[smtp]\nhost = \"m\"\nfrom = \"a@b\"\nuser = \"u\"\npassword_WAY\n[gateway]\nurl = \"https://x\"\nauthorization_WAY\nheaders_WAY\n";
    let ways = [
        (
            "file",
            common
                .replace("password_WAY", "password_file = \"handed-over/password\"")
                .replace(
                    "authorization_WAY",
                    "authorization_file = \"handed-over/authorization\"",
                )
                .replace("headers_WAY", "headers_file = \"handed-over/headers\""),
        ),
        (
            "credential",
            common
                .replace("password_WAY", "password_credential = \"password\"")
                .replace(
                    "authorization_WAY",
                    "authorization_credential = \"authorization\"",
                )
                .replace("headers_WAY", "headers_credential = \"headers\"")
                + "[store]\nmaster_key_credential = \"master\"\n",
        ),
        (
            "value",
            common
                .replace("password_WAY", "password = \"p\"")
                .replace("authorization_WAY", "authorization = \"Bearer x\"")
                .replace("headers_WAY", "headers = [\"X-A: b\"]"),
        ),
    ];
    let credentials = handed_over.to_str().unwrap();
    for (way, text) in ways {
        fs::write(folder.path().join("bad.toml"), text).unwrap();
        let env = [("CREDENTIALS_DIRECTORY", credentials)];
        let said = run(&folder, &["config", "check", "--config", "bad.toml"], &env);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{way}");
    }
    // A missing one is named.
    fs::remove_file(handed_over.join("password")).unwrap();
    fs::write(
        folder.path().join("bad.toml"),
        "[smtp]\nuser = \"u\"\npassword_credential = \"password\"\n",
    )
    .unwrap();
    let said = run(
        &folder,
        &["config", "check", "--config", "bad.toml"],
        &[("CREDENTIALS_DIRECTORY", credentials)],
    );
    assert!(
        said.err
            .starts_with("admit: bad.toml:3:23: smtp.password_credential: "),
        "{}",
        said.err
    );
    assert!(said.err.contains("cannot be read"), "{}", said.err);
}

#[test]
fn the_example_the_program_prints_is_the_packaged_one() {
    let said = run(&written(""), &["config", "example"], &[]);
    assert_eq!(said.out, include_str!("../../packaging/config/admit.toml"));
}
