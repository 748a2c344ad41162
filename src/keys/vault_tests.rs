//! A vault from creation to recovery, as an account lives through it.

use super::*;
use crate::{
    keys::{KdfParams, Password, TopicKey},
    seal::{Signatures, SigningKey, Suite},
    topic::TopicFilter,
};

fn vault() -> Vault {
    let mut vault = Vault::create("anna").unwrap();
    for (label, filter, suite) in
        [("Press \"hall\"\\", "press/#", Suite::CoseA256Gcm), ("Chat", "chat", Suite::Fernet)]
    {
        let filters = vec![TopicFilter::new(filter).unwrap()];
        vault.keyring.add(TopicKey::generate(label, filters, suite, 5).unwrap()).unwrap();
    }
    vault.keyring.rotate("Chat", 9).unwrap();
    vault.keyring.set_sealing("Chat", false).unwrap();
    let signed = TopicKey::generate("Hall", vec![TopicFilter::new("hall/#").unwrap()], Suite::default(), 6);
    vault.keyring.add(signed.unwrap().with_signatures(Signatures::Require)).unwrap();
    let bert = SigningKey::from_bytes(&[4; 32]).sender();
    vault.people.learn("bert", bert, 8);
    vault
}

fn told(keyring: &Keyring) -> Vec<String> {
    let epochs = |key: &TopicKey| {
        key.epochs()
            .iter()
            .map(|e| format!("{} {} {} {:?}", e.number(), e.kid(), e.created_ms(), e.retired_ms()))
            .collect()
    };
    let key = |key: &TopicKey| {
        let epochs: Vec<String> = epochs(key);
        let (suite, signatures) = (key.suite(), key.signatures());
        format!(
            "{} {:?} {suite} {signatures:?} {} {epochs:?}",
            key.label(),
            key.filters(),
            key.sealing_allowed()
        )
    };
    keyring.keys().iter().map(key).collect()
}

#[test]
fn a_vault_comes_back_whole_and_only_as_the_version_and_account_it_was_sealed_for() {
    let vault = vault();
    let sealed = vault.seal(7).unwrap();
    let opened = Vault::open("anna", &sealed, vault.secret().duplicate()).unwrap();
    assert_eq!(told(&opened.keyring), told(&vault.keyring));
    assert_eq!(opened.people, vault.people);
    assert_eq!(opened.identity().map(SigningKey::sender), vault.identity().map(SigningKey::sender));
    let as_newer = SealedVault { version: 8, ..sealed.clone() };
    let error = Vault::open("anna", &as_newer, vault.secret().duplicate()).unwrap_err();
    assert_eq!(error, VaultError::Refused { version: 8 });
    assert!(Vault::open("bert", &sealed, vault.secret().duplicate()).is_err());
    assert!(Vault::open("anna", &sealed, Vault::create("anna").unwrap().secret().duplicate()).is_err());
}

#[test]
fn its_size_does_not_tell_an_empty_keyring_from_a_small_one() {
    let empty = Vault::create("anna").unwrap().seal(1).unwrap();
    assert_eq!(empty.ciphertext.len(), vault().seal(1).unwrap().ciphertext.len());
}

#[test]
fn the_password_opens_it_and_another_does_not() {
    let vault = vault();
    let derive =
        |text: &str| PasswordKeys::derive(&Password::new(text), &[3; 16], &KdfParams::default()).unwrap();
    let keys = derive("lantern gravel otter");
    let wrapped = WrappedSecret::from_bytes(vault.wrap_for_password(&keys).unwrap().into_bytes());
    let secret = VaultSecret::unwrap_with_password("anna", &wrapped, &keys).unwrap();
    assert!(Vault::open("anna", &vault.seal(1).unwrap(), secret).is_ok());
    let wrong =
        VaultSecret::unwrap_with_password("anna", &wrapped, &derive("lantern gravel other")).unwrap_err();
    assert_eq!(wrong, VaultError::WrongPassword);
    assert!(VaultSecret::unwrap_with_password("bert", &wrapped, &keys).is_err());
}

#[test]
fn each_recovery_code_opens_it_and_no_other_code_does() {
    let vault = vault();
    let codes = RecoveryCode::generate_set().unwrap();
    let sealed = vault.seal(1).unwrap();
    for code in &codes {
        let wrapped = vault.wrap_for_recovery(code).unwrap();
        let typed = code.to_string().to_lowercase().parse().unwrap();
        let secret = VaultSecret::unwrap_with_recovery("anna", &wrapped, &typed).unwrap();
        assert!(Vault::open("anna", &sealed, secret).is_ok());
        let other = RecoveryCode::generate().unwrap();
        let error = VaultSecret::unwrap_with_recovery("anna", &wrapped, &other).unwrap_err();
        assert_eq!(error, VaultError::WrongRecoveryCode);
    }
}

#[test]
fn a_vault_of_a_newer_program_is_refused_by_name_and_garbage_by_another() {
    let vault = Vault::create("anna").unwrap();
    let seal = |json: &[u8]| {
        let ciphertext = seal_box(&vault.secret.contents_key(), &contents_binding("anna", 1), json).unwrap();
        Vault::open("anna", &SealedVault { version: 1, ciphertext }, vault.secret().duplicate()).unwrap_err()
    };
    assert_eq!(seal(br#"{"version":3,"keys":[],"grants":{}}"#), VaultError::Newer);
    for json in
        [&b"{}"[..], b"", br#"{"version":1,"keys":[],"more":1}"#, br#"{"version":1,"keys":[{"label":"a"}]}"#]
    {
        assert_eq!(seal(json), VaultError::Malformed);
    }
}

#[test]
fn a_vault_of_before_there_were_identities_opens_and_gets_one() {
    let vault = Vault::create("anna").unwrap();
    let json = br#"{"version":1,"keys":[]}"#;
    let ciphertext = seal_box(&vault.secret.contents_key(), &contents_binding("anna", 1), json).unwrap();
    let sealed = SealedVault { version: 1, ciphertext };
    let mut opened = Vault::open("anna", &sealed, vault.secret().duplicate()).unwrap();
    assert!(opened.identity().is_none());
    assert_eq!(opened.ensure_identity(), Ok(true));
    let identity = opened.identity().map(SigningKey::sender);
    assert_eq!(opened.ensure_identity(), Ok(false));
    let again = Vault::open("anna", &opened.seal(2).unwrap(), vault.secret().duplicate()).unwrap();
    assert_eq!(again.identity().map(SigningKey::sender), identity);
}
