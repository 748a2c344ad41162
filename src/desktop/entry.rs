//! Before login: which screen is on, and what leads from one to the next.
//!
//! The order is that of a first run: the station starts, create account, one-time codes, recovery codes, in. Later:
//! log in, or forgot password, or another station. `act` turns what a person wants into commands, `told` turns events
//! into screens. Start at [`Entry::show`].

mod act;
mod told;

pub(super) use act::{judge, recovery_text};
pub(super) use told::in_fours;

use eframe::egui::{Context, Ui};
use zeroize::Zeroizing;

use crate::client::{Command, Password, StationView, Trust};

use super::{
    dialogs::TextSaver,
    icons,
    model::{Model, Outbound},
    screens::{
        CreateForm, Fingerprint, LoginForm, OneTimeForm, RecoveryForm, ResetForm, RoleChoice, ScreenContext,
        Starting, StationForm, create_ui, forgot_ui, login_ui, one_time_ui, recovery_ui, reset_ui,
        starting_ui, station_ui,
    },
    start::{OwnStation, Starter},
};

/// The name under which the station that is used is remembered: an address, or [`OWN`].
const STATION_PREFERENCE: &str = "station";
/// The value for this computer's own station.
const OWN: &str = "own";

/// The screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    Starting,
    LogIn,
    Create,
    OneTime,
    Recovery,
    Forgot,
    Reset,
    Station,
}

/// Which station is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// This computer's.
    Own,
    /// Another one, at this address.
    Other(String),
}

/// What the screens need from the app to do their part.
pub(super) struct Hands<'a> {
    pub(super) ctx: &'a Context,
    pub(super) out: &'a mut Outbound,
    pub(super) starter: &'a mut Starter,
    pub(super) saver: &'a mut TextSaver,
}

/// Everything before login.
#[derive(Debug)]
pub(super) struct Entry {
    screen: Screen,
    /// Where Back leads from the screen for another station.
    before_station: Screen,
    target: Target,
    own: Option<OwnStation>,
    starting: Starting,
    login: LoginForm,
    create: CreateForm,
    one_time: OneTimeForm,
    recovery: RecoveryForm,
    reset: ResetForm,
    station: StationForm,
    /// An invite link whose fingerprint is shown and waits for a yes.
    invite: Option<String>,
    /// Codes are being shown once: the window does not go in before they were kept.
    ceremony: bool,
    /// Set while the codes were shown and kept in this run, for the card of next steps.
    codes_kept: bool,
}

impl Entry {
    pub(super) fn new() -> Self {
        Self {
            screen: Screen::Starting,
            before_station: Screen::Starting,
            target: Target::Own,
            own: None,
            starting: Starting::default(),
            login: LoginForm::default(),
            create: CreateForm::default(),
            one_time: OneTimeForm::default(),
            recovery: RecoveryForm::default(),
            reset: ResetForm::default(),
            station: StationForm::default(),
            invite: None,
            ceremony: false,
            codes_kept: false,
        }
    }

    /// Begins: with the station that was used last, else with this computer's own.
    pub(super) fn begin(&mut self, model: &Model, hands: &mut Hands<'_>) {
        match model.preference(STATION_PREFERENCE) {
            Some(address) if address != OWN && !address.is_empty() => {
                self.target = Target::Other(address.to_owned());
                self.station.address = address.to_owned();
                self.starting =
                    Starting::Running { step: format!("Connecting to {address}…"), slow: false };
                hands.out.send(Command::OpenStation { address: address.to_owned(), trust: Trust::AsKnown });
            }
            _ => self.start_own(hands),
        }
    }

    /// Starts this computer's own station, or finds it running.
    fn start_own(&mut self, hands: &mut Hands<'_>) {
        self.target = Target::Own;
        self.screen = Screen::Starting;
        self.starting = Starting::default();
        hands.starter.begin(hands.ctx);
    }

    /// Whether a screen must be shown although somebody is logged in.
    pub(super) fn holds_the_window(&self) -> bool {
        self.ceremony
    }

    /// Whether this computer's own station is the one in use.
    pub(super) fn uses_own(&self) -> bool {
        self.target == Target::Own
    }

    /// Whether the recovery codes were kept in this run.
    pub(super) fn codes_kept(&self) -> bool {
        self.codes_kept
    }

    /// Shows the screen for another station, with a way back to the login.
    pub(super) fn go_to_station(&mut self) {
        self.before_station = Screen::LogIn;
        self.open_station_screen(None);
    }

    fn open_station_screen(&mut self, error: Option<super::widgets::Problem>) {
        let address = std::mem::take(&mut self.station.address);
        let may_use_own = self.target != Target::Own || self.screen == Screen::Starting;
        self.invite = None;
        self.station = StationForm { address, error, may_use_own, ..StationForm::default() };
        self.screen = Screen::Station;
    }

    /// Draws the screen that is on and does what the person asked for there.
    pub(super) fn show(&mut self, ui: &mut Ui, model: &Model, hands: &mut Hands<'_>) {
        let name = match (&self.target, &model.station) {
            (Target::Own, _) => "this computer".to_owned(),
            (Target::Other(_), Some(station)) => station.name.clone(),
            (Target::Other(address), None) => address.clone(),
        };
        let context = ScreenContext {
            version: env!("CARGO_PKG_VERSION"),
            protection: if model.station.is_some() { "TLS 1.3" } else { "not connected" },
            station: &name,
        };
        if let Starting::Running { slow, .. } = &mut self.starting {
            *slow = hands.starter.is_slow();
        }
        let action = match self.screen {
            Screen::Starting => starting_ui(ui, &self.starting, &context),
            Screen::LogIn => login_ui(ui, &mut self.login, &context),
            Screen::Create => create_ui(ui, &mut self.create, &context),
            Screen::OneTime => one_time_ui(ui, &mut self.one_time, &context),
            Screen::Recovery => recovery_ui(ui, &mut self.recovery, &context),
            Screen::Forgot => forgot_ui(ui, &context),
            Screen::Reset => reset_ui(ui, &mut self.reset, &context),
            Screen::Station => station_ui(ui, &mut self.station, &context),
        };
        if let Some(action) = action {
            self.act(action, model, hands);
        }
    }

    /// The login form for a station, the account that used it last filled in.
    fn open_login(&mut self, station: Option<&StationView>) {
        let username = match self.login.username.is_empty() {
            true => station.and_then(|station| station.known_accounts.first().cloned()).unwrap_or_default(),
            false => std::mem::take(&mut self.login.username),
        };
        self.login = LoginForm {
            username,
            may_create: station.is_some_and(|station| station.sign_up_open),
            elsewhere: self.target != Target::Own,
            notice: self.login.notice.take(),
            ..LoginForm::default()
        };
        self.screen = Screen::LogIn;
    }

    fn open_create(&mut self, station: &StationView) {
        let first_account = station.needs_first_account;
        let known = station.known_accounts.contains(&suggested_username());
        self.create = CreateForm {
            username: if known { String::new() } else { suggested_username() },
            first_account,
            roles: if first_account { Vec::new() } else { station.roles.iter().map(role_choice).collect() },
            invite_needed: first_account && self.setup_code().is_none(),
            may_go_back: !first_account,
            ..CreateForm::default()
        };
        self.screen = Screen::Create;
    }

    /// The code that makes the first account an admin: the app reads it itself from its own data folder.
    fn setup_code(&self) -> Option<&Password> {
        match self.target {
            Target::Own => self.own.as_ref()?.setup_code.as_ref(),
            Target::Other(_) => None,
        }
    }

    /// Shows codes that are shown once.
    fn open_recovery(&mut self, codes: &[Password]) {
        let codes = codes.iter().map(|code| Zeroizing::new(code.reveal().to_owned())).collect();
        self.recovery = RecoveryForm { codes, ..RecoveryForm::default() };
    }
}

/// A name from the system's, as stations take them: lower-case letters, digits, dot, dash, underscore.
fn suggested_username() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("USERNAME")).unwrap_or_default();
    let name: String = name
        .chars()
        .map(|character| character.to_ascii_lowercase())
        .filter(|character| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_'))
        .collect();
    // Nobody wants to be called root.
    if name == "root" || name == "administrator" { String::new() } else { name }
}

fn role_choice((role, description): &(String, String)) -> RoleChoice {
    let mut letters = role.chars();
    let title = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    let choice = match role.as_str() {
        "publisher" => RoleChoice::publisher(),
        "subscriber" => RoleChoice::subscriber(),
        _ => RoleChoice { role: role.clone(), title, text: String::new(), icon: icons::USER },
    };
    if description.is_empty() { choice } else { RoleChoice { text: description.clone(), ..choice } }
}

/// 64 hex digits as a fingerprint.
fn fingerprint(hex: &str) -> Option<Fingerprint> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    Some(Fingerprint(bytes.try_into().ok()?))
}

/// Host and fingerprint of an invite link, `sealwire://host:port/#fingerprint`.
fn invite(link: &str) -> Option<(String, Fingerprint)> {
    let (scheme, rest) = link.split_at_checked("sealwire://".len())?;
    let (host, hex) = rest.split_once('#')?;
    let named = scheme.eq_ignore_ascii_case("sealwire://").then(|| host.trim_end_matches('/').to_owned())?;
    Some((named, fingerprint(hex.trim())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_link_names_a_host_and_a_whole_fingerprint() {
        let digits = "5ea1".repeat(16);
        let (host, seen) = invite(&format!("sealwire://station.example:8443/#{digits}")).unwrap();
        assert_eq!((host.as_str(), seen.hex()), ("station.example:8443", digits.clone()));
        for other in ["station.example:8443", "sealwire://h:1/", "sealwire://h:1/#5ea1", "https://h/#5ea1"] {
            assert!(invite(other).is_none(), "{other}");
        }
        assert!(fingerprint(&format!("{digits}00")).is_none());
    }
}
