//! Topic aliases towards one connection (MQTT 5 §3.3.2.3.4): the first topics that it is sent have theirs as long as it
//! lasts. Only where the client offers any.

use ahash::AHashMap;

use crate::topic::TopicName;

/// How the topic of one packet is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Alias {
    /// By its name alone.
    #[default]
    None,
    /// By its name, and from now on by this number.
    New(u16),
    /// By this number alone.
    Known(u16),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Aliases {
    max: u16,
    by_topic: AHashMap<TopicName, u16>,
}

impl Aliases {
    /// None where the client takes none.
    pub(super) fn up_to(max: u16) -> Option<Self> {
        (max > 0).then(|| Self { max, by_topic: AHashMap::new() })
    }

    /// What the topic is called; [`Aliases::set`] once a new one was sent.
    pub(super) fn of(&self, topic: &TopicName) -> Alias {
        match self.by_topic.get(topic) {
            Some(alias) => Alias::Known(*alias),
            None => match u16::try_from(self.by_topic.len() + 1) {
                Ok(next) if next <= self.max => Alias::New(next),
                _ => Alias::None,
            },
        }
    }

    pub(super) fn set(&mut self, topic: &TopicName, alias: Alias) {
        if let Alias::New(alias) = alias {
            self.by_topic.insert(topic.clone(), alias);
        }
    }
}
