//! Ctrl+C, and the terminate signal where there is one.

/// Waits until the program is told to end.
pub(super) async fn told() {
    let ctrl_c = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "Ctrl+C cannot be heard here");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! { () = ctrl_c => {}, _ = terminate.recv() => {} }
            }
            Err(error) => {
                tracing::warn!(%error, "the terminate signal cannot be heard here");
                ctrl_c.await;
            }
        }
    }
    #[cfg(not(unix))]
    ctrl_c.await;
}
