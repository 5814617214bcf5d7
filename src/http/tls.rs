//! Certificates from files into rustls: an operator's own, or the built-in authority's, made at the first start.
//!
//! TLS 1.2 and 1.3 only (RFC 9325), or 1.3 alone; keys are agreed with X25519MLKEM768 where the client can, so that what
//! is recorded today stays closed to tomorrow's machines; HTTP/2 or HTTP/1.1 by ALPN (RFC 7301). A certificate can be
//! replaced while connections live: each handshake takes the one that is current.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suites};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};
use zeroize::Zeroizing;

use crate::crypto::authority::{self, Authority, Leaf};
use crate::kernel::{Secret, Timestamp, files};

/// Where a server's certificate and key are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to a root, in PEM.
    pub chain: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
    /// The built-in authority's certificate, when it signed: what clients are asked to trust.
    pub authority: Option<PathBuf>,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{path}: {1}", path = .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A file does not hold what it should.
    #[error("{path}: {1}", path = .0.display())]
    Content(PathBuf, String),
    /// The authority cannot sign.
    #[error("the built-in certificate authority: {0}")]
    Authority(#[from] authority::Error),
    /// The TLS library refused.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Finds or makes the files of the built-in authority under `dir`, with a certificate that covers `names`.
///
/// The authority is made once. Its certificate for the server is made again when it no longer covers the names or is
/// within a month of its end.
pub fn prepare(dir: &Path, names: &[String], now: Timestamp) -> Result<TlsFiles, Error> {
    let dir = dir.join("tls");
    files::make_private(&dir).map_err(at(&dir))?;
    let own = TlsFiles {
        chain: dir.join("server.pem"),
        key: dir.join("server.key"),
        authority: Some(dir.join("ca.pem")),
    };
    let (ca_pem, ca_key) = (dir.join("ca.pem"), dir.join("ca.key"));
    let Some(root) = found(&ca_pem)? else {
        let name = names.first().map_or("Admit", String::as_str);
        let authority = Authority::create(&format!("Admit authority of {name}"), now)?;
        // The key first: a certificate without its key would look like one an operator has taken away.
        write_key(&ca_key, &authority.key_pem())?;
        write_chain(&ca_pem, authority.cert_pem())?;
        issue(&own, &authority, names, now)?;
        return Ok(own);
    };
    if !stands(&own, &root, names, now)? {
        let key = Secret::new(text(&ca_key)?);
        issue(&own, &Authority::load(&root, &key)?, names, now)?;
    }
    Ok(own)
}

/// The certificate new handshakes are given; reading the files again replaces it for the next ones.
pub struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
    looked: Mutex<Looked>,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Oldest {
    /// RFC 5246, with forward secrecy and authenticated encryption only.
    #[default]
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// How the files looked when they were read.
#[derive(Debug, Default)]
struct Looked {
    /// What is in use.
    used: Stamp,
    /// What was no good, and whether that was told.
    failed: Option<(Stamp, bool)>,
}

/// What changes when somebody writes the certificate's or the key's file, or puts another in its place: device, file,
/// length, and the instants of both kinds of change. Where there is no file there is nothing.
type Stamp = [Option<[i64; 7]>; 2];

impl Certificate {
    /// Reads the files and checks that key and certificate belong together.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, Error> {
        let provider = Arc::new(CryptoProvider {
            cipher_suites: SUITES.to_vec(),
            ..aws_lc_rs::default_provider()
        });
        // Before they are read: what changes meanwhile is read again.
        let used = stamp(&files);
        let current = RwLock::new(Arc::new(certified(&files, &provider)?));
        Ok(Arc::new(Self {
            files,
            provider,
            current,
            looked: Mutex::new(Looked { used, failed: None }),
        }))
    }

    /// Where it is kept.
    pub fn files(&self) -> &TlsFiles {
        &self.files
    }

    /// When the one in use ends, whatever the files hold by now.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        authority::der_ends_at(current.cert.first()?)
    }

    /// Reads the files again. If they are no good the certificate in use stays.
    pub fn reload(&self) -> Result<(), Error> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let found = stamp(&self.files);
        let fresh = certified(&self.files, &self.provider);
        let fresh = fresh.inspect_err(|_| looked.failed = Some((found, true)))?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        *looked = Looked {
            used: found,
            failed: None,
        };
        Ok(())
    }

    /// Reads the files again if somebody has changed them; whether the certificate is another one now.
    ///
    /// What is no good is told once, and not at the first look: of two files that are replaced, one is the first.
    pub fn follow(&self) -> Result<bool, Error> {
        let found = stamp(&self.files);
        let known = {
            let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
            if found == looked.used {
                looked.failed = None;
                return Ok(false);
            }
            looked.failed.filter(|(failed, _)| *failed == found)
        };
        if let Some((_, true)) = known {
            return Ok(false);
        }
        match self.reload() {
            Ok(()) => Ok(true),
            Err(error) if known.is_some() => Err(error),
            Err(_) => {
                let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
                looked.failed = Some((found, false));
                Ok(false)
            }
        }
    }

    /// How connections are to be encrypted with this certificate.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, Error> {
        self.server_config_from(Oldest::default())
    }

    /// The same with versions that are not older than this one.
    pub fn server_config_from(
        self: &Arc<Self>,
        oldest: Oldest,
    ) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(oldest.versions())?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        // The strongest both have, whatever the client puts first.
        config.ignore_client_order = true;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl Oldest {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        const BOTH: &[&SupportedProtocolVersion] =
            &[&rustls::version::TLS13, &rustls::version::TLS12];
        const NEWEST: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
        match self {
            Self::Tls12 => BOTH,
            Self::Tls13 => NEWEST,
        }
    }
}

/// Keys of 256 bits only, the best first. RFC 8446 §9.1 and RFC 9113 §9.2.2 ask for suites of 128 bits as well, for
/// clients that have no others; none of those we serve is such a one.
const SUITES: [SupportedCipherSuite; 6] = [
    suites::TLS13_AES_256_GCM_SHA384,
    suites::TLS13_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

fn stamp(files: &TlsFiles) -> Stamp {
    [&files.chain, &files.key].map(|path| {
        let found = fs::metadata(path).ok()?;
        Some([
            found.dev().cast_signed(),
            found.ino().cast_signed(),
            found.len().cast_signed(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec(),
        ])
    })
}

fn certified(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, Error> {
    let content = |path: &Path, e: &dyn fmt::Display| Error::Content(path.into(), e.to_string());
    let chain = text(&files.chain)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| content(&files.chain, &e))?;
    if chain.is_empty() {
        return Err(content(&files.chain, &"holds no certificate"));
    }
    let key = Zeroizing::new(text(&files.key)?);
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| {
        if matches!(e, pem::Error::NoItemsFound) {
            return content(&files.key, &"holds no private key");
        }
        content(&files.key, &e)
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|e| {
        if matches!(e, rustls::Error::InconsistentKeys(_)) {
            let chain = files.chain.display();
            let words = format!("is not the key of the certificate in {chain}");
            return content(&files.key, &words);
        }
        content(&files.key, &e)
    })
}

fn stands(files: &TlsFiles, root: &str, names: &[String], now: Timestamp) -> Result<bool, Error> {
    let (Some(chain), Some(key)) = (found(&files.chain)?, found(&files.key)?) else {
        return Ok(false);
    };
    let ours = chain.ends_with(root);
    let key = Secret::new(key);
    Ok(ours && authority::leaf_covers(&chain, names, now) && authority::key_matches(&chain, &key))
}

fn issue(
    files: &TlsFiles,
    authority: &Authority,
    names: &[String],
    now: Timestamp,
) -> Result<(), Error> {
    let Leaf { cert_pem, key_pem } = authority.issue(names, now)?;
    write_key(&files.key, &key_pem)?;
    write_chain(&files.chain, &format!("{cert_pem}{}", authority.cert_pem()))
}

fn write_key(path: &Path, key: &Secret<String>) -> Result<(), Error> {
    files::write_private(path, key.expose().as_bytes()).map_err(at(path))
}

fn write_chain(path: &Path, chain: &str) -> Result<(), Error> {
    files::write_public(path, chain.as_bytes()).map_err(at(path))
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| Error::File(path.into(), error)
}

fn text(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(at(path))
}

fn found(path: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(at(path)(e)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::http::fixture::Folder;

    fn now() -> Timestamp {
        "2026-11-21T21:30:24Z".parse().unwrap()
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| String::from(*name)).collect()
    }

    #[test]
    fn files_are_made_once_and_keys_are_private() {
        let folder = Folder::new();
        let names = names(&["localhost", "127.0.0.1"]);
        let files = prepare(folder.path(), &names, now()).unwrap();
        let before = fs::read(&files.chain).unwrap();
        assert_eq!(prepare(folder.path(), &names, now()).unwrap(), files);
        assert_eq!(fs::read(&files.chain).unwrap(), before);
        for name in ["ca.key", "server.key"] {
            let kept = fs::metadata(folder.path().join("tls").join(name)).unwrap();
            assert_eq!(kept.permissions().mode() & 0o777, 0o600, "{name}");
        }
        assert_eq!(fs::read_dir(folder.path().join("tls")).unwrap().count(), 4);
        Certificate::load(files).unwrap().server_config().unwrap();
    }

    #[test]
    fn a_leaf_is_issued_again_for_a_new_name_and_near_its_end_by_the_same_authority() {
        let folder = Folder::new();
        let first = names(&["localhost"]);
        let files = prepare(folder.path(), &first, now()).unwrap();
        let root = fs::read_to_string(files.authority.as_ref().unwrap()).unwrap();
        let leaf = fs::read_to_string(&files.chain).unwrap();

        let more = names(&["localhost", "admit.example"]);
        prepare(folder.path(), &more, now()).unwrap();
        let renamed = fs::read_to_string(&files.chain).unwrap();
        assert_ne!(renamed, leaf);
        let later = now().after(Duration::from_hours(370 * 24));
        prepare(folder.path(), &more, later).unwrap();
        let renewed = fs::read_to_string(&files.chain).unwrap();
        assert_ne!(renewed, renamed);
        assert!(renewed.ends_with(&root));
    }

    #[test]
    fn a_torn_pair_is_replaced_and_a_bad_reload_changes_nothing() {
        let folder = Folder::new();
        let names = names(&["localhost"]);
        let files = prepare(folder.path(), &names, now()).unwrap();
        let certificate = Certificate::load(files.clone()).unwrap();
        fs::copy(folder.path().join("tls/ca.key"), &files.key).unwrap();
        assert!(matches!(certificate.reload(), Err(Error::Content(..))));
        prepare(folder.path(), &names, now()).unwrap();
        certificate.reload().unwrap();
    }

    #[test]
    fn a_key_of_another_certificate_is_told_in_words_of_ours() {
        let folder = Folder::new();
        let names = names(&["localhost"]);
        let files = prepare(folder.path(), &names, now()).unwrap();
        let certificate = Certificate::load(files.clone()).unwrap();
        let other = fs::read(folder.path().join("tls/ca.key")).unwrap();
        let (chain, key) = (files.chain.display(), files.key.display());
        let cases = [
            (
                other,
                format!("{key}: is not the key of the certificate in {chain}"),
            ),
            (Vec::new(), format!("{key}: holds no private key")),
        ];
        for (written, words) in cases {
            fs::write(&files.key, written).unwrap();
            assert_eq!(certificate.reload().unwrap_err().to_string(), words);
            let started = Certificate::load(files.clone());
            assert_eq!(started.unwrap_err().to_string(), words);
        }
    }

    #[test]
    fn a_changed_pair_is_followed_and_a_bad_one_is_told_once_and_not_at_the_first_look() {
        let folder = Folder::new();
        let names = names(&["localhost"]);
        let files = prepare(folder.path(), &names, now()).unwrap();
        let certificate = Certificate::load(files.clone()).unwrap();
        assert!(!certificate.follow().unwrap());
        let (chain, key) = (fs::read(&files.chain), fs::read(&files.key));

        fs::copy(folder.path().join("tls/ca.key"), &files.key).unwrap();
        assert!(!certificate.follow().unwrap(), "the other may still come");
        assert!(matches!(certificate.follow(), Err(Error::Content(..))));
        assert!(!certificate.follow().unwrap(), "once is enough");

        fs::write(&files.chain, chain.unwrap()).unwrap();
        fs::write(&files.key, key.unwrap()).unwrap();
        assert!(certificate.follow().unwrap());
        assert!(!certificate.follow().unwrap());
        fs::remove_file(&files.key).unwrap();
        assert!(!certificate.follow().unwrap());
        assert!(matches!(certificate.follow(), Err(Error::File(..))));
    }

    #[test]
    fn an_authority_without_its_key_is_not_replaced() {
        let folder = Folder::new();
        let names_then = names(&["localhost"]);
        prepare(folder.path(), &names_then, now()).unwrap();
        fs::remove_file(folder.path().join("tls/ca.key")).unwrap();
        assert!(prepare(folder.path(), &names_then, now()).is_ok());
        let names_now = names(&["admit.example"]);
        assert!(matches!(
            prepare(folder.path(), &names_now, now()),
            Err(Error::File(..))
        ));
    }
}
