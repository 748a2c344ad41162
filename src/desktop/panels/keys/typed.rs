//! Labels and filters of a key, checked while they are typed.

use crate::{client::sentence, topic::TopicFilter};

/// The most characters of a label.
const LABEL: usize = 64;
/// The most filters of a key.
const FILTERS: usize = 64;

/// What is wrong with a label; nothing while it is empty.
pub(super) fn label_problem(label: &str, taken: impl Fn(&str) -> bool) -> Option<String> {
    let label = label.trim();
    if label.chars().count() > LABEL {
        return Some(format!("At most {LABEL} characters."));
    }
    if label.chars().any(char::is_control) {
        return Some("No line breaks or other control characters.".to_owned());
    }
    taken(label).then(|| "You have a key with this name. Choose another.".to_owned())
}

/// The filters in a text, one per line or with commas between them.
pub(super) fn filters(text: &str) -> Result<Vec<TopicFilter>, String> {
    let mut filters = Vec::new();
    for line in text.split(['\n', ',']).map(str::trim).filter(|line| !line.is_empty()) {
        match TopicFilter::new(line) {
            Ok(filter) if filters.contains(&filter) => return Err(format!("{line} is there twice.")),
            Ok(filter) => filters.push(filter),
            Err(error) => return Err(format!("{line}: {}", sentence(&error.to_string()))),
        }
    }
    if filters.len() > FILTERS {
        return Err(format!("At most {FILTERS} filters: use wildcards, or a second key."));
    }
    Ok(filters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_stand_one_per_line_and_the_wrong_one_is_named() {
        let good = filters("plant/#\n\n fleet/+/gps , a").unwrap();
        assert_eq!(good.iter().map(TopicFilter::as_str).collect::<Vec<_>>(), ["plant/#", "fleet/+/gps", "a"]);
        assert!(filters("a\nb/#/c").unwrap_err().starts_with("b/#/c: # must"));
        assert!(filters("a\na").unwrap_err().contains("twice"));
        assert_eq!(filters("").unwrap(), []);
        assert!(filters(&(0..65).map(|n| n.to_string()).collect::<Vec<_>>().join("\n")).is_err());
    }

    #[test]
    fn a_label_is_short_and_not_taken() {
        assert_eq!(label_problem("Plant", |_| false), None);
        assert!(label_problem("Plant", |label| label == "Plant").is_some());
        assert!(label_problem(&"x".repeat(65), |_| false).is_some());
    }
}
