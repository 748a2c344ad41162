//! One life of a station: lock, keys, database, listeners, and in the end the same backwards.

use std::{
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    api::MqttEndpoint,
    broker::Broker,
    files::{DataFolders, FileLock, FilesError, create_private_dir},
};

use super::{
    Config, Running, StationError,
    accounts::{Accounts, Ground},
    authority::Gatekeeper,
    certificates::Certificates,
    hangup::Hangup,
    host::{self, Gate, StationFile},
    http::{self, Api},
    listen::{Ports, Served, make_room},
    log::SessionLog,
    mqtt::Mqtt,
    roles::{RoleBook, load_pack},
    settings,
    store::Store,
    tls, token,
    trail::{Trail, TrailEnd, Watch},
};

/// How long a station without windows waits for another.
const LEASE_GRACE: Duration = Duration::from_secs(30);
/// How often it looks.
const LEASE_LOOK: Duration = Duration::from_secs(1);
/// How often what is over is cleared away.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many sweeps lie between two looks at the certificate.
const RENEW_EVERY: u32 = 60;
/// Tries for the lock: whoever looks whether a station runs holds it for a moment.
const LOCK_TRIES: u32 = 20;

/// Runs a station until `shutdown` resolves, or, with [`Config::lease`], half a minute after the last window has
/// gone. `on_ready` is called once everything answers.
///
/// # Errors
/// What kept it from running, with the next step.
pub async fn run(
    config: Config,
    on_ready: impl FnOnce(&Running),
    shutdown: impl Future<Output = ()>,
) -> Result<(), StationError> {
    if config.data.root().is_dir() {
        config.check()?;
    } else {
        // What cannot start leaves no half-made folder behind.
        settings::check(&config)?;
        drop(Ports::open(&config)?);
    }
    make_room(config.limits.max_connections);
    create_private_dir(config.data.root())?;
    let _lock = take_lock(&config.data).await?;
    StationFile::remove(&config.data); // One that a kill left behind.
    let mut station = Station::open(&config).await?;
    let ended = match station.announce() {
        Ok(()) => {
            on_ready(&station.running);
            tracing::info!(api = %station.running.api, mqtt = %station.running.mqtt_tls, "the station is ready");
            station.live(&config, shutdown).await
        }
        Err(error) => Err(error),
    };
    station.close(&config.data).await;
    ended
}

/// Whether a station of that configuration could start now, without starting it: what the settings alone show, whether
/// another station has the data folder, and whether what it listens on can be had. Makes nothing that is not there.
///
/// # Errors
/// What would keep it from running, in the words of [`run`].
pub async fn check(config: &Config) -> Result<(), StationError> {
    settings::check(config)?;
    let _lock = match host::lock_path(&config.data).is_file() {
        true => Some(take_lock(&config.data).await?),
        false => None,
    };
    Ports::open(config).map(drop)
}

/// The station's lock, for life.
async fn take_lock(data: &DataFolders) -> Result<FileLock, StationError> {
    for _ in 0..LOCK_TRIES {
        if let Some(lock) = FileLock::try_take(&host::lock_path(data))? {
            return Ok(lock);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Err(StationError::AlreadyRunning(data.root().to_owned()))
}

/// What is open while a station lives.
struct Station {
    running: Running,
    data: DataFolders,
    setup_code: Option<PathBuf>,
    store: Store,
    keeper: Arc<SessionLog>,
    authority: tls::Authority,
    certificates: Certificates,
    broker: Broker,
    watch: Arc<Watch>,
    trail: Trail,
    trail_end: Option<TrailEnd>,
    stop: CancellationToken,
    listeners: Vec<Served>,
}

impl Station {
    /// Opens everything and begins to listen.
    async fn open(config: &Config) -> Result<Self, StationError> {
        let (users, keys, logs) = (config.data.users()?, config.data.keys()?, config.data.logs()?);
        let roles = Arc::new(RoleBook::new(load_pack(&users)?, config.anonymous.as_deref())?);
        let authority = tls::Authority::open(&keys, &config.clock)?;
        let api_tls = authority.server_config(&[b"http/1.1"])?;
        let certificates = Certificates::open(&config.certificates, &authority, &config.clock)?;
        let mut ports = Ports::open(config)?;
        let (store, key) = Store::open(&users.join("station.db"), &keys.join("station.key")).await?;
        let database = |error: &dyn std::fmt::Display| StationError::Database {
            path: users.join("station.db"),
            reason: error.to_string(),
        };
        for (account, role) in store.roles().await.map_err(|e| database(&e))? {
            roles.assign(&account, &role);
        }
        let setup_code_path = host::setup_code_path(&keys);
        let is_new = store.is_empty().await.map_err(|e| database(&e))?;
        let setup_code = if is_new {
            Some((token::setup_code(&setup_code_path)?, setup_code_path))
        } else {
            // Left there where a kill came between the first account and its removal.
            let _ = std::fs::remove_file(&setup_code_path);
            None
        };

        let (trail, trail_end) = Trail::open(&logs.join("station_audit.log"), &config.clock)?;
        let watch = Arc::new(Watch::new(trail.clone()));
        let gatekeeper = Gatekeeper {
            store: store.clone(),
            roles: Arc::clone(&roles),
            clock: config.clock.clone(),
            anonymous_beyond_loopback: config.anonymous_beyond_loopback,
        };
        let keeper = Arc::new(SessionLog::open(&users.join("sessions"), Arc::clone(&key)).await?);
        let (gatekeeper, observer) = (Arc::new(gatekeeper), Arc::clone(&watch) as _);
        let broker = Broker::new(config.limits.clone(), gatekeeper, observer, Arc::clone(&keeper) as _).await;
        let mut running = Running {
            api: config.api,
            mqtt_tls: config.mqtt,
            plain: None,
            websocket: None,
            websocket_tls: None,
            metrics: None,
            fingerprint: authority.fingerprint()?,
            setup_code: setup_code.as_ref().map(|(code, _)| code.clone()),
            ca_certificate: authority.ca_path(),
        };
        ports.tell(&mut running)?;
        let ground = Ground {
            store: store.clone(),
            key,
            roles,
            trail: trail.clone(),
            mqtt: Mqtt::new(broker.clone()),
            endpoint: MqttEndpoint { tls_port: running.mqtt_tls.port() },
            scrape_token: token::kept_token(&keys.join("metrics.token"))?,
            setup_code: setup_code.clone(),
        };
        let accounts = Arc::new(Accounts::open(ground, config)?);

        let stop = CancellationToken::new();
        let served = Api { router: http::router(Arc::clone(&accounts)), tls: api_tls, stop: stop.clone() };
        let metrics = ports.metrics.take();
        let (api, mut listeners) = ports.serve(&broker, &certificates, &config.websocket_origins);
        listeners.push(("HTTPS", tokio::spawn(http::serve(api, served))));
        if let Some(metrics) = metrics {
            let serving = http::serve_plain(metrics, http::plain_router(accounts), stop.clone());
            listeners.push(("metrics", tokio::spawn(serving)));
        }
        trail.note("", "", "station started", "ok", None);
        Ok(Self {
            running,
            data: config.data.clone(),
            setup_code: setup_code.map(|(_, file)| file),
            store,
            keeper,
            authority,
            certificates,
            broker,
            watch,
            trail,
            trail_end: Some(trail_end),
            stop,
            listeners,
        })
    }

    /// Tells the apps on this computer.
    fn announce(&self) -> Result<(), StationError> {
        let record = StationFile {
            api: self.running.api,
            mqtt_tls_port: self.running.mqtt_tls.port(),
            fingerprint: self.running.fingerprint.clone(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            setup_code: self.setup_code.clone(),
        };
        Ok(record.write(&self.data)?)
    }

    /// Lives until something ends it.
    async fn live(
        &mut self,
        config: &Config,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), StationError> {
        let leases = async {
            if config.lease {
                until_no_lease(&config.data, LEASE_GRACE, LEASE_LOOK).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let mut hangup = Hangup::listen(!config.lease);
        let certificates = &self.certificates;
        let terminal_gone = async {
            while hangup.next().await {
                certificates.reload();
            }
        };
        let keep_house =
            keep_house(&self.store, &self.authority, certificates, &self.broker, &self.watch, config);
        tokio::select! {
            () = shutdown => Ok(()),
            () = terminal_gone => {
                tracing::info!("the terminal has gone: the station ends");
                Ok(())
            }
            () = leases => {
                tracing::info!("the last window has gone: the station ends");
                Ok(())
            }
            () = keep_house => Ok(()),
            (what, reason) = first_to_stop(&mut self.listeners) => Err(StationError::Stopped { what, reason }),
        }
    }

    /// The way back: no new guests, good-bye to those there are, everything to disk.
    async fn close(mut self, data: &DataFolders) {
        StationFile::remove(data);
        self.stop.cancel();
        self.broker.shutdown().await;
        for (what, task) in self.listeners.drain(..) {
            if task.is_finished() {
                continue;
            }
            // It was told to stop; what hangs now is not worth waiting for.
            let abort = task.abort_handle();
            if tokio::time::timeout(Duration::from_secs(6), task).await.is_err() {
                tracing::warn!(what, "a listener did not stop in time");
                abort.abort();
            }
        }
        let (messages, bytes) = self.watch.accepted();
        tracing::info!(messages, bytes, "the station has ended");
        self.trail.note("", "", "station ended", "ok", None);
        self.keeper.close().await;
        self.store.close().await;
        if let Some(end) = self.trail_end.take() {
            let _ = tokio::task::spawn_blocking(move || end.finish()).await;
        }
    }
}

/// The first listener that ends by itself.
async fn first_to_stop(listeners: &mut [Served]) -> (&'static str, String) {
    std::future::poll_fn(|context| {
        for (what, task) in listeners.iter_mut() {
            if let std::task::Poll::Ready(ended) = std::pin::Pin::new(task).poll(context) {
                let reason = match ended {
                    Ok(Ok(())) => "it ended without being told to".to_owned(),
                    Ok(Err(error)) => error.to_string(),
                    Err(error) => error.to_string(),
                };
                return std::task::Poll::Ready((*what, reason));
            }
        }
        std::task::Poll::Pending
    })
    .await
}

/// Every minute: what is live is in use, what is over ends. Every hour: the certificate.
async fn keep_house(
    store: &Store,
    authority: &tls::Authority,
    certificates: &Certificates,
    broker: &Broker,
    watch: &Watch,
    config: &Config,
) {
    let mqtt = Mqtt::new(broker.clone());
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    for number in 0_u32.. {
        ticks.tick().await;
        let now = config.clock.now();
        let swept = async {
            for session in watch.live().into_iter().filter_map(|id| i64::try_from(id).ok()) {
                store.touch_session(session, now).await?;
            }
            let over = store.end_old_sessions(now).await?;
            mqtt.end_credentials(&over, "your login has ended: log in again");
            store.sweep(now).await
        };
        if let Err(error) = swept.await {
            tracing::error!(%error, "what is over could not be cleared away");
        }
        certificates.reload_if_changed();
        if number % RENEW_EVERY == 0 {
            certificates.tell_overdue();
            if let Err(error) = authority.renew() {
                tracing::error!(%error, "the certificate could not be renewed");
            }
        }
    }
}

/// Resolves when no lease was held for `grace`. Then the record is gone already, so that no app can find a station
/// that is about to end.
async fn until_no_lease(data: &DataFolders, grace: Duration, look: Duration) {
    let mut last_held = Instant::now();
    loop {
        tokio::time::sleep(look).await;
        let over = last_held.elapsed() >= grace;
        let data = data.clone();
        let counted = tokio::task::spawn_blocking(move || -> Result<usize, FilesError> {
            let gate = Gate::enter(&data)?;
            let held = gate.count();
            if held == 0 && over {
                StationFile::remove(&data);
            }
            Ok(held)
        });
        match counted.await {
            Ok(Ok(0)) if over => return,
            Ok(Ok(0)) => {}
            // What cannot be judged counts as held: better a station too long than one too short.
            _ => last_held = Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::host::Lease;

    #[tokio::test]
    async fn a_station_outlives_its_last_lease_by_the_grace_and_no_lease_taken_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolders::find(Some(dir.path())).unwrap();
        let lease = Lease::take(&data).unwrap();
        let (grace, look) = (Duration::from_millis(80), Duration::from_millis(5));
        let mut ended = Box::pin(until_no_lease(&data, grace, look));
        tokio::time::timeout(grace * 3, &mut ended).await.expect_err("a lease is held");
        drop(lease);
        let dropped = Instant::now();
        ended.await;
        assert!(dropped.elapsed() + look * 4 >= grace, "{:?}", dropped.elapsed());
    }
}
