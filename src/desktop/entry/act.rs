//! What a person wants on a screen, as commands and as the next screen.

use zeroize::Zeroizing;

use crate::{
    client::{self, Command, Password, SecondStep, Trust},
    desktop::{
        dialogs::SavePurpose,
        model::Model,
        screens::{LoginForm, ResetBy, ResetForm, ScreenAction, SecondFactor, StationCheck},
        widgets::{SecretText, Severity, Strength},
    },
};

use super::{Entry, Hands, OWN, STATION_PREFERENCE, Screen, Target, invite};

impl Entry {
    pub(super) fn act(&mut self, action: ScreenAction, model: &Model, hands: &mut Hands<'_>) {
        match action {
            ScreenAction::Back => self.back(model),
            ScreenAction::Retry => self.retry(hands),
            ScreenAction::ShowLogs => {
                if let Some(folder) = hands.starter.folder() {
                    crate::desktop::dialogs::show_folder(hands.ctx, &folder.join("logs"));
                }
            }
            ScreenAction::GoToLogin => self.open_login(model.station.as_ref()),
            ScreenAction::GoToCreate => {
                if let Some(station) = &model.station {
                    self.open_create(station);
                }
            }
            ScreenAction::GoToForgot => self.screen = Screen::Forgot,
            ScreenAction::GoToReset(by) => {
                self.reset = ResetForm { by, username: self.login.username.clone(), ..ResetForm::default() };
                self.screen = Screen::Reset;
            }
            ScreenAction::GoToLoginWithRecoveryCode => {
                self.open_login(model.station.as_ref());
                self.login.factor = SecondFactor::RecoveryCode;
            }
            ScreenAction::GoToStation => {
                self.before_station = self.screen;
                self.open_station_screen(None);
            }
            ScreenAction::UseOwnStation => {
                hands.out.send(preference(OWN));
                self.start_own(hands);
            }
            ScreenAction::JudgePassword => self.judge(),
            ScreenAction::LogIn => self.log_in(hands),
            ScreenAction::CreateAccount => self.create_account(hands),
            ScreenAction::ConfirmOneTime => {
                self.one_time.busy = true;
                self.one_time.error = None;
                let code = Password::new(std::mem::take(&mut self.one_time.code));
                hands.out.send(Command::ConfirmOtp { code });
            }
            ScreenAction::PostponeOneTime => self.screen = Screen::Recovery,
            ScreenAction::SaveRecoveryCodes => {
                hands.saver.begin(hands.ctx, SavePurpose::RecoveryCodes, recovery_text(&self.recovery.codes));
            }
            ScreenAction::RecoveryCodesKept => {
                self.codes_kept = true;
                self.ceremony = false;
                self.recovery = crate::desktop::screens::RecoveryForm::default();
                if model.account.is_none() {
                    self.open_login(model.station.as_ref());
                }
            }
            ScreenAction::ResetPassword => self.reset_password(hands),
            ScreenAction::CheckStation => {
                let address = self.station.address.trim().to_owned();
                self.station.error = None;
                if let Some((name, fingerprint)) = invite(&address) {
                    // The link names the key: it is shown and agreed to before anything is sent there.
                    self.station.check = StationCheck::Found { name, fingerprint, matches_invite: true };
                    self.invite = Some(address);
                    return;
                }
                self.station.busy = true;
                hands.out.send(Command::OpenStation { address, trust: Trust::AsKnown });
            }
            ScreenAction::PinStation => {
                if let Some(address) = self.invite.take() {
                    self.station.busy = true;
                    self.station.error = None;
                    hands.out.send(Command::OpenStation { address, trust: Trust::AsKnown });
                } else if let StationCheck::Found { fingerprint, .. } = &self.station.check {
                    let fingerprint = fingerprint.hex();
                    self.station.busy = true;
                    self.station.error = None;
                    hands.out.send(Command::TrustStation { fingerprint });
                }
            }
            ScreenAction::Copied(what) => {
                hands
                    .out
                    .toast(Severity::Info, format!("{what}: copied. Other programs can read the clipboard."));
            }
        }
    }

    fn back(&mut self, model: &Model) {
        match self.screen {
            Screen::Create | Screen::Forgot => self.open_login(model.station.as_ref()),
            Screen::Reset => {
                self.reset = ResetForm::default();
                self.screen = Screen::Forgot;
            }
            Screen::LogIn => {
                self.login = LoginForm::default();
                self.before_station = Screen::LogIn;
                self.open_station_screen(None);
            }
            Screen::Station if self.station.check != StationCheck::NotYet => self.open_station_screen(None),
            Screen::Station => match (self.before_station, &model.station) {
                (Screen::Starting, _) | (_, None) => self.screen = Screen::Starting,
                (Screen::Create, Some(station)) => self.open_create(station),
                (_, station) => self.open_login(station.as_ref()),
            },
            Screen::Starting | Screen::OneTime | Screen::Recovery => {}
        }
    }

    fn retry(&mut self, hands: &mut Hands<'_>) {
        match &self.target {
            Target::Own => self.start_own(hands),
            Target::Other(address) => {
                hands.out.send(Command::OpenStation { address: address.clone(), trust: Trust::AsKnown });
            }
        }
    }

    /// How strong the new password on the screen is.
    fn judge(&mut self) {
        let (form, username, password) = match self.screen {
            Screen::Create => (&mut self.create.strength, &self.create.username, &self.create.password),
            _ => (&mut self.reset.strength, &self.reset.username, &self.reset.password),
        };
        *form = judge(password.as_str(), username);
    }

    fn log_in(&mut self, hands: &mut Hands<'_>) {
        let form = &mut self.login;
        form.busy = true;
        form.error = None;
        form.notice = None;
        let code = form.code.as_str().trim();
        let second = (!code.is_empty()).then(|| match form.factor {
            SecondFactor::RecoveryCode => SecondStep::Recovery(Password::new(code)),
            SecondFactor::OneTimeCode | SecondFactor::Remembered => SecondStep::Code(digits(code)),
        });
        hands.out.send(Command::LogIn {
            username: form.username.trim().to_owned(),
            password: Password::new(form.password.as_str()),
            second,
            remember: form.remember,
        });
    }

    fn create_account(&mut self, hands: &mut Hands<'_>) {
        let typed =
            Some(self.create.invite.as_str().trim()).filter(|code| !code.is_empty()).map(Password::new);
        let setup_code = match self.create.first_account {
            true => self.setup_code().cloned().or(typed),
            false => None,
        };
        let form = &mut self.create;
        form.busy = true;
        form.error = None;
        hands.out.send(Command::SignUp {
            username: form.username.trim().to_owned(),
            password: Password::new(form.password.as_str()),
            role: form.roles.get(form.role).map(|role| role.role.clone()),
            setup_code,
        });
    }

    fn reset_password(&mut self, hands: &mut Hands<'_>) {
        let form = &mut self.reset;
        form.busy = true;
        form.error = None;
        let username = form.username.trim().to_owned();
        let new_password = Password::new(form.password.as_str());
        let code = form.code.as_str().trim();
        hands.out.send(match form.by {
            ResetBy::RecoveryCode => Command::ResetByRecovery {
                username,
                recovery: Password::new(form.recovery_code.as_str().trim()),
                code: (!code.is_empty()).then(|| digits(code)),
                new_password,
            },
            ResetBy::OneTimeCode => Command::ResetByCode { username, code: digits(code), new_password },
        });
    }
}

/// How strong a password is, as the meter shows it.
pub(in crate::desktop) fn judge(password: &str, username: &str) -> Strength {
    if password.is_empty() {
        return Strength::default();
    }
    let judged = client::strength(password, &[username]);
    Strength { score: Some(judged.score), acceptable: judged.acceptable(), advice: judged.hint }
}

/// The codes as a file that still makes sense in a year.
pub(in crate::desktop) fn recovery_text(codes: &[Zeroizing<String>]) -> SecretText {
    let mut text = SecretText::new();
    let edit = text.edit();
    edit.push_str("Sealwire recovery codes\nEach works once. Whoever has one can open the vault: keep them apart from this computer.\n\n");
    for code in codes {
        edit.push_str(code);
        edit.push('\n');
    }
    text
}

/// A code as people type it, "123 456", without its blanks.
fn digits(code: &str) -> Password {
    Password::new(code.chars().filter(|character| !character.is_whitespace()).collect::<String>())
}

pub(super) fn preference(station: &str) -> Command {
    Command::SetPreference { name: STATION_PREFERENCE.to_owned(), value: station.to_owned() }
}
