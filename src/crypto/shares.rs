//! Shares of a master key (Shamir, "How to share a secret", 1979): as many as are needed make it again, fewer tell nothing.
//!
//! The arithmetic is ours, in the field of AES (FIPS 197 §4), each byte of the key shared by itself. The crate for it,
//! `blahaj`, was read and not taken: it cannot be had without the thread's random source of `rand`, looks secret bytes up in
//! tables, leaves its polynomials in memory, and makes a wrong key when a share is given twice.
//!
//! A share is one line that a person can copy from paper: 17 groups of four letters and a fifth that checks them, out of the
//! 32 that nobody takes for another (those of Crockford's base 32). They hold, five bits a letter: the version of this
//! form; how many shares are needed; the share's number; the key's name (six letters) and a number of the occasion (three);
//! 52 letters of share; and four of a digest of all before. It is on paper for decades: it may be added to, never changed.

use std::fmt;

use aws_lc_rs::digest;
use subtle::ConstantTimeEq as _;

use super::seal::{self, MASTER_KEY_LEN};
use crate::kernel::{Entropy, Fault, Secret};

type Bytes = Secret<[u8; MASTER_KEY_LEN]>;

/// The most shares one key can have.
pub const SHARES_MAX: u8 = 31;

/// The fewest that may be enough: one alone would be the key.
pub const NEEDED_MIN: u8 = 2;

/// What a key is called: a digest of it, which tells nothing else about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyName(u32);

impl KeyName {
    /// The name of this key.
    pub fn of(key: &Bytes) -> Result<Self, Fault> {
        let name = u32::from_be_bytes(seal::name(key)?);
        Ok(Self(name >> (u32::BITS - 5 * NAME_LETTERS)))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut symbols = Vec::new();
        put(self.0, NAME_LETTERS, &mut symbols);
        symbols
            .into_iter()
            .try_for_each(|symbol| write!(f, "{}", letter(symbol)))
    }
}

/// One share of a key.
pub struct Share {
    needed: u8,
    number: u8,
    key: KeyName,
    /// Drawn for each occasion: shares of two do not go together.
    occasion: u32,
    value: Bytes,
}

/// Makes `shares` shares of a key, of which `needed` make it again: 2 to 31, and no more than there are.
pub fn split(
    key: &Bytes,
    shares: u8,
    needed: u8,
    entropy: &dyn Entropy,
) -> Result<Vec<Share>, Fault> {
    if needed < NEEDED_MIN || shares < needed || shares > SHARES_MAX {
        return Err(Fault::internal("so many shares cannot be made"));
    }
    let name = KeyName::of(key)?;
    let occasion = u32::from_be_bytes(entropy.bytes()) >> (u32::BITS - 5 * OCCASION_LETTERS);
    // Any byte, zero as well: who knew that one is not zero would know something (RUSTSEC-2024-0398).
    let terms: Vec<Bytes> = (1..needed).map(|_| Secret::new(entropy.bytes())).collect();
    let share = |number| Share {
        needed,
        number,
        key: name,
        occasion,
        value: point(number, key, &terms),
    };
    Ok((1..=shares).map(share).collect())
}

/// The polynomials with the key at zero, at `x`.
fn point(x: u8, key: &Bytes, terms: &[Bytes]) -> Bytes {
    let mut value = [0; MASTER_KEY_LEN];
    for term in terms.iter().rev().chain([key]) {
        for (y, term) in value.iter_mut().zip(term.expose()) {
            *y = times(*y, x) ^ term;
        }
    }
    Secret::new(value)
}

/// The polynomials through these points, at zero.
fn at_zero(points: &[Share]) -> Bytes {
    let mut value = [0; MASTER_KEY_LEN];
    for Share {
        number, value: y, ..
    } in points
    {
        let others = points.iter().map(|other| other.number);
        let others = others.filter(|other| other != number);
        let weight = others.fold(1, |weight, other| {
            times(weight, times(other, inverse(other ^ number)))
        });
        for (sum, y) in value.iter_mut().zip(y.expose()) {
            *sum ^= times(*y, weight);
        }
    }
    Secret::new(value)
}

/// A product in the field, in a time that tells nothing about the factors.
fn times(a: u8, b: u8) -> u8 {
    let (mut product, mut a) = (0, a);
    for bit in 0..8 {
        product ^= a & all_or_none(b >> bit);
        a = (a << 1) ^ (0x1b & all_or_none(a >> 7));
    }
    product
}

fn all_or_none(bit: u8) -> u8 {
    0_u8.wrapping_sub(bit & 1)
}

/// The element whose product with this one is one: its power of 254.
fn inverse(a: u8) -> u8 {
    let (mut square, mut product) = (a, 1);
    for _ in 1..8 {
        square = times(square, square);
        product = times(product, square);
    }
    product
}

/// Shares of one key from one occasion, as they are brought in.
#[derive(Default)]
pub struct Pile(Vec<Share>);

/// Why a line was not taken.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Letters or groups are missing or too many.
    #[error("a share has {GROUPS} groups of {GROUP} letters, and this has {0}")]
    Groups(usize),
    /// One group is too short or too long.
    #[error("group {group} has {has} letters instead of {GROUP}")]
    Length {
        /// Which, from one.
        group: usize,
        /// How many letters it has.
        has: usize,
    },
    /// These groups are not as they were written.
    #[error("{} mistyped", groups(.0))]
    Mistyped(Vec<usize>),
    /// Every group could be right, and all of them are not.
    #[error("something in it is mistyped: compare it with the paper, letter by letter")]
    Digest,
    /// A later version's.
    #[error("it is of a form that this version does not know")]
    Version,
    /// It would make another key.
    #[error("it is a share of the key {this}, and the ones before are of the key {others}")]
    OtherKey {
        /// Its key.
        this: KeyName,
        /// The key of the ones before.
        others: KeyName,
    },
    /// It does not go with the others.
    #[error(
        "it was not made together with the ones before: the key {0} was split more than once, and only shares of one occasion go together"
    )]
    OtherOccasion(KeyName),
}

/// Why shares make no key.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    /// There are not enough of them.
    #[error("{} shares are needed, and {} here", .needed, are(*.has))]
    TooFew {
        /// Different ones there are.
        has: usize,
        /// How many it takes.
        needed: u8,
    },
    /// There are none.
    #[error("there are no shares")]
    None,
    /// The key has another name than they say.
    #[error(
        "these shares do not make the key {0}, although each of them is as it was written: they were not made together"
    )]
    Another(KeyName),
    /// Something of ours broke.
    #[error(transparent)]
    Fault(#[from] Fault),
}

fn groups(which: &[usize]) -> String {
    match which {
        [one] => format!("group {one} is"),
        more => {
            let more: Vec<String> = more.iter().map(usize::to_string).collect();
            format!("groups {} are", more.join(", "))
        }
    }
}

fn are(count: usize) -> String {
    let verb = if count == 1 { "is" } else { "are" };
    format!("{count} {verb}")
}

impl Pile {
    /// Takes a share in as it was typed. One that is there already changes nothing.
    pub fn add(&mut self, line: &str) -> Result<(), Unfit> {
        let share = Share::read(line)?;
        if let Some(first) = self.0.first() {
            if first.key != share.key {
                let (this, others) = (share.key, first.key);
                return Err(Unfit::OtherKey { this, others });
            }
            if (first.occasion, first.needed) != (share.occasion, share.needed) {
                return Err(Unfit::OtherOccasion(share.key));
            }
        }
        let same = self.0.iter().find(|known| known.number == share.number);
        match same.map(|same| same.value.expose().ct_eq(share.value.expose()).into()) {
            Some(true) => {}
            Some(false) => return Err(Unfit::OtherOccasion(share.key)),
            None => self.0.push(share),
        }
        Ok(())
    }

    /// How many different ones there are.
    pub fn has(&self) -> usize {
        self.0.len()
    }

    /// How many are still needed; nobody knows before the first.
    pub fn lacks(&self) -> Option<usize> {
        let first = self.0.first()?;
        Some(usize::from(first.needed).saturating_sub(self.0.len()))
    }

    /// The key they make, all of them together.
    pub fn combine(&self) -> Result<Bytes, Unmade> {
        let first = self.0.first().ok_or(Unmade::None)?;
        let (has, needed) = (self.0.len(), first.needed);
        if has < usize::from(needed) {
            return Err(Unmade::TooFew { has, needed });
        }
        let key = at_zero(&self.0);
        if KeyName::of(&key)? != first.key {
            return Err(Unmade::Another(first.key));
        }
        Ok(key)
    }
}

impl Share {
    /// Its number, from one.
    pub fn number(&self) -> u8 {
        self.number
    }

    /// The line to be written on paper.
    pub fn text(&self) -> Secret<String> {
        let symbols = self.symbols();
        let mut text = String::with_capacity(GROUPS * (GROUP + 1));
        for (at, group) in symbols.expose().chunks(CHECKED).enumerate() {
            if at > 0 {
                text.push('-');
            }
            text.extend(group.iter().map(|symbol| letter(*symbol)));
            text.push(letter(check(at, group)));
        }
        Secret::new(text)
    }

    fn symbols(&self) -> Secret<Vec<u8>> {
        let mut symbols = Vec::with_capacity(GROUPS * GROUP);
        symbols.extend([VERSION, self.needed, self.number]);
        put(self.key.0, NAME_LETTERS, &mut symbols);
        put(self.occasion, OCCASION_LETTERS, &mut symbols);
        put_bytes(self.value.expose(), &mut symbols);
        put(sum(&symbols), SUM_LETTERS, &mut symbols);
        Secret::new(symbols)
    }

    /// Reads what was typed: capitals or not, with hyphens, spaces or nothing between groups, `O` for zero, `I` and `L` for one.
    fn read(line: &str) -> Result<Self, Unfit> {
        let symbols = checked(&typed_groups(line))?;
        let mut rest = symbols.expose().as_slice();
        let mut next = |count: usize| {
            let (taken, left) = rest.split_at_checked(count).unwrap_or_default();
            rest = left;
            taken
        };
        let [version, needed, number] = [1; 3].map(|one| next(one).first().copied().unwrap_or(0));
        let key = KeyName(got(next(NAME_LETTERS as usize)));
        let occasion = got(next(OCCASION_LETTERS as usize));
        let value = got_bytes(next(VALUE_LETTERS));
        let share = Self {
            needed,
            number,
            key,
            occasion,
            value,
        };
        if version != VERSION {
            return Err(Unfit::Version);
        }
        // Also what fills the last letter up, and the digest.
        let is_it = share.symbols().expose() == symbols.expose();
        if !is_it || needed < NEEDED_MIN || number == 0 {
            return Err(Unfit::Digest);
        }
        Ok(share)
    }
}

const VERSION: u8 = 1;
const NAME_LETTERS: u32 = 6;
const OCCASION_LETTERS: u32 = 3;
const VALUE_LETTERS: usize = (MASTER_KEY_LEN * 8).div_ceil(5);
const SUM_LETTERS: u32 = 4;
/// Letters of a group before the one that checks them.
const CHECKED: usize = 4;
const GROUP: usize = CHECKED + 1;
const GROUPS: usize = 17;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

fn letter(symbol: u8) -> char {
    char::from(ALPHABET.get(usize::from(symbol)).copied().unwrap_or(b'0'))
}

fn symbol(letter: char) -> Option<u8> {
    let letter = match letter.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let at = ALPHABET
        .iter()
        .position(|known| char::from(*known) == letter)?;
    u8::try_from(at).ok()
}

/// The letter that checks a group, which depends on where the group stands: every other letter in its place, and every
/// group in another's, is noticed.
fn check(at: usize, group: &[u8]) -> u8 {
    let weighed = group.iter().zip([1, 3, 5, 7]);
    let sum = weighed.map(|(symbol, weight)| usize::from(*symbol) * weight);
    low(sum.sum::<usize>() + at)
}

fn low(number: usize) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low & 31
}

/// The digest at a share's end.
fn sum(symbols: &[u8]) -> u32 {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"admit share v1");
    context.update(symbols);
    let digest = context.finish();
    let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(first) >> (u32::BITS - 5 * SUM_LETTERS)
}

fn put(number: u32, letters: u32, symbols: &mut Vec<u8>) {
    for at in (0..letters).rev() {
        symbols.push(low((number >> (5 * at)) as usize));
    }
}

fn got(symbols: &[u8]) -> u32 {
    let symbols = symbols.iter().map(|symbol| u32::from(*symbol));
    symbols.fold(0, |number, symbol| number << 5 | symbol)
}

fn put_bytes(bytes: &[u8], symbols: &mut Vec<u8>) {
    let (mut held, mut bits) = (0, 0);
    for byte in bytes {
        held = (held << 8 | usize::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            symbols.push(low(held >> bits));
        }
    }
    if bits > 0 {
        symbols.push(low(held << (5 - bits)));
    }
}

fn got_bytes(symbols: &[u8]) -> Bytes {
    let mut bytes = [0; MASTER_KEY_LEN];
    let mut symbols = symbols.iter();
    let (mut held, mut bits) = (0_usize, 0);
    for byte in &mut bytes {
        while bits < 8 {
            held = (held << 5 | usize::from(symbols.next().copied().unwrap_or(0))) & 0xfff;
            bits += 5;
        }
        bits -= 8;
        [*byte, ..] = (held >> bits).to_le_bytes();
    }
    Secret::new(bytes)
}

/// The groups as they were typed, or of five letters each where nothing is between them.
fn typed_groups(line: &str) -> Vec<&str> {
    let between = |c: char| c == '-' || c.is_whitespace();
    let groups = line.split(between).filter(|group| !group.is_empty());
    let groups: Vec<&str> = groups.collect();
    match groups.as_slice() {
        [whole] if whole.is_ascii() => {
            let starts = (0..whole.len()).step_by(GROUP);
            let group = |from| whole.get(from..whole.len().min(from + GROUP));
            starts.filter_map(group).collect()
        }
        _ => groups,
    }
}

/// The symbols of all groups without those that check them.
fn checked(groups: &[&str]) -> Result<Secret<Vec<u8>>, Unfit> {
    if groups.len() != GROUPS {
        return Err(Unfit::Groups(groups.len()));
    }
    let lengths = groups.iter().map(|group| group.chars().count());
    let mut lengths = (1..).zip(lengths);
    if let Some((group, has)) = lengths.find(|(_, has)| *has != GROUP) {
        return Err(Unfit::Length { group, has });
    }
    let (mut symbols, mut mistyped) = (Vec::with_capacity(GROUPS * GROUP), Vec::new());
    for (at, group) in groups.iter().enumerate() {
        let read: Option<Vec<u8>> = group.chars().map(symbol).collect();
        let read = read.map(Secret::new);
        let parts = read.as_ref().and_then(|read| read.expose().split_last());
        match parts {
            Some((last, rest)) if check(at, rest) == *last => symbols.extend(rest),
            Some(_) | None => mistyped.push(at + 1),
        }
    }
    let symbols = Secret::new(symbols);
    if mistyped.is_empty() {
        return Ok(symbols);
    }
    Err(Unfit::Mistyped(mistyped))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::SeededEntropy;

    /// Of the key 00 01 … 1f, as a program of other people's making wrote them, with the tables of logarithms we do without.
    const FROM_PAPER: [&str; 5] = [
        "131JD-7NFQK-84HMQ-R31WD-DJEC1-SZ9D3-BP6VE-VVGYN-9SZAX-XQRFC-7XQSA-ZKZR6-51C88-HE79A-354QN-KAEGP-M3R3T",
        "132JJ-7NFQK-84HMQ-PTWT9-H5WAP-GQTEY-QKP1B-T0QKS-4F8CN-2D34X-JP37Y-F9TS6-Z0557-NAXWN-9PEPS-WZW0M-YWQY7",
        "133JQ-7NFQK-84HMQ-ESXP7-RQA21-9WG37-J7GK2-0K2XN-NNZ8F-Y6KAY-QF4DX-JAFGP-P4HNP-70QMK-WMAWW-CDX0K-6YN0S",
        "134JW-7NFQK-84HMQ-RFVAN-JQ0QW-4BK98-6W25D-3B188-KF33C-2TZ8C-QN11C-D9FW2-3D2Q1-C8YXJ-765DV-E83GM-XNKP5",
        "135J1-7NFQK-84HMQ-0CT6K-V5PZN-X0S4V-384QP-SRM6P-2NM7Y-YHF6F-JC6BB-GATNE-A9P7G-Y2MN8-J4172-YT2GN-SQ965",
    ];

    fn key_of_paper() -> [u8; MASTER_KEY_LEN] {
        std::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    fn pile<'a>(lines: impl IntoIterator<Item = &'a str>) -> Pile {
        let mut pile = Pile::default();
        for line in lines {
            pile.add(line).unwrap();
        }
        pile
    }

    fn lines(key: [u8; 32], shares: u8, needed: u8, seed: u64) -> Vec<String> {
        let key = Secret::new(key);
        let made = split(&key, shares, needed, &SeededEntropy::new(seed)).unwrap();
        made.iter()
            .map(|share| share.text().expose().clone())
            .collect()
    }

    #[test]
    fn the_field_is_that_of_aes() {
        // FIPS 197 §4.2 and §5.1.1.
        assert_eq!(times(0x57, 0x83), 0xc1);
        assert_eq!(times(0x57, 0x13), 0xfe);
        assert_eq!(inverse(0x53), 0xca);
        for a in 1..=u8::MAX {
            assert_eq!(times(a, inverse(a)), 1, "{a}");
            assert_eq!((times(a, 0), times(a, 1)), (0, a));
        }
    }

    #[test]
    fn d9_any_three_of_five_make_the_key_again_and_two_do_not() {
        let mut kinds = 0;
        for [a, b, c] in [
            [0, 1, 2],
            [0, 1, 3],
            [0, 1, 4],
            [0, 2, 3],
            [0, 2, 4],
            [0, 3, 4],
            [1, 2, 3],
            [1, 2, 4],
            [1, 3, 4],
            [2, 3, 4],
        ] {
            let pile = pile([c, a, b].map(|at| FROM_PAPER[at]));
            assert_eq!(pile.combine().unwrap().expose(), &key_of_paper());
            assert_ne!(at_zero(&pile.0[..2]).expose(), &key_of_paper());
            kinds += 1;
        }
        assert_eq!(kinds, 10);
        assert!(pile(FROM_PAPER).combine().is_ok(), "all five");
        let mut two = pile([FROM_PAPER[4], FROM_PAPER[1], FROM_PAPER[4]]);
        assert_eq!((two.has(), two.lacks()), (2, Some(1)));
        let why = two.combine().unwrap_err().to_string();
        assert_eq!(why, "3 shares are needed, and 2 are here");
        two.add(FROM_PAPER[0]).unwrap();
        assert_eq!((two.lacks(), two.combine().is_ok()), (Some(0), true));
        assert!(matches!(Pile::default().combine(), Err(Unmade::None)));
    }

    #[test]
    fn what_is_written_is_what_was_on_paper() {
        for line in FROM_PAPER {
            assert_eq!(Share::read(line).unwrap().text().expose(), line);
        }
        let name = KeyName::of(&Secret::new(key_of_paper())).unwrap();
        assert_eq!(name.to_string(), "J7NFQ8");
    }

    #[test]
    fn it_may_be_typed_as_people_type() {
        let line = FROM_PAPER[0];
        for typed in [
            line.to_lowercase(),
            line.replace('-', " "),
            line.replace('-', ""),
            line.replace('-', " - "),
            line.replace('0', "O").replace('1', "l"),
            line.replace('1', "I"),
        ] {
            assert_eq!(Share::read(&typed).unwrap().text().expose(), line);
        }
    }

    #[test]
    fn every_wrong_letter_is_refused_and_its_group_named() {
        let line = FROM_PAPER[2];
        let letters = ALPHABET.iter().map(|letter| char::from(*letter));
        let letters: Vec<char> = letters.chain(['U', '!', 'é', '#']).collect();
        for (at, right) in line.char_indices().filter(|(_, c)| *c != '-') {
            for wrong in letters.iter().filter(|wrong| **wrong != right) {
                let mut typed: Vec<char> = line.chars().collect();
                typed[at] = *wrong;
                let typed: String = typed.into_iter().collect();
                let group = at / (GROUP + 1) + 1;
                assert_eq!(
                    Share::read(&typed).err(),
                    Some(Unfit::Mistyped(vec![group])),
                    "{typed}"
                );
            }
        }
    }

    #[test]
    fn letters_left_out_doubled_and_swapped_are_refused() {
        let line = FROM_PAPER[3];
        for (at, _) in line.char_indices().filter(|(_, c)| *c != '-') {
            let group = at / (GROUP + 1) + 1;
            let without = format!("{}{}", &line[..at], &line[at + 1..]);
            let doubled = format!("{}{}", &line[..=at], &line[at..]);
            for (typed, has) in [(&without, GROUP - 1), (&doubled, GROUP + 1)] {
                let why = Some(Unfit::Length { group, has });
                assert_eq!(Share::read(typed).err(), why, "{typed}");
                assert!(Share::read(&typed.replace('-', "")).is_err(), "{typed}");
            }
            let mut swapped = line.replace('-', "").into_bytes();
            let at = at - at / (GROUP + 1);
            if at > 0 && swapped[at] != swapped[at - 1] {
                swapped.swap(at, at - 1);
                let typed = String::from_utf8(swapped).unwrap();
                assert!(Share::read(&typed).is_err(), "{typed}");
            }
        }
        let groups: Vec<&str> = line.split('-').collect();
        for at in 1..groups.len() {
            let mut swapped = groups.clone();
            swapped.swap(at - 1, at);
            let why = Unfit::Mistyped(vec![at, at + 1]);
            assert_eq!(Share::read(&swapped.join(" ")).err(), Some(why));
        }
        let fewer = Share::read(&groups[..16].join("-")).err().unwrap();
        let words = "a share has 17 groups of 5 letters, and this has 16";
        assert_eq!(
            (fewer, &*Unfit::Groups(16).to_string()),
            (Unfit::Groups(16), words)
        );
    }

    #[test]
    fn shares_that_do_not_go_together_are_told_apart() {
        let ours = lines([7; 32], 5, 3, 1);
        let again = lines([7; 32], 5, 3, 2);
        let another = lines([8; 32], 5, 3, 1);
        let mut pile = pile([ours[0].as_str()]);
        assert!(matches!(pile.add(&another[1]), Err(Unfit::OtherKey { .. })));
        for other in &again {
            let refused = pile.add(other).unwrap_err();
            assert!(matches!(refused, Unfit::OtherOccasion(_)), "{refused}");
        }
        assert_eq!(pile.has(), 1, "what was refused is not counted");
        // Of one occasion by their words, as no accident makes them.
        let mut forged = Share::read(&ours[1]).unwrap();
        forged.value = Secret::new([1; 32]);
        pile.add(forged.text().expose()).unwrap();
        pile.add(&ours[2]).unwrap();
        assert!(matches!(pile.combine(), Err(Unmade::Another(_))));
        assert!(pile.add(&ours[1]).is_err());
    }

    #[test]
    fn a_count_that_makes_no_sense_is_refused() {
        let key = Secret::new([7; 32]);
        for (shares, needed) in [(5, 0), (5, 1), (2, 3), (32, 3), (0, 0)] {
            let made = split(&key, shares, needed, &SeededEntropy::new(1));
            assert!(made.is_err(), "{needed} of {shares}");
        }
    }

    proptest! {
        #[test]
        fn any_key_comes_back_from_any_shares_that_suffice(
            key: [u8; 32],
            seed: u64,
            (shares, needed, order) in (2..=SHARES_MAX).prop_flat_map(|shares| {
                let order: Vec<usize> = (0..usize::from(shares)).collect();
                (Just(shares), 2..=shares, Just(order).prop_shuffle())
            }),
        ) {
            let lines = lines(key, shares, needed, seed);
            let mut pile = Pile::default();
            for at in order.into_iter().take(usize::from(needed)) {
                prop_assert!(pile.combine().is_err());
                pile.add(&lines[at]).unwrap();
            }
            let made = pile.combine().unwrap();
            prop_assert_eq!(made.expose(), &key);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", letters in "[0-9A-Z -]{80,110}") {
            let _ = Share::read(&text);
            prop_assert!(Share::read(&letters).is_err());
        }
    }
}
