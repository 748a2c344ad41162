//! The keyring as JSON, for the inside of a vault and nowhere else.
//!
//! The version is the vault's; unknown fields are refused, so that an older program never saves a newer vault with
//! something missing.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use super::{
    keyring::Keyring,
    topic_key::{Epoch, KeyError, TopicKey},
};
use crate::{
    seal::{EpochSecret, Signatures, SigningKey, Suite, legacy::Profile},
    topic::TopicFilter,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRecord<'a> {
    #[serde(borrow)]
    label: Cow<'a, str>,
    filters: Cow<'a, [TopicFilter]>,
    suite: Suite,
    sealing_allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "is_off")]
    signatures: Signatures,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
    epochs: Vec<EpochRecord>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EpochRecord {
    number: u32,
    secret: SecretText,
    created_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_ms: Option<u64>,
}

fn is_off(signatures: &Signatures) -> bool {
    *signatures == Signatures::Off
}

/// 32 bytes as 43 characters of base64url.
pub(super) struct SecretText(EpochSecret);

impl Serialize for SecretText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.expose())))
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = SecretText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes in base64url")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretText, E> {
                decode_secret(text).map(SecretText).ok_or_else(|| E::custom("not 32 bytes in base64url"))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

impl SecretText {
    pub(super) fn of(identity: &SigningKey) -> Self {
        Self(EpochSecret::from_bytes(*identity.expose()))
    }

    pub(super) fn to_identity(&self) -> SigningKey {
        SigningKey::from_bytes(self.0.expose())
    }
}

fn decode_secret(text: &str) -> Option<EpochSecret> {
    // Into a fixed buffer, so that no copy is left behind; the crate estimates 33 bytes for 43 characters.
    let mut buffer = Zeroizing::new([0; 33]);
    let length = URL_SAFE_NO_PAD.decode_slice(text, &mut *buffer).ok()?;
    if length != 32 {
        return None;
    }
    buffer.first_chunk().copied().map(EpochSecret::from_bytes)
}

impl<'a> From<&'a TopicKey> for KeyRecord<'a> {
    fn from(key: &'a TopicKey) -> Self {
        let epoch = |epoch: &Epoch| EpochRecord {
            number: epoch.number(),
            secret: SecretText(epoch.secret().duplicate()),
            created_ms: epoch.created_ms(),
            retired_ms: epoch.retired_ms(),
        };
        Self {
            label: key.label().into(),
            filters: key.filters().into(),
            suite: key.suite(),
            sealing_allowed: key.sealing_flag(),
            retired_ms: key.retired_ms(),
            signatures: key.signatures(),
            profile: key.profile(),
            epochs: key.epochs().iter().map(epoch).collect(),
        }
    }
}

impl TryFrom<KeyRecord<'_>> for TopicKey {
    type Error = KeyError;
    fn try_from(record: KeyRecord<'_>) -> Result<Self, KeyError> {
        let suite = record.suite;
        let epoch = |epoch: EpochRecord| {
            Epoch::new(epoch.number, epoch.secret.0, suite, epoch.created_ms, epoch.retired_ms)
        };
        let epochs = record.epochs.into_iter().map(epoch).collect();
        let filters = record.filters.into_owned();
        let mut key = Self::from_parts(&record.label, filters, suite, epochs, record.sealing_allowed)?;
        key.set_retired(record.retired_ms);
        Ok(key.with_signatures(record.signatures).with_profile(record.profile))
    }
}

impl Keyring {
    pub(super) fn to_records(&self) -> Vec<KeyRecord<'_>> {
        self.keys().iter().map(KeyRecord::from).collect()
    }

    /// `None` if a key is not possible, or one is there twice.
    pub(super) fn from_records(records: Vec<KeyRecord<'_>>) -> Option<Self> {
        let mut keyring = Self::new();
        for record in records {
            keyring.add(TopicKey::try_from(record).ok()?).ok()?;
        }
        Some(keyring)
    }
}

/// Writes JSON, padded with spaces to what `padded` makes of its length. Writes it twice, the first time only to count: a
/// buffer that grew would leave copies of keys behind in memory.
pub(super) fn to_json(
    contents: &impl Serialize,
    padded: impl Fn(usize) -> usize,
) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    serde_json::to_writer(&mut count, contents)?;
    let len = padded(count.0);
    let mut out = Zeroizing::new(Vec::with_capacity(len));
    serde_json::to_writer(&mut *out, contents)?;
    out.resize(len, b' ');
    Ok(out)
}
