//! Anna's vault from outside of the client: fetched over the station's API and opened as docs/keys.md has it, with nothing
//! of `keys`.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305,
    aead::{Aead, Payload},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use sealwire::{
    api::VaultVersion,
    api::{BASE, Blob, Confidential, LogIn, PutVault, Salt, SaltRequest, SessionGrant, TLS_NAME, Username},
    seal::derive,
};

use crate::harness::{PASSWORD, Station};

/// One request to the station's API, with its own CA.
fn call<T: serde::de::DeserializeOwned>(
    station: &Station,
    method: &str,
    path: &str,
    token: Option<&Confidential>,
    body: impl serde::Serialize,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&station.running.ca_certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let body: Full<Bytes> = Full::from(Bytes::from(serde_json::to_vec(&body).unwrap()));
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{BASE}/{path}"))
        .header(header::HOST, TLS_NAME)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.reveal()));
    }
    runtime.block_on(async {
        let tcp = tokio::net::TcpStream::connect(station.running.api).await.unwrap();
        let name = ServerName::try_from(TLS_NAME).unwrap();
        let tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(tls)).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request.body(body).unwrap()).await.unwrap();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        connection.abort();
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
    })
}

/// Deterministic CBOR of `[purpose, "anna", last]`, the last part as it is.
fn binding(purpose: &str, last: &[u8]) -> Vec<u8> {
    let text = |text: &str| -> Vec<u8> {
        let head = if text.len() < 24 { vec![0x60 | text.len() as u8] } else { vec![0x78, text.len() as u8] };
        [head, text.into()].concat()
    };
    [vec![0x83], text(purpose), text("anna"), last.to_vec()].concat()
}

fn open_box(key: &[u8], binding: &[u8], sealed: &[u8]) -> Vec<u8> {
    assert_eq!(sealed[0], 1);
    let payload = Payload { msg: &sealed[25..], aad: binding };
    XChaCha20Poly1305::new_from_slice(key)
        .unwrap()
        .decrypt(sealed[1..25].try_into().unwrap(), payload)
        .unwrap()
}

/// What the vault holds, and all that opens it.
pub(crate) struct Inside {
    pub(crate) stretched: [u8; 32],
    pub(crate) auth: String,
    pub(crate) vault_key: [u8; 32],
    pub(crate) secret: Vec<u8>,
    pub(crate) contents_key: [u8; 32],
    pub(crate) contents: serde_json::Value,
    pub(crate) version: u8,
    token: Confidential,
}

impl Inside {
    /// Logs in as anna and opens her vault.
    pub(crate) fn of(station: &Station) -> Self {
        let username = Username::new("anna").unwrap();
        let request = SaltRequest { username: username.clone() };
        let salt: Salt = call(station, "POST", "account/salt", None, request);
        let mut stretched = [0; 32];
        let params = Params::new(salt.kdf.memory_kib, salt.kdf.passes, salt.kdf.lanes, Some(32)).unwrap();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(PASSWORD.as_bytes(), &salt.salt.0, &mut stretched)
            .unwrap();
        let auth = URL_SAFE_NO_PAD.encode(*derive::<32>(&stretched, &[b"sealwire/1 auth"]));
        let vault_key = *derive::<32>(&stretched, &[b"sealwire/1 vault"]);
        let auth_key = Confidential::new(auth.clone());
        let request = LogIn { username, auth_key, second: None, remember: false };
        let grant: SessionGrant = call(station, "POST", "session", None, request);
        let of_secret = binding("sealwire/1 vault secret", b"\x68password");
        let secret = open_box(&vault_key, &of_secret, &grant.vault.password_wrap.0);
        let contents_key = *derive::<32>(&secret, &[b"sealwire/1 vault contents"]);
        let version = u8::try_from(grant.vault.version).unwrap();
        assert!(version < 24, "one byte of CBOR");
        let of_contents = binding("sealwire/1 vault", &[version]);
        let json = open_box(&contents_key, &of_contents, &grant.vault.sealed.0);
        let contents = serde_json::from_slice(&json).unwrap();
        let token = grant.api_token;
        Self { stretched, auth, vault_key, secret, contents_key, contents, version, token }
    }

    /// Stores other contents as the next version.
    pub(crate) fn store(&self, station: &Station, contents: &str) {
        let version = self.version + 1;
        let nonce = [7; 24];
        let aad = binding("sealwire/1 vault", &[version]);
        let payload = Payload { msg: contents.as_bytes(), aad: &aad };
        let sealed = XChaCha20Poly1305::new_from_slice(&self.contents_key)
            .unwrap()
            .encrypt(&nonce.into(), payload)
            .unwrap();
        let sealed = Blob([&[1][..], &nonce, &sealed].concat());
        let request = PutVault { version: version.into(), sealed, password_wrap: None };
        let _: VaultVersion = call(station, "PUT", "vault", Some(&self.token), request);
    }
}
