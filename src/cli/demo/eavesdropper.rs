//! A plain MQTT program without a key and without our code: sees what the broker sees.

use std::{
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use bytes::Bytes;
use rumqttc::v5::{
    Client, ConnectionError, Event, Incoming, MqttOptions,
    mqttbytes::{QoS, v5::PubAckReason},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Listens to a filter, without TLS and without a name.
pub(super) struct Eavesdropper {
    client: Client,
    heard: mpsc::Receiver<(String, Bytes)>,
}

fn connect(plain: SocketAddr, name: &str) -> (Client, rumqttc::v5::Connection) {
    Client::new(MqttOptions::new(format!("demo-{name}"), plain.ip().to_string(), plain.port()), 10)
}

impl Eavesdropper {
    /// Subscribes, and returns once that is granted.
    pub(super) fn listen(plain: SocketAddr, filter: &str) -> anyhow::Result<Self> {
        let (client, mut connection) = connect(plain, "listener");
        client.subscribe(filter, QoS::AtLeastOnce)?;
        let (tell, heard) = mpsc::channel();
        let (granted, is_granted) = mpsc::channel();
        std::thread::Builder::new().name("eavesdropper".into()).spawn(move || {
            for event in connection.iter() {
                let told = match event {
                    Ok(Event::Incoming(Incoming::SubAck(_))) => granted.send(()).is_ok(),
                    Ok(Event::Incoming(Incoming::Publish(message))) => tell
                        .send((String::from_utf8_lossy(&message.topic).into_owned(), message.payload))
                        .is_ok(),
                    Ok(_) => true,
                    Err(_) => false,
                };
                if !told {
                    break;
                }
            }
        })?;
        is_granted.recv_timeout(PATIENCE).context("the listener's subscription was not granted")?;
        Ok(Self { client, heard })
    }

    /// The next payload on `topic`.
    pub(super) fn next_on(&self, topic: &str) -> anyhow::Result<Bytes> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (heard, payload) = self.heard.recv_timeout(left).context("the listener heard nothing")?;
            if heard == topic {
                return Ok(payload);
            }
        }
    }
}

impl Drop for Eavesdropper {
    fn drop(&mut self) {
        // The connection is gone already where this fails.
        let _ = self.client.disconnect();
    }
}

/// Publishes without asking first, and returns the station's reason for refusing.
pub(super) fn try_to_publish(plain: SocketAddr, topic: &str) -> anyhow::Result<String> {
    let (client, mut connection) = connect(plain, "forger");
    client.publish(topic, QoS::AtLeastOnce, false, "forged")?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        match connection.recv_timeout(PATIENCE) {
            Ok(Ok(Event::Incoming(Incoming::PubAck(ack)))) => {
                if ack.reason != PubAckReason::NotAuthorized {
                    bail!("the station accepted a forged message: {:?}", ack.reason);
                }
                return Ok(ack
                    .properties
                    .and_then(|p| p.reason_string)
                    .unwrap_or_else(|| "not authorized".to_owned()));
            }
            Ok(Ok(_) | Err(ConnectionError::RequestsDone)) => {}
            Ok(Err(error)) => bail!("the forger's connection broke: {error}"),
            Err(_) => break,
        }
    }
    bail!("the station did not answer the forged message")
}
