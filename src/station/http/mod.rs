//! The API over HTTPS: paths, extractors, and the accept loop. Every failure that reaches a handler or misses one is
//! a [`Problem`](crate::api::Problem) in JSON; what is not HTTP at all is closed.
//!
//! A handler that needs a session takes `LoggedIn`, one that needs an admin takes `Admin`: none can forget to ask.

mod extract;
mod handlers;
mod metrics;
mod serve;

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{Method, Uri},
    routing::{delete, get, post, put},
};

use crate::api::{BASE, MAX_BODY_BYTES, Problem, ProblemCode};

use super::accounts::Accounts;

pub(crate) use metrics::plain_router;
pub(crate) use serve::{Api, serve, serve_plain};

/// The table of paths; `api/mod.rs` has it with requests and answers.
pub(crate) fn router(accounts: Arc<Accounts>) -> Router {
    use handlers as h;
    let paths = Router::new()
        .route("/station", get(h::station))
        .route("/account/salt", post(h::salt))
        .route("/account", post(h::sign_up))
        .route("/otp/begin", post(h::begin_otp))
        .route("/otp/confirm", post(h::confirm_otp))
        .route("/session", post(h::log_in).get(h::own_account).delete(h::log_out))
        .route("/password", put(h::change_password))
        .route("/reset/recovery", post(h::recover_open))
        .route("/reset/recovery/finish", post(h::recover_finish))
        .route("/reset/code", post(h::reset_by_code))
        .route("/vault", get(h::vault).put(h::put_vault))
        .route("/recovery-codes", put(h::put_recovery_codes))
        .route("/audit/anchors", get(h::anchors).put(h::put_anchors))
        .route("/devices", get(h::devices).post(h::add_device))
        .route("/devices/{id}", delete(h::remove_device))
        .route("/identity", put(h::put_identity))
        .route("/identities/{key}", get(h::identity))
        .route("/accounts", get(h::list_accounts))
        .route("/accounts/{username}", delete(h::remove_account))
        .route("/accounts/{username}/role", put(h::set_role))
        .route("/roles", get(h::list_roles))
        .route("/sessions", get(h::list_sessions))
        .route("/sessions/{id}", delete(h::end_session));
    Router::new()
        .nest(BASE, paths)
        .route(metrics::PATH, get(metrics::with_token))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(accounts)
}

async fn no_such_path(uri: Uri) -> Problem {
    let message = format!("this station has nothing at {}: its API is under {BASE}", uri.path());
    Problem::new(ProblemCode::NotFound, message)
}

async fn no_such_method(method: Method, uri: Uri) -> Problem {
    Problem::new(ProblemCode::NotFound, format!("{} does not take {method}", uri.path()))
}
