//! What only an admin may do.

use crate::api::{AccountEntry, Problem, ProblemCode, SetRole, Username};

use super::{Accounts, Caller, LoggedIn, malformed};

/// Who holds a session in a role that administers. A handler that needs an admin takes this.
#[derive(Debug, Clone)]
pub(crate) struct Admin(LoggedIn);

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
