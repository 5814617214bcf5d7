//! Records as bytes: a version, a bincode body and a keyed checksum that ties both to their table and key.
//!
//! A flipped, swapped or moved record is a fault that names the table and the key; it is never skipped. Knows nothing
//! of the engine.

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::crypto::seal::{RECORD_TAG_LEN, RecordKey};
use crate::kernel::{Fault, hex};

/// What a table keeps under a key.
pub trait Record: Serialize + DeserializeOwned {
    /// The version that is written today. A change of the fields is a new version.
    const VERSION: u8;

    /// Steps an older `body` forward; [`decode_body`] reads the older type. None: no such version is known.
    fn upgrade(version: u8, body: &[u8]) -> Option<Self> {
        let _ = (version, body);
        None
    }
}

/// For indexes, whose whole content is their key.
impl Record for () {
    const VERSION: u8 = 1;
}

/// The most bytes one record may take, envelope and all.
///
/// The engine's leaves hold up to about twenty records and must stay below what it keeps out of its log.
pub const RECORD_LEN_MAX: usize = 96 * 1024;

/// Reads the body of a record, all of it; None when it is not a `T`.
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let (value, used) = bincode::serde::decode_from_slice(body, FORMAT).ok()?;
    (used == body.len()).then_some(value)
}

/// Where a record stands, in words for a fault.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a [u8],
}

impl Place<'_> {
    pub(super) fn fault(self, what: &str) -> Fault {
        let (table, key) = (self.table, hex::encode(self.key));
        Fault::internal(format!("table {table}, key {key}: {what}"))
    }
}

/// The bytes to keep for `record`.
pub(super) fn write<V: Record>(
    record: &V,
    place: Place<'_>,
    key: &RecordKey,
) -> Result<Vec<u8>, Fault> {
    let mut out = vec![V::VERSION];
    bincode::serde::encode_into_std_write(record, &mut out, FORMAT).map_err(|error| {
        place
            .fault("the record cannot be written as bytes")
            .because(error)
    })?;
    let tag = key.tag(place.table, place.key, &out);
    out.extend_from_slice(&tag);
    if out.len() > RECORD_LEN_MAX {
        return Err(place.fault("the record is larger than records may be"));
    }
    Ok(out)
}

/// The record that `bytes` hold.
pub(super) fn read<V: Record>(bytes: &[u8], place: Place<'_>, key: &RecordKey) -> Result<V, Fault> {
    let (version, body) = verify(bytes, place, key)?;
    let record = if version == V::VERSION {
        decode_body(body)
    } else {
        V::upgrade(version, body)
    };
    record.ok_or_else(|| place.fault(&format!("the record of version {version} cannot be read")))
}

/// Version and body, once the checksum agrees.
pub(super) fn verify<'a>(
    bytes: &'a [u8],
    place: Place<'_>,
    key: &RecordKey,
) -> Result<(u8, &'a [u8]), Fault> {
    let whole = bytes
        .split_last_chunk::<RECORD_TAG_LEN>()
        .filter(|(content, tag)| key.tag(place.table, place.key, content) == **tag)
        .and_then(|(content, _)| content.split_first());
    let (version, body) = whole.ok_or_else(|| place.fault("the record is damaged"))?;
    Ok((*version, body))
}

// A length of an exabyte in a damaged body would otherwise be allocated, and abort the process.
const FORMAT: Configuration<LittleEndian, Varint, Limit<BODY_LIMIT>> =
    bincode::config::standard().with_limit::<BODY_LIMIT>();
const BODY_LIMIT: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;
    use crate::crypto::seal::{Keyring, MASTER_KEY_LEN};
    use crate::kernel::Secret;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Note {
        text: String,
        seen: Option<u64>,
    }

    #[derive(Serialize, Deserialize)]
    struct NoteV1 {
        text: String,
    }

    impl Record for Note {
        const VERSION: u8 = 2;

        fn upgrade(version: u8, body: &[u8]) -> Option<Self> {
            let old: NoteV1 = (version == 1).then(|| decode_body(body))??;
            Some(Self {
                text: old.text,
                seen: None,
            })
        }
    }

    impl Record for NoteV1 {
        const VERSION: u8 = 1;
    }

    const PLACE: Place<'static> = Place {
        table: "notes",
        key: &[0xab, 0x01],
    };

    fn key(seed: u8) -> RecordKey {
        let keyring = Keyring::derive(&Secret::new([seed; MASTER_KEY_LEN])).unwrap();
        keyring.records().clone()
    }

    #[test]
    fn an_older_record_steps_forward_and_an_unknown_one_is_told() {
        let old = NoteV1 {
            text: "hello".to_owned(),
        };
        let bytes = write(&old, PLACE, &key(1)).unwrap();
        let note: Note = read(&bytes, PLACE, &key(1)).unwrap();
        assert_eq!(note.text, "hello");
        let bytes = write(&note, PLACE, &key(1)).unwrap();
        let refused = read::<NoteV1>(&bytes, PLACE, &key(1))
            .err()
            .unwrap()
            .to_string();
        assert_eq!(
            refused,
            "table notes, key ab01: the record of version 2 cannot be read"
        );
    }

    #[test]
    fn a_record_that_is_too_large_is_refused() {
        let note = NoteV1 {
            text: "x".repeat(RECORD_LEN_MAX),
        };
        assert!(write(&note, PLACE, &key(1)).is_err());
    }

    #[test]
    fn a_body_with_an_impossible_length_is_refused() {
        assert_eq!(decode_body::<Vec<u8>>(&[0xfd; 9]), None);
        assert_eq!(decode_body::<String>(&[0xfc, 0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(decode_body::<u8>(&[1, 2]), None, "something trails");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text: String, seen: Option<u64>) {
            let note = Note { text, seen };
            let bytes = write(&note, PLACE, &key(1)).unwrap();
            prop_assert_eq!(read::<Note>(&bytes, PLACE, &key(1)).unwrap(), note);
        }

        #[test]
        fn a_flipped_bit_is_told(text: String, at: prop::sample::Index, bit in 0_u32..8) {
            let mut bytes = write(&Note { text, seen: Some(3) }, PLACE, &key(1)).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1_u8 << bit;
            let told = read::<Note>(&bytes, PLACE, &key(1)).unwrap_err().to_string();
            prop_assert_eq!(told, "table notes, key ab01: the record is damaged");
        }

        #[test]
        fn a_record_does_not_open_elsewhere(text: String) {
            let bytes = write(&Note { text, seen: None }, PLACE, &key(1)).unwrap();
            let moved = Place { table: "notes", key: &[0xab] };
            prop_assert!(read::<Note>(&bytes, moved, &key(1)).is_err());
            prop_assert!(read::<Note>(&bytes, PLACE, &key(2)).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode_body::<Note>(&bytes);
            let _ = Note::upgrade(1, &bytes);
            prop_assert!(read::<Note>(&bytes, PLACE, &key(1)).is_err());
        }
    }
}
