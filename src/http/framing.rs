//! HTTP/1.1 messages as they stand on the wire, judged before hyper reads them (RFC 9112 §2.2, §5, §6, §7).
//!
//! hyper forgives what two servers in a row may understand differently: it drops a length beside a chunked coding, takes
//! a bare line feed for a line's end and the same length twice for one. Here that is an attempt at smuggling: the head
//! at fault never reaches hyper, which is given one that stands for the refusal; nothing after it is read.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::limits::Limits;
use super::problem::Problem;

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It breaks the grammar, or frames its body in a doubtful way.
    Malformed,
    /// It, or one of its lines, is too large.
    TooLarge,
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::bad_request("the request is malformed"),
            Fault::TooLarge => Self::headers_too_large(),
        }
    }
}

/// Which of a connection's requests, counted from one, is not a request but a refusal.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    at: Mutex<Option<(u64, Fault)>>,
    answered: AtomicU64,
}

impl Refusal {
    fn set(&self, number: u64, fault: Fault) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, fault));
    }

    /// Counts the next request; gives the fault if it is the one at fault.
    pub(super) fn next(&self) -> Option<Fault> {
        let number = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.and_then(|(refused, fault)| (refused == number).then_some(fault))
    }
}

/// A stream from which only well-framed requests are read.
pub(super) struct Framed<S> {
    stream: S,
    refusal: Arc<Refusal>,
    scanner: Scanner,
    ready: Vec<u8>,
    given: usize,
    /// Whether a body broke off in the middle: what was right of it is still read.
    broken: bool,
}

impl<S> Framed<S> {
    pub(super) fn new(stream: S, limits: &Limits, refusal: Arc<Refusal>) -> Self {
        Self {
            stream,
            refusal,
            scanner: Scanner::new(limits),
            ready: Vec::new(),
            given: 0,
            broken: false,
        }
    }

    /// The stream itself, on which nothing is judged any more.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    fn give(&mut self, into: &mut ReadBuf<'_>) {
        let left = self.ready.get(self.given..).unwrap_or_default();
        let part = left.get(..into.remaining()).unwrap_or(left);
        into.put_slice(part);
        self.given += part.len();
        if self.given == self.ready.len() {
            self.ready.clear();
            self.given = 0;
        }
    }

    fn judge(&mut self, bytes: &[u8]) {
        match self.scanner.scan(bytes, &mut self.ready) {
            Ok(()) => {}
            Err(Wrong::Body) => self.broken = true,
            Err(Wrong::Head(fault)) => {
                self.refusal.set(self.scanner.heads + 1, fault);
                self.ready.extend(self.scanner.stand_in());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ready.is_empty() {
            if self.broken {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if self.scanner.is_done() {
                // An end here would tell hyper that the client has left, and the refusal would not be written.
                return Poll::Pending;
            }
            let mut space = [0; READ];
            let mut read = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.judge(read.filled());
        }
        self.give(into);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, from)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const READ: usize = 4 * 1024;
/// Extensions of one chunk, or all trailers of a body, in bytes.
const ASIDE: usize = 1024;

enum Wrong {
    Head(Fault),
    Body,
}

/// Where in the stream of requests the next byte belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Head,
    Sized(u64),
    Chunk(Chunk),
    /// Past a fault: nothing counts any more.
    Done,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    Size { value: u64, digits: u8 },
    Extension { value: u64, length: usize },
    SizeEnd(u64),
    Data(u64),
    DataReturn,
    DataEnd,
    Trailer { line: usize, length: usize },
    TrailerEnd { line: usize, length: usize },
}

struct Scanner {
    place: Place,
    head: Vec<u8>,
    line: usize,
    lines: usize,
    heads: u64,
    head_size: usize,
    line_size: usize,
    headers: usize,
}

impl Scanner {
    fn new(limits: &Limits) -> Self {
        Self {
            place: Place::Head,
            head: Vec::new(),
            line: 0,
            lines: 0,
            heads: 0,
            head_size: limits.head_size,
            line_size: limits.header_line,
            headers: limits.headers,
        }
    }

    fn is_done(&self) -> bool {
        self.place == Place::Done
    }

    /// Judges `bytes` and moves to `out` what hyper may read of them.
    fn scan(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Wrong> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.place {
                Place::Done => return Ok(()),
                Place::Sized(left) | Place::Chunk(Chunk::Data(left)) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    let (data, after) = bytes.split_at(take);
                    out.extend_from_slice(data);
                    bytes = after;
                    self.pass(left - u64::try_from(take).unwrap_or(left));
                    continue;
                }
                Place::Chunk(chunk) => {
                    let Some(next) = chunk.step(byte) else {
                        self.place = Place::Done;
                        return Err(Wrong::Body);
                    };
                    self.place = next;
                    out.push(byte);
                }
                Place::Head => {
                    if let Err(fault) = self.take_head(byte, out) {
                        self.place = Place::Done;
                        return Err(Wrong::Head(fault));
                    }
                }
            }
            bytes = rest;
        }
        Ok(())
    }

    fn pass(&mut self, left: u64) {
        self.place = match (self.place, left) {
            (Place::Chunk(_), 0) => Place::Chunk(Chunk::DataReturn),
            (Place::Chunk(_), left) => Place::Chunk(Chunk::Data(left)),
            (_, 0) => Place::Head,
            (_, left) => Place::Sized(left),
        };
    }

    fn take_head(&mut self, byte: u8, out: &mut Vec<u8>) -> Result<(), Fault> {
        let after_return = self.head.last() == Some(&b'\r');
        if after_return != (byte == b'\n') || byte == 0 {
            return Err(Fault::Malformed);
        }
        self.head.push(byte);
        self.line += 1;
        if self.head.len() > self.head_size || self.line > self.line_size + 2 {
            return Err(Fault::TooLarge);
        }
        if byte != b'\n' {
            return Ok(());
        }
        let empty = self.line == 2;
        self.line = 0;
        if empty && self.lines == 0 {
            // RFC 9112 §2.2: one empty line before a request is an old client's.
            let stray = self.head.len() > 2;
            return if stray { Err(Fault::Malformed) } else { Ok(()) };
        }
        self.lines += 1;
        if self.lines > self.headers + 2 {
            return Err(Fault::TooLarge);
        }
        if empty {
            self.place = framing(&self.head).ok_or(Fault::Malformed)?;
            self.heads += 1;
            self.lines = 0;
            out.append(&mut self.head);
        }
        Ok(())
    }

    /// A request of the same audience, for hyper to read in place of the one at fault.
    fn stand_in(&self) -> &'static [u8] {
        let mut words = self.head.split(|byte| *byte == b' ');
        match words.nth(1) {
            Some(target) if target.starts_with(b"/auth/v3/") => {
                b"REFUSED /auth/v3 HTTP/1.1\r\n\r\n"
            }
            _ => b"REFUSED / HTTP/1.1\r\n\r\n",
        }
    }
}

impl Chunk {
    fn step(self, byte: u8) -> Option<Place> {
        let next = match (self, byte) {
            (Self::Size { value, digits }, b'\r') if digits > 0 => Self::SizeEnd(value),
            (Self::Size { value, digits }, b';') if digits > 0 => {
                Self::Extension { value, length: 0 }
            }
            (Self::Size { value, digits }, digit) if digits < 15 => Self::Size {
                value: value * 16 + u64::from(char::from(digit).to_digit(16)?),
                digits: digits + 1,
            },
            (Self::Extension { value, .. }, b'\r') => Self::SizeEnd(value),
            (Self::Extension { value, length }, byte) if length < ASIDE && is_text(byte) => {
                Self::Extension {
                    value,
                    length: length + 1,
                }
            }
            (Self::SizeEnd(0), b'\n') => Self::Trailer { line: 0, length: 0 },
            (Self::SizeEnd(size), b'\n') => Self::Data(size),
            (Self::DataReturn, b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size {
                value: 0,
                digits: 0,
            },
            (Self::Trailer { line, length }, b'\r') => Self::TrailerEnd { line, length },
            (Self::Trailer { line, length }, byte) if length < ASIDE && is_text(byte) => {
                Self::Trailer {
                    line: line + 1,
                    length: length + 1,
                }
            }
            (Self::TrailerEnd { line: 0, .. }, b'\n') => return Some(Place::Head),
            (Self::TrailerEnd { length, .. }, b'\n') => Self::Trailer { line: 0, length },
            _ => return None,
        };
        Some(Place::Chunk(next))
    }
}

/// Where a well-formed head's body begins; nothing if the head is not well formed.
fn framing(head: &[u8]) -> Option<Place> {
    let head = head.strip_prefix(b"\r\n").unwrap_or(head);
    // What is not UTF-8 can only stand in values, where it means nothing here.
    let text = String::from_utf8_lossy(head.strip_suffix(b"\r\n\r\n")?);
    let mut lines = text.split("\r\n");
    let old = is_old(lines.next()?)?;
    let (mut length, mut chunked) = (None, false);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let formed = !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(is_text);
        if !formed {
            return None;
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-length") {
            if length.is_some() || chunked {
                return None;
            }
            length = Some(decimal(value)?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            let alone = !chunked && length.is_none() && !old;
            if !alone || !value.eq_ignore_ascii_case("chunked") {
                return None;
            }
            chunked = true;
        }
    }
    Some(match length {
        _ if chunked => Place::Chunk(Chunk::Size {
            value: 0,
            digits: 0,
        }),
        None | Some(0) => Place::Head,
        Some(length) => Place::Sized(length),
    })
}

/// Whether a request line is of HTTP/1.0; nothing if it is no request line.
fn is_old(line: &str) -> Option<bool> {
    let mut words = line.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let formed = words.next().is_none()
        && !method.is_empty()
        && method.bytes().all(is_token)
        && !target.is_empty()
        && target.bytes().all(|byte| byte.is_ascii_graphic());
    match version {
        "HTTP/1.1" if formed => Some(false),
        "HTTP/1.0" if formed => Some(true),
        _ => None,
    }
}

fn decimal(text: &str) -> Option<u64> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What hyper is given, and how often a request was refused.
    fn pass(parts: &[&[u8]]) -> (Vec<u8>, Result<u64, &'static str>) {
        let mut scanner = Scanner::new(&Limits::default());
        let mut out = Vec::new();
        for part in parts {
            match scanner.scan(part, &mut out) {
                Ok(()) => {}
                Err(Wrong::Body) => return (out, Err("body")),
                Err(Wrong::Head(Fault::Malformed)) => return (out, Err("head")),
                Err(Wrong::Head(Fault::TooLarge)) => return (out, Err("size")),
            }
        }
        (out, Ok(scanner.heads))
    }

    const FINE: &[u8] = b"GET /a HTTP/1.1\r\nhost: x\r\n\r\n\
        POST /b HTTP/1.1\r\nHost:x\r\nContent-Length:  5 \r\n\r\nhello\
        POST /c HTTP/1.1\r\nhost: x\r\nTransfer-Encoding: Chunked\r\n\r\n\
        5;a=b\r\nhello\r\n0A\r\n0123456789\r\n0\r\nx-sum: 1\r\n\r\n\
        GET /d HTTP/1.0\r\n\r\n";

    proptest! {
        #[test]
        fn pipelined_requests_pass_unchanged_however_they_are_cut(at in 0..FINE.len(), then in 0..FINE.len()) {
            let (from, to) = (at.min(then), at.max(then));
            let (out, heads) = pass(&[&FINE[..from], &FINE[from..to], &FINE[to..]]);
            prop_assert_eq!(heads, Ok(4));
            prop_assert_eq!(out, FINE);
        }

        #[test]
        fn no_bytes_make_it_fail(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = pass(&[&bytes]);
            let _ = pass(&[b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", &bytes]);
        }
    }

    #[test]
    fn doubtful_heads_do_not_pass() {
        for head in [
            "GET / HTTP/1.1\nhost: x\n\n",
            "GET / HTTP/1.1\r\nhost: x\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\ry: z\r\n\r\n",
            "GET / HTTP/1.1\r\nhost : x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\n host: x\r\n\r\n",
            "GET / HTTP/1.1\r\n: x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost\r\n\r\n",
            "GET  / HTTP/1.1\r\nhost: x\r\n\r\n",
            " GET / HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: x\u{1}\r\n\r\n",
            "GET / HTTP/1.1 \r\nhost: x\r\n\r\n",
            "GET /\u{e9} HTTP/1.1\r\nhost: x\r\n\r\n",
            "GET / HTTP/2.0\r\nhost: x\r\n\r\n",
            "GET /\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
            "POST / HTTP/1.1\r\ncontent-length: 1, 1\r\n\r\na",
            "POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\na",
            "POST / HTTP/1.1\r\ncontent-length: 0x1\r\n\r\na",
            "POST / HTTP/1.1\r\ncontent-length:\r\n\r\na",
            "POST / HTTP/1.1\r\ncontent-length: 99999999999999999999\r\n\r\na",
            "POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.1\r\ntransfer-encoding: \u{b}chunked\r\n\r\n",
            "POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            let (out, result) = pass(&[head.as_bytes()]);
            assert_eq!(result, Err("head"), "{head:?}");
            assert!(out.is_empty(), "{head:?}");
        }
        assert_eq!(pass(&[b"\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n"]).1, Ok(1));
        assert_eq!(pass(&[b"GET / HTTP/1.1\r\nx: \xe9\r\n\r\n"]).1, Ok(1));
    }

    #[test]
    fn doubtful_chunks_do_not_pass() {
        let head: &[u8] = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
        for body in [
            "\r\n",
            "5\nhello\r\n",
            "5\r\nhelloX\r\n",
            "5\r\nhello\n",
            " 5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "-1\r\n",
            "5 \r\nhello\r\n",
            "ffffffffffffffff\r\n",
            "5;a\nb\r\nhello\r\n",
            "0\r\nx: \n\r\n",
            "0\r\n\rX",
        ] {
            assert_eq!(pass(&[head, body.as_bytes()]).1, Err("body"), "{body:?}");
        }
        let long = format!("5;{}\r\n", "a".repeat(2_000));
        assert_eq!(pass(&[head, long.as_bytes()]).1, Err("body"));
    }

    #[test]
    fn a_head_is_bounded_before_it_ends() {
        let line = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(8 * 1024));
        assert_eq!(pass(&[line.as_bytes()]).1, Err("size"));
        let lines = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(66));
        assert_eq!(pass(&[lines.as_bytes()]).1, Err("size"));
        let all = format!("x: {}\r\n", "a".repeat(4_000)).repeat(5);
        let all = format!("GET / HTTP/1.1\r\n{all}");
        assert_eq!(pass(&[all.as_bytes()]).1, Err("size"));
    }
}
