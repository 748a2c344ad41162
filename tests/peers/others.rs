//! Clients that others wrote, each over the ways in that it has: MQTT.js, rumqttc, mosquitto's at QoS 2.

use std::{
    path::Path,
    process::{Command as Process, Stdio},
    time::Duration,
};

use rumqttc::v5::mqttbytes as v5bytes;
use tokio::time::timeout;

use crate::{
    Scene, done, first_line,
    support::{PATIENCE, Station},
};

const NODE_MODULES: &str = "tests/peers/node_modules";

/// MQTT.js on one of a scene's ways in.
fn mqtt_js(scene: &Scene, url: &str, ca: &str) {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(
        home.join(NODE_MODULES).join("mqtt").is_dir(),
        "MQTT.js is not installed: `npm ci` in tests/peers does it, and `tests/run peers` does that"
    );
    let mut process = Process::new("node");
    process.arg(home.join("tests/peers/peer.mjs")).args([url, ca, &scene.user, &scene.token]);
    let said = done(&process.output().expect("node is installed"));
    assert_eq!(said.lines().collect::<Vec<_>>(), ["mqtt.js 3.1.1 ok", "mqtt.js 5.0 ok"]);
}

#[test]
fn mqtt_js_goes_round_in_both_versions_over_tcp() {
    let scene = Scene::with(&["--plain", "127.0.0.1:0"]);
    mqtt_js(&scene, &format!("mqtt://{}", scene.station.plain.as_deref().unwrap()), "-");
}

#[test]
fn mqtt_js_goes_round_in_both_versions_over_tls() {
    let scene = Scene::open();
    let url = format!("mqtts://localhost:{}", scene.port());
    mqtt_js(&scene, &url, scene.station.ca.to_str().unwrap());
}

#[test]
fn mqtt_js_goes_round_in_both_versions_over_web_sockets() {
    let scene = Scene::open();
    let port = scene.station.websocket_tls.as_deref().unwrap().rsplit(':').next().unwrap();
    mqtt_js(&scene, &format!("wss://localhost:{port}/mqtt"), scene.station.ca.to_str().unwrap());
}

/// Host and port of a station that lets everyone in.
fn open_house(folder: &Path) -> (Station, String, u16) {
    let station = Station::start(folder, &["--plain", "127.0.0.1:0", "--anonymous", "admin"]);
    let (host, port) = station.plain.as_deref().unwrap().rsplit_once(':').unwrap();
    let (host, port) = (host.to_owned(), port.parse().unwrap());
    (station, host, port)
}

#[tokio::test]
async fn rumqttc_goes_round_at_every_qos_in_3_1_1() {
    use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
    let folder = tempfile::tempdir().unwrap();
    let (_station, host, port) = open_house(folder.path());
    let mut options = MqttOptions::new("rumqttc", host, port);
    options.set_keep_alive(Duration::from_secs(30)).set_clean_session(false);
    let (client, mut events) = AsyncClient::new(options, 100);
    client.subscribe("r/#", QoS::ExactlyOnce).await.unwrap();
    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for number in 0..60usize {
        client.publish("r/x", levels[number % 3], false, number.to_string()).await.unwrap();
    }
    let (mut heard, mut completed) = (Vec::new(), 0);
    while heard.len() < 60 || completed < 20 {
        match timeout(PATIENCE, events.poll()).await.expect("something is missing").unwrap() {
            Event::Incoming(Packet::Publish(got)) => {
                let number: usize = std::str::from_utf8(&got.payload).unwrap().parse().unwrap();
                assert_eq!(got.qos, levels[number % 3]);
                heard.push(number);
            }
            Event::Incoming(Packet::PubComp(_)) => completed += 1,
            _ => {}
        }
    }
    assert_eq!(in_order_of_each_qos(&heard), (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn rumqttc_goes_round_at_every_qos_in_5() {
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    use v5bytes::{QoS, v5::Packet};
    let folder = tempfile::tempdir().unwrap();
    let (_station, host, port) = open_house(folder.path());
    let mut options = MqttOptions::new("rumqttc", host, port);
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = AsyncClient::new(options, 100);
    client.subscribe("r/#", QoS::ExactlyOnce).await.unwrap();
    let levels = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for number in 0..60usize {
        client.publish("r/x", levels[number % 3], false, number.to_string()).await.unwrap();
    }
    let (mut heard, mut completed) = (Vec::new(), 0);
    while heard.len() < 60 || completed < 20 {
        match timeout(PATIENCE, events.poll()).await.expect("something is missing").unwrap() {
            Event::Incoming(Packet::Publish(got)) => {
                let number: usize = std::str::from_utf8(&got.payload).unwrap().parse().unwrap();
                assert_eq!(got.qos, levels[number % 3]);
                heard.push(number);
            }
            Event::Incoming(Packet::PubComp(_)) => completed += 1,
            _ => {}
        }
    }
    assert_eq!(in_order_of_each_qos(&heard), (0..60).collect::<Vec<_>>());
}

/// All of them, sorted, if those of each QoS came in order: between QoS there is none.
fn in_order_of_each_qos(heard: &[usize]) -> Vec<usize> {
    for qos in 0..3 {
        let of_one: Vec<_> = heard.iter().filter(|number| *number % 3 == qos).collect();
        assert!(of_one.is_sorted(), "QoS {qos}: {of_one:?}");
    }
    let mut all = heard.to_vec();
    all.sort_unstable();
    all
}

#[test]
fn mosquitto_clients_are_given_qos_2_once_also_what_came_while_they_were_away() {
    let scene = Scene::open();
    for version in ["311", "5"] {
        let topic = format!("exactly/{version}");
        let run = |program: &str, more: &[&str]| {
            let all = [&["-t", &topic, "-q", "2"], more].concat();
            scene.mosquitto(program, &scene.user, &scene.token, version, &all)
        };
        // -E: leaves once it is subscribed; -c: to a session that stays.
        let stays = ["-c", "-i", &format!("stays-{version}"), "-x", "3600"];
        let stays = if version == "5" { &stays[..] } else { &stays[..3] };
        done(&run("mosquitto_sub", &[stays, &["-E"]].concat()).output().unwrap());
        for number in 0..5 {
            done(&run("mosquitto_pub", &["-m", &number.to_string()]).output().unwrap());
        }
        let options = [stays, &["-C", "5", "-W", "30", "-F", "%q %p"]].concat();
        let heard = done(&run("mosquitto_sub", &options).output().unwrap());
        assert_eq!(heard.lines().collect::<Vec<_>>(), ["2 0", "2 1", "2 2", "2 3", "2 4"], "{version}");
    }
}

#[test]
fn mosquittos_user_properties_arrive() {
    let scene = Scene::open();
    let publish = ["-t", "props", "-m", "x", "-q", "2", "-r"];
    let properties = [
        ["-D", "publish", "user-property", "unit", "celsius"].as_slice(),
        &["-D", "publish", "user-property", "unit", "kelvin"],
        &["-D", "publish", "content-type", "text/plain"],
        &["-D", "publish", "response-topic", "answers"],
    ];
    let options = [&publish[..], &properties.concat()].concat();
    done(&scene.mosquitto("mosquitto_pub", &scene.user, &scene.token, "5", &options).output().unwrap());
    let options = ["-t", "props", "-q", "2", "-C", "1", "-W", "30", "-F", "%P|%C|%R|%r"];
    let heard =
        done(&scene.mosquitto("mosquitto_sub", &scene.user, &scene.token, "5", &options).output().unwrap());
    assert_eq!(heard.trim(), "unit:celsius unit:kelvin|text/plain|answers|1");
}

#[test]
fn the_will_of_a_mosquitto_client_that_is_killed_is_published() {
    let scene = Scene::open();
    for version in ["311", "5"] {
        let topic = format!("wills/{version}");
        // Retained, so that it is told it is in.
        let options = ["-t", "ready", "-m", "in", "-q", "1", "-r"];
        done(
            &scene.mosquitto("mosquitto_pub", &scene.user, &scene.token, version, &options).output().unwrap(),
        );
        let options = ["-t", "ready", "-q", "1", "--will-topic", &topic, "--will-payload", "gone"];
        let options = [&options[..], &["--will-qos", "2", "--will-retain"]].concat();
        let mut mortal = scene.mosquitto("mosquitto_sub", &scene.user, &scene.token, version, &options);
        let mut mortal = mortal.stderr(Stdio::null()).spawn().unwrap();
        assert_eq!(first_line(&mut mortal).0, "in");
        mortal.kill().unwrap();
        mortal.wait().unwrap();
        // Retained: whoever comes later hears it too.
        let options = ["-t", &topic, "-q", "2", "-C", "1", "-W", "30", "-F", "%q %p"];
        let heard = scene.mosquitto("mosquitto_sub", &scene.user, &scene.token, version, &options);
        assert_eq!(done(&{ heard }.output().unwrap()).trim(), "2 gone", "{version}");
    }
}
