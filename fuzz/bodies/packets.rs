//! Arbitrary bytes into one connection: as its first packet, or after a valid CONNECT of each version. Whatever they
//! are, the broker ends that connection and no other, and everything that it writes parses.
//!
//! The first byte says what comes before the bytes, the second in which pieces they come.

use std::sync::Arc;

use sealwire::broker::{Forgetful, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{
    wire::{Packet, Reader},
    world,
};

/// Client "a", keep-alive 0.
const CONNECTS: [(u8, &[u8]); 5] = [
    (3, b"\x10\x0f\0\x06MQIsdp\x03\x02\0\0\0\x01a"),
    (4, b"\x10\x0d\0\x04MQTT\x04\x02\0\0\0\x01a"),
    (5, b"\x10\x0e\0\x04MQTT\x05\x02\0\0\0\0\x01a"),
    // Session Expiry 60, Receive Maximum 2, Maximum Packet Size 64, Topic Alias Maximum 2; a will at QoS 2, retained.
    (5, b"\x10\x28\0\x04MQTT\x05\x34\0\0\x10\x11\0\0\0\x3c\x21\0\x02\x27\0\0\0\x40\x22\0\x02\0\x01a\0\0\x01w\0\x04will"),
    // A session that stays, and a will at QoS 1.
    (4, b"\x10\x14\0\x04MQTT\x04\x0c\0\0\0\x01a\0\x01w\0\x02hi"),
];
const ALIASES: u16 = 2;

/// One case.
pub fn run(data: &[u8]) {
    let Some(([kind, pieces], bytes)) = data.split_first_chunk() else { return };
    let connect = CONNECTS.get(usize::from(kind % 6));
    let piece = usize::from(*pieces) + 1;
    world::run(async {
        let limits = Limits {
            queue_messages: 50,
            queue_bytes: 64 * 1024,
            max_inflight: 10,
            max_retained_messages: 20,
            max_subscriptions_per_session: 20,
            max_topic_aliases: 4,
            ..Limits::default()
        };
        let broker = world::broker(limits, Arc::new(Forgetful)).await;
        // Hears all there is to hear, in the other layout.
        let mut witness = Witness::new(world::dial_as_witness(&broker)).await;

        // In any version where nothing was said of it; a server may answer in its own then.
        let (version, first) = connect.copied().unwrap_or_else(|| (spoken(bytes), &[]));
        let (mut from, mut to) = tokio::io::split(world::dial(&broker));
        let writing = async {
            // It may close the connection at any byte.
            let _ = to.write_all(first).await;
            for piece in bytes.chunks(piece) {
                if to.write_all(piece).await.is_err() {
                    break;
                }
                if pieces % 2 == 1 {
                    tokio::task::yield_now().await;
                }
            }
            let _ = to.shutdown().await;
        };
        let reading = async {
            // A CONNECT among the bytes may ask for as many as it likes.
            let aliases = if first.is_empty() { 4 } else { ALIASES };
            let (mut reader, mut chunk) = (Reader::new(version, aliases), [0; 4096]);
            let mut begun = false;
            while let Ok(read) = from.read(&mut chunk).await {
                if read == 0 {
                    break;
                }
                reader.add(&chunk[..read]);
                while let Some(packet) = reader.next() {
                    let is_answer = matches!(packet, Packet::ConnAck { .. });
                    assert_eq!(is_answer, !begun, "CONNACK comes first, and once: {packet:?}");
                    begun = true;
                }
            }
            assert!(reader.is_empty(), "half a packet");
            assert!(begun || first.is_empty(), "a valid CONNECT is not answered");
        };
        tokio::join!(writing, witness.listen_while(reading));
        witness.ping().await;
        broker.shutdown().await;
    });
}

/// The version that a CONNECT at the start of these bytes names, if it is one.
fn spoken(bytes: &[u8]) -> u8 {
    let body = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0).map_or(0, |at| at + 2);
    let body = bytes.get(body..).unwrap_or_default();
    match body {
        [0, 4, b'M', b'Q', b'T', b'T', 5, ..] => 5,
        [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', 3, ..] => 3,
        _ => 4,
    }
}

/// Subscribed to everything at QoS 2, in MQTT 5.
struct Witness {
    stream: DuplexStream,
    reader: Reader,
}

impl Witness {
    async fn new(mut stream: DuplexStream) -> Self {
        let mut reader = Reader::new(5, 0);
        stream.write_all(b"\x10\x10\0\x04MQTT\x05\x02\0\0\0\0\x03-w-").await.expect("a stream");
        // No retained messages from before, as there are none; as published.
        stream.write_all(b"\x82\x07\0\x01\0\0\x01#\x0A").await.expect("a stream");
        let mut heard = Vec::new();
        while heard.len() < 2 {
            heard.extend(read(&mut stream, &mut reader).await);
        }
        assert_eq!(heard[0], Packet::ConnAck { present: false, code: 0 });
        assert_eq!(heard[1], Packet::SubAck { id: 1, codes: vec![2] });
        Self { stream, reader }
    }

    /// Takes what comes until the other is done.
    async fn listen_while(&mut self, other: impl Future<Output = ()>) {
        let mut other = std::pin::pin!(other);
        loop {
            let packets = tokio::select! {
                () = &mut other => return,
                packets = read(&mut self.stream, &mut self.reader) => packets,
            };
            for packet in packets {
                self.answer(&packet).await;
            }
        }
    }

    async fn answer(&mut self, packet: &Packet) {
        let (kind, id) = match packet {
            Packet::Publish { qos: 0, .. } => return,
            Packet::Publish { qos: 1, id, .. } => (0x40, id),
            Packet::Publish { id, .. } => (0x50, id),
            Packet::PubRel { id, .. } => (0x70, id),
            other => panic!("the witness is told {other:?}"),
        };
        let [high, low] = id.to_be_bytes();
        self.stream.write_all(&[kind, 2, high, low]).await.expect("the witness is cut off");
    }

    /// The broker serves the others as before.
    async fn ping(&mut self) {
        self.stream.write_all(&[0xC0, 0]).await.expect("the witness is cut off");
        loop {
            for packet in read(&mut self.stream, &mut self.reader).await {
                if packet == Packet::Pong {
                    return;
                }
                self.answer(&packet).await;
            }
        }
    }
}

async fn read(stream: &mut DuplexStream, reader: &mut Reader) -> Vec<Packet> {
    let mut chunk = [0; 4096];
    let read = stream.read(&mut chunk).await.expect("the witness is cut off");
    assert!(read > 0, "the witness is cut off");
    reader.add(&chunk[..read]);
    std::iter::from_fn(|| reader.next()).collect()
}
