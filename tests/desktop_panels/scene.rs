//! A window with one page, a model filled with a plant's readings, and the far end played by the test.

use bytes::Bytes;
use eframe::egui::{self, Ui};
use egui_kittest::{Harness, kittest::Queryable};
use sealwire::{
    acl::{Role, RolePack},
    client::{
        AccountView, Asked, Command, EpochView, Event, Failure, KeyView, LinkState, Message, Opening,
        OutboxEntry, OutboxState, PeopleView, PersonView, SealedWith, SenderKey, Signatures, Standing,
        SubscriptionView, Suite,
    },
    desktop::{
        icons,
        model::{Model, Outbound, asked_by},
        panels::{KeysPanel, PublishPanel, StationPanel, WatchPanel},
        theme::{self, ThemeChoice},
        widgets::{RailEntry, Shell},
    },
    topic::{TopicFilter, TopicName},
};

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Page {
    Watch,
    Publish,
    Keys,
    Station,
}

pub(crate) struct Scene {
    pub(crate) model: Model,
    pub(crate) page: Page,
    pub(crate) watch: WatchPanel,
    pub(crate) publish: PublishPanel,
    pub(crate) keys: KeysPanel,
    pub(crate) station: StationPanel,
    pub(crate) out: Outbound,
    asked: usize,
}

impl Scene {
    pub(crate) fn new(page: Page, model: Model) -> Self {
        Self {
            model,
            page,
            watch: WatchPanel::default(),
            publish: PublishPanel::default(),
            keys: KeysPanel::default(),
            station: StationPanel::default(),
            out: Outbound::new(),
            asked: 0,
        }
    }

    /// What the app does with an event.
    pub(crate) fn tell(&mut self, event: Event) {
        self.watch.on_event(&event, &self.model);
        self.publish.on_event(&event, &self.model);
        self.keys.on_event(&event, &self.model);
        self.station.on_event(&event, &self.model);
        self.model.apply(event);
    }

    fn frame(&mut self, ui: &mut Ui) {
        let rail = [
            RailEntry::new(icons::BROADCAST, "Watch"),
            RailEntry::new(icons::PAPER_PLANE_TILT, "Publish"),
            RailEntry::new(icons::KEY, "Keys"),
            RailEntry::new(icons::COMPUTER_TOWER, "Station"),
        ];
        let (active, title) = match self.page {
            Page::Watch => (0, "Watch"),
            Page::Publish => (1, "Publish"),
            Page::Keys => (2, "Keys"),
            Page::Station => (3, "Station"),
        };
        let shell = Shell { rail: &rail, active, title };
        let Self { model, watch, publish, keys, station, out, page, .. } = self;
        let clicked = shell.show(
            ui,
            |_| {},
            |_| {},
            |_| {},
            |_| {},
            |ui| match page {
                Page::Watch => watch.ui(ui, model, out),
                Page::Publish => publish.ui(ui, model, out),
                Page::Keys => keys.ui(ui, model, out),
                Page::Station => station.ui(ui, model, out),
            },
        );
        if *page != Page::Station {
            station.rest(out);
        }
        match clicked {
            Some(0) => self.page = Page::Watch,
            Some(1) => self.page = Page::Publish,
            Some(2) => self.page = Page::Keys,
            Some(3) => self.page = Page::Station,
            _ => {}
        }
        for command in &self.out.commands()[self.asked..] {
            if let Some(asked) = asked_by(command) {
                self.model.ask(asked);
            }
        }
        self.asked = self.out.commands().len();
    }
}

pub(crate) fn open_at(scene: Scene, theme: ThemeChoice, size: [f32; 2]) -> Harness<'static, Scene> {
    let mut harness = Harness::builder()
        .with_size(size)
        .with_max_steps(60)
        .with_theme(if theme == ThemeChoice::Light { egui::Theme::Light } else { egui::Theme::Dark })
        .with_context_setup(move |ctx| {
            theme::apply(ctx, theme);
            theme::set_reduced_motion(ctx, true);
        })
        .build_ui_state(|ui: &mut Ui, scene: &mut Scene| scene.frame(ui), scene);
    settle(&mut harness);
    harness
}

pub(crate) fn open(scene: Scene) -> Harness<'static, Scene> {
    open_at(scene, ThemeChoice::Dark, [1440.0, 900.0])
}

/// Some frames: rates ask for one each second, so the window never stands still while messages are new.
pub(crate) fn settle(harness: &mut Harness<'_, Scene>) {
    harness.run_steps(4);
}

pub(crate) fn click(harness: &mut Harness<'_, Scene>, label: &str) {
    harness.get_by_label(label).click();
    settle(harness);
}

pub(crate) fn type_into(harness: &mut Harness<'_, Scene>, label: &str, text: &str) {
    harness.get_by_label(label).click();
    settle(harness);
    harness.get_by_label(label).type_text(text);
    settle(harness);
}

pub(crate) fn clear_field(harness: &mut Harness<'_, Scene>, label: &str) {
    harness.get_by_label(label).click();
    settle(harness);
    harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::A);
    harness.key_press(egui::Key::Backspace);
    settle(harness);
}

pub(crate) fn paste(harness: &mut Harness<'_, Scene>, label: &str, text: String) {
    harness.get_by_label(label).click();
    settle(harness);
    harness.event(egui::Event::Paste(text));
    settle(harness);
}

pub(crate) fn sees(harness: &Harness<'_, Scene>, text: &str) -> bool {
    harness.query_all_by_label_contains(text).next().is_some()
}

pub(crate) fn asked<'a>(harness: &'a Harness<'_, Scene>) -> &'a [Command] {
    harness.state().out.commands()
}

pub(crate) fn filter(text: &str) -> TopicFilter {
    TopicFilter::new(text).unwrap()
}

pub(crate) fn topic(text: &str) -> TopicName {
    TopicName::new(text).unwrap()
}

pub(crate) fn role(name: &str) -> Role {
    RolePack::parse(RolePack::DEFAULT).unwrap().role(name).unwrap().clone()
}

/// Logged in as a role, connected, nothing else.
pub(crate) fn model(role_name: &str) -> Model {
    let mut model = Model::new();
    model.apply(Event::LoggedIn(AccountView {
        username: "anna".into(),
        role: role(role_name),
        otp: true,
        recovery_codes_left: 8,
        client_id: "sealwire-7f3a".into(),
        folder: "state".into(),
        first_time_here: false,
    }));
    model.apply(Event::Link(LinkState::Online {
        broker: "mqtts://127.0.0.1:8883".into(),
        protocol: "MQTT 5".into(),
        tls: "TLS 1.3".into(),
        max_packet: 1 << 20,
    }));
    model
}

pub(crate) fn key(id: &str, label: &str, filters: &[&str], suite: Suite, seals: bool) -> KeyView {
    KeyView {
        id: id.into(),
        label: label.into(),
        filters: filters.iter().map(|text| filter(text)).collect(),
        suite,
        kid: format!("{id}4f09c2b7e1a85d3360f1d27c9be4a8"),
        fingerprint: "3F9A 71C4 08DE B256 9E07 44B1 C8F3 2A6D".into(),
        created_ms: 1_795_000_000_000,
        seals,
        ..KeyView::default()
    }
}

pub(crate) fn keys() -> Vec<KeyView> {
    vec![
        key("a1", "Plant", &["plant/#"], Suite::CoseA256Gcm, true),
        key("b2", "Fleet", &["fleet/+/gps", "fleet/+/state"], Suite::CoseChaCha20, true),
        key("c3", "Old gateway", &["legacy/#"], Suite::Fernet, true),
        key("d4", "Press, from Ben", &["plant/line-1/press/#"], Suite::CoseA256Gcm, false),
    ]
}

pub(crate) fn subscriptions() -> Vec<SubscriptionView> {
    vec![
        SubscriptionView { filter: filter("plant/#"), qos: 1, granted: Some(Ok(1)) },
        SubscriptionView { filter: filter("fleet/+/gps"), qos: 2, granted: Some(Ok(1)) },
        SubscriptionView {
            filter: filter("$SYS/#"),
            qos: 1,
            granted: Some(Err("The role subscriber has no rule for $SYS/#.".into())),
        },
    ]
}

/// Bytes that look like an envelope.
pub(crate) fn envelope(seed: u64, length: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let noise = (0..length).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    [0xd0, 0x83, 0x58, 0x4a, 0xa5, 0x01, 0x03, 0x04, 0x50].into_iter().chain(noise).collect()
}

pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

pub(crate) fn message(serial: i64, at: u64, name: &str, body: &str) -> Message {
    Message {
        serial,
        arrived_ms: at,
        topic: topic(name),
        qos: (serial % 3 != 0).into(),
        retained: serial % 17 == 0,
        wire: envelope(serial as u64, 120 + body.len()),
        opening: Opening::Opened {
            with: SealedWith {
                label: "Plant".into(),
                kid: "a14f09c2b7e1a85d3360f1d27c9be4a8".into(),
                suite: Suite::CoseA256Gcm,
                profile: None,
                signed: false,
            },
            body: Bytes::from(body.to_owned()),
            content_type: Some(if body.starts_with('{') { "application/json" } else { "text/plain" }.into()),
            sealed_at_ms: at - 11,
            will: false,
            signer: None,
            notes: Vec::new(),
        },
    }
}

pub(crate) fn refused(serial: i64, at: u64, name: &str, what: &str, why: &str) -> Message {
    let opening = Opening::Refused { name: what.into(), why: why.into() };
    Message { opening, ..message(serial, at, name, "") }
}

/// Five minutes of a plant and a fleet, about `count` messages, oldest first.
pub(crate) fn readings(count: i64) -> Vec<Message> {
    let now = now_ms();
    (0..count)
        .map(|n| {
            let serial = n + 1;
            let at = now - (count - 1 - n) as u64 * 300_000 / count as u64;
            let x = n as f64 / count as f64 * 18.0;
            match n % 8 {
                0 | 4 => message(serial, at, "plant/line-1/press/temperature", &format!("{{\"celsius\":{:.2},\"seq\":{}}}", 62.0 + 9.0 * x.sin() + (x * 9.0).sin(), 900_000 + n)),
                1 => message(serial, at, "plant/line-1/press/vibration", &format!("{{\"mm_s\":{:.3},\"seq\":{}}}", 38.0 + 6.0 * (x * 1.3).cos() + (x * 11.0).cos(), 900_000 + n)),
                2 => message(serial, at, "plant/line-1/press/state", "{\"state\":\"RUNNING\",\"shift\":2}"),
                3 => message(serial, at, "plant/hvac/co2", &format!("{:.0}", 412.0 + 20.0 * x.cos())),
                5 => message(serial, at, "fleet/truck-014/gps", &format!("{{\"fix\":\"3d\",\"lat\":{:.5},\"lon\":{:.5},\"speed_kmh\":{:.1},\"heading\":{},\"ignition\":true}}", 59.32932 + x / 1000.0, 18.06858 + x / 900.0, 60.0 + 12.0 * x.sin(), 200 + n % 60)),
                6 => message(serial, at, "plant/line-2/robot-arm/joint-3", &format!("{{\"motor\":{{\"rpm\":{:.0},\"amps\":{:.2}}},\"ok\":true}}", 1_480.0 + 40.0 * x.sin(), 3.1 + 0.4 * x.cos())),
                _ if n % 40 == 7 => refused(serial, at, "plant/line-2/vault", "No key", "It was sealed with a key that you do not have. Ask the sender for it, then import it in Keys."),
                _ if n % 40 == 15 => refused(serial, at, "plant/hvac/setpoint", "Altered", "The bytes were changed on the way: the seal does not hold. Ask for it to be sent again, and look who is on the way."),
                _ if n % 40 == 23 => {
                    let mut message = message(serial, at, "plant/line-2/state", "{\"state\":\"IDLE\"}");
                    if let Opening::Opened { notes, .. } = &mut message.opening {
                        notes.push("replayed as retained".into());
                    }
                    message
                }
                _ => Message { opening: Opening::InTheClear { body: Bytes::from_static(b"hall lights on") }, wire: Bytes::from_static(b"hall lights on"), ..message(serial, at, "public/hall", "") },
            }
        })
        .collect()
}

pub(crate) fn entry(id: i64, name: &str, state: OutboxState) -> OutboxEntry {
    OutboxEntry {
        id,
        queued_ms: now_ms() - (100 - id as u64) * 4_000,
        topic: topic(name),
        qos: 1,
        retain: false,
        sealed_with: Some(SealedWith {
            label: "Plant".into(),
            kid: "a14f09c2".into(),
            suite: Suite::CoseA256Gcm,
            profile: None,
            signed: false,
        }),
        plain_len: 42,
        wire_len: 192,
        state,
    }
}

/// A watcher in the middle of the day.
pub(crate) fn busy() -> Model {
    let mut model = model("admin");
    model.apply(Event::Keys(keys()));
    model.apply(Event::Subscriptions(subscriptions()));
    model.apply(Event::Messages(readings(1_600)));
    model
}

/// What somebody signs with; 1 is this account.
pub(crate) fn identity(number: u8) -> SenderKey {
    SenderKey::from_bytes([number; 32])
}

pub(crate) fn person(number: u8, standing: Standing) -> PersonView {
    let key = identity(number);
    let since_ms = if matches!(standing, Standing::Known { .. }) { 1_790_000_000_000 } else { 0 };
    PersonView { key, digits: key.digits(), standing, since_ms }
}

/// Ben was compared, Cleo was not, Dora's key has changed, Emil is called otherwise, and somebody is a stranger.
pub(crate) fn people() -> PeopleView {
    let known = |name: &str, compared| Standing::Known { name: name.into(), compared };
    PeopleView {
        own: Some(identity(1)),
        people: vec![
            person(2, known("ben", true)),
            person(3, known("cleo", false)),
            person(4, known("dora", true)),
            person(5, Standing::Changed { name: "dora".into(), known: identity(4) }),
            person(6, Standing::Renamed { name: "emil.k".into(), known: "emil".into() }),
            person(7, Standing::Stranger),
        ],
    }
}

/// The keyring with a key that was rotated and asks for signatures, and one that is retired.
pub(crate) fn seasoned_keys() -> Vec<KeyView> {
    let mut keys = keys();
    let epoch = |number: u32, retired_ms| EpochView {
        number,
        kid: if number == 3 {
            keys[0].kid.clone()
        } else {
            format!("e{number}4f09c2b7e1a85d3360f1d27c9be4a8")
        },
        fingerprint: "3F9A 71C4 08DE B256".into(),
        created_ms: 1_790_000_000_000 + u64::from(number) * 2_000_000_000,
        retired_ms,
    };
    let epochs = vec![epoch(3, None), epoch(2, Some(1_796_000_000_000)), epoch(1, Some(1_794_000_000_000))];
    keys[0].epochs = epochs;
    keys[0].signatures = Signatures::Accept;
    (keys[1].seals, keys[1].retired) = (false, true);
    keys
}

/// A message that was signed by somebody.
pub(crate) fn signed(serial: i64, at: u64, name: &str, body: &str, by: u8) -> Message {
    let mut message = message(serial, at, name, body);
    if let Opening::Opened { with, signer, .. } = &mut message.opening {
        with.signed = true;
        *signer = Some(identity(by));
    }
    message
}

pub(crate) fn failure(why: &str) -> Failure {
    Failure { what: "It was not done.".into(), why: why.into(), next: "Try again.".into(), retry_after: None }
}

pub(crate) fn fail(harness: &mut Harness<'_, Scene>, asked: Asked, why: &str) {
    harness.state_mut().tell(Event::Failed(asked, failure(why)));
    settle(harness);
}

pub(crate) fn tell(harness: &mut Harness<'_, Scene>, event: Event) {
    harness.state_mut().tell(event);
    settle(harness);
}
