//! Events as the operator reads them: the latest of those asked for, and what came after one already seen.

use serde::{Deserialize, Serialize};

use super::records::{AUDIT, AuditRecord};
use crate::domain::Cx;
use crate::kernel::{Fault, Timestamp, hex};
use crate::store::View;

/// One event. As a line of JSON it is what heads are signed over: its members, their names and their order stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Its place in the chain, counted from zero.
    pub sequence: u64,
    /// When it happened.
    pub at: String,
    /// What happened, such as `ticket.revoked`.
    pub action: String,
    /// Who did it.
    pub by: String,
    /// What it happened to.
    pub to: String,
    /// In whose organization, where there is one.
    pub organization: Option<String>,
    /// The id of the request that did it, as the log and the answer have it.
    pub request: String,
    /// The neighbourhood it came from; `None` where it was the operator's or the appliance's own.
    pub network: Option<String>,
    /// The chain's keyed digest up to and with it.
    pub chain: String,
}

/// Which events are asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Asked {
    /// None from before.
    pub since: Option<Timestamp>,
    /// An action or the beginning of one, such as `ticket`.
    pub action: Option<String>,
    /// Who did it.
    pub by: Option<String>,
    /// What it happened to.
    pub to: Option<String>,
    /// How many at most.
    pub limit: usize,
}

/// An event's place, after which others follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Its instant.
    pub at: Timestamp,
    /// Its place in the chain.
    pub sequence: u64,
}

/// How many events are read at a time.
pub(super) const PAGE: usize = 256;
/// How many an answer holds at most.
const LIMIT: usize = 5_000;

/// The latest of those asked for, in the order in which they happened, and where the audit ended.
pub fn latest(cx: &Cx<'_>, asked: &Asked) -> Result<(Vec<EventView>, Option<Cursor>), Fault> {
    let (view, limit) = (cx.view(), asked.limit.min(LIMIT));
    let mut before = None;
    let (mut found, mut end) = (Vec::new(), None);
    loop {
        let page = view.scan_back(&AUDIT, before.as_ref(), PAGE)?;
        let is_last = page.len() < PAGE;
        for ((at, sequence), record) in page {
            end.get_or_insert(Cursor { at, sequence });
            let is_early = asked.since.is_some_and(|since| at < since);
            if is_early || found.len() >= limit {
                found.reverse();
                return Ok((found, end));
            }
            if asked.wants(&record) {
                found.push(EventView::of(at, sequence, &record));
            }
            before = Some((at, sequence));
        }
        if is_last {
            found.reverse();
            return Ok((found, end));
        }
    }
}

/// Those asked for after `cursor`, as many as one look finds, and where it ended.
pub fn after(
    cx: &Cx<'_>,
    asked: &Asked,
    cursor: Option<Cursor>,
) -> Result<(Vec<EventView>, Option<Cursor>), Fault> {
    let page = following(&cx.view(), cursor, LIMIT)?;
    let end = page.last().map(|((at, sequence), _)| Cursor {
        at: *at,
        sequence: *sequence,
    });
    let wanted = page.iter().filter(|(_, record)| asked.wants(record));
    let found = wanted.map(|((at, sequence), record)| EventView::of(*at, *sequence, record));
    Ok((found.collect(), end.or(cursor)))
}

/// An event as stored, with its place.
type Found = ((Timestamp, u64), AuditRecord);

/// Up to `limit` events after `cursor`, as stored.
pub(super) fn following(
    view: &View<'_>,
    cursor: Option<Cursor>,
    limit: usize,
) -> Result<Vec<Found>, Fault> {
    let from = cursor.map(|cursor| (cursor.at, cursor.sequence + 1));
    view.scan(&AUDIT, from.as_ref(), limit)
}

impl Asked {
    fn wants(&self, record: &AuditRecord) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let of_action = |wanted: &String| {
            let rest = record.action.strip_prefix(wanted.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.action.as_ref().is_none_or(of_action)
            && is(&self.by, &record.by)
            && is(&self.to, &record.to)
    }
}

impl EventView {
    pub(super) fn of(at: Timestamp, sequence: u64, record: &AuditRecord) -> Self {
        Self {
            sequence,
            at: at.to_string(),
            action: record.action.clone(),
            by: record.by.clone(),
            to: record.to.clone(),
            organization: record.organization.clone(),
            request: record.request.clone(),
            network: record.network.clone(),
            chain: hex::encode(record.chain.as_bytes()),
        }
    }

    /// The line that heads are signed over, its end included.
    pub(super) fn line(&self) -> Result<String, Fault> {
        let line = serde_json::to_string(self);
        let mut line =
            line.map_err(|error| Fault::internal("an event as a line").because(error))?;
        line.push('\n');
        Ok(line)
    }
}
