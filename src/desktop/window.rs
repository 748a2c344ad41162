//! Opens the window.

use std::{sync::Arc, time::Duration};

use eframe::egui::{Context, IconData, ViewportBuilder};

use crate::client::{DataFolders, Session};

use super::{App, AppConfig, StationSource, missing_libraries_text};

/// How long live batches may wait for a frame: 30 frames a second are smooth, and cost a third less than all there are.
const BATCH_EVERY: Duration = Duration::from_millis(33);

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum DesktopError {
    /// Libraries are missing.
    #[error("{0}")]
    Libraries(String),
    /// The person's side did not start.
    #[error(transparent)]
    Session(#[from] crate::client::ClientError),
    /// The system gave no window.
    #[error("no window could be opened: {0}. `sealwire --help` lists what works without one.")]
    Window(String),
}

/// Opens the window on a data folder and stays until it is closed.
///
/// # Errors
/// Where no window can be opened: with the packages that are missing, if that is why.
pub fn run(folders: DataFolders) -> Result<(), DesktopError> {
    if let Some(text) = missing_libraries_text() {
        return Err(DesktopError::Libraries(text));
    }
    let options = eframe::NativeOptions {
        viewport: viewport(),
        renderer: eframe::Renderer::Glow,
        centered: true,
        ..eframe::NativeOptions::default()
    };
    let create = Box::new(move |cc: &eframe::CreationContext<'_>| {
        let session = Session::start(folders.clone(), waker(&cc.egui_ctx))?;
        let config = AppConfig { session, station: StationSource::of(folders) };
        Ok(Box::new(App::new(&cc.egui_ctx, config)) as Box<dyn eframe::App>)
    });
    eframe::run_native("sealwire", options, create).map_err(|error| DesktopError::Window(error.to_string()))
}

/// Wakes an idle window for a batch.
fn waker(ctx: &Context) -> Arc<dyn Fn() + Send + Sync> {
    let ctx = ctx.clone();
    Arc::new(move || ctx.request_repaint_after(BATCH_EVERY))
}

fn viewport() -> ViewportBuilder {
    let viewport = ViewportBuilder::default()
        .with_title("Sealwire")
        .with_app_id("sealwire")
        .with_inner_size([1280.0, 820.0])
        .with_min_inner_size([800.0, 600.0]);
    match icon() {
        Ok(icon) => viewport.with_icon(icon),
        Err(error) => {
            tracing::warn!(%error, "the window has no icon");
            viewport
        }
    }
}

fn icon() -> Result<IconData, impl std::fmt::Display> {
    eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon/sealwire-256.png"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_in_the_program_is_a_picture() {
        let icon = icon().map_err(|error| error.to_string()).unwrap();
        assert_eq!((icon.width, icon.height), (256, 256));
    }
}
