//! What panels want: commands, places to go, words to say. The app carries it out after the frame.

use crate::{
    client::{Command, SenderKey},
    desktop::widgets::Severity,
};

/// A page of the window after login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// What arrives.
    Watch,
    /// Sending.
    Publish,
    /// The keyring.
    Keys,
    /// What was done.
    Audit,
    /// The station, for who administers it.
    Station,
    /// Everything about the account, the station and this computer.
    Settings,
}

impl Place {
    /// Every place, in the order of the rail.
    pub const ALL: [Self; 6] =
        [Self::Watch, Self::Publish, Self::Keys, Self::Audit, Self::Station, Self::Settings];

    /// Its name, as the rail and the title say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watch => "Watch",
            Self::Publish => "Publish",
            Self::Keys => "Keys",
            Self::Audit => "Audit",
            Self::Station => "Station",
            Self::Settings => "Settings",
        }
    }
}

/// What a frame's panels asked for.
#[derive(Debug, Default)]
pub struct Outbound {
    pub(in crate::desktop) commands: Vec<Command>,
    pub(in crate::desktop) go: Option<Place>,
    pub(in crate::desktop) publish_to: Option<String>,
    pub(in crate::desktop) new_key_for: Option<String>,
    pub(in crate::desktop) import_key: bool,
    pub(in crate::desktop) show_people: bool,
    pub(in crate::desktop) person: Option<SenderKey>,
    pub(in crate::desktop) edit_will: bool,
    pub(in crate::desktop) toasts: Vec<(Severity, String)>,
}

impl Outbound {
    /// Nothing asked for.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the session for something.
    pub fn send(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Shows another page.
    pub fn go(&mut self, place: Place) {
        self.go = Some(place);
    }

    /// Shows the publish page with this topic filled in.
    pub fn publish_to(&mut self, topic: impl Into<String>) {
        self.publish_to = Some(topic.into());
        self.go = Some(Place::Publish);
    }

    /// Shows the keys page with the dialog for a new key, this filter filled in.
    pub fn new_key_for(&mut self, filter: impl Into<String>) {
        self.new_key_for = Some(filter.into());
        self.go = Some(Place::Keys);
    }

    /// Shows the keys page with the dialog that takes a key in.
    pub fn import_key(&mut self) {
        self.import_key = true;
        self.go = Some(Place::Keys);
    }

    /// Shows the people whose signatures are known, on the keys page; one of them chosen where said.
    pub fn show_people(&mut self, person: Option<SenderKey>) {
        (self.show_people, self.person) = (true, person);
        self.go = Some(Place::Keys);
    }

    /// Shows the settings where the will is written.
    pub fn edit_will(&mut self) {
        self.edit_will = true;
        self.go = Some(Place::Settings);
    }

    /// Says something that happened elsewhere.
    pub fn toast(&mut self, severity: Severity, text: impl Into<String>) {
        self.toasts.push((severity, text.into()));
    }

    /// Where to go, for tests.
    #[must_use]
    pub fn going(&self) -> Option<Place> {
        self.go
    }

    /// What was asked of the session so far, for tests.
    #[must_use]
    pub fn commands(&self) -> &[Command] {
        &self.commands
    }
}
