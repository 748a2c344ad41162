//! Programs of older systems in the terminal: their key, who says what, and how a message of theirs is shown.
//!
//! It composes through `client::legacy`, which holds to what those programs can read. Start with [`Voice`].

use std::{borrow::Cow, path::Path};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::{
    client::{
        Password,
        legacy::{self, KeySource, LegacyKey, Place, Profile, Spoken},
    },
    topic::{TopicFilter, TopicName},
};

use super::{exit::Ended, way};

/// The four by name, for help and completions too.
pub(super) fn profiles() -> impl TypedValueParser<Value = Profile> {
    PossibleValuesParser::new(Profile::ALL.map(Profile::name)).try_map(|name| name.parse::<Profile>())
}

/// What only messages to programs of older systems have.
#[derive(Debug, clap::Args)]
pub(super) struct VoiceOptions {
    /// Who says so, in a chat of an older system.
    #[arg(long, value_name = "NAME", help_heading = "Legacy programs")]
    name: Option<String>,
    /// Where help is needed: two numbers from 1 to 100. The message then has no other words.
    #[arg(long, value_name = "X,Y", value_parser = place, conflicts_with_all = ["message", "file", "lines"], help_heading = "Legacy programs")]
    place: Option<Place>,
    /// Say that --name has left the room chat, and nothing else.
    #[arg(long, requires = "name", conflicts_with_all = ["message", "file", "lines", "place"], help_heading = "Legacy programs")]
    leave: bool,
}

/// Whoever speaks to the programs of one older system.
pub(super) struct Voice<'o> {
    profile: Profile,
    options: &'o VoiceOptions,
}

impl VoiceOptions {
    /// For a key of this profile. What goes only with one, and what its programs lack, is refused.
    pub(super) fn voice(
        &self,
        profile: Option<Profile>,
        topic: &TopicName,
        lines: bool,
    ) -> anyhow::Result<Option<Voice<'_>>> {
        let refused = |why: String| Err(Ended::misused(why));
        let given =
            [("--name", self.name.is_some()), ("--place", self.place.is_some()), ("--leave", self.leave)];
        let fits = |option: &str| match profile {
            Some(Profile::DisasterResponse) => option == "--place",
            Some(Profile::RoomChat) => option != "--place",
            Some(Profile::WindowChat) => option == "--name",
            Some(Profile::IndustrialIot) | None => false,
        };
        let odd = given.into_iter().find(|(option, given)| *given && !fits(option));
        let Some(profile) = profile else {
            return match odd {
                Some((option, _)) => refused(format!(
                    "{option} is for programs of older systems, and the key for {topic} is for none: leave it out, or give --profile"
                )),
                None => Ok(None),
            };
        };
        if let Some((option, _)) = odd {
            return refused(format!("{option} is nothing that {profile} has: leave it out"));
        }
        match profile {
            Profile::DisasterResponse if self.place.is_none() && !lines => {
                refused("a call for help says where: give --place X,Y, or places with --lines".to_owned())
            }
            Profile::RoomChat | Profile::WindowChat if self.name.is_none() => {
                refused(format!("{profile} shows who writes: give --name"))
            }
            _ => Ok(Some(Voice { profile, options: self })),
        }
    }
}

impl Voice<'_> {
    /// Whether the options say everything, so that no words are to be read.
    pub(super) const fn needs_no_words(&self) -> bool {
        self.options.place.is_some() || self.options.leave
    }

    /// The message in the shape of its programs; without the line's end that an editor or `echo` put there.
    pub(super) fn compose(&self, words: &[u8]) -> anyhow::Result<Vec<u8>> {
        let text = std::str::from_utf8(words).map_err(|_| {
            anyhow::anyhow!("the message is no text, and {} takes text only: send UTF-8", self.profile)
        })?;
        let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
        let VoiceOptions { name, place: at, leave } = self.options;
        let mut said = Spoken {
            author: name.clone(),
            text: text.to_owned(),
            place: *at,
            leaves: *leave,
            ..Spoken::default()
        };
        if self.profile == Profile::DisasterResponse && at.is_none() {
            said.place = Some(place(text).map_err(anyhow::Error::msg)?);
        }
        Ok(legacy::compose(self.profile, &said)?)
    }
}

/// Those programs send at QoS 0 and never retained: what asks for more is refused, so that nobody counts on it.
pub(super) fn hold_to(
    profile: Profile,
    qos: Option<u8>,
    retain: bool,
    content_type: bool,
) -> anyhow::Result<()> {
    let asked = match (qos, retain, content_type) {
        (Some(1 | 2), ..) => "--qos",
        (_, true, _) => "--retain",
        (.., true) => "--content-type",
        _ => return Ok(()),
    };
    Err(Ended::misused(format!(
        "{asked} does not go with {profile}: messages of its programs go out once, at QoS 0, are never kept and have no content type; leave it out"
    )))
}

/// The topic to publish to where none was named.
pub(super) fn topic(profile: Profile) -> anyhow::Result<TopicName> {
    match profile.topics() {
        [only] => Ok(TopicName::new(*only)?),
        several => Err(Ended::misused(format!(
            "{profile} has several topics ({}): name one with --topic",
            several.join(", ")
        ))),
    }
}

/// The key of a profile, its secret read from where that profile has it.
pub(super) fn key(
    profile: Profile,
    key_file: Option<&Path>,
    passphrase_file: Option<&Path>,
    filters: Vec<TopicFilter>,
    label: Option<String>,
) -> anyhow::Result<LegacyKey> {
    let source = profile.key_source();
    if key_file.is_some() && source != KeySource::KeyFile {
        return Err(Ended::misused(format!("{profile} has no key file: leave out --fernet")));
    }
    let from_passphrase = matches!(source, KeySource::ThirtyTwoCharacters | KeySource::Passphrase);
    if passphrase_file.is_some() && !from_passphrase {
        return Err(Ended::misused(format!("{profile} has no passphrase: leave out --passphrase-file")));
    }
    let secret: Option<Password> = match (source, key_file) {
        (KeySource::Published, _) => None,
        (KeySource::KeyFile, Some(path)) => Some(way::key_text(path)?),
        (KeySource::KeyFile, None) => {
            return Err(Ended::misused(format!(
                "{profile} has a key file, secureKey.key: name it with --fernet"
            )));
        }
        (KeySource::ThirtyTwoCharacters | KeySource::Passphrase, _) => {
            let what = format!("the passphrase of the {}", profile.title().to_lowercase());
            Some(way::room_passphrase(&what, passphrase_file).read()?)
        }
    };
    let filters = Some(filters).filter(|filters| !filters.is_empty());
    Ok(LegacyKey { profile, filters, secret, label })
}

/// What a program of its system shows.
pub(super) fn words<'b>(profile: Profile, said: Option<&Spoken>, body: &'b [u8]) -> Cow<'b, [u8]> {
    match (profile, said) {
        (Profile::WindowChat, Some(Spoken { author: Some(author), text, .. })) => {
            Cow::Owned(format!("{author}: {text}").into_bytes())
        }
        // The others send what they show.
        _ => Cow::Borrowed(body),
    }
}

fn place(text: &str) -> Result<Place, String> {
    let numbers =
        text.split_once(',').and_then(|(x, y)| Some((x.trim().parse().ok()?, y.trim().parse().ok()?)));
    match numbers {
        Some((x, y)) => Ok(Place { x, y }),
        None => Err("a place is two numbers from 1 to 100, as in 42,7".to_owned()),
    }
}
