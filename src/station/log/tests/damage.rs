//! Files that were altered, torn, exchanged, or sealed by another key.

use super::{model::Model, *};

/// One batch per message, in one segment. Returns where each begins, and the file.
fn written(folder: &Path, messages: u64) -> (Vec<usize>, PathBuf) {
    let mut log = open(folder, Thrift::default());
    let file = segments(folder).pop().unwrap();
    log.commit(vec![opened(1)]).unwrap();
    let mut begins = Vec::new();
    for number in 1..=messages {
        begins.push(fs::metadata(&file).unwrap().len() as usize);
        log.commit(vec![queued(1, number, &message(number))]).unwrap();
    }
    log.close();
    (begins, file)
}

fn waiting(kept: &Kept) -> Vec<u64> {
    kept.sessions.iter().flat_map(|session| &session.queue).map(|parcel| parcel.number).collect()
}

fn asides(folder: &Path) -> Vec<String> {
    names(folder).into_iter().filter(|name| name.contains(".damaged-")).collect()
}

#[test]
fn what_was_altered_in_the_middle_is_left_out_the_rest_is_there_and_the_file_put_aside() {
    for (place, what) in [(30, "the ciphertext"), (0, "the length"), (3, "the length"), (6, "the sequence")] {
        let dir = tempfile::tempdir().unwrap();
        let (begins, file) = written(dir.path(), 9);
        let mut bytes = fs::read(&file).unwrap();
        bytes[begins[4] + place] ^= 0x40;
        fs::write(&file, &bytes).unwrap();
        let kept = reopened(dir.path());
        assert_eq!(waiting(&kept), [1, 2, 3, 4, 6, 7, 8, 9], "{what}");
        assert!(!file.exists());
        let asides = asides(dir.path());
        assert_eq!(asides.len(), 1, "{asides:?}");
        assert_eq!(fs::read(dir.path().join(&asides[0])).unwrap(), bytes, "as it was");
        assert_eq!(reopened(dir.path()), kept);
        assert_eq!(self::asides(dir.path()), asides, "it is told once");
    }
}

#[test]
fn a_record_that_was_taken_out_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (begins, file) = written(dir.path(), 9);
    let mut bytes = fs::read(&file).unwrap();
    bytes.drain(begins[3]..begins[5]);
    fs::write(&file, bytes).unwrap();
    assert_eq!(waiting(&reopened(dir.path())), [1, 2, 3, 6, 7, 8, 9]);
    assert_eq!(asides(dir.path()).len(), 1);
}

#[test]
fn a_record_repeated_or_put_elsewhere_is_not_read_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (begins, file) = written(dir.path(), 9);
    let mut bytes = fs::read(&file).unwrap();
    let record = bytes[begins[3]..begins[4]].to_vec();
    bytes.splice(begins[6]..begins[6], record);
    fs::write(&file, bytes).unwrap();
    assert_eq!(waiting(&reopened(dir.path())), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(asides(dir.path()).len(), 1);
}

#[test]
fn a_message_whose_body_was_lost_is_passed_over_never_another_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = open(dir.path(), Thrift::default());
    let file = segments(dir.path()).pop().unwrap();
    log.commit(vec![opened(1), opened(2), queued(1, 1, &message(1))]).unwrap();
    let begin = fs::metadata(&file).unwrap().len() as usize;
    // By the same number, another message: as after a start, when the first one was not kept any more.
    let other = Arc::new(KeptMessage { payload: "another".into(), ..(*message(1)).clone() });
    log.commit(vec![delivered(1, [1]), queued(1, 2, &other)]).unwrap();
    log.commit(vec![queued(2, 1, &other), queued(2, 2, &message(3))]).unwrap();
    log.close();
    let mut bytes = fs::read(&file).unwrap();
    bytes[begin + 20] ^= 1;
    fs::write(&file, bytes).unwrap();
    let kept = reopened(dir.path());
    assert_eq!(kept.sessions[0].queue, [parcel(1, &message(1))], "its delivery was lost");
    assert_eq!(kept.sessions[1].queue, [parcel(2, &message(3))]);
}

#[test]
fn damage_at_the_end_of_an_older_file_puts_it_aside_and_the_newer_one_counts() {
    let dir = tempfile::tempdir().unwrap();
    let (begins, file) = written(dir.path(), 3);
    let mut log = open(dir.path(), Thrift::default());
    log.commit(vec![queued(1, 4, &message(4))]).unwrap();
    log.close();
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..begins[2] + 5]).unwrap();
    assert_eq!(waiting(&reopened(dir.path())), [1, 2, 4]);
    assert_eq!(asides(dir.path()).len(), 1);
    assert_eq!(waiting(&reopened(dir.path())), [1, 2, 4]);
}

#[test]
fn zeros_that_a_power_cut_left_at_the_end_are_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = written(dir.path(), 3);
    let mut bytes = fs::read(&file).unwrap();
    let length = bytes.len();
    bytes.extend([0; 5_000]);
    fs::write(&file, bytes).unwrap();
    assert_eq!(waiting(&reopened(dir.path())), [1, 2, 3]);
    assert_eq!(fs::metadata(&file).unwrap().len() as usize, length);
    assert!(asides(dir.path()).is_empty());
}

#[test]
fn another_stations_key_puts_everything_aside_and_begins_afresh() {
    let dir = tempfile::tempdir().unwrap();
    drop(written(dir.path(), 3));
    let mut log = open(dir.path(), Thrift::default());
    log.commit(vec![queued(1, 4, &message(4))]).unwrap();
    log.close();
    let other = Arc::new(StationKey::from_bytes(&[8; 32]));
    let log = Log::open(faults::Disk::sound(), dir.path(), Arc::clone(&other), SMALL).unwrap();
    assert_eq!(log.kept(), Kept::default());
    log.close();
    assert_eq!(asides(dir.path()).len(), 2);
    let mut log = Log::open(faults::Disk::sound(), dir.path(), Arc::clone(&other), SMALL).unwrap();
    commit(&mut log, &[opened(9)]);
    log.close();
    let log = Log::open(faults::Disk::sound(), dir.path(), other, SMALL).unwrap();
    assert_eq!(log.kept().sessions.len(), 1);
}

#[test]
fn a_file_of_a_newer_program_stops_the_start_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = written(dir.path(), 1);
    let mut bytes = fs::read(&file).unwrap();
    bytes[8] += 1;
    let proof = key().sessions("segment header", &bytes[..40]);
    bytes[40..56].copy_from_slice(&proof[..16]);
    fs::write(&file, &bytes).unwrap();
    let error = Log::open(faults::Disk::sound(), dir.path(), key(), SMALL).err().unwrap();
    assert!(matches!(error, StationError::NewerDatabase { found: 2, known: 1, .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn what_a_crash_left_of_a_snapshot_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (_, file) = written(dir.path(), 3);
    let state = reopened(dir.path());
    // Unfinished: it is removed.
    let unfinished = dir.path().join("00000007.log.new");
    fs::write(&unfinished, b"half of a snapshot").unwrap();
    assert_eq!(reopened(dir.path()), state);
    assert!(!unfinished.exists());
    // Finished, with what it replaced still there: that is not read again, or what was delivered would come back.
    let before = fs::read(&file).unwrap();
    let mut log = open(dir.path(), Thrift { floor: 0, times: 0 });
    commit(&mut log, &[delivered(1, [1])]);
    log.close();
    assert!(!file.exists());
    fs::write(&file, before).unwrap();
    assert_eq!(waiting(&reopened(dir.path())), [2, 3]);
    assert!(!file.exists());
    assert!(asides(dir.path()).is_empty());
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let others = ["notes.txt", "x.log", "00000001.log.damaged-5"];
    others.iter().for_each(|name| fs::write(dir.path().join(name), name).unwrap());
    let mut log = open(dir.path(), SMALL);
    let mut model = Model::default();
    for number in 1..60 {
        let batch = [opened(1), queued(1, number, &message(number))];
        commit(&mut log, &batch);
        model.apply(&batch);
    }
    log.close();
    assert_eq!(reopened(dir.path()), model.kept());
    others.iter().for_each(|name| assert_eq!(fs::read(dir.path().join(name)).unwrap(), name.as_bytes()));
}
