//! The dialog "Another broker…": where it is, how it wants to be met, and a try without consequences.

use eframe::egui::{Context, Label, RichText, Ui, vec2};

use crate::{
    client::{
        Asked, ClientIdentity, Command, Endpoint, EndpointError, MqttTransport, MqttVersion, OtherBroker,
        OtherBrokerView, Password, sentence,
    },
    desktop::{
        dialogs::{PemFile, PemOpener},
        fonts, icons,
        model::{Model, Outbound, problem_of},
        theme::tokens,
        widgets::{
            Banner, Button, ButtonKind, DialogButton, Problem, SecretText, Severity, TextField, dialog,
            dialog_buttons, field_label, icon_button_small, muted, problem, segmented_explained, toggle,
        },
    },
};

const TRANSPORTS: [(MqttTransport, &str, &str); 4] = [
    (MqttTransport::Tls, "TLS", "mqtts://, usually port 8883"),
    (MqttTransport::Tcp, "TCP", "mqtt://, usually port 1883: not encrypted on the way"),
    (MqttTransport::Wss, "WebSocket + TLS", "wss://, usually port 443"),
    (MqttTransport::Ws, "WebSocket", "ws://, usually port 80: not encrypted on the way"),
];

const VERSIONS: [(MqttVersion, &str, &str); 2] = [
    (MqttVersion::V5, "MQTT 5", "Tells why it refuses what it refuses"),
    (MqttVersion::V311, "MQTT 3.1.1", "For brokers that do not speak MQTT 5"),
];

/// Width of a file's title, so that the buttons stand below one another.
const TITLE_WIDTH: f32 = 140.0;

/// The field that an error stands beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Address,
    Path,
    Username,
    File(PemFile),
}

impl Field {
    const fn of(error: &EndpointError) -> Self {
        match error {
            EndpointError::Path(_) => Self::Path,
            EndpointError::PasswordWithoutUser => Self::Username,
            EndpointError::Ca | EndpointError::NoSystemRoots => Self::File(PemFile::Ca),
            EndpointError::Certificate | EndpointError::Identity(_) => Self::File(PemFile::Certificate),
            EndpointError::Key => Self::File(PemFile::Key),
            _ => Self::Address,
        }
    }
}

/// A PEM file that was chosen, or is kept.
#[derive(Debug)]
struct Pem {
    name: String,
    /// Empty for a private key that is kept: it is not shown.
    text: SecretText,
}

/// What is typed and chosen.
#[derive(Debug)]
pub(super) struct BrokerForm {
    address: String,
    transport: MqttTransport,
    version: MqttVersion,
    path: String,
    username: String,
    password: SecretText,
    /// A password or a key is kept already, for the broker that is set.
    keeps_password: bool,
    keeps_secrets: bool,
    ca: Option<Pem>,
    certificate: Option<Pem>,
    key: Option<Pem>,
    client_id: String,
    keep_session: bool,
    opener: PemOpener,
    unread: Option<(PemFile, Problem)>,
    wrong: Option<(Field, String)>,
    tested: Option<String>,
    opened: bool,
}

impl BrokerForm {
    /// Filled in with the broker that is set, if one is.
    pub(super) fn of(view: Option<&OtherBrokerView>) -> Self {
        let fresh = Endpoint::new(MqttTransport::Tls, "", 0);
        let endpoint = view.map_or(&fresh, |view| &view.endpoint);
        let kept =
            |text: &str| Pem { name: "the file that is kept".to_owned(), text: SecretText::from(text) };
        Self {
            address: if view.is_some() { endpoint.place() } else { String::new() },
            transport: endpoint.transport,
            version: endpoint.version,
            path: if endpoint.path.is_empty() { "/mqtt".to_owned() } else { endpoint.path.clone() },
            username: endpoint.username.clone().unwrap_or_default(),
            password: SecretText::new(),
            keeps_password: view.is_some_and(|view| view.has_password),
            keeps_secrets: view.is_some(),
            ca: endpoint.ca.as_deref().map(kept),
            certificate: endpoint.identity.as_ref().map(|identity| kept(&identity.certificate)),
            key: endpoint.identity.as_ref().map(|_| kept("")),
            client_id: endpoint.client_id.clone().unwrap_or_default(),
            keep_session: endpoint.keep_session,
            opener: PemOpener::default(),
            unread: None,
            wrong: None,
            tested: None,
            opened: false,
        }
    }

    /// The broker answered a try.
    pub(super) fn tested(&mut self, address: &str, told: &str) {
        self.tested = Some(format!("{address}: {told}"));
    }

    /// What is written down, or the field that is wrong and why.
    fn endpoint(&self) -> Result<Endpoint, (Field, String)> {
        let wrong = |error: EndpointError| (Field::of(&error), sentence(&error.to_string()));
        let address = self.address.trim();
        let names_path = address.split_once("://").map_or(address, |(_, rest)| rest).contains('/');
        let url = match address.contains("://") {
            true => address.to_owned(),
            false => format!("{}://{address}", self.transport.scheme()),
        };
        let mut endpoint = Endpoint::parse(&url).map_err(wrong)?;
        if endpoint.transport.is_web_socket() && !names_path {
            self.path.trim().clone_into(&mut endpoint.path);
        }
        endpoint.version = self.version;
        if !self.username.trim().is_empty() {
            endpoint.username = Some(self.username.trim().to_owned());
        }
        endpoint.password = (!self.password.is_empty()).then(|| Password::new(self.password.as_str()));
        if endpoint.transport.is_encrypted() {
            endpoint.ca = self.ca.as_ref().map(|pem| pem.text.as_str().to_owned());
            endpoint.identity = self.identity()?;
        }
        let id = self.client_id.trim();
        endpoint.client_id = (!id.is_empty()).then(|| id.to_owned());
        endpoint.keep_session = self.keep_session;
        // A key that is kept is not here to be read.
        let mut readable = endpoint.clone();
        readable.identity = readable.identity.filter(|identity| !identity.key.reveal().is_empty());
        readable.check_files().map_err(wrong)?;
        Ok(endpoint)
    }

    fn identity(&self) -> Result<Option<ClientIdentity>, (Field, String)> {
        match (&self.certificate, &self.key) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(ClientIdentity {
                certificate: certificate.text.as_str().to_owned(),
                key: Password::new(key.text.as_str()),
            })),
            (Some(_), None) => {
                Err((Field::File(PemFile::Key), "Choose the key that belongs to the certificate.".to_owned()))
            }
            (None, Some(_)) => {
                let why = "Choose the certificate that belongs to the key.".to_owned();
                Err((Field::File(PemFile::Certificate), why))
            }
        }
    }

    fn error(&self, field: Field) -> Option<&str> {
        self.wrong.as_ref().filter(|(of, _)| *of == field).map(|(_, why)| why.as_str())
    }

    /// Draws it. True when it is to be closed.
    pub(super) fn show(&mut self, ctx: &Context, model: &mut Model, out: &mut Outbound) -> bool {
        self.take_file();
        let trying = model.is_pending(Asked::TestBroker);
        let busy = model.is_pending(Asked::Broker);
        let mut asks_to_try = false;
        let answer = dialog(ctx, "another broker", "Another broker", 560.0, |ui| {
            let changed = self.fields(ui);
            if changed {
                (self.wrong, self.tested) = (None, None);
            }
            ui.add_space(4.0);
            for (what, why) in OtherBrokerView::remarks(self.version, self.transport) {
                Banner::new(Severity::Warning, what).why(why).show(ui);
            }
            let failure =
                [Asked::Broker, Asked::TestBroker].into_iter().find_map(|asked| model.failure(asked));
            problem(ui, failure.map(problem_of).as_ref());
            if let Some(told) = &self.tested {
                Banner::new(Severity::Success, "The broker lets you in.").why(told).show(ui);
            }
            let named = !self.address.trim().is_empty();
            ui.horizontal(|ui| {
                let test = Button::secondary("Test the connection").icon(icons::PLUGS);
                asks_to_try = test.enabled(named && !busy).busy(trying).show(ui).clicked();
                muted(ui, "Connects once; nothing is kept or sent.");
            });
            dialog_buttons(ui, ButtonKind::Primary, "Use this broker", named && !trying, busy)
        });
        let use_it = answer.inner == Some(DialogButton::Confirm);
        if use_it || asks_to_try {
            model.dismiss(Asked::Broker);
            model.dismiss(Asked::TestBroker);
            (self.wrong, self.tested) = (None, None);
            match self.endpoint() {
                Ok(endpoint) => {
                    let other = Box::new(OtherBroker { endpoint, keep_secrets: self.keeps_secrets });
                    out.send(match use_it {
                        true => Command::SetBroker(Some(other)),
                        false => Command::TestBroker(other),
                    });
                }
                Err(wrong) => self.wrong = Some(wrong),
            }
        }
        answer.close || answer.inner == Some(DialogButton::Cancel)
    }

    /// True when something changed.
    fn fields(&mut self, ui: &mut Ui) -> bool {
        let focus = !std::mem::replace(&mut self.opened, true);
        let error = self.error(Field::Address).map(str::to_owned);
        let address = TextField::new("Address of the broker", &mut self.address)
            .icon(icons::GLOBE)
            .hint("mqtts://broker.example:8883")
            .help("A host, with a port where it is not the usual one; or a whole URL. Never a password.")
            .mono()
            .limit(1_024)
            .focus(focus)
            .error(error.as_deref())
            .show(ui);
        let mut changed = address.changed();
        if changed && let Ok(endpoint) = Endpoint::parse(&self.address) {
            self.transport = endpoint.transport;
            if let Some(user) = endpoint.username {
                self.username = user;
            }
        }
        let before = self.transport;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            ui.vertical(|ui| {
                field_label(ui, "Connection");
                changed |= segmented_explained(ui, "Connection", &mut self.transport, &TRANSPORTS);
            });
            ui.vertical(|ui| {
                field_label(ui, "Version");
                changed |= segmented_explained(ui, "Version of MQTT", &mut self.version, &VERSIONS);
            });
        });
        if self.transport != before
            && let Some((_, rest)) = self.address.split_once("://")
        {
            // The address says the same as the choice below it.
            self.address = format!("{}://{rest}", self.transport.scheme());
        }
        if self.transport.is_web_socket() {
            let error = self.error(Field::Path).map(str::to_owned);
            let field = TextField::new("Path of the WebSocket", &mut self.path)
                .hint("/mqtt")
                .mono()
                .limit(1_024)
                .error(error.as_deref());
            changed |= field.show(ui).changed();
        }
        changed |= self.login(ui);
        if self.transport.is_encrypted() {
            for file in [PemFile::Ca, PemFile::Certificate, PemFile::Key] {
                changed |= self.file_row(ui, file);
            }
        }
        let id = TextField::new("Client id", &mut self.client_id)
            .hint("random")
            .help("Only where the broker wants a certain one.")
            .mono()
            .limit(256);
        changed |= id.show(ui).changed();
        changed |=
            toggle(ui, &mut self.keep_session, "The broker keeps what comes while you are away").changed();
        changed
    }

    fn login(&mut self, ui: &mut Ui) -> bool {
        let error = self.error(Field::Username).map(str::to_owned);
        let keeps = self.keeps_password;
        let Self { username, password, .. } = self;
        ui.columns_const(|[left, right]| {
            let user = TextField::new("Username there", username)
                .icon(icons::USER)
                .hint("none")
                .limit(512)
                .error(error.as_deref())
                .show(left);
            let field = TextField::new("Password there", password.edit())
                .icon(icons::LOCK_SIMPLE)
                .hint(if keeps { "the one that is kept" } else { "none" })
                .secret()
                .limit(4_096)
                .show(right);
            user.changed() || field.changed()
        })
    }

    fn slot(&mut self, file: PemFile) -> &mut Option<Pem> {
        match file {
            PemFile::Ca => &mut self.ca,
            PemFile::Certificate => &mut self.certificate,
            PemFile::Key => &mut self.key,
        }
    }

    fn take_file(&mut self) {
        let Some((file, opened)) = self.opener.poll() else { return };
        match opened {
            Ok((name, text)) => {
                *self.slot(file) = Some(Pem { name, text });
                (self.unread, self.wrong, self.tested) = (None, None, None);
            }
            Err(problem) => self.unread = Some((file, problem)),
        }
    }

    fn file_row(&mut self, ui: &mut Ui, file: PemFile) -> bool {
        let (title, without) = match file {
            PemFile::Ca => ("Certificate authority", "those that this computer trusts"),
            PemFile::Certificate => ("Client certificate", "none"),
            PemFile::Key => ("Its private key", "none"),
        };
        let t = tokens(ui);
        let mut removed = false;
        ui.horizontal(|ui| {
            let words = RichText::new(title).font(fonts::medium(12.5)).color(t.text);
            ui.allocate_ui(vec2(TITLE_WIDTH, 26.0), |ui| {
                ui.set_min_width(TITLE_WIDTH);
                ui.add(Label::new(words).truncate());
            });
            let choose = Button::ghost("Choose…").icon(icons::FOLDER_OPEN).busy(self.opener.is_open());
            if choose.tooltip(&format!("{title}: a PEM file")).show(ui).clicked() {
                self.opener.begin(ui.ctx(), file);
            }
            let name = self.slot(file).as_ref().map(|pem| pem.name.clone());
            let words = RichText::new(name.as_deref().unwrap_or(without)).font(fonts::regular(12.0));
            ui.add(Label::new(words.color(t.text_muted)).truncate());
            let has = name.is_some();
            if has && icon_button_small(ui, icons::X, &format!("{title}: take the file out")).clicked() {
                *self.slot(file) = None;
                removed = true;
            }
        });
        if let Some(why) = self.error(Field::File(file)) {
            let words = RichText::new(why).font(fonts::regular(12.0)).color(t.red.text);
            ui.add(Label::new(words).wrap());
        }
        if let Some((_, unread)) = self.unread.as_ref().filter(|(of, _)| *of == file) {
            problem(ui, Some(unread));
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(address: &str) -> BrokerForm {
        BrokerForm { address: address.into(), ..BrokerForm::of(None) }
    }

    #[test]
    fn a_host_alone_takes_the_connection_that_is_chosen_and_a_url_says_its_own() {
        let url = |form: &BrokerForm| form.endpoint().unwrap().to_string();
        assert_eq!(url(&BrokerForm { transport: MqttTransport::Tcp, ..typed(" h:1884 ") }), "mqtt://h:1884");
        assert_eq!(url(&typed("ws://u@h")), "ws://u@h:80/mqtt");
        assert_eq!(url(&BrokerForm { path: "/x".into(), ..typed("ws://h") }), "ws://h:80/x");
        assert_eq!(url(&BrokerForm { path: "/x".into(), ..typed("ws://h/y") }), "ws://h:80/y");
    }

    #[test]
    fn an_error_stands_beside_the_field_that_it_is_about() {
        let field = |form: &BrokerForm| form.endpoint().unwrap_err().0;
        assert_eq!(field(&typed("mqtt://a:b@h")), Field::Address);
        assert_eq!(
            field(&BrokerForm { password: SecretText::from("x"), ..typed("mqtt://h") }),
            Field::Username
        );
        assert_eq!(field(&BrokerForm { path: "x y".into(), ..typed("ws://h") }), Field::Path);
        let pem = || Some(Pem { name: "file".into(), text: SecretText::from("not PEM") });
        assert_eq!(field(&BrokerForm { ca: pem(), ..typed("mqtts://h") }), Field::File(PemFile::Ca));
        let alone = BrokerForm { certificate: pem(), ..typed("mqtts://h") };
        assert_eq!(field(&alone), Field::File(PemFile::Key));
    }

    #[test]
    fn what_is_set_is_filled_in_without_its_secrets() {
        let view = OtherBrokerView {
            endpoint: Endpoint {
                identity: Some(ClientIdentity { certificate: "C".into(), key: Password::default() }),
                ..Endpoint::parse("wss://u@[::1]:9443/x").unwrap()
            },
            has_password: true,
            encrypted: true,
        };
        let form = BrokerForm::of(Some(&view));
        assert_eq!(
            (form.address.as_str(), form.path.as_str(), form.username.as_str()),
            ("[::1]:9443", "/x", "u")
        );
        assert!(form.password.is_empty() && form.keeps_password && form.keeps_secrets);
        assert_eq!(form.endpoint().unwrap(), view.endpoint);
    }
}
