//! The screens before login: starting, create account, one-time codes, recovery codes, log in, forgot password,
//! another station.
//!
//! Each is a form (plain data that the app fills) and a function that draws it and returns what the person wants, as a
//! [`ScreenAction`]. Screens never act: what they ask for, the app sends to the session, and answers by changing the
//! form (`busy`, `error`). Enter submits, Esc goes back, Tab goes as the eye does.
//!
//! Start at [`login_ui`]; `page.rs` is the background, the card and the footer that all of them share.

mod create;
mod forgot;
mod login;
mod one_time;
mod page;
mod recovery;
mod starting;
mod station;

pub use create::{CreateForm, RoleChoice, create_ui};
pub use forgot::{ResetBy, ResetForm, forgot_ui, reset_ui};
pub use login::{LoginForm, SecondFactor, login_ui};
pub use one_time::{OneTimeForm, one_time_ui};
pub use page::ScreenContext;
pub use recovery::{RecoveryForm, recovery_ui};
pub use starting::{Starting, starting_ui};
pub use station::{Fingerprint, StationCheck, StationForm, station_ui};

/// What a person asked for on a screen. The data is in that screen's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenAction {
    /// Go back to the screen before.
    Back,
    /// Try to start the station again.
    Retry,
    /// Show the folder with the log files.
    ShowLogs,
    /// Go to the log in screen.
    GoToLogin,
    /// Go to the create account screen.
    GoToCreate,
    /// Go to the first step of forgot password.
    GoToForgot,
    /// Go to the reset form for this way.
    GoToReset(ResetBy),
    /// Go to the log in screen, with a recovery code in place of the one-time code.
    GoToLoginWithRecoveryCode,
    /// Go to the screen for another station.
    GoToStation,
    /// Return to the station of this computer.
    UseOwnStation,
    /// A new password was typed into the form on the screen: judge its strength.
    JudgePassword,
    /// Log in with the form.
    LogIn,
    /// Create the account of the form.
    CreateAccount,
    /// Check the first code and turn one-time codes on.
    ConfirmOneTime,
    /// Do without one-time codes for now.
    PostponeOneTime,
    /// Ask where to, and save the recovery codes to a file.
    SaveRecoveryCodes,
    /// The person keeps the recovery codes: go on.
    RecoveryCodesKept,
    /// Reset the password with the form.
    ResetPassword,
    /// Fetch the station's name and the fingerprint of its CA's key.
    CheckStation,
    /// Pin the fingerprint that is shown, and use this station.
    PinStation,
    /// The named thing is in the clipboard now: say so, and clear it after a while if it is secret.
    Copied(&'static str),
}
