//! The way to a broker: where it is, under which name, and what it publishes if we vanish.

use std::time::Duration;

use bytes::Bytes;

use super::{
    super::{
        Draft, Endpoint, Password,
        mqtt::{Connection, Happening, LastWill, Lost, Refusal, Server, Session, Why},
    },
    DirectError, Manner, Ring,
};

/// How long goodbye may take.
const GOODBYE: Duration = Duration::from_secs(3);

/// Where messages go, and come from.
pub struct Line {
    server: Server,
    client_id: String,
    /// At the other end: “the station” or “the broker”.
    pub(super) who: &'static str,
    will: Option<(Draft, Manner)>,
}

impl Line {
    /// To the account's own station.
    pub(super) fn own(server: Server) -> Result<Self, DirectError> {
        Ok(Self { server, client_id: random_id()?, who: "the station", will: None })
    }

    /// To any broker.
    ///
    /// # Errors
    /// Choices that do not go together, or certificates that are none.
    pub fn to(endpoint: &Endpoint) -> Result<Self, DirectError> {
        let server = Server::of(endpoint)?;
        Ok(Self { server, client_id: endpoint.client_id()?, who: "the broker", will: None })
    }

    /// The client id in use.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Under this client id instead of a random one.
    #[must_use]
    pub fn named(mut self, client_id: String) -> Self {
        self.client_id = client_id;
        self
    }

    /// With this will: what the broker publishes if the connection breaks without goodbye. Sealed afresh for every
    /// connection.
    #[must_use]
    pub fn with_will(mut self, draft: Draft, manner: Manner) -> Self {
        self.will = Some((draft, manner));
        self
    }

    /// Begins an attempt. A will that cannot be sealed is an error before anything is sent.
    pub(super) fn begin(&self, ring: &mut Ring) -> Result<Connection, DirectError> {
        let mut session = Session::ending(self.client_id.clone());
        if let Some((draft, manner)) = &self.will {
            let draft = ring.fitted(draft)?;
            let sealed = ring.seal(&draft, *manner, true)?;
            session.will = Some(Box::new(LastWill {
                topic: draft.topic.clone(),
                payload: sealed.wire,
                qos: draft.qos,
                retain: draft.retain,
                content_type: sealed.content_type,
                delay: Duration::ZERO,
            }));
        }
        Ok(Connection::begin(&self.server, session))
    }

    /// Waits for the broker's first answer.
    pub(super) async fn online(&self, connection: &mut Connection) -> Result<(), Lost> {
        loop {
            match connection.next().await {
                Happening::Online(_) => return Ok(()),
                Happening::Lost(lost) => return Err(lost),
                _ => {}
            }
        }
    }

    /// Goodbye: what was handed over goes out first, and the broker drops the will.
    pub(super) async fn end(connection: Connection) {
        connection.disconnect(true, GOODBYE).await;
    }
}

/// The longest wait between two tries.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// How long to wait before the next try, after so many that came to nothing.
pub(super) fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(1 << attempt.min(5)).min(MOST_WAIT)
}

/// Whether it is of use to try again.
pub(super) fn may_pass(lost: &Lost) -> bool {
    match &lost.why {
        Why::Refused(refusal) => {
            matches!(refusal, Refusal::Busy | Refusal::Unavailable | Refusal::Rate | Refusal::Quota)
        }
        why => !matches!(why, Why::Certificate(_) | Why::TakesNothing | Why::Stopped),
    }
}

fn random_id() -> Result<String, DirectError> {
    let mut random = [0; 4];
    getrandom::fill(&mut random)
        .map_err(|error| DirectError::Other(format!("the system gave no random numbers: {error}")))?;
    // Seventeen characters, which every broker takes (MQTT-3.1.3-5).
    Ok(format!("sealwire-{:08x}", u32::from_be_bytes(random)))
}

/// What goes out, sealed or in the clear.
pub(super) struct Wire {
    pub wire: Bytes,
    /// For MQTT's content type.
    pub content_type: Option<String>,
    /// `None`: in the clear.
    pub with: Option<super::super::SealedWith>,
    pub signed: bool,
}

/// A secret of the face as `keys` takes it.
pub(super) fn password(typed: &Password) -> crate::keys::Password {
    crate::keys::Password::new(typed.reveal())
}
