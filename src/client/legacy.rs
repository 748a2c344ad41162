//! Messages for the programs of older systems, as the desktop and the terminal compose and show them.
//!
//! The link holds to a profile by itself: QoS 0, never retained, no content type, and nothing that those programs could not
//! read (`within`).

use crate::{
    keys::{KeyringError, TopicKey, legacy},
    seal::EpochSecret,
    topic::TopicFilter,
};

use super::{
    Asked, Draft, Failure, Message, Opening, Password, clock::now_ms, desk::Desk, direct::DirectError, wipe,
};

pub use crate::seal::legacy::{KeySource, NO_SECRECY, Place, Profile, ShapeError, Spoken};

/// Why a message was not composed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// It is nothing that those programs say.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// No randomness for the id of a message.
    #[error("the operating system gave no randomness ({0}), and without it no message gets an id of its own")]
    Randomness(String),
}

/// The payload that the programs of a profile write for this; with a fresh id where they give one.
///
/// # Errors
/// What those programs cannot say, or would not send.
pub fn compose(profile: Profile, spoken: &Spoken) -> Result<Vec<u8>, ComposeError> {
    Ok(profile.compose(spoken, random()?)?.into_bytes())
}

/// The topics that the programs of a profile use unless they were told otherwise.
///
/// # Errors
/// None that its constants can reach.
pub fn topics(profile: Profile) -> Result<Vec<TopicFilter>, DirectError> {
    legacy::filters(profile).map_err(|error| DirectError::BadKey(error.to_string()))
}

/// What a message of such a program says; `None` for all others, and where it is not in their shape.
#[must_use]
pub fn spoken(message: &Message) -> Option<Spoken> {
    match &message.opening {
        Opening::Opened { with, body, .. } => with.profile?.parse(body).ok(),
        Opening::InTheClear { .. } | Opening::Refused { .. } => None,
    }
}

/// The draft as the programs of a profile would send it.
///
/// # Errors
/// They could not read it.
pub(super) fn within(profile: Profile, draft: &Draft) -> Result<Draft, ShapeError> {
    profile.parse(&draft.body)?;
    Ok(Draft {
        topic: draft.topic.clone(),
        body: draft.body.clone(),
        content_type: None,
        qos: 0,
        retain: false,
    })
}

/// The same draft, to be sent once more: what has an id of its own gets another.
pub(super) fn renew(profile: Profile, draft: &mut Draft) {
    if let Some(body) = random().ok().and_then(|random| profile.renew(&draft.body, random)) {
        draft.body = body.into_bytes();
    }
}

/// A key to be made for programs of an older system.
pub struct LegacyKey {
    /// Of which system.
    pub profile: Profile,
    /// What it is for, instead of the profile's own topics.
    pub filters: Option<Vec<TopicFilter>>,
    /// The text of its key file, its passphrase, or nothing, as [`Profile::key_source`] says.
    pub secret: Option<Password>,
    /// What it is called, instead of the profile's title.
    pub label: Option<String>,
}

/// The same, with its secret.
struct DerivedKey {
    profile: Profile,
    filters: Vec<TopicFilter>,
    label: String,
    secret: EpochSecret,
}

impl LegacyKey {
    /// Stretching a passphrase takes a while: not on the thread of the link.
    async fn derive(self) -> Result<DerivedKey, String> {
        let Self { profile, filters, secret, label } = self;
        let text = secret.unwrap_or_default();
        let secret =
            tokio::task::spawn_blocking(move || wipe::clean(|| legacy::secret(profile, text.reveal())))
                .await
                .map_err(|error| error.to_string())?
                .map_err(|error| error.to_string())?;
        let filters = match filters {
            Some(filters) => filters,
            None => legacy::filters(profile).map_err(|error| error.to_string())?,
        };
        Ok(DerivedKey {
            profile,
            filters,
            label: label.unwrap_or_else(|| profile.title().to_owned()),
            secret,
        })
    }

    /// The key itself, where nobody has to make it a second time.
    pub(super) async fn made(self) -> Result<TopicKey, DirectError> {
        let derived = self.derive().await.map_err(DirectError::BadKey)?;
        Ok(derived.key(now_ms())?)
    }
}

impl DerivedKey {
    fn key(&self, now_ms: u64) -> Result<TopicKey, KeyringError> {
        let (filters, secret) = (self.filters.clone(), self.secret.duplicate());
        Ok(legacy::key(self.profile, &self.label, filters, secret, now_ms)?)
    }
}

impl Desk {
    /// The key for programs of an older system.
    pub(super) async fn add_legacy(&mut self, asked: LegacyKey, take_over: bool) {
        let what = "The key was not made.";
        match asked.derive().await {
            Ok(made) => match made.key(now_ms()) {
                Ok(key) => self.import_legacy(what, &key, take_over).await,
                Err(error) => {
                    self.teller.fail(Asked::ImportKey, Failure::new(what, error.to_string(), ""));
                }
            },
            Err(why) => self.teller.fail(Asked::ImportKey, Failure::new(what, why, "")),
        }
    }
}

fn random() -> Result<[u8; 16], ComposeError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| ComposeError::Randomness(error.to_string()))?;
    Ok(random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topic::TopicName;

    #[test]
    fn a_draft_for_older_programs_keeps_to_what_they_do() {
        let draft = |body: &str| Draft {
            topic: TopicName::new("chat/channel").unwrap(),
            body: body.into(),
            content_type: Some("text/plain".to_owned()),
            qos: 1,
            retain: true,
        };
        let body = r#"{"username": "a", "text": "b"}"#;
        let kept = within(Profile::WindowChat, &draft(body)).unwrap();
        assert_eq!(
            (kept.qos, kept.retain, kept.content_type, &kept.body[..]),
            (0, false, None, body.as_bytes())
        );
        assert_eq!(within(Profile::WindowChat, &draft("hello")), Err(ShapeError::NotAChatMessage));
        assert_eq!(within(Profile::DisasterResponse, &draft("help")), Err(ShapeError::NotACall));
        assert!(within(Profile::RoomChat, &draft("hello")).is_ok(), "its programs print whatever opens");
    }

    #[test]
    fn each_call_for_help_has_an_id_of_its_own() {
        let call = Spoken { place: Some(Place { x: 1, y: 2 }), ..Spoken::default() };
        let compose = || compose(Profile::DisasterResponse, &call).unwrap();
        assert_ne!(compose(), compose());
        let mut draft = Draft {
            topic: TopicName::new("emergency/assist").unwrap(),
            body: compose(),
            content_type: None,
            qos: 0,
            retain: false,
        };
        let first = draft.body.clone();
        renew(Profile::DisasterResponse, &mut draft);
        assert_ne!(draft.body, first);
        assert!(Profile::DisasterResponse.parse(&draft.body).is_ok());
    }
}
