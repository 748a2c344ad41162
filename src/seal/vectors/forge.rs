//! Makes envelopes as a writer would that holds the key and keeps to no rule.

use ring::aead::Aad;
use zeroize::Zeroizing;

use super::unhex;
use crate::seal::{
    EpochSecret, Kind, Plain, SigningKey, Suite, cbc_hmac,
    header::{self, Header, TAG_LEN},
    inside,
    secret::Schedule,
    sign1::{self, Place},
};

pub(in crate::seal) const TOPIC: &str = "plant/press/celsius";
pub(in crate::seal) const STAMP: u64 = 1_700_000_000_000;

/// 00 01 02 … 1f.
pub(in crate::seal) fn secret() -> EpochSecret {
    EpochSecret::from_bytes(std::array::from_fn(|at| at as u8))
}

pub(in crate::seal) fn other_secret() -> EpochSecret {
    EpochSecret::from_bytes([0x55; 32])
}

pub(in crate::seal) fn anna() -> SigningKey {
    SigningKey::from_bytes(&[0xa1; 32])
}

pub(in crate::seal) fn ben() -> SigningKey {
    SigningKey::from_bytes(&[0xb2; 32])
}

pub(in crate::seal) fn cbc_hmac_keys(cipher: &str, mac: &str) -> cbc_hmac::Keys {
    let cipher = Zeroizing::new(unhex(cipher).try_into().unwrap());
    cbc_hmac::Keys { cipher, mac: Zeroizing::new(unhex(mac)) }
}

pub(in crate::seal) fn plain(body: &[u8]) -> Plain<'_> {
    Plain { kind: Kind::default(), content_type: None, body }
}

/// The contents of a plain reading.
pub(in crate::seal) fn reading() -> Vec<u8> {
    contents(&plain(b"21.5"))
}

pub(in crate::seal) fn contents(plain: &Plain<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    inside::write(&mut out, plain, STAMP);
    out
}

pub(in crate::seal) fn padded(mut inside: Vec<u8>) -> Vec<u8> {
    inside.resize(inside::padded_len(inside.len() as u64) as usize, 0);
    inside
}

/// One place: key, suite, session, sequence and topic.
pub(in crate::seal) struct Forge {
    pub(in crate::seal) secret: EpochSecret,
    pub(in crate::seal) suite: Suite,
    pub(in crate::seal) session: [u8; 16],
    pub(in crate::seal) sequence: u64,
    pub(in crate::seal) topic: &'static str,
    pub(in crate::seal) schedule: Schedule,
}

impl Forge {
    pub(in crate::seal) fn new(suite: Suite) -> Self {
        Self::under(secret(), suite)
    }

    pub(in crate::seal) fn under(secret: EpochSecret, suite: Suite) -> Self {
        let schedule = Schedule::new(&secret);
        let session = std::array::from_fn(|at| 0xa0 + at as u8);
        Self { secret, suite, session, sequence: 1, topic: TOPIC, schedule }
    }

    pub(in crate::seal) fn algorithm(&self) -> u8 {
        self.suite.cose().unwrap().number
    }

    pub(in crate::seal) fn protected(&self) -> Vec<u8> {
        let header = Header {
            suite: self.suite,
            kid: self.secret.kid(self.suite),
            sequence: self.sequence,
            session: self.session,
            topic_id: self.schedule.topic_id(self.topic),
        };
        header.encode(self.algorithm())
    }

    /// Around this plaintext, padding and all.
    pub(in crate::seal) fn envelope(&self, inside: &[u8]) -> Vec<u8> {
        self.envelope_with(&self.protected(), inside)
    }

    /// The same with another header, whatever it says.
    pub(in crate::seal) fn envelope_with(&self, protected: &[u8], inside: &[u8]) -> Vec<u8> {
        let mut wire = Vec::new();
        header::write_start(&mut wire, protected, (inside.len() + TAG_LEN) as u64);
        wire.extend(self.encrypted(protected, inside));
        wire
    }

    pub(in crate::seal) fn encrypted(&self, protected: &[u8], inside: &[u8]) -> Vec<u8> {
        let key = self.schedule.session_key(self.suite.cose().unwrap(), &self.session);
        let mut out = inside.to_vec();
        let aad = Aad::from(header::associated_data(protected));
        key.key.seal_in_place_append_tag(key.nonce(self.sequence), aad, &mut out).unwrap();
        out
    }

    pub(in crate::seal) fn place(&self) -> Place<'_> {
        Place {
            commitment: &self.schedule.commitment,
            algorithm: self.algorithm(),
            topic: self.topic,
            session: &self.session,
            sequence: self.sequence,
        }
    }

    /// A COSE_Sign1 that holds here.
    pub(in crate::seal) fn signed(&self, contents: &[u8], key: &SigningKey) -> Vec<u8> {
        let mut out = Vec::new();
        sign1::write(&mut out, contents, key, &self.place());
        out
    }

    /// What a COSE_Sign1 signs here.
    pub(in crate::seal) fn to_be_signed(&self, protected: &[u8], contents: &[u8]) -> Vec<u8> {
        self.place().to_be_signed(protected, contents)
    }
}
