//! One real window of the real program on a screen of its own, driven by its accessible names.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use eframe::egui::{
    Event, Key, Modifiers, PointerButton, Pos2,
    accesskit::{Node, NodeId, Role},
};
use egui_inspection::{Request, Response, protocol::read_handshake, read_message, write_message};

/// How long anything may take: hashing a password on a busy machine is the slowest.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A virtual screen for one window: without a window manager two would lie on each other, and a covered one does not
/// paint.
struct Screen {
    server: Child,
    display: String,
}

impl Screen {
    fn open() -> Self {
        // So large that the server's own pointer, which rests in the middle, lies outside every window.
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "3000x2000x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is needed: `tests/run windows` installs it");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        assert!(!number.trim().is_empty(), "Xvfb opened no display");
        Self { server, display: format!(":{}", number.trim()) }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// What is on the screen under one accessible name.
#[derive(Debug, Clone)]
pub struct Found {
    pub name: String,
    pub role: Role,
    pub value: String,
    pub enabled: bool,
    pub center: Pos2,
}

pub struct Window {
    process: Child,
    stream: TcpStream,
    _screen: Screen,
}

impl Window {
    /// Starts `sealwire` on `data` and waits until it can be driven.
    pub fn open(data: &Path) -> Self {
        let screen = Screen::open();
        // Bound and let go: the program takes the port a moment later.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut process = Command::new(env!("CARGO_BIN_EXE_sealwire"))
            .arg("--data")
            .arg(data)
            .env("DISPLAY", &screen.display)
            .env_remove("WAYLAND_DISPLAY")
            .env("EGUI_INSPECTION", format!("127.0.0.1:{port}"))
            .env("XDG_RUNTIME_DIR", data.parent().unwrap_or(data))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let until = Instant::now() + PATIENCE;
        let stream = loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) {
                break stream;
            }
            if let Some(status) = process.try_wait().unwrap() {
                let mut text = String::new();
                process.stderr.take().unwrap().read_to_string(&mut text).unwrap();
                panic!("the program ended ({status}) before its window came:\n{text}");
            }
            assert!(Instant::now() < until, "no window within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(20));
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        read_handshake(&stream).unwrap();
        let mut window = Self { process, stream, _screen: screen };
        window.resize(1440, 900);
        window
    }

    fn ask(&mut self, request: &Request) -> Response {
        write_message(&self.stream, request).unwrap();
        match read_message(&self.stream).unwrap() {
            Response::Error { message } => panic!("the window could not do it: {message}"),
            response => response,
        }
    }

    pub fn resize(&mut self, width: u32, height: u32) {
        self.ask(&Request::Resize { width, height });
    }

    /// Everything with an accessible name.
    pub fn look(&mut self) -> Vec<Found> {
        let Response::Tree { accesskit: Some(tree), .. } = self.ask(&Request::GetTree) else {
            return Vec::new();
        };
        let text_of = |node: &Node| node.label().or_else(|| node.value()).map(str::to_owned);
        let by_id = |id: &NodeId| tree.nodes.iter().find(|(other, _)| other == id).map(|(_, node)| node);
        tree.nodes
            .iter()
            .filter_map(|(_, node)| {
                let labelled = || node.labelled_by().iter().filter_map(by_id).find_map(&text_of);
                let name = node.label().map(str::to_owned).or_else(labelled).or_else(|| text_of(node))?;
                let bounds = node.bounds()?;
                Some(Found {
                    name,
                    role: node.role(),
                    value: node.value().unwrap_or_default().to_owned(),
                    enabled: !node.is_disabled(),
                    center: Pos2::new(
                        f32::midpoint(bounds.x0 as f32, bounds.x1 as f32),
                        f32::midpoint(bounds.y0 as f32, bounds.y1 as f32),
                    ),
                })
            })
            .collect()
    }

    /// Waits for something that can be read, by part of its name or value.
    pub fn see(&mut self, text: &str) -> Found {
        self.wait_for(&format!("“{text}”"), |found| {
            found.name.contains(text) || found.value.contains(text)
        })
    }

    /// Waits for a text or value that is as wanted, and returns it.
    pub fn see_value(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let found = self.wait_for("a value", |found| wanted(&found.value) || wanted(&found.name));
        if wanted(&found.value) { found.value } else { found.name }
    }

    /// Whether a control with exactly this name is there now.
    pub fn has(&mut self, name: &str) -> bool {
        self.look().iter().any(|found| found.name == name && found.role != Role::Label)
    }

    /// Through the palette: types a name and takes the first entry.
    pub fn jump(&mut self, typed: &str) {
        self.key(Key::K, Modifiers::COMMAND);
        self.see("Search or jump to");
        self.apply(vec![Event::Text(typed.to_owned())]);
        self.settle();
        self.key(Key::Enter, Modifiers::NONE);
    }

    /// Ends the program without warning.
    pub fn close(mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits for an enabled control with exactly this name.
    fn control(&mut self, name: &str, inputs: bool) -> Found {
        let is_input = |role| {
            matches!(
                role,
                Role::TextInput
                    | Role::MultilineTextInput
                    | Role::PasswordInput
                    | Role::SearchInput
                    | Role::SpinButton
                    | Role::NumberInput
            )
        };
        let mut before = None;
        loop {
            let found = self.wait_for(&format!("the control “{name}”"), |found| {
                found.name == name
                    && found.enabled
                    && found.role != Role::Label
                    && (is_input(found.role) || !inputs)
            });
            // What still moves, while a screen comes in, would be missed by the click.
            if before == Some(found.center) {
                return found;
            }
            before = Some(found.center);
        }
    }

    fn wait_for(&mut self, what: &str, wanted: impl Fn(&Found) -> bool) -> Found {
        let until = Instant::now() + PATIENCE;
        loop {
            let seen = self.look();
            if let Some(found) = seen.iter().find(|found| wanted(found)) {
                return found.clone();
            }
            if Instant::now() >= until {
                let shot = std::env::temp_dir().join("sealwire-window-stuck.png");
                self.picture(&shot);
                let names: Vec<_> =
                    seen.iter().map(|f| format!("{:?} “{}” {}", f.role, f.name, f.value)).collect();
                panic!("{what} did not come. See {}. On the screen:\n{}", shot.display(), names.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn click(&mut self, name: &str) {
        let at = self.control(name, false).center;
        self.click_at(at);
    }

    /// Clicks whatever holds this text, a table's row for example.
    pub fn click_text(&mut self, text: &str) {
        let at = self.see(text).center;
        self.click_at(at);
    }

    fn click_at(&mut self, pos: Pos2) {
        let button = |pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::default(),
        };
        self.apply(vec![Event::PointerMoved(pos)]);
        self.apply(vec![button(true)]);
        self.apply(vec![button(false)]);
        self.settle();
    }

    fn apply(&mut self, events: Vec<Event>) {
        self.ask(&Request::ApplyEvents { events });
    }

    fn settle(&mut self) {
        self.ask(&Request::Settle { max_steps: 20 });
    }

    /// Clicks into a field, empties it, and types.
    pub fn fill(&mut self, name: &str, text: &str) {
        let at = self.control(name, true).center;
        self.click_at(at);
        self.key(Key::A, Modifiers::COMMAND);
        self.apply(vec![Event::Text(text.to_owned())]);
        self.settle();
    }

    pub fn key(&mut self, key: Key, modifiers: Modifiers) {
        let event = |pressed| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        self.apply(vec![event(true), event(false)]);
        self.settle();
    }

    /// Keeps what the window shows.
    pub fn picture(&mut self, path: &Path) {
        // The pointer leaves, so that nothing is lit by it.
        self.apply(vec![Event::PointerGone]);
        self.settle();
        let Response::Screenshot(png) = self.ask(&Request::GetScreenshot { pixels_per_point: None }) else {
            panic!("no picture came")
        };
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, png.bytes).unwrap();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
