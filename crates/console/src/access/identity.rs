//! Who a request comes from, and whether it may pass. One place, in front of every route.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use corridor_pg::{Fault, Result};

use super::{Role, Secret, Viewer, account};
use crate::Console;
use crate::fault::{BAD_REQUEST, FORGED, NOT_ALLOWED, NOT_SIGNED_IN};
use crate::home::{Proof, Purpose, within};
use crate::refusal::Refusal;
use crate::server::Peer;

/// The cookie of a sign-in.
const COOKIE: &str = "corridor";
/// Most bytes of a body.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Whoever comes.
    Open,
    /// Whoever is at least that.
    Role(Role),
}

/// Lets a request pass, with its [`Viewer`], or answers why not.
pub(crate) async fn admit(
    State((console, access, is_page)): State<(Arc<Console>, Access, bool)>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let address = address_of(&request);
    let path = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str())
        .to_owned();
    if access == Access::Open && request.uri().path() != "/login" {
        // Who asks does not matter: nobody waits for home here.
        return next.run(request).await;
    }
    let purpose = match is_safe(request.method()) {
        true => Purpose::Read,
        false => Purpose::Change,
    };
    let (viewer, fresh_cookie) = match Box::pin(identify(&console, headers, address, purpose)).await {
        Ok(known) => known,
        Err(fault) if access == Access::Open => {
            tracing::debug!(%fault, "who asks is not known");
            (None, None)
        }
        Err(fault) => return refuse(&console, None, fault, is_page),
    };
    let Access::Role(role) = access else {
        return pass(request, viewer, next).await;
    };
    let Some(viewer) = viewer else {
        if is_page && request.method() == Method::GET {
            return Redirect::to(&format!("/login?next={}", escaped(&path))).into_response();
        }
        return refuse(
            &console,
            None,
            Fault::new(&NOT_SIGNED_IN, "no sign-in and no token"),
            is_page,
        );
    };
    if viewer.role < role {
        let detail = format!("{} is {}; this needs {role}", viewer.name, viewer.role);
        return refuse(&console, Some(&viewer), Fault::new(&NOT_ALLOWED, detail), is_page);
    }
    let standing = Standing {
        console: Arc::clone(&console),
        headers: request.headers().clone(),
        address,
        name: viewer.name.clone(),
        role,
    };
    let mut request = match unforged(request, &viewer).await {
        Ok(request) => request,
        Err(fault) => return refuse(&console, Some(&viewer), fault, is_page),
    };
    request.extensions_mut().insert(standing);
    let mut response = pass(request, Some(viewer), next).await;
    if let Some(cookie) = fresh_cookie {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// How long somebody who has been let in may go on with one request before it is looked at again.
const STANDING_EVERY: Duration = Duration::from_secs(5);

/// What let somebody in, for requests that last: a stream ends with the sign-in that it began with.
#[derive(Clone)]
pub(crate) struct Standing {
    console: Arc<Console>,
    headers: HeaderMap,
    address: Option<IpAddr>,
    name: String,
    role: Role,
}

impl Standing {
    /// Waits as long as whoever asks still may. What cannot be asked (home is away) ends nothing.
    pub(crate) async fn holds(&self) {
        loop {
            tokio::time::sleep(STANDING_EVERY).await;
            let known = identify(&self.console, &self.headers, self.address, Purpose::Read);
            match Box::pin(known).await {
                Ok((Some(viewer), _)) if viewer.name == self.name && viewer.role >= self.role => {}
                Err(fault) if fault.code().id != NOT_SIGNED_IN.id => {}
                _ => return,
            }
        }
    }
}

async fn pass(mut request: Request, viewer: Option<Viewer>, next: Next) -> Response {
    if let Some(viewer) = viewer {
        request.extensions_mut().insert(viewer);
    }
    next.run(request).await
}

fn refuse(console: &Console, viewer: Option<&Viewer>, fault: Fault, is_page: bool) -> Response {
    match is_page {
        true => crate::page::error::of_fault(console, viewer, &fault),
        false => Refusal(fault).into_response(),
    }
}

/// Where the request comes from; `None` in a test without a socket.
pub(crate) fn address_of<B>(request: &axum::http::Request<B>) -> Option<IpAddr> {
    request
        .extensions()
        .get::<ConnectInfo<Peer>>()
        .map(|info| info.0.0.ip().to_canonical())
}

type Identified = (Option<Viewer>, Option<HeaderValue>);

async fn identify(
    console: &Console,
    headers: &HeaderMap,
    address: Option<IpAddr>,
    purpose: Purpose,
) -> Result<Identified> {
    let host = &*console.host;
    if let Some(sent) = headers.get(header::AUTHORIZATION) {
        let secret = sent
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .and_then(|(_, token)| Secret::read(token.trim()));
        return match secret {
            Some(secret) => {
                let viewer = console.home.who(host, (Proof::Token, &secret), purpose).await?;
                Ok((viewer, None))
            }
            None => Ok((None, None)),
        };
    }
    let secret = cookie(headers);
    if let Some(name) = proxied(console, headers, address) {
        let session = console.home.session(host).await?;
        let Some(mut viewer) = within(account::by_name(&**session, name)).await? else {
            return Err(Fault::new(&NOT_SIGNED_IN, format!("there is no account {name}")));
        };
        // Nothing is signed in here; the cookie is only what forms bring back.
        let (secret, fresh) = match secret {
            Some(secret) => (secret, None),
            None => {
                let secret = Secret::draw()?;
                let fresh = set_cookie(console, Some((&secret, console.options.sign_in_hours)));
                (secret, Some(fresh))
            }
        };
        viewer.csrf = secret.csrf();
        return Ok((Some(viewer), fresh));
    }
    match secret {
        Some(secret) => {
            let viewer = console.home.who(host, (Proof::Cookie, &secret), purpose).await?;
            Ok((viewer, None))
        }
        None => Ok((None, None)),
    }
}

/// The name in the trusted header, when the one who sends it is trusted.
fn proxied<'a>(console: &Console, headers: &'a HeaderMap, address: Option<IpAddr>) -> Option<&'a str> {
    let header = console.options.proxy_header.as_deref()?;
    let is_trusted = address.is_some_and(|address| console.options.proxy_from.contains(&address));
    if !is_trusted {
        return None;
    }
    // Two of them are one too many: somebody in front has added to what the browser sent.
    let mut sent = headers.get_all(header).iter();
    match (sent.next(), sent.next()) {
        (Some(name), None) => name.to_str().ok().map(str::trim).filter(|name| !name.is_empty()),
        _ => None,
    }
}

/// The secret of the cookie.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<Secret> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE)
        .and_then(|(_, value)| Secret::read(value))
}

/// Sets the cookie, or takes it away.
pub(crate) fn set_cookie(console: &Console, secret: Option<(&Secret, i32)>) -> HeaderValue {
    let secure = if console.options.is_secure { "; Secure" } else { "" };
    let (value, age_s) = secret.map_or(("", 0), |(secret, hours)| {
        (secret.as_str(), i64::from(hours) * 3_600)
    });
    let text = format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}");
    // Hex digits and our own words.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether it only reads.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// What changes something and is signed by a cookie comes from a page of ours.
async fn unforged(request: Request, viewer: &Viewer) -> Result<Request> {
    if is_safe(request.method()) || viewer.csrf.is_empty() {
        return Ok(request);
    }
    refuse_other_sites(request.headers())?;
    let secret = cookie(request.headers());
    let is_right = |token: &str| match &secret {
        Some(secret) => secret.is_csrf(token),
        // Behind a proxy, before the first cookie came back.
        None => false,
    };
    if let Some(sent) = request.headers().get("x-csrf-token") {
        return match sent.to_str().is_ok_and(is_right) {
            true => Ok(request),
            false => Err(Fault::new(
                &FORGED,
                "x-csrf-token does not belong to this sign-in",
            )),
        };
    }
    let (parts, body) = request.into_parts();
    let bytes = read_body(body).await?;
    let token = field(&bytes, "csrf");
    if !token.is_some_and(|token| is_right(&token)) {
        return Err(Fault::new(
            &FORGED,
            "the field csrf does not belong to this sign-in",
        ));
    }
    Ok(Request::from_parts(parts, Body::from(bytes)))
}

/// Browsers say which site a request comes from. An old one says nothing.
pub(crate) fn refuse_other_sites(headers: &HeaderMap) -> Result<()> {
    let sent = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = sent("sec-fetch-site")
        && !["same-origin", "none"].contains(&site)
    {
        return Err(Fault::new(&FORGED, format!("sent by another site ({site})")));
    }
    if let (Some(origin), Some(host)) = (sent("origin"), sent("host"))
        && sent("sec-fetch-site").is_none()
        && origin.split_once("://").map(|(_, host)| host) != Some(host)
    {
        return Err(Fault::new(&FORGED, format!("sent by {origin}")));
    }
    Ok(())
}

async fn read_body(body: Body) -> Result<Bytes> {
    axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Fault::new(&BAD_REQUEST, format!("more than {BODY_BYTES_MAX} bytes")))
}

/// One field of a form.
fn field(bytes: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(bytes)
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// As a part of a query.
pub(crate) fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Where somebody goes on after signing in: within this console only.
pub(crate) fn onward(next: Option<&str>) -> &str {
    match next {
        Some(next)
            if next.starts_with('/')
                && !next.starts_with("//")
                && !next.contains('\\')
                && !next.chars().any(char::is_control) =>
        {
            next
        }
        _ => "/",
    }
}
