//! What only an admin may do.

use crate::api::{AccountEntry, Problem, ProblemCode, RoleEntry, SetRole, Username};

use super::{Accounts, Caller, LoggedIn, malformed};

/// Who holds a session in a role that administers. A handler that needs an admin takes this.
#[derive(Debug, Clone)]
pub(crate) struct Admin(pub(super) LoggedIn);

impl Accounts {
    /// Whether who is logged in is an admin now.
    pub(crate) fn as_admin(&self, who: LoggedIn) -> Result<Admin, Problem> {
        if self.roles.role(&who.role).admin {
            return Ok(Admin(who));
        }
        Err(Problem::new(ProblemCode::Forbidden, "only an admin of this station may do this: ask one"))
    }

    /// Every account.
    pub(crate) async fn list(&self, _admin: &Admin) -> Result<Vec<AccountEntry>, Problem> {
        Ok(self.store.accounts().await?)
    }

    /// Every role that an account can be given.
    pub(crate) fn all_roles(&self, _admin: &Admin) -> Vec<RoleEntry> {
        self.roles.all()
    }

    /// Removes an account: its vault, its sessions, its devices, and what waits for it in the broker. What it retained
    /// stays.
    pub(crate) async fn remove_account(
        &self,
        Admin(who): &Admin,
        username: &Username,
        caller: Caller,
    ) -> Result<(), Problem> {
        let is_admin = |name: &str| self.roles.role(name).admin;
        match self.store.remove_account(username.as_str(), is_admin).await? {
            None => Err(Problem::new(ProblemCode::NotFound, format!("there is no account {username}"))),
            Some(false) => Err(Problem::new(
                ProblemCode::Forbidden,
                format!("{username} is the last admin: make somebody else one first"),
            )),
            Some(true) => {
                self.roles.forget(username.as_str());
                self.mqtt.forget_account(username.as_str());
                let outcome = format!("{username} is gone");
                self.trail.note(&who.username, &who.role, "account removed", &outcome, caller.peer());
                Ok(())
            }
        }
    }

    /// Gives an account another role, at once.
    pub(crate) async fn set_role(
        &self,
        Admin(who): &Admin,
        username: &Username,
        SetRole { role }: SetRole,
        caller: Caller,
    ) -> Result<(), Problem> {
        if !self.roles.has(&role) {
            return Err(malformed(format!("this station has no role “{role}”")));
        }
        let is_admin = |name: &str| self.roles.role(name).admin;
        match self.store.set_role(username.as_str(), &role, is_admin).await? {
            None => Err(Problem::new(ProblemCode::NotFound, format!("there is no account {username}"))),
            Some(false) => Err(Problem::new(
                ProblemCode::Forbidden,
                format!("{username} is the last admin: make somebody else one first"),
            )),
            Some(true) => {
                self.roles.assign(username.as_str(), &role);
                self.mqtt.permissions_changed();
                let outcome = format!("{username} is {role} now");
                self.trail.note(&who.username, &who.role, "role changed", &outcome, caller.peer());
                Ok(())
            }
        }
    }
}
