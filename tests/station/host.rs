//! Finding a station, and starting one as a process of its own: this test program, started again, is the station.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sealwire::{
    files::DataFolders,
    station::{
        Config,
        host::{self, Found, Lease},
        run,
    },
};

use crate::harness::*;

/// Names the data folder to the process that is to be a station.
const DATA: &str = "SEALWIRE_TEST_STATION";

/// Not a test: the station that the tests below start. It ends when it is killed, or when its folder is gone.
#[test]
#[ignore = "the process that the tests of the host start"]
fn be_a_station() {
    let Some(data) = std::env::var_os(DATA) else { return };
    let folder = PathBuf::from(data);
    let config = Config::for_app(DataFolders::find(Some(&folder)).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder_gone = async move {
        while folder.exists() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if let Err(error) = runtime.block_on(run(config, |_| {}, folder_gone)) {
        // Past the harness's capture, as a station's last words are.
        writeln!(std::io::stderr(), "{error}").unwrap();
        std::process::exit(1);
    }
}

/// A program that, asked for `station --data DIR --for-app`, is one.
#[cfg(unix)]
fn program(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("program");
    let own = std::env::current_exe().unwrap();
    let script = format!(
        "#!/bin/sh\n{DATA}=\"$3\" exec '{}' --exact host::be_a_station --ignored --nocapture\n",
        own.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Waits for something that another process does.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(unix)]
fn kill(found: &Found) {
    let done = std::process::Command::new("kill").args(["-9", &found.pid.to_string()]).status().unwrap();
    assert!(done.success());
}

#[tokio::test]
async fn a_station_that_runs_is_found_with_what_an_app_needs_and_one_that_ended_is_not() {
    let station = start().await;
    let data = config(&station.dir).data;
    let found = host::find(&data).unwrap().unwrap();
    assert_eq!((found.api, &found.fingerprint), (station.running.api, &station.running.fingerprint));
    assert_eq!(found.setup_code, station.running.setup_code);
    let shown = format!("{found:?}");
    assert!(!shown.contains(found.setup_code.as_ref().unwrap().reveal()), "{shown}");
    station.member("paul", "publisher").await;
    assert!(host::find(&data).unwrap().unwrap().setup_code.is_none());
    station.end().await;
    assert!(host::find(&data).unwrap().is_none());
}

#[cfg(unix)]
#[test]
fn two_apps_that_start_at_once_share_one_station_and_a_killed_one_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let data = DataFolders::find(Some(&dir.path().join("data"))).unwrap();
    let _lease = Lease::take(&data).unwrap();
    let found: Vec<Found> = std::thread::scope(|scope| {
        let apps: Vec<_> = (0..4).map(|_| scope.spawn(|| host::ensure(&data, &program).unwrap())).collect();
        apps.into_iter().map(|app| app.join().unwrap()).collect()
    });
    assert!(found.iter().all(|other| other.pid == found[0].pid && other.api == found[0].api), "{found:?}");
    assert_ne!(found[0].pid, std::process::id());

    kill(&found[0]);
    eventually("a killed station is not found", || host::find(&data).unwrap().is_none());
    assert!(data.root().join("station.json").exists(), "it had no time to clear up");
    let next = host::ensure(&data, &program).unwrap();
    assert_ne!(next.pid, found[0].pid);
    assert_eq!(next.fingerprint, found[0].fingerprint);
    assert_eq!(next.setup_code, found[0].setup_code);
    kill(&next);
}

#[cfg(unix)]
#[test]
fn why_a_station_could_not_start_is_told_to_the_app() {
    let dir = tempfile::tempdir().unwrap();
    let program = program(dir.path());
    let data = DataFolders::find(Some(&dir.path().join("data"))).unwrap();
    fs::write(data.users().unwrap().join("station.db"), "this was a database once").unwrap();
    let error = host::ensure(&data, &program).unwrap_err().to_string();
    assert!(error.contains("station.db") && error.contains("damaged") && error.contains("backup"), "{error}");
}

#[test]
fn the_program_that_is_started_is_beside_this_one_or_this_one() {
    let program = host::program().unwrap();
    assert!(program.is_file());
    let own = std::env::current_exe().unwrap();
    assert!(program == own || program.parent() == own.parent(), "{}", program.display());
}
