//! How fast it is. Not run with the tests: `cargo test --release --lib log::tests::measure -- --ignored --nocapture`.
//! The time is that of the whole process, so run it alone.

use std::time::Instant;

use super::*;

fn batch(from: u64, count: u64, payload: &Bytes) -> Vec<Change> {
    let one = |number| {
        let message = KeptMessage { payload: payload.clone(), ..(*message(number)).clone() };
        queued(1, number, &Arc::new(message))
    };
    (from..from + count).map(one).collect()
}

/// Seconds of processor time that this process has had, from Linux's clock of 100 ticks a second.
fn processor_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

fn bytes_in(folder: &Path) -> u64 {
    segments(folder).iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

/// Batches of so many messages, each delivered in the batch after it.
async fn rate(payload: &Bytes, count: u64) {
    let dir = tempfile::tempdir().unwrap();
    let log = SessionLog::open(dir.path(), key()).await.unwrap();
    log.commit(&[opened(1)]).await.unwrap();
    let batches = (200_000 / count).min(3_000);
    let mut prepared: Vec<Vec<Change>> = Vec::new();
    for n in 0..batches {
        let mut changes = batch(n * count + 1, count, payload);
        if n > 0 {
            changes.push(delivered(1, (n * count - count + 1..=n * count).collect::<Vec<_>>()));
        }
        prepared.push(changes);
    }
    let (begun, processor, before) = (Instant::now(), processor_seconds(), bytes_in(dir.path()));
    for changes in &prepared {
        log.commit(changes).await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    let messages = (batches * count) as f64;
    println!(
        "{:>5} B  {count:>5} a batch  {:>9.0} msg/s  {:>7.0} commits/s  {:>6.2} us CPU/msg  {:>6.0} B/msg",
        payload.len(),
        messages / seconds,
        batches as f64 / seconds,
        (processor_seconds() - processor) * 1e6 / messages,
        (bytes_in(dir.path()) - before) as f64 / messages,
    );
    log.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, by hand"]
async fn commits() {
    for bytes in [64, 1024] {
        let payload = Bytes::from(vec![b'x'; bytes]);
        for count in [1, 10, 100, 1_000] {
            rate(&payload, count).await;
        }
    }
}

#[test]
#[ignore = "a measurement, by hand"]
fn a_hundred_thousand_that_wait() {
    for bytes in [64, 1024] {
        let dir = tempfile::tempdir().unwrap();
        let payload = Bytes::from(vec![b'x'; bytes]);
        let system = || Arc::new(SystemDisk);
        let mut log = Log::open(system(), dir.path(), key(), Thrift { floor: u64::MAX, times: 0 }).unwrap();
        log.commit(vec![opened(1)]).unwrap();
        for n in 0..100 {
            log.commit(batch(n * 1_000 + 1, 1_000, &payload)).unwrap();
        }
        log.close();
        let begun = Instant::now();
        let mut log = Log::open(system(), dir.path(), key(), Thrift { floor: 0, times: 0 }).unwrap();
        println!(
            "{bytes} B: read in {:?}, {} live for {} B",
            begun.elapsed(),
            log.index.live_bytes(),
            bytes_in(dir.path())
        );
        // A snapshot, and how long the batches take meanwhile.
        log.commit(vec![delivered(1, (1..50_000).collect::<Vec<_>>())]).unwrap();
        log.commit(batch(200_000, 50_000, &payload)).unwrap();
        let begun = Instant::now();
        log.tidy();
        println!("{bytes} B: a snapshot is begun in {:?}", begun.elapsed());
        let (mut longest, mut commits) = (std::time::Duration::ZERO, 0);
        while log.is_writing_snapshot() {
            let begun = Instant::now();
            log.commit(batch(300_000 + commits, 1, &payload)).unwrap();
            longest = longest.max(begun.elapsed());
            commits += 1;
        }
        println!(
            "{bytes} B: written in {:?}; {commits} commits meanwhile, the longest {longest:?}",
            begun.elapsed()
        );
        log.close();
    }
}
