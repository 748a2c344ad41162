//! The connection that a session has now, and how a copy of a message gets into its buffer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::BytesMut;

use super::super::{
    aliases::{Alias, Aliases},
    control::Control,
    figures::Count,
    message::{Form, Message},
};

/// The connection that a session has now.
#[derive(Debug)]
pub(in super::super) struct Link {
    pub(in super::super) control: Arc<Control>,
    pub(in super::super) v5: bool,
    /// QoS 1 and 2 messages that the client takes at once before it settles them.
    pub(in super::super) window: usize,
    /// Largest packet the client takes.
    pub(in super::super) max_packet: usize,
    /// None where the client takes none.
    pub(in super::super) aliases: Option<Aliases>,
    /// Encoded, not yet taken by the writer.
    pub(in super::super) buffer: BytesMut,
    /// Publishers do not wait for it until then.
    pub(super) slow_until: Option<Instant>,
    /// How long it counted as slow the last time.
    pub(super) slow_for: Duration,
    /// It acknowledged nothing for so long that publishers wait no more.
    pub(super) stuck: bool,
    pub(super) last_ack: Instant,
    /// QoS 0 messages lost since the writer last looked.
    pub(super) dropped: u64,
    /// What was put into the buffer since the writer last looked.
    pub(super) sent: Count,
    /// Nothing leaves the queues while the authority is asked about them again.
    pub(super) held: bool,
}

impl Link {
    pub(in super::super) fn new(
        control: Arc<Control>,
        v5: bool,
        window: usize,
        max_packet: usize,
        buffer: BytesMut,
    ) -> Self {
        Self {
            control,
            v5,
            window: window.max(1),
            max_packet,
            aliases: None,
            buffer,
            slow_until: None,
            slow_for: Duration::ZERO,
            stuck: false,
            last_ack: Instant::now(),
            dropped: 0,
            sent: Count::default(),
            held: true,
        }
    }
}

pub(super) fn form<'a>(
    link: &Link,
    qos: u8,
    retain: bool,
    dup: bool,
    packet_id: u16,
    ids: &'a Arc<[u32]>,
) -> Form<'a> {
    Form {
        v5: link.v5,
        qos,
        retain,
        dup,
        packet_id,
        subscription_ids: ids,
        max_packet: link.max_packet,
        alias: Alias::None,
    }
}

/// Appends one copy to the connection's buffer; false where it exceeds what the client takes.
pub(super) fn put(link: &mut Link, message: &Message, form: Form<'_>) -> bool {
    if let Some(aliases) = &mut link.aliases {
        let alias = aliases.of(&message.topic);
        if message.append(Form { alias, ..form }, &mut link.buffer) {
            aliases.set(&message.topic, alias);
            return true;
        }
        // What makes an alias known takes a few bytes.
        return matches!(alias, Alias::New(_)) && message.append(form, &mut link.buffer);
    }
    message.append(form, &mut link.buffer)
}
