//! `sealwire sub`: opens what comes and shows it.

use std::{collections::HashMap, path::PathBuf, process::ExitCode};

use crate::{
    client::{
        direct::{Account, Arrived, Line, Manner, Reading, Ring, Subscription, Told},
        legacy,
    },
    station::host::DataFolders,
    topic::TopicFilter,
};

use super::{
    exit::{DOES_NOT_HOLD, Ended, NO_CONNECTION, TIMED_OUT},
    note, printable,
    publish::{WillOptions, over},
    show::Show,
    stop,
    way::{self, AccountOptions, BrokerOptions, KeyOptions, Plans, Way},
};

/// Keys of strangers whose names are remembered; anybody with a topic's key can sign with any number.
const MOST_STRANGERS: usize = 256;

/// What `sealwire sub` may be asked.
#[derive(Debug, clap::Args)]
#[command(after_long_help = afterwards())]
pub(super) struct SubscribeOptions {
    /// A topic filter, such as plant/#. May be given several times. With --profile it may be left out: the topics that its
    /// programs use.
    #[arg(short, long, value_name = "FILTER", required_unless_present = "profile")]
    topic: Vec<TopicFilter>,
    /// The quality of service to ask for.
    #[arg(short, long, value_parser = clap::value_parser!(u8).range(0..=2), default_value_t = 1)]
    qos: u8,
    /// End after so many messages that hold.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds: with 5 where --count was not reached; without --count with 6 where there is no connection
    /// then.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// End with 3 at the first message that does not hold: altered, in the clear, rolled back, replayed as retained, too old to
    /// judge, without a key, or signed by somebody whom neither the account nor --known knows. Repeats, which MQTT allows, are
    /// dropped and counted.
    #[arg(long)]
    strict: bool,
    /// Write one line of JSON for each message, also for those that do not hold, which the verdict tells: topic, body or body_base64, content_type,
    /// suite, key, kid, profile, sender, sender_key, signature, verdict, notes, sealed_at, arrived, qos, retained, will, wire_length;
    /// of programs of older systems also author, text, place, call_id and leaves.
    #[arg(long)]
    json: bool,
    /// Write the bytes on the wire, unopened. With --json: add them as wire_base64.
    #[arg(long)]
    raw: bool,
    /// Write topic, key, sender and verdict before each message, and tell on standard error when it is subscribed.
    #[arg(short, long)]
    verbose: bool,
    /// Write no line break after a message.
    #[arg(short = 'N', long, conflicts_with = "json")]
    no_newline: bool,
    /// Remember in this file what was seen, for later commands with the same file: what they see again is a repeat, and a
    /// retained message older than the one before shows as rolled back. One command at a time has it.
    #[arg(long, value_name = "FILE", conflicts_with = "raw")]
    memory: Option<PathBuf>,
    /// Somebody whose signature is known: a name and the 64 hex digits of the identity key. May be given several times.
    #[arg(long, value_name = "NAME=IDENTITY", help_heading = "Keys")]
    known: Vec<String>,
    #[command(flatten)]
    will: WillOptions,
    #[command(flatten)]
    account: AccountOptions,
    #[command(flatten)]
    broker: BrokerOptions,
    #[command(flatten)]
    keys: KeyOptions,
}

const AFTERWARDS: &str = "\
Examples:
  sealwire sub --station station.example:8443 --user ben -t 'plant/#' -v
  sealwire sub --broker mqtts://broker.example --key-line plant.key -t 'plant/#' --json \\
    | jq 'select(.verdict == \"fresh\").body'
  sealwire sub --broker mqtt://localhost --fernet secret.key -t news --count 1 --strict
  sealwire sub --broker mqtt://localhost --profile window-chat

Standard output gets a message only where its seal holds and it was not seen before. What is
withheld is told on standard error, and --json shows it with its verdict; a repeat, and what is
in the clear without --in-the-clear, without its body. A connection that breaks is made again,
with growing waits. What was seen is remembered while the command runs; for longer, give
--memory FILE: without it an old message may pass as new once after a start.

";

fn afterwards() -> String {
    format!("{AFTERWARDS}{}", super::exit::TABLE)
}

pub(super) fn run(
    folders: impl FnOnce() -> anyhow::Result<DataFolders>,
    options: &SubscribeOptions,
) -> anyhow::Result<ExitCode> {
    let will = options.will.draft()?;
    let known = options.known.iter().map(|known| pair(known)).collect::<anyhow::Result<Vec<_>>>()?;
    let needs_keys = !options.keys.in_the_clear && !options.raw;
    let plans = Plans::of(folders, &options.account, &options.broker, &options.keys, needs_keys)?;
    let topics = match options.keys.profile {
        Some(profile) if options.topic.is_empty() => legacy::topics(profile)?,
        _ => options.topic.clone(),
    };
    let mut filters = topics.clone();
    filters.extend(options.will.filter()?);
    let runtime = way::runtime()?;
    runtime.block_on(async {
        let (mut way, line) = plans.open(&filters).await?;
        let done = begin(options, topics, &mut way, line, will, &known);
        let done = match done {
            Ok(mut subscription) => {
                let done = tokio::select! {
                    done = work(options, way.account.as_ref(), &mut way.ring, &mut subscription) => Some(done),
                    () = stop::told() => Some(Ok(())),
                    () = over(options.timeout) => None,
                };
                let done = done.unwrap_or_else(|| out_of_time(options, &subscription));
                match subscription.repeats() {
                    0 => {}
                    1 => note("1 repeat of a message was dropped"),
                    many => note(&format!("{many} repeats of messages were dropped")),
                }
                let ended = subscription.end(&mut way.ring).await;
                done.and(ended.map_err(Into::into))
            }
            Err(error) => Err(error),
        };
        way.close().await;
        done.map(|()| ExitCode::SUCCESS)
    })
}

/// What `--timeout` means where it is over.
fn out_of_time(options: &SubscribeOptions, subscription: &Subscription) -> anyhow::Result<()> {
    match (options.count, subscription.is_subscribed()) {
        (Some(_), _) => Err(Ended::with(TIMED_OUT, "the time was over before so many messages had come")),
        (None, true) => Ok(()),
        (None, false) => {
            let why = "the time was over while there was no connection: what was sent meanwhile did not come";
            Err(Ended::with(NO_CONNECTION, why))
        }
    }
}

fn pair(known: &str) -> anyhow::Result<(&str, &str)> {
    known.split_once('=').ok_or_else(|| {
        Ended::misused(format!("--known wants NAME=IDENTITY, as in anna=9f86d0…, not {}", printable(known)))
    })
}

fn begin(
    options: &SubscribeOptions,
    topics: Vec<TopicFilter>,
    way: &mut Way,
    mut line: Line,
    will: Option<crate::client::Draft>,
    known: &[(&str, &str)],
) -> anyhow::Result<Subscription> {
    for (name, key) in known {
        way.ring.add_known(name, key)?;
    }
    if let Some(path) = &options.memory {
        way.ring.remember_in(path)?;
    }
    if let Some(account) = way.decides() {
        for filter in &topics {
            account.may_subscribe(&line, filter)?;
        }
    }
    if let Some(will) = will {
        line = line.with_will(will, Manner { sign: false, in_the_clear: options.keys.in_the_clear });
    }
    Ok(Subscription::begin(line, &mut way.ring, topics, options.qos)?)
}

async fn work(
    options: &SubscribeOptions,
    account: Option<&Account>,
    ring: &mut Ring,
    subscription: &mut Subscription,
) -> anyhow::Result<()> {
    let show = Show {
        json: options.json,
        raw: options.raw,
        newline: !options.no_newline,
        verbose: options.verbose,
        in_the_clear: options.keys.in_the_clear,
        strict: options.strict,
    };
    let mut names = HashMap::new();
    let mut left = options.count;
    loop {
        match subscription.next(ring).await? {
            Told::Subscribed if options.verbose => note("subscribed"),
            Told::Subscribed => {}
            Told::Waiting { why, wait } => way::note_wait(&why, wait),
            Told::Repeat { topic, qos } => show.repeat(&topic, qos)?,
            Told::Message(mut arrived) => {
                name_sender(account, ring, &mut names, &mut arrived).await;
                let holds = show.message(&arrived)?;
                if !holds && options.strict {
                    return Err(Ended::with(DOES_NOT_HOLD, verdict(&arrived)));
                }
                if holds || options.raw {
                    left = left.map(|left| left - 1);
                }
                if left == Some(0) {
                    return Ok(());
                }
            }
        }
    }
}

/// Asks the station who signs with a key that nobody here knows. What it says is compared with what is known.
async fn name_sender(
    account: Option<&Account>,
    ring: &Ring,
    names: &mut HashMap<String, Option<String>>,
    arrived: &mut Arrived,
) {
    let Reading::Opened(opened) = &mut arrived.reading else { return };
    let Some(sender) = opened.sender.as_ref().filter(|sender| !sender.known) else { return };
    let Some(account) = account else { return };
    if names.len() >= MOST_STRANGERS {
        names.clear();
    }
    if !names.contains_key(&sender.key) {
        let name = account.who_is(&sender.key).await;
        names.insert(sender.key.clone(), name);
    }
    if let Some(name) = names.get(&sender.key).cloned().flatten() {
        ring.hear_of_sender(opened, &name);
    }
}

fn verdict(arrived: &Arrived) -> String {
    let topic = printable(arrived.topic.as_str());
    match &arrived.reading {
        Reading::Opened(opened) => {
            format!("a message on {topic} does not hold: {}", opened.strict_doubt().unwrap_or_default())
        }
        Reading::InTheClear => format!("a message on {topic} does not hold: it is in the clear"),
        Reading::Refused { name, .. } => format!("a message on {topic} does not hold: {name}"),
    }
}
