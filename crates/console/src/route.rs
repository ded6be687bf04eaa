//! Every address of the service, in one table: who may use it, what it takes, what it is for. The router, the OpenAPI document
//! and the tests of roles are made from it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use corridor_pg::Fault;

use crate::access::identity::{BODY_BYTES_MAX, admit};
use crate::access::{Access, Role};
use crate::fault::{ANOTHER_METHOD, NOTHING_HERE};
use crate::refusal::Refusal;
use crate::{Console, api, page, post};

/// Nothing but what this console sends itself; no script or style in a page's text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Something that a program sends.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Where it stands: in the address, behind `?`, or in the JSON body.
    pub place: Place,
    /// Its form.
    pub form: Form,
    /// It must be there.
    pub is_required: bool,
    /// What it is.
    pub doc: &'static str,
}

/// Where a field stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A part of the address.
    Path,
    /// Behind the question mark.
    Query,
    /// In the body.
    Body,
}

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// A whole number.
    Whole,
    /// True or false.
    Switch,
    /// An object whose values are texts.
    Texts,
}

/// What is behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// For people: refusals are pages, and who is not signed in is sent to sign in.
    Page,
    /// For programs.
    Api,
    /// For those who watch over the service.
    Operations,
}

/// One address.
pub struct Route {
    /// `GET`, `POST`.
    pub method: Method,
    /// As axum writes it: `/clusters/{cluster}`.
    pub path: &'static str,
    /// Who may.
    pub access: Access,
    /// For whom.
    pub kind: Kind,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// What it takes.
    pub takes: Vec<Field>,
    pub(crate) handler: MethodRouter<Arc<Console>>,
}

impl Route {
    pub(crate) fn new(
        method: Method,
        path: &'static str,
        access: Access,
        kind: Kind,
        summary: &'static str,
        handler: MethodRouter<Arc<Console>>,
    ) -> Self {
        let takes = path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .map(|name| Field {
                name,
                place: Place::Path,
                form: Form::Text,
                is_required: true,
                doc: match name {
                    "cluster" => "The cluster's name in the settings.",
                    "name" => "The name of the migration, account, token or setting.",
                    _ => "A part of the address.",
                },
            })
            .collect();
        Route {
            method,
            path,
            access,
            kind,
            summary,
            takes,
            handler,
        }
    }

    /// With something more that it takes.
    pub(crate) fn taking(
        mut self,
        name: &'static str,
        (place, form): (Place, Form),
        is_required: bool,
        doc: &'static str,
    ) -> Self {
        self.takes.push(Field {
            name,
            place,
            form,
            is_required,
            doc,
        });
        self
    }
}

/// All of them.
pub fn all() -> Vec<Route> {
    let mut routes = api::routes();
    routes.extend(page::routes());
    routes.extend(post::routes());
    routes
}

/// The service's answers.
pub(crate) fn router(console: &Arc<Console>) -> Router {
    let mut router = Router::new();
    for route in all() {
        let gate = (Arc::clone(console), route.access, route.kind == Kind::Page);
        router = router.route(route.path, route.handler.layer(from_fn_with_state(gate, admit)));
    }
    let is_secure = console.options.is_secure;
    router
        .fallback(nothing)
        .method_not_allowed_fallback(another_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(map_response(move |response: Response| {
            std::future::ready(protected(response, is_secure))
        }))
        .with_state(Arc::clone(console))
}

async fn nothing(State(console): State<Arc<Console>>, uri: axum::http::Uri) -> Response {
    let fault = Fault::new(&NOTHING_HERE, uri.path().chars().take(200).collect::<String>());
    match uri.path().starts_with("/api/") {
        true => Refusal(fault).into_response(),
        false => page::error::of_fault(&console, None, &fault),
    }
}

/// The address is known; the router's layer below says which methods it takes.
async fn another_method(
    State(console): State<Arc<Console>>,
    method: Method,
    uri: axum::http::Uri,
) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    let fault = Fault::new(&ANOTHER_METHOD, format!("{method} {path}"));
    match uri.path().starts_with("/api/") {
        true => Refusal(fault).into_response(),
        false => page::error::of_fault(&console, None, &fault),
    }
}

/// What browsers are told to be strict about.
fn protected(mut response: Response, is_secure: bool) -> Response {
    let headers = response.headers_mut();
    let mut say = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    say(header::CONTENT_SECURITY_POLICY, POLICY);
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "same-origin");
    say(header::CACHE_CONTROL, "no-store");
    say(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
    say(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    if is_secure {
        say(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response
}

/// For routes that only look.
pub(crate) const VIEWER: Access = Access::Role(Role::Viewer);
/// For routes that act on migrations.
pub(crate) const OPERATOR: Access = Access::Role(Role::Operator);
/// For routes that change accounts and settings.
pub(crate) const ADMIN: Access = Access::Role(Role::Admin);
