//! What an operator should see to, each with what to do about it: what `admit doctor` says.
//!
//! It changes nothing and asks nobody outside.

mod facts;
mod machine;

use serde::{Deserialize, Serialize};

use super::{Error, Progress, Site, Teller};
use crate::domain::Appliance;

pub use machine::{Free, certificate, free};

/// How thoroughly it is looked at.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Order {
    /// Every record is read, and every list followed.
    pub deep: bool,
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Findings {
    /// One or more for each thing looked at.
    pub all: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub weight: Weight,
    /// What was found, and what to do about it.
    pub words: String,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// As it should be.
    Well,
    /// It works, and could be better; or the operator chose it, and should know.
    Advice,
    /// Somebody should see to it.
    Wrong,
}

impl Findings {
    /// Whether nobody has to see to anything.
    pub fn are_well(&self) -> bool {
        self.all.iter().all(|one| one.weight < Weight::Wrong)
    }

    /// One more.
    pub fn add(&mut self, what: &str, weight: Weight, words: impl Into<String>) {
        self.all.push(Finding {
            what: what.to_owned(),
            weight,
            words: words.into(),
        });
    }

    /// Several about one thing; where there are none, it is well.
    fn add_all(&mut self, what: &str, found: Vec<(Weight, String)>, otherwise: &str) {
        if found.is_empty() {
            self.add(what, Weight::Well, otherwise);
        }
        for (weight, words) in found {
            self.add(what, weight, words);
        }
    }
}

/// Looks at everything.
pub(super) fn examine(
    on: &Appliance,
    site: &Site,
    order: Order,
    tell: Teller<'_>,
) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let cx = on.own_context();
    machine::look(&site.config, cx.now, &mut findings);
    facts::look(on, site, &mut findings);
    if order.deep {
        told(tell, "reading every record");
    }
    facts::stored(on, order.deep, &mut findings)?;
    Ok(findings)
}

fn told(tell: Teller<'_>, what: &str) {
    tell(Progress {
        what: what.to_owned(),
        done: 0,
        of: None,
    });
}
