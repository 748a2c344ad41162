//! What keeps a station from running is said, with the next step.

use std::net::TcpListener;

use sealwire::station::StationError;

use crate::harness::*;

#[tokio::test]
async fn a_second_station_on_the_same_folder_is_refused_and_the_first_lives_on() {
    let station = start().await;
    let error = refused(config(&station.dir)).await;
    assert!(matches!(error, StationError::AlreadyRunning(_)), "{error}");
    assert!(error.to_string().contains("--data DIR"));
    station.member("paul", "publisher").await;
}

#[tokio::test]
async fn a_damaged_database_is_named_and_left_as_it_is() {
    let station = start().await;
    station.member("paul", "publisher").await;
    let path = station.path("users/station.db");
    let (dir, _) = station.end().await;
    let good = std::fs::read(&path).unwrap();
    let mut torn = good.clone();
    torn[4096..].fill(0x5a);
    for (what, bytes) in
        [("no database at all", b"once upon a time".repeat(600)), ("pages overwritten", torn)]
    {
        std::fs::write(&path, &bytes).unwrap();
        let error = refused(config(&dir)).await;
        assert!(matches!(error, StationError::DamagedDatabase { .. }), "{what}: {error}");
        assert!(error.to_string().contains("station.db") && error.to_string().contains("backup"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}: left as it is");
    }
    std::fs::write(&path, &good).unwrap();
    std::fs::write(dir.path().join("keys/station.key"), "A".repeat(43)).unwrap();
    let error = refused(config(&dir)).await;
    assert!(matches!(error, StationError::WrongKey { .. }), "{error}");
    std::fs::remove_file(dir.path().join("keys/station.key")).unwrap();
    let error = refused(config(&dir)).await;
    assert!(matches!(error, StationError::KeyFile { .. }), "{error}");
    assert!(!dir.path().join("keys/station.key").exists(), "no new key in the place of the lost one");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let (dir, _) = start().await.end().await;
    let path = dir.path().join("users/station.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes()); // `user_version` in the file's header.
    std::fs::write(&path, bytes).unwrap();
    let error = refused(config(&dir)).await;
    assert!(matches!(error, StationError::NewerDatabase { found: 999, .. }), "{error}");
}

#[tokio::test]
async fn a_taken_port_an_open_plain_port_and_an_unknown_role_are_each_refused() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _holder = TcpListener::bind(taken).unwrap();
    let mut wrong = config(&dir);
    wrong.api = taken;
    let error = refused(wrong).await.to_string();
    assert!(error.contains(&taken.to_string()) && error.contains("choose another port"), "{error}");

    let mut wrong = config(&dir);
    wrong.plain = Some("0.0.0.0:0".parse().unwrap());
    let error = refused(wrong).await;
    assert!(matches!(error, StationError::PlainBeyondLoopback(_)), "{error}");

    let mut wrong = config(&dir);
    wrong.anonymous = Some("guest".into());
    let error = refused(wrong).await.to_string();
    assert!(error.contains("guest") && error.contains("admin, publisher, subscriber"), "{error}");

    std::fs::create_dir_all(dir.path().join("users")).unwrap();
    std::fs::write(dir.path().join("users/plant.toml"), "first_account = \n").unwrap();
    let error = refused(config(&dir)).await.to_string();
    assert!(error.contains("plant.toml") && error.contains("line 1"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_is_a_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let data = sealwire::files::DataFolders::find(Some(&file.join("data"))).unwrap();
    let error = refused(sealwire::station::Config { data, ..config(&dir) }).await.to_string();
    assert!(error.contains("file/data"), "{error}");
}

#[tokio::test]
async fn a_station_that_was_refused_leaves_the_folder_free() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = config(&dir);
    wrong.anonymous = Some("guest".into());
    refused(wrong).await;
    assert!(sealwire::station::host::find(&config(&dir).data).unwrap().is_none());
}
