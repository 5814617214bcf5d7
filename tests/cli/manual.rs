//! Manual pages and completions, read by the programs they are for.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Said;
use crate::tour::admit;

#[test]
fn there_is_a_page_for_every_command_and_man_has_nothing_to_say_against_any() {
    let folder = TempDir::new().unwrap();
    let said = Said::of(
        &admit(folder.path())
            .args(["man", "pages/man1"])
            .output()
            .unwrap(),
    );
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let pages = fs::read_dir(folder.path().join("pages/man1")).unwrap();
    let pages: Vec<_> = pages.map(|page| page.unwrap().path()).collect();
    for name in [
        "admit.1",
        "admit-serve.1",
        "admit-ticket-revoke.1",
        "admit-config-check.1",
        "admit-doctor.1",
    ] {
        assert!(pages.iter().any(|page| page.ends_with(name)), "{name}");
    }
    for page in &pages {
        let text = fs::read_to_string(page).unwrap();
        assert!(
            text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"),
            "{text}"
        );
    }
    let man = Command::new("man")
        .args(["--warnings", "-l"])
        .args(&pages)
        .env("MANPAGER", "cat")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output();
    // A machine without `man` has nobody to read them.
    if let Ok(man) = man {
        let told = String::from_utf8(man.stderr).unwrap();
        assert!(man.status.success() && told.is_empty(), "{told}");
    }
}

#[test]
fn a_shell_completes_commands_options_and_values() {
    let folder = TempDir::new().unwrap();
    let script = admit(folder.path())
        .args(["completions", "bash"])
        .output()
        .unwrap();
    fs::write(folder.path().join("admit.bash"), script.stdout).unwrap();
    let completed = |words: &str, word: &str| {
        let last = words.split(' ').count();
        let lines = format!(
            "source admit.bash\nCOMP_WORDS=(admit {words} '{word}'); COMP_CWORD={}; COMP_LINE='admit {words} {word}'; COMP_POINT=${{#COMP_LINE}}\n_admit admit '{word}' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
            last + 1
        );
        let done = Command::new("bash")
            .args(["--norc", "-euc", &lines])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
        String::from_utf8(done.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(completed("ticket", "re"), ["revoke"]);
    assert_eq!(completed("completions", "z"), ["zsh"]);
    assert!(completed("ticket create", "--pro").contains(&"--property".to_owned()));
    for shell in ["zsh", "fish"] {
        let said = Said::of(
            &admit(folder.path())
                .args(["completions", shell])
                .output()
                .unwrap(),
        );
        assert!(said.code == 0 && said.out.contains("key-pair"), "{shell}");
    }
}

#[test]
fn whoever_hears_no_more_breaks_nothing() {
    let folder = TempDir::new().unwrap();
    let program = env!("CARGO_BIN_EXE_admit");
    for words in ["completions bash", "config example", "config show"] {
        let lines = format!("'{program}' {words} | head -n 1");
        let done = Command::new("bash")
            .args(["-eo", "pipefail", "-c", &lines])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    }
}
