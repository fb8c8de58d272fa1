//! Who may see what: the switches of organisations and tenants, what follows from them, and the gate before each route.

mod caller;
mod credentials;
mod gate;
mod proxies;
mod switches;
mod view;

pub(crate) use caller::Admin;
pub use caller::{Allowed, Caller, Permission};
pub(crate) use credentials::{Credentials, SESSION_COOKIE, cross_site};
pub(crate) use gate::{Guard, Target};
pub(crate) use proxies::Proxies;
pub(crate) use switches::{OrgState, Switches, TenantState};
pub(crate) use view::{View, Views};
