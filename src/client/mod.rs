//! A person's side with no screen: one background thread does the link, the API and the key work.
//!
//! [`Session`] is the one face towards the window and the terminal: [`Command`]s in, batches of [`Event`]s out.
//! Nothing here knows of pixels. Start at `session.rs`, then `link/` for MQTT and `store/` for what rests on disk.

mod account;
mod address;
mod admin;
mod audit;
mod clock;
mod command;
mod desk;
pub mod direct;
mod event;
mod failure;
mod http;
mod keyring;
pub mod legacy;
mod link;
mod login;
mod mqtt;
mod other_broker;
mod people;
mod preferences;
mod records;
mod sample;
mod sealing;
mod session;
mod stations;
mod store;
mod teller;
mod tls;
mod wipe;

pub use admin::{AccountLine, ConnectionView, RoleLine, SessionView};
pub use command::{AuditLog, Command, Draft, KeyForm, Password, SecondStep, Trust, Will};
pub use event::{
    AccountView, Asked, AuditLine, AuditVerdict, DeviceView, EnrolmentView, EpochView, Event, Failure,
    KeyConsequences, KeyOutcome, KeyReport, KeyView, LinkState, Message, Opening, OutboxEntry, OutboxState,
    PeopleView, PersonView, SampleState, SealedWith, Standing, StationView, SubscriptionView, WillState,
    WillView,
};
pub use failure::sentence;
pub use mqtt::{ClientIdentity, Endpoint, EndpointError, Transport as MqttTransport, Version as MqttVersion};
pub use other_broker::{OtherBroker, OtherBrokerView};
pub use session::{ClientError, FarEnd, Session};
pub use store::{MAX_HISTORY_BYTES, MAX_HISTORY_ROWS};

pub use crate::files::DataFolders;
pub use crate::keys::{Strength, strength};
pub use crate::seal::{SenderKey, Signatures, Suite, legacy::Profile, wire_len};
