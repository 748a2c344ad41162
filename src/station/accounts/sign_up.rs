//! Sign-up. The first account of a station proves the setup code and becomes its admin.

use crate::{
    api::{
        KdfParams, OtpPolicy, Problem, ProblemCode, PutVault, RecoveryEntry, Salt, SaltRequest, SignUp,
        SignUpPolicy, SignedUp,
    },
    station::{
        store::{Joining, NewAccount},
        token::same_code,
    },
};

use super::{Accounts, Caller, internal, malformed, password::check_auth_key};

/// Recovery codes of a vault.
const RECOVERY_CODES: usize = 8;
/// A wrapped vault secret is never larger: a nonce, 32 bytes, a tag, and what a later version may add.
const MAX_WRAP_BYTES: usize = 1024;
/// A vault is never larger; the request around it must stay under `MAX_BODY_BYTES` as base64.
const MAX_VAULT_BYTES: usize = 1_500_000;

impl Accounts {
    /// What a password is hashed with: alike for names that nobody has.
    pub(crate) fn salt(&self, request: &SaltRequest) -> Salt {
        let salt = self.key.salt(request.username.as_str());
        Salt { salt: salt.to_vec().into(), kdf: KdfParams::default() }
    }

    /// Makes an account.
    pub(crate) async fn sign_up(&self, request: SignUp, caller: Caller) -> Result<SignedUp, Problem> {
        check_auth_key(&request.auth_key)?;
        check_new_vault(&request.vault)?;
        check_recovery(&request.recovery, true)?;
        self.admit(&[self.sign_up_limit(caller)]).await?;
        // Refuses at once what will be refused, before a hash is made for it; decided again with the write lock.
        self.role_for(self.store.is_empty().await?, &request)?;
        if self.store.has_account(&request.username).await? {
            return Err(taken());
        }
        let password = self.passwords.hash(&request.auth_key).await?;
        let new = NewAccount {
            username: &request.username,
            password: &password,
            vault: &request.vault,
            recovery: &request.recovery,
            now: self.clock.now(),
        };
        let id = match self.store.create_account(new, |first| self.role_for(first, &request)).await? {
            Joining::Made(id) => id,
            Joining::Taken => return Err(taken()),
            Joining::Refused(problem) => return Err(problem),
        };
        let account = self.store.account_by_id(id).await?.ok_or_else(|| internal(&"an account vanished"))?;
        self.roles.assign(&account.username, &account.role);
        self.trail.note(&account.username, &account.role, "sign-up", "ok", caller.peer());
        if let Some((_, file)) = &self.setup_code {
            // There is an account now, so the code is good for nothing. Not there any more is as good.
            let _ = std::fs::remove_file(file);
        }
        let required = self.otp == OtpPolicy::Required;
        let session =
            if required { None } else { Some(Box::new(self.begin_session(&account, false, caller).await?)) };
        let enrolment = self.enrol(account.id, &account.username, required).await?;
        Ok(SignedUp { session, enrolment })
    }

    /// The role that this sign-up gets.
    fn role_for(&self, first: bool, request: &SignUp) -> Result<String, Problem> {
        if first {
            let wrong = || {
                Problem::new(
                    ProblemCode::SetupCode,
                    "the first account of a station needs its setup code: it is printed when the station starts \
                     and stands in keys/setup-code of its data folder",
                )
            };
            return match (&request.setup_code, &self.setup_code) {
                (Some(given), Some((code, _))) if same_code(given, code) => {
                    Ok(self.roles.first_account().to_owned())
                }
                _ => Err(wrong()),
            };
        }
        if self.sign_up == SignUpPolicy::Closed {
            return Err(Problem::new(
                ProblemCode::SignUpClosed,
                "this station takes no new accounts by itself: ask the person who runs it",
            ));
        }
        match &request.role {
            Some(role) if self.roles.is_offered(role) => Ok(role.clone()),
            _ => {
                let offers: Vec<_> = self.roles.offers().into_iter().map(|offer| offer.name).collect();
                Err(Problem::new(
                    ProblemCode::RoleNotOffered,
                    format!("choose one of the roles that this station offers: {}", offers.join(", ")),
                ))
            }
        }
    }
}

fn taken() -> Problem {
    Problem::new(ProblemCode::NameTaken, "somebody has this name: choose another, or log in if it is yours")
}

/// Refuses what is no new vault.
pub(super) fn check_new_vault(vault: &PutVault) -> Result<(), Problem> {
    if vault.version != 1 || vault.password_wrap.is_none() {
        return Err(malformed("a new vault has version 1 and its `password_wrap`"));
    }
    check_vault(vault)
}

/// Refuses a vault that is too large.
pub(super) fn check_vault(vault: &PutVault) -> Result<(), Problem> {
    if vault.sealed.0.is_empty() || vault.sealed.0.len() > MAX_VAULT_BYTES {
        return Err(malformed(format!("a sealed vault has 1 to {MAX_VAULT_BYTES} bytes")));
    }
    vault.password_wrap.as_ref().map_or(Ok(()), |wrap| check_wrap(&wrap.0))
}

/// Refuses what is no wrapped vault secret.
pub(super) fn check_wrap(wrap: &[u8]) -> Result<(), Problem> {
    if wrap.is_empty() || wrap.len() > MAX_WRAP_BYTES {
        return Err(malformed(format!("a wrapped vault secret has 1 to {MAX_WRAP_BYTES} bytes")));
    }
    Ok(())
}

/// Refuses what is not eight recovery codes; none at all is as good where they may come later.
pub(super) fn check_recovery(entries: &[RecoveryEntry], may_be_none: bool) -> Result<(), Problem> {
    if entries.is_empty() && may_be_none {
        return Ok(());
    }
    if entries.len() != RECOVERY_CODES {
        return Err(malformed(format!("there are {RECOVERY_CODES} recovery codes, not {}", entries.len())));
    }
    for (at, entry) in entries.iter().enumerate() {
        check_wrap(&entry.wrap.0)?;
        if !(20..=128).contains(&entry.auth_key.reveal().len()) {
            return Err(malformed("the `auth_key` of a recovery code has 20 to 128 characters"));
        }
        if entries[..at].iter().any(|earlier| earlier.auth_key == entry.auth_key) {
            return Err(malformed("two recovery codes are the same"));
        }
    }
    Ok(())
}
