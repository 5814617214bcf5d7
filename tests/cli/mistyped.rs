//! What was typed and cannot have been meant: each is refused in words that say what to type.

use super::Site;

#[test]
fn a_folder_that_was_mistyped_is_not_listed_as_an_empty_one() {
    let site = Site::stopped();
    site.refused(
        &["backup", "list", "nowhere"],
        1,
        "nowhere: there is no such folder",
    );
    let none_yet = site.run(&["backup", "list", "--json"]);
    assert_eq!((none_yet.code, none_yet.out.as_str()), (0, "[]\n"));
}

#[test]
fn an_upgrade_does_not_take_a_passphrase_that_opens_nothing() {
    let site = Site::stopped();
    let why = "a passphrase or a key opens a backup, and none is named: add --dry-run --from FILE, or leave it out";
    for words in [
        &["upgrade", "--passphrase-file", "words"][..],
        &["upgrade", "--dry-run", "--master-key-file", "key"],
    ] {
        site.refused(words, 2, why);
    }
}

#[test]
fn an_upgrade_beside_a_server_names_all_that_is_to_be_typed() {
    let said = Site::running().run(&["upgrade"]);
    let whole = said.err.ends_with(" with --dry-run --from FILE\n");
    assert!(said.code == 1 && whole, "{}", said.err);
}
