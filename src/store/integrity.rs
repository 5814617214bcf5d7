//! Whether the store is as it was written: what an examination finds, and how it goes on past what it cannot read.
//!
//! At a start all of a small store is examined, and of a large one as much as fits into a fraction of a second, the ends
//! of every table before all else; the scrub examines the rest while the appliance serves. Damage is named by table and
//! key and never repaired: what cannot be read is not guessed at.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sled::IVec;

use crate::crypto::seal::RecordKey;
use crate::kernel::{Fault, hex};

use super::check;
use super::guard::{guarded, in_words};
use super::record;
use super::table;
use super::view::{count_of, within};

/// Something in the store that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The table.
    pub table: String,
    /// The key in hexadecimal, where it is about one record or begins at one.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, key, what } = self;
        match key {
            Some(key) => write!(f, "table {table}, key {key}: {what}"),
            None => write!(f, "table {table}: {what}"),
        }
    }
}

/// One table as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub table: String,
    /// How many records it has.
    pub records: u64,
    /// How many bytes they and their keys take.
    pub bytes: u64,
}

/// What an examination came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// The tables.
    pub tables: Vec<Found>,
    /// What is damaged, up to [`NAMED_MAX`].
    pub damage: Vec<Damage>,
    /// How much more is.
    pub more: u64,
    /// Whether everything was looked at.
    pub is_complete: bool,
}

impl Examined {
    /// How many records were looked at.
    pub fn records(&self) -> u64 {
        self.tables.iter().map(|found| found.records).sum()
    }

    pub(super) fn add(&mut self, damage: Damage) {
        if self.damage.len() < NAMED_MAX {
            self.damage.push(damage);
        } else {
            self.more += 1;
        }
    }
}

/// Told the table and how many records of all were looked at; says whether to go on. It may take its time.
pub type Pace<'a> = &'a mut dyn FnMut(&str, u64) -> ControlFlow<()>;

/// How much damage is named before the rest is only counted.
pub const NAMED_MAX: usize = 100;

/// An examination under way.
pub(super) struct Examination<'a> {
    pub(super) db: &'a sled::Db,
    pub(super) key: &'a RecordKey,
    pub(super) examined: Examined,
    looked_at: u64,
    pace: Pace<'a>,
}

/// What a table was found to hold, and whether all of it could be read.
#[derive(Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) has_gaps: bool,
}

impl<'a> Examination<'a> {
    pub(super) fn of(db: &'a sled::Db, key: &'a RecordKey, pace: Pace<'a>) -> Self {
        Self {
            db,
            key,
            examined: Examined::default(),
            looked_at: 0,
            pace,
        }
    }

    /// The tables there are; none when not even that can be read.
    pub(super) fn tables(&mut self) -> Vec<String> {
        match check::tables(self.db) {
            Ok(names) => names,
            Err(fault) => {
                self.examined.add(Damage {
                    table: "(any)".to_owned(),
                    key: None,
                    what: fault.to_string(),
                });
                Vec::new()
            }
        }
    }

    /// Looks at every record of a table.
    pub(super) fn table(&mut self, name: &str) -> ControlFlow<(), Tally> {
        let (mut tally, mut from) = (Tally::default(), table::prefix(name));
        while let Some(next) = self.stretch(name, &from, &mut tally) {
            from = next;
            (self.pace)(name, self.looked_at)?;
        }
        ControlFlow::Continue(tally)
    }

    /// The same without a pause: somebody waits.
    pub(super) fn table_at_once(&mut self, name: &str) -> Tally {
        let (mut tally, mut from) = (Tally::default(), table::prefix(name));
        while let Some(next) = self.stretch(name, &from, &mut tally) {
            from = next;
        }
        tally
    }

    /// Looks at the next records of a table; from where it goes on, if there are more.
    fn stretch(&mut self, name: &str, from: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        let end = table::end(name);
        let (entries, trouble) = run(self.db, from, Some(&end));
        for (place, bytes) in &entries {
            tally.records += 1;
            tally.bytes += (place.len() + bytes.len()) as u64;
            self.record(name, place, bytes);
        }
        self.looked_at += entries.len() as u64;
        self.let_go(&entries);
        if let Some((last, _)) = entries.last() {
            return Some([last, &[0][..]].concat());
        }
        let error = trouble?;
        tally.has_gaps = true;
        self.examined.add(unreadable(name, from, error));
        next_readable(self.db, from, Some(&end))
    }

    /// Has the engine notice that these pages were read. It notes reads by 256 groups of pages, and lets go of pages only
    /// when a group has 64 notes: read once each, some 16,000 pages would stay in memory beside its cache.
    fn let_go(&self, entries: &[(IVec, IVec)]) {
        for (place, _) in entries.iter().step_by(2) {
            // What cannot be read has been noticed.
            let _ = guarded(|| self.db.contains_key(place));
        }
    }

    fn record(&mut self, name: &str, place: &[u8], bytes: &[u8]) {
        let place = within(name, place);
        if record::verify(bytes, place, self.key).is_err() {
            self.examined.add(Damage {
                table: name.to_owned(),
                key: Some(hex::encode(place.key)),
                what: "the record is damaged".to_owned(),
            });
        }
    }

    /// The table's count, if it can be read.
    pub(super) fn count(&mut self, name: &str) -> Option<u64> {
        let counted = count_of(self.db, self.key, name);
        let what = counted.as_ref().err().map(Fault::to_string);
        if let Some(what) = what {
            self.examined.add(Damage {
                table: name.to_owned(),
                key: None,
                what: format!("its count cannot be read: {what}"),
            });
        }
        counted.ok()
    }

    /// The first and the last record of a table.
    fn ends(&mut self, name: &str) {
        for is_last in [false, true] {
            let entry = guarded(|| {
                let mut all = self.db.scan_prefix(table::prefix(name));
                let entry = if is_last { all.next_back() } else { all.next() };
                entry.transpose()
            });
            match entry {
                Ok(Some((place, bytes))) => self.record(name, &place, &bytes),
                Ok(None) => {}
                Err(error) => self
                    .examined
                    .add(unreadable(name, &table::prefix(name), error)),
            }
        }
    }
}

/// What a start examines: nobody writes yet, so that every count must agree.
pub(super) fn at_start(db: &sled::Db, key: &RecordKey) -> Examined {
    let until = Instant::now() + AT_START;
    let mut pace = |_: &str, _: u64| {
        if Instant::now() < until {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let mut examination = Examination::of(db, key, &mut pace);
    let names = examination.tables();
    for name in &names {
        examination.count(name);
        examination.ends(name);
    }
    if !examination.examined.damage.is_empty() {
        return examination.examined;
    }
    // The small tables, which are whose loss is noticed last, before the large ones.
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_cached_key(|name| count_of(db, key, name).unwrap_or(0));
    for name in names {
        let ControlFlow::Continue(tally) = examination.table(&name) else {
            return examination.examined;
        };
        let counted = examination.count(&name);
        examination.compare(&name, tally, counted);
    }
    examination.examined.is_complete = true;
    examination.examined
}

impl Examination<'_> {
    /// Takes a table into the result, and its count for wrong where it does not agree.
    pub(super) fn compare(&mut self, name: &str, tally: Tally, counted: Option<u64>) {
        self.examined.tables.push(Found {
            table: name.to_owned(),
            records: tally.records,
            bytes: tally.bytes,
        });
        let Some(counted) = counted.filter(|counted| *counted != tally.records) else {
            return;
        };
        if !tally.has_gaps {
            self.examined
                .add(check::miscounted(name, tally.records, counted));
        }
    }
}

/// Up to so many entries as are dealt with at once, and what stopped them.
pub(super) fn run(
    db: &sled::Db,
    from: &[u8],
    end: Option<&[u8]>,
) -> (Vec<(IVec, IVec)>, Option<sled::Error>) {
    let mut entries = db.range::<&[u8], _>((Bound::Included(from), below(end)));
    let (mut found, mut bytes) = (Vec::new(), 0);
    while found.len() < AT_ONCE && bytes < AT_ONCE_BYTES {
        match guarded(|| entries.next().transpose()) {
            Ok(Some((place, value))) => {
                bytes += value.len();
                found.push((place, value));
            }
            Ok(None) => break,
            Err(error) => return (found, Some(error)),
        }
    }
    (found, None)
}

/// A place behind `from`, which the engine cannot read, where it can again: as near as can be found. It cannot say where
/// the page ends that it cannot read, so that is searched for, in steps that grow, and then between the last two.
pub(super) fn next_readable(db: &sled::Db, from: &[u8], end: Option<&[u8]>) -> Option<Vec<u8>> {
    let is_behind = |place: &Searched| end.is_some_and(|end| place.as_slice() >= end);
    let can_read = |place: &Searched| {
        let within = (Bound::Included(place.as_slice()), below(end));
        is_behind(place) || guarded(|| db.range::<&[u8], _>(within).next().transpose()).is_ok()
    };
    let mut bad = [0; SEARCHED];
    bad.iter_mut().zip(from).for_each(|(to, byte)| *to = *byte);
    let mut good = None;
    for step in (0..SEARCHED).rev() {
        let further = further(&bad, step);
        if can_read(&further) {
            good = Some(further);
            break;
        }
        bad = further;
    }
    let mut good = good?;
    while let Some(middle) = middle(&bad, &good) {
        if can_read(&middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    (!is_behind(&good)).then(|| good.to_vec())
}

fn below(end: Option<&[u8]>) -> Bound<&[u8]> {
    end.map_or(Bound::Unbounded, Bound::Excluded)
}

/// A place as a number: of a longer one, the first bytes. A table's name is half of it at most.
type Searched = [u8; SEARCHED];

/// The place with the byte at `at` counted on, or the last of all.
fn further(place: &Searched, at: usize) -> Searched {
    let mut further = *place;
    for byte in further.iter_mut().take(at + 1).rev() {
        let (next, is_over) = byte.overflowing_add(1);
        *byte = next;
        if !is_over {
            return further;
        }
    }
    [u8::MAX; SEARCHED]
}

/// The place in the middle of two; None: there is none between them.
fn middle(low: &Searched, high: &Searched) -> Option<Searched> {
    let (mut middle, mut carry) = ([0; SEARCHED], 0_u16);
    // The sum, a byte at a time from its end; what is carried out of it belongs before its first byte.
    for ((sum, low), high) in middle.iter_mut().zip(low).zip(high).rev() {
        let [over, rest] = (carry + u16::from(*low) + u16::from(*high)).to_be_bytes();
        (*sum, carry) = (rest, u16::from(over));
    }
    for byte in &mut middle {
        let whole = (carry << 8) | u16::from(*byte);
        let [_, half] = (whole / 2).to_be_bytes();
        (*byte, carry) = (half, whole % 2);
    }
    (middle != *low).then_some(middle)
}

fn unreadable(name: &str, from: &[u8], error: sled::Error) -> Damage {
    let key = within(name, from).key;
    Damage {
        table: name.to_owned(),
        key: (!key.is_empty()).then(|| hex::encode(key)),
        what: format!("records from here on cannot be read: {}", in_words(error)),
    }
}

const AT_START: Duration = Duration::from_millis(200);
const SEARCHED: usize = 64;
const AT_ONCE: usize = 256;
const AT_ONCE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(bytes: &[u8]) -> Searched {
        let mut place = [0; SEARCHED];
        place
            .iter_mut()
            .zip(bytes)
            .for_each(|(to, byte)| *to = *byte);
        place
    }

    #[test]
    fn the_middle_carries_and_ends_where_nothing_is_between() {
        let middle = |low: &[u8], high: &[u8]| middle(&place(low), &place(high));
        assert_eq!(middle(b"a", b"c"), Some(place(b"b")));
        assert_eq!(middle(b"\xff", b"\xff\x02"), Some(place(b"\xff\x01")));
        assert_eq!(middle(b"\x01\xff", b"\x02\x01"), Some(place(b"\x02")));
        let last = place(b"last");
        assert_eq!(super::middle(&last, &further(&last, SEARCHED - 1)), None);
        assert_eq!(further(&place(b"\x01\xff"), 1), place(b"\x02"));
        assert_eq!(further(&[u8::MAX; SEARCHED], 3), [u8::MAX; SEARCHED]);
    }

    proptest! {
        #[test]
        fn the_middle_is_between(low: [u8; 32], high: [u8; 32]) {
            let (low, high) = (place(&low.min(high)), place(&low.max(high)));
            if let Some(middle) = middle(&low, &high) {
                prop_assert!(low < middle && middle < high);
            } else {
                prop_assert_eq!(low, high);
            }
        }
    }
}
