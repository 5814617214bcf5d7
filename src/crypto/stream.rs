//! A long secret text as an encrypted stream: chunks of AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway and Vizár 2015), and keys for it out of passphrases (Argon2id, RFC 9106).
//!
//! Each chunk's nonce says its place and whether it is the last, so that one that is missing, moved or added is
//! refused; the key is made for this stream alone and bound to the header in front of it. Knows nothing of what is
//! inside, nor of files.

use std::io::{self, Read, Write};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use crate::kernel::{Fault, Secret};

/// Length of a key in bytes.
pub const KEY_LEN: usize = 32;
/// Length of what tells a wrong key from a damaged stream.
pub const CHECK_LEN: usize = 16;
/// Length of the salt of a passphrase.
pub const SALT_LEN: usize = 16;

/// How much work it is to try a passphrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// How many of them at once.
    pub lanes: u32,
}

impl Cost {
    /// The second recommendation of RFC 9106 §4, with one lane: 64 MiB, three passes.
    pub const USUAL: Self = Self {
        memory_kib: 64 * 1024,
        passes: 3,
        lanes: 1,
    };

    /// Whether a stranger's header may ask for it.
    fn is_bearable(self) -> bool {
        self.memory_kib <= 1024 * 1024 && self.passes <= 64 && self.lanes <= 16
    }
}

/// The key behind a passphrase; `None` where the cost is none that is paid.
pub fn key_of_passphrase(
    passphrase: &Secret<String>,
    salt: &[u8; SALT_LEN],
    cost: Cost,
) -> Option<Secret<[u8; KEY_LEN]>> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_LEN));
    let params = params.ok().filter(|_| cost.is_bearable())?;
    let argon2id = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut key = [0; KEY_LEN];
    let made = argon2id.hash_password_into(passphrase.expose().as_bytes(), salt, &mut key);
    let key = Secret::new(key);
    made.ok().map(|()| key)
}

/// What one stream is encrypted with.
pub struct StreamKey {
    key: LessSafeKey,
    prefix: [u8; PREFIX_LEN],
    check: [u8; CHECK_LEN],
}

impl StreamKey {
    /// For the stream behind `header`, which must hold something drawn for this stream alone.
    pub fn derive(key: &Secret<[u8; KEY_LEN]>, header: &[u8]) -> Result<Self, Fault> {
        let refused = |_| Fault::internal("a key of a backup was refused");
        let root = Salt::new(HKDF_SHA256, b"admit stream v1").extract(key.expose());
        let fill = |what: &[u8], to: &mut [u8]| {
            let info = [what, header];
            let length = Length(to.len());
            let filled = root.expand(&info, length).and_then(|okm| okm.fill(to));
            filled.map_err(refused)
        };
        let (mut prefix, mut check) = ([0; PREFIX_LEN], [0; CHECK_LEN]);
        fill(b"prefix", &mut prefix)?;
        fill(b"check", &mut check)?;
        let mut bytes = [0; KEY_LEN];
        fill(b"key", &mut bytes)?;
        let bytes = Secret::new(bytes);
        let key = UnboundKey::new(&AES_256_GCM, bytes.expose()).map_err(refused)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            prefix,
            check,
        })
    }

    /// What stands between the header and the first chunk.
    pub fn check(&self) -> &[u8; CHECK_LEN] {
        &self.check
    }

    /// Whether the stream was encrypted with this key, and its header is as it was.
    pub fn is_right(&self, check: &[u8; CHECK_LEN]) -> bool {
        self.check.ct_eq(check).into()
    }

    fn nonce(&self, number: u32, is_last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        let number = number.to_be_bytes();
        let parts = self.prefix.iter().chain(&number);
        let last = u8::from(is_last);
        for (to, from) in nonce.iter_mut().zip(parts.chain([&last])) {
            *to = *from;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// Encrypts what is written to it. Nothing is whole before [`Sealing::finish`].
pub struct Sealing<W: Write> {
    out: W,
    key: StreamKey,
    number: u32,
    chunk: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    /// Writes chunks to `out`.
    pub fn to(out: W, key: StreamKey) -> Self {
        let chunk = Vec::with_capacity(CHUNK + TAG_LEN);
        Self {
            out,
            key,
            number: 0,
            chunk,
        }
    }

    /// Writes the last chunk.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        let nonce = self.key.nonce(self.number, is_last);
        let sealed = self
            .key
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk);
        sealed.map_err(|_| io::Error::other("a chunk could not be encrypted"))?;
        self.out.write_all(&self.chunk)?;
        self.chunk.clear();
        let next = self.number.checked_add(1);
        self.number = next.ok_or_else(|| io::Error::other("a stream has no room for more"))?;
        Ok(())
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // A full chunk waits until it is known that it is not the last.
        if self.chunk.len() == CHUNK {
            self.seal(false)?;
        }
        let room = CHUNK - self.chunk.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Decrypts what is read from it; anything that is not exactly what was written is an error of the kind `InvalidData`.
pub struct Unsealing<R: Read> {
    from: R,
    key: StreamKey,
    number: u32,
    chunk: Vec<u8>,
    at: usize,
    /// The first byte of the next chunk, once it was looked at.
    ahead: Option<u8>,
    has_begun: bool,
    is_over: bool,
}

impl<R: Read> Unsealing<R> {
    /// Reads chunks from `from`.
    pub fn from(from: R, key: StreamKey) -> Self {
        Self {
            from,
            key,
            number: 0,
            chunk: Vec::new(),
            at: 0,
            ahead: None,
            has_begun: false,
            is_over: false,
        }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        if !self.has_begun {
            self.ahead = one(&mut self.from)?;
            self.has_begun = true;
        }
        let first = self.ahead.take();
        let first = first.ok_or_else(|| refused("it ends before its last part"))?;
        let mut chunk = vec![first];
        let rest = (CHUNK + TAG_LEN - 1) as u64;
        (&mut self.from).take(rest).read_to_end(&mut chunk)?;
        self.ahead = one(&mut self.from)?;
        self.is_over = self.ahead.is_none();
        let nonce = self.key.nonce(self.number, self.is_over);
        let opened = self.key.key.open_in_place(nonce, Aad::empty(), &mut chunk);
        let length = opened.map(|plain| plain.len());
        let length = length
            .map_err(|_| refused("a part of it was changed, or something was cut off or added"))?;
        chunk.truncate(length);
        self.number = self.number.wrapping_add(1);
        (self.chunk, self.at) = (chunk, 0);
        Ok(())
    }
}

impl<R: Read> Read for Unsealing<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.chunk.len() {
            if self.is_over {
                return Ok(0);
            }
            self.next_chunk()?;
        }
        let mut left = self.chunk.get(self.at..).unwrap_or_default();
        let read = left.read(to)?;
        self.at += read;
        Ok(read)
    }
}

fn one(from: &mut impl Read) -> io::Result<Option<u8>> {
    let mut byte = [0];
    match from.read_exact(&mut byte) {
        Ok(()) => Ok(Some(byte[0])),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

const CHUNK: usize = 64 * 1024;
const TAG_LEN: usize = 16;
/// The nonce, but for the chunk's number and the mark of the last one.
const PREFIX_LEN: usize = NONCE_LEN - 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> StreamKey {
        StreamKey::derive(&Secret::new([seed; KEY_LEN]), b"header").unwrap()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealing = Sealing::to(Vec::new(), key(1));
        for part in plain.chunks(10_007) {
            sealing.write_all(part).unwrap();
        }
        sealing.finish().unwrap()
    }

    fn opened(sealed: &[u8], key: StreamKey) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Unsealing::from(sealed, key).read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_is_written_is_read_whatever_its_length() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 77] {
            let plain: Vec<u8> = (0..=250).cycle().take(length).collect();
            let sealed = sealed(&plain);
            assert_eq!(opened(&sealed, key(1)).unwrap(), plain, "{length}");
            assert!(opened(&sealed, key(2)).is_err(), "another key");
        }
    }

    #[test]
    fn what_is_cut_moved_added_or_bent_is_refused() {
        let plain: Vec<u8> = (0..=255).cycle().take(3 * CHUNK).collect();
        let whole = sealed(&plain);
        let part = CHUNK + TAG_LEN;
        for length in [0, 1, part - 1, part, part + 1, 2 * part, whole.len() - 1] {
            assert!(opened(&whole[..length], key(1)).is_err(), "cut to {length}");
        }
        let added = [&whole[..], &[0]].concat();
        assert!(opened(&added, key(1)).is_err(), "a byte more");
        let twice = [&whole[..], &whole[2 * part..]].concat();
        assert!(opened(&twice, key(1)).is_err(), "its end twice");
        let moved = [&whole[part..2 * part], &whole[..part], &whole[2 * part..]].concat();
        assert!(opened(&moved, key(1)).is_err(), "two parts changed places");
        for at in (0..whole.len()).step_by(997) {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            assert!(opened(&bent, key(1)).is_err(), "bent at {at}");
        }
    }

    #[test]
    fn a_key_is_good_for_its_own_header_only() {
        let master = Secret::new([1; KEY_LEN]);
        let other = StreamKey::derive(&master, b"another header").unwrap();
        assert!(key(1).is_right(key(1).check()));
        assert!(!other.is_right(key(1).check()));
        assert!(opened(&sealed(b"plain"), other).is_err());
    }

    #[test]
    fn a_passphrase_gives_the_same_key_under_the_same_salt_and_no_impossible_work_is_done() {
        let cost = Cost {
            memory_kib: 64,
            passes: 1,
            lanes: 1,
        };
        let of = |passphrase: &str, salt: u8, cost| {
            let passphrase = Secret::new(passphrase.to_owned());
            let key = key_of_passphrase(&passphrase, &[salt; SALT_LEN], cost)?;
            Some(*key.expose())
        };
        assert_eq!(of("a", 1, cost), of("a", 1, cost));
        assert_ne!(of("a", 1, cost), of("a", 2, cost));
        assert_ne!(of("a", 1, cost), of("b", 1, cost));
        let memory_kib = u32::MAX;
        assert_eq!(of("a", 1, Cost { memory_kib, ..cost }), None);
    }
}
