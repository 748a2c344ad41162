//! What the session and the starter told, as screens.

use zeroize::Zeroizing;

use crate::{
    client::{Asked, Command, EnrolmentView, Event, StationView, Trust},
    desktop::{
        model::{Model, problem_of},
        screens::{CreateForm, Fingerprint, LoginForm, OneTimeForm, ResetForm, Starting, StationCheck},
        start::OwnStation,
        widgets::{Problem, QrPicture},
    },
};

use super::{Entry, Hands, OWN, Screen, Target, act::preference, fingerprint};

impl Entry {
    /// This computer's station runs, or does not. `anew`: it is to be opened also where it is as it was.
    pub(in crate::desktop) fn started(
        &mut self,
        outcome: Result<OwnStation, Problem>,
        anew: bool,
        hands: &mut Hands<'_>,
    ) {
        match outcome {
            // It was only looked at again, and is as it was.
            Ok(own) if self.screen != Screen::Starting && !anew && self.own.as_ref() == Some(&own) => {}
            Ok(own) => {
                self.starting = Starting::Running { step: "Connecting…".to_owned(), slow: false };
                hands.out.send(Command::OpenStation {
                    address: own.address.clone(),
                    trust: Trust::Pinned(own.fingerprint.clone()),
                });
                self.own = Some(own);
            }
            Err(problem) => self.starting = Starting::Failed(problem),
        }
    }

    /// Takes an event in, before the model does.
    pub(in crate::desktop) fn told(&mut self, event: &Event, model: &Model, hands: &mut Hands<'_>) {
        match event {
            Event::Station(station) => self.station_answers(station, model, hands),
            Event::StationUnknown { address, fingerprint: seen } => self.station_unknown(address, seen),
            Event::StationChanged { address, pinned, seen } => self.station_changed(address, pinned, seen),
            Event::SignedUp { recovery_codes, enrolment, otp_required } => {
                self.ceremony = true;
                self.create = CreateForm::default();
                self.open_recovery(recovery_codes);
                self.open_one_time(enrolment, !otp_required);
            }
            Event::Enrolment(enrolment) if model.account.is_none() => {
                self.login.busy = false;
                self.open_one_time(enrolment, false);
            }
            Event::OtpOn if self.screen == Screen::OneTime => {
                self.one_time = OneTimeForm::default();
                // A sign-up that was taken up again at login has shown its recovery codes before.
                self.screen = if self.recovery.codes.is_empty() { Screen::LogIn } else { Screen::Recovery };
            }
            Event::LoggedIn(account) => {
                self.login = LoginForm { username: account.username.clone(), ..LoginForm::default() };
            }
            Event::PasswordReset { recovery_codes } => {
                self.login.username = std::mem::take(&mut self.reset.username);
                self.login.notice = Some("Your password is changed. Log in with the new one.".to_owned());
                self.reset = ResetForm::default();
                if recovery_codes.is_empty() {
                    self.open_login(model.station.as_ref());
                } else {
                    self.open_recovery(recovery_codes);
                    self.screen = Screen::Recovery;
                }
            }
            Event::LoggedOut { reason } => {
                self.ceremony = false;
                self.codes_kept = false;
                if self.screen != Screen::Station {
                    self.open_login(model.station.as_ref());
                }
                if !reason.is_empty() {
                    self.login.error =
                        Some(Problem::new("You are logged out.", reason.clone(), "Log in again."));
                }
            }
            Event::Failed(asked, failure) => {
                self.failed(*asked, problem_of(failure));
                let before_login = matches!(asked, Asked::SignUp | Asked::LogIn | Asked::Reset);
                if before_login && model.account.is_none() {
                    self.look_again(model, hands);
                }
            }
            _ => {}
        }
    }

    /// After a failure: this computer's station may have ended, and is there again for the next try. The setup code
    /// may be used up.
    fn look_again(&self, model: &Model, hands: &mut Hands<'_>) {
        match (&self.target, &model.station) {
            (Target::Own, _) => hands.starter.begin(hands.ctx),
            (Target::Other(_), Some(station)) if self.create.first_account => {
                hands.out.send(Command::OpenStation {
                    address: station.address.clone(),
                    trust: Trust::Pinned(station.fingerprint.clone()),
                });
            }
            (Target::Other(_), _) => {}
        }
    }

    fn station_answers(&mut self, station: &StationView, model: &Model, hands: &mut Hands<'_>) {
        let chosen = self.screen == Screen::Station;
        if self.screen == Screen::Create && self.create.first_account && !station.needs_first_account {
            // Somebody else was quicker.
            self.open_login(Some(station));
            self.login.error = Some(Problem::new(
                "This station has its first account already.",
                "Another window or person made it.",
                "Log in with it, or create an account of your own.",
            ));
            return;
        }
        if !chosen && self.screen != Screen::Starting || model.account.is_some() {
            return;
        }
        let own = self.own.as_ref().is_some_and(|own| own.fingerprint == station.fingerprint);
        if chosen {
            self.target = if own { Target::Own } else { Target::Other(station.address.clone()) };
            hands.out.send(preference(if own { OWN } else { &station.address }));
            self.login = LoginForm::default();
        }
        self.station.busy = false;
        self.station.check = StationCheck::NotYet;
        if station.needs_first_account {
            self.open_create(station);
        } else {
            self.open_login(Some(station));
        }
    }

    fn station_unknown(&mut self, address: &str, seen: &str) {
        let matches_invite = self.station.address.to_lowercase().contains(&seen.to_lowercase());
        self.show_check(address, |name| {
            Some(StationCheck::Found { name, fingerprint: fingerprint(seen)?, matches_invite })
        });
    }

    fn station_changed(&mut self, address: &str, pinned: &str, seen: &str) {
        self.show_check(address, |name| {
            let both: (Fingerprint, Fingerprint) = (fingerprint(pinned)?, fingerprint(seen)?);
            Some(StationCheck::Changed { name, expected: both.0, shown: both.1 })
        });
    }

    fn show_check(&mut self, address: &str, check: impl FnOnce(String) -> Option<StationCheck>) {
        if self.screen != Screen::Station {
            self.before_station = self.screen;
            self.open_station_screen(None);
        }
        if self.station.address.is_empty() {
            self.station.address = address.to_owned();
        }
        self.station.busy = false;
        match check(address.to_owned()) {
            Some(check) => self.station.check = check,
            None => {
                self.station.error = Some(Problem::new(
                    "The station's key has no fingerprint that can be shown.",
                    "What it sent is not a SHA-256.",
                    "Do not use it; ask its owner.",
                ));
            }
        }
    }

    fn open_one_time(&mut self, enrolment: &EnrolmentView, may_postpone: bool) {
        self.one_time = OneTimeForm {
            picture: QrPicture::new(enrolment.uri.reveal()),
            secret: in_fours(enrolment.secret.reveal()),
            may_postpone,
            ..OneTimeForm::default()
        };
        self.screen = Screen::OneTime;
    }

    fn failed(&mut self, asked: Asked, problem: Problem) {
        match asked {
            Asked::OpenStation if self.screen == Screen::Station => {
                self.station.busy = false;
                self.station.error = Some(problem);
            }
            Asked::OpenStation if self.screen == Screen::Starting => match self.target {
                Target::Own => self.starting = Starting::Failed(problem),
                // A station far away: the address may be wrong, and this computer's own is an alternative.
                Target::Other(_) => {
                    self.starting = Starting::Failed(problem.clone());
                    self.before_station = Screen::Starting;
                    self.open_station_screen(Some(problem));
                }
            },
            Asked::SignUp => {
                self.create.busy = false;
                self.create.error = Some(problem);
            }
            Asked::Otp if self.screen == Screen::OneTime => {
                self.one_time.busy = false;
                self.one_time.error = Some(problem);
            }
            Asked::LogIn => {
                self.login.busy = false;
                self.login.again = true;
                self.login.code.clear();
                self.login.error = Some(problem);
            }
            Asked::Reset => {
                self.reset.busy = false;
                self.reset.code.clear();
                self.reset.error = Some(problem);
            }
            _ => {}
        }
    }

    /// The file with the recovery codes was written, or was not.
    pub(in crate::desktop) fn saved(&mut self, outcome: Result<String, Problem>) {
        match outcome {
            Ok(name) => {
                self.recovery.saved_as = Some(name);
                self.recovery.error = None;
            }
            Err(problem) => self.recovery.error = Some(problem),
        }
    }
}

/// A text in groups of four, for typing by hand.
pub(in crate::desktop) fn in_fours(text: &str) -> Zeroizing<String> {
    let mut grouped = Zeroizing::new(String::with_capacity(text.len() * 5 / 4 + 1));
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            grouped.push(' ');
        }
        grouped.push(character);
    }
    grouped
}
