//! Chance: the system's cryptographic source, a seeded one for tests, and the alphabets values are drawn from.

use std::sync::Mutex;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::hex;

/// Where random bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `out` with random bytes.
    fn fill(&self, out: &mut [u8]);
}

impl dyn Entropy + '_ {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// `N` random bytes in the base64url alphabet, without padding: never a `+`, which one client leaves unescaped.
    pub fn token<const N: usize>(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes::<N>())
    }

    /// The bytes of a random UUID (RFC 9562 §5.4).
    pub fn uuid_bytes(&self) -> [u8; 16] {
        let number = u128::from_be_bytes(self.bytes::<16>());
        let number = number & !(0xf << 76) | (0x4 << 76);
        let number = number & !(0x3 << 62) | (0x2 << 62);
        number.to_be_bytes()
    }

    /// A random UUID (RFC 9562 §5.4).
    pub fn uuid(&self) -> String {
        uuid(self.uuid_bytes())
    }

    /// `length` characters of `alphabet`, each equally likely. The alphabet must be ASCII and not empty.
    pub fn word(&self, length: usize, alphabet: &[u8]) -> String {
        let size = alphabet.len().clamp(1, 256);
        // Bytes past the last whole multiple of the alphabet would favour its first letters.
        let limit = 256 - 256 % size;
        let mut word = String::with_capacity(length);
        while word.len() < length {
            for byte in self.bytes::<32>() {
                let at = usize::from(byte);
                let letter = (at < limit).then(|| alphabet.get(at % size)).flatten();
                if let Some(letter) = letter.filter(|_| word.len() < length) {
                    word.push(char::from(*letter));
                }
            }
            if alphabet.is_empty() {
                break;
            }
        }
        word
    }
}

/// A UUID as it is written (RFC 9562 §4).
pub fn uuid(bytes: [u8; 16]) -> String {
    let hex = hex::encode(&bytes);
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// The system's cryptographic source.
#[derive(Debug, Default)]
pub struct SystemEntropy(SystemRandom);

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        let drawn = self.0.fill(out);
        // Without randomness no secret we hand out is one: stopping is the only safe answer.
        assert!(drawn.is_ok(), "the system has no random bytes to give");
    }
}

/// What the provider blinds RSA signatures with; nothing of it reaches a value of ours.
pub fn blinding() -> SystemRandom {
    SystemEntropy::default().0
}

/// The same bytes for the same seed, so that a whole scenario can be repeated.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    drawn: Mutex<u64>,
}

impl SeededEntropy {
    /// A source that repeats itself for the same `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: Mutex::new(0),
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let mut block = [0; 16];
            let (seed, count) = block.split_at_mut(8);
            seed.copy_from_slice(&self.seed.to_be_bytes());
            let mut drawn = self
                .drawn
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            count.copy_from_slice(&drawn.to_be_bytes());
            *drawn += 1;
            let random = digest(&SHA256, &block);
            for (to, from) in chunk.iter_mut().zip(random.as_ref()) {
                *to = *from;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_an_alphabet_is_drawn_about_equally_often() {
        let entropy: &dyn Entropy = &SeededEntropy::new(1);
        let word = entropy.word(26_000, b"abcdefghijklmnopqrstuvwxyz");
        for letter in 'a'..='z' {
            let seen = word.matches(letter).count();
            assert!(
                (850..1150).contains(&seen),
                "{letter} was drawn {seen} times in 26000"
            );
        }
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let entropy: &dyn Entropy = &SeededEntropy::new(2);
        let uuid = entropy.uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.chars().nth(14), Some('4'));
        assert!("89ab".contains(uuid.chars().nth(19).unwrap()));
    }

    #[test]
    fn the_same_seed_repeats_and_another_does_not() {
        let draw = |seed| <dyn Entropy>::token::<16>(&SeededEntropy::new(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
