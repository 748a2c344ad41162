//! Who passes by the pin, and who does not.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::UnixTime;

use super::*;

struct Ca {
    certificate: CertificateDer<'static>,
    fingerprint: Fingerprint,
    issuer: Issuer<'static, KeyPair>,
}

fn ca() -> Ca {
    let key = KeyPair::generate().unwrap();
    let digest = Sha256::digest(rcgen::PublicKeyData::subject_public_key_info(&key));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().der().clone();
    Ca { certificate, fingerprint: Fingerprint::parse(&hex).unwrap(), issuer: Issuer::new(params, key) }
}

fn leaf(ca: &Ca, name: &str) -> CertificateDer<'static> {
    let key = KeyPair::generate().unwrap();
    CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &ca.issuer).unwrap().der().clone()
}

fn verify(
    pin: Option<&Ca>,
    leaf: &CertificateDer<'_>,
    chain: &[&Ca],
) -> (Result<(), Error>, Option<Fingerprint>) {
    let seen = Seen::default();
    let verifier = PinVerifier {
        pin: pin.map(|ca| ca.fingerprint.clone()),
        seen: Arc::clone(&seen),
        provider: Arc::new(ring::default_provider()),
    };
    let chain: Vec<_> = chain.iter().map(|ca| ca.certificate.clone()).collect();
    let address = ServerName::try_from("203.0.113.7").unwrap();
    let result = verifier.verify_server_cert(leaf, &chain, &address, &[], UnixTime::now()).map(drop);
    let seen = seen.lock().unwrap().clone();
    (result, seen.map(|identity| identity.fingerprint))
}

#[test]
fn the_pinned_station_passes_under_any_address_and_another_is_named_and_refused() {
    let (ours, theirs) = (ca(), ca());
    let (good, bad) = (leaf(&ours, TLS_NAME), leaf(&theirs, TLS_NAME));
    assert_eq!(verify(Some(&ours), &good, &[&ours]), (Ok(()), Some(ours.fingerprint.clone())));
    let (refused, seen) = verify(Some(&ours), &bad, &[&theirs]);
    assert!(refused.is_err());
    assert_eq!(seen, Some(theirs.fingerprint.clone()));
}

#[test]
fn showing_the_pinned_ca_beside_a_leaf_that_it_did_not_sign_is_no_proof() {
    let (ours, theirs) = (ca(), ca());
    let forged = leaf(&theirs, TLS_NAME);
    for chain in [&[&ours][..], &[&theirs, &ours], &[&ours, &theirs]] {
        assert!(verify(Some(&ours), &forged, chain).0.is_err());
    }
    // Nor is the forged CA's own certificate taken for the station's when only looking.
    assert_eq!(verify(None, &forged, &[&ours]).1, None);
}

#[test]
fn a_certificate_for_another_name_is_refused_even_from_the_pinned_ca() {
    let ours = ca();
    assert!(verify(Some(&ours), &leaf(&ours, "example.com"), &[&ours]).0.is_err());
}

#[test]
fn a_fingerprint_is_read_as_people_copy_it() {
    let plain = "ab".repeat(32);
    let with_colons = vec!["AB"; 32].join(":");
    assert_eq!(Fingerprint::parse(&with_colons), Fingerprint::parse(&plain));
    assert_eq!(Fingerprint::parse(&plain[1..]), None);
    assert_eq!(Fingerprint::parse(&plain.replace('b', "g")), None);
}
