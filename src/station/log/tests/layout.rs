//! Records as bytes: all that can be said is read back, and nothing that is no record harms.

use proptest::{collection::vec, prelude::*};

use super::{
    super::{decode, encode, index::Index},
    model::change,
    *,
};

fn encoded(changes: &[Change]) -> (Vec<u8>, Vec<u64>) {
    let mut bytes = Vec::new();
    let bodies = encode::batch(&mut bytes, 7, changes, &Index::default());
    (bytes, bodies)
}

#[test]
fn a_record_has_the_bytes_that_its_description_says() {
    let plain = KeptMessage {
        number: 300,
        topic: topic("t"),
        payload: "hi".into(),
        properties: [].into(),
        qos: 1,
        retain: true,
        expires_ms: None,
    };
    let message = Arc::new(plain);
    let parcel = KeptParcel {
        number: 2,
        message: message.clone(),
        qos: 1,
        retain: false,
        replay: true,
        shared: true,
        subscription_ids: [9].into(),
    };
    let changes = [Change::Queued { session: 5, parcel }, delivered(5, [2, 1]), Change::Retained { message }];
    let (bytes, bodies) = encoded(&changes);
    let body = [0, 0, 0xAC, 2, 0b101, 1, b't', 0, 2, b'h', b'i'];
    let queued = [7, 5, 2, 0, 0b11_1001, 1, 9];
    let delivered = [9, 5, 2, 4, 1];
    assert_eq!(bytes, [&[7], &body[..], &queued, &delivered, &[14, 0]].concat());
    assert_eq!(bodies, [0, 0]);
}

#[test]
fn the_largest_numbers_are_read_back() {
    let numbers = vec![u64::MAX, 0, 1, u64::MAX - 1, 1 << 63];
    let changes = [
        delivered(u64::MAX, numbers),
        Change::Left { session: u64::MAX, expiry_secs: u32::MAX, at_ms: u64::MAX },
        subscribed(1, "#", Some(u32::MAX)),
        Change::Completed { session: 0, packet_ids: vec![0, u16::MAX] },
    ];
    let record = decode::record(&encoded(&changes).0, |_| None).unwrap();
    assert_eq!(record.changes, changes);
}

#[test]
fn numbers_that_do_not_fit_are_refused() {
    let too_long = [0xFF; 10];
    assert!(decode::record(&too_long, |_| None).is_err());
    let over_64_bits = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2];
    assert!(decode::record(&over_64_bits, |_| None).is_err());
    // A packet id of 65,536, and a list said to be longer than the record.
    assert!(decode::record(&[0, 10, 1, 0x80, 0x80, 4], |_| None).is_err());
    assert!(decode::record(&[0, 9, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], |_| None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_batch_is_read_back_as_it_was(changes in vec(change(), 0..20)) {
        let (bytes, bodies) = encoded(&changes);
        let record = decode::record(&bytes, |_| None).unwrap();
        prop_assert_eq!((record.previous, record.orphans), (7, 0));
        prop_assert_eq!(record.changes, changes);
        prop_assert_eq!(record.bodies, bodies);
    }

    #[test]
    fn what_is_no_record_is_refused_or_read_and_never_harms(
        changes in vec(change(), 0..9),
        noise in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (mut bytes, _) = encoded(&changes);
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = decode::record(&bytes, |_| None);
    }

    #[test]
    fn noise_never_harms(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode::record(&bytes, |_| None);
    }
}
