//! A small certificate authority (RFC 5280), so that a first start is HTTPS without anyone's help.
//!
//! Keys are P-256, because every client in the field has it. Knows nothing of files, and is told the time.

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, date_time_ymd,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use crate::kernel::{Secret, Timestamp};

/// A certificate authority: its certificate, and the key that signs for it.
pub struct Authority {
    cert_pem: String,
    not_after: Timestamp,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's certificate and its private key.
#[derive(Debug)]
pub struct Leaf {
    /// The certificate, without the authority's.
    pub cert_pem: String,
    /// The private key in PKCS #8.
    pub key_pem: Secret<String>,
}

/// Why the authority cannot do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A certificate or key is not what it should be.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// The key belongs to another certificate.
    #[error("the key does not belong to the certificate")]
    Mismatch,
    /// The authority's own certificate has ended.
    #[error("the authority's certificate has expired")]
    Expired,
    /// A name cannot stand in a certificate.
    #[error("`{0}` is neither a DNS name nor an IP address")]
    Name(String),
    /// The library refused.
    #[error("the certificate could not be made: {0}")]
    Refused(#[from] rcgen::Error),
}

impl Authority {
    /// A new authority, valid for ten years, that can sign servers but no further authority.
    pub fn create(name: &str, now: Timestamp) -> Result<Self, Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let not_after = now.after(AUTHORITY_LIFE);
        limit(&mut params, now.before(BACKDATED), not_after);
        let cert_pem = params.self_signed(&key)?.pem();
        Ok(Self {
            cert_pem,
            not_after,
            issuer: Issuer::new(params, key),
        })
    }

    /// The authority that [`Authority::create`] made, from its files.
    pub fn load(cert_pem: &str, key_pem: &Secret<String>) -> Result<Self, Error> {
        let key = KeyPair::from_pem(key_pem.expose())
            .map_err(|_| Error::Unreadable("the authority's key"))?;
        let not_after = read(cert_pem, |cert| {
            let ours = cert.public_key().raw == key.subject_public_key_info().as_slice();
            ours.then(|| end(cert))
        })
        .ok_or(Error::Unreadable("the authority's certificate"))?
        .ok_or(Error::Mismatch)?;
        Ok(Self {
            cert_pem: cert_pem.to_owned(),
            not_after,
            issuer: Issuer::from_ca_cert_pem(cert_pem, key)?,
        })
    }

    /// The authority's certificate: what clients are asked to trust.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The authority's private key in PKCS #8.
    pub fn key_pem(&self) -> Secret<String> {
        Secret::new(self.issuer.key().serialize_pem())
    }

    /// A certificate for a server known by `names`, DNS names and IP addresses alike.
    pub fn issue(&self, names: &[String], now: Timestamp) -> Result<Leaf, Error> {
        if now >= self.not_after {
            return Err(Error::Expired);
        }
        let first = names.first().map_or("admit", String::as_str);
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params =
            CertificateParams::new(names.to_vec()).map_err(|_| Error::Name(names.join(", ")))?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, first);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let end = now.after(LEAF_LIFE).min(self.not_after);
        limit(&mut params, now.before(BACKDATED), end);
        Ok(Leaf {
            cert_pem: params.signed_by(&key, &self.issuer)?.pem(),
            key_pem: Secret::new(key.serialize_pem()),
        })
    }
}

/// Whether the first certificate of `cert_pem` names all of `names` and has more than thirty days left.
pub fn leaf_covers(cert_pem: &str, names: &[String], now: Timestamp) -> bool {
    read(cert_pem, |cert| {
        let begun = cert.validity().not_before.timestamp() <= now.seconds();
        begun && end(cert) > now.after(RENEWAL) && covers(cert, names)
    })
    .unwrap_or(false)
}

/// Whether the first certificate of `cert_pem` names this host, in full or by a wildcard for its first label.
pub fn names(cert_pem: &str, host: &str) -> bool {
    let wildcard = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
    let mut ways = vec![host.to_owned()];
    ways.extend(wildcard);
    read(cert_pem, |cert| {
        ways.into_iter().any(|name| covers(cert, &[name]))
    })
    .unwrap_or(false)
}

/// When the first certificate of `cert_pem` ends; `None` when it is none.
pub fn ends_at(cert_pem: &str) -> Option<Timestamp> {
    read(cert_pem, end)
}

/// When a certificate ends, from its bytes.
pub fn der_ends_at(der: &[u8]) -> Option<Timestamp> {
    let (_, cert) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(end(&cert))
}

/// Whether `key_pem` is the private key of the first certificate of `cert_pem`.
pub fn key_matches(cert_pem: &str, key_pem: &Secret<String>) -> bool {
    let Ok(key) = KeyPair::from_pem(key_pem.expose()) else {
        return false;
    };
    read(cert_pem, |cert| {
        cert.public_key().raw == key.subject_public_key_info().as_slice()
    })
    .unwrap_or(false)
}

const DAY: Duration = Duration::from_hours(24);
const AUTHORITY_LIFE: Duration = Duration::from_hours(3_652 * 24);
// With the day before, the longest life Mozilla's strictest recommendation has; renewed while we run, it costs nobody
// anything.
const LEAF_LIFE: Duration = Duration::from_hours(89 * 24);
const RENEWAL: Duration = Duration::from_hours(30 * 24);
// A client whose clock is a little behind must still find the certificate begun.
const BACKDATED: Duration = DAY;
// 2500-01-01: far enough, and the library's calendar has no trouble with it.
const LAST_SECOND: u64 = 16_725_225_600;

fn limit(params: &mut CertificateParams, from: Timestamp, to: Timestamp) {
    let span = |at: Timestamp| {
        let seconds = u64::try_from(at.seconds()).unwrap_or(0);
        Duration::from_secs(seconds.min(LAST_SECOND))
    };
    params.not_before = date_time_ymd(1970, 1, 1) + span(from);
    params.not_after = date_time_ymd(1970, 1, 1) + span(to);
}

fn read<T>(cert_pem: &str, with: impl FnOnce(&X509Certificate<'_>) -> T) -> Option<T> {
    let pem = Pem::iter_from_buffer(cert_pem.as_bytes()).next()?.ok()?;
    let cert = pem.parse_x509().ok()?;
    Some(with(&cert))
}

fn end(cert: &X509Certificate<'_>) -> Timestamp {
    Timestamp::from_seconds(cert.validity().not_after.timestamp())
}

fn covers(cert: &X509Certificate<'_>, names: &[String]) -> bool {
    let Ok(Some(alternatives)) = cert.subject_alternative_name() else {
        return false;
    };
    let alternatives = &alternatives.value.general_names;
    names.iter().all(|name| match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => alternatives.contains(&GeneralName::IPAddress(&ip.octets())),
        Ok(IpAddr::V6(ip)) => alternatives.contains(&GeneralName::IPAddress(&ip.octets())),
        Err(_) => alternatives.contains(&GeneralName::DNSName(name)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-21T21:30:24Z".parse().unwrap()
    }

    fn names() -> Vec<String> {
        ["admit.example", "localhost", "127.0.0.1", "::1"]
            .map(String::from)
            .to_vec()
    }

    #[test]
    fn a_leaf_covers_its_names_until_a_month_before_its_end() {
        let leaf = Authority::create("Admit test", now())
            .unwrap()
            .issue(&names(), now())
            .unwrap();
        let covers = |names: &[String], days| {
            leaf_covers(&leaf.cert_pem, names, now().after(DAY.saturating_mul(days)))
        };
        assert!(covers(&names(), 0));
        assert!(covers(&names()[..1], 58));
        assert!(!covers(&names(), 59));
        assert!(!covers(&["other.example".into()], 0));
        assert!(!covers(&["127.0.0.2".into()], 0));
        assert!(!leaf_covers("rubbish", &names(), now()));
        assert!(key_matches(&leaf.cert_pem, &leaf.key_pem));
    }

    #[test]
    fn certificates_say_what_they_are_for() {
        let authority = Authority::create("Admit test", now()).unwrap();
        read(authority.cert_pem(), |cert| {
            let basic = cert.basic_constraints().unwrap().unwrap().value;
            assert!(basic.ca);
            assert_eq!(basic.path_len_constraint, Some(0));
            assert!(cert.key_usage().unwrap().unwrap().value.key_cert_sign());
        })
        .unwrap();
        let leaf = authority.issue(&names(), now()).unwrap();
        read(&leaf.cert_pem, |cert| {
            assert!(!cert.is_ca());
            let usage = cert.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.server_auth && !usage.client_auth && !usage.any);
            let life =
                cert.validity().not_after.timestamp() - cert.validity().not_before.timestamp();
            assert!(life <= 90 * 86_400, "{life}");
        })
        .unwrap();
    }

    #[test]
    fn an_authority_is_loaded_only_with_its_own_key() {
        let one = Authority::create("one", now()).unwrap();
        let two = Authority::create("two", now()).unwrap();
        let again = Authority::load(one.cert_pem(), &one.key_pem()).unwrap();
        assert_eq!(again.not_after.seconds(), one.not_after.seconds());
        assert!(again.issue(&names(), now()).is_ok());
        assert_eq!(
            Authority::load(one.cert_pem(), &two.key_pem()).err(),
            Some(Error::Mismatch)
        );
        assert_eq!(
            again.issue(&names(), now().after(AUTHORITY_LIFE)).err(),
            Some(Error::Expired)
        );
        assert!(matches!(
            again.issue(&["naïve".into()], now()).err(),
            Some(Error::Name(_))
        ));
    }
}
