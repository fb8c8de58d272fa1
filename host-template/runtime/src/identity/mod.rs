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
mod token;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use crate::address::Address;
pub(crate) use device::{DEVICE_DAYS, Device};
pub(crate) use limit::{Attempts, Buckets, Party, Wait};
pub(crate) use password::{MAX_CHARS as MAX_PASSWORD, MIN_CHARS as MIN_PASSWORD, Passwords};
pub(crate) use sessions::{SESSION_DAYS, Sessions};
pub(crate) use token::Token;

/// The permission to invite, change and remove members.
pub(crate) const MANAGE: &str = "members.manage";

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Identifier.
    pub id: String,
    /// E-mail address, in lower case.
    pub email: String,
    /// Name shown.
    pub name: String,
}

/// An organisation: a customer of the platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Org {
    /// Identifier.
    pub id: String,
    /// Name shown, unique in the platform.
    pub name: String,
}

/// A part of an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// Identifier.
    pub id: String,
    /// Name shown, unique in its organisation.
    pub name: String,
}

/// What somebody is in an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Holds every permission of the organisation.
    Admin,
    /// Holds the permissions of the groups that it is in.
    Member,
}

impl Role {
    /// As manifests and the database write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Member => "member",
        }
    }
}
