//! Processor time by thread, from `/proc`.

use std::collections::BTreeMap;

/// Processor time of each thread, by name, in microseconds.
pub struct Threads(BTreeMap<String, f64>);

fn ticks(stat: &str) -> f64 {
    // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second on every Linux that matters here.
    let after = stat.rsplit(") ").next().unwrap_or("");
    let fields: Vec<&str> = after.split(' ').collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (field(11) + field(12)) * 10_000.0
}

impl Threads {
    pub fn now() -> Self {
        let mut all = BTreeMap::new();
        for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
            *all.entry(read("comm").trim().to_owned()).or_default() += ticks(&read("stat"));
        }
        Self(all)
    }

    pub fn since(&self, before: &Self) -> Self {
        let since = |(name, spent): (&String, &f64)| {
            (name.clone(), spent - before.0.get(name).copied().unwrap_or(0.0))
        };
        Self(self.0.iter().map(since).collect())
    }

    pub fn print(&self, messages: usize) {
        for (name, spent) in self.0.iter().filter(|(_, spent)| **spent > 0.0) {
            println!("  thread {name}: {:.1} µs a message", spent / messages as f64);
        }
    }
}

/// Processor time of a process so far, in microseconds.
pub fn of_process(pid: u32) -> f64 {
    ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default())
}
