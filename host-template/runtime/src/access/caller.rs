//! Who asks, as handlers see it: [`Caller`], and [`Allowed`] for what needs a permission.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::{Org, Role, Tenant, Token, User, View};
use crate::live::Snapshot;
use crate::problem::Problem;

/// Somebody who is signed in. A handler takes it as an argument; a public route takes `Option<Caller>`.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    user: User,
    org: Org,
    tenant: Option<Tenant>,
    role: Role,
    granted: BTreeSet<String>,
    token: Token,
    session: String,
    view: Arc<View>,
    epoch: u64,
}

impl Caller {
    pub(crate) fn new(
        user: User,
        org: Org,
        tenant: Option<Tenant>,
        role: Role,
        granted: Vec<String>,
        token: &Token,
        snapshot: &Arc<Snapshot>,
    ) -> Caller {
        let view = snapshot.view(&org.id, tenant.as_ref().map(|tenant| tenant.id.as_str()));
        let granted = granted.into_iter().collect();
        let (token, session) = (token.clone(), token.id());
        Caller(Arc::new(Inner {
            user,
            org,
            tenant,
            role,
            granted,
            token,
            session,
            view,
            epoch: snapshot.epoch,
        }))
    }

    /// The person.
    pub fn user(&self) -> &User {
        &self.0.user
    }

    /// The organisation that the caller works in. What a plugin keeps belongs to one: filter by `org().id`.
    pub fn org(&self) -> &Org {
        &self.0.org
    }

    /// The tenant that the caller works in; none where it sees the organisation at large.
    pub fn tenant(&self) -> Option<&Tenant> {
        self.0.tenant.as_ref()
    }

    /// The identifier of [`Caller::tenant`].
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant().map(|tenant| tenant.id.as_str())
    }

    /// Whether the caller is an admin of its organisation.
    pub fn is_admin(&self) -> bool {
        self.0.role == Role::Admin
    }

    /// Whether the caller holds a permission. An admin holds all of the platform's and of the plugins that are on.
    pub fn may(&self, permission: &str) -> bool {
        self.0.view.permissions.contains(permission)
            && (self.is_admin() || self.0.granted.contains(permission))
    }

    /// Goes on where the caller holds the permission, else 403. [`Allowed`] does it before the handler runs.
    pub fn need(&self, permission: &str) -> Result<(), Problem> {
        if self.may(permission) {
            return Ok(());
        }
        Err(Problem::new(StatusCode::FORBIDDEN)
            .code("permission-missing")
            .detail(format!("this needs the permission `{permission}`, which a group can give you")))
    }

    /// What the caller holds, sorted.
    pub(crate) fn permissions(&self) -> Vec<String> {
        self.0.view.permissions.iter().filter(|permission| self.may(permission)).cloned().collect()
    }

    pub(crate) fn role(&self) -> Role {
        self.0.role
    }

    pub(crate) fn view(&self) -> &View {
        &self.0.view
    }

    /// What the session is known by to its owner.
    pub(crate) fn token(&self) -> &Token {
        &self.0.token
    }

    /// The key of the session's row.
    pub(crate) fn session(&self) -> &str {
        &self.0.session
    }

    /// The change of the platform's state that this was read after.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.epoch
    }
}

/// 401, and how to sign in.
pub(crate) fn not_signed_in() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED)
        .code("not-signed-in")
        .detail("sign in, or send a token: POST /api/auth/login gives one")
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Caller, Problem> {
        parts.extensions.get::<Caller>().cloned().ok_or_else(not_signed_in)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Caller>, Problem> {
        Ok(parts.extensions.get::<Caller>().cloned())
    }
}

/// A permission as a type; [`permission!`](crate::permission) makes one.
pub trait Permission {
    /// `noun.verb`, as the plugin's manifest declares it.
    const NAME: &'static str;
}

/// Names permissions of the plugin's manifest, for [`Allowed`]:
///
/// ```
/// use hub::prelude::*;
///
/// permission!(pub Write = "crm.write");
///
/// async fn remove(_: Allowed<Write>) -> StatusCode {
///     StatusCode::NO_CONTENT
/// }
/// ```
#[macro_export]
macro_rules! permission {
    ($($vis:vis $name:ident = $text:literal),+ $(,)?) => {$(
        #[doc = ::std::concat!("The permission `", $text, "`.")]
        #[derive(Debug, Clone, Copy)]
        $vis struct $name;

        impl $crate::Permission for $name {
            const NAME: &'static str = $text;
        }
    )+};
}

/// A caller that holds the permission `P`; anybody else gets 403 before the handler runs.
pub struct Allowed<P: Permission>(Caller, PhantomData<P>);

impl<P: Permission> std::ops::Deref for Allowed<P> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<P: Permission, S: Send + Sync> FromRequestParts<S> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Allowed<P>, Problem> {
        let caller = <Caller as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        caller.need(P::NAME)?;
        Ok(Allowed(caller, PhantomData))
    }
}

/// An admin of the caller's organisation.
pub(crate) struct Admin(pub(crate) Caller);

impl<S: Send + Sync> FromRequestParts<S> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Admin, Problem> {
        let caller = <Caller as FromRequestParts<S>>::from_request_parts(parts, state).await?;
        if caller.is_admin() {
            return Ok(Admin(caller));
        }
        Err(Problem::new(StatusCode::FORBIDDEN)
            .code("admins-only")
            .detail("only an admin of the organisation may do this"))
    }
}
