//! One-time codes: RFC 6238 TOTP, SHA-1, six digits, 30 seconds, a secret of 20 bytes, one step either way.

use totp_rs::{Algorithm, Builder, Totp};
use zeroize::Zeroizing;

use crate::{
    api::{Confidential, ConfirmOtp, Enrolment, OtpConfirmed, Problem},
    station::{
        store::AccountRow,
        token::{self, new_token, proof_of},
    },
};

use super::{Accounts, Caller, LoggedIn, internal, minutes, wrong_code};

/// How long an enrolment waits for its first code.
const ENROL_WITHIN: i64 = minutes(15);

/// The step whose code `code` is now: the one before, this one, or the next.
pub(super) fn step_of(secret: &[u8], code: &Confidential, now_ms: u64) -> Option<i64> {
    let digits = Zeroizing::new(code.reveal().chars().filter(|c| !c.is_whitespace()).collect::<String>());
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let totp = totp(secret, "account").ok()?;
    totp.check(&digits, now_ms / 1000).and_then(|step| i64::try_from(step).ok())
}

fn totp(secret: &[u8], username: &str) -> Result<Totp, Problem> {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(1)
        .with_step_duration(30)
        .with_secret(secret.to_vec())
        .with_account_name(username)
        .with_issuer(Some("Sealwire"))
        .build()
        .map_err(|error| internal(&error))
}

impl Accounts {
    /// Spends a one-time code: a right one works once, also if the clock is set back.
    pub(super) async fn spend_code(
        &self,
        account: &AccountRow,
        code: &Confidential,
    ) -> Result<bool, Problem> {
        let Some(secret) = &account.otp else { return Ok(false) };
        let Some(step) = step_of(secret, code, self.clock.now_ms()) else { return Ok(false) };
        Ok(self.store.spend_otp_step(account.id, step).await?)
    }

    /// Begins an enrolment: a new secret that waits for its first code. `opens`: that code also logs in.
    pub(super) async fn enrol(
        &self,
        account: i64,
        username: &str,
        opens: bool,
    ) -> Result<Enrolment, Problem> {
        let secret = Zeroizing::new(token::random::<20>()?);
        let token = new_token()?;
        let until = self.clock.now() + ENROL_WITHIN;
        self.store.begin_enrolment(account, &proof_of(token.reveal()), &*secret, opens, until).await?;
        let totp = totp(&*secret, username)?;
        let uri = totp.to_url().map_err(|error| internal(&error))?;
        Ok(Enrolment { token, secret: totp.secret().to_base32().into(), uri: uri.into() })
    }

    /// Begins an enrolment for who is logged in; what was there before holds until the first new code.
    pub(crate) async fn begin_otp(&self, who: &LoggedIn) -> Result<Enrolment, Problem> {
        self.enrol(who.account, &who.username, false).await
    }

    /// Turns one-time codes on by the first code.
    pub(crate) async fn confirm_otp(
        &self,
        request: ConfirmOtp,
        caller: Caller,
    ) -> Result<OtpConfirmed, Problem> {
        let proof = proof_of(request.token.reveal());
        let enrolment = self.store.try_enrolment(&proof, self.clock.now()).await?.ok_or_else(wrong_code)?;
        let step = step_of(&enrolment.secret, &request.code, self.clock.now_ms()).ok_or_else(wrong_code)?;
        if !self.store.set_otp(enrolment.account, enrolment.id, &enrolment.secret, step).await? {
            return Err(wrong_code());
        }
        let account = self.store.account_by_id(enrolment.account).await?.ok_or_else(wrong_code)?;
        self.trail.note(&account.username, &account.role, "one-time codes on", "ok", caller.peer());
        let session = if enrolment.opens_session {
            Some(Box::new(self.begin_session(&account, false, caller).await?))
        } else {
            None
        };
        Ok(OtpConfirmed { session })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, Appendix B, SHA-1, shortened to six digits.
    #[test]
    fn codes_are_those_of_the_standard_and_hold_one_step_either_way() {
        let secret = b"12345678901234567890";
        let step = |code: &str, second: u64| step_of(secret, &code.into(), second * 1000);
        assert_eq!(step("287082", 59), Some(1));
        assert_eq!(step("081804", 1_111_111_109), Some(37_037_036));
        assert_eq!(step("287 082", 29), Some(1), "the next step's, for a clock that is behind");
        assert_eq!(step("287082", 89), Some(1), "the last step's, for a slow finger");
        assert_eq!(step("287082", 90), None);
        for bad in ["", "28708", "2870820", "28708a", "２８７０８２"] {
            assert_eq!(step(bad, 59), None, "{bad}");
        }
    }
}
