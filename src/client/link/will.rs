//! The will: what the broker publishes if this computer vanishes without saying goodbye.
//!
//! It goes out with CONNECT, so a change means a new connection, and it is sealed afresh for each, marked inside the
//! seal as a will. At rest it is an envelope too, under the key of its topic; only a will for a topic in the clear rests
//! as it was written. Logging out says goodbye, and the broker then drops it.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::{seal::Kid, topic::TopicName};

use super::{
    super::{
        Asked, AuditLog, Draft, Event, Failure, Opening, SealedWith, Will, WillState, WillView,
        mqtt::{LastWill, Lost, Refusal, Why},
        sealing::Sealing,
    },
    Link, Turn,
};

/// The setting that holds it.
pub(super) const SETTING: &str = "will";

/// See the module.
pub(super) struct OwnWill {
    will: Option<Will>,
    on: bool,
    /// What goes with the connection that there is, or is being made.
    announced: Option<Announced>,
    in_force: bool,
    /// Why the broker does not have it, although it is on.
    problem: Option<String>,
    /// The station would not connect with it, and why: it is left out until it is changed.
    refused: Option<String>,
}

struct Announced {
    sealed_with: Option<SealedWith>,
    /// What sealed it; another key, or none, wants another connection.
    kid: Option<Kid>,
}

/// The will at rest.
#[derive(Serialize, Deserialize)]
struct Kept {
    on: bool,
    topic: String,
    qos: u8,
    retain: bool,
    delay_s: u64,
    /// Of a will in the clear; that of a sealed one is inside.
    content_type: Option<String>,
    sealed: bool,
    /// Base64: an envelope, or the payload of a will in the clear.
    payload: String,
}

impl OwnWill {
    /// As it rests. One that cannot be opened any more is told and off.
    pub(super) fn kept(setting: Option<&str>, sealing: &Sealing) -> Self {
        let none =
            Self { will: None, on: false, announced: None, in_force: false, problem: None, refused: None };
        let Some(setting) = setting else { return none };
        match read(setting, sealing) {
            Some((will, on)) => Self { will: Some(will), on, ..none },
            None => {
                let why = "The will that was kept here cannot be opened: the key that sealed it is gone. Write it again.";
                Self { on: true, problem: Some(why.to_owned()), ..none }
            }
        }
    }

    /// Where it would be published, also while it is off.
    pub(super) fn topic(&self) -> Option<&TopicName> {
        self.will.as_ref().map(|will| &will.draft.topic)
    }

    /// Whether a will goes with the connection that there is, or is being made.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    fn view(&self) -> WillView {
        let state = match (&self.problem, &self.announced) {
            _ if !self.on => WillState::Off,
            (Some(why), _) => WillState::Problem { why: why.clone() },
            (None, Some(announced)) if self.in_force => {
                WillState::InForce { sealed_with: announced.sealed_with.clone() }
            }
            _ => WillState::Waiting,
        };
        WillView { will: self.will.clone(), state }
    }
}

fn read(setting: &str, sealing: &Sealing) -> Option<(Will, bool)> {
    let kept: Kept = serde_json::from_str(setting).ok()?;
    let topic = TopicName::new(kept.topic).ok()?;
    let payload = bytes::Bytes::from(STANDARD.decode(kept.payload).ok()?);
    let (body, content_type) = if kept.sealed {
        match sealing.open(&topic, &payload, false, |_| None).opening {
            Opening::Opened { body, content_type, .. } => (body, content_type),
            _ => return None,
        }
    } else {
        (payload, kept.content_type)
    };
    let draft = Draft { topic, body: body.to_vec(), content_type, qos: kept.qos.min(2), retain: kept.retain };
    let delay = Duration::from_secs(kept.delay_s).min(Will::MOST_DELAY);
    Some((Will { draft, delay }, kept.on))
}

/// A will, sealed, or as it is where its topic goes in the clear.
struct SealedWill {
    wire: bytes::Bytes,
    sealed_with: Option<SealedWith>,
    content_type: Option<String>,
}

impl Link {
    fn tell_will(&self) {
        self.teller.tell(Event::Will(self.will.view()));
    }

    /// Permitted, and sealed with the key of its topic; why not, and the next step, otherwise.
    fn seal_will(&mut self, will: &Will) -> Result<SealedWill, (String, &'static str)> {
        let draft = &will.draft;
        if let Some(why) = self.why_not_publish(draft.qos.min(1), &draft.topic) {
            return Err((why, "Choose another topic, or ask the station's admin for the right."));
        }
        match self.sealing.seal_will(draft) {
            Some(Ok(sealed)) => Ok(SealedWill {
                wire: sealed.wire,
                sealed_with: Some(sealed.with),
                content_type: sealed.content_type.map(str::to_owned),
            }),
            Some(Err(why)) => Err((why, "")),
            None if self.clear.iter().any(|filter| filter.matches(&draft.topic)) => Ok(SealedWill {
                wire: draft.body.clone().into(),
                sealed_with: None,
                content_type: draft.content_type.clone(),
            }),
            None => {
                let why = format!("No key covers {}.", draft.topic);
                Err((why, "Make one in Keys, or let the topic go in the clear in Publish."))
            }
        }
    }

    /// For the connection that begins now: sealed afresh.
    pub(super) fn announce_will(&mut self) -> Option<LastWill> {
        self.will.in_force = false;
        self.will.announced = None;
        let announced = self.try_announce_will();
        self.tell_will();
        announced
    }

    fn try_announce_will(&mut self) -> Option<LastWill> {
        let will = self.will.will.clone().filter(|_| self.will.on)?;
        if let Some(why) = &self.will.refused {
            self.will.problem = Some(why.clone());
            return None;
        }
        let sealed = match self.seal_will(&will) {
            Ok(sealed) => sealed,
            Err((why, next)) => {
                let why = super::super::sentence(&why);
                self.will.problem = Some(format!("{why} {next}").trim_end().to_owned());
                return None;
            }
        };
        self.will.problem = None;
        let kid = self.sealing.kid_for(&will.draft.topic);
        self.will.announced = Some(Announced { sealed_with: sealed.sealed_with, kid });
        let Draft { topic, qos, retain, .. } = will.draft;
        Some(LastWill {
            topic,
            payload: sealed.wire,
            qos,
            retain,
            content_type: sealed.content_type,
            delay: will.delay,
        })
    }

    /// The connection is there, and with it the will.
    pub(super) fn will_is_there(&mut self) {
        if self.will.announced.is_some() {
            self.will.in_force = true;
            self.tell_will();
        }
    }

    /// The connection is gone: the broker publishes the will, or has dropped it.
    pub(super) fn will_is_gone(&mut self) {
        if self.will.announced.take().is_some() {
            self.will.in_force = false;
            self.tell_will();
        }
    }

    /// Where the broker does not take the will as it is, the next connection goes without it: the messages matter more.
    pub(super) fn will_refused_by(&mut self, lost: &Lost) {
        let Why::Refused(refusal) = &lost.why else { return };
        let next = match refusal {
            Refusal::QosOfWill => "Choose a lower one.",
            Refusal::RetainOfWill => "Turn “Retain” off.",
            Refusal::TopicOfWill | Refusal::PayloadOfWill => "Choose another.",
            Refusal::SizeOfWill => "Write less.",
            Refusal::NotAuthorized if !self.carrier.is_other() => {
                self.will.refused.get_or_insert_with(String::new);
                return;
            }
            _ => return,
        };
        if self.will.on && self.will.will.is_some() {
            let why = super::super::sentence(&lost.told(self.carrier.who()));
            self.will.refused = Some(format!("{why} {next}"));
        }
    }

    /// Another broker may take what this one did not.
    pub(super) fn will_forgets_refusal(&mut self) {
        self.will.refused = None;
    }

    /// The session lives and the station still refused to connect: with a will in CONNECT, that may be why.
    pub(super) fn will_may_be_why(&mut self) {
        if let Some(why) = self.will.refused.as_mut().filter(|why| why.is_empty()) {
            *why = "The station refused to connect with this will. Choose another topic, or ask the station's admin for the right.".to_owned();
        }
    }

    /// Keys or choices have changed: a will that another key would seal, or that can be sealed only now, goes out anew.
    pub(super) async fn will_reconsidered(&mut self, turn: &mut Turn) {
        let Some(will) = self.will.will.as_ref().filter(|_| self.will.on) else { return };
        let kid = self.sealing.kid_for(&will.draft.topic);
        let stale = match &self.will.announced {
            Some(announced) => {
                let now_clear =
                    kid.is_none() && self.clear.iter().any(|filter| filter.matches(&will.draft.topic));
                announced.kid != kid || (kid.is_none() && !now_clear)
            }
            None => self.will.problem.is_some() && self.will.refused.is_none(),
        };
        if stale && self.phase.connection().is_some() {
            self.connect_anew(turn).await;
        }
    }

    /// A person wrote it down, turned it on or off, or wants it forgotten.
    pub(super) async fn set_will(&mut self, will: Option<(Will, bool)>, turn: &mut Turn) {
        if let Err(failure) = self.try_set_will(will, turn).await {
            self.teller.fail(Asked::Will, failure);
        }
    }

    async fn try_set_will(&mut self, will: Option<(Will, bool)>, turn: &mut Turn) -> Result<(), Failure> {
        let not_kept = |why: String, next: &str| Failure::new("The will was not changed.", why, next);
        let on = will.as_ref().is_some_and(|(_, on)| *on);
        match &will {
            Some((will, on)) => {
                let kept = match self.turned_off(will, *on).await {
                    Some(kept) => kept,
                    None => self.kept_will(will, *on).map_err(|(why, next)| not_kept(why, next))?,
                };
                let text = serde_json::to_string(&kept).unwrap_or_default();
                self.store.set_setting(SETTING, &text).await
            }
            None => self.store.forget_setting(SETTING).await,
        }
        .map_err(|error| not_kept(error.to_string(), ""))?;
        let topic = will.as_ref().map(|(will, _)| will.draft.topic.as_str().to_owned());
        let action = if on { "will set" } else { "will off" };
        self.auditor.note(AuditLog::Publisher, action, topic.as_deref(), Ok(()));
        let was_announced = self.will.is_announced();
        self.will.will = will.map(|(will, _)| will);
        self.will.on = on;
        (self.will.problem, self.will.refused) = (None, None);
        self.tell_will();
        if self.phase.connection().is_some() && (on || was_announced) {
            self.connect_anew(turn).await;
        }
        Ok(())
    }

    /// The will as it rests, off: a person may turn off what could not be sealed any more.
    async fn turned_off(&mut self, will: &Will, on: bool) -> Option<Kept> {
        if on || self.will.will.as_ref() != Some(will) {
            return None;
        }
        let setting = self.store.setting(SETTING).await.ok()??;
        let kept: Kept = serde_json::from_str(&setting).ok()?;
        Some(Kept { on: false, ..kept })
    }

    /// As it will rest. It must be permitted and sealed, also where it is off.
    fn kept_will(&mut self, will: &Will, on: bool) -> Result<Kept, (String, &'static str)> {
        let Will { draft, delay } = will;
        if draft.qos > 2 {
            return Err((format!("QoS {} is not offered.", draft.qos), "Use QoS 0, 1 or 2."));
        }
        if draft.body.len() > Will::MOST_BYTES {
            let why = format!("A will may have {} KiB at most.", Will::MOST_BYTES >> 10);
            return Err((why, "Write less: it goes with every connect."));
        }
        if *delay > Will::MOST_DELAY {
            let why = format!("The broker can wait {} seconds at most.", Will::MOST_DELAY.as_secs());
            return Err((why, "Choose a shorter wait."));
        }
        let sealed = self.seal_will(will)?;
        Ok(Kept {
            on,
            topic: draft.topic.as_str().to_owned(),
            qos: draft.qos,
            retain: draft.retain,
            delay_s: delay.as_secs(),
            content_type: sealed.sealed_with.is_none().then(|| draft.content_type.clone()).flatten(),
            sealed: sealed.sealed_with.is_some(),
            payload: STANDARD.encode(&sealed.wire),
        })
    }
}
