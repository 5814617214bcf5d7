//! The TOML an operator writes. Unknown keys and wrong values are refused, each with its line and column.
//!
//! The tree is walked by hand instead of by serde, which would stop at the first mistake.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::keys::{Draft, KEYS, Key, Raw, sections};
use super::problem::{Place, Problem, nearest};

/// Reads the text of a file into `draft` and returns everything that is wrong with it.
pub(super) fn read(name: &str, text: &str, draft: &mut Draft) -> Vec<Problem> {
    let file = File { name, text };
    let (root, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = errors
        .iter()
        .map(|error| Problem::new(file.at(error.span().as_ref(), None), error.message()))
        .collect();
    let torn: Vec<_> = problems.iter().filter_map(Problem::line).collect();
    let mut walked = Vec::new();
    for (section, value) in root.get_ref() {
        file.section(section, value, draft, &mut walked);
    }
    // On a line that is not TOML, what the parser made of it is no mistake of the operator's.
    walked.retain(|problem| !problem.line().is_some_and(|line| torn.contains(&line)));
    problems.append(&mut walked);
    problems
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn section(
        &self,
        section: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue<'_>>,
        draft: &mut Draft,
        problems: &mut Vec<Problem>,
    ) {
        let name = section.get_ref().as_ref();
        if let Some(known) = find("", name) {
            let place = self.at(Some(&value.span()), Some(bare(name)));
            let set = known.set(draft, &raw(value.get_ref()), place.clone());
            problems.extend(set.err().map(|refusal| Problem::new(place, refusal)));
            return;
        }
        let place = || self.at(Some(&section.span()), Some(bare(name)));
        if !sections().any(|known| known == name) {
            let refusal = if matches!(value.get_ref(), DeValue::Table(_)) {
                unknown_section(name)
            } else {
                unknown_above_all(name)
            };
            problems.push(Problem::new(place(), refusal));
            return;
        }
        let DeValue::Table(table) = value.get_ref() else {
            problems.push(Problem::new(
                place(),
                format!("must be a section: [{name}]"),
            ));
            return;
        };
        for (key, value) in table {
            let written = key.get_ref().as_ref();
            let path = format!("{name}.{}", bare(written));
            let Some(known) = find(name, written) else {
                let place = self.at(Some(&key.span()), Some(path));
                problems.push(Problem::new(place, unknown_key(name, written)));
                continue;
            };
            let place = self.at(Some(&value.span()), Some(path));
            if let Err(refusal) = known.set(draft, &raw(value.get_ref()), place.clone()) {
                problems.push(Problem::new(place, refusal));
            }
        }
    }

    /// Line and column, both from one, columns in characters.
    fn at(&self, span: Option<&Range<usize>>, key: Option<String>) -> Place {
        let offset = span.map_or(self.text.len(), |span| span.start);
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Place::Spot(self.name.to_owned(), line, column, key)
    }
}

fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.parts() == (section, name))
}

/// What is written like a setting and stands where no section has begun.
fn unknown_above_all(name: &str) -> String {
    match elsewhere(name).or_else(|| nearest(name, above_all())) {
        Some(meant) => format!("is not a setting; did you mean \"{meant}\"?"),
        None => format!(
            "is not a setting; above the first section stands only {}",
            above_all().collect::<Vec<_>>().join(", ")
        ),
    }
}

fn unknown_section(name: &str) -> String {
    let near = || nearest(name, sections().chain(above_all()));
    match elsewhere(name).or_else(near) {
        Some(meant) => format!("is not a section; did you mean \"{meant}\"?"),
        None => format!(
            "is not a section; there are {}",
            sections().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// The setting of that name, in whatever section it stands.
fn elsewhere(name: &str) -> Option<&'static str> {
    let known = KEYS.iter().find(|key| key.parts().1 == name);
    known.map(|key| key.path)
}

/// The settings that belong to no section.
fn above_all() -> impl Iterator<Item = &'static str> {
    let alone = KEYS.iter().filter(|key| key.parts().0.is_empty());
    alone.map(|key| key.path)
}

fn unknown_key(section: &str, name: &str) -> String {
    let here = || {
        KEYS.iter()
            .map(Key::parts)
            .filter(|(of, _)| *of == section)
            .map(|(_, name)| name)
    };
    if find("", name).is_some() {
        return "belongs to no section: put the line above the first one".to_owned();
    }
    match elsewhere(name).or_else(|| nearest(name, here())) {
        Some(meant) => format!("is not a setting; did you mean \"{meant}\"?"),
        None => format!(
            "is not a setting; [{section}] has {}",
            here().collect::<Vec<_>>().join(", ")
        ),
    }
}

/// A key as it can be printed on one line.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(plain) {
        key.to_owned()
    } else {
        format!("{key:?}")
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(number) => whole(number),
        DeValue::Float(number) => Raw::Other(number.to_string()),
        DeValue::Boolean(flag) => Raw::Flag(*flag),
        DeValue::Datetime(date) => Raw::Other(date.to_string()),
        DeValue::Array(items) => list(items),
        DeValue::Table(_) => Raw::Other("a table".to_owned()),
    }
}

fn whole(number: &DeInteger<'_>) -> Raw {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| Raw::Other(number.to_string()), Raw::Whole)
}

fn list(items: &DeArray<'_>) -> Raw {
    Raw::List(items.iter().map(|item| raw(item.get_ref())).collect())
}
