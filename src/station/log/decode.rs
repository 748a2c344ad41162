//! Bytes of a record back to changes. The bytes were authenticated before, and are distrusted all the same: every
//! length is held against what is there, nothing is reserved on the word of a count, and nothing panics.

use std::sync::Arc;

use ahash::AHashMap;
use bytes::Bytes;

use super::encode::tag;
use crate::{
    broker::{Change, KeptMessage, KeptParcel, KeptWill, SubscriptionOptions},
    topic::{TopicFilter, TopicName},
};

/// Not a record of this layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record does not have the layout that it must have")]
pub(super) struct Malformed;

/// What was in a record.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The sequence of the record before it.
    pub(super) previous: u64,
    pub(super) changes: Vec<Change>,
    /// As [`super::encode::batch`] returned them.
    pub(super) bodies: Vec<u64>,
    /// The bodies that it brought, by id.
    pub(super) fresh: AHashMap<u64, Arc<KeptMessage>>,
    /// Changes that named a body that is not there: it was in a record that was lost.
    pub(super) orphans: usize,
}

/// Reads a record; `known` finds bodies of earlier ones.
pub(super) fn record(
    plain: &[u8],
    known: impl Fn(u64) -> Option<Arc<KeptMessage>>,
) -> Result<Record, Malformed> {
    let mut decoder = Decoder { rest: plain, last_body: 0 };
    let mut record = Record { previous: decoder.number()?, ..Record::default() };
    while !decoder.rest.is_empty() {
        decoder.entry(&mut record, &known)?;
    }
    Ok(record)
}

struct Decoder<'a> {
    rest: &'a [u8],
    last_body: u64,
}

impl Decoder<'_> {
    fn entry(
        &mut self,
        record: &mut Record,
        known: &impl Fn(u64) -> Option<Arc<KeptMessage>>,
    ) -> Result<(), Malformed> {
        let tag = self.byte()?;
        let find = |id: &u64, record: &Record| record.fresh.get(id).cloned().or_else(|| known(*id));
        let change = match tag {
            tag::BODY => {
                let id = self.body_id()?;
                let message = Arc::new(self.message()?);
                record.fresh.insert(id, message);
                return Ok(());
            }
            tag::OPENED => Change::Opened {
                session: self.number()?,
                account: self.text()?.into(),
                client_id: self.text()?.into(),
                expiry_secs: self.small()?,
            },
            tag::RESUMED => Change::Resumed { session: self.number()?, expiry_secs: self.small()? },
            tag::LEFT => {
                let (session, expiry_secs) = (self.number()?, self.small()?);
                Change::Left { session, expiry_secs, at_ms: self.number()? }
            }
            tag::ENDED => Change::Ended { session: self.number()?, handed_on: false },
            tag::SUBSCRIBED => {
                let (session, filter) = (self.number()?, self.filter()?);
                let (qos, [no_local, retain_as_published, has_id]) = self.flags()?;
                let id = if has_id { Some(self.small()?) } else { None };
                let options = SubscriptionOptions { qos, no_local, retain_as_published, id };
                Change::Subscribed { session, filter, options }
            }
            tag::UNSUBSCRIBED => Change::Unsubscribed { session: self.number()?, filter: self.filter()? },
            tag::QUEUED => {
                let (session, number, body) = (self.number()?, self.number()?, self.body_id()?);
                let (qos, [retain, replay, has_ids, shared]) = self.flags()?;
                let ids: Vec<u32> = if has_ids { self.list(Self::small)? } else { Vec::new() };
                let Some(message) = find(&body, record) else {
                    record.orphans += 1;
                    return Ok(());
                };
                record.bodies.push(body);
                let subscription_ids = ids.into();
                let parcel = KeptParcel { number, message, qos, retain, replay, shared, subscription_ids };
                Change::Queued { session, parcel }
            }
            tag::RELEASED => Change::Released { session: self.number()?, numbers: self.numbers()? },
            tag::DELIVERED => Change::Delivered { session: self.number()?, numbers: self.numbers()? },
            tag::ACCEPTED => Change::Accepted { session: self.number()?, packet_id: self.small()? },
            tag::COMPLETED => {
                Change::Completed { session: self.number()?, packet_ids: self.list(Self::small)? }
            }
            tag::WILL_LEFT => Change::WillLeft { session: self.number()?, will: Arc::new(self.will()?) },
            tag::WILL_GONE => Change::WillGone { session: self.number()? },
            tag::RETAINED => {
                let body = self.body_id()?;
                let Some(message) = find(&body, record) else {
                    record.orphans += 1;
                    return Ok(());
                };
                record.bodies.push(body);
                Change::Retained { message }
            }
            tag::CLEARED => Change::Cleared { topic: TopicName::new(self.text()?).map_err(|_| Malformed)? },
            _ => return Err(Malformed),
        };
        record.changes.push(change);
        Ok(())
    }

    fn will(&mut self) -> Result<KeptWill, Malformed> {
        let (account, client_id) = (self.text()?.into(), self.text()?.into());
        let delay_secs = self.small()?;
        let expiry_secs = if self.byte()? & 1 == 1 { Some(self.small()?) } else { None };
        Ok(KeptWill { account, client_id, message: Arc::new(self.message()?), expiry_secs, delay_secs })
    }

    fn message(&mut self) -> Result<KeptMessage, Malformed> {
        let number = self.number()?;
        let (qos, [retain, expires, _]) = self.flags()?;
        let topic = TopicName::new(self.text()?).map_err(|_| Malformed)?;
        let properties = self.bytes()?.into();
        // A copy: a slice would keep the whole record in memory as long as the message.
        let payload = Bytes::copy_from_slice(self.bytes()?);
        let expires_ms = if expires { Some(self.number()?) } else { None };
        Ok(KeptMessage { number, topic, payload, properties, qos, retain, expires_ms })
    }

    fn filter(&mut self) -> Result<TopicFilter, Malformed> {
        TopicFilter::new(self.text()?).map_err(|_| Malformed)
    }

    fn numbers(&mut self) -> Result<Vec<u64>, Malformed> {
        let mut last: u64 = 0;
        self.list(|decoder| {
            last = last.wrapping_add(unzigzag(decoder.number()?));
            Ok(last)
        })
    }

    /// A count, and so many of them.
    fn list<T>(
        &mut self,
        mut one: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.number()?;
        if count > self.rest.len() as u64 {
            return Err(Malformed); // Each takes a byte at least.
        }
        (0..count).map(|_| one(self)).collect()
    }

    fn body_id(&mut self) -> Result<u64, Malformed> {
        self.last_body = self.last_body.wrapping_add(unzigzag(self.number()?));
        Ok(self.last_body)
    }

    fn flags<const N: usize>(&mut self) -> Result<(u8, [bool; N]), Malformed> {
        let flags = self.byte()?;
        Ok((flags & 3, std::array::from_fn(|place| flags >> 2 >> place & 1 == 1)))
    }

    fn text(&mut self) -> Result<&str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    fn bytes(&mut self) -> Result<&[u8], Malformed> {
        let length = usize::try_from(self.number()?).map_err(|_| Malformed)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*byte)
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.number()?).map_err(|_| Malformed)
    }

    /// LEB128, at most 64 bits.
    fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if bits << shift >> shift != bits {
                return Err(Malformed);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed)
    }
}

fn unzigzag(number: u64) -> u64 {
    number >> 1 ^ (number & 1).wrapping_neg()
}
