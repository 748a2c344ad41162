//! How long an envelope will be, told before anything is sealed: what a broker learns of a message's length.

use std::ops::RangeInclusive;

use super::{
    Kid, Suite, cbc_hmac,
    header::{self, Header, TAG_LEN},
    inside,
    sealer::MAX_SESSION_MESSAGES,
    sign1, token,
};

/// Any stamp between 1970 and the year 584 million is as long as this one.
const A_STAMP: u64 = 1_800_000_000_000;

/// The fewest and the most bytes of the envelope around a body of so many bytes. A native envelope grows by up to three
/// bytes with its place in the session: the Partial IV is written in its shortest form (RFC 9052 §3.1). `signed` says
/// nothing under a suite that has no room for a signature.
///
/// `None` where nothing seals this: the content type is too long.
#[must_use]
pub fn wire_len(
    suite: Suite,
    content_type: Option<&str>,
    body_len: u64,
    signed: bool,
) -> Option<RangeInclusive<u64>> {
    let Some(cose) = suite.cose() else {
        let length = match suite {
            Suite::AesCbcHmac => cbc_hmac::length_for(body_len),
            _ => token::length_for(body_len),
        };
        return Some(length..=length);
    };
    let contents = inside::len_for(content_type, body_len, A_STAMP).ok()?;
    let inside = if signed { sign1::len_of(contents) } else { contents };
    let ciphertext = inside::padded_len(inside) + TAG_LEN as u64;
    let total = |sequence| {
        let (kid, session, topic_id) = (Kid::from_bytes([0; 16]), [0; 16], [0; 16]);
        let protected = Header { suite, kid, sequence, session, topic_id }.encode(cose.number);
        header::start_len(&protected, ciphertext) as u64 + ciphertext
    };
    Some(total(1)..=total(MAX_SESSION_MESSAGES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        seal::{EpochSecret, Kind, Plain, Sealer, SigningKey},
        topic::TopicName,
    };

    #[test]
    fn the_length_told_beforehand_is_that_of_the_envelope() {
        let topic = TopicName::new("plant/press").unwrap();
        let identity = SigningKey::from_bytes(&[7; 32]);
        for suite in Suite::ALL {
            for length in [0_usize, 1, 16, 31, 200, 255, 256, 5_000, 70_000] {
                for (content_type, signed) in [(None, false), (Some("application/json"), true)] {
                    let signed = signed && suite.is_native();
                    let body = vec![b'x'; length];
                    let mut sealer = Sealer::new(&EpochSecret::from_bytes([3; 32]), suite, [1; 16]);
                    let plain = Plain { kind: Kind::default(), content_type, body: &body };
                    let told = wire_len(suite, content_type, length as u64, signed).unwrap();
                    for at in [0, MAX_SESSION_MESSAGES - 1] {
                        sealer.pretend_sealed(at, 0);
                        let sealed = match signed {
                            true => sealer.seal_signed(&topic, &plain, 1_795_000_000_000, &identity),
                            false => sealer.seal(&topic, &plain, 1_795_000_000_000),
                        };
                        let sealed = sealed.unwrap().into_bytes().len() as u64;
                        let end = if at == 0 { told.start() } else { told.end() };
                        assert_eq!(sealed, *end, "{suite}, {length} bytes, message {at}");
                    }
                }
            }
        }
        assert_eq!(wire_len(Suite::CoseA256Gcm, Some(&"x".repeat(70_000)), 1, false), None);
    }
}
