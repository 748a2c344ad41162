//! How commands end: exit codes, pipes, Ctrl+C, bad input; completions and manual.

use std::{
    io::Write,
    process::{Command as Process, Stdio},
};

use crate::harness::{Desk, Done, Listener, Mosquitto, PASSPHRASE};

#[test]
fn each_kind_of_failure_has_its_exit_code_and_its_next_step() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let url = broker.url();
    let key = desk.key_line("k", "a/#", "cose-a256gcm");
    let key = key.to_str().unwrap();
    let garbled = desk.file("garbled", b"\xff\xfe\x00");
    let cases: &[(&[&str], i32, &str)] = &[
        (&["pub", "--broker", &url, "-t", "a/b", "--in-the-clear", "-f", "nothing"], 1, "nothing"),
        (&["pub", "--broker", &url, "-t", "a/b", "--key-line", "nokey", "-m", "x"], 1, "nokey"),
        (
            &["pub", "--broker", &url, "-t", "a/b", "--key-line", garbled.to_str().unwrap(), "-m", "x"],
            1,
            "text",
        ),
        (&["pub", "--broker", &url, "-t", "a/b", "--fernet", key, "-m", "x"], 1, "44 characters"),
        (&["pub", "--broker", &url, "-t", "a/#", "--key-line", key, "-m", "x"], 2, "many topics"),
        (&["pub", "--broker", &url, "-t", "a/b", "-m", "x"], 2, "--key-line"),
        (&["pub", "-t", "a/b", "--key-line", key, "-m", "x"], 2, "--broker"),
        (&["pub", "--broker", &url, "-t", "a/b", "--key-line", key, "-m", "x", "-q", "3"], 2, "0..=2"),
        (&["pub", "--broker", "http://h", "-t", "a/b", "--key-line", key, "-m", "x"], 2, "mqtts://"),
        (&["pub", "--broker", "mqtt://a:hush@h", "-t", "a/b", "--key-line", key, "-m", "x"], 2, "password"),
        (&["pub", "--broker", &url, "-t", "a/b", "--key-line", key, "-m", "x", "--ca", key], 2, "mqtts://"),
        (&["pub", "--broker", &url, "-t", "a/b", "--key-line", key, "-m", "x", "--sign"], 2, "--station"),
        (&["sub", "--broker", &url, "-t", "a/b", "--key-line", key, "--known", "anna"], 2, "NAME=IDENTITY"),
        (
            &["sub", "--broker", &url, "-t", "a/b", "--key-line", key, "--count", "1", "--timeout", "1"],
            5,
            "time",
        ),
        (&["pub", "--broker", "mqtt://127.0.0.1:1", "-t", "a/b", "--key-line", key, "-m", "x"], 6, "nobody"),
        (&["sub", "--broker", "mqtt://127.0.0.1:1", "-t", "a/b", "--key-line", key], 6, "nobody"),
        // Without a key for the topic nobody is connected to.
        (
            &["pub", "--broker", "mqtt://127.0.0.1:1", "-t", "b/b", "--key-line", key, "-m", "x"],
            1,
            "the only key is “k” for a/#",
        ),
        (&["pub", "--broker", &url, "-t", "a", "-m", "x", "--passphrase-room", " "], 2, "room has no name"),
        (&["key", "new", "x", "-t", "a", "--passphrase-room", "", "--out", "x"], 2, "room has no name"),
        (&["key", "list"], 2, "--keyring"),
        (&["key", "list", "--keyring", "none.age"], 2, "sealwire key new"),
        (&["key", "new", "x", "-t", "a/#"], 2, "--out"),
    ];
    for (args, code, next) in cases {
        let done = desk.run(args).ends(*code);
        assert!(done.err.contains(next), "{args:?}: {}", done.err);
        assert!(done.out.is_empty(), "{args:?}: {}", done.text());
    }
}

#[test]
fn a_message_of_300_megabytes_is_refused_with_the_limit() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let key = desk.key_line("k", "a/#", "cose-a256gcm");
    let publish = ["pub", "--broker", &broker.url(), "-t", "a/b", "--key-line", key.to_str().unwrap()];
    let mut child = desk.sealwire(&publish).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let megabyte = vec![7; 1 << 20];
    for _ in 0..300 {
        if input.write_all(&megabyte).is_err() {
            break;
        }
    }
    drop(input);
    let done = Done::of(child.wait_with_output().unwrap()).ends(1);
    assert!(done.err.contains("268,435,455"), "{}", done.err);
}

#[test]
fn a_broker_that_never_answers_is_given_up_when_the_time_is_over() {
    let desk = Desk::new();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", silent.local_addr().unwrap());
    let key = desk.key_line("k", "a/#", "cose-a256gcm");
    let common = ["--broker", &url, "-t", "a/b", "--key-line", key.to_str().unwrap(), "--timeout", "1"];
    desk.run(&[&["pub", "-m", "x"], &common[..]].concat()).ends(5);
    desk.run(&[&["sub", "--count", "1"], &common[..]].concat()).ends(5);
}

#[test]
fn a_reader_that_goes_away_ends_a_subscriber_without_a_fuss() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    let mut listener = Listener::start(&desk, &[&common[..], &["-t", "a/#"]].concat(), &[]);
    desk.run(&[&["pub", "-t", "a/b", "-m", "one"], &common[..]].concat()).ok();
    assert!(listener.line().ends_with("one"));
    let publisher = [&["pub", "-t", "a/b", "-r", "-m", "two"], &common[..]].concat();
    let hanging_up = std::thread::spawn(move || listener.hang_up());
    // Retained or live, this one finds nobody reading.
    desk.run(&publisher).ok();
    while !hanging_up.is_finished() {
        desk.run(&publisher).ok();
    }
    assert_eq!(hanging_up.join().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_subscriber_cleanly_and_a_publisher_with_its_own_code() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let (url, key) = (broker.url(), desk.key_line("k", "a/#", "cose-a256gcm"));
    let common = ["--broker", &url, "--key-line", key.to_str().unwrap()];
    let will = desk.file("will", "gone");
    let mut listener = Listener::start(&desk, &[&common[..], &["-t", "a/#"]].concat(), &[]);
    let publish = [
        &["pub", "-l", "-t", "a/b", "--will-topic", "a/will", "--will-message", will.to_str().unwrap()],
        &common[..],
    ]
    .concat();
    let mut publisher = desk.sealwire(&publish).stdin(Stdio::piped()).spawn().unwrap();
    // Held until it has ended: to wait for a child closes its input, which ends it too.
    let mut input = publisher.stdin.take().unwrap();
    input.write_all(b"one\n").unwrap();
    assert!(listener.line().ends_with("one"));
    let status = Process::new("kill").args(["-INT", &publisher.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(publisher.wait().unwrap().code(), Some(130));
    drop(input);
    // It said goodbye, so its will was dropped: this is what comes next.
    desk.run(&[&["pub", "-t", "a/b", "-m", "two"], &common[..]].concat()).ok();
    assert!(listener.line().ends_with("two"));
    listener.interrupt();
    listener.rest().ok();
}

#[test]
fn no_secret_is_on_a_command_line_or_in_what_is_said() {
    let (desk, broker) = (Desk::new(), Mosquitto::start());
    let secret = [("SEALWIRE_PASSPHRASE", PASSPHRASE)];
    let url = broker.url();
    let args = ["--broker", &url, "--passphrase-room", "R", "-t", "a"];
    let listener = Listener::start(&desk, &args, &secret);
    #[cfg(target_os = "linux")]
    {
        let line = std::fs::read(format!("/proc/{}/cmdline", listener.pid())).unwrap();
        assert!(line.windows(4).any(|bytes| bytes == b"room"), "this is its command line");
        assert!(!line.windows(7).any(|bytes| bytes == &PASSPHRASE.as_bytes()[..7]));
    }
    #[cfg(unix)]
    listener.interrupt();
    let done = listener.rest();
    assert!(!done.err.contains("lantern") && !done.text().contains("lantern"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = desk.file("open", PASSPHRASE);
        let publish = [&["pub", "-m", "x", "--passphrase-file", open.to_str().unwrap()], &args[..]].concat();
        // For everybody, or for the group alone.
        for mode in [0o604, 0o640] {
            std::fs::set_permissions(&open, std::fs::Permissions::from_mode(mode)).unwrap();
            let refused = desk.run(&publish);
            assert!(refused.err.contains("chmod 600") && !refused.err.contains("lantern"), "{refused:?}");
            assert_ne!(refused.code, Some(0));
        }
    }
}

#[test]
fn a_password_that_anybody_on_the_way_could_read_gets_a_warning() {
    let desk = Desk::new();
    let key = desk.key_line("k", "a/#", "cose-a256gcm");
    let said = |url: &str| {
        let args = ["pub", "--broker", url, "-t", "a/b", "--key-line", key.to_str().unwrap(), "-m", "x"];
        let args = [&args[..], &["--timeout", "1"]].concat();
        let done = Done::of(desk.sealwire(&args).env("SEALWIRE_BROKER_PASSWORD", "hush").output().unwrap());
        assert!(matches!(done.code, Some(5 | 6)), "nobody is there: {done:?}");
        done.err
    };
    for way in ["mqtt", "ws"] {
        assert!(said(&format!("{way}://anna@broker.invalid")).contains("without encryption"));
    }
    for safe in ["mqtts://anna@broker.invalid", "wss://anna@broker.invalid", "mqtt://anna@127.0.0.1:1"] {
        assert!(!said(safe).contains("without encryption"), "{safe}");
    }
}

#[test]
fn a_station_with_impossible_arguments_ends_with_2_and_with_a_faulty_file_with_1() {
    let desk = Desk::new();
    let cases: &[(&[&str], &str)] = &[
        (&["--set", "limits.nope=3"], "limits.nope"),
        (&["--set", "limits.max_connections=many"], "whole number"),
        (&["--anonymous", "nope"], "no role “nope”"),
        (&["--plain", "0.0.0.0:0"], "this computer only"),
        (&["--websocket", "0.0.0.0:0"], "this computer only"),
        (&["--metrics", "0.0.0.0:0"], "this computer only"),
    ];
    let free = ["station", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"];
    for (args, told) in cases {
        for check in [&["--check"][..], &[]] {
            let done = desk.run(&[&free[..], args, check].concat()).ends(2);
            assert!(done.err.contains(told), "{args:?}: {}", done.err);
            assert!(!desk.path("data").exists(), "a start that cannot be left something behind");
        }
    }
    std::fs::create_dir(desk.path("data")).unwrap();
    let faults =
        ["[listen]\nnope = 1", "[listen]\nplain = \"0.0.0.0:0\"", "[accounts]\nanonymous = \"nope\""];
    for fault in faults {
        std::fs::write(desk.path("data").join("station.toml"), fault).unwrap();
        desk.run(&[&free[..], &["--check"]].concat()).ends(1);
        desk.run(&free).ends(1);
    }
}

#[test]
fn a_log_that_does_not_hold_is_told_in_whole_sentences() {
    let desk = Desk::new();
    let done = desk.run(&["audit", "verify", desk.file("empty.log", "").to_str().unwrap()]).ends(3);
    assert!(done.text().starts_with("DOES NOT HOLD: the file is empty"), "{}", done.text());
    let done = desk.run(&["audit", "verify", desk.file("none.log", "x\n").to_str().unwrap()]).ends(3);
    assert!(done.text().contains("\n0 lines before that hold."), "{}", done.text());
    desk.run(&["audit", "verify", "nowhere.log"]).ends(1);
}

#[test]
fn completions_load_in_bash_and_every_command_has_its_page() {
    let desk = Desk::new();
    let script = desk.file("completions", desk.run(&["completions", "bash"]).ok().out);
    assert!(Process::new("bash").arg("-n").arg(&script).status().unwrap().success());
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        assert!(desk.run(&["completions", shell]).ok().out.len() > 1000);
    }
    desk.run(&["man", "pages"]).ok();
    for page in ["sealwire.1", "sealwire-pub.1", "sealwire-sub.1", "sealwire-key-new.1"] {
        let text = std::fs::read_to_string(desk.path("pages").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS") || text.contains(".SH NAME"), "{page}");
        assert!(page.contains("key") || text.contains(".SH \"EXIT STATUS\"\n.nf\n0    done"), "{page}");
        assert!(
            page == "sealwire.1" || page.contains("key") || text.contains(".SH \"EXAMPLES\"\n.nf"),
            "{page}"
        );
    }
    // A page refers to no page that there is not.
    let written: Vec<String> = std::fs::read_dir(desk.path("pages"))
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap().replace(".1", "(1)"))
        .collect();
    for page in std::fs::read_dir(desk.path("pages")).unwrap() {
        let text = std::fs::read_to_string(page.unwrap().path()).unwrap().replace("\\-", "-");
        for word in text.split_whitespace().filter(|word| word.ends_with("(1)")) {
            assert!(written.iter().any(|page| page == word), "no page {word}: {written:?}");
        }
    }
    let output = Process::new("man")
        .args(["--warnings", "-l"])
        .arg(desk.path("pages").join("sealwire-pub.1"))
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("man is needed (Debian: man-db): tests/run cli installs it");
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}");
    let page = String::from_utf8_lossy(&output.stdout);
    assert!(page.contains("passphrase-room"));
    // The table's columns, as they were written.
    assert!(
        page.contains("\n       3    what was to be verified")
            && page.contains("\n            identity of a"),
        "{page}"
    );
    let help = desk.run(&["sub", "--help"]).ok().text();
    assert!(help.contains("130  ended by Ctrl+C"), "{help}");
    // A pipe that nobody reads.
    let mut child = desk.sealwire(&["completions", "bash"]).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
