//! Who may knock: connections and new connections per second, from one address and from all.
//!
//! An address is what one household has: an IPv4 address, or an IPv6 network of 64 bits. Knows nothing of MQTT. Start
//! at [`Admission::admit`].

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{Limit, Limits, pace::Bucket};

/// Addresses that are remembered before those without anything to remember are looked for.
const LOOK_FROM: usize = 1_024;

/// See the module.
#[derive(Debug)]
pub(super) struct Admission {
    max_per_address: usize,
    per_second_per_address: u32,
    spare_loopback: bool,
    book: Mutex<Book>,
}

#[derive(Debug)]
struct Book {
    all: Option<Bucket>,
    addresses: HashMap<IpAddr, Address>,
    look_at: usize,
}

#[derive(Debug)]
struct Address {
    connections: usize,
    bucket: Option<Bucket>,
}

impl Address {
    /// Whether there is nothing to remember.
    fn is_idle(&mut self, now: Instant) -> bool {
        self.connections == 0 && self.bucket.as_mut().is_none_or(|bucket| bucket.is_full(now))
    }
}

/// A connection that counts against its address, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    /// None where its address is not counted.
    counted: Option<(Arc<Admission>, IpAddr)>,
}

impl Admission {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let all = Bucket::new(limits.connects_per_second, now);
        Self {
            max_per_address: limits.max_connections_per_address,
            per_second_per_address: limits.connects_per_second_per_address,
            spare_loopback: limits.spare_loopback,
            book: Mutex::new(Book { all, addresses: HashMap::new(), look_at: LOOK_FROM }),
        }
    }

    /// Notes that somebody came. Returns how long the listeners should rest, so that all together come no faster than
    /// they may.
    pub(super) fn knock(&self, now: Instant) -> Duration {
        self.book.lock().all.as_mut().map_or(Duration::ZERO, |all| all.spend(1, now))
    }

    /// A place for a connection from there, or which limit stands against it.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Place, Limit> {
        let address = address.to_canonical();
        if self.spare_loopback && address.is_loopback() {
            return Ok(Place { counted: None });
        }
        let network = network_of(address);
        let mut book = self.book.lock();
        if book.addresses.len() >= book.look_at {
            book.addresses.retain(|_, address| !address.is_idle(now));
            book.look_at = (book.addresses.len() * 2).max(LOOK_FROM);
        }
        let per_second = self.per_second_per_address;
        let here = book
            .addresses
            .entry(network)
            .or_insert_with(|| Address { connections: 0, bucket: Bucket::new(per_second, now) });
        if here.connections >= self.max_per_address {
            return Err(Limit::MaxConnectionsPerAddress);
        }
        if here.bucket.as_mut().is_some_and(|bucket| !bucket.take(now)) {
            return Err(Limit::ConnectsPerSecondPerAddress);
        }
        here.connections += 1;
        drop(book);
        Ok(Place { counted: Some((Arc::clone(self), network)) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((admission, network)) = self.counted.take() else { return };
        let mut book = admission.book.lock();
        if let Some(here) = book.addresses.get_mut(&network) {
            here.connections -= 1;
            if here.is_idle(Instant::now()) {
                book.addresses.remove(&network);
            }
        }
    }
}

fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(limits: &Limits) -> Arc<Admission> {
        Arc::new(Admission::new(limits, Instant::now()))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_has_its_share_of_connections_and_gets_it_back() {
        let limits = Limits { max_connections_per_address: 2, ..Limits::default() };
        let (admission, now) = (admission(&limits), Instant::now());
        let admit = |address: &str| admission.admit(ip(address), now);
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("::ffff:192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), Limit::MaxConnectionsPerAddress);
        let _other = admit("192.0.2.2").unwrap();
        drop(first);
        assert!(admit("192.0.2.1").is_ok());

        let _networks = (admit("2001:db8:0:1::1").unwrap(), admit("2001:db8:0:1:ffff::2").unwrap());
        assert!(admit("2001:db8:0:1::3").is_err(), "a household has a whole network to choose from");
        assert!(admit("2001:db8:0:2::3").is_ok());
        let local: Vec<_> = (0..9).map(|_| admit("127.0.0.1").unwrap()).collect();
        assert_eq!(local.len(), 9, "all programs of this computer share its address");
    }

    #[test]
    fn an_address_that_only_comes_and_goes_is_slowed_down_and_then_forgotten() {
        let limits = Limits { connects_per_second_per_address: 5, ..Limits::default() };
        let (admission, now) = (admission(&limits), Instant::now());
        let came = |now| (0..20).filter(|_| admission.admit(ip("192.0.2.1"), now).is_ok()).count();
        assert_eq!(came(now), 5);
        assert_eq!(admission.admit(ip("192.0.2.1"), now).unwrap_err(), Limit::ConnectsPerSecondPerAddress);
        assert_eq!(came(now + Duration::from_millis(401)), 2);
        for number in 0..5_000_u32 {
            let later = now + Duration::from_secs(2 + u64::from(number / 1_000));
            let _ = admission.admit(IpAddr::from(number.to_be_bytes()), later).unwrap();
        }
        assert!(admission.book.lock().addresses.len() <= 2 * LOOK_FROM, "strangers fill no memory");
    }

    #[test]
    fn all_together_come_no_faster_than_they_may() {
        let limits = Limits { connects_per_second: 100, ..Limits::default() };
        let (admission, now) = (admission(&limits), Instant::now());
        assert!((0..100).all(|_| admission.knock(now).is_zero()));
        assert_eq!(admission.knock(now), Duration::from_millis(10));
    }
}
