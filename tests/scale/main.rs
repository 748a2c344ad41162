//! Thousands of clients at a station's own process: how many are let in, what they are told, what it keeps for them.
#![cfg(feature = "station")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test says so by failing")]

#[path = "../support/mod.rs"]
mod support;

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::Barrier,
    time::{Duration, Instant},
};

use support::{PATIENCE, Station};

const IDLE: usize = 10_000;
const STORM: usize = 2_000;
/// Threads that the storm comes from, each with its share.
const FRONTS: usize = 20;

/// This process and the station's, which inherits it, can have so many files open.
fn make_room(files: u64) {
    let got = rlimit::increase_nofile_limit(files).unwrap();
    assert!(
        got >= files,
        "this test needs {files} open files, and the system allows {got}: raise the hard limit (`ulimit -Hn {files}` \
         as root, or `nofile` in /etc/security/limits.conf) and run it again"
    );
}

fn station(folder: &std::path::Path, limits: &[&str]) -> Station {
    let mut options = vec!["--plain", "127.0.0.1:0", "--anonymous", "admin"];
    limits.iter().for_each(|limit| options.extend(["--set", limit]));
    Station::start(folder, &options)
}

/// Sends CONNECT in MQTT 3.1.1: a clean session, keep-alive 0.
fn hello(address: &str, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let id = [&(id.len() as u16).to_be_bytes(), id.as_bytes()].concat();
    let packet = [&[0x10, 10 + id.len() as u8], b"\0\x04MQTT\x04\x02\0\0".as_slice(), &id].concat();
    stream.write_all(&packet).unwrap();
    stream
}

fn expect(stream: &mut TcpStream, wanted: &[u8]) {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got).unwrap();
    assert_eq!(got, wanted);
}

/// Accepted, with no session from before.
const CONNACK: &[u8] = &[0x20, 2, 0, 0];

fn connect(address: &str, id: &str) -> TcpStream {
    let mut stream = hello(address, id);
    expect(&mut stream, CONNACK);
    stream
}

/// To `t`.
fn subscribe(stream: &mut TcpStream, qos: u8) {
    stream.write_all(&[0x82, 6, 0, 1, 0, 1, b't', qos]).unwrap();
    expect(stream, &[0x90, 3, 0, 1, qos]);
}

#[test]
fn ten_thousand_idle_clients_are_let_in_stay_and_slow_nobody_down() {
    make_room(IDLE as u64 + 500);
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &["limits.max_connections=10100"]);
    let address = station.plain.as_deref().unwrap();
    let mut idle: Vec<_> = (0..IDLE).map(|number| connect(address, &format!("idle-{number}"))).collect();

    let (mut reader, mut writer) = (connect(address, "reader"), connect(address, "writer"));
    subscribe(&mut reader, 1);
    for number in 1..=100u8 {
        writer.write_all(&[0x32, 6, 0, 1, b't', 0, number, number]).unwrap();
        expect(&mut writer, &[0x40, 2, 0, number]);
        expect(&mut reader, &[0x32, 6, 0, 1, b't', 0, number + 1, number]);
        reader.write_all(&[0x40, 2, 0, number + 1]).unwrap();
    }
    // All of them are still there, and each is answered.
    idle.iter_mut().for_each(|stream| stream.write_all(&[0xC0, 0]).unwrap());
    idle.iter_mut().for_each(|stream| expect(stream, &[0xD0, 0]));
}

#[test]
fn two_thousand_who_connect_at_once_are_all_let_in() {
    make_room(STORM as u64 + 500);
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &[]);
    let address = station.plain.as_deref().unwrap();
    let gate = Barrier::new(FRONTS);
    let let_in: usize = std::thread::scope(|scope| {
        let fronts: Vec<_> = (0..FRONTS)
            .map(|front| {
                let gate = &gate;
                scope.spawn(move || {
                    gate.wait();
                    let each = STORM / FRONTS;
                    let said = (0..each).map(|number| hello(address, &format!("storm-{front}-{number}")));
                    let mut said: Vec<_> = said.collect();
                    said.iter_mut().for_each(|stream| expect(stream, CONNACK));
                    gate.wait();
                    said.len()
                })
            })
            .collect();
        fronts.into_iter().map(|front| front.join().unwrap()).sum()
    });
    assert_eq!(let_in, STORM);
}

/// What a process has in memory, in bytes.
#[cfg(target_os = "linux")]
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
#[cfg(target_os = "linux")]
fn readers_that_stop_cost_a_bounded_buffer_each_and_those_who_keep_up_lose_nothing() {
    const STALLED: u64 = 20;
    const MESSAGES: u32 = 2_000;
    const BODY: usize = 32 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let station = station(folder.path(), &[]);
    let address = station.plain.as_deref().unwrap();
    let stalled: Vec<_> = (0..STALLED)
        .map(|number| {
            let mut stream = connect(address, &format!("stalled-{number}"));
            subscribe(&mut stream, 0);
            stream
        })
        .collect();
    let (mut reader, mut writer) = (connect(address, "reader"), connect(address, "writer"));
    subscribe(&mut reader, 0);
    let before = memory(station.pid());
    // A length of three bytes, the topic `t`, a number, and what is left.
    let length = 3 + BODY;
    let head = [0x30, length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8, 0, 1, b't'];
    let reading = std::thread::spawn(move || {
        let mut packet = vec![0; head.len() + BODY];
        for number in 0..MESSAGES {
            reader.read_exact(&mut packet).unwrap();
            assert_eq!(packet[head.len()..][..4], number.to_be_bytes(), "lost or out of order");
        }
    });
    let mut body = vec![0; BODY];
    for number in 0..MESSAGES {
        body[..4].copy_from_slice(&number.to_be_bytes());
        writer.write_all(&[&head[..], &body].concat()).unwrap();
    }
    reading.join().unwrap();
    let grown = memory(station.pid()).saturating_sub(before);
    // Twice the send buffer of each (1 MiB), and as much again for what is shared and not given back yet. All that
    // was published would be 64 MiB for each.
    let most = STALLED * (2 << 20) * 2 + (32 << 20);
    assert!(grown < most, "{STALLED} readers that stopped cost {} MiB", grown >> 20);
    // They have had something, and are still there or were told off; nobody waits for them.
    for mut stream in stalled {
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let (mut got, until) = (0, Instant::now() + PATIENCE);
        let mut chunk = vec![0; 1 << 16];
        while got < 1 << 20 && Instant::now() < until {
            match stream.read(&mut chunk) {
                Ok(read) if read > 0 => got += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => panic!("after {got} bytes: {other:?}"),
            }
        }
    }
}
