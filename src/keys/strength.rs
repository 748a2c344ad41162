//! Whether a password is good enough: how many guesses it takes, not which kinds of characters it has.

/// The shortest password that is accepted, in characters.
pub const MIN_PASSWORD_CHARS: usize = 8;
const ACCEPTED_SCORE: u8 = 3;

/// How strong a password is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strength {
    /// 0 (guessed at once) to 4 (very unguessable).
    pub score: u8,
    /// The score in a word or two.
    pub label: &'static str,
    /// What to do next; empty where nothing is needed.
    pub hint: String,
    long_enough: bool,
}

impl Strength {
    /// Whether a new account may have it.
    #[must_use]
    pub const fn acceptable(&self) -> bool {
        self.long_enough && self.score >= ACCEPTED_SCORE
    }
}

/// Judges a password. `user_inputs` are words that a guesser would try first, such as the username and the station's name.
///
/// Quick enough to call at every keystroke: only the first 100 characters are looked at.
#[must_use]
pub fn strength(password: &str, user_inputs: &[&str]) -> Strength {
    let inputs: Vec<&str> =
        user_inputs.iter().copied().chain(["sealwire"]).filter(|input| !input.is_empty()).collect();
    let estimate = zxcvbn::zxcvbn(password, &inputs);
    let score = u8::from(estimate.score());
    let missing = MIN_PASSWORD_CHARS.saturating_sub(password.chars().count());
    let label = match score {
        0 => "very weak",
        1 => "weak",
        2 => "fair",
        3 => "good",
        _ => "strong",
    };
    let hint = if missing > 0 {
        format!("At least {MIN_PASSWORD_CHARS} characters: {missing} more.")
    } else if score >= ACCEPTED_SCORE {
        String::new()
    } else {
        let feedback = estimate.feedback();
        let warning =
            feedback.and_then(zxcvbn::feedback::Feedback::warning).map(|warning| warning.to_string());
        let suggestion =
            feedback.and_then(|feedback| feedback.suggestions().first()).map(ToString::to_string);
        let hint: Vec<String> = warning.into_iter().chain(suggestion).collect();
        if hint.is_empty() {
            "Make it longer: a few unrelated words do well.".to_owned()
        } else {
            hint.join(" ")
        }
    };
    Strength { score, label, hint, long_enough: missing == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_common_and_personal_passwords_are_refused_with_a_hint() {
        for (password, inputs) in [
            ("", &[][..]),
            ("x7#Kq", &[]),
            ("password1", &[]),
            ("qwertyuiop", &[]),
            ("annabelle.kowalczyk", &["annabelle.kowalczyk"]),
        ] {
            let strength = strength(password, inputs);
            assert!(!strength.acceptable(), "{password}: {strength:?}");
            assert!(!strength.hint.is_empty(), "{password}");
        }
    }

    #[test]
    fn a_few_unrelated_words_are_accepted() {
        let strength = strength("lantern gravel otter mosaic", &["anna"]);
        assert!(strength.acceptable());
        assert_eq!((strength.score, strength.label, strength.hint.as_str()), (4, "strong", ""));
    }
}
