//! A schema without its rows in another database. What cannot be cloned is said, and does not end it.

use std::collections::BTreeSet;

use corridor_pg::{ConnectOptions, Fault, FaultContext as _, Ident, Literal, Result, Session};
use tokio_postgres::Client;

use super::observe::{rows, setting};
use super::statistics::{self, Statistics};
use super::{boundary, dump};

/// What is known of a database that is to be cloned.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The server's version, in full.
    pub version: String,
    /// Its major.
    pub major: u32,
    /// Two servers that began at the same microsecond are one.
    started: String,
    /// The cluster's number, where the role may ask for it.
    identifier: Option<String>,
    encoding: String,
    collate: String,
    ctype: String,
    is_libc: bool,
    login: String,
    roles: Vec<String>,
    /// Tablespaces that are used.
    pub tablespaces: Vec<String>,
    settings: Vec<String>,
    extended: i64,
    /// What the planner knows.
    pub statistics: Statistics,
}

/// A failed statement of a dump that says nothing: it is there already; a setting of a newer client.
const SILENT: &[&str] = &["42P06"];
/// Notes on single statements, behind which only their number is said.
const NOTES_MAX: usize = 20;

/// Looks at a database, in a transaction that can only read.
pub async fn look(client: &Client) -> Result<Origin> {
    client
        .batch_execute("begin isolation level repeatable read read only")
        .await?;
    let done = look_in_transaction(client).await;
    let ended = client.batch_execute("rollback").await;
    let done = done?;
    ended?;
    Ok(done)
}

async fn look_in_transaction(client: &Client) -> Result<Origin> {
    let is_14 = setting(client, "server_version_num").await?.starts_with("14");
    let sql = match is_14 {
        true => include_str!("../../sql/rehearse/origin_14.sql"),
        false => include_str!("../../sql/rehearse/origin.sql"),
    };
    let row = client
        .query_one(sql, &[])
        .await
        .doing(|| "looking at the database")?;
    let mut origin = Origin {
        version: row.get("version"),
        major: u32::try_from(row.get::<_, i32>("major")).unwrap_or(0),
        started: row.get("started"),
        identifier: None,
        encoding: row.get("encoding"),
        collate: row.get("lc_collate"),
        ctype: row.get("lc_ctype"),
        is_libc: row.get("is_libc"),
        login: row.get("login"),
        roles: row.get("roles"),
        tablespaces: row.get("tablespaces"),
        settings: row.get("settings"),
        extended: row.get("extended"),
        statistics: statistics::read(client).await?,
    };
    client.batch_execute("savepoint identity").await?;
    match client
        .query_one(include_str!("../../sql/rehearse/identity.sql"), &[])
        .await
    {
        Ok(row) => origin.identifier = Some(row.get(0)),
        Err(error) if error.as_db_error().is_some() => client.batch_execute("rollback to identity").await?,
        Err(error) => return Err(error.into()),
    }
    Ok(origin)
}

impl Origin {
    /// Whether both are databases of one server, or of copies of one.
    pub fn is_beside(&self, other: &Origin) -> bool {
        self.started == other.started || self.identifier.is_some() && self.identifier == other.identifier
    }
}

/// What was made on the server beside the database, and what could not be cloned.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// Roles.
    pub roles: Vec<Ident>,
    /// What is missing, for people.
    pub notes: Vec<String>,
    /// Something is not there that the schema has.
    pub has_gaps: bool,
}

/// Makes the database and what it needs of the server. `origin` is `None` for an empty one.
pub async fn found(
    server: &Client,
    name: &Ident,
    origin: Option<&Origin>,
    is_given: bool,
    made: &mut Made,
) -> Result<()> {
    let Some(origin) = origin else {
        server
            .batch_execute(&format!("create database {name} template template0"))
            .await
            .doing(|| "making the database")?;
        return Ok(());
    };
    let known: BTreeSet<String> =
        names(server, "select rolname::text as name from pg_catalog.pg_roles").await?;
    for role in origin.roles.iter().filter(|role| !known.contains(*role)) {
        let ident = Ident::new(role.clone())?;
        // Before it is there: whoever is interrupted here must know of it.
        made.roles.push(ident.clone());
        if let Err(error) = server
            .batch_execute(&format!("create role {ident} nologin"))
            .await
        {
            made.roles.pop();
            made.miss(format!("the role {role}: {}", words(error)?));
        }
    }
    let known = names(
        server,
        "select spcname::text as name from pg_catalog.pg_tablespace",
    )
    .await?;
    for space in origin.tablespaces.iter().filter(|space| !known.contains(*space)) {
        let ident = Ident::new(space.clone())?;
        if is_given {
            made.miss(format!(
                "the tablespace {space}: what is in it stands in the default one"
            ));
            continue;
        }
        // A place below the data directory, as the server's own tests have them.
        let done = match server.batch_execute("set allow_in_place_tablespaces = on").await {
            Ok(()) => {
                server
                    .batch_execute(&format!("create tablespace {ident} location ''"))
                    .await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            made.miss(format!("the tablespace {space}: {}", words(error)?));
        }
    }
    let same = format!(
        "create database {name} template template0 encoding {} lc_collate {} lc_ctype {}",
        Literal(&origin.encoding),
        Literal(&origin.collate),
        Literal(&origin.ctype)
    );
    let plain = format!("create database {name} template template0");
    let refused = match origin.is_libc {
        true => server.batch_execute(&same).await.err(),
        false => None,
    };
    if let Some(error) = refused {
        made.notes.push(format!(
            "not cloned: the collation {} of the database: {}",
            origin.collate,
            words(error)?
        ));
        server
            .batch_execute(&plain)
            .await
            .doing(|| "making the database")?;
    } else if !origin.is_libc {
        made.notes
            .push("not cloned: the collation of the database, which is not of the C library".to_owned());
        server
            .batch_execute(&plain)
            .await
            .doing(|| "making the database")?;
    }
    if origin.extended > 0 {
        made.notes.push(format!(
            "not cloned: the contents of {} extended statistics",
            origin.extended
        ));
    }
    Ok(())
}

impl Made {
    fn miss(&mut self, what: String) {
        self.has_gaps = true;
        self.notes.push(format!("not cloned: {what}"));
    }
}

/// Fills the database with what a dump says.
pub async fn fill(clone: &Client, origin: &Origin, text: &str, made: &mut Made) -> Result<()> {
    let text = dump::lines_to_run(text);
    let (mut left, mut failed) = (BTreeSet::new(), 0_usize);
    for piece in crate::script::cut(&text).0 {
        let sql = &text[piece.span];
        if let Some(what) = boundary::left_out(sql) {
            left.insert(what);
            continue;
        }
        let Err(error) = clone.batch_execute(sql).await else {
            continue;
        };
        let code = error
            .code()
            .map(|code| code.code().to_owned())
            .unwrap_or_default();
        let why = words(error)?;
        let is_setting = sql.starts_with("SET ") && code == "42704";
        if SILENT.contains(&code.as_str()) || is_setting {
            continue;
        }
        failed += 1;
        made.has_gaps = true;
        if failed <= NOTES_MAX {
            let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
            made.notes
                .push(format!("not cloned: {}: {why}", shortened(&line)));
        }
    }
    if failed > NOTES_MAX {
        made.notes.push(format!(
            "not cloned: {} more statements of the dump",
            failed - NOTES_MAX
        ));
    }
    for what in left {
        made.miss(what.to_owned());
    }
    refresh(clone, made).await?;
    settings(clone, origin, made).await
}

/// Materialized views are filled, with the nothing that there is: some statements want that. One may read another.
async fn refresh(clone: &Client, made: &mut Made) -> Result<()> {
    let mut last = usize::MAX;
    loop {
        let open = names(clone, include_str!("../../sql/rehearse/unfilled.sql")).await?;
        if open.is_empty() {
            return Ok(());
        }
        if open.len() == last {
            made.notes.extend(
                open.iter()
                    .map(|name| format!("not filled: the materialized view {name}")),
            );
            return Ok(());
        }
        last = open.len();
        for name in open {
            // The name is the server's own rendering.
            if let Err(error) = clone
                .batch_execute(&format!("refresh materialized view {name}"))
                .await
            {
                words(error)?;
            }
        }
    }
}

/// Sessions here begin as they do there.
async fn settings(clone: &Client, origin: &Origin, made: &mut Made) -> Result<()> {
    let database = Ident::new(setting_of_database(clone).await?)?;
    for (name, value) in origin.settings.iter().filter_map(|line| line.split_once('=')) {
        // There is no schema of that name for who logs in here.
        let value = value.replace("\"$user\"", &Ident::new(origin.login.clone())?.to_string());
        let sql = format!(
            "select pg_catalog.set_config({}, {}, false); alter database {database} set {name} from current",
            Literal(name),
            Literal(&value)
        );
        if let Err(error) = clone.batch_execute(&sql).await {
            made.notes
                .push(format!("not cloned: {name} = {value}: {}", words(error)?));
        }
    }
    Ok(())
}

async fn setting_of_database(clone: &Client) -> Result<String> {
    let found = names(clone, "select pg_catalog.current_database()::text as name").await?;
    Ok(found.into_iter().next().unwrap_or_default())
}

async fn names(client: &Client, sql: &str) -> Result<BTreeSet<String>> {
    let found = rows(client, sql).await?;
    Ok(found
        .iter()
        .filter_map(|row| row.try_get(0).ok().flatten().map(str::to_owned))
        .collect())
}

/// Takes away what was made. What is not there is no fault.
pub async fn remove(server: &Session, name: &Ident, made: &Made) -> Result<()> {
    server
        .batch_execute(&format!("drop database if exists {name} with (force)"))
        .await
        .doing(|| format!("dropping the database {name} of the rehearsal"))?;
    for role in &made.roles {
        server
            .batch_execute(&format!("drop role if exists {role}"))
            .await
            .doing(|| format!("dropping the role {role} that the rehearsal made"))?;
    }
    Ok(())
}

/// The settings of the connection to a database of that server.
pub fn inside(server: &ConnectOptions, name: &Ident) -> ConnectOptions {
    server.clone().with_dbname(name.as_str())
}

/// The server's words; a lost connection is a fault.
fn words(error: tokio_postgres::Error) -> Result<String> {
    match error.as_db_error() {
        Some(db) => Ok(db.message().to_owned()),
        None => Err(Fault::from_driver(error)),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
