//! What `sealwire key` may be asked.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use crate::{
    client::{Suite, legacy::Profile},
    topic::TopicFilter,
};

use super::super::{
    legacy,
    way::{AccountOptions, room_name, suites},
};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyCommand {
    /// Make a key: in a keyring, in a vault, or only as a key line with --out.
    New(NewOptions),
    /// List the keys.
    List {
        /// As one JSON array.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreOptions,
    },
    /// Show a key: topics, suite, key ids over time. Its secret only with --secret.
    Show {
        /// Its name, or the beginning of its key id.
        key: String,
        /// Print the key line, and nothing else. Whoever reads it has the key.
        #[arg(long, conflicts_with = "json")]
        secret: bool,
        /// As one JSON object, without the secret.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        store: StoreOptions,
    },
    /// Print a key's fingerprint, for two people to compare.
    Fingerprint {
        /// Its name, or the beginning of its key id.
        key: String,
        #[command(flatten)]
        store: StoreOptions,
    },
    /// Print what the account signs with: the identity, and sixty digits for two people to compare.
    Identity {
        #[command(flatten)]
        account: AccountOptions,
    },
    /// Take keys in: key lines, a Fernet key file, or an age file of keys.
    ///
    /// A key that came in seals nothing where another key seals already, until --take-over says so.
    Import(ImportOptions),
    /// Write keys into a file under a passphrase (age), or one key as a line or a Fernet key file.
    Export(ExportOptions),
    /// Make a new secret for sealing; what was sealed before opens for ever.
    Rotate {
        /// Its name, or the beginning of its key id.
        key: String,
        #[command(flatten)]
        store: StoreOptions,
    },
    /// Let a key seal no more; it opens for ever.
    Retire {
        /// Its name, or the beginning of its key id.
        key: String,
        /// Take it back into use.
        #[arg(long)]
        undo: bool,
        #[command(flatten)]
        store: StoreOptions,
    },
    /// Delete a key. What was sealed with it can never be opened again.
    Delete {
        /// Its name, or the beginning of its key id.
        key: String,
        /// Do it.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        store: StoreOptions,
    },
}

/// Where the keys rest.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StoreOptions {
    /// A keyring file (age, under a passphrase). `new` and `import` make it where it is not there.
    #[arg(long, value_name = "FILE", conflicts_with = "station", help_heading = "Where keys rest")]
    pub keyring: Option<PathBuf>,
    /// A file whose first line is the keyring's passphrase, instead of SEALWIRE_KEYRING_PASSPHRASE or a prompt.
    #[arg(long, value_name = "FILE", requires = "keyring", help_heading = "Where keys rest")]
    pub keyring_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub account: AccountOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NewOptions {
    /// What it is to be called.
    #[arg(required_unless_present = "profile")]
    pub label: Option<String>,
    /// A topic filter that it is for, such as plant/#. May be given several times.
    #[arg(short, long, value_name = "FILTER", required_unless_present = "profile")]
    pub topic: Vec<TopicFilter>,
    /// How it seals, for life: cose-a256gcm, cose-chacha20, fernet or aes-cbc-hmac.
    #[arg(long, value_name = "SUITE", value_parser = suites(), default_value_t = Suite::default())]
    pub suite: Suite,
    /// Whether its messages are signed, and whether such as are not are refused.
    #[arg(long, value_enum, default_value_t = SignaturesName::Off)]
    pub signatures: SignaturesName,
    /// Make it from this room's name and a passphrase, the same on every computer.
    #[arg(long, value_name = "ROOM", value_parser = room_name, group = "stretched")]
    pub passphrase_room: Option<String>,
    /// A file whose first line is the passphrase of the room, or of the programs, instead of SEALWIRE_PASSPHRASE or a prompt.
    #[arg(long, value_name = "FILE", requires = "stretched", conflicts_with = "suggest")]
    pub passphrase_file: Option<PathBuf>,
    /// Draw a passphrase of six words for the room, and print it.
    #[arg(long, requires = "passphrase_room")]
    pub suggest: bool,
    /// Make the key of the programs of an older system (docs/legacy.md). Name and topics may be left out; the suite is theirs,
    /// and so is the passphrase.
    #[arg(long, value_name = "PROFILE", value_parser = legacy::profiles(), group = "stretched", conflicts_with_all = ["suite", "signatures"])]
    pub profile: Option<Profile>,
    /// The key file secureKey.key, for --profile disaster-response.
    #[arg(long, value_name = "FILE", requires = "profile")]
    pub fernet: Option<PathBuf>,
    /// Also write the key line to this file, for its owner only; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ImportOptions {
    /// The file; - is standard input.
    pub file: PathBuf,
    /// It is a Fernet key: what it is to be called.
    #[arg(long, value_name = "NAME", requires = "topic")]
    pub fernet: Option<String>,
    /// The topic filters that the Fernet key is for. May be given several times.
    #[arg(short, long, value_name = "FILTER", requires = "fernet")]
    pub topic: Vec<TopicFilter>,
    /// Let it seal from now on, also where another key did.
    #[arg(long)]
    pub take_over: bool,
    /// A file whose first line is the passphrase of the age file, instead of SEALWIRE_FILE_PASSPHRASE or a prompt.
    #[arg(long, value_name = "FILE")]
    pub file_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ExportOptions {
    /// The keys, by name or the beginning of their key ids. None: all.
    pub keys: Vec<String>,
    /// In which form.
    #[arg(long, value_enum, default_value_t = FormName::Age)]
    pub form: FormName,
    /// Where to, for its owner only; - is standard output.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A file whose first line is the passphrase for the age file, instead of SEALWIRE_FILE_PASSPHRASE or a prompt.
    #[arg(long, value_name = "FILE")]
    pub file_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub store: StoreOptions,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FormName {
    /// An age file under a passphrase, with all epochs
    Age,
    /// One key as a line of text: whoever reads it has the key
    Line,
    /// One key as a Fernet key file: whoever reads it has the key
    Fernet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(in crate::cli) enum SignaturesName {
    /// Not signed
    Off,
    /// Signed; what arrives without a signature is shown as such
    Accept,
    /// Signed; what arrives without a signature is refused
    Require,
}
