//! Who may see what: the switches of organisations and tenants, what follows from them, and who a caller is.

mod caller;
mod credentials;
mod grants;
mod principal;
mod proxies;
mod public;
mod switches;
mod token;
mod view;

pub(crate) use caller::{Admin, not_signed_in};
pub use caller::{Allowed, Caller, Permission};
pub(crate) use credentials::{Credentials, DEVICE_COOKIE, SESSION_COOKIE, cookie, cookie_values, cross_site};
pub(crate) use grants::{Deed, Holding, Reach, decide};
pub use principal::{Org, Role, Tenant, User};
pub(crate) use proxies::{Proxies, Seen, peer, sender};
pub(crate) use public::is_public;
pub(crate) use switches::{OrgState, Switches, TenantState, orgs_told};
pub(crate) use token::Token;
pub(crate) use view::{View, Views};
