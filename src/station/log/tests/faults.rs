//! Disks that are full, fail once, or end in the middle of something.

use std::{
    io,
    sync::atomic::{AtomicI64, Ordering::SeqCst},
};

use super::{
    super::disk::{Disk as Asked, DiskFile},
    model::{Model, states},
    *,
};

/// The system's disk without its flushes, and with failures where a test wants them.
pub(super) struct Disk {
    /// What may still be asked of it, and whether it fails once or for good then.
    steps: Arc<Steps>,
}

pub(super) struct Steps {
    left: AtomicI64,
    once: bool,
}

struct FaultyFile {
    file: Box<dyn DiskFile>,
    steps: Arc<Steps>,
}

impl Disk {
    /// Never fails.
    pub(super) fn sound() -> Arc<Self> {
        Self::failing_after(i64::MAX, true)
    }

    fn failing_after(steps: i64, once: bool) -> Arc<Self> {
        Arc::new(Self { steps: Arc::new(Steps { left: steps.into(), once }) })
    }

    fn has_failed(&self) -> bool {
        self.steps.left.load(SeqCst) < 0
    }

    /// From now on so many steps.
    fn allow(&self, steps: i64) {
        self.steps.left.store(steps, SeqCst);
    }
}

impl Steps {
    fn next(&self) -> io::Result<()> {
        let left = self.left.fetch_sub(1, SeqCst);
        if left == 0 || left < 0 && !self.once { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

impl Asked for Disk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.steps.next()?;
        Ok(Box::new(FaultyFile { file: SystemDisk.create(path)?, steps: Arc::clone(&self.steps) }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.steps.next()?;
        Ok(Box::new(FaultyFile { file: SystemDisk.open(path)?, steps: Arc::clone(&self.steps) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.steps.next()?;
        SystemDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.steps.next()?;
        SystemDisk.remove(path)
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        self.steps.next()
    }
}

impl DiskFile for FaultyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.steps.next() {
            self.file.append(&bytes[..bytes.len() / 2])?; // As a disk that fills up in the middle.
            return Err(error);
        }
        self.file.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.steps.next()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.steps.next()?;
        self.file.cut(length)
    }
}

/// Work that brings snapshots, ends sessions, and reuses messages.
fn work() -> Vec<Vec<Change>> {
    let mut batches = vec![vec![opened(1), opened(2), subscribed(1, "a/#", None), will(3, None)]];
    for n in 1..=24_u64 {
        let retained = Change::Retained { message: message(n) };
        let mut batch = vec![queued(1, n, &message(n)), queued(2, n, &message(n)), retained];
        if n.is_multiple_of(3) {
            batch.push(delivered(1, [n - 2, n - 1]));
        }
        if n.is_multiple_of(8) {
            batch.extend([
                Change::Ended { session: 2, handed_on: false },
                opened(2),
                queued(2, n, &message(n - 4)),
            ]);
        }
        batches.push(batch);
    }
    batches
}

#[test]
fn a_disk_that_fails_once_at_any_step_costs_the_batch_that_was_refused_and_nothing_else() {
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::failing_after(step, true);
        let Ok(mut log) = Log::open(disk.clone(), dir.path(), key(), SMALL) else {
            assert!(disk.has_failed());
            assert_eq!(reopened(dir.path()), Kept::default());
            continue;
        };
        let (mut model, mut refused) = (Model::default(), 0);
        for batch in work() {
            match log.commit(batch.clone()) {
                Ok(()) => model.apply(&batch),
                Err(_) => refused += 1,
            }
            log.tidy();
            log.settle_snapshot();
            assert_eq!(log.kept(), model.kept(), "step {step}");
        }
        assert!(refused <= 1, "step {step}: {refused} refused");
        log.close();
        assert_eq!(reopened(dir.path()), model.kept(), "step {step}");
        if !disk.has_failed() {
            assert!(step > 100, "all was over after {step} steps");
            break;
        }
    }
}

#[test]
fn what_was_acknowledged_is_there_whatever_step_the_disk_ends_at() {
    let states = states(&work());
    for step in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::failing_after(step, false);
        let mut kept = 0;
        if let Ok(mut log) = Log::open(disk.clone(), dir.path(), key(), SMALL) {
            for batch in work() {
                if log.commit(batch).is_err() {
                    break;
                }
                kept += 1;
                log.tidy();
                if step % 2 == 0 {
                    log.settle_snapshot();
                }
            }
            log.close(); // Nothing is done by a disk that has ended.
        }
        let found = reopened(dir.path());
        // The batch after the last acknowledged one may be there: it was under way.
        let under_way = &states[(kept + 1).min(states.len() - 1)];
        assert!(found == states[kept] || found == *under_way, "step {step}, {kept} kept: {found:?}");
        if !disk.has_failed() && step % 2 == 0 {
            assert_eq!(kept, states.len() - 1);
            break;
        }
    }
}

#[test]
fn a_full_disk_keeps_nothing_of_a_batch_and_the_next_one_is_kept_when_there_is_room() {
    // The second time, what was written of the batch cannot be taken back either.
    for once in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::failing_after(i64::MAX, once);
        let mut log = Log::open(disk.clone(), dir.path(), key(), Thrift::default()).unwrap();
        log.commit(vec![opened(1)]).unwrap();
        let (files, bytes) = (names(dir.path()), fs::metadata(&segments(dir.path())[0]).unwrap().len());
        let batch: Vec<_> = (1..=50).map(|n| queued(1, n, &message(n))).collect();
        for _ in 0..3 {
            disk.allow(0);
            let error = log.commit(batch.clone()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
            assert!(log.kept().sessions[0].queue.is_empty());
        }
        if once {
            assert_eq!(
                (names(dir.path()), fs::metadata(&segments(dir.path())[0]).unwrap().len()),
                (files, bytes)
            );
        }
        disk.allow(i64::MAX);
        log.commit(batch).unwrap();
        log.close();
        assert_eq!(reopened(dir.path()).sessions[0].queue.len(), 50);
        assert!(
            !names(dir.path()).iter().any(|name| name.contains("damaged")),
            "nothing was written after a torn record"
        );
    }
}

#[test]
fn a_folder_that_cannot_be_made_or_written_is_said_with_the_next_step() {
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("taken");
    fs::write(&taken, "a file").unwrap();
    let error = Log::open(Disk::sound(), &taken, key(), SMALL).err().unwrap();
    assert!(error.to_string().contains("taken"), "{error}");
    let full = Disk::failing_after(0, false);
    let error = Log::open(full, &dir.path().join("new"), key(), SMALL).err().unwrap();
    assert!(error.to_string().contains("the disk is full: free some space"), "{error}");
}
