//! What a caller is made of: a user, the organisation and tenant that it works in, and its role there.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
