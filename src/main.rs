//! `sealwire`: terminal commands, and with none of them the desktop. On Windows it keeps its console;
//! `sealwire-desktop` is the one for a double-click.

fn main() -> std::process::ExitCode {
    sealwire::run()
}
