//! What the system tells of a process and of the machine.

use std::{fs, io, time::Duration};

use serde::Serialize;

use super::BenchError;

/// Ticks a second in `/proc/PID/stat`: USER_HZ, which Linux promises to programs whatever the kernel's own clock is.
const TICKS: u64 = 100;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time of all its threads, in user and kernel mode.
    pub processor: Duration,
    /// Resident memory in bytes.
    pub memory: u64,
}

/// Looks at a process.
///
/// # Errors
/// It is not there, may not be looked at, or this is not Linux.
pub fn usage(pid: u32) -> Result<Usage, BenchError> {
    read_usage(pid).map_err(|source| BenchError::Process { pid, source })
}

fn read_usage(pid: u32) -> io::Result<Usage> {
    if cfg!(not(target_os = "linux")) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, "only Linux tells; leave --pid out"));
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "the system's answer is not understood");
    Ok(Usage { processor: processor(&stat).ok_or_else(odd)?, memory: memory(&status).ok_or_else(odd)? })
}

/// utime and stime, fields 14 and 15 of proc(5). The name before them may hold spaces and parentheses.
fn processor(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 1000 / TICKS))
}

fn memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The computer that the figures hold for.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// Name and version of the operating system.
    pub system: String,
    /// As the system names it.
    pub processor: String,
    /// Logical cores that this program may use.
    pub cores: usize,
    /// Bytes of memory; `null` where the system does not tell.
    pub memory_bytes: Option<u64>,
}

impl Machine {
    /// This one.
    #[must_use]
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let (os_release, cpuinfo, meminfo) =
            (read("/etc/os-release"), read("/proc/cpuinfo"), read("/proc/meminfo"));
        let after = |text: &str, key: &str, between: char| {
            text.lines()
                .find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix(between))
                .map(|value| value.trim().trim_matches('"').to_owned())
        };
        let kernel = read("/proc/sys/kernel/osrelease");
        let named = after(&os_release, "PRETTY_NAME", '=').unwrap_or_else(|| std::env::consts::OS.to_owned());
        Self {
            system: if kernel.is_empty() { named } else { format!("{named}, kernel {}", kernel.trim()) },
            processor: after(&cpuinfo, "model name", ':')
                .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_bytes: after(&meminfo, "MemTotal", ':')
                .and_then(|value| value.strip_suffix("kB")?.trim().parse::<u64>().ok())
                .map(|kib| kib * 1024),
        }
    }
}

/// Lets this process hold so many sockets, if the system allows it.
///
/// # Errors
/// It does not, and says how many it allows.
pub fn allow_sockets(count: usize) -> Result<(), BenchError> {
    #[cfg(unix)]
    {
        // Beside sockets: the standard streams, polls, wakers, files.
        let wanted = count as u64 + 64;
        let got = rlimit::increase_nofile_limit(wanted)
            .map_err(|source| BenchError::System { what: "more open files", source })?;
        if got < wanted {
            return Err(BenchError::Settings(format!(
                "{count} connections need as many open files, and this system allows {got}: raise the limit (`ulimit -Hn`), \
                 or ask for fewer"
            )));
        }
    }
    #[cfg(not(unix))]
    let _ = count;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_and_memory_are_read_whatever_the_name() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194560 100 0 0 0 250 125 0 0 20 0 4 0 100 1 1";
        assert_eq!(processor(stat), Some(Duration::from_millis(3750)));
        assert_eq!(memory("Name:\tx\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(processor("nonsense"), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_very_process_can_be_looked_at() {
        assert!(usage(std::process::id()).unwrap().memory > 0);
        assert!(usage(u32::MAX).unwrap_err().to_string().contains("process id"));
        assert!(Machine::this().cores > 0);
    }
}
