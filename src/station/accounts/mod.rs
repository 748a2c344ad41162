//! Accounts: sign-up, login, one-time codes, ways back in. The rules are here, the rows in `store`.
//!
//! Every refusal is an [`api::Problem`](crate::api::Problem). What is wrong about a login is never said: an unknown
//! name, a wrong password and a wrong code cost the same time and are answered alike. Start at `log_in.rs`.

mod admin;
mod identity;
mod keep;
mod limits;
mod log_in;
mod otp;
mod password;
mod reset;
mod session;
mod sessions;
mod sign_up;

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use crate::api::{Confidential, MqttEndpoint, OtpPolicy, Problem, ProblemCode, SignUpPolicy, StationInfo};

use super::{
    Clock, StationError,
    config::Config,
    key::StationKey,
    mqtt::Mqtt,
    roles::RoleBook,
    store::{Store, StoreError},
    token::same_secret,
    trail::Trail,
};

pub(super) use admin::Admin;
pub(super) use session::LoggedIn;

use password::Passwords;

/// The desk that every request comes to.
pub(crate) struct Accounts {
    ground: Ground,
    clock: Clock,
    passwords: Passwords,
    name: String,
    otp: OtpPolicy,
    sign_up: SignUpPolicy,
}

/// What the desk stands on.
pub(crate) struct Ground {
    /// The database.
    pub(crate) store: Store,
    /// The station's key.
    pub(crate) key: Arc<StationKey>,
    /// Who has which role.
    pub(crate) roles: Arc<RoleBook>,
    /// Where everything is noted.
    pub(crate) trail: Trail,
    /// Live connections.
    pub(crate) mqtt: Mqtt,
    /// Where MQTT is.
    pub(crate) endpoint: MqttEndpoint,
    /// What a scraper of the metrics presents.
    pub(crate) scrape_token: Confidential,
    /// What the first account must present, and the file where it stands; `None` where there is an account.
    pub(crate) setup_code: Option<(Confidential, PathBuf)>,
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) IpAddr);

impl Caller {
    /// For the audit trail.
    fn peer(self) -> Option<String> {
        Some(self.0.to_string())
    }
}

impl std::ops::Deref for Accounts {
    type Target = Ground;
    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl Accounts {
    /// Opens the desk.
    pub(crate) fn open(ground: Ground, config: &Config) -> Result<Self, StationError> {
        Ok(Self {
            ground,
            clock: config.clock.clone(),
            passwords: Passwords::new()?,
            name: config.name.clone(),
            otp: config.otp,
            sign_up: config.sign_up,
        })
    }

    /// Whether this is the scrape token. Both are random and of one length, and compared in constant time.
    pub(crate) fn is_scrape_token(&self, token: &str) -> bool {
        same_secret(self.scrape_token.reveal(), token)
    }

    /// What the station tells anybody.
    pub(crate) async fn info(&self) -> Result<StationInfo, Problem> {
        Ok(StationInfo {
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            needs_first_account: self.store.is_empty().await?,
            sign_up: self.sign_up,
            roles: self.roles.offers(),
            otp: self.otp,
            mqtt: self.endpoint,
            now_ms: self.clock.now_ms(),
        })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        internal(&error)
    }
}

impl From<StationError> for Problem {
    fn from(error: StationError) -> Self {
        internal(&error)
    }
}

/// The station itself is in trouble: the cause goes to its log, not to the person who asked.
fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a request could not be answered");
    Problem::new(
        ProblemCode::Internal,
        "the station is in trouble and could not do this. Try again; if it stays so, its log says why",
    )
}

/// The request is not what it should be.
fn malformed(why: impl Into<String>) -> Problem {
    Problem::new(ProblemCode::Malformed, why)
}

/// The one answer to everything that is wrong about a login.
fn wrong_credentials() -> Problem {
    Problem::new(ProblemCode::WrongCredentials, "wrong username, password or code. A code works only once")
}

/// The one answer to everything that is wrong about a code.
fn wrong_code() -> Problem {
    Problem::new(
        ProblemCode::WrongCode,
        "this code is wrong, was used already, or came too late: wait for the next one and try again",
    )
}

/// In milliseconds, as the database counts.
const fn minutes(minutes: i64) -> i64 {
    minutes * 60 * 1000
}

/// In milliseconds.
const fn days(days: i64) -> i64 {
    days * 24 * minutes(60)
}
