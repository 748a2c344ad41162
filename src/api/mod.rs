//! What client and station say to each other over HTTPS: requests, answers, problems. No I/O, no keys.
//!
//! Every request is JSON under [`BASE`]; every failure is a [`Problem`]. Those marked *session* carry
//! `Authorization: Bearer <api token>`. `docs/api.md` lists them for people.
//!
//! | method and path | request | answer |
//! |---|---|---|
//! | `GET station` | | [`StationInfo`] |
//! | `POST account/salt` | [`SaltRequest`] | [`Salt`] |
//! | `POST account` | [`SignUp`] | [`SignedUp`] |
//! | `POST otp/begin` *session* | | [`Enrolment`] |
//! | `POST otp/confirm` | [`ConfirmOtp`] | [`OtpConfirmed`] |
//! | `POST session` | [`LogIn`] | [`SessionGrant`] |
//! | `GET session` *session* | | [`Account`] |
//! | `DELETE session` *session* | | |
//! | `PUT password` *session* | [`ChangePassword`] | |
//! | `POST reset/recovery` | [`RecoverOpen`] | [`RecoverOpened`] |
//! | `POST reset/recovery/finish` | [`RecoverFinish`] | |
//! | `POST reset/code` | [`ResetByCode`] | |
//! | `GET vault` *session* | | [`Vault`] |
//! | `PUT vault` *session* | [`PutVault`] | [`VaultVersion`] |
//! | `PUT recovery-codes` *session* | [`PutRecoveryCodes`] | |
//! | `GET audit/anchors` *session* | | [`Anchors`] |
//! | `PUT audit/anchors` *session* | [`Anchors`] | |
//! | `GET devices` *session* | | `Vec<`[`Device`]`>` |
//! | `POST devices` *session* | [`NewDevice`] | [`DeviceCredential`] |
//! | `DELETE devices/{id}` *session* | | |
//! | `PUT identity` *session* | [`PutIdentity`] | |
//! | `GET identities/{key}` *session* | | [`Identity`] |
//! | `GET accounts` *admin's session* | | `Vec<`[`AccountEntry`]`>` |
//! | `GET roles` *admin's session* | | `Vec<`[`RoleEntry`]`>` |
//! | `PUT accounts/{username}/role` *admin's session* | [`SetRole`] | |
//! | `DELETE accounts/{username}` *admin's session* | | |
//! | `GET sessions` *admin's session* | query: [`SessionQuery`] | [`SessionList`] |
//! | `DELETE sessions/{id}` *admin's session* | query: [`EndSession`] | |
//!
//! `GET /metrics`, outside of [`BASE`], answers a scraper in Prometheus's text format.

mod account;
mod admin;
mod audit;
mod device;
mod identity;
mod problem;
mod secret;
mod station;
mod username;
mod vault;

pub use account::{
    Account, ChangePassword, ConfirmOtp, Enrolment, LogIn, OtpConfirmed, RecoverFinish, RecoverOpen,
    RecoverOpened, ResetByCode, Salt, SaltRequest, SecondFactor, SessionGrant, SignUp, SignedUp,
};
pub use admin::{
    AccountEntry, ConnectionEntry, EndSession, MAX_SESSIONS, RoleEntry, SessionEntry, SessionList,
    SessionQuery, SetRole,
};
pub use audit::{Anchor, Anchors};
pub use device::{Device, DeviceCredential, NewDevice};
pub use identity::{IDENTITY_LEN, Identity, PutIdentity, identity_claim};
pub use problem::{Problem, ProblemCode};
pub use secret::{Blob, Confidential};
pub use station::{KdfParams, MqttEndpoint, OtpPolicy, RoleOffer, SignUpPolicy, StationInfo};
pub use username::{Username, UsernameError};
pub use vault::{PutRecoveryCodes, PutVault, RecoveryEntry, Vault, VaultVersion};

/// The path that every request begins with.
pub const BASE: &str = "/api/v1";

/// The largest request or answer, in bytes. A vault of 1,000 keys has about 200 KiB.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// The DNS name that every station's certificate carries, so that a client which pinned the CA can reach it under
/// any address.
pub const TLS_NAME: &str = "station.sealwire.internal";
