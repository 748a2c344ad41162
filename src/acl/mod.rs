//! Roles, their rules, and the decision. Pure: the same code answers at the client, which asks first, and at the
//! station, which enforces.
//!
//! Default deny, and a deny wins over every allow. Each decision names the rule that made it, so that a refusal can
//! be explained. Start at [`Role::decide_publish`].

mod decide;
mod pack;
mod rule;

pub use decide::{Decision, Subject};
pub use pack::{PackError, RolePack};
pub use rule::{Effect, Right, Role, Rule, RuleError};
