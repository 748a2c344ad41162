//! Arbitrary bytes into what reads keys: a line that another person gave, a Fernet key file, a recovery code, and what a
//! vault holds.
//!
//! The first byte says which. What has a checksum or a tag is given one that holds, so that the parser behind it is reached.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use sealwire::{
    keys::{
        RecoveryCode, SealedVault, TopicKey, Vault, VaultError, VaultSecret, WrappedSecret, fernet_key,
        key_line,
    },
    seal::derive,
};
use sha2::{Digest, Sha256};

/// One case.
pub fn run(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 5 {
        0 => line(&String::from_utf8_lossy(bytes)),
        1 => {
            let sum = Sha256::digest(bytes);
            line(&format!("sealwire-key:{}", URL_SAFE_NO_PAD.encode([bytes, &sum[..CHECKSUM]].concat())));
        }
        2 => fernet(bytes),
        3 => code(&String::from_utf8_lossy(bytes)),
        _ => vault(bytes),
    }
}

const CHECKSUM: usize = 4;

fn line(text: &str) {
    match key_line::read(text) {
        Ok(key) => {
            let again = key_line::read(&key_line::write(&key)).expect("what was read can be written");
            assert!(same(&key, &again), "{key:?} is read as {again:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// As far as a key line says.
pub(super) fn same(one: &TopicKey, other: &TopicKey) -> bool {
    (one.label(), one.filters(), one.suite(), one.kid(), one.signatures(), one.profile())
        == (other.label(), other.filters(), other.suite(), other.kid(), other.signatures(), other.profile())
}

fn fernet(bytes: &[u8]) {
    if let Ok(secret) = fernet_key::read(bytes) {
        let again =
            fernet_key::read(fernet_key::write(&secret).as_bytes()).expect("what was read can be written");
        assert_eq!(secret.expose(), again.expose());
    }
}

fn code(text: &str) {
    if let Ok(code) = RecoveryCode::parse(text) {
        let again = RecoveryCode::parse(&code.to_string()).expect("what was read can be written");
        assert_eq!(code.auth_key(), again.auth_key());
    }
}

/// `0x01 ‖ nonce ‖ XChaCha20-Poly1305`, as a vault and its wrapped secret rest.
fn boxed(key: &[u8; 32], aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let sealed = XChaCha20Poly1305::new(key.into()).encrypt((&[7; 24]).into(), Payload { msg, aad });
    [&[1], &[7; 24][..], &sealed.expect("it fits")].concat()
}

/// The plaintext of Anna's vault, of which nobody but she could make one.
fn vault(contents: &[u8]) {
    let nought = RecoveryCode::parse(&"0".repeat(25)).expect("the code of zeros");
    let wrap_key = derive::<32>(&[0; 15], &[b"sealwire/1 recovery wrap"]);
    let wrapped = boxed(&wrap_key, b"\x83\x77sealwire/1 vault secret\x64anna\x68recovery", &[9; 32]);
    let secret = VaultSecret::unwrap_with_recovery("anna", &WrappedSecret::from_bytes(wrapped), &nought);
    let contents_key = derive::<32>(&[9; 32], &[b"sealwire/1 vault contents"]);
    let ciphertext = boxed(&contents_key, b"\x83\x70sealwire/1 vault\x64anna\x01", contents);
    let sealed = SealedVault { version: 1, ciphertext };
    match Vault::open("anna", &sealed, secret.expect("its own code")) {
        Ok(vault) => {
            let secret = VaultSecret::unwrap_with_recovery(
                "anna",
                &vault.wrap_for_recovery(&nought).expect("randomness"),
                &nought,
            );
            let again =
                Vault::open("anna", &vault.seal(2).expect("randomness"), secret.expect("its own code"));
            let again = again.expect("what was read can be written");
            assert_eq!(vault.keyring.len(), again.keyring.len());
            assert!(
                vault.keyring.keys().iter().zip(again.keyring.keys()).all(|(one, other)| same(one, other))
            );
            assert_eq!(vault.people, again.people);
        }
        Err(error) => {
            assert!(matches!(error, VaultError::Malformed | VaultError::Newer), "the tag holds: {error}");
        }
    }
}
