//! Authentication keys as bcrypt hashes. The password itself never comes here: the client sends 256 bits derived
//! from it by Argon2id, so bcrypt's 72 bytes never matter; the calls refuse to truncate all the same.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{
    api::{Confidential, Problem},
    station::{StationError, token},
};

use super::{internal, malformed};

/// 2^10 rounds: some 50 ms. More would only tire the station: what is hashed has 256 bits already.
const COST: u32 = 10;

/// Hashes and compares, with at most half the cores at once, so that a flood of logins leaves the broker its own.
pub(super) struct Passwords {
    permits: Arc<Semaphore>,
    /// The hash that a name without account is compared with.
    nobody: Zeroizing<String>,
}

impl Passwords {
    pub(super) fn new() -> Result<Self, StationError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let nobody = bcrypt::non_truncating_hash(token::new_token()?.reveal(), COST)
            .map_err(|error| StationError::Randomness(error.to_string()))?;
        Ok(Self { permits: Arc::new(Semaphore::new((cores / 2).max(1))), nobody: Zeroizing::new(nobody) })
    }

    /// The hash to be kept.
    pub(super) async fn hash(&self, auth_key: &Confidential) -> Result<Zeroizing<String>, Problem> {
        let auth_key = auth_key.clone();
        self.aside(move || bcrypt::non_truncating_hash(auth_key.reveal(), COST).map(Zeroizing::new)).await
    }

    /// Whether `auth_key` is the one behind `hash`. Where there is no account, a hash is compared all the same.
    pub(super) async fn holds(
        &self,
        auth_key: &Confidential,
        hash: Option<&Zeroizing<String>>,
    ) -> Result<bool, Problem> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).clone();
        let auth_key = auth_key.clone();
        let same = self.aside(move || bcrypt::non_truncating_verify(auth_key.reveal(), &hash)).await?;
        Ok(same && known)
    }

    /// Off the reactor. The permit goes along, so that a request that is given up does not free its core early.
    async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, bcrypt::BcryptError> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|e| internal(&e))?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(|e| internal(&e))?.map_err(|e| internal(&e))
    }
}

/// Refuses what is no authentication key: 32 bytes as 43 characters of base64url.
pub(super) fn check_auth_key(auth_key: &Confidential) -> Result<(), Problem> {
    match URL_SAFE_NO_PAD.decode(auth_key.reveal()).map(Zeroizing::new) {
        Ok(bytes) if bytes.len() == 32 => Ok(()),
        _ => Err(malformed("`auth_key` must be 32 bytes in base64url without padding, 43 characters")),
    }
}
