//! Files, statement by statement, in the transactions that they and their runners open.
//!
//! A statement outside of any transaction gets one of its own, so that its locks can be looked at before they are gone; one that
//! the server refuses there runs by itself, held up by another session where it waits.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use corridor_pg::{ApplicationName, ConnectOptions, Fault, Result, Session};
use tokio_postgres::error::ErrorPosition;

use super::catalogue::Catalogue;
use super::compare::{Comparison, Failure, Observation, compare};
use super::prediction::{FactsOf, Prediction, holds, predict};
use super::{Cause, Played, State, Step, boundary, observe};
use crate::facts::key::effects;
use crate::ir::{Kind, Name, Object, ReindexTarget, Script, Span, Statement};
use crate::judge::{self, Settings, Source};
use crate::session::Session as Followed;
use crate::world::World;

/// A rehearsal.
pub struct Course<'a> {
    /// The session that the files run in.
    pub session: &'a Session,
    /// One that looks at it from outside.
    pub watcher: &'a Session,
    /// How further ones are made.
    pub connect: &'a ConnectOptions,
    /// How files are read, and which major it is.
    pub settings: &'a Settings,
    /// The facts.
    pub facts_of: FactsOf,
    /// How long a statement may take.
    pub limit: Duration,
    /// The server is somebody's: what reaches beyond the database is not run.
    pub is_given: bool,
    /// Tables have no rows.
    pub is_empty: bool,
    /// Sessions have UTC.
    pub is_utc: bool,
    /// What the clone lacks.
    pub has_gaps: bool,
}

/// A statement on its way.
struct Now<'a> {
    statement: &'a Statement,
    text: &'a str,
    prediction: Prediction,
}

impl Course<'_> {
    /// Runs the files, in their order. After a failure nothing more is run.
    pub async fn run(&self, sources: &[Source<'_>], world: &World) -> Result<Vec<Played>> {
        let texts: Vec<&str> = sources.iter().map(|source| source.text).collect();
        let mut world = world.clone();
        let mut played = Vec::new();
        let mut has_failed = false;
        for (source, script) in sources.iter().zip(crate::parse::read_all(&texts)) {
            world.settle();
            let Some((script, followed)) = judge::opened(source, script, self.settings) else {
                continue;
            };
            let mut file = Played {
                file: source.path.to_owned(),
                in_transaction: followed.transaction.is_some(),
                steps: Vec::new(),
            };
            if has_failed {
                file.steps = script
                    .statements
                    .iter()
                    .map(|it| not_run(&it.span, BEHIND))
                    .collect();
            } else {
                has_failed = self
                    .file(source, &script, followed, &mut world, &mut file)
                    .await?;
            }
            played.push(file);
        }
        Ok(played)
    }

    /// Runs one file; true when it failed.
    async fn file(
        &self,
        source: &Source<'_>,
        script: &Script,
        mut followed: Followed,
        world: &mut World,
        file: &mut Played,
    ) -> Result<bool> {
        self.session.batch_execute("discard all").await?;
        let mut current = observe::catalogue(self.session).await?;
        if followed.transaction.is_some() {
            // Nothing is asked in it before its first statement: that may say how it is isolated.
            self.session.batch_execute("begin").await?;
        }
        let mut at_begin: BTreeSet<u32> = current.relations.keys().copied().collect();
        let (mut is_doubtful, mut has_failed) = (false, false);
        for statement in &script.statements {
            if has_failed {
                file.steps.push(not_run(&statement.span, BEHIND));
                continue;
            }
            let text = &source.text[statement.span.clone()];
            if let Some(why) = boundary::beyond(text, self.is_given) {
                file.steps.push(not_run(&statement.span, why));
                continue;
            }
            let is_utc = followed
                .timezone
                .as_ref()
                .map_or(self.is_utc, |zone| zone.eq_ignore_ascii_case("utc"));
            let mut found = effects(statement, world, Some(is_utc));
            name_tables(&mut found, statement, &current, self.session).await?;
            let mut prediction = predict(statement, text, found, self.settings.major, self.facts_of);
            if is_doubtful {
                prediction
                    .unknown
                    .push("what a statement before it did, which cannot be judged".to_owned());
            }
            let now = Now {
                statement,
                text,
                prediction,
            };
            let begun = Instant::now();
            let (seen, comparison) = self.statement(&now, &mut current, &at_begin, &followed).await?;
            let state = match seen.failure {
                Some(failure) => {
                    has_failed = true;
                    let cause = Cause::of(&failure, self.has_gaps);
                    State::Failed { failure, cause }
                }
                None => State::Ran,
            };
            file.steps.push(Step {
                span: statement.span.clone(),
                kinds: now
                    .prediction
                    .effects
                    .iter()
                    .map(|(effect, _)| effect.key)
                    .collect(),
                facts: now.prediction.lines(),
                elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
                is_alone: seen.ran_alone,
                state,
                comparison,
            });
            followed.apply(&statement.kind);
            world.apply(statement);
            is_doubtful |= matches!(statement.kind, Kind::NotEvaluated { .. });
            if matches!(
                statement.kind,
                Kind::Begin | Kind::Commit { .. } | Kind::Rollback { .. }
            ) || followed.transaction.is_none()
            {
                at_begin = current.relations.keys().copied().collect();
            }
        }
        // What the runner opened it commits; what the file leaves open is lost with its session.
        let is_of_runner = followed.transaction.as_ref().is_some_and(|it| it.is_of_runner);
        let end = if is_of_runner && !has_failed {
            "commit"
        } else {
            "rollback"
        };
        if (followed.transaction.is_some() || has_failed)
            && let Some(failure) = self.execute(end).await?
        {
            let cause = Cause::of(&failure, self.has_gaps);
            if let Some(step) = file.steps.last_mut() {
                step.state = State::Failed { failure, cause };
            }
            has_failed = true;
        }
        Ok(has_failed)
    }

    /// Runs one statement and looks.
    async fn statement(
        &self,
        now: &Now<'_>,
        current: &mut Catalogue,
        at_begin: &BTreeSet<u32>,
        followed: &Followed,
    ) -> Result<(Observation, Option<Comparison>)> {
        let in_transaction = followed.transaction.is_some();
        if is_control(now) || !in_transaction && needs_own_transaction(now.statement) {
            let failure = self.execute(now.text).await?;
            if failure.is_none() && matches!(now.statement.kind, Kind::Rollback { .. } | Kind::RollbackTo(_))
            {
                *current = observe::catalogue(self.session).await?;
            }
            return Ok((
                Observation {
                    failure,
                    ..Observation::default()
                },
                None,
            ));
        }
        let names: BTreeSet<String> = now
            .prediction
            .effects
            .iter()
            .flat_map(|(effect, _)| std::iter::once(&effect.table).chain(effect.others.values().flatten()))
            .filter(|name| !name.name.is_empty())
            .map(Name::sql)
            .collect();
        let names: Vec<String> = names.into_iter().collect();
        let oids = observe::resolve(self.session, &names).await?;
        let mut seen = Observation {
            before: current.clone(),
            after: current.clone(),
            made: current
                .relations
                .keys()
                .filter(|oid| !at_begin.contains(oid))
                .copied()
                .collect(),
            named: names.into_iter().zip(oids).collect(),
            in_transaction,
            is_empty: self.is_empty,
            ..Observation::default()
        };
        if !in_transaction {
            self.session.batch_execute("begin").await?;
        }
        let pid = self.session.backend_pid();
        seen.held = observe::locks(self.watcher, pid).await?;
        let scans = observe::scans(self.session, &seen.before).await?;
        match self.execute(now.text).await? {
            None => {
                seen.locks = observe::locks(self.watcher, pid).await?;
                seen.has_locks = true;
                let more = observe::scans(self.session, &seen.before).await?;
                let scanned = more.iter().filter(|(oid, count)| scans.get(*oid) < Some(*count));
                seen.scans = Some(scanned.map(|(oid, _)| *oid).collect());
                seen.after = observe::catalogue(self.session).await?;
                if !in_transaction {
                    seen.failure = self.execute("commit").await?;
                }
            }
            Some(failure) if !in_transaction => {
                self.session.batch_execute("rollback").await?;
                match matches!(failure.sqlstate.as_str(), "25001" | "2D000") {
                    true => self.alone(now, &mut seen, pid).await?,
                    false => seen.failure = Some(failure),
                }
            }
            Some(failure) => seen.failure = Some(failure),
        }
        if seen.failure.is_none() {
            current.clone_from(&seen.after);
        }
        let comparison = compare(&now.prediction, &seen);
        Ok((seen, Some(comparison)))
    }

    /// A statement that has transactions of its own.
    async fn alone(&self, now: &Now<'_>, seen: &mut Observation, pid: i32) -> Result<()> {
        seen.ran_alone = true;
        let path = observe::setting(self.session, "search_path").await?;
        let mut holders = Vec::new();
        for hold in holds(&now.prediction) {
            let holder = self
                .connect
                .connect(&ApplicationName::new("rehearse", "hold"))
                .await?;
            let path = corridor_pg::Literal(&path);
            let begin = format!("select pg_catalog.set_config('search_path', {path}, false); begin; {hold}");
            // Where it cannot stand in the way (there is no such table) there is nothing to be seen either.
            if holder.batch_execute(&begin).await.is_ok() {
                holders.push(holder);
            }
        }
        let standing: Vec<_> = holders.iter().map(|it| (&**it, it.backend_pid())).collect();
        let work = self.execute(now.text);
        let (failure, locks, met) = observe::held_up(work, pid, self.watcher, &standing).await?;
        seen.failure = failure?;
        seen.locks = locks;
        seen.has_locks = met > 0 && met == standing.len();
        seen.after = observe::catalogue(self.session).await?;
        Ok(())
    }

    /// Executes; the server's no is an answer. A statement that takes too long is cancelled.
    async fn execute(&self, sql: &str) -> Result<Option<Failure>> {
        let work = self.session.batch_execute(sql);
        tokio::pin!(work);
        let done = tokio::select! {
            done = &mut work => done,
            () = tokio::time::sleep(self.limit) => {
                self.session.cancel_token().cancel().await?;
                work.await
            }
        };
        let Err(error) = done else { return Ok(None) };
        let Some(db) = error.as_db_error() else {
            return Err(Fault::from_driver(error));
        };
        let position = match db.position() {
            Some(ErrorPosition::Original(at)) => usize::try_from(*at)
                .ok()
                .and_then(|at| sql.char_indices().nth(at.saturating_sub(1)))
                .map(|(at, _)| at),
            _ => None,
        };
        Ok(Some(Failure {
            sqlstate: db.code().code().to_owned(),
            message: db.message().to_owned(),
            detail: db.detail().map(str::to_owned),
            position,
        }))
    }
}

const BEHIND: &str = "a statement before it failed";

fn not_run(span: &Span, why: &'static str) -> Step {
    Step {
        span: span.clone(),
        kinds: Vec::new(),
        facts: Vec::new(),
        elapsed_ms: 0,
        is_alone: false,
        state: State::NotRun { why },
        comparison: None,
    }
}

/// It steers the session, and touches no table.
fn is_control(now: &Now<'_>) -> bool {
    let first = crate::script::words(now.text).into_iter().next();
    first.is_some_and(|word| word == "set")
        || matches!(
            now.statement.kind,
            Kind::Begin
                | Kind::Commit { .. }
                | Kind::Rollback { .. }
                | Kind::RollbackTo(_)
                | Kind::Savepoint(_)
                | Kind::Release(_)
                | Kind::Set(_)
                | Kind::SearchPath(_)
                | Kind::ResetAll
        )
}

/// Outside of a transaction it does something else than in one of its own.
fn needs_own_transaction(statement: &Statement) -> bool {
    matches!(statement.kind, Kind::Lock { .. })
}

/// Statements about an index whose table is not known from the files: the clone knows it.
async fn name_tables(
    effects: &mut [crate::facts::key::Effect],
    statement: &Statement,
    current: &Catalogue,
    session: &Session,
) -> Result<()> {
    let indexes: Vec<&Name> = match &statement.kind {
        Kind::Drop {
            object: Object::Index,
            names,
            ..
        } => names.iter().collect(),
        Kind::Alter {
            object: Object::Index,
            name,
            ..
        }
        | Kind::Reindex {
            target: ReindexTarget::Index,
            name,
            ..
        } => vec![name; effects.len()],
        _ => return Ok(()),
    };
    let names: Vec<String> = indexes.iter().map(|name| name.sql()).collect();
    let oids = observe::resolve(session, &names).await?;
    for (effect, oid) in effects.iter_mut().zip(oids) {
        if let Some(relation) = current
            .relations
            .get(&current.whole(oid))
            .filter(|_| effect.table.name.is_empty())
        {
            effect.table.schema = Some(relation.schema.clone());
            effect.table.name.clone_from(&relation.name);
        }
    }
    Ok(())
}
