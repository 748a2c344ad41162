//! The commands at a real station: accounts, vaults, roles, signatures.

use sealwire::client::{Command, Event, Password};

use crate::{
    harness::{Desk, Done, Listener, Mosquitto},
    support::{Person, Station, password},
};

struct Scene {
    desk: Desk,
    station: Station,
    admin: Person,
}

impl Scene {
    fn open() -> Self {
        let desk = Desk::new();
        let station = Station::start(&desk.path("station"), &[]);
        let admin = Person::sign_up(&station, &desk.path("ada"), "ada", None);
        Self { desk, station, admin }
    }

    fn link(&self) -> String {
        format!("sealwire://{}/#{}", self.station.api, self.station.fingerprint)
    }

    fn sign_up(&self, name: &str, role: &str) {
        Person::sign_up(&self.station, &self.desk.path(name), name, Some(role));
    }

    /// A command of somebody with their password in the environment.
    fn run(&self, user: &str, args: &[&str]) -> Done {
        let link = self.link();
        let args = [args, &["--station", &link, "--user", user]].concat();
        let password = password(user);
        Done::of(self.desk.sealwire(&args).env("SEALWIRE_PASSWORD", password.reveal()).output().unwrap())
    }

    fn listen(&self, user: &str, args: &[&str]) -> Listener {
        let link = self.link();
        let args = [args, &["--station", &link, "--user", user]].concat();
        Listener::start(&self.desk, &args, &[("SEALWIRE_PASSWORD", password(user).reveal())])
    }
}

#[test]
fn an_account_publishes_and_subscribes_with_its_vault_s_keys_beside_an_open_window() {
    let scene = Scene::open();
    for suite in ["cose-a256gcm", "cose-chacha20", "fernet", "aes-cbc-hmac"] {
        let filter = format!("{suite}/#");
        scene.run("ada", &["key", "new", suite, "-t", &filter, "--suite", suite]).ok();
        let mut listener = scene.listen("ada", &["-t", &filter, "--json", "--count", "1"]);
        let topic = format!("{suite}/x");
        let told = scene.run("ada", &["pub", "-t", &topic, "-m", "21.5", "-q", "2", "--json"]).ok().lines();
        assert_eq!((&told[0]["suite"], &told[0]["key"]), (&suite.into(), &suite.into()));
        let message = listener.json();
        assert_eq!((&message["body"], &message["suite"]), (&"21.5".into(), &suite.into()));
        listener.rest().ok();
    }
    // The window is there still, and sees on its next look what the terminal made.
    scene.admin.watch("cose-a256gcm/#");
}

#[test]
fn a_check_sees_the_station_that_runs_and_the_ports_that_are_taken() {
    let scene = Scene::open();
    let check = |folder: &str, args: &[&str], checks: bool| {
        let folder = scene.desk.path(folder);
        let mut all = vec!["--data", folder.to_str().unwrap(), "station"];
        let free = [["--listen", "127.0.0.1:0"], ["--api", "127.0.0.1:0"]];
        all.extend(free.iter().filter(|option| !args.contains(&option[0])).flatten().copied());
        all.extend(args);
        all.extend(checks.then_some("--check"));
        scene.desk.run(&all)
    };
    // The same words as the start's.
    for checks in [true, false] {
        let done = check("station", &[], checks).ends(1);
        assert!(done.err.contains("another station already runs on"), "{}", done.err);
        for option in ["--listen", "--api", "--plain", "--websocket", "--websocket-tls", "--metrics"] {
            let done = check("other", &[option, &scene.station.api], checks).ends(1);
            assert!(done.err.contains(&format!("on {}", scene.station.api)), "{option}: {}", done.err);
            assert!(done.err.contains("another program has this port"), "{option}: {}", done.err);
            assert!(!scene.desk.path("other").exists(), "{option} left something behind");
        }
    }
    check("other", &[], true).ok();
    assert!(!scene.desk.path("other").exists(), "a check made something");
}

#[test]
fn a_signature_tells_the_account_and_its_digits_can_be_compared() {
    let scene = Scene::open();
    scene.sign_up("ben", "subscriber");
    scene.run("ada", &["key", "new", "Plant", "-t", "plant/#", "--out", "plant.key"]).ok();
    let identity = scene.run("ada", &["key", "identity"]).ok().text();
    let (identity, digits) = identity.trim().split_once('\n').unwrap();
    assert_eq!((identity.len(), digits.split(' ').count()), (64, 12));
    let sub = ["-t", "plant/#", "--json", "--count", "1"];
    let mut own = scene.listen("ada", &sub);
    let known = format!("anna={identity}");
    let mut other =
        scene.listen("ben", &[&sub[..], &["--key-line", "plant.key", "--known", &known]].concat());
    scene.run("ada", &["pub", "-t", "plant/x", "-m", "signed", "--sign"]).ok();
    let message = own.json();
    assert_eq!((&message["sender"], &message["signature"]), (&"yourself".into(), &"compared".into()));
    let message = other.json();
    assert_eq!((&message["sender"], &message["signature"]), (&"anna".into(), &"known".into()));
    assert_eq!(message["sender_key"], identity);

    // What the key asks for holds without --sign, too, and what is not signed is refused.
    scene
        .run("ada", &["key", "new", "Must", "-t", "must/#", "--signatures", "require", "--out", "must.key"])
        .ok();
    let mut listener = scene.listen("ada", &["-t", "must/#", "--json", "--count", "1"]);
    scene.run("ada", &["pub", "-t", "must/x", "-m", "signed"]).ok();
    assert_eq!(listener.json()["signature"], "compared");
    listener.rest().ok();
}

#[test]
fn the_station_s_word_on_who_signed_is_shown_as_such_and_never_taken_over_a_known_key() {
    let scene = Scene::open();
    scene.sign_up("cem", "publisher");
    for (label, signatures) in [("Must", "require"), ("May", "accept")] {
        let (filter, file) = (format!("{label}/#"), format!("{label}.key"));
        let made = ["key", "new", label, "-t", &filter, "--signatures", signatures, "--out", &file];
        scene.run("ada", &made).ok();
        scene.run("cem", &["key", "import", &file]).ok();
    }
    let told = |name: &str, signature: &str, verdict: &str, message: &serde_json::Value| {
        let name = Some(name).filter(|name| !name.is_empty());
        assert_eq!(message["sender"].as_str(), name, "{message}");
        assert_eq!((&message["signature"], &message["verdict"]), (&signature.into(), &verdict.into()));
        message["notes"].to_string()
    };
    let mut must = scene.listen("ada", &["-t", "Must/#", "--json", "--count", "1"]);
    let mut may = scene.listen("ada", &["-t", "May/#", "--json", "--count", "1"]);
    let strict = scene.listen("ada", &["-t", "May/#", "--strict"]);
    let ada = scene.run("ada", &["key", "identity"]).ok().text();
    let other = format!("cem={}", ada.lines().next().unwrap());
    // Here the name is known, and with another key than the one that the station gives it.
    let known = ["-t", "#", "--json", "--key-line", "Must.key", "--key-line", "May.key", "--known", &other];
    scene.sign_up("ben", "subscriber");
    let mut changed = scene.listen("ben", &known);
    scene.run("cem", &["pub", "-t", "May/x", "-m", "by somebody new"]).ok();
    scene.run("cem", &["pub", "-t", "Must/x", "-m", "by somebody new"]).ok();

    assert!(told("cem", "told", "fresh", &may.json()).contains("the station says that cem"));
    may.rest().ok();
    // Where a signature of somebody known is asked for, the station's word is not enough.
    told("cem", "told", "unknown-signer", &must.json());
    let refused = strict.rest().ends(3);
    assert!(refused.out.is_empty() && refused.err.contains("unknown-signer"), "{refused:?}");
    for _ in 0..2 {
        let notes = told("", "changed", "changed-key", &changed.json());
        assert!(notes.contains("the station says this is cem, who is known with another key"), "{notes}");
    }
    // A person says that it is cem, and then it is.
    let cem = scene.run("cem", &["key", "identity"]).ok().text();
    let cem = format!("cem={}", cem.lines().next().unwrap());
    let mut strict =
        scene.listen("ada", &["-t", "Must/#", "--json", "--strict", "--count", "1", "--known", &cem]);
    scene.run("cem", &["pub", "-t", "Must/x", "-m", "by somebody known"]).ok();
    told("cem", "known", "fresh", &strict.json());
    strict.rest().ok();
}

#[test]
fn an_account_s_keys_and_signature_go_through_another_broker_too() {
    let (scene, broker) = (Scene::open(), Mosquitto::start());
    let url = broker.url();
    let made = ["key", "new", "Must", "-t", "must/#", "--signatures", "require", "--out", "must.key"];
    scene.run("ada", &made).ok();
    let identity = scene.run("ada", &["key", "identity"]).ok().text();
    let identity = identity.lines().next().unwrap();
    scene.run("ada", &["pub", "-t", "must/x", "-m", "signed", "-r", "--broker", &url]).ok();
    let sub = ["sub", "--broker", &url, "-t", "must/x", "--key-line", "must.key", "--count", "1", "--strict"];
    let known = format!("ada={identity}");
    assert_eq!(scene.desk.run(&[&sub[..], &["--known", &known]].concat()).ok().out, b"signed\n");
    // The key asks for a signature of somebody known, and without an account nobody is.
    let withheld = scene.desk.run(&sub).ends(3);
    assert!(withheld.out.is_empty() && withheld.err.contains("unknown-signer"), "{withheld:?}");
    // Nor can anybody publish without something to sign with.
    let publish = ["pub", "--broker", &url, "-t", "must/x", "--key-line", "must.key", "-m", "x"];
    assert!(scene.desk.run(&publish).ends(1).err.contains("nothing to sign with"));
}

#[test]
fn a_one_time_code_is_asked_for_where_the_account_has_them() {
    let scene = Scene::open();
    let anna = Person::sign_up(&scene.station, &scene.desk.path("anna"), "anna", Some("publisher"));
    anna.ask(Command::BeginOtp);
    let enrolment = anna.expect("one-time codes", |event| match event {
        Event::Enrolment(enrolment) => Some(enrolment.clone()),
        _ => None,
    });
    let totp = totp_rs::Totp::from_url(enrolment.uri.reveal()).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    anna.ask(Command::ConfirmOtp { code: Password::new(totp.generate(now).to_string()) });
    anna.expect("codes are on", |event| matches!(event, Event::OtpOn).then_some(()));
    let args = ["pub", "-t", "a", "-m", "x", "--in-the-clear"];
    scene.run("anna", &args).ends(4);
    let link = scene.link();
    let all = [&args[..], &["--station", &link, "--user", "anna"]].concat();
    let password = password("anna");
    let publish = |code: &str| {
        let mut process = scene.desk.sealwire(&all);
        Done::of(
            process.env("SEALWIRE_PASSWORD", password.reveal()).env("SEALWIRE_OTP", code).output().unwrap(),
        )
    };
    // A code works once, so this is the next one, which the station takes already.
    let code = totp.generate(now + 30).to_string();
    publish(&code).ok();
    publish(&code).ends(4);
}

#[test]
fn the_vault_s_keys_are_changed_from_the_terminal() {
    let scene = Scene::open();
    scene.run("ada", &["key", "new", "Plant", "-t", "plant/#"]).ok();
    let first = scene.run("ada", &["key", "fingerprint", "Plant"]).ok().text();
    scene.run("ada", &["key", "rotate", "Plant"]).ok();
    assert_ne!(scene.run("ada", &["key", "fingerprint", "Plant"]).ok().text(), first);
    scene.run("ada", &["key", "export", "Plant", "--form", "line", "--out", "plant.key"]).ok();
    scene.run("ada", &["key", "delete", "Plant", "--yes"]).ok();
    assert_eq!(scene.run("ada", &["key", "list", "--json"]).ok().text(), "[]\n");
    let imported = scene.run("ada", &["key", "import", "plant.key"]).ok().text();
    assert!(imported.contains("“Plant” seals and opens"), "{imported}");
    scene.run("ada", &["key", "retire", "Plant"]).ok();
    let refused = scene.run("ada", &["pub", "-t", "plant/x", "-m", "x"]).ends(1);
    assert!(refused.err.contains("only open"), "{refused:?}");
}

#[test]
fn commands_that_change_one_vault_at_the_same_time_all_get_their_key_in() {
    let scene = Scene::open();
    // More logins at once the station takes for guessing.
    let labels = ["a", "b", "c", "d"];
    let (link, password) = (scene.link(), password("ada"));
    let begin = |label: &str| {
        let args = ["key", "new", label, "-t", label, "--station", &link, "--user", "ada"];
        scene.desk.sealwire(&args).env("SEALWIRE_PASSWORD", password.reveal()).spawn().unwrap()
    };
    for running in labels.map(begin) {
        Done::of(running.wait_with_output().unwrap()).ok();
    }
    let keys = scene.run("ada", &["key", "list", "--json"]).ok().lines().remove(0);
    let mut made: Vec<&str> =
        keys.as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    made.sort_unstable();
    assert_eq!(made, labels);
}

#[test]
fn a_vault_older_than_one_seen_here_is_refused() {
    let scene = Scene::open();
    let seen = || {
        let text = std::fs::read_to_string(scene.desk.path("data/clients/vaults.json")).unwrap();
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let versions: Vec<u64> =
            all.as_object().unwrap().values().map(|seen| seen["version"].as_u64().unwrap()).collect();
        assert_eq!(versions.len(), 1, "{all}");
        (versions[0], text)
    };
    scene.run("ada", &["key", "list"]).ok();
    let (first, _) = seen();
    scene.run("ada", &["key", "new", "Plant", "-t", "plant/#"]).ok();
    let (second, text) = seen();
    assert_eq!(second, first + 1);
    scene.run("ada", &["key", "list"]).ok();
    // As if this computer had seen the next one, and the station came back from a backup.
    let later = text.replace(&format!("\"version\": {second}"), &format!("\"version\": {}", second + 1));
    assert_ne!(later, text);
    scene.desk.file("data/clients/vaults.json", later);
    let refused = scene.run("ada", &["key", "list"]).ends(3);
    assert!(refused.err.contains("old backup") && refused.out.is_empty(), "{refused:?}");
    scene.desk.file("data/clients/vaults.json", "{");
    scene.run("ada", &["key", "list"]).ends(1);
}

#[test]
fn a_stranger_a_wrong_password_and_a_role_that_may_not_are_told_apart() {
    let scene = Scene::open();
    scene.sign_up("ben", "subscriber");
    let (desk, api) = (&scene.desk, scene.station.api.as_str());
    let publish = |more: &[&str], secret: &str| {
        let args = [&["pub", "--user", "ada", "-t", "a", "-m", "x", "--in-the-clear"], more].concat();
        Done::of(desk.sealwire(&args).env("SEALWIRE_PASSWORD", secret).output().unwrap())
    };
    let right = password("ada");
    let unknown = publish(&["--station", api], right.reveal()).ends(3);
    assert!(unknown.err.contains(&scene.station.fingerprint) && unknown.err.contains("--fingerprint"));
    let other = "0f".repeat(32);
    let changed = publish(&["--station", api, "--fingerprint", &other], right.reveal()).ends(3);
    assert!(changed.err.contains("not the one"), "{changed:?}");
    // What contradicts itself is found before anybody is asked: nobody listens there.
    let link = format!("sealwire://127.0.0.1:1/#{}", scene.station.fingerprint);
    let differ = publish(&["--station", &link, "--fingerprint", &other], right.reveal()).ends(3);
    assert!(differ.err.contains("the fingerprint given and the one in the link differ"), "{differ:?}");
    let fingerprint = &scene.station.fingerprint;
    let wrong = publish(&["--station", api, "--fingerprint", fingerprint], "not it at all").ends(4);
    assert!(!wrong.err.contains("not it at all"), "{wrong:?}");
    publish(&["--station", api, "--fingerprint", fingerprint], right.reveal()).ok();
    publish(&["--station", "127.0.0.1:1", "--fingerprint", fingerprint], right.reveal()).ends(6);
    publish(&["--station", "a b"], right.reveal()).ends(2);
    let forbidden = scene.run("ben", &["pub", "-t", "a", "-m", "x", "--in-the-clear"]).ends(4);
    assert!(forbidden.err.contains("subscriber"), "{forbidden:?}");
    // No terminal and no password.
    let asked = desk.run(&["pub", "--station", api, "--user", "ada", "-t", "a", "-m", "x"]).ends(2);
    assert!(asked.err.contains("SEALWIRE_PASSWORD"), "{asked:?}");
}

#[test]
fn a_device_s_credential_goes_in_by_the_station_s_certificate() {
    let scene = Scene::open();
    scene.admin.ask(Command::NewDevice { label: "sensor".to_owned() });
    let (user, token) = scene.admin.expect("a credential", |event| match event {
        Event::DeviceMade { username, password, .. } => {
            Some((username.clone(), password.reveal().to_owned()))
        }
        _ => None,
    });
    let key = scene.desk.key_line("k", "a/#", "cose-a256gcm");
    let port = scene.station.mqtt.rsplit(':').next().unwrap();
    let url = format!("mqtts://localhost:{port}");
    let token = scene.desk.file("token", token);
    let ca = scene.station.ca.to_str().unwrap().to_owned();
    let common = [
        "--broker",
        &url,
        "--ca",
        &ca,
        "--username",
        &user,
        "--broker-password-file",
        token.to_str().unwrap(),
        "--key-line",
        key.to_str().unwrap(),
    ];
    scene.desk.run(&[&["pub", "-t", "a/b", "-r", "-m", "sealed"], &common[..]].concat()).ok();
    let sub = [&["sub", "-t", "a/b", "--count", "1", "--strict"], &common[..]].concat();
    assert_eq!(scene.desk.run(&sub).ok().out, b"sealed\n");
    let wrong = scene.desk.file("token", "wrong");
    assert!(wrong.exists());
    scene.desk.run(&sub).ends(4);
    // The system's authorities do not know the station.
    let unknown = ["sub", "-t", "a/b", "--broker", &url, "--key-line", key.to_str().unwrap()];
    scene.desk.run(&unknown).ends(3);
}
