//! What a role and its rules are made of.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::topic::{TopicError, TopicFilter};

/// Whether a rule opens or closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Permits.
    Allow,
    /// Forbids, whatever else permits.
    Deny,
}

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Sending.
    Publish,
    /// Asking for and being given messages.
    Subscribe,
    /// Both.
    Both,
}

impl Right {
    /// Whether a rule about `self` speaks about `asked`.
    #[must_use]
    pub fn includes(self, asked: Self) -> bool {
        self == Self::Both || self == asked
    }
}

/// One line of a role: allow or deny, publish or subscribe or both, one topic filter.
///
/// Written `allow publish plant/%u/#`. In the filter `%u` stands for the username, `%c` for the client id and `%r`
/// for the role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// Opens or closes.
    pub effect: Effect,
    /// About what.
    pub right: Right,
    /// The filter, with its placeholders not yet filled in.
    pub filter: String,
}

/// Why a line is not a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not three words.
    #[error("“{0}” is not a rule: write “allow|deny publish|subscribe|both FILTER”")]
    Shape(String),
    /// The third word is no topic filter.
    #[error("in the rule “{rule}”: {source}")]
    Filter {
        /// The line.
        rule: String,
        /// What is wrong with its filter.
        source: TopicError,
    },
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let shape = || RuleError::Shape(text.to_owned());
        let mut words = text.trim().splitn(3, ' ');
        let effect = match words.next() {
            Some("allow") => Effect::Allow,
            Some("deny") => Effect::Deny,
            _ => return Err(shape()),
        };
        let right = match words.next() {
            Some("publish") => Right::Publish,
            Some("subscribe") => Right::Subscribe,
            Some("both") => Right::Both,
            _ => return Err(shape()),
        };
        let filter = words.next().map(str::trim).filter(|f| !f.is_empty()).ok_or_else(shape)?.to_owned();
        // A placeholder fills part of a level: checked with a harmless word in its place.
        let probe = filter.replace("%u", "x").replace("%c", "x").replace("%r", "x");
        TopicFilter::new(&probe).map_err(|source| RuleError::Filter { rule: text.to_owned(), source })?;
        Ok(Self { effect, right, filter })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
        };
        let right = match self.right {
            Right::Publish => "publish",
            Right::Subscribe => "subscribe",
            Right::Both => "both",
        };
        write!(f, "{effect} {right} {}", self.filter)
    }
}

impl TryFrom<String> for Rule {
    type Error = RuleError;
    fn try_from(text: String) -> Result<Self, RuleError> {
        text.parse()
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

/// A named list of rules; an account has one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// As it is written everywhere: lower case, short.
    pub name: String,
    /// One sentence for the person who chooses it.
    #[serde(default)]
    pub description: String,
    /// Whether it administers the station.
    #[serde(default)]
    pub admin: bool,
    /// In no order that matters: a deny wins.
    #[serde(default)]
    pub rules: Vec<Rule>,
}
