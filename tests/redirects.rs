//! Where people are never sent: values that only look like what a client registered.

use admit::domain::clients::redirect::{check, is_registered};

use crate::support::near_misses::{near_misses, near_misses_of_an_origin};

#[test]
fn o7_200_generated_near_misses_of_a_redirect_uri_match_nothing() {
    for registered in [
        "https://app.example.org/cb",
        "https://app.example.org/auth/callback",
        "https://login.example.net/a/b/c",
    ] {
        assert_eq!(check(registered), Ok(()));
        let known = [registered.to_owned()];
        assert!(is_registered(&known, registered));
        let misses = near_misses(registered);
        assert!(misses.len() > 200, "only {}", misses.len());
        for miss in misses {
            assert!(!is_registered(&known, &miss), "{registered} {miss:?}");
        }
    }
}

#[test]
fn o7_200_generated_near_misses_of_an_origin_without_a_path_match_nothing() {
    for registered in ["https://app.example.org", "https://localhost.example.net"] {
        assert_eq!(check(registered), Ok(()));
        let known = [registered.to_owned()];
        for path in ["", "/", "/cb", "/a/b.html?c=d&e=%2Ff"] {
            assert!(is_registered(&known, &format!("{registered}{path}")));
        }
        let misses = near_misses_of_an_origin(registered);
        assert!(misses.len() > 200, "only {}", misses.len());
        for miss in misses {
            assert!(!is_registered(&known, &miss), "{registered} {miss:?}");
        }
    }
}

#[test]
fn a_client_that_registered_nothing_is_matched_by_nothing() {
    for received in ["", "https://app.example.org/cb", "http://localhost"] {
        assert!(!is_registered(&[], received));
    }
}
