//! The publisher: envelopes sealed beforehand, written as MQTT 3.1.1 at a steady rate.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use sealwire::{keys::TopicKey, seal::Kind, seal::Plain, topic::TopicName};

/// PUBLISH packets, each a reading of 64 bytes.
pub fn seal(key: &TopicKey, count: usize, topics: usize, qos: u8) -> Vec<Vec<u8>> {
    let mut sealer = key.sealer(*b"bench of watch 1");
    let names: Vec<_> =
        (0..topics).map(|n| TopicName::new(format!("plant/line-{}/sensor-{n}", n % 5)).unwrap()).collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    (0..count)
        .map(|n| {
            let x = (n as f64 / 700.0).sin() * 9.0 + 62.0;
            let body =
                format!("{{\"celsius\":{x:.3},\"seq\":{n:08},\"state\":\"RUNNING\",\"line\":{:>9}}}", n % 5);
            let kind = Kind { retained: false, will: false };
            let topic = &names[n % topics];
            let plain = Plain { kind, content_type: Some("application/json"), body: &body.as_bytes()[..64] };
            let sealed = sealer.seal(topic, &plain, now).unwrap().into_bytes();
            packet(topic.as_str(), &sealed, qos, (n % 60_000) as u16 + 1)
        })
        .collect()
}

fn packet(topic: &str, payload: &[u8], qos: u8, id: u16) -> Vec<u8> {
    let mut rest = Vec::new();
    rest.extend((topic.len() as u16).to_be_bytes());
    rest.extend(topic.as_bytes());
    if qos > 0 {
        rest.extend(id.to_be_bytes());
    }
    rest.extend(payload);
    let mut packet = vec![0x30 | qos << 1];
    let mut length = rest.len();
    loop {
        let more = if length > 127 { 0x80 } else { 0 };
        packet.push((length % 128) as u8 | more);
        length /= 128;
        if length == 0 {
            break;
        }
    }
    packet.extend(rest);
    packet
}

/// Sends them, `rate` a second, and says how long that took. At QoS 1 until all are acknowledged.
pub fn send(address: &str, packets: &[Vec<u8>], rate: usize, qos: u8) -> Duration {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(b"\x10\x11\0\x04MQTT\x04\x02\0\0\0\x05burst").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    let mut answers = stream.try_clone().unwrap();
    let wanted = if qos > 0 { packets.len() * 4 } else { 0 };
    let acknowledged = std::thread::spawn(move || {
        let (mut got, mut buffer) = (0, vec![0; 1 << 16]);
        while got < wanted {
            got += answers.read(&mut buffer).unwrap();
        }
    });
    let begun = Instant::now();
    let piece = (rate / 100).max(1);
    for (at, packets) in packets.chunks(piece).enumerate() {
        let due = begun + Duration::from_secs_f64((at * piece) as f64 / rate as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        stream.write_all(&packets.concat()).unwrap();
    }
    acknowledged.join().unwrap();
    let took = begun.elapsed();
    stream.write_all(b"\xe0\0").unwrap();
    took
}
