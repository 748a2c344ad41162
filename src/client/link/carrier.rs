//! Which broker carries the messages: the station's own, or another that a person chose.
//!
//! The station's token is in [`Broker`] and goes into the station's carrier only; another broker's is made of what the
//! person wrote down about it, and of nothing else.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;

use crate::{api::Confidential, client::address::Address};

use super::super::{
    Endpoint, MqttVersion,
    mqtt::{EndpointError, LastWill, Server, Session},
    tls,
};

/// How long the broker keeps our session, and messages at QoS 1 and 2 for us, while the link is down.
pub(super) const SESSION_EXPIRY: Duration = Duration::from_secs(3_600);

/// What is told in place of a protocol.
const NO_TLS: &str = "not encrypted on the way (no TLS)";

/// How to reach the station's broker, and who we are there.
#[derive(Clone)]
pub(in crate::client) struct Broker {
    pub address: Address,
    pub tls: Arc<ClientConfig>,
    pub username: String,
    pub token: Confidential,
    pub client_id: String,
}

/// See the module.
pub(super) struct Carrier {
    pub(super) server: Server,
    pub(super) client_id: String,
    keeps_session: bool,
    is_other: bool,
    /// As the window shows it: the address, the protocol, what protects the way.
    pub(super) address: String,
    pub(super) version: MqttVersion,
    pub(super) tls: String,
}

impl Carrier {
    /// The station's broker.
    pub(super) fn station(broker: &Broker) -> Self {
        let Address { host, port } = &broker.address;
        let tls_config = Arc::clone(&broker.tls);
        Self {
            server: Server::pinned(host, *port, tls_config, &broker.username, broker.token.reveal()),
            client_id: broker.client_id.clone(),
            keeps_session: true,
            is_other: false,
            address: format!("mqtts://{}", broker.address),
            version: MqttVersion::V5,
            tls: tls::PROTOCOL.to_owned(),
        }
    }

    /// Another broker. An endpoint without a client id has a new one each time.
    pub(super) fn other(endpoint: &Endpoint) -> Result<Self, EndpointError> {
        Ok(Self {
            server: Server::of(endpoint)?,
            client_id: endpoint.client_id()?,
            keeps_session: endpoint.keep_session,
            is_other: true,
            address: endpoint.address(),
            version: endpoint.version,
            tls: if endpoint.transport.is_encrypted() { "TLS" } else { NO_TLS }.to_owned(),
        })
    }

    pub(super) const fn is_other(&self) -> bool {
        self.is_other
    }

    /// Who answers, in a sentence.
    pub(super) const fn who(&self) -> &'static str {
        if self.is_other { "the broker" } else { "the station" }
    }

    /// The client id of the connection that publishes at QoS 2.
    pub(super) fn exactly_once_id(&self) -> String {
        beside(&self.client_id, "qos2")
    }

    /// The account's own session: all but publishing at QoS 2. The broker keeps it while the link is down.
    pub(super) fn session(&self, will: Option<LastWill>, expects_releases: bool) -> Session {
        Session {
            client_id: self.client_id.clone(),
            kept: self.keeps_session.then_some(SESSION_EXPIRY),
            will: will.map(Box::new),
            expects_releases,
        }
    }

    /// For publishing at QoS 2: it begins and ends with the connection, because over a session that the broker keeps, the
    /// fresh packet ids of a next connection would be taken for repeats.
    pub(super) fn exactly_once_session(&self) -> Session {
        Session::ending(self.exactly_once_id())
    }
}

/// The client id of a connection beside the account's own.
pub(super) fn beside(client_id: &str, what_for: &str) -> String {
    format!("{client_id}-{what_for}")
}
