//! Versions, key agreement and suites, asked for by a client of a library's own.

use std::path::Path;
use std::sync::Arc;

use admit::crypto::authority::ends_at;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, kx_group};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    CipherSuite, ClientConfig, NamedGroup, ProtocolVersion, RootCertStore, SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::process::{Launch, Process};

const TLS12: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// Version, suite and group of a handshake; nothing if there was none.
type Agreed = Option<(ProtocolVersion, CipherSuite, NamedGroup)>;

async fn agreed(
    process: &Process,
    data: &Path,
    versions: &[&'static SupportedProtocolVersion],
    change: impl FnOnce(&mut CryptoProvider),
) -> Agreed {
    let mut provider = aws_lc_rs::default_provider();
    change(&mut provider);
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(data.join("tls/ca.pem")).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(process.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .ok()?;
    let (_, session) = connected.get_ref();
    Some((
        session.protocol_version()?,
        session.negotiated_cipher_suite()?.suite(),
        session.negotiated_key_exchange_group()?.name(),
    ))
}

#[tokio::test]
async fn g10_keys_are_agreed_with_a_post_quantum_group_and_256_bits_are_preferred() {
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path()).start();
    let usual = agreed(&process, data.path(), BOTH, |_| {}).await;
    let best = (
        ProtocolVersion::TLSv1_3,
        CipherSuite::TLS13_AES_256_GCM_SHA384,
        NamedGroup::X25519MLKEM768,
    );
    assert_eq!(usual, Some(best));

    let turned = agreed(&process, data.path(), BOTH, |provider| {
        provider.cipher_suites.reverse();
        provider.kx_groups = vec![kx_group::X25519, kx_group::X25519MLKEM768];
    });
    let (_, suite, _) = turned.await.unwrap();
    assert_eq!(suite, CipherSuite::TLS13_AES_256_GCM_SHA384);

    for group in [kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1] {
        let old = agreed(&process, data.path(), BOTH, |provider| {
            provider.kx_groups = vec![group];
        });
        assert_eq!(old.await.unwrap().2, group.name());
    }
    let older = agreed(&process, data.path(), TLS12, |_| {}).await.unwrap();
    assert_eq!(older.0, ProtocolVersion::TLSv1_2);
    assert_eq!(
        older.1,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
    );
}

#[tokio::test]
async fn no_suite_has_less_than_256_bits() {
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path()).start();
    let weak = agreed(&process, data.path(), BOTH, |provider| {
        let is_weak = |suite: CipherSuite| format!("{suite:?}").contains("AES_128");
        provider
            .cipher_suites
            .retain(|suite| is_weak(suite.suite()));
        assert!(!provider.cipher_suites.is_empty());
    });
    assert_eq!(weak.await, None);
}

#[tokio::test]
async fn where_only_tls_1_3_is_wanted_nothing_older_is_spoken() {
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path())
        .with("ADMIT_TLS_MINIMUM_VERSION", "1.3")
        .start();
    assert_eq!(agreed(&process, data.path(), TLS12, |_| {}).await, None);
    let newest = agreed(&process, data.path(), BOTH, |_| {}).await.unwrap();
    assert_eq!(newest.0, ProtocolVersion::TLSv1_3);
}

#[test]
fn our_own_certificate_lives_no_longer_than_ninety_days() {
    let data = tempfile::tempdir().unwrap();
    let process = Launch::on(data.path()).start();
    let pem = std::fs::read_to_string(data.path().join("tls/server.pem")).unwrap();
    let end = ends_at(&pem).unwrap();
    let now: admit::kernel::Timestamp = admit::kernel::Clock::now(&admit::kernel::SystemClock);
    let days = (end.seconds() - now.seconds()) / 86_400;
    assert!((80..=90).contains(&days), "{days}");
    drop(process);
}
