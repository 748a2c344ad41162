//! What a session may store and fetch: the vault, recovery codes, audit anchors, device credentials.

use crate::{
    api::{
        Anchors, Device, DeviceCredential, NewDevice, Problem, ProblemCode, PutRecoveryCodes, PutVault,
        Vault, VaultVersion,
    },
    station::token::{new_token, proof_of, random_id},
};

use super::{
    Accounts, Caller, LoggedIn, malformed,
    sign_up::{check_recovery, check_vault},
};

/// Device credentials of one account.
const MAX_DEVICES: i64 = 200;
/// Audit logs of one account: a few for each of its computers.
const MAX_LOGS: i64 = 64;
/// More lines than a log ever has.
const MAX_LINES: u64 = 1 << 53;

impl Accounts {
    /// The vault.
    pub(crate) async fn vault(&self, who: &LoggedIn) -> Result<Vault, Problem> {
        self.vault_of(who.account).await
    }

    /// Stores a vault made from the one that is there.
    pub(crate) async fn put_vault(&self, who: &LoggedIn, put: PutVault) -> Result<VaultVersion, Problem> {
        check_vault(&put)?;
        if put.password_wrap.is_some() {
            // A session alone must not lock its owner out of the vault.
            return Err(malformed("the vault's `password_wrap` changes only with the password"));
        }
        if self.store.put_vault(who.account, &put).await? {
            return Ok(VaultVersion { version: put.version });
        }
        Err(Problem::new(
            ProblemCode::VersionConflict,
            "the vault was changed on another computer: fetch it, merge, and store it again",
        ))
    }

    /// Replaces the recovery codes.
    pub(crate) async fn put_recovery_codes(
        &self,
        who: &LoggedIn,
        put: PutRecoveryCodes,
        caller: Caller,
    ) -> Result<(), Problem> {
        check_recovery(&put.entries, false)?;
        self.prove_password(who, &put.auth_key, caller).await?;
        self.store.put_recovery(who.account, &put.entries).await?;
        self.trail.note(&who.username, &who.role, "new recovery codes", "ok", caller.peer());
        Ok(())
    }

    /// Where the account's audit logs were last seen to end.
    pub(crate) async fn anchors(&self, who: &LoggedIn) -> Result<Anchors, Problem> {
        Ok(self.store.anchors(who.account).await?)
    }

    /// Keeps the newest anchor of each log.
    pub(crate) async fn put_anchors(&self, who: &LoggedIn, anchors: Anchors) -> Result<(), Problem> {
        for (log, anchor) in &anchors.logs {
            let is_id =
                (1..=64).contains(&log.len()) && log.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            let is_hash = anchor.head.len() == 64 && anchor.head.bytes().all(|b| b.is_ascii_hexdigit());
            if !is_id || !is_hash || anchor.count > MAX_LINES {
                return Err(malformed("an anchor has a log's id, a count and a hash of 64 hex digits"));
            }
        }
        match self.store.put_anchors(who.account, &anchors, MAX_LOGS).await? {
            Ok(()) => Ok(()),
            Err(log) if log.is_empty() => {
                Err(malformed(format!("an account has at most {MAX_LOGS} audit logs")))
            }
            Err(log) => {
                let why = "another line in the same place";
                self.trail.note(&who.username, &who.role, "audit anchor", why, None);
                Err(Problem::new(
                    ProblemCode::VersionConflict,
                    format!(
                        "the audit log {log} ended with another line when it was last seen: it was rewritten"
                    ),
                ))
            }
        }
    }

    /// The account's device credentials.
    pub(crate) async fn devices(&self, who: &LoggedIn) -> Result<Vec<Device>, Problem> {
        Ok(self.store.devices(who.account).await?)
    }

    /// Makes a device credential: a random token, with the rights of the account.
    pub(crate) async fn add_device(
        &self,
        who: &LoggedIn,
        new: NewDevice,
        caller: Caller,
    ) -> Result<DeviceCredential, Problem> {
        let label = new.label.trim().to_owned();
        if label.is_empty() || label.chars().count() > 64 || label.chars().any(char::is_control) {
            return Err(malformed("a label has 1 to 64 characters: say what the device is"));
        }
        let (id, now, password) = (random_id()?, self.clock.now(), new_token()?);
        let proof = proof_of(password.reveal());
        if !self.store.add_device(who.account, id, &label, &proof, now, MAX_DEVICES).await? {
            return Err(Problem::new(
                ProblemCode::Forbidden,
                format!("an account has at most {MAX_DEVICES} devices: remove one that is not used"),
            ));
        }
        self.trail.note(&who.username, &who.role, "device added", "ok", caller.peer());
        let device = Device { id, label, created_ms: u64::try_from(now).unwrap_or(0) };
        Ok(DeviceCredential { device, username: who.username.clone(), password })
    }

    /// Revokes a device credential and ends what is connected by it.
    pub(crate) async fn remove_device(&self, who: &LoggedIn, id: i64, caller: Caller) -> Result<(), Problem> {
        if !self.store.remove_device(who.account, id).await? {
            let message = "there is no such device: it may have been revoked already";
            return Err(Problem::new(ProblemCode::NotFound, message));
        }
        self.mqtt.end_credentials(&[id], "this device's credential was revoked");
        self.trail.note(&who.username, &who.role, "device revoked", "ok", caller.peer());
        Ok(())
    }
}
