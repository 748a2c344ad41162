//! One scene per screen and one for the widgets, filled with what a person would see.

use eframe::egui::{self, Context, Ui, UiBuilder};
use egui_kittest::Harness;
use sealwire::desktop::screens::{
    CreateForm, Fingerprint, LoginForm, OneTimeForm, RecoveryForm, ResetBy, ResetForm, RoleChoice,
    ScreenAction, ScreenContext, Starting, StationCheck, StationForm, create_ui, forgot_ui, login_ui,
    one_time_ui, recovery_ui, reset_ui, starting_ui, station_ui,
};
use sealwire::desktop::theme::{self, ThemeChoice};
use sealwire::desktop::widgets::{Problem, QrPicture, Strength};

#[path = "parts.rs"]
mod parts;
pub(crate) use parts::Parts;

pub(crate) const LARGE: [f32; 2] = [1440.0, 900.0];
pub(crate) const SMALL: [f32; 2] = [1024.0, 700.0];

/// What a test shows and what came of it.
pub(crate) struct Scene {
    pub(crate) screen: Screen,
    pub(crate) actions: Vec<ScreenAction>,
    theme: ThemeChoice,
    scale: f32,
    ready: bool,
}

/// The screens, with their forms.
pub(crate) enum Screen {
    Starting(Starting),
    Create(CreateForm),
    OneTime(OneTimeForm),
    Recovery(RecoveryForm),
    Login(LoginForm),
    Forgot,
    Reset(ResetForm),
    Station(StationForm),
    Parts(Box<Parts>),
}

impl Scene {
    fn ui(&mut self, ui: &mut Ui) {
        if !self.ready {
            setup(ui.ctx(), self.theme, self.scale);
            self.ready = true;
            // The first frame was begun with egui's own style.
            ui.ctx().request_discard("the theme is applied");
            return;
        }
        let full = ui.ctx().content_rect();
        let mut child = ui.new_child(UiBuilder::new().max_rect(full));
        child.set_clip_rect(full);
        let ui = &mut child;
        let own = ScreenContext { version: "0.1.0", protection: "TLS 1.3", station: "this computer" };
        let far = ScreenContext { station: "plant.example:8443", ..own };
        let none = ScreenContext { protection: "not connected", ..own };
        let action = match &mut self.screen {
            Screen::Starting(state) => starting_ui(ui, state, &none),
            Screen::Create(form) if form.first_account => create_ui(ui, form, &own),
            Screen::Create(form) => create_ui(ui, form, &far),
            Screen::OneTime(form) => one_time_ui(ui, form, &own),
            Screen::Recovery(form) => recovery_ui(ui, form, &own),
            Screen::Login(form) => login_ui(ui, form, &own),
            Screen::Forgot => forgot_ui(ui, &own),
            Screen::Reset(form) => reset_ui(ui, form, &own),
            Screen::Station(form) => station_ui(ui, form, &own),
            Screen::Parts(parts) => {
                parts.ui(ui);
                None
            }
        };
        self.actions.extend(action);
    }
}

fn setup(ctx: &Context, theme: ThemeChoice, scale: f32) {
    theme::apply(ctx, theme);
    // Spinners stand still, so that a picture is always the same.
    theme::set_reduced_motion(ctx, true);
    ctx.all_styles_mut(|style| style.visuals.text_cursor.blink = false);
    ctx.set_zoom_factor(scale);
}

/// A window of a size with a screen in it.
pub(crate) fn open(screen: Screen, theme: ThemeChoice, size: [f32; 2]) -> Harness<'static, Scene> {
    open_scaled(screen, theme, size, 1.0)
}

/// The same with larger text.
pub(crate) fn open_scaled(
    screen: Screen,
    theme: ThemeChoice,
    size: [f32; 2],
    scale: f32,
) -> Harness<'static, Scene> {
    let scene = Scene { screen, actions: Vec::new(), theme, scale, ready: false };
    let mut harness = Harness::builder()
        .with_size(egui::Vec2::from(size) / scale)
        .with_max_steps(12)
        .build_ui_state(|ui, scene: &mut Scene| scene.ui(ui), scene);
    harness.run();
    harness
}

pub(crate) fn strength(score: u8, advice: &str) -> Strength {
    Strength { score: Some(score), advice: advice.to_owned(), acceptable: score >= 3 }
}

pub(crate) fn starting_failed() -> Screen {
    Screen::Starting(Starting::Failed(Problem::new(
        "The station could not open its folder.",
        "Another program holds the lock: process 4711 since 09:12.",
        "Close that program, or choose another station, then try again.",
    )))
}

pub(crate) fn create_first() -> Screen {
    Screen::Create(CreateForm {
        username: "ada".to_owned(),
        password: "correct horse".into(),
        confirm: "correct horse".into(),
        strength: strength(3, "Another word would make it strong."),
        first_account: true,
        ..CreateForm::default()
    })
}

pub(crate) fn create_roles() -> Screen {
    Screen::Create(CreateForm {
        username: "grace".to_owned(),
        username_error: Some("This name is taken. Try grace.h or another.".to_owned()),
        password: "hunter2".into(),
        confirm: "hunter3".into(),
        strength: strength(1, "This is one of the first that anyone would try."),
        roles: vec![RoleChoice::publisher(), RoleChoice::subscriber()],
        role: 1,
        may_go_back: true,
        ..CreateForm::default()
    })
}

pub(crate) fn one_time() -> Screen {
    let link = "otpauth://totp/Sealwire:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Sealwire";
    Screen::OneTime(OneTimeForm {
        picture: QrPicture::new(link),
        secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".to_owned().into(),
        code: "4821".to_owned(),
        may_postpone: true,
        ..OneTimeForm::default()
    })
}

pub(crate) fn recovery() -> Screen {
    let code = |number: usize| format!("{number}K7QX-9M2PD-W4T8R-6YHJN-3VB5{number}").into();
    Screen::Recovery(RecoveryForm {
        codes: (1..=8).map(code).collect(),
        kept: true,
        ..RecoveryForm::default()
    })
}

pub(crate) fn login() -> Screen {
    Screen::Login(LoginForm {
        username: "ada".to_owned(),
        password: "correct horse".into(),
        may_create: true,
        ..LoginForm::default()
    })
}

pub(crate) fn login_error() -> Screen {
    Screen::Login(LoginForm {
        username: "ada".to_owned(),
        password: "correct".into(),
        code: "123456".into(),
        remember: true,
        may_create: true,
        error: Some(Problem::new(
            "Not logged in.",
            "The username, the password or the code is wrong. The station does not say which.",
            "Try again. After two more failures it waits five minutes.",
        )),
        ..LoginForm::default()
    })
}

pub(crate) fn reset(by: ResetBy) -> Screen {
    Screen::Reset(ResetForm {
        by,
        username: "ada".to_owned(),
        password: "correct horse battery".into(),
        confirm: "correct".into(),
        strength: strength(4, ""),
        ..ResetForm::default()
    })
}

pub(crate) fn station_ask() -> Screen {
    Screen::Station(StationForm { may_use_own: true, ..StationForm::default() })
}

pub(crate) fn station_found() -> Screen {
    let check = StationCheck::Found {
        name: "Plant north, at plant.example:8443".to_owned(),
        fingerprint: digits(17),
        matches_invite: true,
    };
    Screen::Station(StationForm { check, ..StationForm::default() })
}

pub(crate) fn station_changed() -> Screen {
    let check = StationCheck::Changed {
        name: "Plant north, at plant.example:8443".to_owned(),
        expected: digits(17),
        shown: digits(23),
    };
    Screen::Station(StationForm { check, ..StationForm::default() })
}

fn digits(seed: u8) -> Fingerprint {
    Fingerprint(std::array::from_fn(|index| (index as u8).wrapping_mul(seed).wrapping_add(seed)))
}
