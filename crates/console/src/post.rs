//! Forms: what the pages send, and where one goes on afterwards. Each has its page in `page`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Extension, Path, Query, RawForm, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use corridor_pg::{Fault, Result};
use serde::Deserialize;

use crate::access::account::{self, Change};
use crate::access::identity::{self, Access, address_of, cookie, escaped, onward, set_cookie};
use crate::access::{Role, Viewer};
use crate::act::{self, Came, Wish};
use crate::api::act::verb;
use crate::fault::{BAD_PASSWORD, BAD_REQUEST, TOO_MANY_TRIES, WRONG_PASSWORD};
use crate::home::within;
use crate::page::{account as account_page, accounts as accounts_page, error, login as login_page};
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
            "/account/sign-out-others",
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
            "/account/tokens/remove",
            VIEWER,
            "Removes a token.",
            post(remove_token),
        ),
        page(Method::GET, "/accounts", ADMIN, "All accounts.", get(accounts)),
        page(
            Method::POST,
            "/accounts",
            ADMIN,
            "A new account.",
            post(add_account),
        ),
        page(
            Method::POST,
            "/accounts/{name}",
            ADMIN,
            "Changes an account.",
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
            "/settings/{cluster}",
            ADMIN,
            "Changes a default of all migrations of a cluster.",
            post(set_default),
        ),
    ]
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
}

/// Goes on, or says why not.
fn onto(path: &str, done: Result<()>) -> Response {
    match done {
        Ok(()) => Redirect::to(path).into_response(),
        Err(fault) => error::answer(&fault),
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
    Html(login_page::render(next, "", None, is_empty(&console).await)).into_response()
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
        return error::answer(&Fault::new(&BAD_REQUEST, "the form cannot be read"));
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
        let session = console.home.session(&*console.host).await?;
        let from = address.map(|address| address.to_string()).unwrap_or_default();
        let hours = console.options.sign_in_hours;
        let secret = account::sign_in(&**session, name, fields.get("password"), hours, &from).await?;
        console.attempts.succeeded(name);
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
            if !is_theirs {
                return error::answer(&fault);
            }
            let words = match code == WRONG_PASSWORD.id {
                true => fault.code().title.to_owned(),
                false => format!("{}; {}", fault.code().title, fault.detail()),
            };
            let page = login_page::render(next, name, Some(&words), false);
            (refusal::status(&fault), Html(page)).into_response()
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
            return error::answer(&fault);
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
    match own_page(&console, &viewer, &headers, None).await {
        Ok(page) => Html(page).into_response(),
        Err(fault) => error::answer(&fault),
    }
}

async fn own_page(
    console: &Console,
    viewer: &Viewer,
    headers: &HeaderMap,
    made: Option<(&str, &str)>,
) -> Result<String> {
    let session = console.home.session(&*console.host).await?;
    let secret = cookie(headers);
    let sign_ins = within(account::sign_ins(&**session, viewer.id, secret.as_ref())).await?;
    let tokens = within(account::tokens(&**session, viewer.id)).await?;
    Ok(account_page::render(viewer, &sign_ins, &tokens, made))
}

async fn password(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        // Whoever finds a page open does not take the account over.
        let now = Instant::now();
        let wait = console.attempts.wait(&viewer.name, None, now);
        if !wait.is_zero() {
            let detail = format!("try again in {} s", wait.as_secs() + 1);
            return Err(Fault::new(&TOO_MANY_TRIES, detail));
        }
        let mut session = console.home.own(&*console.host).await?;
        if !account::is_password(&*session, &viewer.name, fields.get("old")).await? {
            console.attempts.failed(&viewer.name, None, now);
            return Err(Fault::new(&WRONG_PASSWORD, "the old password is wrong"));
        }
        if fields.get("new") != fields.get("again") {
            return Err(Fault::new(&BAD_PASSWORD, "the two new ones differ"));
        }
        let change = Change::Password(fields.get("new").to_owned());
        account::change(&mut session, &viewer.name, &change, &viewer.name).await
    }
    .await;
    console.home.forget();
    // All sign-ins have ended, this one too.
    onto("/login", done)
}

async fn sign_out_others(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let session = console.home.session(&*console.host).await?;
        let secret = cookie(&headers);
        within(account::sign_out_others(&**session, viewer.id, secret.as_ref())).await
    }
    .await;
    console.home.forget();
    onto("/account", done.map(drop))
}

async fn add_token(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    headers: HeaderMap,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let made = async {
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
        own_page(&console, &viewer, &headers, Some((name, &token))).await
    };
    match made.await {
        Ok(page) => Html(page).into_response(),
        Err(fault) => error::answer(&fault),
    }
}

async fn remove_token(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        let mut session = console.home.own(&*console.host).await?;
        let whose = (viewer.id, viewer.name.as_str());
        account::remove_token(&mut session, whose, fields.get("name"), &viewer.name).await
    }
    .await;
    console.home.forget();
    onto("/account", done)
}

fn role(text: &str) -> Result<Role> {
    text.parse()
        .map_err(|()| Fault::new(&BAD_REQUEST, format!("{text:?} is no role")))
}

async fn accounts(State(console): State<Arc<Console>>, Extension(viewer): Extension<Viewer>) -> Response {
    let read = async {
        let session = console.home.session(&*console.host).await?;
        within(account::list(&**session)).await
    };
    match read.await {
        Ok(accounts) => Html(accounts_page::render(&viewer, &accounts)).into_response(),
        Err(fault) => error::answer(&fault),
    }
}

async fn add_account(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        let (name, role) = (fields.get("name").trim(), role(fields.get("role"))?);
        // Without one the account comes through a proxy, or by token.
        let password = fields.has("password").then(|| fields.get("password"));
        let mut session = console.home.own(&*console.host).await?;
        account::add(&mut session, name, role, password, &viewer.name).await
    };
    onto("/accounts", done.await)
}

async fn change_account(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path(name): Path<String>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let done = async {
        let change = match fields.get("action") {
            "role" => Change::Role(role(fields.get("role"))?),
            "disable" => Change::Disabled(true),
            "enable" => Change::Disabled(false),
            "password" => Change::Password(fields.get("password").to_owned()),
            "remove" => Change::Removed,
            other => return Err(Fault::new(&BAD_REQUEST, format!("action: {other:?}"))),
        };
        let mut session = console.home.own(&*console.host).await?;
        account::change(&mut session, &name, &change, &viewer.name).await
    }
    .await;
    console.home.forget();
    onto("/accounts", done)
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
        Err(fault) => return error::answer(&fault),
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
            is_done: match fields.get("done") {
                "yes" => true,
                "no" => false,
                other => return Err(Fault::new(&BAD_REQUEST, format!("done: {other:?}"))),
            },
        }),
        "set" => Ok(Wish::Set {
            key: fields.get("key").to_owned(),
            value: (!fields.has("default")).then(|| fields.get("value").to_owned()),
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
            is_drop: fields.get("drop") == "yes",
        }),
    }
}

async fn configure(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let value = (!fields.has("default")).then(|| fields.get("value"));
    let done = console.host.set(fields.get("key"), value, &viewer.actor()).await;
    onto("/settings", done)
}

async fn set_default(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path(cluster): Path<String>,
    RawForm(form): RawForm,
) -> Response {
    let fields = Fields::read(&form);
    let value = (!fields.has("default")).then(|| fields.get("value"));
    let done = act::set_default(&console, &viewer, &cluster, fields.get("key"), value).await;
    onto("/settings", done)
}
