//! `--rehearse`: the place where files are tried out. The room of lint does the rest; here servers and programs are started.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use corridor_lint::fault::{LEFT_BEHIND, NO_SERVER, NOT_DUMPED, WRONG_SERVER};
use corridor_lint::finding::Finding;
use corridor_lint::judge::{Settings, Source};
use corridor_lint::rehearse::clone::{self, Made, Origin};
use corridor_lint::rehearse::course::Course;
use corridor_lint::rehearse::prediction::MEASURED;
use corridor_lint::rehearse::{Played, dump, findings, statistics};
use corridor_lint::world::World;
use corridor_pg::conninfo::ForProgram;
use corridor_pg::{ApplicationName, ConnectOptions, Fault, Ident, Result, Session};
use corridor_testbed::{Cluster, ClusterOptions, Servers};
use serde::Serialize;

use super::Context;
use crate::args::Lint;

/// A statement that takes longer on tables without rows does something else than a rehearsal is for.
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);
/// How long a dump waits for a lock: whoever alters a table now is not to find us in the way for long.
const DUMP_LOCK_WAIT: &str = "10s";
/// Bytes of a page.
const PAGE_BYTES: u64 = 8_192;

/// What came of it.
#[derive(Debug, Serialize)]
pub(crate) struct Rehearsal {
    /// The version of the server that it was on.
    pub(crate) server: String,
    /// It was a cluster of its own.
    pub(crate) is_throwaway: bool,
    /// The planner believes of the clone what it does of the database; `None` where there was nothing to carry.
    pub(crate) has_statistics: Option<bool>,
    /// What could not be cloned, and whatever else limits what was seen.
    pub(crate) notes: Vec<String>,
    /// The files, in their order.
    pub(crate) files: Vec<Played>,
    /// What the files made of the schema, as a unified difference of two dumps; `None` without a `pg_dump`.
    pub(crate) difference: Option<Vec<String>>,
}

/// What is rehearsed.
pub(super) struct Request<'a> {
    pub(super) sources: &'a [Source<'a>],
    pub(super) settings: &'a Settings,
    pub(super) world: &'a World,
    pub(super) is_utc: bool,
}

/// Rehearses. `None`: a signal came; what was made is gone.
pub(super) async fn run(
    context: &Context,
    args: &Lint,
    request: &Request<'_>,
) -> Result<Option<(Rehearsal, Vec<Finding>)>> {
    let origin = match context.database {
        Some(_) => match context.interrupt.or(look(context)).await {
            Some(origin) => Some(origin?),
            None => return Ok(None),
        },
        None => None,
    };
    let Some(stage) = context
        .interrupt
        .or(Stage::set_up(args, request.settings, origin.as_ref()))
        .await
    else {
        return Ok(None);
    };
    let mut stage = stage?;
    let done = context
        .interrupt
        .or(stage.play(context, request, origin.as_ref()))
        .await;
    let removed = stage.strike().await;
    let Some(done) = done else {
        removed?;
        return Ok(None);
    };
    let rehearsal = done?;
    removed?;
    let found = findings(request.sources, &rehearsal.files, &rehearsal.server);
    Ok(Some((rehearsal, found)))
}

async fn look(context: &Context) -> Result<Origin> {
    let session = context.session("rehearse").await?;
    clone::look(&session).await
}

/// Where it takes place.
struct Stage {
    /// A cluster that is gone with us; `None` on a server that was given.
    cluster: Option<Cluster>,
    /// The server, from a database of its own.
    server: Session,
    connect: ConnectOptions,
    /// For `pg_dump`, which finds the server by itself.
    text: String,
    database: Ident,
    version: String,
    major: u32,
    made: Made,
    pg_dump: Option<PathBuf>,
}

impl Stage {
    async fn set_up(args: &Lint, settings: &Settings, origin: Option<&Origin>) -> Result<Stage> {
        let (cluster, text) = match &args.rehearse_on {
            Some(text) => (None, text.clone()),
            None => {
                let cluster = throwaway(args, settings, origin).await?;
                let text = cluster.url("postgres");
                (Some(cluster), text)
            }
        };
        let connect = ConnectOptions::from_process(Some(&text))?;
        let server = connect
            .connect(&ApplicationName::new("rehearse", "control"))
            .await?;
        let here = clone::look(&server).await?;
        if let Some(origin) = origin {
            refuse_wrong(origin, &here)?;
        }
        let name = format!(
            "corridor_rehearsal_{}_{:04x}",
            std::process::id(),
            fastrand::u16(..)
        );
        Ok(Stage {
            cluster,
            server,
            connect,
            text,
            database: Ident::new(name)?,
            pg_dump: pg_dump(here.major).await,
            version: here.version,
            major: here.major,
            made: Made::default(),
        })
    }

    async fn play(
        &mut self,
        context: &Context,
        request: &Request<'_>,
        origin: Option<&Origin>,
    ) -> Result<Rehearsal> {
        let is_given = self.cluster.is_none();
        // Before anything is made: what cannot be read need not be cloned.
        let schema = match (origin, &context.database) {
            (Some(_), Some(text)) => Some(self.dump(text, None).await?.ok_or_else(|| self.no_pg_dump())?),
            _ => None,
        };
        clone::found(&self.server, &self.database, origin, is_given, &mut self.made)
            .await
            .map_err(|fault| match fault.sqlstate() {
                Some(_) => Fault::new(&WRONG_SERVER, fault.to_string()).caused_by(fault),
                None => fault,
            })?;
        let inside = clone::inside(&self.connect, &self.database);
        let mut has_statistics = None;
        if let (Some(origin), Some(schema)) = (origin, &schema) {
            let session = inside.connect(&ApplicationName::new("rehearse", "clone")).await?;
            clone::fill(&session, origin, schema, &mut self.made).await?;
            let written = statistics::write(&session, self.major, &origin.statistics, !is_given).await?;
            has_statistics = Some(written.is_ok());
            match written {
                Ok(()) if is_given => self.made.notes.push(
                    "the planner has the statistics of columns; it still sees tables without pages, so it expects few rows".to_owned(),
                ),
                Ok(()) => self.add_pages(&session).await?,
                Err(why) => self.made.notes.push(format!("the planner's statistics could not be set: {why}")),
            }
        }
        let before = self.dump(&self.text, Some(&self.database)).await?;
        let session = inside.connect(&ApplicationName::new("rehearse", "work")).await?;
        let watcher = inside.connect(&ApplicationName::new("rehearse", "watch")).await?;
        let settings = Settings {
            major: self.major,
            ..request.settings.clone()
        };
        let course = Course {
            session: &session,
            watcher: &watcher,
            connect: &inside,
            settings: &settings,
            facts_of: MEASURED,
            limit: STATEMENT_LIMIT,
            is_given,
            is_empty: true,
            is_utc: request.is_utc,
            has_gaps: self.made.has_gaps,
        };
        let files = course.run(request.sources, request.world).await?;
        // What a file leaves open would hold a dump up.
        drop(session);
        let difference = match before {
            Some(before) => {
                let after = self.dump(&self.text, Some(&self.database)).await?;
                after.map(|after| dump::difference(&dump::lines(&before), &dump::lines(&after)))
            }
            None => {
                self.made.notes.push(
                    "there is no pg_dump that reads this server: no difference of the schema".to_owned(),
                );
                None
            }
        };
        Ok(Rehearsal {
            server: format!("PostgreSQL {}", self.version),
            is_throwaway: !is_given,
            has_statistics,
            notes: std::mem::take(&mut self.made.notes),
            files,
            difference,
        })
    }

    /// Gives tables pages without rows: the planner multiplies the rows of a page by them.
    async fn add_pages(&mut self, session: &Session) -> Result<()> {
        let Some(cluster) = &self.cluster else {
            return Ok(());
        };
        for (file, pages) in statistics::heap_files(session).await? {
            if let Err(error) = cluster.lengthen(&file, pages * PAGE_BYTES) {
                let why = format!("the planner sees tables without pages, so it expects few rows: {error}");
                self.made.notes.push(why);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The schema as `pg_dump` writes it; `None` where there is no `pg_dump` that can.
    async fn dump(&self, text: &str, database: Option<&Ident>) -> Result<Option<String>> {
        let Some(program) = &self.pg_dump else {
            return Ok(None);
        };
        let mut command = tokio::process::Command::new(program);
        command
            .arg("--schema-only")
            .arg(format!("--lock-wait-timeout={DUMP_LOCK_WAIT}"))
            .arg("--no-password");
        // A place of a server is not a place of another.
        if self.cluster.is_none() {
            command.arg("--no-tablespaces");
        }
        let given = ForProgram::new(text, database.map(Ident::as_str))?;
        command.arg(format!("--dbname={}", given.text));
        if let Some(password) = given.password {
            command.env("PGPASSWORD", password);
        }
        let output = command
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| Fault::new(&NOT_DUMPED, format!("running {}: {error}", program.display())))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Fault::new(&NOT_DUMPED, words));
        }
        Ok(Some(String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    fn no_pg_dump(&self) -> Fault {
        let why = format!(
            "there is no pg_dump of PostgreSQL {} or later on this machine",
            self.major
        );
        Fault::new(&NO_SERVER, why)
    }

    /// Takes everything away.
    async fn strike(self) -> Result<()> {
        match self.cluster {
            Some(cluster) => {
                drop(cluster);
                Ok(())
            }
            None => clone::remove(&self.server, &self.database, &self.made)
                .await
                .map_err(|fault| {
                    Fault::new(&LEFT_BEHIND, format!("{}: {fault}", self.database)).caused_by(fault)
                }),
        }
    }
}

/// A cluster of the right major.
async fn throwaway(args: &Lint, settings: &Settings, origin: Option<&Origin>) -> Result<Cluster> {
    let installed: Vec<u32> = Servers::find().into_iter().map(|it| it.major).collect();
    let wanted = origin.map_or(settings.major, |origin| origin.major);
    // Without a database and without a word, any major will do that is measured.
    let is_free = origin.is_none() && args.pg_version.is_none() && wanted == corridor_lint::facts::MAJOR_MAX;
    let newest = installed.iter().copied().filter(|major| *major <= wanted).max();
    let major = match (installed.contains(&wanted), newest) {
        (true, _) => wanted,
        (false, Some(newest)) if is_free => newest,
        _ => {
            let found: Vec<String> = installed.iter().map(ToString::to_string).collect();
            let found = if found.is_empty() {
                "none".to_owned()
            } else {
                found.join(", ")
            };
            let why = format!(
                "the server programs of PostgreSQL {wanted} are not on this machine (found: {found})"
            );
            return Err(Fault::new(&NO_SERVER, why));
        }
    };
    let options = ClusterOptions::new(major)
        // Statistics that were carried are to stay.
        .setting("autovacuum", "off")
        // A dump locks every table.
        .setting("max_locks_per_transaction", "1024");
    Cluster::start(options)
        .await
        .map_err(|error| Fault::new(&NO_SERVER, error.to_string()).caused_by(error))
}

fn refuse_wrong(origin: &Origin, here: &Origin) -> Result<()> {
    if origin.major != here.major {
        let why = format!(
            "the database is on PostgreSQL {}, and the server of --rehearse-on is {}",
            origin.major, here.major
        );
        return Err(Fault::new(&WRONG_SERVER, why));
    }
    if origin.is_beside(here) {
        let why = "the server of --rehearse-on is the one that the database is on, or a copy of it";
        return Err(Fault::new(&WRONG_SERVER, why));
    }
    Ok(())
}

/// A `pg_dump` that reads this major: of the same where there is one, else a newer one.
async fn pg_dump(major: u32) -> Option<PathBuf> {
    let own = Servers::find()
        .into_iter()
        .filter(|it| it.major == major)
        .find_map(|it| it.program("pg_dump"));
    let candidates = own
        .into_iter()
        .chain(Servers::client("pg_dump"))
        .chain([PathBuf::from("pg_dump")]);
    for program in candidates {
        let output = tokio::process::Command::new(&program)
            .arg("--version")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await;
        let Ok(output) = output else { continue };
        // `pg_dump (PostgreSQL) 15.18 (…)`
        let text = String::from_utf8_lossy(&output.stdout);
        let found: Option<u32> = text
            .split(' ')
            .nth(2)
            .and_then(|version| version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        if found.is_some_and(|found| found >= major) {
            return Some(program);
        }
    }
    None
}
