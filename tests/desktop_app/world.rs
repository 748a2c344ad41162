//! The window with a test at the session's far end: it reads the commands and tells the events.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use egui_kittest::{Harness, kittest::Queryable};
use sealwire::{
    acl::{Effect, Right, Role, Rule},
    client::{
        AccountView, AuditLine, AuditLog, AuditVerdict, Command, DeviceView, EnrolmentView, Event, FarEnd,
        KeyView, LinkState, OutboxEntry, OutboxState, Password, SealedWith, Session, StationView,
        SubscriptionView, Suite,
    },
    desktop::{App, AppConfig, OwnStation, StationSource},
    topic::{TopicFilter, TopicName},
};

/// The fingerprint of this computer's own station.
pub(crate) fn own_fingerprint() -> String {
    "5ea1".repeat(16)
}

/// A window and its session's far end.
pub(crate) struct World {
    pub(crate) harness: Harness<'static, App>,
    pub(crate) far: FarEnd,
    pub(crate) starts: Arc<AtomicUsize>,
}

impl World {
    /// A window on a computer whose own station starts at once.
    pub(crate) fn new(size: [f32; 2]) -> Self {
        Self::with_station(size, || {
            Ok(OwnStation {
                address: "127.0.0.1:48443".into(),
                fingerprint: own_fingerprint(),
                setup_code: Some(Password::new("SETUP-CODE")),
            })
        })
    }

    /// A window on a computer whose own station does what `ensure` says.
    pub(crate) fn with_station(
        size: [f32; 2],
        ensure: impl Fn() -> Result<OwnStation, sealwire::desktop::widgets::Problem> + Send + Sync + 'static,
    ) -> Self {
        let (session, far) = Session::pair(Arc::new(|| {}));
        let starts = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&starts);
        let station = StationSource::from_fn(move || {
            counted.fetch_add(1, Ordering::SeqCst);
            ensure()
        });
        let harness = Harness::builder()
            .with_size(size)
            .with_max_steps(8)
            .build_eframe(move |cc| App::new(&cc.egui_ctx, AppConfig { session, station }));
        Self { harness, far, starts }
    }

    /// Tells events and draws until the window is at rest, as far as it comes to rest.
    pub(crate) fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        self.far.events.send(events.into_iter().collect()).expect("the window holds its end");
        self.draw();
    }

    /// A few frames. Spinners and carets never come to rest, so not until then.
    pub(crate) fn draw(&mut self) {
        self.harness.run_steps(4);
    }

    /// Draws until a command comes that `wanted` takes; threads of the window may have to do their part first.
    pub(crate) fn await_command(&mut self, wanted: impl Fn(&Command) -> bool) -> Command {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            while let Ok(command) = self.far.commands.try_recv() {
                if wanted(&command) {
                    return command;
                }
            }
            assert!(std::time::Instant::now() < until, "the window never asked for it");
            self.draw();
            std::thread::yield_now();
        }
    }

    /// What was asked since the last look.
    pub(crate) fn asked(&mut self) -> Vec<Command> {
        std::iter::from_fn(|| self.far.commands.try_recv().ok()).collect()
    }

    /// Starts and answers as the own station.
    pub(crate) fn connected(&mut self, station: StationView) {
        self.tell([Event::Preferences(Vec::new())]);
        self.await_command(|command| matches!(command, Command::OpenStation { .. }));
        self.tell([Event::Station(station)]);
    }

    /// Logged in, without the screens before it.
    pub(crate) fn logged_in(&mut self, role: &str) {
        self.connected(station(false));
        self.tell([Event::LoggedIn(account(role)), Event::Link(online())]);
        self.asked();
    }

    pub(crate) fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.draw();
    }

    pub(crate) fn sees(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    /// Whether anything is called exactly so.
    pub(crate) fn has(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    /// Types into the field with this label, in place of what is there.
    pub(crate) fn fill(&mut self, label: &str, text: &str) {
        self.harness.get_by_label(label).click();
        self.draw();
        self.harness.key_press_modifiers(eframe::egui::Modifiers::COMMAND, eframe::egui::Key::A);
        self.draw();
        self.harness.get_by_label(label).type_text(text);
        self.draw();
    }

    pub(crate) fn press(&mut self, key: eframe::egui::Key) {
        self.harness.key_press(key);
        self.draw();
    }
}

pub(crate) fn station(needs_first_account: bool) -> StationView {
    StationView {
        name: "Workshop".into(),
        address: "127.0.0.1:48443".into(),
        fingerprint: own_fingerprint(),
        version: "0.1.0".into(),
        needs_first_account,
        sign_up_open: true,
        roles: vec![
            ("publisher".into(), "Sends readings and messages.".into()),
            ("subscriber".into(), "Reads what others send.".into()),
        ],
        otp_required: false,
        clock_ahead_ms: 40,
        known_accounts: if needs_first_account { Vec::new() } else { vec!["ada".into()] },
    }
}

pub(crate) fn account(role: &str) -> AccountView {
    let rule = |right, filter: &str| Rule { effect: Effect::Allow, right, filter: filter.into() };
    let rules = match role {
        "publisher" => vec![rule(Right::Publish, "#")],
        "subscriber" => vec![rule(Right::Subscribe, "#")],
        _ => vec![rule(Right::Both, "#"), rule(Right::Subscribe, "$SYS/#")],
    };
    AccountView {
        username: "ada".into(),
        role: Role {
            name: role.into(),
            description: "May do what its rules say.".into(),
            admin: role == "admin",
            rules,
        },
        otp: false,
        recovery_codes_left: 8,
        client_id: "sw-4f1c".into(),
        folder: "/home/ada/.local/share/sealwire/clients/5ea1/ada".into(),
        first_time_here: true,
    }
}

pub(crate) fn online() -> LinkState {
    LinkState::Online {
        broker: "mqtts://127.0.0.1:8883".into(),
        protocol: "MQTT 5".into(),
        tls: "TLS 1.3".into(),
        max_packet: 1 << 20,
    }
}

pub(crate) fn recovery_codes() -> Vec<Password> {
    (0..8).map(|index| Password::new(format!("7K3M{index}-QW2ZT-8YH4N-PB6RX-DV9CJ"))).collect()
}

pub(crate) fn enrolment() -> EnrolmentView {
    EnrolmentView {
        secret: Password::new("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
        uri: Password::new(
            "otpauth://totp/Sealwire:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Sealwire",
        ),
    }
}

pub(crate) fn key(label: &str, filter: &str) -> KeyView {
    KeyView {
        id: label.into(),
        label: label.into(),
        filters: vec![TopicFilter::new(filter).expect("a filter")],
        suite: Suite::CoseA256Gcm,
        kid: "9f86d081884c7d659a2feaa0c55ad015".into(),
        fingerprint: "9f86 d081 884c 7d65".into(),
        created_ms: 1_795_000_000_000,
        seals: true,
        ..KeyView::default()
    }
}

pub(crate) fn outbox(id: i64, state: OutboxState) -> OutboxEntry {
    OutboxEntry {
        id,
        queued_ms: 1_795_000_000_000,
        topic: TopicName::new("plant/line-1/press").expect("a topic"),
        qos: 1,
        retain: false,
        sealed_with: Some(SealedWith {
            label: "Plant".into(),
            kid: "9f86".into(),
            suite: Suite::CoseA256Gcm,
            profile: None,
            signed: false,
        }),
        plain_len: 40,
        wire_len: 132,
        state,
    }
}

pub(crate) fn audit_lines(count: u64) -> Event {
    let topics =
        ["plant/line-1/press", "plant/line-1/state", "plant/hvac/co2", "plant/line-2/robot-arm/joint-4"];
    let lines = (0..count)
        .rev()
        .map(|index| {
            let ok = index % 17 != 3;
            AuditLine {
                number: index + 1,
                time_ms: 1_795_000_000_000 + index * 1_500,
                action: if index == 0 { "connect" } else { "publish" }.into(),
                topic: (index > 0).then(|| topics[index as usize % topics.len()].into()),
                outcome: if ok { "acknowledged" } else { "refused: no key" }.into(),
                ok,
                kid: ok.then(|| "9f86d081884c7d659a2feaa0c55ad015".into()),
                suite: ok.then(|| "cose-a256gcm".into()),
                plain_len: ok.then_some(40 + index % 90),
                wire_len: ok.then_some(132 + index % 90),
                hash: format!("{index:08x}").repeat(8),
            }
        })
        .collect();
    Event::AuditLines { log: AuditLog::Publisher, lines, total: count }
}

pub(crate) fn verdict(broken: Option<&str>) -> Event {
    Event::AuditVerified {
        log: AuditLog::Publisher,
        verdict: AuditVerdict {
            lines: 1_204,
            anchored: Some(1_000),
            broken: broken.map(str::to_owned),
            path: "/home/ada/.local/share/sealwire/logs/ada/publisher_audit.log".into(),
            set_aside: Vec::new(),
        },
    }
}

pub(crate) fn device(id: i64, label: &str) -> DeviceView {
    DeviceView { id, label: label.into(), created_ms: 1_795_000_000_000 }
}

pub(crate) fn subscription(filter: &str, qos: u8, granted: Result<u8, String>) -> SubscriptionView {
    SubscriptionView { filter: TopicFilter::new(filter).expect("a filter"), qos, granted: Some(granted) }
}
