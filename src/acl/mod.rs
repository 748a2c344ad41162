//! Roles, their rules, and the decision. Pure: the same answer at the client, which asks first, and at the station.
