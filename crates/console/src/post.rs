//! Forms: what the pages send, and where one goes on afterwards. Each has its page in `page`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Extension, Path, Query, RawForm, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use corridor_pg::{Fault, Result};
use serde::Deserialize;

use crate::access::account::{self, Change};
use crate::access::identity::{self, Access, address_of, cookie, escaped, onward, set_cookie};
use crate::access::{Role, Viewer, failures};
use crate::act::{self, Came, Wish};
use crate::api::act::verb;
use crate::fault::{BAD_PASSWORD, BAD_REQUEST, NOT_ALLOWED, NOTHING_HERE, TOO_MANY_TRIES, WRONG_PASSWORD};
use crate::home::within;
use crate::page::login::Login;
use crate::page::{account as account_page, accounts, error, login as login_page};
use crate::route::{ADMIN, Kind, OPERATOR, Route, VIEWER};
use crate::{Console, refusal};

/// Their addresses, and those of the pages that only have a form.
pub(crate) fn routes() -> Vec<Route> {
    let page = |method, path, access, summary, handler| {
        Route::new(method, path, access, Kind::Page, summary, handler)
    };
    vec![
        page(Method::GET, "/login", Access::Open, "Sign in.", get(login)),
        page(Method::POST, "/login", Access::Open, "Signs in.", post(sign_in)),
        page(Method::POST, "/logout", VIEWER, "Signs out.", post(sign_out)),
        page(Method::GET, "/account", VIEWER, "One's own account.", get(own)),
        page(
            Method::POST,
            "/account/password",
            VIEWER,
            "Another password.",
            post(password),
        ),
        page(
            Method::POST,
            "/account/sign-out-everywhere",
            VIEWER,
            "Signs out everywhere else.",
            post(sign_out_others),
        ),
        page(
            Method::POST,
            "/account/tokens",
            VIEWER,
            "A new token.",
            post(add_token),
        ),
        page(
            Method::POST,
            "/account/tokens/{id}/delete",
            VIEWER,
            "Removes a token.",
            post(remove_token),
        ),
        page(
            Method::GET,
            "/accounts",
            ADMIN,
            "All accounts.",
            get(all_accounts),
        ),
        page(
            Method::POST,
            "/accounts",
            ADMIN,
            "A new account.",
            post(add_account),
        ),
        page(
            Method::POST,
            "/accounts/{name}/{what}",
            ADMIN,
            "Changes an account: role, disabled, password, remove.",
            post(change_account),
        ),
        page(
            Method::POST,
            "/clusters/{cluster}/migrations/{name}/do/{verb}",
            OPERATOR,
            "Asks for something.",
            post(ask),
        ),
        page(
            Method::POST,
            "/settings",
            ADMIN,
            "Changes a setting.",
            post(configure),
        ),
        page(
            Method::POST,
            "/clusters/{cluster}/settings",
            ADMIN,
            "Changes a default of all migrations of a cluster.",
            post(set_default),
        ),
    ]
}

/// Accounts are looked after by people who are signed in: a token that fell into wrong hands can make no other one, and end none.
fn refuse_token(viewer: &Viewer) -> Result<()> {
    match viewer.csrf.is_empty() {
        true => Err(Fault::new(
            &NOT_ALLOWED,
            "a token cannot look after accounts; sign in",
        )),
        false => Ok(()),
    }
}

/// What a form holds. A field that is there twice counts once, the first.
struct Fields(BTreeMap<String, String>);

impl Fields {
    fn read(form: &[u8]) -> Fields {
        let mut fields = BTreeMap::new();
        for (key, value) in form_urlencoded::parse(form) {
            fields
                .entry(key.into_owned())
                .or_insert_with(|| value.into_owned());
        }
        Fields(fields)
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    fn has(&self, name: &str) -> bool {
        !self.get(name).is_empty()
    }

    /// `on` or `off`.
    fn is_on(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            "on" => Ok(true),
            "off" | "" => Ok(false),
            other => Err(Fault::new(&BAD_REQUEST, format!("{name}: {other:?}"))),
        }
    }

    /// What a setting is set to; nothing when the change is taken back.
    fn value(&self) -> Result<Option<&str>> {
        let value = self.get("value");
        Ok((!self.is_on("reset")? && value != "default").then_some(value))
    }
}

/// Goes on, or says why not.
fn onto(console: &Console, viewer: &Viewer, path: &str, done: Result<()>) -> Response {
    match done {
        Ok(()) => Redirect::to(path).into_response(),
        Err(fault) => error::of_fault(console, Some(viewer), &fault),
    }
}

/// A fault in a line of the page that it happened on.
fn in_a_line(fault: &Fault) -> String {
    let code = fault.code();
    match fault.detail() {
        "" => format!("{} ({})", code.title, code.id),
        detail => format!("{}: {detail} ({})", code.title, code.id),
    }
}

#[derive(Deserialize)]
struct Onward {
    next: Option<String>,
}

async fn login(
    State(console): State<Arc<Console>>,
    viewer: Option<Extension<Viewer>>,
    Query(query): Query<Onward>,
) -> Response {
    let next = onward(query.next.as_deref());
    if viewer.is_some() {
        return Redirect::to(next).into_response();
    }
    let login = Login {
        next: next.to_owned(),
        is_empty: is_empty(&console).await,
        ..Login::default()
    };
    login_page::render(StatusCode::OK, &login)
}

/// Nobody can sign in yet: the page says how that is changed. When it is not known, the page asks as ever.
async fn is_empty(console: &Console) -> bool {
    let look = async {
        let session = console.home.session(&*console.host).await?;
        account::is_anybody(&**session).await
    };
    within(look).await.is_ok_and(|is_anybody| !is_anybody)
}

async fn sign_in(State(console): State<Arc<Console>>, request: axum::extract::Request) -> Response {
    let address = address_of(&request);
    let headers = request.headers().clone();
    let Ok(RawForm(form)) = <RawForm as axum::extract::FromRequest<()>>::from_request(request, &()).await
    else {
        return error::of_fault(
            &console,
            None,
            &Fault::new(&BAD_REQUEST, "the form cannot be read"),
        );
    };
    let fields = Fields::read(&form);
    let (name, next) = (fields.get("name").trim(), onward(Some(fields.get("next"))));
    let entered = async {
        identity::refuse_other_sites(&headers)?;
        let now = Instant::now();
        let wait = console.attempts.wait(name, address, now);
        if !wait.is_zero() {
            let detail = format!("try again in {} s", wait.as_secs() + 1);
            return Err(Fault::new(&TOO_MANY_TRIES, detail));
        }
        // Counted before it is looked at: many tries at once do not slip through together.
        console.attempts.failed(name, address, now);
        let session = console.home.session(&*console.host).await.inspect_err(|_| {
            console.attempts.forgotten(name, address);
        })?;
        let from = address.map(|address| address.to_string()).unwrap_or_default();
        let hours = console.options.sign_in_hours;
        let secret = account::sign_in(&**session, name, fields.get("password"), hours, &from).await?;
        console.attempts.succeeded(name, address);
        Ok((secret, hours))
    }
    .await;
    match entered {
        Ok((secret, hours)) => {
            let cookie = set_cookie(&console, Some((&secret, hours)));
            ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response()
        }
        Err(fault) => {
            let code = fault.code().id;
            let is_theirs = code == WRONG_PASSWORD.id || code == TOO_MANY_TRIES.id;
            if is_theirs {
                failures::failed(&console, name, address);
            } else {
                return error::of_fault(&console, None, &fault);
            }
            let error = match code == WRONG_PASSWORD.id {
                // Which of the two is not said.
                true => fault.code().title.to_owned(),
                false => in_a_line(&fault),
            };
            let login = Login {
                name: name.to_owned(),
                next: next.to_owned(),
                error,
                ..Login::default()
            };
            login_page::render(refusal::status(&fault), &login)
        }
    }
}

async fn sign_out(State(console): State<Arc<Console>>, headers: HeaderMap) -> Response {
    if let Some(secret) = cookie(&headers) {
        let done = async {
            let session = console.home.session(&*console.host).await?;
            within(account::sign_out(&**session, &secret)).await
        };
        if let Err(fault) = done.await {
            return error::of_fault(&console, None, &fault);
        }
    }
    console.home.forget();
    let gone = set_cookie(&console, None);
    ([(header::SET_COOKIE, gone)], Redirect::to("/login")).into_response()
}

async fn own(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
) -> Response {
    own_page(&console, &viewer, &headers, Ok(None)).await
}

/// One's own account, perhaps with a token that has just been made, or with a word on what did not work.
async fn own_page(
    console: &Console,
    viewer: &Viewer,
    headers: &HeaderMap,
    came: Result<Option<String>>,
) -> Response {
    let secret = cookie(headers);
    let read = async {
        let session = console.home.session(&*console.host).await?;
        within(async {
            let sign_ins = account::sign_ins(&**session, viewer.id, secret.as_ref()).await?;
            let tokens = account::tokens(&**session, viewer.id).await?;
            let has_password = account::has_password(&**session, viewer.id).await?;
            Ok((sign_ins, tokens, has_password))
        })
        .await
    };
    let (sign_ins, tokens, has_password) = match read.await {
        Ok(read) => read,
        Err(fault) => return error::of_fault(console, Some(viewer), &fault),
    };
    let status = came.as_ref().map_or_else(refusal::status, |_| StatusCode::OK);
    let (new_token, error) = match came {
        Ok(made) => (made, String::new()),
        Err(fault) => (None, in_a_line(&fault)),
    };
    let shown = account_page::Account {
        has_password,
        sign_ins,
        tokens,
        new_token,
        notice: String::new(),
        error,
    };
    account_page::render(console, viewer, status, &shown)
}

async fn password(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        refuse_token(&viewer)?;
        // Whoever finds a page open does not take the account over.
        let now = Instant::now();
        // Apart from the sign-in: whoever has stolen a cookie cannot lock the owner out of it.
        let what = format!("password of {}", viewer.name);
        let wait = console.attempts.wait(&what, None, now);
        if !wait.is_zero() {
            let detail = format!("try again in {} s", wait.as_secs() + 1);
            return Err(Fault::new(&TOO_MANY_TRIES, detail));
        }
        console.attempts.failed(&what, None, now);
        let mut session = console.home.own(&*console.host).await?;
        if !account::is_password(&*session, &viewer.name, fields.get("old")).await? {
            return Err(Fault::new(&BAD_PASSWORD, "the old one is wrong"));
        }
        console.attempts.succeeded(&what, None);
        if fields.get("new") != fields.get("again") {
            return Err(Fault::new(&BAD_PASSWORD, "the two new ones differ"));
        }
        let change = Change::Password(fields.get("new").to_owned());
        account::change(&mut session, &viewer.name, &change, &viewer.name).await
    }
    .await;
    console.home.forget();
    match done {
        // All sign-ins have ended, this one too.
        Ok(()) => Redirect::to("/login").into_response(),
        Err(fault) => own_page(&console, &viewer, &headers, Err(fault)).await,
    }
}

async fn sign_out_others(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        refuse_token(&viewer)?;
        let session = console.home.session(&*console.host).await?;
        let secret = cookie(&headers);
        within(account::sign_out_others(&**session, viewer.id, secret.as_ref())).await
    }
    .await;
    console.home.forget();
    onto(&console, &viewer, "/account", done.map(drop))
}

async fn add_token(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let made = async {
        refuse_token(&viewer)?;
        let days = match fields.get("days").trim() {
            "" => None,
            text => Some(
                text.parse()
                    .map_err(|_| Fault::new(&BAD_REQUEST, format!("days: {text:?} is no number")))?,
            ),
        };
        let (role, name) = (role(fields.get("role"))?, fields.get("name").trim());
        let mut session = console.home.own(&*console.host).await?;
        // No token of a token may do more.
        let role = role.min(viewer.role);
        let token = account::add_token(&mut session, &viewer.name, name, role, days, &viewer.name).await?;
        Ok(Some(token))
    };
    own_page(&console, &viewer, &headers, made.await).await
}

async fn remove_token(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path(id): Path<i64>,
) -> Response {
    let done = async {
        refuse_token(&viewer)?;
        let mut session = console.home.own(&*console.host).await?;
        account::remove_token(&mut session, (viewer.id, &viewer.name), id, &viewer.name).await
    }
    .await;
    console.home.forget();
    onto(&console, &viewer, "/account", done)
}

fn role(text: &str) -> Result<Role> {
    text.parse()
        .map_err(|()| Fault::new(&BAD_REQUEST, format!("{text:?} is no role")))
}

async fn all_accounts(State(console): State<Arc<Console>>, Extension(viewer): Extension<Viewer>) -> Response {
    accounts_page(&console, &viewer, None).await
}

/// All accounts, perhaps with a word on what did not work.
async fn accounts_page(console: &Console, viewer: &Viewer, fault: Option<Fault>) -> Response {
    let read = async {
        let session = console.home.session(&*console.host).await?;
        within(account::list(&**session)).await
    };
    match read.await {
        Ok(accounts) => {
            let shown = accounts::Accounts {
                accounts,
                notice: String::new(),
                error: fault.as_ref().map(in_a_line).unwrap_or_default(),
            };
            let status = fault.as_ref().map_or(StatusCode::OK, refusal::status);
            accounts::render(console, viewer, status, &shown)
        }
        Err(fault) => error::of_fault(console, Some(viewer), &fault),
    }
}

async fn changed_accounts(console: &Console, viewer: &Viewer, done: Result<()>) -> Response {
    match done {
        Ok(()) => Redirect::to("/accounts").into_response(),
        Err(fault) => accounts_page(console, viewer, Some(fault)).await,
    }
}

async fn add_account(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        refuse_token(&viewer)?;
        let (name, role) = (fields.get("name").trim(), role(fields.get("role"))?);
        // Without one the account comes through a proxy, or by token.
        let password = fields.has("password").then(|| fields.get("password"));
        let mut session = console.home.own(&*console.host).await?;
        account::add(&mut session, name, role, password, &viewer.name).await
    };
    changed_accounts(&console, &viewer, done.await).await
}

async fn change_account(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path((name, what)): Path<(String, String)>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        refuse_token(&viewer)?;
        let change = match what.as_str() {
            "role" => Change::Role(role(fields.get("role"))?),
            "disabled" => Change::Disabled(fields.is_on("disabled")?),
            "password" => Change::Password(fields.get("password").to_owned()),
            "remove" => Change::Removed,
            other => return Err(Fault::new(&NOTHING_HERE, other.to_owned())),
        };
        let mut session = console.home.own(&*console.host).await?;
        account::change(&mut session, &name, &change, &viewer.name).await
    }
    .await;
    console.home.forget();
    changed_accounts(&console, &viewer, done).await
}

/// Behind the address of the migration's page: what came of it, shown once.
fn said(words: &str) -> String {
    format!("?said={}", escaped(words))
}

async fn ask(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path((cluster, name, what)): Path<(String, String, String)>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let came = async {
        let wish = wish(&what, &fields)?;
        act::ask(&console, &viewer, (&cluster, &name), wish, fields.get("why")).await
    }
    .await;
    let page = format!("/clusters/{}/migrations/{}", escaped(&cluster), escaped(&name));
    let target = match came {
        Ok(Came::Granted) => format!("{page}{}", said("done")),
        Ok(Came::Left { .. }) => format!("{page}{}", said("left")),
        Err(fault) => return error::of_fault(&console, Some(&viewer), &fault),
    };
    // A dialog was sent by script: the whole page is to change.
    if headers.contains_key("hx-request")
        && let Ok(target) = HeaderValue::from_str(&target)
    {
        return (StatusCode::NO_CONTENT, [("hx-redirect", target)]).into_response();
    }
    Redirect::to(&target).into_response()
}

fn wish(what: &str, fields: &Fields) -> Result<Wish> {
    match what {
        "skip" => Ok(Wish::Skip),
        "settle" => Ok(Wish::Settle {
            operation: fields.get("operation").to_owned(),
            is_done: match fields.get("outcome") {
                "done" => true,
                "again" => false,
                other => return Err(Fault::new(&BAD_REQUEST, format!("outcome: {other:?}"))),
            },
        }),
        "set" => Ok(Wish::Set {
            key: fields.get("key").to_owned(),
            value: fields.value()?.map(str::to_owned),
        }),
        _ => Ok(Wish::Ask {
            verb: verb(what)?,
            // What is left empty has its default.
            parameters: fields
                .0
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .filter_map(|(key, value)| Some((key.strip_prefix("p.")?.to_owned(), value.clone())))
                .collect(),
            is_drop: fields.is_on("drop")?,
        }),
    }
}

async fn configure(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        let key = fields.get("key");
        console.host.set(key, fields.value()?, &viewer.actor()).await
    };
    onto(&console, &viewer, "/settings", done.await)
}

async fn set_default(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path(cluster): Path<String>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        let key = fields.get("key");
        act::set_default(&console, &viewer, &cluster, key, fields.value()?).await
    };
    onto(&console, &viewer, "/settings", done.await)
}
