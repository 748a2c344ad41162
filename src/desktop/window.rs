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
        let session = Session::pair(waker(&cc.egui_ctx)).0;
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
        Some(icon) => viewport.with_icon(icon),
        None => viewport,
    }
}

fn icon() -> Option<IconData> {
    None
}
