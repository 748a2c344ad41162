//! `sealwire-desktop`: what a double-click starts; on Windows without a console.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

fn main() -> std::process::ExitCode {
    sealwire::run()
}
