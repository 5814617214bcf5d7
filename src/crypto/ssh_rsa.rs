//! Customers' RSA key pairs for SSH: made, or read from what a stranger brought, and written.
//!
//! Private keys are read from PKCS#1 (RFC 8017 §A.1.2), PKCS#8 (RFC 5208) and OpenSSH's own format, and written as
//! PKCS#1 in PEM, the one form that OpenSSH, paramiko and OpenSSL all read; a public half is a line of
//! `authorized_keys` (sshd(8), RFC 4253 §6.6). It signs and decrypts nothing, and knows nobody the keys are for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1::{self, EncodeRsaPrivateKey as _, LineEnding};
use rsa::pkcs8::der::Decode as _;
use rsa::pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use rsa::rand_core::{self, CryptoRng, RngCore};
use rsa::traits::PublicKeyParts as _;
use rsa::{BigUint, RsaPrivateKey};
use ssh_key::private::KeypairData;
use ssh_key::{Mpint, PrivateKey, PublicKey, public};
use zeroize::Zeroize as _;

use crate::kernel::{Entropy, Fault, Secret};

/// The size of a pair made here, in bits.
pub const BITS_MADE: usize = 4096;
/// The fewest bits a pair may have that is brought in.
const BITS_MIN: usize = 2048;
/// The most bits, which bounds how long it takes to look at one.
const BITS_MAX: usize = 8192;
/// The longest text that is looked at, in bytes: twice the longest key.
const TEXT_MAX: usize = 16 * 1024;

/// Why what was brought is not taken, in words for whoever brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(&'static str);

/// A pair of keys.
pub struct KeyPair {
    /// The size of its modulus in bits.
    pub bits: usize,
    /// What may be told to everybody.
    pub public: PublicHalf,
    /// The private half, as PKCS#1 in PEM.
    pub private: Secret<String>,
}

/// A public half: RFC 4253 §6.6.
#[derive(Debug, Clone)]
pub struct PublicHalf(public::KeyData);

impl PublicHalf {
    /// As a line of `authorized_keys`, without its end.
    pub fn line(&self, comment: &str) -> Result<String, Fault> {
        let key = PublicKey::new(self.0.clone(), comment);
        key.to_openssh().map_err(|error| unwritten(&error))
    }

    /// Whether `line` holds this very half.
    pub fn is_in(&self, line: &PublicLine<'_>) -> Result<bool, Fault> {
        let own = PublicKey::from(self.0.clone());
        Ok(own.to_bytes().map_err(|error| unwritten(&error))? == line.key)
    }
}

/// A line of `authorized_keys` that somebody brought.
#[derive(Debug, PartialEq, Eq)]
pub struct PublicLine<'l> {
    key: Vec<u8>,
    /// What stands after the key; empty if nothing does.
    pub comment: &'l str,
}

impl<'l> PublicLine<'l> {
    /// Takes the line apart. Its key is read only to be compared.
    pub fn read(line: &'l str) -> Result<Self, Refused> {
        if line.len() > TEXT_MAX {
            return Err(Refused("the public key is longer than 16 KiB"));
        }
        // A final end of line is how such files are copied.
        let line = line.trim_matches([' ', '\t', '\r', '\n']);
        if line.chars().any(is_unwritable) {
            return Err(Refused(
                "the public key must be one line without control characters",
            ));
        }
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start_matches(' ');
        let (key, comment) = rest.split_once(' ').unwrap_or((rest, ""));
        if name.ends_with("-cert-v01@openssh.com") {
            return Err(Refused(
                "the public key is a certificate; bring in the key it is for",
            ));
        }
        if name != "ssh-rsa" {
            return Err(Refused(
                "the public key must be a line that begins with ssh-rsa, without options before it",
            ));
        }
        let key = STANDARD.decode(key);
        Ok(Self {
            key: key.map_err(|_| Refused("the public key is not whole: its base64 is broken"))?,
            comment: comment.trim_matches(' '),
        })
    }
}

/// Whether a character can stand in no line of `authorized_keys`: it ends the line, or nobody sees it.
pub fn is_unwritable(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}')
}

/// Makes a pair. It takes a second of a processor or more.
pub fn generate(entropy: &dyn Entropy) -> Result<KeyPair, Fault> {
    let made = RsaPrivateKey::new(&mut Chance(entropy), BITS_MADE)
        .map_err(|error| Fault::internal("an RSA key could not be made").because(error))?;
    written(&made)
}

/// Reads a private key, and looks at its numbers as a stranger's. It takes as long as making one.
pub fn import(text: &str, entropy: &dyn Entropy) -> Result<Result<KeyPair, Refused>, Fault> {
    let read = Numbers::read(text).and_then(|numbers| {
        numbers.check(entropy)?;
        numbers.key()
    });
    match read {
        Ok(key) => written(&key).map(Ok),
        Err(refused) => Ok(Err(refused)),
    }
}

fn written(key: &RsaPrivateKey) -> Result<KeyPair, Fault> {
    let pem = key.to_pkcs1_pem(LineEnding::LF);
    let pem = pem.map_err(|error| {
        Fault::internal("an RSA key could not be written as PKCS#1").because(error)
    })?;
    let number = |number: &BigUint| Mpint::from_positive_bytes(&number.to_bytes_be());
    let public = public::RsaPublicKey {
        e: number(key.e()).map_err(|error| unwritten(&error))?,
        n: number(key.n()).map_err(|error| unwritten(&error))?,
    };
    Ok(KeyPair {
        bits: key.n().bits(),
        public: PublicHalf(public::KeyData::Rsa(public)),
        private: Secret::new((*pem).clone()),
    })
}

fn unwritten(error: &ssh_key::Error) -> Fault {
    Fault::internal(format!("an RSA key could not be written for SSH: {error}"))
}

/// The numbers of a private key as they were brought, believed in nothing.
struct Numbers {
    n: BigUint,
    e: BigUint,
    d: BigUint,
    p: BigUint,
    q: BigUint,
    /// p's and q's exponents, which OpenSSH's format leaves out.
    exponents: Option<(BigUint, BigUint)>,
    coefficient: BigUint,
}

impl Drop for Numbers {
    fn drop(&mut self) {
        let secrets = [&mut self.d, &mut self.p, &mut self.q, &mut self.coefficient];
        secrets.into_iter().for_each(BigUint::zeroize);
        if let Some((dp, dq)) = &mut self.exponents {
            dp.zeroize();
            dq.zeroize();
        }
    }
}

impl Numbers {
    fn read(text: &str) -> Result<Self, Refused> {
        let pem = Pem::read(text)?;
        let content = pem.content.expose();
        match pem.label {
            "RSA PRIVATE KEY" => Self::of_pkcs1(content),
            "PRIVATE KEY" => Self::of_pkcs8(content),
            "OPENSSH PRIVATE KEY" => Self::of_openssh(content),
            "ENCRYPTED PRIVATE KEY" => Err(ENCRYPTED),
            "EC PRIVATE KEY" | "DSA PRIVATE KEY" => Err(NOT_RSA),
            label if label.ends_with("PUBLIC KEY") => {
                Err(Refused("the private key is a public key"))
            }
            label if label.contains("CERTIFICATE") => {
                Err(Refused("the private key is a certificate"))
            }
            _ => Err(Refused(
                "the private key must be a PEM of RSA PRIVATE KEY, PRIVATE KEY or OPENSSH PRIVATE KEY",
            )),
        }
    }

    fn of_pkcs8(content: &[u8]) -> Result<Self, Refused> {
        let info = PrivateKeyInfo::from_der(content)
            .map_err(|_| Refused("the private key cannot be read as PKCS#8"))?;
        if info.algorithm.oid != RSA {
            return Err(NOT_RSA);
        }
        Self::of_pkcs1(info.private_key)
    }

    fn of_pkcs1(content: &[u8]) -> Result<Self, Refused> {
        let key = pkcs1::RsaPrivateKey::from_der(content)
            .map_err(|_| Refused("the private key cannot be read as PKCS#1"))?;
        if key.other_prime_infos.is_some() {
            return Err(Refused("the private key has more than two primes"));
        }
        let number = |number: pkcs1::UintRef<'_>| BigUint::from_bytes_be(number.as_bytes());
        Ok(Self {
            n: number(key.modulus),
            e: number(key.public_exponent),
            d: number(key.private_exponent),
            p: number(key.prime1),
            q: number(key.prime2),
            exponents: Some((number(key.exponent1), number(key.exponent2))),
            coefficient: number(key.coefficient),
        })
    }

    fn of_openssh(content: &[u8]) -> Result<Self, Refused> {
        let key = PrivateKey::from_bytes(content).map_err(|error| {
            if matches!(error, ssh_key::Error::PublicKey) {
                return Refused("the private key and the public half beside it differ");
            }
            Refused("the private key cannot be read as one RSA key of OpenSSH's format")
        })?;
        if key.is_encrypted() {
            return Err(ENCRYPTED);
        }
        let KeypairData::Rsa(pair) = key.key_data() else {
            return Err(NOT_RSA);
        };
        let number = |number: &Mpint| {
            let bytes = number.as_positive_bytes();
            bytes.map(BigUint::from_bytes_be).ok_or(UNFIT)
        };
        Ok(Self {
            n: number(&pair.public.n)?,
            e: number(&pair.public.e)?,
            d: number(&pair.private.d)?,
            p: number(&pair.private.p)?,
            q: number(&pair.private.q)?,
            exponents: None,
            coefficient: number(&pair.private.iqmp)?,
        })
    }

    /// Sizes first, so that no number is worked with that takes long; primes last, because they take longest.
    fn check(&self, entropy: &dyn Entropy) -> Result<(), Refused> {
        self.check_sizes()?;
        self.check_ranges()?;
        self.check_fit()?;
        self.check_strength()?;
        let primes = [&self.p, &self.q];
        if primes.iter().all(|prime| is_prime(prime, entropy)) {
            Ok(())
        } else {
            Err(Refused("the private key is not made of two primes"))
        }
    }

    fn check_sizes(&self) -> Result<(), Refused> {
        let bits = self.n.bits();
        if bits < BITS_MIN {
            return Err(Refused("the key has fewer than 2048 bits"));
        }
        if bits > BITS_MAX {
            return Err(Refused("the key has more than 8192 bits"));
        }
        if !is_odd(&self.e) || self.e < BigUint::from(3_u8) || self.e.bits() > 33 {
            return Err(Refused(
                "the public exponent must be odd, at least 3 and below 2 to the 33rd",
            ));
        }
        Ok(())
    }

    fn check_ranges(&self) -> Result<(), Refused> {
        let (dp, dq) = match &self.exponents {
            Some((dp, dq)) => (dp, dq),
            None => (&self.p, &self.q),
        };
        let below_n = [&self.d, &self.p, &self.q, dp, dq, &self.coefficient];
        let one = BigUint::from(1_u8);
        if below_n
            .iter()
            .any(|number| **number <= one || **number >= self.n)
        {
            return Err(UNFIT);
        }
        if is_odd(&self.p) && is_odd(&self.q) {
            Ok(())
        } else {
            Err(Refused("the private key is not made of two primes"))
        }
    }

    /// RFC 8017 §3.2, with both primes above 1.
    fn check_fit(&self) -> Result<(), Refused> {
        let Self { n, e, d, p, q, .. } = self;
        let one = BigUint::from(1_u8);
        let (below_p, below_q) = (p - &one, q - &one);
        let inverse = |e: &BigUint, d: &BigUint, modulus: &BigUint| e * d % modulus == one;
        let fits = p * q == *n
            && inverse(e, d, &below_p)
            && inverse(e, d, &below_q)
            && inverse(q, &self.coefficient, p)
            && self.coefficient < *p;
        let fits_too = self
            .exponents
            .as_ref()
            .is_none_or(|(dp, dq)| *dp == d % &below_p && *dq == d % &below_q);
        if fits && fits_too { Ok(()) } else { Err(UNFIT) }
    }

    /// Keys that fit together and hide nothing (FIPS 186-5 §A.1.1): a small private exponent and primes that are close
    /// to each other, or of which one is short, are found from the public half alone.
    fn check_strength(&self) -> Result<(), Refused> {
        let half = self.n.bits() / 2;
        let apart = if self.p > self.q {
            &self.p - &self.q
        } else {
            &self.q - &self.p
        };
        let shorter = self.p.bits().min(self.q.bits());
        if apart.bits() + 100 <= half || shorter + 16 < half || self.d.bits() <= half {
            return Err(Refused(
                "the private key is easily found from the public one",
            ));
        }
        Ok(())
    }

    fn key(&self) -> Result<RsaPrivateKey, Refused> {
        let primes = vec![self.p.clone(), self.q.clone()];
        let (n, e, d) = (self.n.clone(), self.e.clone(), self.d.clone());
        RsaPrivateKey::from_components(n, e, d, primes).map_err(|_| UNFIT)
    }
}

const ENCRYPTED: Refused =
    Refused("the private key is encrypted; bring it in without a passphrase");
const NOT_RSA: Refused = Refused("the private key is not an RSA key");
const UNFIT: Refused = Refused("the numbers of the private key do not fit together");
/// `rsaEncryption` (RFC 8017 §A.1).
const RSA: ObjectIdentifier = pkcs1::ALGORITHM_OID;

fn is_odd(number: &BigUint) -> bool {
    number.trailing_zeros() == Some(0)
}

/// Miller and Rabin's test with bases nobody can foresee, so that no composite can be prepared for it: one passes with a
/// chance below 4 to the minus `ROUNDS`th. The crate's own test draws its bases from the number itself.
fn is_prime(number: &BigUint, entropy: &dyn Entropy) -> bool {
    let one = BigUint::from(1_u8);
    if !is_odd(number) || *number <= BigUint::from(3_u8) {
        return *number == BigUint::from(3_u8) || *number == BigUint::from(2_u8);
    }
    let last = number - &one;
    let twos = last.trailing_zeros().unwrap_or(0);
    let odd = &last >> twos;
    let is_witness = |base: &BigUint| {
        let mut power = base.modpow(&odd, number);
        if power == one || power == last {
            return false;
        }
        for _ in 1..twos {
            power = &power * &power % number;
            if power == last {
                return false;
            }
        }
        true
    };
    let mut bytes = vec![0; number.bits() / 8 + 16];
    (0..ROUNDS).all(|_| {
        entropy.fill(&mut bytes);
        // From 2 to the last but one.
        let base = BigUint::from_bytes_be(&bytes) % (&last - &one) + 2_u8;
        base == last || !is_witness(&base)
    })
}

const ROUNDS: usize = 40;

/// One text between its two lines (RFC 7468), however its lines are broken.
struct Pem<'t> {
    label: &'t str,
    content: Secret<Vec<u8>>,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

impl<'t> Pem<'t> {
    fn read(text: &'t str) -> Result<Self, Refused> {
        Self::check_text(text)?;
        let text = text.trim_ascii();
        let not_pem = Refused("the private key is not a PEM");
        let rest = text.strip_prefix(BEGIN).ok_or(not_pem)?;
        let (label, rest) = rest.split_once("-----").ok_or(not_pem)?;
        let (body, end) = rest
            .split_once(END)
            .ok_or(Refused("the private key has no end"))?;
        let after = end
            .strip_prefix(label)
            .and_then(|end| end.strip_prefix("-----"));
        match after {
            Some("") => {}
            Some(more) if more.contains(BEGIN) => {
                return Err(Refused("there is more than one key in the text"));
            }
            Some(_) => return Err(Refused("something follows the private key")),
            None => {
                return Err(Refused(
                    "the private key ends as something else than it began",
                ));
            }
        }
        if body.contains("ENCRYPTED") {
            return Err(ENCRYPTED);
        }
        if body.contains(':') {
            return Err(Refused("the private key has headers"));
        }
        let mut letters = body.replace([' ', '\t', '\r', '\n'], "");
        let content = STANDARD.decode(&letters);
        letters.zeroize();
        let content =
            content.map_err(|_| Refused("the private key is not whole: its base64 is broken"))?;
        let content = Secret::new(content);
        Ok(Self { label, content })
    }

    fn check_text(text: &str) -> Result<(), Refused> {
        if text.len() > TEXT_MAX {
            return Err(Refused("the private key is longer than 16 KiB"));
        }
        let is_blank = |letter: char| matches!(letter, '\t' | '\r' | '\n');
        if text
            .chars()
            .any(|letter| letter.is_control() && !is_blank(letter))
        {
            return Err(Refused("the private key has control characters in it"));
        }
        if text.trim_ascii_start().starts_with("PuTTY-User-Key-File-") {
            return Err(Refused(
                "the private key is PuTTY's; export it in OpenSSH's format",
            ));
        }
        if text.trim_ascii_start().starts_with("---- BEGIN SSH2") {
            return Err(Refused(
                "the private key is in SSH2's format; convert it with ssh-keygen -i",
            ));
        }
        Ok(())
    }
}

/// Our source of chance, as the crate wants to ask it.
struct Chance<'e>(&'e dyn Entropy);

impl CryptoRng for Chance<'_> {}

impl RngCore for Chance<'_> {
    fn next_u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.0.bytes())
    }

    fn next_u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.0.bytes())
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.0.fill(out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::{SeededEntropy, SystemEntropy};

    fn small(seed: u64, bits: usize) -> RsaPrivateKey {
        RsaPrivateKey::new(&mut Chance(&SeededEntropy::new(seed)), bits).unwrap()
    }

    fn refusal(text: &str) -> Option<&'static str> {
        let read = import(text, &SystemEntropy::default()).unwrap();
        read.err().map(|Refused(why)| why)
    }

    #[test]
    fn what_is_written_is_read_as_the_same_pair() {
        let pair = written(&small(1, 2048)).unwrap();
        let read = import(pair.private.expose(), &SeededEntropy::new(2)).unwrap();
        let read = read.unwrap();
        assert_eq!(read.private.expose(), pair.private.expose());
        assert_eq!(read.bits, 2048);
        let line = pair.public.line("a comment").unwrap();
        assert_eq!(line, read.public.line("a comment").unwrap());
        let line = PublicLine::read(&line).unwrap();
        assert_eq!(line.comment, "a comment");
        assert!(read.public.is_in(&line).unwrap());
        let other = written(&small(3, 2048)).unwrap();
        assert!(!other.public.is_in(&line).unwrap());
    }

    #[test]
    fn a_text_that_is_too_long_is_not_looked_at() {
        let long = "x".repeat(TEXT_MAX + 1);
        assert_eq!(
            refusal(&long),
            Some("the private key is longer than 16 KiB")
        );
        assert!(PublicLine::read(&long).is_err());
    }

    #[test]
    fn small_numbers_are_judged_as_they_are() {
        let primes = [2_u32, 3, 5, 7, 11, 13, 10_007, 65_537, 2_147_483_647];
        // The last three are Carmichael's, and 3215031751 fools the bases 2, 3, 5 and 7.
        let others = [0_u32, 1, 4, 9, 15, 10_001, 561, 1105, 1729, 3_215_031_751];
        let entropy = SeededEntropy::new(4);
        for prime in primes {
            assert!(is_prime(&BigUint::from(prime), &entropy), "{prime}");
        }
        for other in others {
            assert!(!is_prime(&BigUint::from(other), &entropy), "{other}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", label in "(RSA |OPENSSH )?PRIVATE KEY", bytes: Vec<u8>) {
            let _ = refusal(&text);
            let _ = PublicLine::read(&text);
            let pem = format!("-----BEGIN {label}-----\n{}\n-----END {label}-----", STANDARD.encode(bytes));
            prop_assert!(refusal(&pem).is_some());
        }

        #[test]
        fn a_changed_byte_is_refused(at: prop::sample::Index, change in 1_u8..) {
            // Too small to be taken, which the sizes say before anything else is looked at: so they are not asked.
            let key = small(6, 512);
            let der = key.to_pkcs1_der().unwrap();
            let mut bytes = der.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= change;
            let numbers = Numbers::of_pkcs1(&bytes);
            let fits = numbers.and_then(|numbers| {
                numbers.check_ranges()?;
                numbers.check_fit()
            });
            prop_assert!(fits.is_err(), "byte {at} may be anything");
        }
    }
}
