//! A topic filter: what a subscription, an ACL rule or a key's reach is written as.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use super::{TopicError, TopicName, validate_common};

/// One valid topic filter, with `+` for one level and a closing `#` for any number. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicFilter(Arc<str>);

/// Whether `filter` matches `name`, both already valid (MQTT 5.0 §4.7.1, §4.7.2).
///
/// `a/#` matches `a` itself; a filter that begins with a wildcard matches no name that begins with `$`.
#[must_use]
pub fn filter_matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut filter_levels = filter.split('/');
    let mut name_levels = name.split('/');
    loop {
        match (filter_levels.next(), name_levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(wanted), Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
}

impl TopicFilter {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// The first rule of MQTT 5.0 §4.7 that `text` breaks.
    ///
    /// ```
    /// use sealwire::topic::{TopicFilter, TopicName};
    /// let filter = TopicFilter::new("plant/+/celsius")?;
    /// assert!(filter.matches(&TopicName::new("plant/press/celsius")?));
    /// # Ok::<(), sealwire::topic::TopicError>(())
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, TopicError> {
        let text = text.as_ref();
        validate_common(text)?;
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err(TopicError::MisplacedHash);
            }
            if level.contains('+') && level != "+" {
                return Err(TopicError::MisplacedPlus);
            }
        }
        Ok(Self(text.into()))
    }

    /// The filter as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its levels, between the slashes.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether a message to `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &TopicName) -> bool {
        filter_matches(&self.0, name.as_str())
    }

    /// Whether every name that `other` matches is matched by `self` too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if other.0.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        let mut ours = self.levels();
        let mut theirs = other.levels();
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(wanted), Some(level)) if wanted == level => {}
                _ => return false,
            }
        }
    }

    /// Whether some name is matched by both, so that traffic of one may be traffic of the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let leading_wildcard = |f: &Self| f.0.starts_with(['+', '#']);
        if (self.0.starts_with('$') && leading_wildcard(other))
            || (other.0.starts_with('$') && leading_wildcard(self))
        {
            return false;
        }
        let mut ours = self.levels();
        let mut theirs = other.levels();
        loop {
            match (ours.next(), theirs.next()) {
                (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
                (Some(a), Some(b)) if a == b || a == "+" || b == "+" => {}
                _ => return false,
            }
        }
    }

    /// Orders by how specific a filter is, level by level: literal over `+` over `#`, a longer path over a shorter.
    /// `Greater` is more specific. The most specific filter that covers a topic decides which key seals it.
    #[must_use]
    pub fn cmp_specificity(&self, other: &Self) -> Ordering {
        fn rank(level: Option<&str>) -> u8 {
            match level {
                Some("#") => 0,
                None => 1,
                Some("+") => 2,
                Some(_) => 3,
            }
        }
        let mut ours = self.levels();
        let mut theirs = other.levels();
        loop {
            let (a, b) = (ours.next(), theirs.next());
            if a.is_none() && b.is_none() {
                return Ordering::Equal;
            }
            match rank(a).cmp(&rank(b)) {
                Ordering::Equal => {}
                decided => return decided,
            }
        }
    }
}

impl From<TopicName> for TopicFilter {
    fn from(name: TopicName) -> Self {
        Self(name.as_str().into())
    }
}

impl fmt::Display for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl FromStr for TopicFilter {
    type Err = TopicError;
    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<String> for TopicFilter {
    type Error = TopicError;
    fn try_from(text: String) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl From<TopicFilter> for String {
    fn from(filter: TopicFilter) -> Self {
        filter.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::new(text).unwrap()
    }

    fn name(text: &str) -> TopicName {
        TopicName::new(text).unwrap()
    }

    #[test]
    fn wildcards_stand_alone_and_hash_stands_last() {
        for bad in ["a#", "#/a", "a/#/b", "a/b#"] {
            assert_eq!(TopicFilter::new(bad), Err(TopicError::MisplacedHash), "{bad}");
        }
        for bad in ["a+", "+a/b", "a/b+/c"] {
            assert_eq!(TopicFilter::new(bad), Err(TopicError::MisplacedPlus), "{bad}");
        }
        for good in ["#", "+", "/", "+/+", "a/+/b/#", "/#", "$SYS/#"] {
            assert!(TopicFilter::new(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn matching_follows_the_examples_of_the_standard() {
        let cases = [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/x", false),
            ("+/monitor", "$SYS/monitor", false),
            ("$SYS/#", "$SYS/x", true),
        ];
        for (f, n, wanted) in cases {
            assert_eq!(filter(f).matches(&name(n)), wanted, "{f} on {n}");
        }
    }

    #[test]
    fn specificity_is_literal_over_plus_over_hash() {
        let mut filters: Vec<_> = ["#", "a/#", "+/b", "a/b/#", "a/+", "a/b"].map(filter).into();
        filters.sort_by(TopicFilter::cmp_specificity);
        let order: Vec<_> = filters.iter().map(TopicFilter::as_str).collect();
        assert_eq!(order, ["#", "+/b", "a/#", "a/+", "a/b/#", "a/b"]);
    }

    fn level() -> impl Strategy<Value = String> {
        prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just(String::new()), Just("$x".to_owned())]
    }

    fn any_filter() -> impl Strategy<Value = TopicFilter> {
        (prop::collection::vec(prop_oneof![level(), Just("+".to_owned())], 1..4), any::<bool>())
            .prop_filter_map("empty", |(mut levels, hash)| {
                if hash {
                    levels.push("#".to_owned());
                }
                TopicFilter::new(levels.join("/")).ok()
            })
    }

    fn any_name() -> impl Strategy<Value = TopicName> {
        prop::collection::vec(level(), 1..5)
            .prop_filter_map("empty", |levels| TopicName::new(levels.join("/")).ok())
    }

    proptest! {
        #[test]
        fn a_covering_filter_matches_all_that_the_covered_one_does(a in any_filter(), b in any_filter(), n in any_name()) {
            if a.covers(&b) && b.matches(&n) {
                prop_assert!(a.matches(&n), "{a} covers {b} but misses {n}");
            }
            if a.matches(&n) && b.matches(&n) {
                prop_assert!(a.overlaps(&b), "{a} and {b} share {n}");
            }
        }
    }
}
