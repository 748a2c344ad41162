//! `sealwire station`: a station in the foreground, until it is told to stop.

use std::process::ExitCode;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::station::{self, Config, OtpPolicy, Running, SignUpPolicy, host::DataFolders};

use super::{
    args::{Otp, SignUp, StationOptions},
    say,
};

pub(super) fn run(folders: DataFolders, options: StationOptions) -> anyhow::Result<ExitCode> {
    let levels = EnvFilter::try_from_env("SEALWIRE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(levels).with_ansi(false).init();

    let for_app = options.for_app;
    let anonymous = options.anonymous.clone();
    let config = configure(folders, options);
    let runtime =
        tokio::runtime::Runtime::new().context("this system gives no threads to run a station on")?;
    runtime.block_on(station::run(
        config,
        |running| {
            if !for_app && let Err(error) = print(running, anonymous.as_deref()) {
                tracing::warn!(%error, "the addresses could not be printed");
            }
        },
        told_to_stop(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn configure(folders: DataFolders, options: StationOptions) -> Config {
    if options.for_app {
        return Config::for_app(folders);
    }
    let by_hand = Config::by_hand(folders);
    Config {
        name: options.name.unwrap_or_else(|| by_hand.name.clone()),
        mqtt: options.listen,
        api: options.api,
        plain: options.plain,
        metrics: options.metrics,
        anonymous: options.anonymous,
        otp: match options.otp {
            Otp::Required => OtpPolicy::Required,
            Otp::Offered => OtpPolicy::Offered,
        },
        sign_up: match options.sign_up {
            SignUp::Open => SignUpPolicy::Open,
            SignUp::Closed => SignUpPolicy::Closed,
        },
        ..by_hand
    }
}

/// Where it listens, how to know it, and how the first account is made.
fn print(running: &Running, anonymous: Option<&str>) -> anyhow::Result<()> {
    say(&format!("  HTTPS API        https://{}", running.api))?;
    say(&format!("  MQTT over TLS    mqtts://{}", running.mqtt_tls))?;
    if let Some(plain) = running.plain {
        say(&format!("  MQTT, no TLS     mqtt://{plain}  (this computer only)"))?;
    }
    if let Some(metrics) = running.metrics {
        say(&format!("  Metrics          http://{metrics}/metrics  (this computer only)"))?;
    }
    if let Some(role) = anonymous {
        say(&format!("  Anonymous        clients without a username have the role {role}"))?;
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

/// Ends on Ctrl+C, and on the terminate signal where there is one.
async fn told_to_stop() {
    let ctrl_c = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl+C cannot be heard here");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! { () = ctrl_c => {}, _ = terminate.recv() => {} }
            }
            Err(error) => {
                tracing::warn!(%error, "the terminate signal cannot be heard here");
                ctrl_c.await;
            }
        }
    }
    #[cfg(not(unix))]
    ctrl_c.await;
}
