//! Who is asking: users, organisations, tenants, sessions, and what the database knows of them.

pub(crate) mod accounts;
mod device;
pub(crate) mod first;
pub(crate) mod invitations;
mod limit;
pub(crate) mod mail;
pub(crate) mod membership;
pub(crate) mod near;
mod password;
pub(crate) mod sessions;
pub(crate) mod store;

pub(crate) use crate::access::{Org, Role, Tenant, Token, User};
pub(crate) use crate::address::Address;
pub(crate) use device::{DEVICE_DAYS, Device};
pub(crate) use limit::{Attempts, Buckets, Party, Wait};
pub(crate) use password::{MAX_CHARS as MAX_PASSWORD, MIN_CHARS as MIN_PASSWORD, Passwords};
pub(crate) use sessions::{SESSION_DAYS, Sessions};
