//! What handlers take, and how they answer. A rejection is a problem too.

use std::sync::Arc;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use crate::{
    api::{MAX_BODY_BYTES, Problem, ProblemCode},
    station::accounts::{Accounts, Admin, Caller, LoggedIn},
};

type State = Arc<Accounts>;

/// A request's JSON.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &State) -> Result<Self, Problem> {
        let malformed = |why: String| Problem::new(ProblemCode::Malformed, why);
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(malformed("send JSON, with the header “content-type: application/json”".to_owned()))
            }
            Err(JsonRejection::BytesRejection(why)) if why.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let message = format!("a request has at most {MAX_BODY_BYTES} bytes");
                Err(Problem::new(ProblemCode::TooLarge, message))
            }
            Err(other) => Err(malformed(other.body_text())),
        }
    }
}

impl FromRequestParts<State> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &State) -> Result<Self, Problem> {
        // The accept loop puts it there.
        let unknown =
            || Problem::new(ProblemCode::Internal, "the station does not know where this came from");
        parts.extensions.get::<Self>().copied().ok_or_else(unknown)
    }
}

impl FromRequestParts<State> for LoggedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, accounts: &State) -> Result<Self, Problem> {
        let token = parts.headers.get(header::AUTHORIZATION).and_then(bearer).ok_or_else(|| {
            Problem::new(ProblemCode::SessionOver, "log in first: this needs “authorization: Bearer TOKEN”")
        })?;
        accounts.authenticate(token).await
    }
}

impl FromRequestParts<State> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, accounts: &State) -> Result<Self, Problem> {
        accounts.as_admin(LoggedIn::from_request_parts(parts, accounts).await?)
    }
}

/// The token of RFC 6750 §2.1. The scheme's name has no case (RFC 9110 §11.1).
pub(super) fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after_s;
        let mut response = (status, Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
