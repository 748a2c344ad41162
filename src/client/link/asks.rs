//! What desk and link say to each other.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::{
    acl::Role,
    client::{Draft, OtherBroker, Will, address::Address},
    seal::SenderKey,
    topic::{TopicFilter, TopicName},
};

use super::rotated::KeyInUse;

/// What the desk asks of the link.
pub(in crate::client) enum Ask {
    Publish {
        draft: Draft,
        every: Option<Duration>,
    },
    StopRepeat(TopicName),
    Discard(i64),
    ReleaseHeld {
        id: i64,
        seal: bool,
    },
    /// With whether it is on; `None` forgets it.
    SetWill(Option<(Will, bool)>),
    /// Without a quality of service: 1, or that at which it is watched already.
    Subscribe(TopicFilter, Option<u8>),
    Unsubscribe(TopicFilter),
    SetClear {
        filter: TopicFilter,
        clear: bool,
    },
    LoadHistory(u32),
    ClearHistory,
    StartSample,
    StopSample,
    /// Another broker is to carry the messages; `None`: the station's.
    SetBroker(Option<Box<OtherBroker>>),
    TestBroker(Box<OtherBroker>),
    /// The broker's own figures are wanted, or no longer.
    WatchBroker(bool),
    KeysChanged,
    /// The desk has found out who signs with this key, as far as anybody can say.
    SenderAnswered(SenderKey),
    /// Somebody is forgotten: who they are is asked again with their next message.
    ForgetSender(SenderKey),
    /// What would be lost with a key; answered to the window.
    Consequences(Box<KeyInUse>),
    /// The vault has this version now: an older one is refused at the next login.
    VaultSeen {
        version: u64,
    },
    /// The role is another, or its rules are.
    Role(Role),
    RetryNow,
    /// The same station answers at another address now.
    Moved(Address),
    /// The broker refused us, but the session may live: try again later.
    Refused {
        reason: String,
    },
    /// The session at the station is over: try no more.
    Over {
        reason: String,
    },
    /// Ends the link, keeping what is under way.
    End(oneshot::Sender<()>),
}

/// What the link tells the desk.
#[derive(Debug)]
pub(in crate::client) enum Note {
    /// The broker refused the token: does the station still know the session?
    CheckSession { reason: String },
    /// Online again after it was lost: what may have changed?
    OnlineAgain,
    /// A signature holds, of somebody whom the vault does not know.
    UnknownSigner(SenderKey),
    /// The station refused what the role permits, as this side knows it.
    RoleDoubted,
    /// Another computer may have changed the keys.
    VaultDue,
}
