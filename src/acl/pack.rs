//! A role pack: the roles of a station, as people write them in `users/*.toml`.

use serde::Deserialize;

use super::rule::Role;

/// The roles of one file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolePack {
    /// One sentence on whom the pack is for.
    #[serde(default)]
    pub description: String,
    /// The role that the first account of a new station gets.
    pub first_account: String,
    /// What later accounts may choose at sign-up.
    pub sign_up: Vec<String>,
    /// The roles.
    #[serde(rename = "role")]
    pub roles: Vec<Role>,
}

/// Why a pack cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Not TOML, or not a pack.
    #[error("the role pack cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A name that no `[[role]]` has.
    #[error("the role pack names the role “{0}”, but has no [[role]] with that name")]
    UnknownRole(String),
    /// Two roles of one name.
    #[error("the role pack has two roles named “{0}”: rename one")]
    TwiceNamed(String),
    /// Sign-up must not hand out administration.
    #[error("the role pack offers the admin role “{0}” at sign-up: remove it from `sign_up`")]
    AdminAtSignUp(String),
}

impl RolePack {
    /// The pack that a station has unless told otherwise: admin, publisher, subscriber.
    pub const DEFAULT: &'static str = include_str!("../../users/default.toml");

    /// Reads and checks a pack.
    ///
    /// # Errors
    /// What is wrong, by name.
    pub fn parse(text: &str) -> Result<Self, PackError> {
        let pack: Self = toml::from_str(text)?;
        for (at, role) in pack.roles.iter().enumerate() {
            if pack.roles[..at].iter().any(|earlier| earlier.name == role.name) {
                return Err(PackError::TwiceNamed(role.name.clone()));
            }
        }
        for name in pack.sign_up.iter().chain([&pack.first_account]) {
            let role = pack.role(name).ok_or_else(|| PackError::UnknownRole(name.clone()))?;
            if role.admin && pack.sign_up.contains(name) {
                return Err(PackError::AdminAtSignUp(name.clone()));
            }
        }
        Ok(pack)
    }

    /// The role of that name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        acl::{Right, Subject},
        topic::{TopicFilter, TopicName},
    };

    #[test]
    fn the_default_pack_lets_publishers_publish_and_subscribers_subscribe_and_only_admins_see_sys() {
        let pack = RolePack::parse(RolePack::DEFAULT).unwrap();
        let who = Subject { username: "anna", client_id: "c" };
        let can = |role: &str, right, topic: &str| {
            let role = pack.role(role).unwrap();
            let name = TopicName::new(topic).unwrap();
            match right {
                Right::Publish => role.decide_publish(&who, &name).is_allowed(),
                _ => role.decide_deliver(&who, &name).is_allowed(),
            }
        };
        assert!(
            can("publisher", Right::Publish, "plant/x") && !can("publisher", Right::Subscribe, "plant/x")
        );
        assert!(
            can("subscriber", Right::Subscribe, "plant/x") && !can("subscriber", Right::Publish, "plant/x")
        );
        assert!(can("admin", Right::Publish, "plant/x") && can("admin", Right::Subscribe, "$SYS/x"));
        assert!(
            !can("subscriber", Right::Subscribe, "$SYS/x") && !can("publisher", Right::Publish, "$SYS/x")
        );
        let everything = TopicFilter::new("#").unwrap();
        assert!(pack.role("subscriber").unwrap().decide_subscribe(&who, &everything).is_allowed());
        assert_eq!(
            (pack.first_account.as_str(), pack.sign_up.as_slice()),
            ("admin", &["publisher".into(), "subscriber".into()][..])
        );
    }

    #[test]
    fn a_pack_that_offers_administration_or_names_a_missing_role_is_refused() {
        let base = "first_account = 'a'\nsign_up = ['X']\n[[role]]\nname = 'a'\nadmin = true\n[[role]]\nname = 'p'\n";
        assert!(RolePack::parse(&base.replace('X', "p")).is_ok());
        assert!(matches!(RolePack::parse(&base.replace('X', "a")), Err(PackError::AdminAtSignUp(_))));
        assert!(matches!(RolePack::parse(&base.replace('X', "q")), Err(PackError::UnknownRole(_))));
        assert!(matches!(RolePack::parse("roles = 3"), Err(PackError::Toml(_))));
    }
}
