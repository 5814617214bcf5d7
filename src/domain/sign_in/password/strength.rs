//! What a new password must be (NIST SP 800-63B §3.1.1.2): long, and none of those that are tried first. Nothing is
//! asked of the kinds of characters in it.

use crate::crypto::password::PASSWORD_MAX;
use crate::domain::policy::PasswordPolicy;

/// Why a new password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// Too few characters.
    #[error("the new password must have at least {0} characters")]
    Short(usize),
    /// More bytes than are hashed.
    #[error("the new password is too long")]
    Long,
    /// The old one.
    #[error("the new password must not be the old one")]
    Same,
    /// The user's name is in it.
    #[error("the new password must not contain the user name")]
    Name,
    /// A character that cannot be typed again for sure.
    #[error("the new password must not have control characters")]
    Control,
    /// One of those that are tried first.
    #[error("the new password is one of those that are guessed first")]
    Common,
}

/// What is wrong with `new`, if anything.
pub(super) fn weakness(
    policy: &PasswordPolicy,
    name: &str,
    old: &str,
    new: &str,
) -> Option<Weakness> {
    if new.chars().count() < policy.min_length {
        return Some(Weakness::Short(policy.min_length));
    }
    if new.len() > PASSWORD_MAX {
        return Some(Weakness::Long);
    }
    if new.chars().any(char::is_control) {
        return Some(Weakness::Control);
    }
    if new == old {
        return Some(Weakness::Same);
    }
    let folded = new.to_lowercase();
    if name.len() >= NAME_MIN && folded.contains(&name.to_ascii_lowercase()) {
        return Some(Weakness::Name);
    }
    is_common(&folded).then_some(Weakness::Common)
}

/// Shorter names are in many words.
const NAME_MIN: usize = 3;

/// One of the list, or a few characters over and over.
fn is_common(folded: &str) -> bool {
    let mut different: Vec<char> = folded.chars().collect();
    different.sort_unstable();
    different.dedup();
    let mut listed = COMMON.lines().filter(|line| !line.starts_with('#'));
    different.len() < DIFFERENT_MIN || listed.any(|line| line == folded)
}

const DIFFERENT_MIN: usize = 5;
const COMMON: &str = include_str!("../../../../assets/passwords/common.txt");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_long_and_none_that_is_tried_first() {
        let policy = PasswordPolicy::default();
        let long = "ab3-".repeat(300);
        let rows = [
            ("elevenchars", Some(Weakness::Short(12))),
            ("twelve chars", None),
            (
                "\u{3b4}\u{3ce}\u{3b4}\u{3b5}\u{3ba}\u{3b1} \u{3b3}\u{3c1}\u{3ac}\u{3bc}",
                Some(Weakness::Short(12)),
            ),
            (
                "\u{3b4}\u{3ce}\u{3b4}\u{3b5}\u{3ba}\u{3b1} \u{3b3}\u{3c1}\u{3ac}\u{3bc}\u{3bc}\u{3b1}",
                None,
            ),
            (&long, Some(Weakness::Long)),
            ("a tab\tis in it", Some(Weakness::Control)),
            ("the old password", Some(Weakness::Same)),
            ("I am ANN.smith!", Some(Weakness::Name)),
            ("Password1234", Some(Weakness::Common)),
            ("QWERTYUIOP123", Some(Weakness::Common)),
            ("abababababababab", Some(Weakness::Common)),
            ("correct horse battery staple", None),
        ];
        for (new, expected) in rows {
            let found = weakness(&policy, "Ann.Smith", "the old password", new);
            assert_eq!(found, expected, "{new}");
        }
        assert_eq!(
            weakness(&policy, "ab", "x", "an able baker"),
            None,
            "a short name"
        );
    }

    #[test]
    fn the_list_has_only_what_the_usual_length_lets_through() {
        let min = PasswordPolicy::default().min_length;
        let listed = || COMMON.lines().filter(|line| !line.starts_with('#'));
        for line in listed() {
            assert!(line.chars().count() >= min, "{line}");
            assert_eq!(line, line.to_lowercase());
        }
        assert!(listed().is_sorted() && listed().count() > 100);
    }
}
