//! A topic key for the programs of an older system, from what those programs take.

use super::{
    fernet_key::{self, FernetKeyError},
    topic_key::{KeyError, TopicKey},
};
use crate::{
    seal::{
        EpochSecret,
        legacy::{KeySource, PassphraseError, Profile},
    },
    topic::{TopicError, TopicFilter},
};

/// Why there is no key for a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyKeyError {
    /// The text of the key file is not one.
    #[error(transparent)]
    KeyFile(#[from] FernetKeyError),
    /// The passphrase is not one that its programs take.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// Label or filters are not possible.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A topic of a profile is no filter.
    #[error(transparent)]
    Topic(#[from] TopicError),
}

/// The secret of a profile: `text` is that of its key file, its passphrase, or nothing, as
/// [`Profile::key_source`] says. Slow on purpose for a stretched passphrase.
///
/// # Errors
/// What is wrong with the text.
pub fn secret(profile: Profile, text: &str) -> Result<EpochSecret, LegacyKeyError> {
    Ok(match profile.key_source() {
        KeySource::KeyFile => fernet_key::read(text.as_bytes())?,
        KeySource::Published | KeySource::ThirtyTwoCharacters | KeySource::Passphrase => {
            profile.secret_from(text)?
        }
    })
}

/// The filters that a profile's key is for where its owner named none.
///
/// # Errors
/// None that its constants can reach.
pub fn filters(profile: Profile) -> Result<Vec<TopicFilter>, LegacyKeyError> {
    Ok(profile.topics().iter().map(TopicFilter::new).collect::<Result<_, _>>()?)
}

/// A key that follows a profile.
///
/// # Errors
/// The label or the filters are not possible.
pub fn key(
    profile: Profile,
    label: &str,
    filters: Vec<TopicFilter>,
    secret: EpochSecret,
    now_ms: u64,
) -> Result<TopicKey, KeyError> {
    Ok(TopicKey::from_secret(label, filters, profile.suite(), secret, now_ms)?.with_profile(Some(profile)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::Keyring,
        seal::{Kind, Plain},
        topic::TopicName,
    };

    /// Made with the programs' own libraries: profile, its secret's text, topic, what is inside, bytes on the wire.
    const VECTORS: [(Profile, &str, &str, &str, &str); 5] = [
        (
            Profile::DisasterResponse,
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "emergency/assist",
            "ID:123e4567-e89b-42d3-a456-426614174000 Coordinates:42,7",
            "gAAAAABlU_EAAAECAwQFBgcICQoLDA0ODzYT6wYSQPWwSrbLUDrCdq9mt1YrAT8GNkxOcplq2fUj2kPlBIwhOQA62GHqfej9zQ9fATtMP2yoWmrbXJXwhI9DrOWGpfFYQbUokSdNZzE4If-6NKMqYbCuO5t5KOS2RA==",
        ),
        (
            Profile::RoomChat,
            "01234567890123456789012345678912",
            "movantchat/python",
            "daniel: hello",
            "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD4wxp9X1hoGw6aOf6eivwnHgpfZVxg2_kvuyZpAq69I9XesNwprRxExDakiKlslzIg==",
        ),
        (
            Profile::WindowChat,
            "correct horse battery",
            "chat/channel",
            r#"{"username": "alice", "text": "hello"}"#,
            "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD8s1g61-qjx7iUtC9Y7v8q06YxuGEIXz3zFLq1BAXqrwzhQHWEdqimAMXYvc0adUced4NU61L7rNsqx8PnTFXw_gJLENN9bDloPc6rbYXf9K",
        ),
        (
            Profile::IndustrialIot,
            "",
            "iot/sensor",
            "Hello Daniel",
            "AAECAwQFBgcICQoLDA0OD36MI89bdSzVsxg83QpRiGf/nAGXQdGCgCiaTDWbjviS9pbyLRa/9cpbc78ZL+7p6A==",
        ),
        // From an audit log that its program wrote.
        (
            Profile::IndustrialIot,
            "",
            "iot/control",
            "Here i am",
            "+fyN32B0cpk2kBUdV71M/dCR75ejZJfZgeH0eLmTNTl43apS6vb6ugAWpUCwLn7QfJvHE3IMckzm+adpHZ4haQ==",
        ),
    ];

    #[test]
    fn what_the_older_programs_sealed_opens_with_what_they_were_given() {
        for (profile, text, topic, body, wire) in VECTORS {
            let mut keyring = Keyring::new();
            let secret = secret(profile, text).unwrap();
            keyring
                .add(key(profile, profile.title(), filters(profile).unwrap(), secret, 1).unwrap())
                .unwrap();
            let opened = keyring.open(&TopicName::new(topic).unwrap(), wire.as_bytes()).unwrap();
            assert_eq!(std::str::from_utf8(&opened.opened.body).unwrap(), body);
            assert_eq!(opened.key.profile(), Some(profile));
            let spoken = profile.parse(&opened.opened.body).unwrap();
            // What we seal is as long, and opens too.
            let topic = TopicName::new(topic).unwrap();
            let plain = Plain { kind: Kind::default(), content_type: None, body: body.as_bytes() };
            let sealed = opened.key.sealer([7; 16]).seal(&topic, &plain, 1_700_000_000_000).unwrap();
            assert_eq!(sealed.as_bytes().len(), wire.len());
            assert_eq!(&keyring.open(&topic, sealed.as_bytes()).unwrap().opened.body[..], body.as_bytes());
            // What is read is written to the byte, but for a fresh id.
            if profile != Profile::DisasterResponse {
                assert_eq!(profile.compose(&spoken, [0; 16]).unwrap(), body);
            }
        }
    }

    #[test]
    fn what_makes_no_key_is_told_as_its_programs_would_fail() {
        assert!(matches!(secret(Profile::DisasterResponse, "no key"), Err(LegacyKeyError::KeyFile(_))));
        assert!(secret(Profile::RoomChat, "short").unwrap_err().to_string().contains("exactly 32"));
        assert!(secret(Profile::WindowChat, "short").unwrap_err().to_string().contains("at least 8"));
    }
}
