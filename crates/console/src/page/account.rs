//! One's own account: the password, where one is signed in, tokens for programs. Only drawn here.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::html;
use super::moment::Moment;
use super::prose::filters;
use crate::Console;
use crate::access::account::{SignIn, Token};
use crate::access::{Role, Viewer};

/// What the page shows. Its forms post to:
///
/// - `/account/password`: `csrf`, `old`, `new`, `again`
/// - `/account/sign-out-everywhere`: `csrf`
/// - `/account/tokens`: `csrf`, `name`, `role`, `days` (empty: for ever)
/// - `/account/tokens/{id}/delete`: `csrf`
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// False for one that comes through a proxy.
    pub(crate) has_password: bool,
    /// Where it is signed in.
    pub(crate) sign_ins: Vec<SignIn>,
    /// Its tokens.
    pub(crate) tokens: Vec<Token>,
    /// A token that has just been made; shown this once.
    pub(crate) new_token: Option<String>,
    /// What was done.
    pub(crate) notice: String,
    /// Why something was not done.
    pub(crate) error: String,
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
pub(crate) fn render(console: &Console, viewer: &Viewer, status: StatusCode, account: &Account) -> Response {
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
