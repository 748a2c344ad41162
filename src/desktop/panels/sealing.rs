//! What a message to a topic would meet: whether the role permits it, and which key would seal it.
//!
//! The station and the session decide; this says it beforehand, by the same rules, so that nobody is surprised.

use eframe::egui::Ui;

use crate::{
    acl::{Right, Subject},
    client::{
        AccountView, KeyView, Suite,
        legacy::{NO_SECRECY, Profile},
    },
    desktop::{model::Model, theme::Tone, widgets::pill},
    topic::{TopicFilter, TopicName},
};

/// What would happen to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealing {
    /// This key seals it.
    Key(KeyView),
    /// It goes without a seal, because the person said so for this filter.
    Clear(TopicFilter),
    /// No key covers the topic, or only keys that may not seal: the label of one.
    Nothing {
        /// A key that opens this topic and may not seal it.
        opens_only: Option<String>,
    },
}

/// What would happen to a message to `topic`: the most specific covering filter of a key decides; where there is none,
/// a filter that goes in the clear.
#[must_use]
pub fn sealing(model: &Model, topic: &TopicName) -> Sealing {
    let covering = |seals: bool| {
        let keys = model.keys.iter().filter(move |key| key.seals == seals);
        keys.flat_map(|key| key.filters.iter().map(move |filter| (filter, key)))
            .filter(|(filter, _)| filter.matches(topic))
            .max_by(|a, b| a.0.cmp_specificity(b.0))
            .map(|(_, key)| key)
    };
    if let Some(key) = covering(true) {
        return Sealing::Key(key.clone());
    }
    match model.clear_topics.iter().find(|filter| filter.matches(topic)) {
        Some(filter) => Sealing::Clear(filter.clone()),
        None => Sealing::Nothing { opens_only: covering(false).map(|key| key.label.clone()) },
    }
}

/// Who asks, for the rules of a role.
#[must_use]
pub(super) fn subject(account: &AccountView) -> Subject<'_> {
    Subject { username: &account.username, client_id: &account.client_id }
}

/// Why the role does not permit publishing to a topic; `None` where it does, and where another broker than the station's
/// decides for itself.
#[must_use]
pub(super) fn why_not_publish(model: &Model, topic: &TopicName) -> Option<String> {
    let account = model.account.as_ref().filter(|_| model.role_governs())?;
    let decision = account.role.decide_publish(&subject(account), topic);
    (!decision.is_allowed())
        .then(|| capital(&decision.explain(&account.role, Right::Publish, topic.as_str())))
}

/// Why the role does not permit watching a filter; `None` where it does.
#[must_use]
pub(super) fn why_not_watch(model: &Model, filter: &TopicFilter) -> Option<String> {
    let account = model.account.as_ref().filter(|_| model.role_governs())?;
    let decision = account.role.decide_subscribe(&subject(account), filter);
    (!decision.is_allowed())
        .then(|| capital(&decision.explain(&account.role, Right::Subscribe, filter.as_str())))
}

/// Whether the role permits what the sample sensor does: to publish and to watch `sample/…`.
#[must_use]
pub(super) fn may_run_sample(model: &Model) -> bool {
    let (Ok(topic), Ok(filter)) = (TopicName::new("sample/sensor"), TopicFilter::new("sample/#")) else {
        return false;
    };
    why_not_publish(model, &topic).is_none() && why_not_watch(model, &filter).is_none()
}

/// What a suite is, in few words.
#[must_use]
pub(super) const fn suite_words(suite: Suite) -> &'static str {
    match suite {
        Suite::CoseA256Gcm => "AES-256-GCM",
        Suite::CoseChaCha20 => "ChaCha20-Poly1305",
        Suite::Fernet => "Fernet",
        Suite::AesCbcHmac => "AES-CBC with HMAC",
    }
}

/// The label of what an older system's programs take part in, its tone, and what it says when the pointer rests on it.
#[must_use]
pub(super) const fn profile_words(profile: Profile) -> (&'static str, Tone, &'static str) {
    if profile.is_secret() {
        ("legacy", Tone::Violet, "For programs of an older system, sealed in their way")
    } else {
        ("legacy, no secrecy", Tone::Amber, NO_SECRECY)
    }
}

/// Marks a key or a message as one of an older system.
pub(super) fn legacy_pill(ui: &mut Ui, profile: Profile) {
    let (word, tone, why) = profile_words(profile);
    pill(ui, word, tone).on_hover_text(format!("{}: {why}", profile.title()));
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>() + ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(label: &str, filters: &[&str], seals: bool) -> KeyView {
        KeyView {
            id: label.into(),
            label: label.into(),
            filters: filters.iter().map(|f| TopicFilter::new(f).unwrap()).collect(),
            suite: Suite::CoseA256Gcm,
            kid: "00".into(),
            fingerprint: "11".into(),
            created_ms: 0,
            seals,
            ..KeyView::default()
        }
    }

    #[test]
    fn the_most_specific_filter_decides_and_a_key_goes_before_the_clear() {
        let mut model = Model::new();
        model.keys = vec![key("All", &["#"], true), key("Press", &["plant/+/press", "x/y"], true)];
        model.clear_topics = vec![TopicFilter::new("#").unwrap()];
        let label = |topic: &str| match sealing(&model, &TopicName::new(topic).unwrap()) {
            Sealing::Key(key) => key.label,
            other => format!("{other:?}"),
        };
        assert_eq!(
            (label("plant/1/press"), label("plant/1"), label("x/y")),
            ("Press".into(), "All".into(), "Press".into())
        );
    }

    #[test]
    fn a_key_that_may_only_open_seals_nothing() {
        let mut model = Model::new();
        model.keys = vec![key("Theirs", &["a/#"], false)];
        let topic = TopicName::new("a/b").unwrap();
        assert_eq!(sealing(&model, &topic), Sealing::Nothing { opens_only: Some("Theirs".into()) });
        model.clear_topics = vec![TopicFilter::new("a/+").unwrap()];
        assert_eq!(sealing(&model, &topic), Sealing::Clear(TopicFilter::new("a/+").unwrap()));
    }
}
