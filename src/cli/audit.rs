//! `sealwire audit`: verify a log, or read it.

use std::{path::Path, process::ExitCode};

use anyhow::Context;

use crate::audit::{self, Anchor};

use super::{DOES_NOT_HOLD, args::AuditCommand, printable, say};

pub(super) fn run(command: &AuditCommand) -> anyhow::Result<ExitCode> {
    match command {
        AuditCommand::Verify { file, anchor } => verify(file, anchor.as_deref()),
        AuditCommand::Show { file, limit } => show(file, *limit),
    }
}

fn verify(file: &Path, anchor: Option<&str>) -> anyhow::Result<ExitCode> {
    let given = anchor.map(parse_anchor).transpose()?;
    let beside = if given.is_some() { None } else { audit::read_anchor_beside(file)? };
    let has_anchor = given.is_some() || beside.is_some();
    let report =
        audit::verify(file, |log_id| given.or_else(|| beside.filter(|b| b.0 == log_id).map(|b| b.1)))?;
    match report.broken {
        Some(broken) => {
            if std::fs::metadata(file).is_ok_and(|file| file.len() == 0) {
                say("DOES NOT HOLD: the file is empty: a log has at least the line that it was begun with.")?;
                return Ok(ExitCode::from(DOES_NOT_HOLD));
            }
            say(&format!("DOES NOT HOLD: {broken}."))?;
            say(&match report.records {
                1 => "1 line before that holds.".to_owned(),
                records => format!("{records} lines before that hold."),
            })?;
            Ok(ExitCode::from(DOES_NOT_HOLD))
        }
        None => {
            say(&format!("The chain holds: {}, head {}.", lines(report.records), report.head))?;
            say(&match report.anchored {
                Some(count) => format!("An anchor confirms it up to line {count}."),
                None if has_anchor => {
                    "The anchor is of another log, so a cut-off end would not show.".to_owned()
                }
                None => "No anchor was given, so a cut-off end would not show.".to_owned(),
            })?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// `COUNT:HASH`.
fn parse_anchor(text: &str) -> anyhow::Result<Anchor> {
    let (count, head) = text.split_once(':').context("--anchor wants COUNT:HASH, as in 120:9f86d0…")?;
    Ok(Anchor {
        count: count.parse().with_context(|| format!("--anchor: “{count}” is no number of lines"))?,
        head: head.parse().map_err(|()| anyhow::anyhow!("--anchor: the hash wants 64 hex digits"))?,
    })
}

fn show(file: &Path, limit: usize) -> anyhow::Result<ExitCode> {
    let (newest, total) = audit::tail(file, limit)?;
    for line in newest.iter().rev() {
        let record = &line.record;
        let time = jiff::Timestamp::from_millisecond(i64::try_from(record.time_ms).unwrap_or(i64::MAX))
            .map_or_else(
                |_| record.time_ms.to_string(),
                |t| t.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            );
        let topic = record.topic.as_deref().unwrap_or("-");
        // Topics, names and reasons are whatever a stranger sent.
        say(&printable(&format!(
            "{:>6} {time} {} ({}) {} {topic}: {}",
            line.number, record.account, record.role, record.action, record.outcome
        )))?;
    }
    say(&format!("{} of {}.", newest.len(), lines(total)))?;
    Ok(ExitCode::SUCCESS)
}

/// So many.
fn lines(count: u64) -> String {
    format!("{count} {}", if count == 1 { "line" } else { "lines" })
}
