//! The report as a page.

use super::Report;

/// The whole page.
#[must_use]
pub fn page(_report: &Report) -> String {
    String::new()
}
