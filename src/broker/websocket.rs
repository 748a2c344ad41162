//! From an HTTP request to MQTT over WebSocket (RFC 6455, section 4; MQTT 5, section 6): which requests are let in.
//!
//! A browser lets any page of any site open a WebSocket to any address, this computer's own too, and tells the page's
//! site as `Origin`. So who has an `Origin` is judged by [`Origins`]; programs that are no browsers send none.

use std::{io, net::IpAddr, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Error,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    },
};

use super::frames::Framed;

/// Where MQTT is found. Programs use either.
const PATHS: [&str; 2] = ["/mqtt", "/"];

/// What MQTT is called as a sub-protocol: by the standard (MQTT-6.0.0-3), and as MQTT 3.1's clients still say.
const PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Which sites' pages may connect.
///
/// A page may that came from the very host that it connects to. Over plain WebSocket that host must be an IP address
/// or `localhost`: any other name can have been pointed at this computer for the purpose (DNS rebinding), whereas
/// over TLS the browser has checked it against the certificate. Other sites must be listed.
#[derive(Debug, Clone, Default)]
pub struct Origins(Arc<[String]>);

impl Origins {
    /// With these sites besides, each as browsers write it: `https://example.org`, with `:port` where it is not the
    /// scheme's own; `null` for pages without a site; `*` for any.
    #[must_use]
    pub fn new(listed: &[String]) -> Self {
        Self(listed.iter().map(|origin| origin.trim_end_matches('/').to_ascii_lowercase()).collect())
    }

    /// Whether the page that sent these may connect.
    fn permit(&self, headers: &HeaderMap, encrypted: bool) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        let Some(origin) = origin.to_str().ok().filter(|_| origins.next().is_none()) else { return false };
        let origin = origin.to_ascii_lowercase();
        if self.0.iter().any(|listed| listed == "*" || *listed == origin) {
            return true;
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        match (host_of(&origin), host.and_then(|host| host_of(&format!("ws://{host}")))) {
            (Some(from), Some(to)) => from == to && (encrypted || cannot_be_rebound(&to)),
            _ => false,
        }
    }
}

/// The host of `scheme://host:port`, in lower case.
fn host_of(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    uri.host().map(str::to_ascii_lowercase)
}

fn cannot_be_rebound(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// Judges an upgrade request.
#[allow(clippy::result_large_err, reason = "the shape that the library asks for")]
fn judge(
    request: &Request,
    mut response: Response,
    origins: &Origins,
    encrypted: bool,
) -> Result<Response, ErrorResponse> {
    if !PATHS.contains(&request.uri().path()) {
        return Err(refused(StatusCode::NOT_FOUND, "MQTT over WebSocket is at /mqtt"));
    }
    if !origins.permit(request.headers(), encrypted) {
        let text = "pages of this site may not connect: list the site in the station's websocket_origins";
        return Err(refused(StatusCode::FORBIDDEN, text));
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offered: Vec<_> =
        offered.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(',')).collect();
    let chosen = PROTOCOLS.into_iter().find(|known| offered.iter().any(|name| name.trim() == *known));
    let Some(chosen) = chosen else {
        return Err(refused(StatusCode::BAD_REQUEST, "ask for the sub-protocol mqtt"));
    };
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
    Ok(response)
}

fn refused(status: StatusCode, text: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Answers the upgrade request. The caller sets the time limit; the request's head is bounded by 64 KiB.
pub(super) async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    socket: S,
    origins: &Origins,
    encrypted: bool,
) -> io::Result<Framed<S>> {
    #[allow(clippy::result_large_err, reason = "the shape that the library asks for")]
    let answer = |request: &Request, response| judge(request, response, origins, encrypted);
    match accept_hdr_async(socket, answer).await {
        // The library read the request to its end and not a byte further.
        Ok(upgraded) => Ok(Framed::new(upgraded.into_inner())),
        Err(Error::Http(response)) => {
            let text = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let text = format!("WebSocket refused with {}: {}", response.status(), text.trim_end());
            Err(io::Error::other(text))
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(origins: &[&str], origin: Option<&'static str>, host: &'static str, encrypted: bool) -> bool {
        let listed: Vec<_> = origins.iter().map(ToString::to_string).collect();
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        }
        Origins::new(&listed).permit(&headers, encrypted)
    }

    #[test]
    fn a_page_of_another_site_may_not_connect_unless_it_is_listed() {
        let local = "127.0.0.1:8083";
        assert!(permits(&[], None, local, false), "no browser, no origin");
        assert!(!permits(&[], Some("https://evil.example"), local, false));
        assert!(!permits(&[], Some("null"), local, false));
        assert!(!permits(&[], Some("http://localhost.evil.example"), "localhost:8083", false));
        assert!(permits(&["https://panel.example/"], Some("https://panel.example"), local, false));
        assert!(!permits(&["https://panel.example"], Some("http://panel.example"), local, false));
        assert!(permits(&["*"], Some("https://evil.example"), local, false));
        assert!(permits(&["null"], Some("null"), local, false));
    }

    #[test]
    fn a_page_of_the_same_host_may_connect_where_its_name_cannot_have_been_pointed_here() {
        assert!(permits(&[], Some("http://localhost:3000"), "localhost:8083", false));
        assert!(permits(&[], Some("http://127.0.0.1"), "127.0.0.1:8083", false));
        assert!(permits(&[], Some("http://[::1]:3000"), "[::1]:8083", false));
        assert!(!permits(&[], Some("http://127.0.0.1"), "localhost:8083", false));
        assert!(!permits(&[], Some("http://evil.example"), "evil.example:8083", false), "DNS rebinding");
        assert!(permits(&[], Some("https://plant.example"), "plant.example:8084", true));
        assert!(!permits(&[], Some("https://evil.example"), "plant.example:8084", true));
    }
}
