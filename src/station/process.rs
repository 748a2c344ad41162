//! What the system says of this process. Linux tells by `/proc`; elsewhere nothing is known, and nothing is claimed.

/// A look at this process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Process {
    /// Processor time, user and system.
    pub(crate) cpu_seconds: Option<f64>,
    /// Memory in use.
    pub(crate) resident_bytes: Option<u64>,
    /// Open file descriptors.
    pub(crate) open_fds: Option<u64>,
    /// How many there may be.
    pub(crate) max_fds: Option<u64>,
    /// Threads.
    pub(crate) threads: Option<u64>,
}

/// Clock ticks in a second, as user space sees them: 100 on every processor that Rust's standard library supports on
/// Linux (`USER_HZ`, man 5 proc_pid_stat).
#[cfg(target_os = "linux")]
const USER_HZ: f64 = 100.0;

impl Process {
    /// As it is now. Reads a few small files of the kernel.
    #[cfg(target_os = "linux")]
    pub(crate) fn now() -> Self {
        use std::fs::{read_dir, read_to_string};

        let stat = read_to_string("/proc/self/stat").unwrap_or_default();
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let limits = read_to_string("/proc/self/limits").unwrap_or_default();
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        let max_fds = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        Self {
            cpu_seconds: cpu_seconds(&stat),
            resident_bytes: field("VmRSS:").map(|kib| kib * 1024),
            // The look itself holds one.
            open_fds: read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1) as u64),
            max_fds: max_fds.and_then(|rest| rest.split_whitespace().next()?.parse().ok()),
            threads: field("Threads:"),
        }
    }

    /// Unknown here.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn now() -> Self {
        Self::default()
    }
}

/// utime and stime, fields 14 and 15. The name in field 2 may hold spaces and brackets: it ends at the last bracket.
#[cfg(target_os = "linux")]
#[expect(clippy::cast_precision_loss, reason = "a time to a hundredth of a second")]
fn cpu_seconds(stat: &str) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((user + system) as f64 / USER_HZ)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known_whatever_it_is_called() {
        let now = Process::now();
        assert!(now.resident_bytes.unwrap() > 1024 * 1024 && now.open_fds.unwrap() > 2, "{now:?}");
        assert!(now.max_fds.unwrap() >= now.open_fds.unwrap() && now.threads.unwrap() > 0);
        assert!(now.cpu_seconds.is_some());
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20 0 9 0 5";
        assert_eq!(cpu_seconds(stat), Some(4.0));
        assert_eq!(cpu_seconds("7 (cut off"), None);
    }
}
