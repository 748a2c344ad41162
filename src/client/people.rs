//! Whose signatures these are: tells the station what this account signs with, and asks whose key another is.
//!
//! The first key that a name comes with is remembered in the vault. What the station says later is compared with that: it
//! can never put another key in the place of a known one. Who wants to be certain compares digits, person to person.

use std::collections::BTreeMap;

use hyper::Method;

use crate::{
    api::{Blob, Identity, PutIdentity, Username},
    keys::{Learned, People, Sender},
    seal::{SenderKey, SigningKey},
};

use super::{
    Asked, Event, Failure, PeopleView, PersonView, Standing,
    clock::now_ms,
    desk::{Desk, NO_BODY},
    failure::told,
    link::Ask,
    sealing,
};

/// Keys that nobody known signs with: more are not remembered one by one.
const MOST_STRANGERS: usize = 256;

/// Keys that were met and are nobody's whom the vault knows, with what the station said.
#[derive(Default)]
pub(super) struct Strangers(BTreeMap<SenderKey, Standing>);

impl Desk {
    /// Sees to it that this account has something to sign with and that the station knows it.
    pub(super) async fn introduce(&mut self) {
        self.ensure_identity().await;
        let Some(session) = &self.session else { return };
        let name = session.account.username.as_str().to_owned();
        let claim = {
            let shared = session.vault.shared();
            let vault = sealing::read(&shared);
            let Some(identity) = vault.identity() else { return };
            let key = identity.sender();
            (
                key,
                PutIdentity {
                    key: Blob(key.as_bytes().to_vec()),
                    proof: Blob(identity.claim(&name).to_vec()),
                },
            )
        };
        let (key, claim) = claim;
        let told = self.whose(key).await;
        if !matches!(told, Ok(Some(ref owner)) if owner.username == name)
            && let Err(error) = self.call_in_session::<()>(Method::PUT, "identity", Some(&claim)).await
        {
            // An older station has no such path: signatures still hold, only nobody can ask whose they are.
            tracing::warn!(%error, "the station was not told what this account signs with");
        }
        self.tell_people();
    }

    /// Somebody signed whom the vault does not know.
    pub(super) async fn meet_sender(&mut self, key: SenderKey) {
        let standing = match self.whose(key).await {
            Ok(Some(Identity { username, .. })) => self.learn(&username, key).await,
            Ok(None) => Some(Standing::Stranger),
            // Nothing is known then; it is asked again at the next login.
            Err(_) => None,
        };
        if let (Some(standing), Some(session)) = (standing, &mut self.session) {
            let strangers = &mut session.strangers.0;
            if strangers.len() < MOST_STRANGERS {
                strangers.insert(key, standing);
            }
        }
        self.ask_link(Ask::SenderAnswered(key));
        self.tell_people();
    }

    async fn change_people<T>(&mut self, change: impl Fn(&mut People) -> T) -> Result<T, Failure> {
        let changed = self.change_vault(|vault| Ok((change(&mut vault.people), true))).await;
        changed.map_err(|error| error.failure("Nothing changed."))
    }

    /// `None` once the vault knows the name with this key.
    async fn learn(&mut self, name: &str, key: SenderKey) -> Option<Standing> {
        let Ok(username) = name.parse::<Username>() else { return Some(Standing::Stranger) };
        let name = username.as_str();
        let own = self.session.as_ref().and_then(|session| {
            let is_mine = session.account.username == username;
            is_mine.then(|| sealing::read(&session.vault.shared()).identity().map(SigningKey::sender))?
        });
        if let Some(known) = own {
            // The station says that another key is ours: nobody but us could know, and we do.
            return Some(Standing::Changed { name: name.to_owned(), known });
        }
        let now = now_ms();
        // Tried on a copy first: only what is new makes a new version of the vault.
        let tried = self
            .session
            .as_ref()
            .map(|session| sealing::read(&session.vault.shared()).people.clone().learn(name, key, now));
        let learned = match tried {
            Some(Learned::New) => self.change_people(|people| people.learn(name, key, now)).await,
            Some(other) => Ok(other),
            None => return None,
        };
        match learned {
            Ok(Learned::New | Learned::Same) => None,
            Ok(Learned::Changed { known }) => Some(Standing::Changed { name: told(name), known }),
            Ok(Learned::Renamed { known }) => {
                Some(Standing::Renamed { name: told(name), known: told(&known) })
            }
            Ok(Learned::Full) | Err(_) => Some(Standing::Told { name: told(name) }),
        }
    }

    async fn whose(&self, key: SenderKey) -> Result<Option<Identity>, super::http::CallError> {
        match self.call_in_session::<Identity>(Method::GET, &format!("identities/{key}"), NO_BODY).await {
            Ok(identity) => Ok(Some(identity)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The two people compared their digits, or it turned out that they did not.
    pub(super) async fn set_compared(&mut self, key: SenderKey, compared: bool) {
        let what = "Nothing changed.";
        match self.change_people(|people| people.set_compared(&key, compared)).await {
            Ok(true) => self.tell_people(),
            Ok(false) => {
                let why = "Nobody whom you know signs with this key.";
                self.teller.fail(Asked::People, Failure::new(what, why, ""));
            }
            Err(failure) => self.teller.fail(Asked::People, Failure { what: what.to_owned(), ..failure }),
        }
    }

    /// Takes the new key of somebody whose key has changed, because the person said so.
    pub(super) async fn accept_sender(&mut self, key: SenderKey) {
        let what = "The key was not taken.";
        let standing = self.session.as_ref().and_then(|session| session.strangers.0.get(&key).cloned());
        let Some(Standing::Changed { name, .. } | Standing::Renamed { name, .. }) = standing else {
            let why = "No account of the station has this as its new key.";
            self.teller.fail(Asked::People, Failure::new(what, why, ""));
            return;
        };
        let now = now_ms();
        match self.change_people(|people| people.replace(&name, key, now)).await {
            Ok(()) => {
                if let Some(session) = &mut self.session {
                    session.strangers.0.remove(&key);
                }
                self.tell_people();
            }
            Err(failure) => self.teller.fail(Asked::People, Failure { what: what.to_owned(), ..failure }),
        }
    }

    /// Forgets somebody: the next message of theirs makes the station be asked anew.
    pub(super) async fn forget_sender(&mut self, key: SenderKey) {
        let what = "Nothing changed.";
        match self.change_people(|people| people.forget(&key)).await {
            Ok(_) => {
                self.ask_link(Ask::ForgetSender(key));
                self.tell_people();
            }
            Err(failure) => self.teller.fail(Asked::People, Failure { what: what.to_owned(), ..failure }),
        }
    }

    /// Tells the window whom this account knows.
    pub(super) fn tell_people(&self) {
        let Some(session) = &self.session else { return };
        let shared = session.vault.shared();
        let vault = sealing::read(&shared);
        let own = vault.identity().map(SigningKey::sender);
        let known = vault.people.all().iter().map(known);
        let strangers = session.strangers.0.iter().map(|(key, standing)| person(*key, standing.clone(), 0));
        self.teller.tell(Event::People(PeopleView { own, people: known.chain(strangers).collect() }));
    }
}

fn known(sender: &Sender) -> PersonView {
    let standing = Standing::Known { name: told(&sender.name), compared: sender.compared };
    person(sender.key, standing, sender.since_ms)
}

fn person(key: SenderKey, standing: Standing, since_ms: u64) -> PersonView {
    PersonView { key, digits: key.digits(), standing, since_ms }
}
