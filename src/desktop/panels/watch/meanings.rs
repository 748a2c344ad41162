//! What each word of a verdict means, in plain sentences: the same under the pointer and in the explanation.

/// Every word that a verdict may be, with its meaning; what went well first.
pub(super) const MEANINGS: &[(&str, &str)] = &[
    (
        "Sealed",
        "The seal holds: nobody changed it on its way, and it was sealed for this topic. Any holder of the key can have written it.",
    ),
    (
        "Signed",
        "The seal holds, and so does the signature inside it: this person wrote it, and no other holder of the key.",
    ),
    (
        "In the clear",
        "It has no seal, on a topic that needs none. Anybody on the way can read and change it.",
    ),
    (
        "Not signed",
        "The topic asks for a signature and this message has none. Any holder of the key can have written it.",
    ),
    (
        "Changed key",
        "It is signed in somebody’s name, with another key than the one you know. Either they have a new one, or somebody speaks as them.",
    ),
    ("Another name", "The key is one that you know, and the station gives it another name now."),
    ("Unknown signer", "The signature holds, but nobody whom you or the station know signs with this key."),
    (
        "Not remembered",
        "The station says who signed, and your vault could not remember it: a change would not be noticed.",
    ),
    (
        "No secrecy",
        "Its key was published or can be guessed: anybody can read it, and make such messages up.",
    ),
    ("Legacy", "It comes from a program of an older system, sealed in that program’s way."),
    (
        "not judged when it came",
        "It was opened later than it came, so nobody looked whether it was sent before.",
    ),
    ("repeated", "The very same message came before. MQTT may repeat one; so may somebody who kept it."),
    ("too old to judge", "So much came since that nobody remembers whether this one was there before."),
    (
        "replayed as retained",
        "The broker hands it out as a kept message, and its sender did not mean it to be kept. Somebody may send an old one again.",
    ),
    (
        "rolled back",
        "The broker keeps an older message than one you saw before on this topic: it went back in time.",
    ),
    (
        "clock ahead",
        "By its sender’s clock it was sealed more than ten minutes from now: one of the two clocks is wrong.",
    ),
    (
        "sealed with a retired key",
        "It was sealed with a secret that was replaced or retired more than an hour ago. Its sender may not have the new one; or somebody who was to leave still writes.",
    ),
    ("No key", "It is sealed with a key that you do not have. Ask the sender for it."),
    (
        "Altered",
        "The seal does not hold: something on the way changed at least one bit. Ask for it to be sent again.",
    ),
    (
        "Altered or other key",
        "It does not open. This kind of seal names no key, so that it was changed and that another key sealed it look the same.",
    ),
    (
        "Moved",
        "A genuine message, sealed for another topic than the one it came on. Somebody moved it: do not believe it here.",
    ),
    (
        "Key not for this topic",
        "It is sealed with a key of yours that is not meant for this topic. Do not believe it here.",
    ),
    (
        "Not sealed as required",
        "This topic wants a certain seal, and the message has a weaker one or none. It may be forged.",
    ),
    (
        "Bad signature",
        "Somebody who holds the key sealed it in another’s name, who did not sign it. Do not believe it.",
    ),
    ("Cut short", "Its end is missing: it was not sent, or not received, as a whole."),
    ("Over-long", "Bytes follow after its end. Something on the way added them."),
    (
        "Empty",
        "It has no bytes at all, on a topic that wants a seal. A broker forgets a kept message that way, and anybody could have sent it.",
    ),
    ("Not sealed", "It has no seal."),
    (
        "Bad header",
        "The head of the envelope is not as it must be: a faulty or newer program made it, or it was changed.",
    ),
    ("Unknown algorithm", "It is sealed in a way that this version does not know. A newer Sealwire may."),
    ("Bad padding", "Something stands where only zeros may. The sender’s program is faulty."),
    (
        "Bad contents",
        "The seal holds, and what is inside is not as it must be. The sender’s program is faulty or newer than this one.",
    ),
];

/// What a word means.
pub(super) fn meaning(word: &str) -> Option<&'static str> {
    MEANINGS.iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_explained_once() {
        for (at, (word, meaning)) in MEANINGS.iter().enumerate() {
            assert!(meaning.ends_with('.'), "{word}");
            assert!(MEANINGS[..at].iter().all(|(other, _)| other != word), "{word} is there twice");
        }
    }
}
