//! How commands reach the appliance: the socket, who is answered at it, and what is said when neither way is open.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Said, Site};
use crate::support::process::Launch;
use crate::tour::admit;

fn socket(site: &Site) -> PathBuf {
    site.folder().join("admit-data/control.sock")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Sends bytes to the socket and reads what comes back.
fn sent(socket: &Path, bytes: &[u8]) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    // Whoever is refused early may not get to send everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(
        answer.ends_with('\n') && answer.lines().count() == 1,
        "{answer:?}"
    );
    serde_json::from_str(&answer).unwrap()
}

/// Connects as the user `nobody` and prints what it is told.
const STRANGER: &str = "
import socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1])
    try:
        s.sendall(b'{\"Admin\":{\"Org\":\"List\"}}\\n')
    except BrokenPipeError:
        pass  # refused before it was read
    print(s.makefile().readline(), end='')
except PermissionError:
    print('permission denied')
";

fn as_nobody(socket: &Path) -> String {
    let said = Command::new("setpriv")
        .args([
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "python3",
            "-c",
            STRANGER,
        ])
        .arg(socket)
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let said = Said::of(&said);
    assert_eq!(said.err, "");
    said.out
}

#[test]
fn the_socket_is_for_its_owner_alone_and_gone_when_the_server_is() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut server = Launch::on(&data).witnessed_beside().start();
    let path = data.join("control.sock");
    assert_eq!((mode(&path), mode(&data)), (0o600, 0o700));
    assert_eq!(
        sent(&path, b"{\"Admin\":{\"Org\":\"List\"}}\n")["Done"]["Admin"]["Orgs"][0]["name"],
        "default"
    );
    assert!(server.terminate().status.success());
    assert!(!path.exists());
}

#[test]
fn another_user_of_the_machine_is_refused_even_where_the_modes_let_it_through() {
    if !rustix::process::geteuid().is_root() {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("skipped");
        fs::create_dir_all(&folder).unwrap();
        let line = "SKIPPED: another user at the control socket, for want of root\n";
        fs::write(folder.join("control-socket"), line).unwrap();
        return;
    }
    let site = Site::running();
    let path = socket(&site);
    assert_eq!(as_nobody(&path), "permission denied\n");
    set_mode(site.folder(), 0o755);
    set_mode(path.parent().unwrap(), 0o755);
    assert_eq!(
        as_nobody(&path),
        "permission denied\n",
        "the socket's own mode"
    );
    set_mode(&path, 0o666);
    let refused = json!({"Refused": "only root and the user the server runs as are answered here"});
    assert_eq!(as_nobody(&path), format!("{refused}\n"));
}

#[test]
fn what_is_no_command_is_refused_and_the_next_one_answered() {
    let site = Site::running();
    let path = socket(&site);
    let line = json!({"Refused": "a command is one line of at most 65536 bytes"});
    let unknown =
        json!({"Refused": "the server does not know this command: it is of another version"});
    assert_eq!(sent(&path, b""), line);
    assert_eq!(sent(&path, b"{\"Admin\":{\"Org\":\"List\"}}"), line);
    let long = format!(
        "{{\"Admin\":{{\"Org\":{{\"Show\":{{\"org\":\"{}\"}}}}}}}}\n",
        "a".repeat(70_000)
    );
    assert_eq!(sent(&path, long.as_bytes()), line);
    for no_command in [
        "\n",
        "{}\n",
        "null\n",
        "{\"Admin\":{\"Org\":\"Burn\"}}\n",
        "\u{0}\n",
        "GET / HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(
            sent(&path, no_command.as_bytes()),
            unknown,
            "{no_command:?}"
        );
    }
    let deep = format!("{}\n", "[".repeat(60_000));
    assert_eq!(sent(&path, deep.as_bytes()), unknown);
    let refused = sent(
        &path,
        b"{\"Admin\":{\"Org\":{\"Show\":{\"org\":\"nowhere\"}}}}\n",
    );
    assert_eq!(refused, json!({"Refused": "there is no such organization"}));
    assert_eq!(site.json(&["org", "list"])[0]["name"], "default");
}

#[test]
fn silent_connections_do_not_keep_the_operator_out() {
    let site = Site::running();
    let silent: Vec<UnixStream> = (0..9)
        .map(|_| UnixStream::connect(socket(&site)).unwrap())
        .collect();
    assert_eq!(site.json(&["org", "list"])[0]["name"], "default");
    drop(silent);
}

#[test]
fn a_folder_without_an_appliance_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    for data in ["nowhere", "."] {
        let said = admit(folder.path())
            .args(["org", "list", "--data", data])
            .output()
            .unwrap();
        let said = Said::of(&said);
        let why = format!("admit: there is no appliance in {data}: run `admit init` first\n");
        assert_eq!((said.code, said.err), (1, why));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_store_that_is_held_by_somebody_who_does_not_answer_is_told_in_words() {
    let site = Site::running();
    fs::remove_file(socket(&site)).unwrap();
    site.refused(
        &["org", "list"],
        3,
        "the store in ./admit-data is in use, and no server answers at its control socket: stop the process that has it",
    );
}

#[test]
fn a_killed_servers_socket_is_in_nobodys_way() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("admit-data");
    Launch::on(&data).witnessed_beside().start().kill();
    assert!(data.join("control.sock").exists());
    let run = |words: &[&str]| Said::of(&admit(folder.path()).args(words).output().unwrap());
    let made = run(&["org", "create", "North"]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    let _server = Launch::on(&data).witnessed_beside().start();
    assert!(run(&["org", "list"]).out.contains("North"));
}

#[test]
fn a_folder_with_a_path_too_long_for_a_socket_is_reached_all_the_same() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("a".repeat(100)).join("b".repeat(100));
    let run = |words: &[&str]| {
        let said = admit(folder.path())
            .args(words)
            .arg("--data")
            .arg(&data)
            .output()
            .unwrap();
        let said = Said::of(&said);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{words:?}");
        said.out
    };
    let mut server = Launch::on(&data).witnessed_beside().start();
    run(&["org", "create", "North"]);
    assert_eq!(mode(&data.join("control.sock")), 0o600);
    assert!(server.terminate().status.success());
    assert!(!data.join("control.sock").exists());
    assert!(run(&["org", "list"]).contains("North"));
}

#[test]
fn a_stopped_store_keeps_the_address_it_was_served_at() {
    let site = Site::stopped();
    let path = site.folder().join("admit-data/first-run.json");
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace(":8443", ":40123");
    fs::write(&path, &text).unwrap();
    site.json(&["org", "create", "North"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}
