//! The keys that accounts sign with. The station cannot forge a signature, but it says whose key it is: people compare
//! digits to be certain of that.

use ring::signature::{ED25519, UnparsedPublicKey};

use crate::api::{Blob, IDENTITY_LEN, Identity, Problem, ProblemCode, PutIdentity, identity_claim};

use super::{Accounts, Caller, LoggedIn, malformed};

impl Accounts {
    /// Keeps the key that an account signs with, once it has shown that it has the secret half.
    pub(crate) async fn put_identity(
        &self,
        who: &LoggedIn,
        put: PutIdentity,
        caller: Caller,
    ) -> Result<(), Problem> {
        let Blob(key) = put.key;
        let key: [u8; IDENTITY_LEN] =
            key.try_into().map_err(|_| malformed("an identity key has 32 bytes"))?;
        UnparsedPublicKey::new(&ED25519, key)
            .verify(&identity_claim(&who.username), &put.proof.0)
            .map_err(|_| malformed("the proof does not hold: sign the claim with the key that is told"))?;
        if !self.store.set_identity(who.account, &key, self.clock.now()).await? {
            let why = "another account signs with this key: make another";
            return Err(Problem::new(ProblemCode::Forbidden, why));
        }
        self.trail.note(&who.username, &who.role, "identity key", "ok", caller.peer());
        Ok(())
    }

    /// Whose key it is.
    pub(crate) async fn identity(&self, key: &str) -> Result<Identity, Problem> {
        let unknown =
            || Problem::new(ProblemCode::NotFound, "no account of this station signs with this key");
        let key = hex(key).ok_or_else(|| malformed("an identity key is 64 hexadecimal digits"))?;
        let (username, since_ms) = self.store.identity(&key).await?.ok_or_else(unknown)?;
        Ok(Identity { username, since_ms })
    }
}

fn hex(text: &str) -> Option<[u8; IDENTITY_LEN]> {
    if text.len() != 2 * IDENTITY_LEN || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; IDENTITY_LEN];
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(key)
}
