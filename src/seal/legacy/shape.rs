//! What is said through a legacy program, whichever it is.

/// What one message says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spoken {
    /// Who says so. Anybody can write any name.
    pub author: Option<String>,
    /// The words; empty where the program has none.
    pub text: String,
    /// Where, for a call for help.
    pub place: Option<Place>,
    /// What the program calls the message: fresh for each, so it tells nobody who sent it.
    pub id: Option<String>,
    /// The author has left.
    pub leaves: bool,
}

/// A place on the grid of a call for help. Its programs write numbers from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The first number.
    pub x: i64,
    /// The second.
    pub y: i64,
}

/// Why a message is not one of its program's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// Not UTF-8.
    #[error("the message is not text: another program sealed it with this key")]
    NotText,
    /// A place is missing.
    #[error("a call for help says where: give two numbers from 1 to 100")]
    NoPlace,
    /// A number that its programs never write, so that all calls are of one length.
    #[error("{0} is not on the grid of a call for help: use a number from 1 to 100")]
    OffTheGrid(i64),
    /// A name is missing.
    #[error("the chat shows who writes: give a name")]
    NoAuthor,
    /// A name of more than 50 characters.
    #[error("a name has at most 50 characters in this chat, and this one has {0}: shorten it")]
    LongAuthor(usize),
    /// A name that would be read as another, or break a line.
    #[error("a name in this chat cannot hold “: ” or a line break: what follows would be taken for words")]
    AmbiguousAuthor,
    /// Nothing to say.
    #[error("the message is empty, and this chat sends no empty ones: write something")]
    NoWords,
    /// Longer than its program sends.
    #[error("the message has {0} bytes, and this chat sends at most 262,144: shorten it")]
    LongText(usize),
    /// Not `ID:… Coordinates:…`.
    #[error("this is not a call for help as its program writes it, “ID:… Coordinates:…”")]
    NotACall,
    /// Not JSON with a name and words.
    #[error("this is not a message of the window chat, which is JSON with “username” and “text”")]
    NotAChatMessage,
}
