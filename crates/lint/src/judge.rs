//! Statement by statement: what is known before it, what it does, what the rules say.
//!
//! Pure: text, world and settings in, findings out. What a live database adds is in [`Live`], read by
//! [`evidence`](crate::evidence).

mod allow;
mod clickhouse;

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::evidence::Live;
use crate::facts::key::{Effect, effects};
use crate::facts::{self, Fact, Mode};
use crate::finding::{Class, Evidence, Finding, Fix, Rule, Severity, once};
use crate::ir::{ActionKind, Constraint, Kind, Name, Script, Span, Statement};
use crate::policy::Hot;
use crate::rules::{self, not_evaluated};
use crate::session::{Held, Session, Timeouts};
use crate::source::{Reading, Runner};
use crate::threads;
use crate::world::World;

pub use clickhouse::judge_clickhouse;

/// How to judge.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's major.
    pub major: u32,
    /// Say what only costs something later, too.
    pub hygiene: bool,
    /// Rules that are off, by code or name.
    pub off: BTreeSet<String>,
    /// Severities that are not the rule's own, by code or name.
    pub severities: Vec<(String, Severity)>,
    /// Tables whose every change needs a word in writing.
    pub hot_tables: Vec<Hot>,
    /// The file with more of them, as the settings name it.
    pub policy: Option<String>,
    /// Timeouts that the runner sets before each file.
    pub timeouts: Timeouts,
    /// The runner, where it is not to be guessed.
    pub runner: Option<Runner>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            major: facts::MAJOR_MAX,
            hygiene: false,
            off: BTreeSet::new(),
            severities: Vec::new(),
            hot_tables: Vec::new(),
            policy: None,
            timeouts: Timeouts::default(),
            runner: None,
        }
    }
}

/// A file to be judged.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    /// As it was named.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
    /// The runner's file beside it.
    pub config: Option<&'a str>,
}

/// What a rule is shown: one statement, and everything that is known before it.
pub struct Look<'a> {
    /// The file's text.
    pub text: &'a str,
    /// All of the file.
    pub script: &'a Script,
    /// The statement.
    pub statement: &'a Statement,
    /// Which statement of the file it is.
    pub at: usize,
    /// What it does.
    pub effects: &'a [(Effect, Option<&'static Fact>)],
    /// What is known of the database.
    pub world: &'a World,
    /// The session.
    pub session: &'a Session,
    /// The settings.
    pub settings: &'a Settings,
    /// The database as it is now.
    pub live: Option<&'a Live>,
    locks: &'a [(Name, Mode)],
    said: &'a RefCell<BTreeSet<String>>,
}

/// What a rule says of a statement.
#[derive(Debug, Default)]
pub struct Hit {
    /// The part of the text.
    pub span: Span,
    /// The table that it is about.
    pub table: Name,
    /// The kind of the effect, whose facts are shown.
    pub key: Option<&'static str>,
    /// What happens.
    pub what: String,
    /// Why, where the rule's own sentence does not fit.
    pub why: Option<String>,
    /// The safe way.
    pub safe_way: String,
    /// How bad, where it is not what the rule says.
    pub severity: Option<Severity>,
    /// It does no harm to a table that is small and quiet.
    pub is_by_size: bool,
    /// What would have to be known.
    pub unknown: Vec<String>,
    /// The mend.
    pub fix: Option<Fix>,
    /// What the reason of an allowance must have in it to count.
    pub acknowledgement: Option<String>,
}

impl<'a> Look<'a> {
    /// Effects on relations that others use: not made by this file, and not temporary.
    pub fn busy(&self) -> impl Iterator<Item = (&'a Effect, &'static Fact)> + '_ {
        self.effects
            .iter()
            .filter(|(effect, _)| !self.world.is_new(&effect.table))
            .filter_map(|(effect, fact)| Some((effect, (*fact)?)))
    }

    /// The action that an effect is of.
    pub fn action(&self, effect: &Effect) -> Option<&'a ActionKind> {
        match &self.statement.kind {
            Kind::Alter { actions, .. } => effect
                .action
                .and_then(|at| actions.get(at))
                .map(|action| &action.kind),
            _ => None,
        }
    }

    /// The table as SQL names it, or words where it is not known.
    pub fn called(&self, table: &Name) -> String {
        if table.name.is_empty() {
            "its table".to_owned()
        } else {
            table.sql()
        }
    }

    /// True the first time that it is asked for `what` in a file.
    pub fn is_first(&self, what: &str) -> bool {
        self.said.borrow_mut().insert(what.to_owned())
    }

    /// A hit on an effect.
    pub fn hit(&self, effect: &Effect, what: String, safe_way: impl Into<String>) -> Hit {
        Hit {
            span: effect.span.clone(),
            table: effect.table.clone(),
            key: Some(effect.key),
            what,
            safe_way: safe_way.into(),
            unknown: effect.unknown.clone(),
            ..Hit::default()
        }
    }

    /// A hit on the statement as a whole.
    pub fn hit_whole(&self, what: String, safe_way: impl Into<String>) -> Hit {
        Hit {
            span: self.statement.span.clone(),
            what,
            safe_way: safe_way.into(),
            ..Hit::default()
        }
    }

    /// Every lock of the statement on relations that others use.
    pub fn locks(&self) -> &[(Name, Mode)] {
        self.locks
    }
}

fn locks(effects: &[(Effect, Option<&'static Fact>)], world: &World) -> Vec<(Name, Mode)> {
    let mut locks = Vec::new();
    for (effect, fact) in effects {
        let Some(fact) = fact else { continue };
        for (role, mode) in fact.locks.iter().filter(|(role, _)| !role.starts_with("new")) {
            let names = effect.relations(role).iter().filter(|name| !world.is_new(name));
            locks.extend(names.map(|name| (name.clone(), *mode)));
        }
    }
    locks
}

/// An edit that puts `text` at a place.
pub fn insertion(title: &str, at: usize, text: &str) -> Option<Fix> {
    Some(Fix {
        title: title.to_owned(),
        edits: vec![(at..at, text.to_owned())],
    })
}

/// A constraint added `not valid`, and validated by a statement of its own where no transaction would hold the lock on.
pub fn not_valid(look: &Look<'_>, table: &Name, constraint: &Constraint, title: &str) -> Option<Fix> {
    let is_plain = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut fix = insertion(title, constraint.span.end, " not valid")?;
    let end = look.statement.span.end;
    let is_ended = look.text[end..].starts_with(';');
    if let Some(name) = constraint.name.as_deref().filter(|name| is_plain(name))
        && table.schema.as_deref().is_none_or(is_plain)
        && is_plain(&table.name)
        && is_ended
        && look.session.transaction.is_none()
    {
        let validate = format!("\nalter table {table} validate constraint {name};");
        fix.edits.push((end + 1..end + 1, validate));
    }
    Some(fix)
}

/// Judges files in the order in which they will be run: what one makes, the next one knows.
pub fn judge(
    sources: &[Source<'_>],
    settings: &Settings,
    world: &World,
    live: Option<&Live>,
) -> Vec<Finding> {
    let scripts = crate::parse::read_all(&sources.iter().map(|source| source.text).collect::<Vec<_>>());
    once(judge_read(sources, scripts, settings, world, live))
}

/// The same of files that were read before, with all that [`once`] leaves out.
pub fn judge_read(
    sources: &[Source<'_>],
    scripts: Vec<Script>,
    settings: &Settings,
    world: &World,
    live: Option<&Live>,
) -> Vec<Finding> {
    judge_on(threads::processors(), sources, scripts, settings, world, live)
}

/// Each thread first goes through the files before its own, for what they leave behind: that takes a fraction of judging them.
fn judge_on(
    threads: usize,
    sources: &[Source<'_>],
    scripts: Vec<Script>,
    settings: &Settings,
    world: &World,
    live: Option<&Live>,
) -> Vec<Finding> {
    let files: Vec<Option<Forward>> = sources
        .iter()
        .zip(scripts)
        .map(|(source, script)| Forward::of(source, script, settings))
        .collect();
    let checks = checks(settings);
    threads::share(files.len(), threads, |part| {
        let mut world = world.clone();
        for file in &files[..part.start] {
            world.settle();
            file.iter().for_each(|file| file.carry_out(&mut world));
        }
        let mut findings = Vec::new();
        for (source, file) in sources[part.clone()].iter().zip(&files[part]) {
            // A file is shipped by itself: what an earlier one made may be in use when this one runs.
            world.settle();
            if let Some(file) = file {
                findings.extend(judge_one(source, file, &checks, settings, &mut world, live));
            }
        }
        findings
    })
}

/// A file's statements as they are run forwards.
struct Forward {
    script: Script,
    in_transaction: bool,
    has_rollback: bool,
}

impl Forward {
    /// `None` where the runner passes the file over.
    fn of(source: &Source<'_>, mut script: Script, settings: &Settings) -> Option<Forward> {
        let runner = settings
            .runner
            .unwrap_or_else(|| Runner::guess(source.path, source.text));
        let Reading {
            forward,
            in_transaction,
            is_passed_over,
            ..
        } = runner.read(source.path, source.text, source.config);
        if is_passed_over {
            return None;
        }
        script
            .statements
            .retain(|statement| forward.iter().any(|part| part.contains(&statement.span.start)));
        let has_rollback = script
            .statements
            .iter()
            .any(|statement| matches!(statement.kind, Kind::Rollback { .. }));
        Some(Forward {
            script,
            in_transaction,
            has_rollback,
        })
    }

    /// What the file leaves behind.
    fn carry_out(&self, world: &mut World) {
        let mut at_begin = None;
        for statement in &self.script.statements {
            self.step(statement, world, &mut at_begin);
        }
    }

    /// What one statement leaves behind; `at_begin` is what was known when the transaction began.
    fn step(&self, statement: &Statement, world: &mut World, at_begin: &mut Option<World>) {
        if self.has_rollback {
            match &statement.kind {
                Kind::Begin => *at_begin = Some(world.clone()),
                Kind::Rollback { .. } => {
                    if let Some(before) = at_begin.take() {
                        *world = before;
                    }
                }
                _ => {}
            }
        }
        world.apply(statement);
    }
}

type Checks = Vec<&'static (&'static Rule, rules::Check)>;

/// What is asked of each statement.
fn checks(settings: &Settings) -> Checks {
    let is_on = |rule: &Rule| (rule.class != Class::Hygiene || settings.hygiene) && !is_off(rule, settings);
    rules::ALL.iter().filter(|(rule, _)| is_on(rule)).collect()
}

/// What of a file its runner runs, and the session that it begins in. `None`: it is passed over.
pub(crate) fn opened(source: &Source<'_>, script: Script, settings: &Settings) -> Option<(Script, Session)> {
    let file = Forward::of(source, script, settings)?;
    let session = Session::new(settings.timeouts, file.in_transaction);
    Some((file.script, session))
}

fn judge_one(
    source: &Source<'_>,
    file: &Forward,
    checks: &Checks,
    settings: &Settings,
    world: &mut World,
    live: Option<&Live>,
) -> Vec<Finding> {
    let Forward {
        script,
        in_transaction,
        ..
    } = file;
    let mut session = Session::new(settings.timeouts, *in_transaction);
    let said = RefCell::new(BTreeSet::new());
    let mut at_begin: Option<World> = None;
    let mut hits: Vec<(&'static Rule, Hit)> = Vec::new();
    for (at, statement) in script.statements.iter().enumerate() {
        let is_utc = session
            .timezone
            .as_ref()
            .map(|zone| zone.eq_ignore_ascii_case("utc"))
            .or(live.map(|live| live.is_utc));
        let found: Vec<(Effect, Option<&'static Fact>)> = effects(statement, world, is_utc)
            .into_iter()
            .map(|effect| {
                let fact = facts::of(effect.key, settings.major);
                (effect, fact)
            })
            .collect();
        let locked = locks(&found, world);
        let look = Look {
            text: source.text,
            script,
            statement,
            at,
            effects: &found,
            world,
            session: &session,
            settings,
            live,
            locks: &locked,
            said: &said,
        };
        for (rule, check) in checks {
            let mut of_rule = Vec::new();
            check(&look, &mut of_rule);
            hits.extend(of_rule.into_iter().map(|hit| (*rule, hit)));
        }
        if let Kind::NotEvaluated { why } = &statement.kind
            && !is_off(&not_evaluated::RULE, settings)
        {
            hits.push((&not_evaluated::RULE, look.hit_whole(format!("not evaluated: {why}"), "Look at it yourself, and write down that you did: `-- corridor: allow LNT-090 because …`.")));
        }
        follow(statement, &found, &mut session, world);
        file.step(statement, world, &mut at_begin);
    }
    let findings = hits
        .into_iter()
        .map(|(rule, mut hit)| {
            let acknowledgement = hit.acknowledgement.take();
            (finding(rule, hit, source, settings, live), acknowledgement)
        })
        .collect();
    allow::sift(findings, source, script, settings)
}

pub(crate) fn is_off(rule: &Rule, settings: &Settings) -> bool {
    settings.off.contains(rule.code.id) || settings.off.contains(rule.name)
}

/// What the statement leaves behind in the session.
fn follow(
    statement: &Statement,
    found: &[(Effect, Option<&'static Fact>)],
    session: &mut Session,
    world: &World,
) {
    session.apply(&statement.kind);
    let Some(transaction) = &mut session.transaction else {
        return;
    };
    let is_control = matches!(
        statement.kind,
        Kind::Begin
            | Kind::Set(_)
            | Kind::SearchPath(_)
            | Kind::Savepoint(_)
            | Kind::Release(_)
            | Kind::RollbackTo(_)
    );
    if !is_control {
        transaction.statements += 1;
    }
    for (effect, fact) in found {
        let Some(fact) = fact else { continue };
        for (role, mode) in &fact.locks {
            let names = effect
                .relations(role)
                .iter()
                .filter(|name| !name.name.is_empty() && !world.is_new(name));
            transaction.locks.extend(names.map(|name| Held {
                table: name.clone(),
                mode: *mode,
                span: statement.span.clone(),
            }));
        }
    }
    match &statement.kind {
        Kind::Alter { name, actions, .. } => {
            for action in actions {
                if let ActionKind::AddConstraint(constraint) = &action.kind
                    && constraint.is_not_valid
                {
                    transaction
                        .not_valid
                        .push((name.clone(), constraint.name.clone().unwrap_or_default()));
                }
            }
        }
        Kind::AlterTypeAddValue { value, .. } => transaction.enum_values.push(value.clone()),
        Kind::Update { table, .. }
        | Kind::Delete { table, .. }
        | Kind::Insert {
            table,
            from_query: true,
            ..
        }
        | Kind::Merge { table }
            if !world.is_new(table) =>
        {
            transaction.written.push((table.clone(), statement.span.clone()));
        }
        _ => {}
    }
}

fn finding(
    rule: &'static Rule,
    hit: Hit,
    source: &Source<'_>,
    settings: &Settings,
    live: Option<&Live>,
) -> Finding {
    let mut evidence = Vec::new();
    let mut severity = settings
        .severities
        .iter()
        .find(|(of, _)| of == rule.code.id || of == rule.name)
        .map_or(hit.severity.unwrap_or(rule.severity), |(_, severity)| *severity);
    let mut unknown = hit.unknown;
    if let Some(fact) = hit.key.and_then(|key| facts::of(key, settings.major)) {
        let source = format!(
            "measured on PostgreSQL {}",
            settings.major.clamp(facts::MAJOR_MIN, facts::MAJOR_MAX)
        );
        let say = |name: &str, text: String| Evidence {
            name: name.to_owned(),
            text,
            source: source.clone(),
        };
        // What failed held nothing any more when its locks were looked at.
        evidence.push(match fact.failure {
            Some(state) => say(
                "outcome",
                format!("it fails with SQLSTATE {state} on tables with rows"),
            ),
            None => say("locks", fact.locks_in_words()),
        });
        if fact.rewrites("table") {
            evidence.push(say(
                "rows",
                "all rows of the table are written anew, and its indexes are built anew".to_owned(),
            ));
        } else if let Some(scans) = fact.scans.as_ref().filter(|scans| !scans.is_empty()) {
            evidence.push(say("scans", format!("all rows are read: {}", scans.join(", "))));
        }
    }
    if let Some(live) = live {
        let (more, is_small) = live.of(&hit.table, hit.key.and_then(|key| facts::of(key, settings.major)));
        evidence.extend(more);
        if is_small && hit.is_by_size && severity > Severity::Notice {
            severity = Severity::Notice;
        }
    } else if hit.is_by_size && !hit.table.name.is_empty() {
        unknown.push(format!(
            "how large and how busy {} is: `--database` looks",
            hit.table
        ));
    }
    Finding {
        rule,
        severity,
        file: source.path.to_owned(),
        span: hit.span,
        what: hit.what,
        why: hit.why.unwrap_or_else(|| rule.why()),
        safe_way: hit.safe_way,
        evidence,
        unknown,
        fix: hit.fix,
    }
}

#[cfg(test)]
mod tests;
