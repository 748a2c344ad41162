//! Requests to a station's API over pinned TLS: JSON out, JSON or a [`Problem`] back. Every wait and every body is
//! bounded.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode, header};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::ClientConfig;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use crate::api::{BASE, Confidential, MAX_BODY_BYTES, Problem, ProblemCode, TLS_NAME};

use super::{
    Failure,
    address::Address,
    tls::{self, Identity, Seen},
};

/// How long a TCP connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take: bcrypt at a busy station is the slowest.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The station said no.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// It could not be reached.
    #[error("the station at {address} cannot be reached: {reason}")]
    Unreachable { address: String, reason: String },
    /// It did not answer in time.
    #[error("the station at {0} did not answer in time")]
    Silent(String),
    /// It answered, but not as a station does.
    #[error("{address} did not answer as a station does: {reason}")]
    Garbled { address: String, reason: String },
    /// None was opened.
    #[error("no station was opened yet")]
    NoStation,
    /// This side is ending.
    #[error("the program is closing")]
    Closing,
}

impl CallError {
    /// Whether the station said that the session is over.
    pub(super) fn is_session_over(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ProblemCode::SessionOver)
    }

    /// Whether somebody else changed the vault meanwhile.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ProblemCode::VersionConflict)
    }

    /// Whether there is no such thing.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.code == ProblemCode::NotFound)
    }

    /// For the person who asked.
    pub(super) fn failure(&self, what: &str) -> Failure {
        let next = match self {
            Self::Problem(problem) => return Failure::of_problem(what, problem),
            Self::Unreachable { .. } => "Check the address and that the station runs, then try again.",
            Self::Silent(_) => "Try again in a moment.",
            Self::Garbled { .. } => "Check the address: is it the port of the station's API?",
            Self::NoStation => "Open one first.",
            Self::Closing => "",
        };
        Failure::new(what, self.to_string(), next)
    }
}

/// One station's API.
#[derive(Clone)]
pub(super) struct Http {
    address: Address,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    closing: watch::Receiver<bool>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Http({})", self.address)
    }
}

impl Http {
    pub(super) fn new(address: Address, tls: &ClientConfig, closing: watch::Receiver<bool>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls.clone())
            .https_only()
            .with_server_name_resolver(|_: &_| rustls::pki_types::ServerName::try_from(TLS_NAME))
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            // Shorter than any server's own patience, so that a request does not meet a connection just closed.
            .pool_idle_timeout(Duration::from_secs(10))
            .build(connector);
        Self { address, client, closing }
    }

    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// One request. `body` is sent where there is one; an empty answer reads as JSON `null`.
    pub(super) async fn call<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&Confidential>,
        body: Option<&impl Serialize>,
    ) -> Result<A, CallError> {
        let mut closing = self.closing.clone();
        let answered = tokio::select! {
            answered = timeout(ANSWER_TIMEOUT, self.exchange(method, path, token, body)) => answered,
            _ = closing.wait_for(|closing| *closing) => return Err(CallError::Closing),
        };
        answered.map_err(|_| CallError::Silent(self.address.to_string()))?
    }

    async fn exchange<A: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        token: Option<&Confidential>,
        body: Option<&impl Serialize>,
    ) -> Result<A, CallError> {
        let garbled = |reason: String| CallError::Garbled { address: self.address.to_string(), reason };
        let mut request =
            Request::builder().method(method).uri(format!("https://{}{BASE}/{path}", self.address));
        if let Some(token) = token {
            let bearer = Zeroizing::new(format!("Bearer {}", token.reveal()));
            let mut value =
                header::HeaderValue::from_str(&bearer).map_err(|error| garbled(error.to_string()))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        let bytes = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Bytes::from(serde_json::to_vec(body).map_err(|error| garbled(error.to_string()))?)
            }
            None => Bytes::new(),
        };
        let request = request.body(Full::new(bytes)).map_err(|error| garbled(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| CallError::Unreachable {
            address: self.address.to_string(),
            reason: innermost(&error),
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await.map_err(|error| {
            match error.downcast_ref::<LengthLimitError>() {
                Some(_) => garbled("its answer is too long".to_owned()),
                None => {
                    CallError::Unreachable { address: self.address.to_string(), reason: innermost(&*error) }
                }
            }
        })?;
        let body = body.to_bytes();
        if status.is_success() {
            let text: &[u8] = if body.is_empty() { b"null" } else { &body };
            serde_json::from_slice(text).map_err(|error| garbled(error.to_string()))
        } else {
            match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => Err(problem.into()),
                Err(_) if status == StatusCode::NOT_FOUND => {
                    Err(garbled("it does not know this request; is it an older version?".to_owned()))
                }
                Err(_) => Err(garbled(format!("status {status} without a reason"))),
            }
        }
    }
}

/// The reason at the bottom of a chain of errors, in words: "nobody answers there" and not "error sending request".
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    use std::io::ErrorKind;
    let mut error = error;
    loop {
        let words = match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(ErrorKind::ConnectionRefused) => Some("nobody answers there"),
            Some(ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable) => {
                Some("no network leads there")
            }
            Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => Some("the connection broke off"),
            _ => None,
        };
        match (words, error.source()) {
            (Some(words), _) => return words.to_owned(),
            (None, Some(source)) => error = source,
            (None, None) => return error.to_string(),
        }
    }
}

/// Looks who answers at `address`: a TLS handshake without a pin, then the connection is closed. Nothing is sent.
pub(super) async fn look(address: &Address) -> Result<Identity, CallError> {
    let unreachable = |reason: String| CallError::Unreachable { address: address.to_string(), reason };
    let (config, seen) = tls::client_config(None).map_err(|error| unreachable(error.to_string()))?;
    let handshake = async {
        let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
        let name = rustls::pki_types::ServerName::try_from(TLS_NAME).map_err(std::io::Error::other)?;
        TlsConnector::from(config).connect(name, tcp).await.map(drop)
    };
    match timeout(CONNECT_TIMEOUT, handshake).await {
        Err(_) => Err(CallError::Silent(address.to_string())),
        Ok(Err(error)) => Err(unreachable(innermost(&error))),
        Ok(Ok(())) => identity(&seen).ok_or_else(|| unreachable("it showed no certificate".to_owned())),
    }
}

/// What the last handshake showed.
pub(super) fn identity(seen: &Seen) -> Option<Identity> {
    seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

/// A station whose identity is settled: its API and what its broker is reached with.
#[derive(Clone)]
pub(super) struct Pinned {
    pub http: Http,
    pub tls: Arc<ClientConfig>,
    pub identity: Identity,
}
