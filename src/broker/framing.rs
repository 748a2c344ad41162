//! Checks of whole packets that `rmqtt-codec` leaves out: what stands after their end, bits and values that are
//! reserved, U+0000 and lengths of more bytes than they need. What is allowed and the codec does not take is changed so
//! that it does. Looks at bytes only, those of one complete packet.
//!
//! Not for the packets that [`super::lean`] recognizes. Start at [`check_connect`] and [`check`].

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
    /// MQTT 5: 0x94.
    #[error("{0}")]
    TopicAlias(Cow<'static, str>),
}

const fn malformed(text: &'static str) -> Breach {
    Breach::Malformed(Cow::Borrowed(text))
}

const fn protocol(text: &'static str) -> Breach {
    Breach::Protocol(Cow::Borrowed(text))
}

const CUT_OFF: Breach = malformed("a field goes beyond the end of its packet");
const NULL: Breach = malformed("U+0000 in a string"); // MQTT-1.5.4-2

/// What is left to be read of a packet, or of a list in it.
struct Rest<'a> {
    packet: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Rest<'a> {
    fn of(packet: &'a [u8], at: usize) -> Self {
        Self { packet, at, end: packet.len() }
    }

    fn len(&self) -> usize {
        self.end.saturating_sub(self.at)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Breach> {
        let end = self.at + count;
        let taken = self.packet.get(self.at..end).filter(|_| end <= self.end).ok_or(CUT_OFF)?;
        self.at = end;
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

    /// That it is UTF-8 is looked at by the codec.
    fn text(&mut self) -> Result<(), Breach> {
        if self.field()?.contains(&0) { Err(NULL) } else { Ok(()) }
    }

    fn varint(&mut self) -> Result<usize, Breach> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            value |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                if byte == 0 && shift > 0 {
                    return Err(malformed("a length or number of more bytes than it needs")); // MQTT-1.5.5-1
                }
                return Ok(value);
            }
        }
        Err(malformed("a length or number of more than four bytes"))
    }

    /// A list of properties, whichever packet it is in; where a Message Expiry Interval of 0 stands in it. What is
    /// unknown, in a wrong packet or no UTF-8 is left to the codec, which calls it malformed as the standard does.
    fn properties(&mut self) -> Result<Option<usize>, Breach> {
        let length = self.varint()?;
        let mut list = Rest { end: self.at + length, ..*self };
        self.bytes(length)?;
        let (mut seen, mut zero_expiry) = (0u64, None);
        while !list.is_empty() {
            let id = list.byte()?;
            let bit = 1u64.checked_shl(id.into()).filter(|_| id != USER_PROPERTY).unwrap_or(0);
            if seen & bit != 0 {
                return Err(protocol("a property comes twice"));
            }
            seen |= bit;
            match id {
                0x01 => drop(list.byte()?),
                0x02 => {
                    let at = list.at;
                    if list.long()? == 0 {
                        zero_expiry = Some(at);
                    }
                }
                0x03 | 0x08 | 0x15 | 0x1C | 0x1F => list.text()?,
                0x09 | 0x16 => drop(list.field()?),
                0x0B if list.varint()? == 0 => return Err(protocol("a Subscription Identifier of 0")),
                0x11 | 0x18 => drop(list.long()?),
                0x17 | 0x19 if list.byte()? > 1 => {
                    return Err(protocol("a yes or no that is neither 0 nor 1"));
                }
                0x21 if list.short()? == 0 => return Err(protocol("a Receive Maximum of 0")),
                0x22 => drop(list.short()?),
                // MQTT-3.3.2-8.
                0x23 if list.short()? == 0 => return Err(Breach::TopicAlias("a Topic Alias of 0".into())),
                USER_PROPERTY => {
                    list.text()?;
                    list.text()?;
                }
                0x27 if list.long()? == 0 => return Err(protocol("a Maximum Packet Size of 0")),
                0x0B | 0x17 | 0x19 | 0x21 | 0x23 | 0x27 => {}
                _ => return Ok(zero_expiry),
            }
        }
        Ok(zero_expiry)
    }
}

const USER_PROPERTY: u8 = 0x26;

const USERNAME: u8 = 0x80;
const PASSWORD: u8 = 0x40;
const WILL: u8 = 0x04;
const CLEAN_START: u8 = 0x02;

/// Looks at a CONNECT whose fixed header has this length. True where the will has a Message Expiry Interval of 0, which
/// is then 1 here, because the codec takes no other.
///
/// # Errors
/// Where it says what a CONNECT cannot say.
pub(super) fn check_connect(packet: &mut [u8], header: usize) -> Result<bool, Breach> {
    if packet.first() != Some(&0x10) {
        return Ok(false);
    }
    let mut rest = Rest::of(packet, header);
    rest.field()?;
    let level = rest.byte()?;
    let flags_at = rest.at;
    let mut flags = rest.byte()?;
    rest.short()?;
    if flags & WILL == 0 && flags & 0x38 != 0 {
        return Err(malformed("will QoS or will retain without a will")); // MQTT-3.1.2-11, -13
    }
    if level == 5 {
        rest.properties()?;
    }
    if rest.field()?.is_empty() && level == 5 {
        // There is no session of a client id that is yet to be assigned, so this means the same; the codec knows
        // nothing of MQTT 5 here (MQTT-3.1.3-6).
        flags |= CLEAN_START;
    }
    let mut zero_expiry = None;
    if flags & WILL != 0 {
        if level == 5 {
            zero_expiry = rest.properties()?;
        }
        rest.field()?;
        rest.field()?;
    }
    // MQTT 3.1 lets both be missing although their flags are set.
    if level == 3 && rest.is_empty() {
        flags &= !(USERNAME | PASSWORD);
    }
    if flags & USERNAME != 0 {
        rest.text()?;
    }
    if level == 3 && rest.is_empty() {
        flags &= !PASSWORD;
    }
    if flags & PASSWORD != 0 {
        rest.field()?;
    }
    if !rest.is_empty() {
        return Err(malformed("something stands after the end of CONNECT"));
    }
    packet[flags_at] = flags;
    Ok(lift(packet, zero_expiry))
}

/// From 0 to 1.
fn lift(packet: &mut [u8], zero_expiry: Option<usize>) -> bool {
    let lowest = zero_expiry.and_then(|at| packet.get_mut(at + 3));
    lowest.map(|lowest| *lowest = 1).is_some()
}

/// Looks at a packet after CONNECT whose fixed header has this length. True where it has a Message Expiry Interval of 0,
/// which is then 1 here, because the codec takes no other.
///
/// # Errors
/// Where it has more than belongs to it, or something that does not.
pub(super) fn check(packet: &mut [u8], header: usize, v5: bool) -> Result<bool, Breach> {
    let first = packet.first().copied().unwrap_or(0);
    let mut rest = Rest::of(packet, header);
    let mut zero_expiry = None;
    match first {
        0xC0 if !rest.is_empty() => return Err(malformed("a PINGREQ with something in it")),
        0xE0 if !v5 && !rest.is_empty() => return Err(malformed("a DISCONNECT with something in it")),
        0x82 if !v5 => {
            rest.short()?;
            while !rest.is_empty() {
                rest.field()?;
                if rest.byte()? > 2 {
                    return Err(malformed("reserved bits beside a QoS, or QoS 3")); // MQTT-3.8.3-4 of 3.1.1
                }
            }
        }
        _ if !v5 => {}
        0x30..=0x3F => {
            rest.field()?;
            if first & 0x06 != 0 {
                rest.short()?;
            }
            zero_expiry = rest.properties()?;
        }
        0x40 | 0x50 | 0x62 | 0x70 if rest.len() > 3 => {
            rest.bytes(3)?;
            rest.properties()?;
        }
        0x82 | 0xA2 => {
            rest.short()?;
            rest.properties()?;
        }
        0xE0 if rest.len() > 1 => {
            rest.byte()?;
            rest.properties()?;
        }
        _ => {}
    }
    Ok(lift(packet, zero_expiry))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_and_what_it_changes_passes_again_unchanged(
            first in prop_oneof![Just(0x10u8), Just(0x30), Just(0x32), Just(0x82), Just(0xE0), any::<u8>()],
            mut body in prop::collection::vec(prop_oneof![Just(0u8), 1..5u8, Just(0x26), any::<u8>()], 0..60), v5: bool,
        ) {
            body.splice(..0, [first, 0]);
            let mut packet = body.clone();
            for _ in 0..2 {
                let found = if first == 0x10 { check_connect(&mut packet, 2) } else { check(&mut packet, 2, v5) };
                prop_assert_eq!(packet.len(), body.len());
                match found {
                    Err(_) => prop_assert_eq!(&packet, &body),
                    Ok(expires_at_once) => prop_assert!(!expires_at_once || packet != body),
                }
                body.clone_from(&packet);
            }
        }
    }

    #[test]
    fn an_expiry_of_0_is_told_and_made_1_for_the_codec() {
        let mut packet = *b"\x30\x09\0\x01a\x05\x02\0\0\0\0";
        assert_eq!(check(&mut packet, 2, true), Ok(true));
        assert_eq!(&packet, b"\x30\x09\0\x01a\x05\x02\0\0\0\x01");
        assert_eq!(check(&mut packet, 2, true), Ok(false));
    }
}
