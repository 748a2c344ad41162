//! Sign-up, login, one-time codes, and ways back in.

use serde::{Deserialize, Serialize};

use crate::acl::Role;

use super::{
    Anchors, Blob, Confidential, KdfParams, MqttEndpoint, Username,
    vault::{PutVault, RecoveryEntry, Vault},
};

/// Asks for what a password is hashed with. Unknown names are answered alike.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SaltRequest {
    /// Whose.
    pub username: Username,
}

/// What a password is hashed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt {
    /// 16 bytes: HMAC(station key, username), truncated.
    pub salt: Blob,
    /// Argon2id's cost.
    pub kdf: KdfParams,
}

/// Makes an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignUp {
    /// The name wanted.
    pub username: Username,
    /// `sealwire/1 auth` of the password: 32 bytes, base64url, 43 characters.
    pub auth_key: Confidential,
    /// One of [`super::StationInfo::roles`]; ignored for the first account.
    pub role: Option<String>,
    /// For the first account: the station's setup code.
    pub setup_code: Option<Confidential>,
    /// The new vault, version 1.
    pub vault: PutVault,
    /// What the eight recovery codes prove and unlock.
    pub recovery: Vec<RecoveryEntry>,
}

/// The account is there; one-time codes can be turned on at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SignedUp {
    /// Logged in already, or, where codes are required, only after [`ConfirmOtp`].
    pub session: Option<Box<SessionGrant>>,
    /// For the authenticator app.
    pub enrolment: Enrolment,
}

/// A one-time code secret that waits for its first code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Names this enrolment in [`ConfirmOtp`]; good for 15 minutes.
    pub token: Confidential,
    /// The secret in base32, for typing.
    pub secret: Confidential,
    /// `otpauth://totp/…`, for the QR code.
    pub uri: Confidential,
}

/// Turns one-time codes on, by the first code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfirmOtp {
    /// From [`Enrolment`].
    pub token: Confidential,
    /// Six digits.
    pub code: Confidential,
}

/// One-time codes are on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OtpConfirmed {
    /// Given where sign-up did not: codes are required.
    pub session: Option<Box<SessionGrant>>,
}

/// What stands beside the password.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondFactor {
    /// Six digits from the authenticator app.
    Code(Confidential),
    /// `recovery auth` of a recovery code, which is spent by it.
    Recovery(Confidential),
    /// The token of a computer that was remembered.
    Remembered(Confidential),
}

/// Logs in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogIn {
    /// Who.
    pub username: Username,
    /// `sealwire/1 auth` of the password.
    pub auth_key: Confidential,
    /// Where the account uses one-time codes.
    pub second: Option<SecondFactor>,
    /// Asks for a token that stands in for the code on this computer, for 30 days.
    pub remember: bool,
}

/// An account, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its name.
    pub username: Username,
    /// Its role, with the rules, so that the client can ask before it acts.
    pub role: Role,
    /// Whether one-time codes are on.
    pub otp: bool,
    /// Recovery codes not yet used.
    pub recovery_codes_left: u8,
}

/// A session: two tokens and what the client needs to begin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionGrant {
    /// Who logged in.
    pub account: Account,
    /// For `Authorization: Bearer`.
    pub api_token: Confidential,
    /// MQTT's password; the username is the account's.
    pub mqtt_token: Confidential,
    /// Where MQTT is.
    pub mqtt: MqttEndpoint,
    /// Stands in for the code on this computer, if asked for.
    pub remembered: Option<Confidential>,
    /// The vault, and its secret wrapped under the password.
    pub vault: Vault,
    /// Where this account's audit logs were last seen to end.
    pub anchors: Anchors,
}

/// Changes the password of a session's account. Ends all its other sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangePassword {
    /// The old one's authentication key.
    pub old_auth_key: Confidential,
    /// The new one's.
    pub new_auth_key: Confidential,
    /// The vault secret under the new password.
    pub password_wrap: Blob,
}

/// Begins a reset by recovery code: it stands in for the password, so a code is still needed where codes are on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoverOpen {
    /// Who.
    pub username: Username,
    /// `recovery auth` of the recovery code.
    pub recovery_auth: Confidential,
    /// Six digits, where the account uses them.
    pub code: Option<Confidential>,
}

/// What a right recovery code releases. It is spent when the reset is finished.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoverOpened {
    /// For [`RecoverFinish`]; good for 15 minutes.
    pub reset_token: Confidential,
    /// The vault secret under that recovery code.
    pub recovery_wrap: Blob,
}

/// Ends a reset by recovery code: the vault stays, the password is new, all sessions end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecoverFinish {
    /// From [`RecoverOpened`].
    pub reset_token: Confidential,
    /// The new password's authentication key.
    pub auth_key: Confidential,
    /// The vault secret under the new password.
    pub password_wrap: Blob,
}

/// Resets without password by a one-time code: the vault is a new, empty one; the old is kept 30 days. Never for
/// an admin; five tries a day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResetByCode {
    /// Who.
    pub username: Username,
    /// Six digits.
    pub code: Confidential,
    /// The new password's authentication key.
    pub auth_key: Confidential,
    /// A new, empty vault.
    pub vault: PutVault,
    /// New recovery codes.
    pub recovery: Vec<RecoveryEntry>,
}
