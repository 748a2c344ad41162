//! A station in this process, and a client that pins its CA.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http_body_util::{BodyExt, Full};
use hyper::{Request, body::Bytes, header};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use sealwire::{
    api::*,
    files::DataFolders,
    station::{Clock, Config, Running, StationError, run},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{net::TcpStream, sync::oneshot, task::JoinHandle};
use tokio_rustls::TlsConnector;

pub(crate) const MINUTE: u64 = 60 * 1000;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// A station that runs.
pub(crate) struct Station {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) clock: Clock,
    pub(crate) running: Running,
    configure: Arc<dyn Fn(&mut Config) + Send + Sync>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), StationError>>,
}

/// A station on free ports with offered one-time codes, in a folder of its own, with its clock at a full step.
pub(crate) async fn start() -> Station {
    start_with(|_| {}).await
}

pub(crate) async fn start_with(configure: impl Fn(&mut Config) + Send + Sync + 'static) -> Station {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let clock = Clock::by_hand(now - now % 30_000);
    let dir = Arc::new(tempfile::tempdir().unwrap());
    start_in(dir, clock, Arc::new(configure)).await.unwrap()
}

pub(crate) fn config(dir: &TempDir) -> Config {
    let data = DataFolders::find(Some(dir.path())).unwrap();
    Config { lease: false, ..Config::for_app(data) }
}

async fn start_in(
    dir: Arc<TempDir>,
    clock: Clock,
    configure: Arc<dyn Fn(&mut Config) + Send + Sync>,
) -> Result<Station, StationError> {
    let mut config = Config { clock: clock.clone(), ..config(&dir) };
    configure(&mut config);
    let (ready, is_ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(run(config, move |running| drop(ready.send(running.clone())), async move {
        drop(stopped.await);
    }));
    match is_ready.await {
        Ok(running) => Ok(Station { dir, clock, running, configure, stop, task }),
        Err(_) => Err(task.await.unwrap().unwrap_err()),
    }
}

/// Why a station of that configuration does not run.
pub(crate) async fn refused(config: Config) -> StationError {
    let ready = |_: &Running| panic!("it runs");
    run(config, ready, std::future::pending()).await.unwrap_err()
}

impl Station {
    /// Ends it and waits until it has.
    pub(crate) async fn end(self) -> (Arc<TempDir>, Clock) {
        let _ = self.stop.send(());
        self.task.await.unwrap().unwrap();
        (self.dir, self.clock)
    }

    /// Ends it and starts it again on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let configure = Arc::clone(&self.configure);
        let (dir, clock) = self.end().await;
        start_in(dir, clock, configure).await.unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Moves the clock.
    pub(crate) fn pass(&self, ms: u64) {
        self.clock.set(self.clock.now_ms() + ms);
    }

    /// A client's TLS: this station's CA and no other.
    pub(crate) fn tls(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.running.ca_certificate).unwrap()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// One request as it is, and the answer's status and text.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> (u16, String) {
        let stream = TcpStream::connect(self.running.api).await.unwrap();
        let name = ServerName::try_from(TLS_NAME).unwrap();
        let stream = TlsConnector::from(Arc::new(self.tls())).connect(name, stream).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        connection.abort();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// One request of the API.
    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        token: Option<&Confidential>,
        body: impl Serialize,
    ) -> Result<T, Problem> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{BASE}/{path}"))
            .header(header::HOST, TLS_NAME)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.reveal()));
        }
        let body = serde_json::to_vec(&body).unwrap();
        let (status, text) = self.send(request.body(Full::from(body)).unwrap()).await;
        if status < 300 {
            let text = if text.is_empty() { "null" } else { &text };
            return Ok(serde_json::from_str(text).unwrap());
        }
        let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{status} {text}: {e}"));
        assert_eq!(problem.status(), status);
        Err(problem)
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: impl Serialize,
    ) -> Result<T, Problem> {
        self.ask("POST", path, None, body).await
    }

    /// Signs up, with the setup code where it is still needed.
    pub(crate) async fn sign_up(&self, name: &str, role: &str) -> Result<SignedUp, Problem> {
        self.post("account", self.sign_up_request(name, role)).await
    }

    pub(crate) fn sign_up_request(&self, name: &str, role: &str) -> SignUp {
        SignUp {
            username: name.parse().unwrap(),
            auth_key: auth_key(name),
            role: Some(role.to_owned()),
            setup_code: self.running.setup_code.clone(),
            vault: new_vault(name),
            recovery: recovery(name),
        }
    }

    /// Signs an admin and then `name` up; gives that one's session.
    pub(crate) async fn member(&self, name: &str, role: &str) -> SessionGrant {
        if self.ask::<StationInfo>("GET", "station", None, ()).await.unwrap().needs_first_account {
            self.sign_up("root", "").await.unwrap();
        }
        *self.sign_up(name, role).await.unwrap().session.unwrap()
    }

    /// Signs `name` up and turns its one-time codes on; gives its session and secret.
    pub(crate) async fn member_with_codes(&self, name: &str, role: &str) -> (SessionGrant, Codes) {
        if self.ask::<StationInfo>("GET", "station", None, ()).await.unwrap().needs_first_account {
            self.sign_up("root", "").await.unwrap();
        }
        let signed_up = self.sign_up(name, role).await.unwrap();
        let codes = self.confirm(&signed_up.enrolment).await;
        (*signed_up.session.unwrap(), codes)
    }

    /// Turns an enrolment into codes by the first of them, then lets a step pass.
    pub(crate) async fn confirm(&self, enrolment: &Enrolment) -> Codes {
        let codes = Codes::new(enrolment, &self.clock);
        let request = ConfirmOtp { token: enrolment.token.clone(), code: codes.now() };
        let _: OtpConfirmed = self.post("otp/confirm", request).await.unwrap();
        self.pass(30_000);
        codes
    }

    pub(crate) async fn log_in(
        &self,
        name: &str,
        second: Option<SecondFactor>,
    ) -> Result<SessionGrant, Problem> {
        self.log_in_as(name, auth_key(name), second, false).await
    }

    pub(crate) async fn log_in_as(
        &self,
        name: &str,
        auth_key: Confidential,
        second: Option<SecondFactor>,
        remember: bool,
    ) -> Result<SessionGrant, Problem> {
        let request = LogIn { username: name.parse().unwrap(), auth_key, second, remember };
        self.post("session", request).await
    }

    /// Whether a session is on.
    pub(crate) async fn is_on(&self, session: &SessionGrant) -> bool {
        match self.ask::<Account>("GET", "session", Some(&session.api_token), ()).await {
            Ok(_) => true,
            Err(problem) => {
                assert_eq!(problem.code, ProblemCode::SessionOver);
                false
            }
        }
    }
}

/// What an authenticator app holds.
pub(crate) struct Codes {
    totp: totp_rs::Totp,
    clock: Clock,
}

impl Codes {
    pub(crate) fn new(enrolment: &Enrolment, clock: &Clock) -> Self {
        let totp = totp_rs::Totp::from_url(enrolment.uri.reveal()).unwrap();
        assert_eq!(totp.secret().to_base32(), enrolment.secret.reveal());
        Self { totp, clock: clock.clone() }
    }

    /// The code of now.
    pub(crate) fn now(&self) -> Confidential {
        self.totp.generate(self.clock.now_ms() / 1000).to_string().into()
    }

    pub(crate) fn second(&self) -> Option<SecondFactor> {
        Some(SecondFactor::Code(self.now()))
    }
}

/// 32 bytes that follow from a text, as the client sends them.
pub(crate) fn auth_key(text: &str) -> Confidential {
    use sha2::Digest;
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(text)).into()
}

pub(crate) fn new_vault(text: &str) -> PutVault {
    PutVault {
        version: 1,
        sealed: Blob(format!("sealed vault of {text}").into_bytes()),
        password_wrap: Some(Blob(format!("password wrap of {text}").into_bytes())),
    }
}

pub(crate) fn recovery_auth(text: &str, number: usize) -> Confidential {
    auth_key(&format!("recovery {number} of {text}"))
}

pub(crate) fn recovery(text: &str) -> Vec<RecoveryEntry> {
    (0..8)
        .map(|number| RecoveryEntry {
            auth_key: recovery_auth(text, number),
            wrap: Blob(format!("recovery wrap {number} of {text}").into_bytes()),
        })
        .collect()
}

/// The code of a refusal.
pub(crate) fn code<T: std::fmt::Debug>(answer: Result<T, Problem>) -> ProblemCode {
    answer.unwrap_err().code
}

/// An answer without content.
pub(crate) type Done = Result<Value, Problem>;
