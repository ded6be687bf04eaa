//! `corridor user`: the accounts of the console. The first one is made here: there is no other way in.

use corridor_console::access::Role;
use corridor_console::access::account::{self, Account, Change};
use corridor_migration::lease::this_process;
use corridor_migration::schema;
use corridor_pg::{ApplicationName, ConnectOptions, Fault, Result, Session};
use serde::Serialize;

use super::{Context, DONE};
use crate::args::{self, User};
use crate::fault::USAGE;
use crate::output::table::Table;
use crate::output::text::{hang, harmless};
use crate::serve::config::{Config, Flags, Sources, Stored};
use crate::terminal;

/// One verb.
pub(crate) async fn run(context: &Context, command: &User) -> Result<u8> {
    match command {
        User::Add(args) => add(context, args).await,
        User::List(home) => list(context, home).await,
        User::Role(args) => change(context, &args.home, &args.name, Change::Role(role(args.role))).await,
        User::Disable(args) => change(context, &args.home, &args.name, Change::Disabled(true)).await,
        User::Enable(args) => change(context, &args.home, &args.name, Change::Disabled(false)).await,
        User::Revoke(args) => change(context, &args.home, &args.name, Change::Revoked).await,
        User::Remove(args) => change(context, &args.home, &args.name, Change::Removed).await,
        User::Password(args) => {
            // What cannot be is refused before somebody types a password.
            let (mut session, by) = home(context, &args.home).await?;
            let password = password().await?;
            let change = Change::Password(password);
            account::change(&mut session, &args.name, &change, &by).await?;
            said(
                context,
                &args.name,
                "has another password; its sign-ins have ended",
            )
        }
        User::Token(args) => token(context, args).await,
    }
}

const fn role(role: args::Role) -> Role {
    match role {
        args::Role::Viewer => Role::Viewer,
        args::Role::Operator => Role::Operator,
        args::Role::Admin => Role::Admin,
    }
}

/// A session at home with its tables, and who acts.
async fn home(context: &Context, at: &args::Home) -> Result<(Session, String)> {
    let (mut session, by) = reach(context, at).await?;
    schema::ensure(&mut session).await?;
    Ok((session, by))
}

/// A session at home, and who acts. Makes nothing.
async fn reach(context: &Context, home: &args::Home) -> Result<(Session, String)> {
    let flags = Flags {
        config: home.config.clone(),
        listen: None,
        database: context.database.clone(),
    };
    let config = Config::read(&Sources::load(&flags)?, &Stored::new())?;
    let database = match (&context.database, config.clusters.first()) {
        (Some(database), _) => Some(database.clone()),
        (None, first) => first.and_then(|cluster| cluster.database.clone()),
    };
    let options = ConnectOptions::from_process(database.as_deref())?;
    let session = options.connect(&ApplicationName::new("control", "-")).await?;
    Ok((session, this_process(options.user())))
}

/// Typed twice on a terminal; the first line of the standard input otherwise.
async fn password() -> Result<String> {
    let unreadable = |error: std::io::Error| Fault::new(&USAGE, format!("reading the password: {error}"));
    let Some(first) = terminal::ask_hidden("password: ").await.map_err(unreadable)? else {
        return terminal::line().await.map_err(unreadable);
    };
    let again = terminal::ask_hidden("again: ").await.map_err(unreadable)?;
    match again.as_ref() == Some(&first) {
        true => Ok(first),
        false => Err(Fault::new(
            &USAGE,
            "the two passwords differ; nothing was changed",
        )),
    }
}

async fn add(context: &Context, args: &args::UserAdd) -> Result<u8> {
    account::check_name(&args.name)?;
    let (mut session, by) = home(context, &args.home).await?;
    let password = match args.no_password {
        true => None,
        false => Some(password().await?),
    };
    account::add(
        &mut session,
        &args.name,
        role(args.role),
        password.as_deref(),
        &by,
    )
    .await?;
    said(context, &args.name, &format!("is {} now", role(args.role)))
}

async fn change(context: &Context, at: &args::Home, name: &str, change: Change) -> Result<u8> {
    let (mut session, by) = home(context, at).await?;
    account::change(&mut session, name, &change, &by).await?;
    let words = match change {
        Change::Role(role) => format!("is {role} now"),
        Change::Disabled(true) => "may not come in any more".to_owned(),
        Change::Disabled(false) => "may come in again".to_owned(),
        Change::Password(_) => "has another password".to_owned(),
        Change::Revoked => "has no sign-in and no token any more".to_owned(),
        Change::Removed => "is removed".to_owned(),
    };
    said(context, name, &words)
}

#[derive(Serialize)]
struct SaidDocument<'a> {
    account: &'a str,
    what: &'a str,
}

fn said(context: &Context, account: &str, what: &str) -> Result<u8> {
    if context.output.is_json() {
        context.output.document(&SaidDocument { account, what })?;
    } else {
        context.output.data(&format!("{account} {what}"))?;
    }
    Ok(DONE)
}

#[derive(Serialize)]
struct ListDocument<'a> {
    accounts: &'a [Account],
}

async fn list(context: &Context, at: &args::Home) -> Result<u8> {
    let (session, _) = reach(context, at).await?;
    let accounts = match account::is_there(&*session).await? {
        true => account::list(&*session).await?,
        false => Vec::new(),
    };
    if context.output.is_json() {
        context.output.document(&ListDocument { accounts: &accounts })?;
        return Ok(DONE);
    }
    if accounts.is_empty() {
        let words = "there are no accounts yet; make the first: corridor user add NAME --role admin";
        context.output.data(&hang("", words))?;
        return Ok(DONE);
    }
    let mut table = Table::new(&["ACCOUNT", "ROLE", "LAST SEEN", "COMES IN"]);
    for one in &accounts {
        let how = match (one.is_disabled, one.has_password) {
            (true, _) => "no: disabled",
            (false, true) => "with a password",
            (false, false) => "through a proxy, or by token",
        };
        table.push(vec![
            harmless(&one.name),
            one.role.to_string(),
            one.seen_at.clone().unwrap_or_else(|| "never".to_owned()),
            how.to_owned(),
        ]);
    }
    context.output.data(&table.render())?;
    Ok(DONE)
}

#[derive(Serialize)]
struct TokenDocument<'a> {
    account: &'a str,
    name: &'a str,
    token: &'a str,
}

async fn token(context: &Context, args: &args::UserToken) -> Result<u8> {
    let (mut session, by) = home(context, &args.home).await?;
    let wanted = role(args.role);
    let token = account::add_token(&mut session, &args.account, &args.name, wanted, args.days, &by).await?;
    if context.output.is_json() {
        context.output.document(&TokenDocument {
            account: &args.account,
            name: &args.name,
            token: &token,
        })?;
    } else {
        context.output.say("the token, shown this once:");
        context.output.data(&token)?;
    }
    Ok(DONE)
}
