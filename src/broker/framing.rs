//! Checks of whole packets that `rmqtt-codec` leaves out: what stands after their end, and bits and values that are
//! reserved. Looks at bytes only, from the first of a packet; an incomplete packet passes until it is complete.
//!
//! Start at [`check_connect`] and [`check`].

use std::borrow::Cow;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    /// MQTT 5: 0x81.
    #[error("{0}")]
    Malformed(Cow<'static, str>),
    /// MQTT 5: 0x82.
    #[error("{0}")]
    Protocol(Cow<'static, str>),
}

const fn malformed(text: &'static str) -> Breach {
    Breach::Malformed(Cow::Borrowed(text))
}

const fn protocol(text: &'static str) -> Breach {
    Breach::Protocol(Cow::Borrowed(text))
}

const CUT_OFF: Breach = malformed("a field goes beyond the end of its packet");

/// What is left to be read of a packet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Breach> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Breach> {
        Ok(self.bytes(1)?[0])
    }

    fn short(&mut self) -> Result<u16, Breach> {
        let bytes = self.bytes(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn long(&mut self) -> Result<u32, Breach> {
        Ok(u32::from(self.short()?) << 16 | u32::from(self.short()?))
    }

    /// Length and bytes; of strings too.
    fn field(&mut self) -> Result<&'a [u8], Breach> {
        let length = self.short()?;
        self.bytes(length.into())
    }

    fn varint(&mut self) -> Result<usize, Breach> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(malformed("a length of more than four bytes"))
    }

    fn properties(&mut self) -> Result<Rest<'a>, Breach> {
        let length = self.varint()?;
        self.bytes(length).map(Rest)
    }
}

/// First byte and body of the packet at the beginning of the buffer, if it is complete.
fn packet(buffer: &[u8]) -> Option<(u8, &[u8])> {
    let mut rest = Rest(buffer);
    let first = rest.byte().ok()?;
    let length = rest.varint().ok()?;
    Some((first, rest.bytes(length).ok()?))
}

/// Whether more must come before a packet can be looked at. Not of one that is too long anyway.
pub(super) fn is_incomplete(buffer: &[u8], max: u32) -> bool {
    let mut rest = Rest(buffer);
    if rest.byte().is_err() {
        return true;
    }
    match rest.varint() {
        Ok(length) => length <= max as usize && rest.0.len() < length,
        Err(_) => buffer.len() < 5,
    }
}

/// Looks at a CONNECT.
///
/// # Errors
/// Where it says what a CONNECT cannot say.
pub(super) fn check_connect(buffer: &[u8]) -> Result<(), Breach> {
    let Some((0x10, body)) = packet(buffer) else { return Ok(()) };
    let mut rest = Rest(body);
    rest.field()?;
    let (level, flags) = (rest.byte()?, rest.byte()?);
    rest.short()?;
    let (has_will, will_bits) = (flags & 0x04 != 0, flags & 0x38);
    if !has_will && will_bits != 0 {
        return Err(malformed("will QoS or will retain without a will")); // MQTT-3.1.2-11, -13
    }
    if level == 5 {
        connect_properties(rest.properties()?)?;
    }
    rest.field()?;
    if has_will {
        if level == 5 {
            rest.properties()?;
        }
        rest.field()?;
        rest.field()?;
    }
    if flags & 0x80 != 0 && rest.field()?.contains(&0) {
        return Err(malformed("U+0000 in the username")); // MQTT-1.5.4-2
    }
    if flags & 0x40 != 0 {
        rest.field()?;
    }
    if rest.0.is_empty() { Ok(()) } else { Err(malformed("something stands after the end of CONNECT")) }
}

/// What the codec calls malformed and the standard a protocol error.
fn connect_properties(mut rest: Rest<'_>) -> Result<(), Breach> {
    let mut seen = 0u64;
    while let Ok(id) = rest.byte() {
        let bit = 1u64.checked_shl(id.into()).filter(|_| id != 0x26).unwrap_or(0);
        if seen & bit != 0 {
            return Err(protocol("a property comes twice"));
        }
        seen |= bit;
        match id {
            0x11 => drop(rest.long()?),
            0x15 | 0x16 => drop(rest.field()?),
            0x17 | 0x19 if rest.byte()? > 1 => return Err(protocol("a yes or no that is neither 0 nor 1")),
            0x21 if rest.short()? == 0 => return Err(protocol("a Receive Maximum of 0")),
            0x27 if rest.long()? == 0 => return Err(protocol("a Maximum Packet Size of 0")),
            0x17 | 0x19 | 0x21 | 0x27 => {}
            0x22 => drop(rest.short()?),
            0x26 => drop((rest.field()?, rest.field()?)),
            // The codec refuses what it does not know.
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Looks at a packet after CONNECT that is no PUBLISH.
///
/// # Errors
/// Where it has more than belongs to it.
pub(super) fn check(buffer: &[u8], v5: bool) -> Result<(), Breach> {
    match packet(buffer) {
        Some((0xC0, body)) if !body.is_empty() => Err(malformed("a PINGREQ with something in it")),
        Some((0xE0, body)) if !v5 && !body.is_empty() => Err(malformed("a DISCONNECT with something in it")),
        Some((0x82, body)) if !v5 => {
            let mut rest = Rest(body);
            rest.short()?;
            while !rest.0.is_empty() {
                rest.field()?;
                if rest.byte()? > 2 {
                    return Err(malformed("reserved bits beside a QoS, or QoS 3")); // MQTT-3.8.3-4 of 3.1.1
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
