//! What the broker asks: who connects, and may they publish, subscribe, be given this.

use std::sync::Arc;

use crate::{
    acl::{Decision, Right, Role, Subject},
    api::Username,
    broker::{Authority, BoxFuture, ClientCertificate, ConnectRefusal, ConnectRequest, Identity, Verdict},
    topic::{TopicFilter, TopicName},
};

use super::{
    Clock,
    roles::RoleBook,
    store::{Store, StoreError},
    token::proof_of,
};

/// A token has 43 characters; what is longer is none, and is not hashed.
const MAX_TOKEN_BYTES: usize = 128;

/// Set in the number of a credential that is a certificate. Rows of the database have smaller ones.
const OF_CERTIFICATE: u64 = 1 << 63;

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn trouble(error: StoreError) -> ConnectRefusal {
    tracing::error!(%error, "a CONNECT could not be answered");
    ConnectRefusal::Unavailable("its database is in trouble, try again".to_owned())
}

/// Answers for the accounts.
pub(crate) struct Gatekeeper {
    pub(crate) store: Store,
    pub(crate) roles: Arc<RoleBook>,
    pub(crate) clock: Clock,
    /// Whether clients without a name may come from other computers.
    pub(crate) anonymous_beyond_loopback: bool,
}

impl Gatekeeper {
    /// The name is an account's, the password one of its tokens: a session's (TLS only) or a device's. The account's
    /// own password is no good here: it never travels.
    async fn identify(&self, request: ConnectRequest) -> Result<Identity, ConnectRefusal> {
        if let Some(certificate) = &request.certificate {
            return self.by_certificate(certificate, &request).await;
        }
        let Some(username) = request.username.as_deref() else { return self.anonymous(&request) };
        let username = username.to_lowercase();
        let token = request.password.as_deref().filter(|token| token.len() <= MAX_TOKEN_BYTES);
        let token = token.and_then(|token| std::str::from_utf8(token).ok());
        let proof = proof_of(token.ok_or(ConnectRefusal::BadCredentials)?);
        let identity = |id: i64, role: &str| Identity {
            account: username.as_str().into(),
            client_id: Arc::clone(&request.client_id),
            role: role.into(),
            credential: id.unsigned_abs(),
        };
        let session = self.store.session_by_mqtt(&proof, self.clock.now()).await.map_err(trouble)?;
        if let Some(session) = session.filter(|session| session.username == username) {
            if !request.transport.is_encrypted() {
                return Err(ConnectRefusal::NotAuthorized(
                    "a login's token is for MQTT over TLS only; make a device credential for plain MQTT"
                        .into(),
                ));
            }
            return Ok(identity(session.id, &session.role));
        }
        match self.store.device_by_proof(&proof).await.map_err(trouble)? {
            Some((id, name, role)) if name == username => Ok(identity(id, &role)),
            _ => Err(ConnectRefusal::BadCredentials),
        }
    }

    /// A certificate that TLS has verified speaks for the account that its first name names which can be a username
    /// at all. The account must exist; a password is not looked at, and a username, where there is one, must be the
    /// same.
    async fn by_certificate(
        &self,
        certificate: &ClientCertificate,
        request: &ConnectRequest,
    ) -> Result<Identity, ConnectRefusal> {
        let named = certificate.names.iter().find_map(|name| name.parse::<Username>().ok());
        let Some(named) = named else {
            let text =
                "the client's certificate names nobody: its alternative or common name must be a username";
            return Err(ConnectRefusal::NotAuthorized(text.to_owned()));
        };
        if request.username.as_ref().is_some_and(|given| given.to_lowercase() != named.as_str()) {
            let text = format!("the client's certificate is {named}'s: use that username, or none");
            return Err(ConnectRefusal::NotAuthorized(text));
        }
        let account = self.store.account(named.as_str()).await.map_err(trouble)?;
        let Some(account) = account else {
            let text = format!("the client's certificate is {named}'s, who has no account at this station");
            return Err(ConnectRefusal::NotAuthorized(text));
        };
        let [a, b, c, d, e, f, g, h, ..] = certificate.fingerprint;
        Ok(Identity {
            account: named.as_str().into(),
            client_id: Arc::clone(&request.client_id),
            role: account.role.as_str().into(),
            // Beyond every number of a session or device.
            credential: u64::from_be_bytes([a, b, c, d, e, f, g, h]) | OF_CERTIFICATE,
        })
    }

    /// A client without a name: where the station lets such in at all, and from this computer only unless it was told
    /// otherwise. What `--anonymous` gives away is meant for programs beside it, whatever address it listens on.
    fn anonymous(&self, request: &ConnectRequest) -> Result<Identity, ConnectRefusal> {
        let near = self.anonymous_beyond_loopback || request.peer.ip().to_canonical().is_loopback();
        let role = self.roles.of("").filter(|_| near).ok_or_else(|| {
            ConnectRefusal::NotAuthorized("this station needs a username and a token".to_owned())
        })?;
        Ok(Identity {
            account: "".into(),
            client_id: Arc::clone(&request.client_id),
            role: role.name.as_str().into(),
            credential: 0,
        })
    }

    /// Asks the account's present role.
    fn ask(
        &self,
        identity: &Identity,
        right: Right,
        what: &str,
        decide: impl for<'a> Fn(&'a Role, &Subject<'_>) -> Decision<'a>,
    ) -> Verdict {
        let Some(role) = self.roles.of(&identity.account) else {
            return Verdict::Deny("the account is not there any more".into());
        };
        let subject = Subject { username: &identity.account, client_id: &identity.client_id };
        let decision = decide(&role, &subject);
        if decision.is_allowed() {
            Verdict::Allow
        } else {
            Verdict::Deny(decision.explain(&role, right, what).into())
        }
    }
}

impl Authority for Gatekeeper {
    fn connect(&self, request: ConnectRequest) -> BoxFuture<'_, Result<Identity, ConnectRefusal>> {
        Box::pin(self.identify(request))
    }

    fn publish(&self, identity: &Identity, topic: &TopicName) -> Verdict {
        self.ask(identity, Right::Publish, topic.as_str(), |role, who| role.decide_publish(who, topic))
    }

    fn subscribe(&self, identity: &Identity, filter: &TopicFilter) -> Verdict {
        self.ask(identity, Right::Subscribe, filter.as_str(), |role, who| role.decide_subscribe(who, filter))
    }

    fn deliver(&self, identity: &Identity, topic: &TopicName) -> bool {
        let Some(role) = self.roles.of(&identity.account) else { return false };
        let subject = Subject { username: &identity.account, client_id: &identity.client_id };
        role.decide_deliver(&subject, topic).is_allowed()
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{
        acl::RolePack,
        broker::{Protocol, Transport},
    };

    #[tokio::test]
    async fn nobody_without_a_name_comes_in_from_another_computer() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("station.db"), &dir.path().join("station.key")).await;
        let pack = RolePack::parse(RolePack::DEFAULT).unwrap();
        let gatekeeper = Gatekeeper {
            store: store.unwrap().0,
            roles: Arc::new(RoleBook::new(pack, Some("subscriber")).unwrap()),
            clock: Clock::default(),
            anonymous_beyond_loopback: false,
        };
        let from = |peer: SocketAddr| ConnectRequest {
            client_id: "c".into(),
            username: None,
            password: None,
            peer,
            transport: Transport::Tls,
            certificate: None,
            protocol: Protocol::V5,
        };
        for near in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            let identity = gatekeeper.identify(from(near.parse().unwrap())).await.unwrap();
            assert_eq!(&*identity.role, "subscriber");
        }
        for far in ["192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"] {
            let refused = gatekeeper.identify(from(far.parse().unwrap())).await.unwrap_err();
            assert!(matches!(refused, ConnectRefusal::NotAuthorized(_)), "{far}");
        }
        let open = Gatekeeper { anonymous_beyond_loopback: true, ..gatekeeper };
        let far = open.identify(from("192.0.2.1:1".parse().unwrap())).await.unwrap();
        assert_eq!(&*far.role, "subscriber");
    }
}
