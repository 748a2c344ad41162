//! Times one operation of the sealing, or does it a given number of times so that its instructions can be counted.
//!
//! `sealing-bench time CASE [seconds]` prints nanoseconds of processor time for one operation; `count CASE N` does it N
//! times and prints nothing. `cases` says what a case is called. `benches/seal` runs this beside the rivals.
//!
//! `src/seal` and `src/topic` are compiled in as they stand, without the rest of the program: that takes seconds instead
//! of minutes, and shows that the two need nothing else.

use std::{hint::black_box, process::ExitCode, time::Duration};

use rustix::time::{ClockId, clock_gettime};

mod cases;
#[path = "../../../src/seal/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the program's: only a part of it is measured")]
mod seal;
#[path = "../../../src/topic/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the program's: only a part of it is measured")]
mod topic;

/// One measured operation.
pub type Operation = Box<dyn FnMut()>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        ["time", case] => time(case, "0.3"),
        ["time", case, seconds] => time(case, seconds),
        ["count", case, times] => count(case, times),
        _ => Err("usage: sealing-bench time CASE [seconds] | count CASE TIMES".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

fn time(case: &str, seconds: &str) -> Result<(), String> {
    let seconds: f64 = seconds.parse().map_err(|_| format!("“{seconds}” is not a number of seconds"))?;
    let mut operation = cases::find(case)?;
    // Reading the clock is a system call: once in a batch of about a millisecond, which the warm-up finds.
    let mut batch = 1_u32;
    loop {
        let before = processor_time();
        (0..batch).for_each(|_| black_box(&mut operation)());
        if processor_time() - before >= Duration::from_millis(1) {
            break;
        }
        batch = batch.saturating_mul(2);
    }
    let (mut times, wanted, start) = (0_u64, Duration::from_secs_f64(seconds), processor_time());
    let spent = loop {
        (0..batch).for_each(|_| black_box(&mut operation)());
        times += u64::from(batch);
        let spent = processor_time() - start;
        if spent >= wanted {
            break spent;
        }
    };
    println!("{:.3}", spent.as_secs_f64() * 1e9 / times as f64);
    Ok(())
}

fn count(case: &str, times: &str) -> Result<(), String> {
    let times: u32 = times.parse().map_err(|_| format!("“{times}” is not a number of times"))?;
    let mut operation = cases::find(case)?;
    (0..times).for_each(|_| black_box(&mut operation)());
    Ok(())
}

/// Of this thread: other programs on the machine do not count.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
