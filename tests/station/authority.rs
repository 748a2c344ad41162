//! MQTT through the station's broker: who gets in, and what they may do.

use std::{sync::Arc, time::Duration};

use rumqttc::{
    TlsConfiguration, Transport,
    v5::{
        AsyncClient, ConnectionError, Event, MqttOptions, StateError,
        mqttbytes::{
            QoS,
            v5::{ConnectReturnCode, DisconnectReasonCode, Packet, PubAckReason, SubscribeReasonCode},
        },
    },
};
use sealwire::{api::*, audit};
use tokio::{sync::mpsc, task::JoinHandle};

use crate::harness::*;

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that is in, and what it hears.
struct Client {
    client: AsyncClient,
    packets: mpsc::UnboundedReceiver<Packet>,
    over: JoinHandle<ConnectionError>,
}

/// Connects; `Err` with the station's refusal.
async fn connect(
    station: &Station,
    id: &str,
    login: Option<(&str, &Confidential)>,
    tls: bool,
) -> Result<Client, ConnectReturnCode> {
    let port = if tls { station.running.mqtt_tls.port() } else { station.running.plain.unwrap().port() };
    let mut options = MqttOptions::new(id, if tls { "localhost" } else { "127.0.0.1" }, port);
    if let Some((name, password)) = login {
        options.set_credentials(name, password.reveal());
    }
    if tls {
        options.set_transport(Transport::tls_with_config(TlsConfiguration::Rustls(Arc::new(station.tls()))));
    }
    let (client, mut events) = AsyncClient::new(options, 16);
    match tokio::time::timeout(PATIENCE, events.poll()).await.expect("an answer to CONNECT") {
        Ok(Event::Incoming(Packet::ConnAck(_))) => {}
        Err(ConnectionError::ConnectionRefused(code)) => return Err(code),
        other => panic!("{other:?}"),
    }
    let (heard, packets) = mpsc::unbounded_channel();
    let over = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Incoming(packet)) => drop(heard.send(packet)),
                Ok(Event::Outgoing(_)) => {}
                Err(why) => return why,
            }
        }
    });
    Ok(Client { client, packets, over })
}

async fn over_tls(station: &Station, session: &SessionGrant) -> Client {
    let name = session.account.username.as_str();
    connect(station, name, Some((name, &session.mqtt_token)), true).await.unwrap()
}

impl Client {
    /// The next packet that is no answer to a ping; `None` when the connection has ended.
    async fn next(&mut self) -> Option<Packet> {
        tokio::time::timeout(PATIENCE, self.packets.recv()).await.expect("a packet, or the end")
    }

    async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        match self.next().await {
            Some(Packet::SubAck(ack)) => ack.return_codes[0],
            other => panic!("{other:?}"),
        }
    }

    /// Publishes with QoS 1; gives the answer and its reason string.
    async fn publish(&mut self, topic: &str, text: &str) -> (PubAckReason, String) {
        self.client.publish(topic, QoS::AtLeastOnce, false, text.to_owned()).await.unwrap();
        match self.next().await {
            Some(Packet::PubAck(ack)) => {
                let reason = ack.properties.and_then(|properties| properties.reason_string);
                (ack.reason, reason.unwrap_or_default())
            }
            other => panic!("{other:?}"),
        }
    }

    /// The next message's text.
    async fn message(&mut self) -> String {
        match self.next().await {
            Some(Packet::Publish(publish)) => String::from_utf8(publish.payload.to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for the end that the station makes, and gives the reason it says.
    async fn end(self) -> String {
        match tokio::time::timeout(PATIENCE, self.over).await.expect("the end").unwrap() {
            ConnectionError::MqttState(StateError::ServerDisconnect { reason_code, reason_string }) => {
                assert_eq!(reason_code, DisconnectReasonCode::AdministrativeAction);
                reason_string.unwrap_or_default()
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_publisher_publishes_a_subscriber_subscribes_and_neither_does_the_others_part() {
    let station = start().await;
    let mut paul = over_tls(&station, &station.member("paul", "publisher").await).await;
    let mut sue = over_tls(&station, &station.member("sue", "subscriber").await).await;
    assert!(matches!(sue.subscribe("plant/#").await, SubscribeReasonCode::Success(_)));
    assert_eq!(paul.publish("plant/press", "sealed").await.0, PubAckReason::Success);
    assert_eq!(sue.message().await, "sealed");

    assert_eq!(paul.subscribe("plant/#").await, SubscribeReasonCode::NotAuthorized);
    assert_eq!(sue.subscribe("$SYS/#").await, SubscribeReasonCode::NotAuthorized);
    let (answer, why) = sue.publish("plant/press", "forged").await;
    assert_eq!(answer, PubAckReason::NotAuthorized);
    assert_eq!(why, "the role subscriber has no rule that lets it publish to plant/press");

    let (dir, _) = station.end().await;
    let path = dir.path().join("logs/station_audit.log");
    assert_eq!(audit::verify(&path, |_| None).unwrap().broken, None);
    let (lines, _) = audit::tail(&path, 1000).unwrap();
    let has = |account: &str, action: &str, outcome: &str| {
        lines.iter().any(|line| {
            let record = &line.record;
            record.account == account && record.action == action && record.outcome.contains(outcome)
        })
    };
    assert!(has("paul", "connect", "ok") && has("sue", "subscribe", "ok"));
    assert!(has("paul", "subscribe", "no rule") && has("sue", "publish", "no rule"));
}

#[tokio::test]
async fn only_an_accounts_own_mqtt_token_lets_it_in() {
    let station = start().await;
    let paul = station.member("paul", "publisher").await;
    let refused = async |login: Option<(&'static str, Confidential)>| {
        let login = login.as_ref().map(|(name, token)| (*name, token));
        connect(&station, "c", login, true).await.err()
    };
    let token = || paul.mqtt_token.clone();
    let bad = Some(ConnectReturnCode::BadUserNamePassword);
    assert_eq!(refused(Some(("paul", paul.api_token.clone()))).await, bad);
    assert_eq!(refused(Some(("paul", auth_key("paul")))).await, bad, "the password never travels here");
    assert_eq!(refused(Some(("root", token()))).await, bad);
    assert_eq!(refused(Some(("paul", "".into()))).await, bad);
    assert_eq!(refused(Some(("paul", "x".repeat(2000).into()))).await, bad);
    assert_eq!(refused(None).await, Some(ConnectReturnCode::NotAuthorized));
    assert_eq!(refused(Some(("Paul", token()))).await, None, "names have no case");
    station.pass(12 * HOUR);
    assert_eq!(refused(Some(("paul", token()))).await, bad, "the session has ended");
}

#[tokio::test]
async fn plain_mqtt_takes_devices_and_never_a_logins_token() {
    let station = start_with(|config| config.plain = Some("127.0.0.1:0".parse().unwrap())).await;
    let paul = station.member("paul", "publisher").await;
    let plain = async |login| connect(&station, "press", login, false).await;
    let refused = plain(Some(("paul", &paul.mqtt_token))).await.err();
    assert_eq!(refused, Some(ConnectReturnCode::NotAuthorized));
    assert_eq!(plain(None).await.err(), Some(ConnectReturnCode::NotAuthorized));

    let token = Some(&paul.api_token);
    let new = NewDevice { label: "press".into() };
    let made: DeviceCredential = station.ask("POST", "devices", token, new).await.unwrap();
    let another = plain(Some(("root", &made.password))).await.err();
    assert_eq!(
        another,
        Some(ConnectReturnCode::BadUserNamePassword),
        "a credential is good for its own name"
    );
    let login = Some((made.username.as_str(), &made.password));
    let mut device = plain(login).await.unwrap();
    assert_eq!(device.publish("plant/press", "21.5").await.0, PubAckReason::NoMatchingSubscribers);
    // A device outlives its maker's session, until it is revoked.
    station.ask::<()>("DELETE", "session", token, ()).await.unwrap();
    assert_eq!(device.publish("plant/press", "21.6").await.0, PubAckReason::NoMatchingSubscribers);
    let token = station.log_in("paul", None).await.unwrap().api_token;
    let path = format!("devices/{}", made.device.id);
    station.ask::<()>("DELETE", &path, Some(&token), ()).await.unwrap();
    assert_eq!(device.end().await, "this device's credential was revoked");
    assert_eq!(plain(login).await.err(), Some(ConnectReturnCode::BadUserNamePassword));
}

#[tokio::test]
async fn anonymous_clients_have_the_role_that_was_named_and_no_other() {
    let station = start_with(|config| {
        config.plain = Some("127.0.0.1:0".parse().unwrap());
        config.anonymous = Some("subscriber".into());
    })
    .await;
    let mut guest = connect(&station, "guest", None, false).await.unwrap();
    assert!(matches!(guest.subscribe("plant/#").await, SubscribeReasonCode::Success(_)));
    assert_eq!(guest.publish("plant/x", "no").await.0, PubAckReason::NotAuthorized);
    let named = connect(&station, "guest", Some(("nobody", &"x".into())), false).await;
    assert_eq!(named.err(), Some(ConnectReturnCode::BadUserNamePassword));
}

#[tokio::test]
async fn logging_out_a_changed_password_and_a_reset_end_what_is_connected_by_them() {
    let station = start().await;
    let (session, codes) = station.member_with_codes("paul", "publisher").await;
    let link = over_tls(&station, &session).await;
    station.ask::<()>("DELETE", "session", Some(&session.api_token), ()).await.unwrap();
    assert_eq!(link.end().await, "logged out");

    let kept = station.log_in("paul", codes.second()).await.unwrap();
    station.pass(30_000);
    let other = station.log_in("paul", codes.second()).await.unwrap();
    station.pass(30_000);
    let mut kept_link = over_tls(&station, &kept).await;
    let name = other.account.username.as_str();
    let other_link = connect(&station, "other", Some((name, &other.mqtt_token)), true).await.unwrap();
    let change = ChangePassword {
        old_auth_key: auth_key("paul"),
        new_auth_key: auth_key("new"),
        password_wrap: Blob(vec![1]),
    };
    station.ask::<()>("PUT", "password", Some(&kept.api_token), change).await.unwrap();
    assert!(other_link.end().await.contains("password was changed"));
    assert_eq!(kept_link.publish("t", "still there").await.0, PubAckReason::NoMatchingSubscribers);

    let reset = ResetByCode {
        username: "paul".parse().unwrap(),
        code: codes.now(),
        auth_key: auth_key("newer"),
        vault: new_vault("newer"),
        recovery: vec![],
    };
    station.post::<()>("reset/code", reset).await.unwrap();
    assert!(kept_link.end().await.contains("password was reset"));
}

#[tokio::test]
async fn a_changed_role_acts_at_once_on_live_connections() {
    let station = start().await;
    let root = *station.sign_up("root", "").await.unwrap().session.unwrap();
    let sue_session = station.member("sue", "subscriber").await;
    let (mut admin, mut sue) = (over_tls(&station, &root).await, over_tls(&station, &sue_session).await);
    sue.subscribe("plant/#").await;
    let set_role = async |role: &str| {
        let body = SetRole { role: role.to_owned() };
        station.ask::<()>("PUT", "accounts/sue/role", Some(&root.api_token), body).await.unwrap();
    };
    admin.publish("plant/x", "one").await;
    assert_eq!(sue.message().await, "one");
    set_role("publisher").await;
    admin.publish("plant/x", "two").await;
    assert_eq!(
        sue.publish("plant/y", "now I may").await.0,
        PubAckReason::NoMatchingSubscribers,
        "nor is given it"
    );
    set_role("subscriber").await;
    admin.publish("plant/x", "three").await;
    assert_eq!(sue.message().await, "three");
    assert_eq!(sue.publish("plant/y", "no more").await.0, PubAckReason::NotAuthorized);
}
