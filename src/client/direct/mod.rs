//! Publishing and subscribing without a window, a state folder or a history: what the terminal does.
//!
//! Nothing is kept but which version of a vault was seen, and in a file that the command names what it has seen of
//! messages: the keyring is in memory, and the broker's session begins and ends with the connection. It knows nothing of the account's folder on this computer (the
//! pinned stations and a remembered one-time code are read, never written), so it works beside an open window. It writes no
//! audit log of its own.
//!
//! 1. [`Door`] finds a station whose identity is settled; [`Account`] is a login there, and ends with
//!    [`Account::log_out`], which revokes its tokens.
//! 2. [`Ring`] holds the keys, wherever they came from, and seals and opens.
//! 3. [`Line`] is the way to the broker: the account's station, or any other.
//! 4. [`Publication`] and [`Subscription`] are one command's work.
//! 5. [`KeyStore`] changes keys: in a file under a passphrase, or in the account's vault.
//!
//! Every wait that returns a future may be dropped (`select!`) and asked again; nothing is lost by that.

mod account;
mod error;
mod keystore;
mod line;
mod locked;
mod memory;
mod publication;
mod ring;
mod seen;
mod subscription;

pub use account::{Account, Door};
pub use error::{DirectError, Reason};
pub use keystore::{ImportedKey, KeyFile, KeyStore, NewKey, Written, suggest_passphrase};
pub use line::Line;
pub use publication::{Happened, Publication, Published};
pub use ring::{Manner, Opened, Reading, Ring, SenderView, Verdict};
pub use subscription::{Arrived, Subscription, Told};
