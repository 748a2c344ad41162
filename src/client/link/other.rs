//! Going over to another broker, and back to the station's.
//!
//! The outbox waits and goes to the broker that is set; what is watched is asked for there. The station's role is not
//! asked: it governs the station's broker, and another broker has rules of its own.

use std::time::Duration;

use super::{
    super::{
        Asked, AuditLog, Endpoint, Event, Failure, OtherBroker, OtherBrokerView,
        mqtt::{Connection, Happening, Server, Session},
        other_broker::{self, SETTING, UNKNOWN},
    },
    Carrier, GOODBYE, Link, Turn, carrier,
    state::Phase,
};

/// Longer than a connection may take by itself.
const TEST: Duration = Duration::from_secs(15);

impl Link {
    /// At login, before the first connection: an account that uses another broker never goes to the station's by mistake,
    /// also where that other one cannot be used; then, why.
    pub(super) async fn load_other_broker(&mut self) -> Result<(), String> {
        self.other = None;
        let noted = self.store.setting(SETTING).await;
        let noted =
            noted.map_err(|error| format!("whether another broker was set cannot be read: {error}"))?;
        let Some(text) = noted else { return Ok(()) };
        if text == UNKNOWN {
            let why =
                "what this computer kept of this account was damaged, and another broker may have been set";
            return Err(why.to_owned());
        }
        let opens =
            "another broker was set here, and what was noted of it opens only with the vault of before";
        let endpoint = other_broker::open(&text, &self.vault).ok_or(opens)?;
        let carrier = Carrier::other(&endpoint);
        self.other = Some(endpoint);
        let unusable = |error| format!("the other broker that was set here cannot be used: {error}");
        self.carrier = carrier.map_err(unusable)?;
        Ok(())
    }

    /// A person asks again what could not be read, or is at fault.
    pub(super) async fn load_again(&mut self) {
        let loaded = self.load_other_broker().await;
        self.tell_broker();
        match loaded {
            Ok(()) => self.connect(),
            Err(why) => self.choose_broker(why),
        }
    }

    pub(super) fn tell_broker(&self) {
        let view = self.other.as_ref().map(|other| Box::new(OtherBrokerView::of(other)));
        self.teller.tell(Event::Broker(view));
    }

    /// A person chose.
    pub(super) async fn set_broker(&mut self, other: Option<OtherBroker>, turn: &mut Turn) {
        if let Err(why) = self.try_set_broker(other, turn).await {
            let failure = Failure::new("The broker was not changed.", why, "");
            self.teller.fail(Asked::Broker, failure);
        }
    }

    async fn try_set_broker(&mut self, other: Option<OtherBroker>, turn: &mut Turn) -> Result<(), String> {
        let other = other.map(|other| other.completed(self.other.as_ref()));
        let (carrier, other) = match other {
            None => (Carrier::station(&self.broker), None),
            Some(mut endpoint) => {
                // From now on the same, so that the broker knows its session again.
                let id = endpoint.client_id().map_err(|error| error.to_string())?;
                endpoint.client_id = Some(id);
                (Carrier::other(&endpoint).map_err(|error| error.to_string())?, Some(endpoint))
            }
        };
        self.keep(other.as_ref()).await?;
        let action = if other.is_some() { "another broker set" } else { "the station's broker set" };
        for log in [AuditLog::Publisher, AuditLog::Subscriber] {
            self.auditor.note(log, action, None, Ok(()));
        }
        let is_over = matches!(self.phase, Phase::Over);
        self.leave(turn).await;
        (self.carrier, self.other) = (carrier, other);
        self.tell_broker();
        if is_over {
            self.phase = Phase::Over;
        } else {
            self.connect();
        }
        Ok(())
    }

    async fn keep(&mut self, other: Option<&Endpoint>) -> Result<(), String> {
        match other {
            Some(endpoint) => {
                let text = other_broker::seal(endpoint, &self.vault)?;
                self.store.set_setting(SETTING, &text).await
            }
            None => self.store.forget_setting(SETTING).await,
        }
        .map_err(|error| error.to_string())
    }

    /// Says goodbye to the broker that carried the messages so far. Its packet ids mean nothing to the next.
    async fn leave(&mut self, turn: &mut Turn) {
        let announced = self.will.is_announced();
        let own = self.phase.take_connection();
        let at_2 = self.exactly_once.take_connection();
        self.gather_back(turn);
        self.end_exactly_once(turn);
        let goodbye = async |connection: Option<Connection>, announced| {
            if let Some(connection) = connection {
                connection.disconnect(announced, GOODBYE).await;
            }
        };
        tokio::join!(goodbye(own, announced), goodbye(at_2, false));
        // What it said last is not about the next.
        turn.lost = None;
        turn.changes.unreleased.clear();
        self.forget_unreleased().await;
        self.will_forgets_refusal();
        (self.attempt, self.was_online) = (0, false);
    }

    /// Connects once, beside the link, and tells what came of it.
    pub(super) fn test_broker(&self, other: OtherBroker) {
        let endpoint = other.completed(self.other.as_ref());
        let address = endpoint.address();
        let failed = move |why: String| Failure::new("The broker did not let us in.", why, "");
        let begun = Server::of(&endpoint).and_then(|server| Ok((server, endpoint.client_id()?)));
        let (server, id) = match begun {
            Ok(begun) => begun,
            Err(error) => return self.teller.fail(Asked::TestBroker, failed(error.to_string())),
        };
        let teller = self.teller.clone();
        let version = endpoint.version.name();
        tokio::spawn(async move {
            // Not the link's own client id: a broker ends the older of two connections.
            let session = Session::ending(carrier::beside(&id, "test"));
            let mut connection = Connection::begin(&server, session);
            let lost = async {
                loop {
                    match connection.next().await {
                        Happening::Online(_) => return None,
                        Happening::Lost(lost) => return Some(lost.told("the broker")),
                        _ => {}
                    }
                }
            };
            let answer = tokio::time::timeout(TEST, lost).await;
            let takes = connection.takes;
            connection.disconnect(false, GOODBYE).await;
            match (answer, takes) {
                (Ok(None), Some(takes)) => {
                    let retain = if takes.retain { "" } else { ", no retained messages" };
                    let told = format!("It speaks {version} and takes QoS up to {}{retain}.", takes.qos);
                    teller.tell(Event::BrokerTested { address, told });
                }
                (Ok(Some(why)), _) => teller.fail(Asked::TestBroker, failed(why)),
                _ => {
                    let why = "It did not answer in time.".to_owned();
                    teller.fail(Asked::TestBroker, failed(why));
                }
            }
        });
    }
}
