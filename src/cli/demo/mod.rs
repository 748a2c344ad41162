//! `sealwire demo`: the whole story in a terminal, with real parts on a temporary data folder.
//!
//! Every line with a tick was checked against what the parts did; the first that does not hold ends the demo with
//! an error. [`cast`] has the station and the people, [`eavesdropper`] the one who listens in.

mod cast;
mod eavesdropper;

use std::process::ExitCode;

use anyhow::ensure;

use crate::{
    client::{AuditLog, Command, Draft, Event, KeyForm, KeyView, Opening, OutboxState},
    station::host::DataFolders,
    topic::{TopicFilter, TopicName},
};

use super::say;
use cast::{Person, Stage};
use eavesdropper::Eavesdropper;

/// What Anna's sensors send. The last is not ASCII: the seal is over bytes.
const READINGS: [(&str, &str); 3] = [
    ("plant/press/temperature", r#"{"celsius":71.3,"seq":1}"#),
    ("plant/press/pressure", r#"{"bar":4.2,"seq":2}"#),
    ("plant/note", "Lager läuft heiß, bitte prüfen"),
];

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let folder = tempfile::tempdir()?;
    let stage = Stage::open(&DataFolders::find(Some(&folder.path().join("station")))?)?;
    say("Sealwire demo: sealed readings through a broker that never holds a key.\n")?;

    say("1. A station starts, on free ports of this computer, with a certificate authority of its own")?;
    say(&format!("   MQTT over TLS  mqtts://{}", stage.running.mqtt_tls))?;
    say(&format!("   HTTPS API      https://{}", stage.running.api))?;
    say(&format!("   fingerprint    {}", stage.running.fingerprint))?;

    say("\n2. Three people sign up, each with a password and one-time codes")?;
    let _ada = sign_up(&stage, &folder, "ada", None)?;
    let anna = sign_up(&stage, &folder, "anna", Some("publisher"))?;
    let ben = sign_up(&stage, &folder, "ben", Some("subscriber"))?;
    wrong_password_is_refused(&stage, &folder)?;

    say("\n3. Anna makes a key and hands it to Ben as one line of text, past the station")?;
    hand_over_key(&anna, &ben)?;

    say("\n4. Anna publishes; Ben watches; somebody listens in without a key")?;
    publish_and_compare(&stage, &anna, &ben)?;

    say("\n5. Ben has the role subscriber and tries to publish")?;
    subscriber_is_refused(&stage, &ben)?;

    say("\n6. What Anna did is in her audit log")?;
    audit_holds(&anna)?;

    say("\nAll of this was checked. `sealwire` opens the app.")?;
    Ok(ExitCode::SUCCESS)
}

/// Says what was just checked.
fn tick(text: &str) -> anyhow::Result<()> {
    say(&format!("   ✓ {text}"))
}

fn sign_up(
    stage: &Stage,
    folder: &tempfile::TempDir,
    name: &str,
    role: Option<&str>,
) -> anyhow::Result<Person> {
    let person = Person::arrive(stage, folder.path(), name)?;
    let account = person.sign_up(stage, role)?;
    let wanted = role.unwrap_or("admin");
    ensure!(account.role.name == wanted, "{name} got the role {}, not {wanted}", account.role.name);
    ensure!(account.otp, "{name} is logged in without one-time codes, though the station requires them");
    let first = if role.is_none() { ", the first account, by the station's setup code" } else { "" };
    tick(&format!("{name} is logged in as {wanted}{first}"))?;
    Ok(person)
}

fn wrong_password_is_refused(stage: &Stage, folder: &tempfile::TempDir) -> anyhow::Result<()> {
    let stranger = Person::arrive(stage, folder.path(), "stranger")?;
    stranger.ask(Command::LogIn {
        username: "anna".to_owned(),
        password: cast::password("not it"),
        second: None,
        remember: false,
    });
    let failure = stranger.expect_failure("a login with a wrong password")?;
    tick(&format!("a wrong password is refused: “{}”", failure.why))
}

fn hand_over_key(anna: &Person, ben: &Person) -> anyhow::Result<()> {
    let filters = vec![TopicFilter::new("plant/#")?];
    anna.ask(Command::CreateKey {
        label: "Plant".to_owned(),
        filters,
        suite: crate::client::Suite::default(),
        signatures: crate::client::Signatures::default(),
    });
    let key = anna.expect("a new key", named_plant)?;
    anna.ask(Command::ExportKey { id: key.id.clone(), form: KeyForm::Line });
    let line = anna.expect("the key's line", |event| match event {
        Event::KeyExported { text, .. } => Some(text.clone()),
        _ => None,
    })?;
    ben.ask(Command::ImportKey { line, take_over: false });
    let imported = ben.expect("the imported key", |event| match event {
        Event::KeyImported { key, .. } => Some(key.clone()),
        _ => None,
    })?;
    ensure!(imported.fingerprint == key.fingerprint, "Ben's key has another fingerprint than Anna's");
    tick(&format!(
        "the key “Plant” for plant/# ({}) has the same fingerprint on both sides: {}",
        key.suite, key.fingerprint
    ))
}

fn named_plant(event: &Event) -> Option<KeyView> {
    match event {
        Event::Keys(keys) => keys.iter().find(|key| key.label == "Plant").cloned(),
        _ => None,
    }
}

fn publish_and_compare(stage: &Stage, anna: &Person, ben: &Person) -> anyhow::Result<()> {
    let filter = TopicFilter::new("plant/#")?;
    ben.ask(Command::Subscribe(filter.clone()));
    ben.expect("Ben's subscription", |event| match event {
        Event::Subscriptions(all) => {
            all.iter().find(|s| s.filter == filter && matches!(s.granted, Some(Ok(_)))).map(|_| ())
        }
        _ => None,
    })?;
    let listener = Eavesdropper::listen(stage.plain()?, filter.as_str())?;

    for (topic, text) in READINGS {
        let draft = Draft {
            topic: TopicName::new(topic)?,
            body: text.as_bytes().to_vec(),
            content_type: None,
            qos: 1,
            retain: false,
        };
        anna.ask(Command::Publish { draft, every: None });
        let sent = anna.expect("the broker's acknowledgement", |event| match event {
            Event::Outbox(entries) => entries
                .iter()
                .find(|e| e.topic.as_str() == topic && matches!(e.state, OutboxState::Acknowledged { .. }))
                .cloned(),
            _ => None,
        })?;
        let (message, body) = ben.expect("the opened message", |event| match event {
            Event::Messages(messages) => {
                messages.iter().find(|m| m.topic.as_str() == topic).and_then(|m| match &m.opening {
                    Opening::Opened { body, .. } => Some((m.clone(), body.clone())),
                    _ => None,
                })
            }
            _ => None,
        })?;
        let overheard = listener.next_on(topic)?;
        ensure!(body == text.as_bytes(), "Ben opened something else than Anna sent to {topic}");
        ensure!(overheard == message.wire, "the broker sent the listener other bytes than Ben");
        ensure!(overheard.len() == sent.wire_len, "the bytes on the wire are not those that Anna queued");
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3) {
            ensure!(
                !overheard.windows(word.len()).any(|window| window == word.as_bytes()),
                "the word “{word}” can be read on the wire"
            );
        }
        say(&format!("   {topic}  ({} bytes → {} sealed)", sent.plain_len, sent.wire_len))?;
        say(&format!("     the broker saw  {}…", hex(&overheard, 28)))?;
        say(&format!("     Ben opened      {}", String::from_utf8_lossy(&body)))?;
    }
    tick("what Ben opened is what Anna sent, byte for byte; on the wire no word of it can be read")
}

fn subscriber_is_refused(stage: &Stage, ben: &Person) -> anyhow::Result<()> {
    let topic = "plant/press/temperature";
    let draft = Draft {
        topic: TopicName::new(topic)?,
        body: b"forged".to_vec(),
        content_type: None,
        qos: 1,
        retain: false,
    };
    ben.ask(Command::Publish { draft, every: None });
    let failure = ben.expect_failure("a publish by a subscriber")?;
    tick(&format!("his own program refuses: {}", failure.why))?;
    let reason = eavesdropper::try_to_publish(stage.plain()?, topic)?;
    tick(&format!("and a program that does not ask is refused by the station (0x87): {reason}"))
}

fn audit_holds(anna: &Person) -> anyhow::Result<()> {
    anna.ask(Command::VerifyAudit { log: AuditLog::Publisher });
    let verdict = anna.expect("the audit log's verdict", |event| match event {
        Event::AuditVerified { verdict, .. } => Some(verdict.clone()),
        _ => None,
    })?;
    ensure!(verdict.broken.is_none(), "the audit log does not hold: {}", verdict.broken.unwrap_or_default());
    ensure!(verdict.lines as usize > READINGS.len(), "the audit log has {} lines, too few", verdict.lines);
    let text = std::fs::read_to_string(&verdict.path)?;
    ensure!(!text.contains("celsius") && !text.contains("prüfen"), "the audit log holds a payload");
    tick(&format!("publisher_audit.log: {} lines, the hash chain holds, no payload in it", verdict.lines))
}

fn hex(bytes: &[u8], limit: usize) -> String {
    bytes.iter().take(limit).map(|byte| format!("{byte:02x}")).collect()
}
