//! The role pack, and which account has which role now.
//!
//! The broker asks from its hot path, so this is memory; the database is where it comes from.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;

use crate::{
    acl::{Role, RolePack},
    api::{RoleEntry, RoleOffer},
    files::read_bounded,
};

use super::StationError;

/// A role pack is never larger.
const MAX_PACK_BYTES: u64 = 1024 * 1024;

/// Who may do what.
pub(crate) struct RoleBook {
    roles: HashMap<String, Arc<Role>>,
    first_account: String,
    sign_up: Vec<String>,
    anonymous: Option<Arc<Role>>,
    accounts: RwLock<HashMap<String, Arc<Role>>>,
}

impl RoleBook {
    /// The book of a pack, without accounts yet.
    pub(crate) fn new(pack: RolePack, anonymous: Option<&str>) -> Result<Self, StationError> {
        let roles: HashMap<_, _> =
            pack.roles.into_iter().map(|role| (role.name.clone(), Arc::new(role))).collect();
        let anonymous = match anonymous {
            None => None,
            Some(name) => Some(roles.get(name).cloned().ok_or_else(|| {
                let mut known: Vec<_> = roles.keys().map(String::as_str).collect();
                known.sort_unstable();
                StationError::UnknownRole { name: name.to_owned(), known: known.join(", ") }
            })?),
        };
        Ok(Self {
            roles,
            first_account: pack.first_account,
            sign_up: pack.sign_up,
            anonymous,
            accounts: RwLock::default(),
        })
    }

    /// The role of that name; one without rules where the pack no longer has it.
    pub(crate) fn role(&self, name: &str) -> Arc<Role> {
        self.roles.get(name).cloned().unwrap_or_else(|| {
            Arc::new(Role {
                name: name.to_owned(),
                description: "This station's role pack no longer has this role: ask its admin.".to_owned(),
                admin: false,
                rules: Vec::new(),
            })
        })
    }

    /// Whether the pack has a role of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.roles.contains_key(name)
    }

    /// Every role of the pack, by name.
    pub(crate) fn all(&self) -> Vec<RoleEntry> {
        let entry = |role: &Arc<Role>| RoleEntry {
            name: role.name.clone(),
            description: role.description.clone(),
            admin: role.admin,
        };
        let mut all: Vec<_> = self.roles.values().map(entry).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Notes an account's role.
    pub(crate) fn assign(&self, account: &str, role: &str) {
        let role = self.role(role);
        self.accounts.write().insert(account.to_owned(), role);
    }

    /// Forgets an account: from now on it may do nothing.
    pub(crate) fn forget(&self, account: &str) {
        self.accounts.write().remove(account);
    }

    /// The present role of an account; the empty name is the anonymous client's.
    pub(crate) fn of(&self, account: &str) -> Option<Arc<Role>> {
        if account.is_empty() {
            return self.anonymous.clone();
        }
        self.accounts.read().get(account).cloned()
    }

    /// The role of the first account.
    pub(crate) fn first_account(&self) -> &str {
        &self.first_account
    }

    /// What can be chosen at sign-up.
    pub(crate) fn offers(&self) -> Vec<RoleOffer> {
        self.sign_up
            .iter()
            .map(|name| RoleOffer { name: name.clone(), description: self.role(name).description.clone() })
            .collect()
    }

    /// Whether a role can be chosen at sign-up.
    pub(crate) fn is_offered(&self, name: &str) -> bool {
        self.sign_up.iter().any(|offered| offered == name)
    }
}

/// The pack in the data folder; where it has none, the one that is built in. Of several, `default.toml`.
pub(crate) fn load_pack(users: &Path) -> Result<RolePack, StationError> {
    let built_in = users.join("default.toml");
    let bad = |path: PathBuf, reason: String| StationError::RolePack { path, reason };
    let entries = std::fs::read_dir(users).map_err(|e| bad(users.to_owned(), e.to_string()))?;
    let mut packs: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    packs.sort();
    let path = match packs.as_slice() {
        [] => return RolePack::parse(RolePack::DEFAULT).map_err(|e| bad(built_in, e.to_string())),
        [one] => one.clone(),
        many if many.contains(&built_in) => built_in,
        many => {
            let names: Vec<_> = many.iter().map(|path| path.display().to_string()).collect();
            let reason = format!(
                "there are several role packs ({}): keep one, or name the one to use default.toml",
                names.join(", ")
            );
            return Err(bad(users.to_owned(), reason));
        }
    };
    let text = read_bounded(&path, MAX_PACK_BYTES)?;
    let text = std::str::from_utf8(&text).map_err(|_| bad(path.clone(), "it is not UTF-8 text".into()))?;
    RolePack::parse(text).map_err(|e| bad(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_pack_is_named_with_its_line_and_several_are_not_mixed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load_pack(dir.path()).unwrap().first_account, "admin");
        let path = dir.path().join("plant.toml");
        std::fs::write(&path, "first_account = 'admin'\nsign_up = [\n[[role]]\n").unwrap();
        let error = load_pack(dir.path()).unwrap_err().to_string();
        assert!(error.contains("plant.toml") && error.contains("line"), "{error}");
        std::fs::write(&path, RolePack::DEFAULT).unwrap();
        assert!(load_pack(dir.path()).is_ok());
        std::fs::write(dir.path().join("other.toml"), RolePack::DEFAULT).unwrap();
        assert!(load_pack(dir.path()).unwrap_err().to_string().contains("other.toml"));
        std::fs::write(dir.path().join("default.toml"), RolePack::DEFAULT).unwrap();
        assert!(load_pack(dir.path()).is_ok());
    }

    #[test]
    fn a_role_that_the_pack_lost_permits_nothing_and_an_unknown_anonymous_role_is_refused() {
        let pack = || RolePack::parse(RolePack::DEFAULT).unwrap();
        let book = RoleBook::new(pack(), Some("subscriber")).unwrap();
        book.assign("anna", "operator");
        assert!(book.of("anna").unwrap().rules.is_empty());
        assert_eq!(book.of("").unwrap().name, "subscriber");
        assert!(book.of("nobody").is_none());
        assert!(matches!(RoleBook::new(pack(), Some("guest")), Err(StationError::UnknownRole { .. })));
    }
}
