//! Keys as bytes that sort as their values do: numbers big-endian, text escaped and terminated, tuples end to end.
//!
//! Knows nothing of tables or of the engine; no encoding is a prefix of another of the same type.

use crate::kernel::id::TextId;
use crate::kernel::{Digest, FamilyId, Timestamp};

/// A value that stands in a table's key.
pub trait Key: Sized {
    /// Appends the encoding.
    fn write(&self, out: &mut Vec<u8>);

    /// Takes one value off the front, or says that there is none.
    fn read(input: &mut &[u8]) -> Option<Self>;
}

/// The value whose encoding `bytes` is, all of it.
pub(super) fn decode<K: Key>(mut bytes: &[u8]) -> Option<K> {
    let key = K::read(&mut bytes)?;
    bytes.is_empty().then_some(key)
}

macro_rules! number_key {
    ($($number:ty),+) => {$(
        impl Key for $number {
            fn write(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }

            fn read(input: &mut &[u8]) -> Option<Self> {
                take(input).map(Self::from_be_bytes)
            }
        }
    )+};
}

number_key!(u8, u32, u64);

impl Key for Timestamp {
    fn write(&self, out: &mut Vec<u8>) {
        (self.micros() ^ i64::MIN).cast_unsigned().write(out);
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        let flipped = u64::read(input)?.cast_signed();
        Some(Self::from_micros(flipped ^ i64::MIN))
    }
}

impl Key for Digest {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        take(input).map(Self::from_bytes)
    }
}

impl Key for FamilyId {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes());
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        take(input).map(Self::from_bytes)
    }
}

impl Key for Vec<u8> {
    fn write(&self, out: &mut Vec<u8>) {
        write_escaped(self, out);
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        read_escaped(input)
    }
}

impl Key for String {
    fn write(&self, out: &mut Vec<u8>) {
        write_escaped(self.as_bytes(), out);
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(read_escaped(input)?).ok()
    }
}

impl<T: TextId> Key for T {
    fn write(&self, out: &mut Vec<u8>) {
        write_escaped(self.as_str().as_bytes(), out);
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        let text = String::read(input)?;
        let id: Self = text.parse().ok()?;
        // Two encodings of one id would be two records.
        (id.as_str() == text).then_some(id)
    }
}

impl<A: Key, B: Key> Key for (A, B) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        Some((A::read(input)?, B::read(input)?))
    }
}

impl<A: Key, B: Key, C: Key> Key for (A, B, C) {
    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
        self.1.write(out);
        self.2.write(out);
    }

    fn read(input: &mut &[u8]) -> Option<Self> {
        Some((A::read(input)?, B::read(input)?, C::read(input)?))
    }
}

const ESCAPE: u8 = 0x00;
const ESCAPED_ZERO: u8 = 0xff;
const END: u8 = 0x00;

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for byte in bytes {
        out.push(*byte);
        if *byte == ESCAPE {
            out.push(ESCAPED_ZERO);
        }
    }
    out.extend_from_slice(&[ESCAPE, END]);
}

fn read_escaped(input: &mut &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        match take::<1>(input)? {
            [ESCAPE] => match take::<1>(input)? {
                [END] => return Some(bytes),
                [ESCAPED_ZERO] => bytes.push(0),
                [_] => return None,
            },
            [byte] => bytes.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{ClientId, OrgId, TicketId};

    fn encode<K: Key>(key: &K) -> Vec<u8> {
        let mut out = Vec::new();
        key.write(&mut out);
        out
    }

    fn keeps_order<K: Key + Ord + Debug>(a: &K, b: &K) -> Result<(), TestCaseError> {
        prop_assert_eq!(encode(a).cmp(&encode(b)), a.cmp(b), "{:?} {:?}", a, b);
        let back = decode::<K>(&encode(a));
        prop_assert_eq!(back.as_ref(), Some(a));
        Ok(())
    }

    fn at() -> impl Strategy<Value = Timestamp> {
        any::<i64>().prop_map(Timestamp::from_micros)
    }

    fn id() -> impl Strategy<Value = OrgId> {
        "[a-zA-Z0-9._@-]{1,12}".prop_map(|text| text.parse().unwrap())
    }

    // Few letters, so that one text is often the beginning of another.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 0xfe, 0xff]), 0..6)
    }

    proptest! {
        #[test]
        fn numbers_sort_as_they_do(a: u64, b: u64, c: u32, d: u32, e: u8, f: u8) {
            keeps_order(&a, &b)?;
            keeps_order(&c, &d)?;
            keeps_order(&e, &f)?;
            keeps_order(&(e, c), &(f, d))?;
        }

        #[test]
        fn instants_sort_as_they_do(a in at(), b in at()) {
            keeps_order(&a, &b)?;
        }

        #[test]
        fn text_sorts_as_it_does(a in bytes(), b in bytes(), c in "[\\x00ab]{0,5}", d in "[\\x00ab]{0,5}") {
            keeps_order(&a, &b)?;
            keeps_order(&c, &d)?;
            keeps_order(&(a.clone(), c.clone()), &(b.clone(), d.clone()))?;
            keeps_order(&(c, 7_u8, a), &(d, 7_u8, b))?;
        }

        #[test]
        fn identifiers_sort_as_they_do(a in id(), b in id(), x in at(), y in at(), f: [u8; 16], g: [u8; 16]) {
            keeps_order(&a, &b)?;
            keeps_order(&(a, x), &(b, y))?;
            keeps_order(&FamilyId::from_bytes(f), &FamilyId::from_bytes(g))?;
        }

        #[test]
        fn a_key_of_a_tuple_begins_with_its_first_part(a in bytes(), b: u64) {
            prop_assert!(encode(&(a.clone(), b)).starts_with(&encode(&a)));
        }

        #[test]
        fn any_bytes_are_read_or_refused(input: Vec<u8>) {
            let _ = decode::<String>(&input);
            let _ = decode::<Digest>(&input);
            let _ = decode::<(Timestamp, u32)>(&input);
            let _ = decode::<(ClientId, FamilyId, u8)>(&input);
            if let Some(id) = decode::<TicketId>(&input) {
                prop_assert_eq!(encode(&id), input.clone());
            }
            if let Some(bytes) = decode::<Vec<u8>>(&input) {
                prop_assert_eq!(encode(&bytes), input);
            }
        }
    }

    #[test]
    fn a_digest_comes_back() {
        let digest = Digest::from_bytes([9; 32]);
        assert_eq!(decode::<Digest>(&encode(&digest)), Some(digest));
    }
}
