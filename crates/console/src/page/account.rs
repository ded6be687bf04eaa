//! One's own account: the password, where one is signed in, tokens for programs. Only drawn here.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::html;
use super::moment::Moment;
use super::prose::filters;
use crate::Console;
use crate::access::{Role, Viewer};

/// What the page shows. Its forms post to:
///
/// - `/account/password`: `csrf`, `old`, `new`, `again`
/// - `/account/sign-out-everywhere`: `csrf`
/// - `/account/tokens`: `csrf`, `name`, `role`, `days` (empty: for ever)
/// - `/account/tokens/{id}/delete`: `csrf`
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// False for one that comes through a proxy.
    pub has_password: bool,
    /// Where it is signed in.
    pub sign_ins: Vec<SignIn>,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// A token that has just been made; shown this once.
    pub new_token: Option<String>,
    /// What was done.
    pub notice: String,
    /// Why something was not done.
    pub error: String,
}

/// One sign-in. Times are RFC 3339.
#[derive(Debug, Clone, Default)]
pub struct SignIn {
    /// Since when.
    pub created_at: String,
    /// When it was last used.
    pub seen_at: String,
    /// Until when.
    pub expires_at: String,
    /// From where.
    pub address: String,
    /// It is the one that this page was asked by.
    pub is_this: bool,
}

/// One token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Since when.
    pub created_at: String,
    /// When it was last used.
    pub seen_at: Option<String>,
    /// Until when; `None` for ever.
    pub expires_at: Option<String>,
}

#[derive(Template)]
#[template(path = "account.html")]
struct Page<'a> {
    frame: Frame,
    account: &'a Account,
    name: &'a str,
    role: Role,
    /// What a token may be given.
    roles: Vec<Role>,
}

impl Page<'_> {
    fn moment(&self, at: &str) -> Moment {
        Moment::new(at)
    }
}

/// The page.
pub fn render(console: &Console, viewer: &Viewer, status: StatusCode, account: &Account) -> Response {
    let page = Page {
        frame: Frame::new(console, viewer, "account", "Your account"),
        account,
        name: &viewer.name,
        role: viewer.role,
        roles: Role::ALL
            .into_iter()
            .filter(|role| *role <= viewer.role)
            .collect(),
    };
    html(status, &page)
}
