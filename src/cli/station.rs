//! `sealwire station`: a station in the foreground, until it is told to stop.

use std::{net::SocketAddr, process::ExitCode};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::station::{
    self, CertificateFiles, Config, OtpPolicy, Running, SignUpPolicy, StationError, host::DataFolders,
    settings,
};

use super::{
    args::{Otp, SignUp, StationOptions},
    exit::Ended,
    say, stop,
};

pub(super) fn run(folders: DataFolders, options: StationOptions) -> anyhow::Result<ExitCode> {
    let levels = EnvFilter::try_from_env("SEALWIRE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(levels).with_ansi(false).init();

    let for_app = options.for_app;
    let (print_settings, check) = (options.print_settings, options.check);
    let base = if for_app { Config::for_app(folders) } else { Config::by_hand(folders) };
    let from_file = settings::from_file(base)?;
    let config = configure(from_file.clone(), options)?;
    if print_settings {
        say(settings::print(&config).trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = config.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.worker_threads())
        .enable_all()
        .build()
        .context("this system gives no threads to run a station on")?;
    if check {
        runtime.block_on(station::check(&config)).map_err(|error| blame(error, &from_file))?;
        say("A station can start with these settings.")?;
        return Ok(ExitCode::SUCCESS);
    }
    let ended = runtime.block_on(station::run(
        config,
        |running| {
            if !for_app && let Err(error) = print(running, &told) {
                tracing::warn!(%error, "the addresses could not be printed");
            }
        },
        stop::told(),
    ));
    ended.map_err(|error| blame(error, &from_file))?;
    Ok(ExitCode::SUCCESS)
}

/// What an argument asked for and no station can be is an argument's fault, unless the settings file asks for the same.
fn blame(error: StationError, from_file: &Config) -> anyhow::Error {
    let by_file = match &error {
        StationError::PlainBeyondLoopback(at) => [from_file.plain, from_file.websocket].contains(&Some(*at)),
        StationError::MetricsBeyondLoopback(at) => from_file.metrics == Some(*at),
        StationError::UnknownRole { name, .. } => from_file.anonymous.as_ref() == Some(name),
        _ => true,
    };
    if by_file { error.into() } else { Ended::misused(error.to_string()) }
}

/// What the file in the data folder says, then the arguments.
fn configure(mut config: Config, options: StationOptions) -> anyhow::Result<Config> {
    for one in &options.set {
        config = settings::with(config, one).map_err(|error| Ended::misused(error.to_string()))?;
    }
    let certificates = config.certificates;
    Ok(Config {
        name: options.name.unwrap_or(config.name),
        mqtt: options.listen.unwrap_or(config.mqtt),
        api: options.api.unwrap_or(config.api),
        plain: options.plain.or(config.plain),
        metrics: options.metrics.or(config.metrics),
        websocket: options.websocket.or(config.websocket),
        websocket_tls: options.websocket_tls.or(config.websocket_tls),
        plain_beyond_loopback: options.plain_anywhere || config.plain_beyond_loopback,
        certificates: CertificateFiles {
            certificate: options.cert.or(certificates.certificate),
            key: options.key.or(certificates.key),
            client_ca: options.client_ca.or(certificates.client_ca),
            client_crl: options.client_crl.or(certificates.client_crl),
            require_client_certificate: options.require_client_certificate
                || certificates.require_client_certificate,
        },
        anonymous: options.anonymous.or(config.anonymous),
        anonymous_beyond_loopback: options.anonymous_anywhere || config.anonymous_beyond_loopback,
        otp: options.otp.map_or(config.otp, |otp| match otp {
            Otp::Required => OtpPolicy::Required,
            Otp::Offered => OtpPolicy::Offered,
        }),
        sign_up: options.sign_up.map_or(config.sign_up, |sign_up| match sign_up {
            SignUp::Open => SignUpPolicy::Open,
            SignUp::Closed => SignUpPolicy::Closed,
        }),
        ..config
    })
}

/// Where it listens, how to know it, and how the first account is made.
fn print(running: &Running, config: &Config) -> anyhow::Result<()> {
    say(&format!("  HTTPS API        https://{}", running.api))?;
    say(&format!("  MQTT over TLS    mqtts://{}", running.mqtt_tls))?;
    if let Some(address) = running.websocket_tls {
        say(&format!("  MQTT, WebSocket  wss://{address}/mqtt"))?;
    }
    let reach = |address: SocketAddr| match address.ip().is_loopback() {
        true => "this computer only",
        false => "WARNING: other computers can reach it, and whoever is on the way can read it",
    };
    if let Some(plain) = running.plain {
        say(&format!("  MQTT, no TLS     mqtt://{plain}  ({})", reach(plain)))?;
    }
    if let Some(address) = running.websocket {
        say(&format!("  WebSocket        ws://{address}/mqtt  ({})", reach(address)))?;
    }
    if let Some(metrics) = running.metrics {
        say(&format!("  Metrics          http://{metrics}/metrics  (this computer only)"))?;
    }
    if let Some(role) = &config.anonymous {
        let from = if config.anonymous_beyond_loopback { "from anywhere" } else { "from this computer" };
        say(&format!("  Anonymous        clients without a username, {from}, have the role {role}"))?;
    }
    say(&format!("  Fingerprint      {}", running.fingerprint))?;
    say(&format!("  Invite link      sealwire://{}/#{}", running.api, running.fingerprint))?;
    say(&format!("  CA certificate   {}", running.ca_certificate.display()))?;
    if let Some(code) = &running.setup_code {
        say(&format!("  Setup code       {}", code.reveal()))?;
        say("\nNobody has an account yet. The first one becomes the admin: it needs the setup code.")?;
    }
    say("\nReady. Ctrl+C ends the station.")
}
