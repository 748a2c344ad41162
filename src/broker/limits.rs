//! What a broker gives out at most. Every queue, table and wait of the core is bounded by a number of this page.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The bounds of one [`super::Broker`]. The defaults suit a station for some thousands of clients; change single
/// fields with `Limits { max_connections: 50, ..Limits::default() }`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest packet after CONNECT, from its first byte to its last. Default: 1 MiB of payload and 65 KiB for topic
    /// and properties. Told to MQTT 5 clients as Maximum Packet Size.
    pub max_packet_bytes: u32,
    /// Largest CONNECT, counted alike, and so the most an unknown peer can make us keep. Default 16 KiB.
    pub max_connect_bytes: u32,
    /// From accept to a complete CONNECT, TLS included. Default 10 s.
    pub handshake_timeout: Duration,
    /// How long the authority may think about a CONNECT before it counts as unavailable. Default 30 s.
    pub authority_timeout: Duration,
    /// A connection that takes no byte for this long is ended. Default 30 s.
    pub write_timeout: Duration,
    /// How long `shutdown` waits for connections to say goodbye. Default 5 s.
    pub shutdown_timeout: Duration,
    /// Connections past CONNECT. The next one is told "server busy". Default 10,000.
    pub max_connections: usize,
    /// Connections of one address (IPv6: of one network of 64 bits), whatever they have said. The next one is closed
    /// unheard. Default 1,000.
    pub max_connections_per_address: usize,
    /// New connections per second and address. The next one is closed unheard. Default 200; 0 is no bound.
    pub connects_per_second_per_address: u32,
    /// New connections per second in all. Beyond it the listeners rest, and the next ones wait in the system's queue.
    /// Default 10,000; 0 is no bound.
    pub connects_per_second: u32,
    /// Whether this computer's own address is free of the bounds per address: all its programs share it, and so do
    /// all clients behind a proxy on it. Default true.
    pub spare_loopback: bool,
    /// PUBLISH packets per second and connection. Who sends more is read more slowly: nothing is dropped. Default 0,
    /// no bound.
    pub publishes_per_second: u32,
    /// Connections before the answer to their CONNECT. The next one is closed unheard. Default 1,000.
    pub max_pending_handshakes: usize,
    /// Sessions, connected or away. Default 100,000.
    pub max_sessions: usize,
    /// Longest client id, in bytes. Default 512.
    pub max_client_id_bytes: usize,
    /// Filters that one session may subscribe to. Default 1,000.
    pub max_subscriptions_per_session: usize,
    /// Levels of a topic name or filter; bounds the depth of the subscription tree. Default 64.
    pub max_topic_levels: usize,
    /// QoS 1 and 2 messages sent to one client and not yet settled, and what MQTT 5 clients may have unacknowledged
    /// towards us (Receive Maximum). A client can ask for less. Default 1,000.
    pub max_inflight: u16,
    /// Messages that wait for one session. Publishers are slowed down from half of it. A connected
    /// client whose queue is full all the same, because it acknowledges nothing or floods itself, is disconnected
    /// (MQTT 5: 0x97); while a client is away, what exceeds the queue is lost and counted. Default 10,000.
    pub queue_messages: usize,
    /// The same in bytes of topic, payload and properties. Default 16 MiB.
    pub queue_bytes: usize,
    /// Encoded bytes that wait for one connection's socket before it counts as behind. Default 1 MiB; twice that is
    /// never exceeded by QoS 0.
    pub send_buffer_bytes: usize,
    /// What all queues together may take, in the same bytes; a message in two queues counts twice. Beyond it every
    /// queue counts as full, those of clients that are away from three quarters of it. Default 1 GiB.
    pub queue_bytes_total: usize,
    /// How long a publisher waits for a connection whose send buffer is full, before that one counts as slow and
    /// loses QoS 0 messages. Default 200 ms.
    pub reader_patience: Duration,
    /// How long a connection counts as slow at most; publishers do not wait for it meanwhile. The first time it is a
    /// sixteenth of this, and twice as long whenever it was slow again. Default 5 s.
    pub slow_period: Duration,
    /// How long a publisher waits for a session whose queue is half full and which acknowledges nothing.
    /// Default 5 s.
    pub ack_patience: Duration,
    /// The longest that a session outlives its connection, in seconds, whatever a client asks for; what MQTT 3.1.1
    /// clients get for clean session 0. Default 7 days.
    pub max_session_expiry_secs: u32,
    /// The longest keep-alive, in seconds: an MQTT 5 client that promises a longer one, or none, is told to keep to
    /// this. Default 65,535, which is no limit.
    pub max_keep_alive_secs: u16,
    /// How long wills whose connections ended with the process wait after the next start, for their clients to come
    /// back and for others to be there who hear them. Default 5 s.
    pub will_grace: Duration,
    /// Retained messages. Default 100,000.
    pub max_retained_messages: usize,
    /// Bytes of topic, payload and properties in retained messages. Default 256 MiB.
    pub max_retained_bytes: usize,
    /// Topic aliases that an MQTT 5 client may set, and that we set towards one that takes them. Default 16.
    pub max_topic_aliases: u16,
    /// How often the broker's figures are published under `$SYS`; zero turns them off. Default 10 s.
    pub sys_interval: Duration,
    /// Topics whose verdict and subscribers each connection remembers. Default 1,024.
    pub route_cache_topics: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_packet_bytes: (MIB + 65 * KIB) as u32,
            max_connect_bytes: (16 * KIB) as u32,
            handshake_timeout: Duration::from_secs(10),
            authority_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            shutdown_timeout: Duration::from_secs(5),
            max_connections: 10_000,
            max_connections_per_address: 1_000,
            connects_per_second_per_address: 200,
            connects_per_second: 10_000,
            spare_loopback: true,
            publishes_per_second: 0,
            max_pending_handshakes: 1_000,
            max_sessions: 100_000,
            max_client_id_bytes: 512,
            max_subscriptions_per_session: 1_000,
            max_topic_levels: 64,
            max_inflight: 1_000,
            queue_messages: 10_000,
            queue_bytes: 16 * MIB,
            queue_bytes_total: 1024 * MIB,
            send_buffer_bytes: MIB,
            reader_patience: Duration::from_millis(200),
            slow_period: Duration::from_secs(5),
            ack_patience: Duration::from_secs(5),
            max_session_expiry_secs: 7 * 24 * 3600,
            max_keep_alive_secs: u16::MAX,
            will_grace: Duration::from_secs(5),
            max_retained_messages: 100_000,
            max_retained_bytes: 256 * MIB,
            max_topic_aliases: 16,
            sys_interval: Duration::from_secs(10),
            route_cache_topics: 1_024,
        }
    }
}
