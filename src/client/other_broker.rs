//! Another broker than the station's: as a person sets it, as it is shown, and as it rests.
//!
//! It may hold a password and a private key, so it rests in the account's state file encrypted under the vault's
//! secret, and no view of it holds either.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Password,
    mqtt::{ClientIdentity, Endpoint, Transport, Version},
    sealing::{SharedVault, read},
};

/// What the box is for; the setting of the same name holds it.
pub(super) const SETTING: &str = "other_broker";
/// In its place where it was lost: nobody knows whether one was set.
pub(super) const UNKNOWN: &str = "unknown";

/// Another broker, as a person sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherBroker {
    /// Where it is and how it wants to be met.
    pub endpoint: Endpoint,
    /// A password or private key that is left out is the one that is kept. Only where host, port, user and encryption
    /// are those that it is kept for: a secret never goes to another place than the one it was typed for.
    pub keep_secrets: bool,
}

/// Another broker, as it is shown: an endpoint without secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherBrokerView {
    /// Without password and private key.
    pub endpoint: Endpoint,
    /// Whether a password is kept.
    pub has_password: bool,
    /// Whether the way to it is encrypted.
    pub encrypted: bool,
}

impl OtherBroker {
    /// With the secrets that are kept, as far as they are for the same place.
    pub(super) fn completed(self, kept: Option<&Endpoint>) -> Endpoint {
        let mut endpoint = self.endpoint;
        let Some(kept) = kept.filter(|kept| self.keep_secrets && is_same_place(kept, &endpoint)) else {
            return endpoint;
        };
        if endpoint.password.is_none() {
            endpoint.password.clone_from(&kept.password);
        }
        if let (Some(identity), Some(known)) = (&mut endpoint.identity, &kept.identity)
            && identity.key.reveal().is_empty()
            && identity.certificate == known.certificate
        {
            identity.key = known.key.clone();
        }
        if endpoint.client_id.is_none() {
            endpoint.client_id.clone_from(&kept.client_id);
        }
        endpoint
    }
}

/// Whether what is secret to one may be shown to the other: the same name at the same place, encrypted no less.
fn is_same_place(kept: &Endpoint, new: &Endpoint) -> bool {
    let protects = !kept.transport.is_encrypted() || new.transport.is_encrypted();
    // Another CA vouches for another server.
    let vouched = kept.ca == new.ca;
    protects && vouched && kept.host == new.host && kept.port == new.port && kept.username == new.username
}

impl OtherBrokerView {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let identity = endpoint.identity.as_ref().map(|identity| ClientIdentity {
            certificate: identity.certificate.clone(),
            key: Password::default(),
        });
        Self {
            endpoint: Endpoint { password: None, identity, ..endpoint.clone() },
            has_password: endpoint.password.is_some(),
            encrypted: endpoint.transport.is_encrypted(),
        }
    }
}

/// As it rests, before it is encrypted.
#[derive(Serialize, Deserialize)]
struct Kept {
    mqtt_5: bool,
    /// The URL with the user.
    url: String,
    ca: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
    password: Option<String>,
    client_id: Option<String>,
    keep_alive_s: u64,
    keep_session: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.key.zeroize();
        self.password.zeroize();
    }
}

/// Encrypted for the state file.
pub(super) fn seal(endpoint: &Endpoint, vault: &SharedVault) -> Result<String, String> {
    let kept = Kept {
        mqtt_5: endpoint.version == Version::V5,
        url: endpoint.to_string(),
        ca: endpoint.ca.clone(),
        certificate: endpoint.identity.as_ref().map(|identity| identity.certificate.clone()),
        key: endpoint.identity.as_ref().map(|identity| identity.key.reveal().to_owned()),
        password: endpoint.password.as_ref().map(|password| password.reveal().to_owned()),
        client_id: endpoint.client_id.clone(),
        keep_alive_s: endpoint.keep_alive.as_secs(),
        keep_session: endpoint.keep_session,
    };
    let plain = Zeroizing::new(serde_json::to_vec(&kept).map_err(|error| error.to_string())?);
    let sealed = read(vault).seal_local(SETTING, &plain).map_err(|error| error.to_string())?;
    Ok(STANDARD.encode(sealed))
}

/// Out of the state file; `None` where this vault did not encrypt it.
pub(super) fn open(text: &str, vault: &SharedVault) -> Option<Endpoint> {
    let sealed = STANDARD.decode(text).ok()?;
    let plain = read(vault).open_local(SETTING, &sealed)?;
    let mut kept: Kept = serde_json::from_slice(&plain).ok()?;
    let mut endpoint = Endpoint::parse(&kept.url).ok()?;
    endpoint.version = if kept.mqtt_5 { Version::V5 } else { Version::V311 };
    endpoint.ca = kept.ca.take();
    endpoint.identity = kept
        .certificate
        .take()
        .zip(kept.key.take())
        .map(|(certificate, key)| ClientIdentity { certificate, key: Password::new(key) });
    endpoint.password = kept.password.take().map(Password::new);
    endpoint.client_id = kept.client_id.take();
    endpoint.keep_alive = Duration::from_secs(kept.keep_alive_s);
    endpoint.keep_session = kept.keep_session;
    Some(endpoint)
}

impl OtherBrokerView {
    /// What MQTT 3.1.1 and a line without TLS cost, for whoever chooses them: in a few words, and in sentences.
    #[must_use]
    pub fn remarks(version: Version, transport: Transport) -> Vec<(&'static str, &'static str)> {
        let mut remarks = Vec::new();
        if !transport.is_encrypted() {
            remarks.push((
                "Not encrypted on the way (no TLS).",
                "Whoever listens sees username, password, topics and sizes. What is sealed stays sealed.",
            ));
        }
        if version == Version::V311 {
            remarks.push((
                "MQTT 3.1.1 gives no reasons.",
                "A broker may acknowledge a message that it then drops, and cannot say that nobody subscribes. A will is \
                 published at once, and retained messages come again at every connect.",
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, RwLock};

    use super::*;
    use crate::keys::Vault;

    fn endpoint() -> Endpoint {
        Endpoint {
            version: Version::V311,
            ca: Some("CA".into()),
            identity: Some(ClientIdentity { certificate: "C".into(), key: Password::new("hush-key") }),
            password: Some(Password::new("hush")),
            client_id: Some("c".into()),
            keep_session: false,
            ..Endpoint::parse("wss://an%20na@[::1]:9443/mqtt").unwrap()
        }
    }

    fn vault() -> SharedVault {
        Arc::new(RwLock::new(Vault::create("anna").unwrap()))
    }

    #[test]
    fn it_rests_encrypted_under_the_vaults_secret_and_comes_back_whole() {
        let vault_of_anna = vault();
        let text = seal(&endpoint(), &vault_of_anna).unwrap();
        let bytes = STANDARD.decode(&text).unwrap();
        assert!(!bytes.windows(4).any(|four| four == b"hush" || four == b"9443"));
        assert_eq!(open(&text, &vault_of_anna), Some(endpoint()));
        assert_eq!(open(&text, &vault()), None, "another vault opens nothing");
        assert!(read(&vault_of_anna).open_local("another purpose", &bytes).is_none());
    }

    #[test]
    fn no_view_of_it_holds_a_secret() {
        let view = OtherBrokerView::of(&endpoint());
        assert!(view.has_password && view.endpoint.password.is_none());
        assert_eq!(view.endpoint.identity.unwrap().key, Password::default());
    }

    #[test]
    fn a_kept_password_goes_only_to_the_place_that_it_was_typed_for() {
        let kept = endpoint();
        let again = |change: fn(&mut Endpoint)| {
            let mut endpoint = OtherBrokerView::of(&kept).endpoint;
            change(&mut endpoint);
            let endpoint = OtherBroker { endpoint, keep_secrets: true }.completed(Some(&kept));
            (endpoint.password, endpoint.identity.map(|identity| identity.key))
        };
        let (password, key) = again(|endpoint| endpoint.version = Version::V5);
        assert_eq!((password, key), (kept.password.clone(), Some(Password::new("hush-key"))));
        let places: [fn(&mut Endpoint); 5] = [
            |endpoint| endpoint.host = "elsewhere".into(),
            |endpoint| endpoint.port = 1,
            |endpoint| endpoint.transport = Transport::Ws,
            |endpoint| endpoint.username = Some("ben".into()),
            |endpoint| endpoint.ca = None,
        ];
        for change in places {
            assert_eq!(again(change), (None, Some(Password::default())));
        }
        let typed = OtherBroker { endpoint: OtherBrokerView::of(&kept).endpoint, keep_secrets: false };
        assert_eq!(typed.completed(Some(&kept)).password, None);
    }
}
