//! What is wrong with a configuration, in words for whoever wrote it: all mistakes at once, one a line.

use std::error::Error;
use std::fmt;

/// Everything that is wrong; printed one mistake a line. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    place: Place,
    what: String,
}

/// Where a value was written. Places sort as an operator reads them: file first, in its order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// A file as a whole.
    File(String),
    /// A spot in a file: name, line, column, and the setting there if it is one.
    Spot(String, usize, usize, Option<String>),
    /// An environment variable.
    Variable(String),
    /// The command line's option.
    Option(&'static str),
    /// Nowhere: the value is the default of this setting.
    Default(String),
}

impl Problem {
    pub(super) fn new(place: Place, what: impl Into<String>) -> Self {
        Self {
            place,
            what: what.into(),
        }
    }

    /// The line of the file it is about.
    pub(super) fn line(&self) -> Option<usize> {
        match self.place {
            Place::Spot(_, line, _, _) => Some(line),
            Place::File(_) | Place::Variable(_) | Place::Option(_) | Place::Default(_) => None,
        }
    }
}

impl Problems {
    /// `Ok` when there are none.
    pub(super) fn none_of(mut found: Vec<Problem>) -> Result<(), Self> {
        if found.is_empty() {
            return Ok(());
        }
        found.sort_by(|a, b| a.place.cmp(&b.place));
        Err(Self(found))
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: {}", problem.place, problem.what)?;
        }
        Ok(())
    }
}

impl Error for Problems {}

impl Place {
    /// The place without the name of the setting.
    pub(super) fn bare(&self) -> String {
        match self {
            Self::Spot(file, line, column, Some(_)) => format!("{file}:{line}:{column}"),
            Self::File(_)
            | Self::Spot(..)
            | Self::Variable(_)
            | Self::Option(_)
            | Self::Default(_) => self.to_string(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(name) | Self::Variable(name) | Self::Default(name) => f.write_str(name),
            Self::Spot(file, line, column, None) => write!(f, "{file}:{line}:{column}"),
            Self::Spot(file, line, column, Some(key)) => write!(f, "{file}:{line}:{column}: {key}"),
            Self::Option(name) => f.write_str(name),
        }
    }
}

/// The candidate that was most likely meant: the nearest, and near enough not to be a wild guess.
pub(super) fn nearest<'a>(
    written: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    candidates
        .map(|candidate| (distance(&written, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be added, dropped or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    // A stranger's key may be long; past this it is near to nothing anyway.
    if from.len() > 2 * LONGEST {
        return usize::MAX;
    }
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, letter) in from.chars().enumerate() {
        let mut left = done + 1;
        let mut next = vec![left];
        for ((diagonal, above), other) in row.iter().zip(row.iter().skip(1)).zip(&to) {
            let replaced = diagonal + usize::from(letter != *other);
            left = replaced.min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_letters_added_dropped_and_replaced() {
        for (from, to, expected) in [
            ("", "", 0),
            ("listen", "listen", 0),
            ("lisen", "listen", 1),
            ("listenn", "listen", 1),
            ("lestin", "listen", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn a_wild_guess_is_not_made() {
        let names = || ["listen", "names"].into_iter();
        assert_eq!(nearest("LISTEN", names()), Some("listen"));
        assert_eq!(nearest("colour", names()), None);
        assert_eq!(nearest(&"listen".repeat(1000), names()), None);
    }
}
