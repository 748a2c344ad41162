//! The decision: default deny, deny wins, and the rule that decided.

use crate::topic::{TopicFilter, TopicName};

use super::rule::{Effect, Right, Role, Rule};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The account's name.
    pub username: &'a str,
    /// The MQTT client id in force.
    pub client_id: &'a str,
}

/// A yes or a no, with the rule behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'a> {
    /// This rule permits it.
    Allowed(&'a Rule),
    /// This rule forbids it.
    Forbidden(&'a Rule),
    /// No rule speaks of it.
    NotGranted,
}

impl Decision<'_> {
    /// Whether it is a yes.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// The reason, for the person who asked.
    #[must_use]
    pub fn explain(&self, role: &Role, right: Right, what: &str) -> String {
        let verb = match right {
            Right::Publish => "publish to",
            Right::Subscribe => "subscribe to",
            Right::Both => "use",
        };
        match self {
            Self::Allowed(rule) => format!("the role {} may {verb} {what}: “{rule}”", role.name),
            Self::Forbidden(rule) => format!("the role {} may not {verb} {what}: “{rule}”", role.name),
            Self::NotGranted => format!("the role {} has no rule that lets it {verb} {what}", role.name),
        }
    }
}

impl Rule {
    /// The filter with its placeholders filled in; `None` where a name would widen it (it holds `+`, `#` or `/`)
    /// or is empty.
    fn expand(&self, subject: &Subject<'_>, role: &Role) -> Option<TopicFilter> {
        let mut text = self.filter.clone();
        for (placeholder, value) in
            [("%u", subject.username), ("%c", subject.client_id), ("%r", role.name.as_str())]
        {
            if text.contains(placeholder) {
                if value.is_empty() || value.contains(['+', '#', '/', '%']) {
                    return None;
                }
                text = text.replace(placeholder, value);
            }
        }
        TopicFilter::new(text).ok()
    }
}

impl Role {
    /// May `subject` publish to `topic`?
    #[must_use]
    pub fn decide_publish(&self, subject: &Subject<'_>, topic: &TopicName) -> Decision<'_> {
        self.decide(subject, Right::Publish, |_, filter| filter.matches(topic))
    }

    /// May `subject` be given a message of `topic`?
    #[must_use]
    pub fn decide_deliver(&self, subject: &Subject<'_>, topic: &TopicName) -> Decision<'_> {
        self.decide(subject, Right::Subscribe, |_, filter| filter.matches(topic))
    }

    /// May `subject` subscribe to `requested`? An allow must cover all of it. A deny that covers it refuses; one
    /// that only overlaps leaves the subscription and is enforced at each delivery.
    #[must_use]
    pub fn decide_subscribe(&self, subject: &Subject<'_>, requested: &TopicFilter) -> Decision<'_> {
        self.decide(subject, Right::Subscribe, |_, filter| filter.covers(requested))
    }

    /// Whether any rule permits `right` on anything, so that a panel without use is not offered.
    #[must_use]
    pub fn may_ever(&self, right: Right) -> bool {
        self.rules.iter().any(|rule| rule.effect == Effect::Allow && rule.right.includes(right))
    }

    /// The filters that permit `right`, with placeholders filled in, for suggestions.
    #[must_use]
    pub fn granted(&self, subject: &Subject<'_>, right: Right) -> Vec<TopicFilter> {
        let permits = |rule: &&Rule| rule.effect == Effect::Allow && rule.right.includes(right);
        self.rules.iter().filter(permits).filter_map(|rule| rule.expand(subject, self)).collect()
    }

    fn decide(
        &self,
        subject: &Subject<'_>,
        right: Right,
        speaks: impl Fn(&Rule, &TopicFilter) -> bool,
    ) -> Decision<'_> {
        let mut decision = Decision::NotGranted;
        for rule in self.rules.iter().filter(|rule| rule.right.includes(right)) {
            let Some(filter) = rule.expand(subject, self) else { continue };
            if !speaks(rule, &filter) {
                continue;
            }
            match rule.effect {
                Effect::Deny => return Decision::Forbidden(rule),
                Effect::Allow => decision = Decision::Allowed(rule),
            }
        }
        decision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(rules: &[&str]) -> Role {
        Role {
            name: "sensor".into(),
            description: String::new(),
            admin: false,
            rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
        }
    }

    const ANNA: Subject<'static> = Subject { username: "anna", client_id: "c1" };

    fn publishes(role: &Role, subject: &Subject<'_>, topic: &str) -> bool {
        role.decide_publish(subject, &TopicName::new(topic).unwrap()).is_allowed()
    }

    #[test]
    fn what_no_rule_grants_is_denied_and_a_deny_wins_in_any_order() {
        assert!(!publishes(&role(&[]), &ANNA, "a"));
        for rules in [["allow publish #", "deny publish a/#"], ["deny publish a/#", "allow publish #"]] {
            let role = role(&rules);
            assert!(publishes(&role, &ANNA, "b"));
            assert!(!publishes(&role, &ANNA, "a/b"));
        }
    }

    #[test]
    fn a_right_to_publish_is_no_right_to_subscribe() {
        let role = role(&["allow publish a/#"]);
        assert!(!role.decide_subscribe(&ANNA, &TopicFilter::new("a/b").unwrap()).is_allowed());
        assert!(!role.decide_deliver(&ANNA, &TopicName::new("a/b").unwrap()).is_allowed());
        assert!(role.may_ever(Right::Publish) && !role.may_ever(Right::Subscribe));
    }

    #[test]
    fn a_subscription_must_be_covered_whole() {
        let role = role(&["allow subscribe a/+/c", "deny subscribe a/x/#"]);
        let asks = |f: &str| role.decide_subscribe(&ANNA, &TopicFilter::new(f).unwrap()).is_allowed();
        assert!(asks("a/b/c") && asks("a/+/c"));
        assert!(!asks("a/#") && !asks("#") && !asks("a/x/c"));
        // The overlap that the grant leaves open is closed at delivery.
        assert!(!role.decide_deliver(&ANNA, &TopicName::new("a/x/c").unwrap()).is_allowed());
    }

    #[test]
    fn a_name_with_a_wildcard_never_widens_its_own_rule() {
        let role = role(&["allow publish home/%u/#"]);
        assert!(publishes(&role, &ANNA, "home/anna/x"));
        for name in ["+", "#", "a/b", ""] {
            let subject = Subject { username: name, client_id: "c" };
            assert!(!publishes(&role, &subject, "home/anna/x"), "{name}");
        }
    }

    #[test]
    fn a_refusal_names_the_role_and_the_rule() {
        let role = role(&["deny publish a/#"]);
        let topic = TopicName::new("a/b").unwrap();
        let text = role.decide_publish(&ANNA, &topic).explain(&role, Right::Publish, topic.as_str());
        assert_eq!(text, "the role sensor may not publish to a/b: “deny publish a/#”");
    }
}
