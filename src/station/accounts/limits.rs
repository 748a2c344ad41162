//! How often one may be wrong.
//!
//! Tries are counted before they are judged and taken back when they were right, so that a thousand at the same time
//! are a thousand. Names without account are counted like any other. Sessions that are on go on.

use std::net::IpAddr;

use crate::{
    api::{Problem, ProblemCode, Username},
    station::store::{Limit, Scope},
};

use super::{Accounts, Caller, days, minutes};

impl Accounts {
    /// What a login, or anything else that proves a password or a recovery code, is counted against.
    pub(super) fn login_limits(&self, username: &Username, caller: Caller) -> [Limit; 3] {
        let (name, address) = (username.as_str().as_bytes(), counted_as(caller.0));
        let limit = |scope, parts: &[&[u8]], every| Limit {
            scope,
            who: self.key.counter(parts),
            every,
            lock_ms: minutes(5),
        };
        // Everybody on this computer shares its loopback address.
        let per_address = if caller.0.is_loopback() { 300 } else { 50 };
        [
            limit(Scope::AccountAtAddress, &[name, &address], 5),
            limit(Scope::Account, &[name], 50),
            limit(Scope::Address, &[&address], per_address),
        ]
    }

    /// Five tries a day to reset an account by one-time code, right or wrong.
    pub(super) fn code_reset_limit(&self, username: &Username) -> Limit {
        let who = self.key.counter(&[username.as_str().as_bytes()]);
        Limit { scope: Scope::CodeReset, who, every: 5, lock_ms: days(1) }
    }

    /// Sign-ups of one address: a school class behind one router, but no flood.
    pub(super) fn sign_up_limit(&self, caller: Caller) -> Limit {
        let every = if caller.0.is_loopback() { 300 } else { 60 };
        let who = self.key.counter(&[&counted_as(caller.0)]);
        Limit { scope: Scope::SignUp, who, every, lock_ms: minutes(60) }
    }

    /// Counts a try, or says how long to wait.
    pub(super) async fn admit(&self, limits: &[Limit]) -> Result<(), Problem> {
        let Err(wait_ms) = self.store.admit(limits, self.clock.now()).await? else { return Ok(()) };
        let wait = u64::try_from(wait_ms).unwrap_or(0).div_ceil(1000);
        let message = match wait {
            0..60 => format!("too many tries: wait {wait} seconds and try again"),
            60..5400 => format!("too many tries: wait {} minutes and try again", wait.div_ceil(60)),
            _ => format!("too many tries: wait {} hours and try again", wait.div_ceil(3600)),
        };
        Err(Problem { retry_after_s: Some(wait), ..Problem::new(ProblemCode::TryLater, message) })
    }
}

/// An address as it is counted: IPv6 by its /64, which one household has to itself.
fn counted_as(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets()[..8].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_is_counted_by_network_and_a_mapped_ipv4_as_itself() {
        let of = |ip: &str| counted_as(ip.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
