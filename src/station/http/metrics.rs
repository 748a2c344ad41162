//! `GET /metrics`, for Prometheus: with an admin's token or the scrape token, or over the plain listener of this
//! computer, which asks for nothing.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    api::{Problem, ProblemCode},
    station::{
        accounts::Accounts,
        metrics::{CONTENT_TYPE, text},
        process::Process,
    },
};

use super::extract::bearer;

/// Where it is.
pub(super) const PATH: &str = "/metrics";

/// To who shows one of the two tokens.
pub(super) async fn with_token(
    State(desk): State<Arc<Accounts>>,
    request: Request,
) -> Result<Response, Problem> {
    let token = request.headers().get(header::AUTHORIZATION).and_then(bearer).ok_or_else(|| {
        let why = "this needs “authorization: Bearer TOKEN”: the one in the station's keys/metrics.token, or an \
                   admin's";
        Problem::new(ProblemCode::SessionOver, why)
    })?;
    if !desk.is_scrape_token(token) {
        let who = desk.authenticate(token).await?;
        desk.as_admin(who)?;
    }
    Ok(page(&desk))
}

/// The paths of the plain listener.
pub(crate) fn plain_router(desk: Arc<Accounts>) -> Router {
    let nothing_else = async |uri: Uri| {
        let message = format!("there is nothing at {} here: the metrics are at {PATH}", uri.path());
        Problem::new(ProblemCode::NotFound, message)
    };
    Router::new().route(PATH, get(to_neighbours)).fallback(nothing_else).with_state(desk)
}

/// To any program of this computer. Not to a browser that a web page sent here under a name of its own (DNS
/// rebinding): such a request names another host.
async fn to_neighbours(State(desk): State<Arc<Accounts>>, request: Request) -> Result<Response, Problem> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let near = name == "localhost"
        || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if !near {
        let why = "ask for this by 127.0.0.1 or localhost: it is for programs of this computer";
        return Err(Problem::new(ProblemCode::Forbidden, why));
    }
    Ok(page(&desk))
}

fn page(desk: &Accounts) -> Response {
    let text = text(&desk.mqtt.figures(), &Process::now());
    ([(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE))], text).into_response()
}
