//! `sealwire pub`: seals what it is given and waits until the broker has it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    client::{
        Draft,
        direct::{Happened, Line, Manner, Publication, Published, Ring},
        legacy::Profile,
    },
    station::host::DataFolders,
    topic::{TopicFilter, TopicName},
};

use super::{
    exit::{Ended, INTERRUPTED, TIMED_OUT},
    legacy::{self, Voice, VoiceOptions},
    note, say,
    show::json_line,
    stop,
    way::{self, AccountOptions, BrokerOptions, KeyOptions, Plans, Way},
};

/// What an MQTT packet can carry at most (MQTT 5.0 §2.1.4).
const MAX_BODY_BYTES: u64 = 268_435_455;
/// Lines that were read and not handed over yet.
const LINES: usize = 64;

/// What `sealwire pub` may be asked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = afterwards())]
pub(super) struct PublishOptions {
    /// The topic. With --profile it may be left out: the one that its programs use.
    #[arg(short, long, value_name = "TOPIC", required_unless_present = "profile")]
    topic: Option<TopicName>,
    /// The message. Everybody on this computer can read command lines while the command runs: for what is to stay secret use
    /// --file or standard input.
    #[arg(short, long, value_name = "TEXT", conflicts_with_all = ["file", "lines"])]
    message: Option<String>,
    /// The message is the content of this file. Without -m, -f and -l it is standard input, to its end.
    #[arg(short, long, value_name = "FILE", conflicts_with = "lines")]
    file: Option<PathBuf>,
    /// Each line of standard input is a message, sent when it comes. A connection that breaks is made again, and what has no
    /// answer sent once more: at least once then, also at QoS 2.
    #[arg(short, long)]
    lines: bool,
    /// Quality of service: 0 sent, 1 acknowledged, 2 exactly once. 1 unless given, and always 0 under a key for programs of an
    /// older system.
    #[arg(short, long, value_parser = clap::value_parser!(u8).range(0..=2))]
    qos: Option<u8>,
    /// Ask the broker to keep the message for later subscribers.
    #[arg(short, long)]
    retain: bool,
    /// Have the broker forget the message that it keeps for the topic. Nothing is sealed: an empty message is how MQTT says it.
    #[arg(long, conflicts_with_all = ["message", "file", "lines", "content_type", "sign", "profile", "retain", "will_topic"])]
    clear_retained: bool,
    /// What kind of content it is (a MIME type), told inside the seal.
    #[arg(long, value_name = "TYPE", value_parser = way::content_type)]
    content_type: Option<String>,
    /// Sign with the account's identity, also where the topic's key does not ask for it.
    #[arg(long, requires = "station")]
    sign: bool,
    #[command(flatten)]
    will: WillOptions,
    /// Give up after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Print a line of JSON for each message that the broker has.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    account: AccountOptions,
    #[command(flatten)]
    broker: BrokerOptions,
    #[command(flatten)]
    keys: KeyOptions,
    #[command(flatten)]
    voice: VoiceOptions,
}

/// What the broker publishes if the command vanishes without goodbye.
#[derive(Debug, clap::Args)]
pub(super) struct WillOptions {
    /// A will: what the broker publishes if this command vanishes without goodbye. Sealed as any message.
    #[arg(long, value_name = "TOPIC", requires = "will_message", help_heading = "Will")]
    will_topic: Option<TopicName>,
    /// The will's content is that of this file.
    #[arg(long, value_name = "FILE", requires = "will_topic", help_heading = "Will")]
    will_message: Option<PathBuf>,
    /// The will's quality of service.
    #[arg(long, value_name = "QOS", requires = "will_topic", value_parser = clap::value_parser!(u8).range(0..=2), default_value_t = 1, help_heading = "Will")]
    will_qos: u8,
    /// Ask the broker to keep the will for later subscribers.
    #[arg(long, requires = "will_topic", help_heading = "Will")]
    will_retain: bool,
}

const AFTERWARDS: &str = "\
Examples:
  sealwire pub --station station.example:8443 --user anna -t plant/press/celsius -m 71.3
  sensor | sealwire pub --broker mqtts://broker.example --key-line plant.key -t plant/press -l
  sealwire pub --broker mqtt://localhost --fernet secret.key -t news -f report.txt
  sealwire pub --broker mqtt://localhost --profile room-chat --name anna -l
  sealwire pub --broker mqtt://localhost -t news --clear-retained

Ends once the broker has answered every message as its quality of service asks. Under MQTT
3.1.1 a broker cannot say that it did not permit a message: it answers and drops it. What is
published here stands in no audit log of the account on this computer.

";

/// The end of the long help: the examples, then the exit codes.
pub(super) fn afterwards() -> String {
    format!("{AFTERWARDS}{}", super::exit::TABLE)
}

impl WillOptions {
    /// The will, read from its file.
    pub(super) fn draft(&self) -> anyhow::Result<Option<Draft>> {
        let (Some(topic), Some(path)) = (&self.will_topic, &self.will_message) else { return Ok(None) };
        Ok(Some(Draft {
            topic: topic.clone(),
            body: read_file(path)?,
            content_type: None,
            qos: self.will_qos,
            retain: self.will_retain,
        }))
    }

    /// For the keys that name no topics.
    pub(super) fn filter(&self) -> anyhow::Result<Option<TopicFilter>> {
        Ok(self.will_topic.as_ref().map(|topic| TopicFilter::new(topic.as_str())).transpose()?)
    }
}

pub(super) fn run(
    folders: impl FnOnce() -> anyhow::Result<DataFolders>,
    options: &PublishOptions,
) -> anyhow::Result<ExitCode> {
    let topic = match (&options.topic, options.keys.profile) {
        (Some(topic), _) => topic.clone(),
        (None, Some(profile)) => legacy::topic(profile)?,
        (None, None) => return Err(Ended::misused("give --topic")),
    };
    if options.keys.fernet.is_some() && options.keys.passphrase_room.is_some() {
        return Err(Ended::misused("--fernet and --passphrase-room are both for the topic given: name one"));
    }
    if let Some(profile) = options.keys.profile {
        // Before anybody types a passphrase.
        Job::of(options, topic.clone(), Some(profile))?;
    }
    let will = options.will.draft()?;
    let needs_keys = !options.keys.in_the_clear && !options.clear_retained;
    let plans = Plans::of(folders, &options.account, &options.broker, &options.keys, needs_keys)?;
    let mut filters = vec![TopicFilter::new(topic.as_str())?];
    filters.extend(options.will.filter()?);
    let runtime = way::runtime()?;
    runtime.block_on(async {
        let (mut way, mut line) = plans.open(&filters).await?;
        if let Some(will) = will {
            line = line.with_will(will, manner(options));
        }
        let mut publication = None;
        let told = tokio::select! {
            done = work(options, topic, &mut way, line, &mut publication) => done,
            () = stop::told() => Err(Ended::with(INTERRUPTED, "ended before all was done")),
            () = over(options.timeout) => Err(Ended::with(TIMED_OUT, "the time was over before the broker had everything")),
        };
        let told = match &mut publication {
            // Also of what was done before it went wrong.
            Some(publication) => told.and(tell(options, &publication.take_done())),
            None => told,
        };
        if let Some(publication) = publication {
            let waiting = publication.waiting();
            publication.end().await;
            if told.is_err() && waiting > 0 {
                note(&match waiting {
                    1 => "1 message was not taken by the broker, as far as it told".to_owned(),
                    many => format!("{many} messages were not taken by the broker, as far as it told"),
                });
            }
        }
        way.close().await;
        told.map(|()| ExitCode::SUCCESS)
    })
}

/// Waits for `--timeout`, or for ever.
pub(super) async fn over(seconds: Option<u64>) {
    match seconds {
        Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        None => std::future::pending().await,
    }
}

fn manner(options: &PublishOptions) -> Manner {
    Manner { sign: options.sign, in_the_clear: options.keys.in_the_clear }
}

/// What is to be sent, and in whose manner.
struct Job<'o> {
    options: &'o PublishOptions,
    topic: TopicName,
    /// For programs of an older system, because the key that seals is for them.
    voice: Option<Voice<'o>>,
}

impl<'o> Job<'o> {
    fn of(options: &'o PublishOptions, topic: TopicName, profile: Option<Profile>) -> anyhow::Result<Self> {
        if let Some(profile) = profile {
            legacy::hold_to(profile, options.qos, options.retain, options.content_type.is_some())?;
        }
        let voice = options.voice.voice(profile, &topic, options.lines)?;
        Ok(Self { options, topic, voice })
    }

    /// The words of the one message.
    async fn words(&self) -> anyhow::Result<Vec<u8>> {
        match &self.voice {
            Some(voice) if voice.needs_no_words() => Ok(Vec::new()),
            _ => body(self.options).await,
        }
    }

    fn draft(&self, words: Vec<u8>) -> anyhow::Result<Draft> {
        let (body, qos) = match &self.voice {
            Some(voice) => (voice.compose(&words)?, 0),
            None => (words, self.options.qos.unwrap_or(1)),
        };
        Ok(Draft {
            topic: self.topic.clone(),
            body,
            content_type: self.options.content_type.clone(),
            qos,
            retain: self.options.retain,
        })
    }
}

async fn work(
    options: &PublishOptions,
    topic: TopicName,
    way: &mut Way,
    line: Line,
    publication: &mut Option<Publication>,
) -> anyhow::Result<()> {
    if let Some(account) = way.decides() {
        account.may_publish(&line, &topic)?;
    }
    if options.clear_retained {
        return clear_retained(options, topic, line, publication).await;
    }
    let manner = manner(options);
    way.ring.may_seal(&topic, manner)?;
    if let Some(account) = &way.account {
        account.tell_identity().await;
    }
    let ring = &mut way.ring;
    if let Some(weakness) = ring.weakness_for(&topic) {
        note(&format!("warning: {weakness}"));
    }
    let profile = ring.profile_for(&topic);
    let job = Job::of(options, topic, profile)?;
    if options.lines {
        let publication = publication.insert(Publication::begin(line, ring, true).await?);
        let mut lines = lines();
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => publication.send(ring, &job.draft(line?)?, manner, tell_wait).await?,
                    None => break,
                },
                happened = publication.happen(ring) => tell_wait(&happened?),
            }
            tell(options, &publication.take_done())?;
        }
        return settle(options, ring, publication).await;
    }
    // Read before it connects: a broker need not wait for whoever types.
    let draft = job.draft(job.words().await?)?;
    let publication = publication.insert(Publication::begin(line, ring, false).await?);
    publication.send(ring, &draft, manner, tell_wait).await?;
    settle(options, ring, publication).await
}

/// Under no key: a sealed message is never empty.
async fn clear_retained(
    options: &PublishOptions,
    topic: TopicName,
    line: Line,
    publication: &mut Option<Publication>,
) -> anyhow::Result<()> {
    let (body, qos) = (Vec::new(), options.qos.unwrap_or(1));
    let draft = Draft { topic, body, content_type: None, qos, retain: true };
    let (mut no_keys, manner) = (Ring::new(), Manner { sign: false, in_the_clear: true });
    let publication = publication.insert(Publication::begin(line, &mut no_keys, false).await?);
    publication.send(&mut no_keys, &draft, manner, tell_wait).await?;
    settle(options, &mut no_keys, publication).await
}

fn tell_wait(happened: &Happened) {
    if let Happened::Waiting { why, wait } = happened {
        way::note_wait(why, *wait);
    }
}

async fn settle(
    options: &PublishOptions,
    ring: &mut Ring,
    publication: &mut Publication,
) -> anyhow::Result<()> {
    while publication.waiting() > 0 {
        tell_wait(&publication.happen(ring).await?);
        tell(options, &publication.take_done())?;
    }
    Ok(())
}

fn tell(options: &PublishOptions, done: &[Published]) -> anyhow::Result<()> {
    if !options.json {
        return Ok(());
    }
    for one in done {
        let with = one.with.as_ref();
        say(&json_line(&json!({
            "topic": one.topic,
            "qos": one.qos,
            "retain": one.retain,
            "suite": with.map(|with| with.suite),
            "profile": with.map(|with| with.profile),
            "key": with.map(|with| &with.label),
            "kid": with.map(|with| &with.kid),
            "sealed": with.is_some(),
            "signed": one.signed,
            "length": one.plain_len,
            "wire_length": one.wire_len,
            "no_subscribers": one.no_subscribers,
        })))?;
    }
    Ok(())
}

/// The one message, from wherever it comes.
async fn body(options: &PublishOptions) -> anyhow::Result<Vec<u8>> {
    if let Some(text) = &options.message {
        return Ok(text.clone().into_bytes());
    }
    let path = options.file.clone();
    let (told, read) = tokio::sync::oneshot::channel();
    // On a thread that nobody waits for at the end: a terminal may never say that its input is over.
    std::thread::spawn(move || {
        let body = match path {
            Some(path) => read_file(&path),
            None => read_bounded(std::io::stdin().lock()).context("standard input cannot be read"),
        };
        let _ = told.send(body);
    });
    read.await.context("reading the message ended early")?
}

fn read_file(path: &Path) -> anyhow::Result<Vec<u8>> {
    let read = File::open(path).map_err(anyhow::Error::from).and_then(read_bounded);
    read.with_context(|| format!("the message cannot be read from {}", path.display()))
}

fn read_bounded(from: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    from.take(MAX_BODY_BYTES + 1).read_to_end(&mut body)?;
    anyhow::ensure!(
        body.len() as u64 <= MAX_BODY_BYTES,
        "it has more than the 268,435,455 bytes that an MQTT packet can carry: send it in parts"
    );
    Ok(body)
}

/// The lines of standard input, without their ends.
fn lines() -> mpsc::Receiver<anyhow::Result<Vec<u8>>> {
    let (told, lines) = mpsc::channel(LINES);
    std::thread::spawn(move || {
        let mut input = BufReader::new(std::io::stdin().lock());
        loop {
            let line = read_line(&mut input);
            let ends = !matches!(line, Ok(Some(_)));
            let Some(line) = line.transpose() else { return };
            if told.blocking_send(line).is_err() || ends {
                return;
            }
        }
    });
    lines
}

fn read_line(input: &mut impl BufRead) -> anyhow::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = input
        .take(MAX_BODY_BYTES + 1)
        .read_until(b'\n', &mut line)
        .context("standard input cannot be read")?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    anyhow::ensure!(
        line.len() as u64 <= MAX_BODY_BYTES,
        "a line has more than the 268,435,455 bytes that an MQTT packet can carry"
    );
    Ok(Some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_message_with_or_without_its_end_and_an_empty_one_too() {
        let mut input = &b"one\r\n\ntwo\xff\nthree"[..];
        let mut read = || read_line(&mut input).unwrap();
        assert_eq!(read().unwrap(), b"one");
        assert_eq!(read().unwrap(), b"");
        assert_eq!(read().unwrap(), b"two\xff");
        assert_eq!(read().unwrap(), b"three");
        assert_eq!(read(), None);
    }
}
