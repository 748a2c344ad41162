//! The manual pages, the completions and docs/cli.md, all from the definitions that parse the arguments.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{args::Args, say};

const NAME: &str = "sealwire";

pub(super) fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    say(String::from_utf8_lossy(&script).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn pages(folder: Option<&Path>) -> anyhow::Result<ExitCode> {
    // No page is made for `help`, so none may refer to one.
    let mut main = Args::command().disable_help_subcommand(true);
    main.build();
    let Some(folder) = folder else {
        say(String::from_utf8_lossy(&page(&main, NAME)?).trim_end())?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let mut written = 0;
    for (name, command) in all(&main) {
        let path = folder.join(format!("{}.1", name.replace(' ', "-")));
        std::fs::write(&path, page(command, &name)?)
            .with_context(|| format!("{} cannot be written", path.display()))?;
        written += 1;
    }
    say(&format!("{written} pages written to {}", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn page(command: &Command, name: &str) -> anyhow::Result<Vec<u8>> {
    let after = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let command = command
        .clone()
        .bin_name(name.to_owned())
        .display_name(name.replace(' ', "-"))
        .after_long_help(clap::builder::Resettable::Reset);
    let man = clap_mangen::Man::new(command)
        .manual("Sealwire")
        .source(concat!("sealwire ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page).context("the page cannot be made")?;
    let page = String::from_utf8(page).context("the page cannot be made")?;
    // What comes after the options stands before the last section, as man-pages(7) has it.
    let end = page.rfind("\n.SH VERSION").map_or(page.len(), |at| at + 1);
    Ok([&page[..end], &sections(&after), &page[end..]].concat().into_bytes())
}

/// The end of the long help as sections of a page. A paragraph that begins with a line “Exit codes:” or “Examples:” is
/// the section of that name, with its lines and columns as they are; the others are notes.
fn sections(after: &str) -> String {
    let (mut status, mut notes, mut examples) = (String::new(), String::new(), String::new());
    for paragraph in after.trim().split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let (section, title, lines) = match paragraph.split_once('\n') {
            Some(("Exit codes:", lines)) => (&mut status, "EXIT STATUS", lines),
            Some(("Examples:", lines)) => (&mut examples, "EXAMPLES", lines),
            _ => {
                notes.push_str(if notes.is_empty() { ".SH NOTES\n" } else { ".PP\n" });
                notes.extend(paragraph.lines().map(roff_line));
                continue;
            }
        };
        section.push_str(&format!(".SH \"{title}\"\n.nf\n"));
        section.extend(lines.lines().map(|line| roff_line(line.strip_prefix("  ").unwrap_or(line))));
        section.push_str(".fi\n");
    }
    status + &notes + &examples
}

/// A line of text that roff takes for nothing else: no control line, no escapes, hyphens that can be copied.
fn roff_line(line: &str) -> String {
    let plain = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    let guard = if plain.starts_with('.') { "\\&" } else { "" };
    format!("{guard}{plain}\n")
}

/// A command and all beneath it, each with its whole name; none of the hidden ones, nor `help`.
fn all(command: &Command) -> Vec<(String, &Command)> {
    fn gather<'c>(name: &str, command: &'c Command, into: &mut Vec<(String, &'c Command)>) {
        into.push((name.to_owned(), command));
        for below in
            command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
        {
            gather(&format!("{name} {}", below.get_name()), below, into);
        }
    }
    let mut found = Vec::new();
    gather(NAME, command, &mut found);
    found
}

#[cfg(all(test, feature = "client", feature = "station"))]
mod tests {
    use super::*;

    /// docs/cli.md as the definitions make it. `SEALWIRE_WRITE_DOCS=1` writes it.
    fn reference() -> String {
        let mut main = Args::command().term_width(100);
        main.build();
        let mut text = String::from(
            "# The terminal commands\n\nWhat `sealwire COMMAND --help` says, for reading in one piece. Made from the definitions that parse the arguments; a test\nholds it to them (`SEALWIRE_WRITE_DOCS=1 cargo test --lib cli::manual` writes it anew).\n",
        );
        for (name, command) in all(&main) {
            let mut command = command.clone().bin_name(name.clone()).term_width(100);
            let help = command.render_long_help().to_string();
            let help: Vec<&str> = help.lines().map(str::trim_end).collect();
            text.push_str(&format!("\n## {name}\n\n```\n{}\n```\n", help.join("\n").trim_end()));
        }
        text
    }

    #[test]
    fn the_reference_in_docs_is_what_the_definitions_say() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
        let made = reference();
        if std::env::var_os("SEALWIRE_WRITE_DOCS").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == made, "docs/cli.md is not up to date: SEALWIRE_WRITE_DOCS=1 writes it");
    }

    #[test]
    fn the_definitions_hold_together_and_every_command_has_its_page() {
        let mut main = Args::command();
        main.clone().debug_assert();
        main.build();
        let names: Vec<String> = all(&main).into_iter().map(|(name, _)| name).collect();
        for name in
            ["sealwire", "sealwire pub", "sealwire sub", "sealwire key rotate", "sealwire audit verify"]
        {
            assert!(names.iter().any(|known| known == name), "{name} is missing in {names:?}");
        }
        for (name, command) in all(&main) {
            let page = String::from_utf8(page(command, &name).unwrap()).unwrap();
            assert!(page.contains(".SH SYNOPSIS") && !page.contains("EXTRA"), "{name}");
        }
    }

    #[test]
    fn the_end_of_the_help_becomes_sections_with_their_columns_kept() {
        let help = "A note\nof two lines.\n\nExamples:\n  sealwire x --y 'z'\n\nExit codes:\n  0    done\n       so\n  .1   no";
        let table = ".SH \"EXIT STATUS\"\n.nf\n0    done\n     so\n\\&.1   no\n.fi\n";
        let rest =
            ".SH NOTES\nA note\nof two lines.\n.SH \"EXAMPLES\"\n.nf\nsealwire x \\-\\-y \\(aqz\\(aq\n.fi\n";
        assert_eq!(sections(help), format!("{table}{rest}"));
        assert_eq!(sections(""), "");
    }
}
