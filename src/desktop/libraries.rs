//! Which of the libraries that a window loads are missing, before it opens.
//!
//! They are loaded by name when the window opens, so the linker cannot tell; without them the toolkit would stop with
//! an error that helps nobody.

#[cfg(target_os = "linux")]
use std::path::PathBuf;

/// The libraries of an X11 session, and the Debian package of each.
#[cfg(target_os = "linux")]
const NEEDED: &[(&str, &str)] = &[
    ("libX11.so.6", "libx11-6"),
    ("libX11-xcb.so.1", "libx11-xcb1"),
    ("libXcursor.so.1", "libxcursor1"),
    ("libXi.so.6", "libxi6"),
    ("libxkbcommon.so.0", "libxkbcommon0"),
    ("libxkbcommon-x11.so.0", "libxkbcommon-x11-0"),
    ("libGL.so.1", "libgl1"),
];

/// Names the missing libraries and how to get them; `None` when all are there. Wayland sessions load others and fall
/// back by themselves.
#[cfg(target_os = "linux")]
#[must_use]
pub fn missing_libraries_text() -> Option<String> {
    if std::env::var_os("WAYLAND_DISPLAY").is_some_and(|value| !value.is_empty()) {
        return None;
    }
    missing_in(&library_folders())
}

/// Windows and macOS bring what a window needs.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn missing_libraries_text() -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn missing_in(folders: &[PathBuf]) -> Option<String> {
    let missing: Vec<_> =
        NEEDED.iter().filter(|(file, _)| !folders.iter().any(|folder| folder.join(file).exists())).collect();
    if missing.is_empty() {
        return None;
    }
    let files: Vec<_> = missing.iter().map(|(file, _)| *file).collect();
    let packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    Some(format!(
        "the window needs libraries that are not installed: {}.\nOn Debian or Ubuntu: sudo apt install {}\n\
         Elsewhere install the packages that hold these files. `sealwire demo` runs without a window.",
        files.join(", "),
        packages.join(" ")
    ))
}

/// Where the loader looks: `LD_LIBRARY_PATH`, the usual folders, and those that `ld.so.conf.d` names.
#[cfg(target_os = "linux")]
fn library_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("LD_LIBRARY_PATH")
        .map(|paths| std::env::split_paths(&paths).collect())
        .unwrap_or_default();
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    for base in ["/lib", "/usr/lib", "/usr/local/lib", "/lib64", "/usr/lib64", "/run/opengl-driver/lib"] {
        folders.push(base.into());
        folders.push(PathBuf::from(base).join(&triple));
    }
    for entry in std::fs::read_dir("/etc/ld.so.conf.d").into_iter().flatten().flatten() {
        let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
        folders.extend(text.lines().filter(|line| line.starts_with('/')).map(PathBuf::from));
    }
    folders
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_package_and_what_is_there_is_not() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("libX11.so.6"), "").unwrap();
        let text = missing_in(&[dir.path().to_owned()]).unwrap();
        assert!(text.contains("libXcursor.so.1") && text.contains("libxcursor1"), "{text}");
        assert!(!text.contains("libX11.so.6"), "{text}");
        for (file, _) in NEEDED {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        assert_eq!(missing_in(&[dir.path().to_owned()]), None);
    }
}
