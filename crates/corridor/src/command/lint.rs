//! `corridor lint`: is this schema change safe, here, now?

mod rehearse;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use corridor_lint::baseline::Baseline;
use corridor_lint::clickhouse::Topology;
use corridor_lint::evidence::{self, Live};
use corridor_lint::fault::{BAD_CONFIG, NO_REVISION, PLAN_IN_THE_WAY, UNREADABLE};
use corridor_lint::finding::{Finding, Severity, once};
use corridor_lint::ir::Script;
use corridor_lint::judge::{Settings, Source, judge_clickhouse, judge_read};
use corridor_lint::usage::Moment;
use corridor_lint::world::World;
use corridor_lint::{config, mend, parse, plan, policy, threads};
use corridor_pg::{Fault, Result};

use super::{Context, DONE};
use crate::args::{Dialect, Format, Level, Lint};
use crate::fault::USAGE;
use crate::output::lint::{self as shown, Judged};
use crate::output::text::hang;

pub(crate) use rehearse::Rehearsal;

/// Findings at or above the level.
const FOUND: u8 = 1;
/// A file with more is no migration.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Judges the files.
pub(crate) async fn run(context: &Context, args: &Lint) -> Result<u8> {
    refuse_mixed(context, args)?;
    if let Some(path) = &args.usage_snapshot {
        return snapshot(context, path).await;
    }
    let mut settings = settings(args)?;
    let (mut files, mut configs, mut scripts) = (Vec::new(), Vec::new(), Vec::new());
    for read in read_files(args)? {
        files.push(read.file);
        configs.push(read.config);
        scripts.push(read.script);
    }
    let statements = scripts.iter().map(|script| script.statements.len()).sum();
    let sources: Vec<Source<'_>> = files
        .iter()
        .zip(&configs)
        .map(|(file, config)| Source {
            path: &file.path,
            text: &file.text,
            config: config.as_deref(),
        })
        .collect();
    let (world, live) = match context.database {
        Some(_) => {
            let (world, live) = look(context, args, &scripts).await?;
            settings.major = args.pg_version.unwrap_or(live.major);
            (world, Some(live))
        }
        None => (World::default(), None),
    };
    let mut findings = match args.dialect {
        Dialect::Postgres => judge_read(&sources, scripts, &settings, &world, live.as_ref()),
        Dialect::Clickhouse => judge_clickhouse(&sources, &settings, &topology(args)?),
    };
    let text_of = |path: &str| {
        files
            .iter()
            .find(|file| file.path == path)
            .map_or("", |file| file.text.as_str())
    };
    if let Some(revision) = &args.since {
        findings = since(revision, &files, findings)?;
    }
    if let Some(path) = &args.baseline {
        if args.write_baseline {
            let text = Baseline::of(&findings, text_of).render();
            std::fs::write(path, text).map_err(|error| unreadable(path, &error.to_string()))?;
            context.output.note(&format!(
                "{}: {} findings written",
                path.display(),
                findings.len()
            ));
            return Ok(DONE);
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error.to_string()))?;
        findings = Baseline::read(&text)?.sift(findings, text_of);
    }
    findings = once(findings);
    if args.fix {
        return fix(context, args, &files, &findings);
    }
    if let Some(directory) = &args.plan {
        return write_plans(context, directory, &sources, &settings, &world);
    }
    let mut rehearsal = None;
    if args.rehearse {
        // Without a database it begins on an empty one, of which everything is known.
        let empty = World {
            is_catalogue: true,
            ..World::default()
        };
        let request = rehearse::Request {
            sources: &sources,
            settings: &settings,
            world: if live.is_some() { &world } else { &empty },
            is_utc: live.as_ref().is_none_or(|live| live.is_utc),
        };
        let Some((seen, found)) = Box::pin(rehearse::run(context, args, &request)).await? else {
            return Ok(context.interrupt.code());
        };
        findings.extend(found);
        rehearsal = Some(seen);
    }
    show(context, args, &files, &findings, statements, rehearsal.as_ref())?;
    Ok(exit_code(args, &findings))
}

/// What belongs to one dialect only.
fn refuse_mixed(context: &Context, args: &Lint) -> Result<()> {
    if context.database.is_none() && (args.usage_snapshot.is_some() || args.usage_since.is_some()) {
        let why = "--usage-snapshot and --usage-since ask a server: say which with --database";
        return Err(Fault::new(&USAGE, why));
    }
    let refused = match args.dialect {
        Dialect::Postgres => args
            .cluster
            .is_some()
            .then_some("--cluster is for --dialect clickhouse"),
        Dialect::Clickhouse if context.database.is_some() => Some("--database is for PostgreSQL"),
        Dialect::Clickhouse if args.plan.is_some() => Some("--plan is for PostgreSQL"),
        Dialect::Clickhouse if args.rehearse => Some("--rehearse is for PostgreSQL"),
        Dialect::Clickhouse => None,
    };
    match refused {
        Some(why) => Err(Fault::new(&USAGE, why)),
        None => Ok(()),
    }
}

/// What is known of the cluster; nothing, when nobody says.
fn topology(args: &Lint) -> Result<Topology> {
    let Some(path) = &args.cluster else {
        return Ok(Topology::default());
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error.to_string()))?;
    Topology::from_toml(&text)
}

fn exit_code(args: &Lint, findings: &[Finding]) -> u8 {
    let least = match args.fail_on {
        Level::Error => Severity::Error,
        Level::Warning => Severity::Warning,
        Level::Notice => Severity::Notice,
    };
    if findings.iter().any(|finding| finding.severity >= least) {
        FOUND
    } else {
        DONE
    }
}

fn show(
    context: &Context,
    args: &Lint,
    files: &[Judged],
    findings: &[Finding],
    statements: usize,
    rehearsal: Option<&Rehearsal>,
) -> Result<()> {
    let format = if context.output.is_json() {
        Format::Json
    } else {
        args.format
    };
    match format {
        Format::Tty => {
            let report = rehearsal.map(|it| format!("\n\n{}", shown::rehearsal::tty(files, it)));
            let judged = shown::tty(files, findings, statements);
            context
                .output
                .data(&format!("{judged}{}", report.unwrap_or_default()))
        }
        Format::Json => context
            .output
            .document(&shown::document(files, findings, statements, rehearsal)),
        Format::Sarif => context.output.data(&shown::sarif(files, findings)),
        Format::Gitlab => context.output.data(&shown::gitlab(files, findings)),
        Format::Github if findings.is_empty() => Ok(()),
        Format::Github => context.output.data(&shown::github(files, findings)),
    }
}

fn unreadable(path: &Path, why: &str) -> Fault {
    Fault::new(&UNREADABLE, format!("{}: {why}", path.display()))
}

fn settings(args: &Lint) -> Result<Settings> {
    let path = args
        .config
        .clone()
        .or_else(|| Some(PathBuf::from(config::FILE)).filter(|path| path.exists()));
    let text_of = |path: &Path| {
        std::fs::read_to_string(path)
            .map_err(|error| Fault::new(&BAD_CONFIG, format!("{}: {error}", path.display())))
    };
    let mut settings = match &path {
        Some(path) => config::read(&path.display().to_string(), &text_of(path)?)?,
        None => Settings::default(),
    };
    // A path in the settings is one from where they are.
    let beside = path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
    let named = settings.policy.as_ref().map(|file| beside.join(file));
    if let Some(path) = args.policy.clone().or(named) {
        let hot = policy::read(&path.display().to_string(), &text_of(&path)?)?;
        // What says more comes first.
        settings.hot_tables.splice(0..0, hot);
    }
    settings.hygiene |= args.hygiene;
    if let Some(major) = args.pg_version {
        settings.major = major;
    }
    Ok(settings)
}

/// A file, and what its runner looks at beside it.
struct Read {
    file: Judged,
    config: Option<String>,
    script: Script,
}

/// Reads and parses the files, on as many threads as there are processors. Of ClickHouse's statements only where they stand is
/// looked at, because its own reader reads them.
fn read_files(args: &Lint) -> Result<Vec<Read>> {
    let parse = match args.dialect {
        Dialect::Postgres => parse::read_here,
        Dialect::Clickhouse => parse::outline,
    };
    let read = threads::share(args.files.len(), threads::processors(), |part| {
        let read = |name: &String| {
            let text = read_file(name)?;
            Ok(Read {
                script: parse(&text),
                config: beside(name),
                file: Judged::new(name.clone(), text),
            })
        };
        args.files[part].iter().map(read).collect()
    });
    read.into_iter().collect()
}

/// What a runner keeps beside the file.
fn beside(name: &str) -> Option<String> {
    let beside = [
        PathBuf::from(format!("{name}.conf")),
        Path::new(name).with_file_name("metadata.toml"),
    ];
    beside.iter().find_map(|path| std::fs::read_to_string(path).ok())
}

fn read_file(name: &str) -> Result<String> {
    let path = Path::new(name);
    let failed = |error: std::io::Error| unreadable(path, &error.to_string());
    let mut bytes = Vec::new();
    if name == "-" {
        let mut input = std::io::stdin().lock().take(FILE_BYTES_MAX + 1);
        input.read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        let size = file.metadata().map_or(0, |of| of.len()).min(FILE_BYTES_MAX);
        // One more than it has: then one read gets all of it.
        bytes.reserve(usize::try_from(size).unwrap_or(0) + 1);
        file.take(FILE_BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(path, "more than 64 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| unreadable(path, &format!("no UTF-8: {error}")))
}

/// The database as it is now, as far as the files name it.
async fn look(context: &Context, args: &Lint, scripts: &[Script]) -> Result<(World, Live)> {
    let then = match &args.usage_since {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error.to_string()))?;
            Some(Moment::parse(&path.display().to_string(), &text)?)
        }
        None => None,
    };
    let names = evidence::read::names(scripts);
    let session = context.session("lint").await?;
    evidence::read::read_since(&session, &names, then).await
}

/// Writes what is counted now, for a later `--usage-since`. Only its owner may read it: queries tell of the application.
async fn snapshot(context: &Context, path: &Path) -> Result<u8> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let session = context.session("lint").await?;
    let moment = evidence::read::moment(&session).await?;
    let failed = |error: std::io::Error| unreadable(path, &error.to_string());
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(moment.render().as_bytes()).map_err(failed)?;
    let text = format!(
        "{}: the counters of {} statements at {}",
        path.display(),
        moment.entries.len(),
        moment.taken_at
    );
    context.output.note(&hang("", &text));
    Ok(DONE)
}

fn fix(context: &Context, args: &Lint, files: &[Judged], findings: &[Finding]) -> Result<u8> {
    let mut left = 0;
    for file in files {
        let own: Vec<&Finding> = findings
            .iter()
            .filter(|finding| finding.file == file.path)
            .collect();
        let (text, count) = mend::mend(&file.text, &own);
        left += own.len() - count.min(own.len());
        if file.path == "-" {
            context.output.data(&text)?;
        } else if count > 0 {
            std::fs::write(&file.path, text)
                .map_err(|error| unreadable(Path::new(&file.path), &error.to_string()))?;
            context.output.note(&format!("{}: {count} mended", file.path));
        }
    }
    context
        .output
        .note(&format!("{left} findings have no mend of this kind"));
    let unmended: Vec<Finding> = findings
        .iter()
        .filter(|finding| finding.fix.is_none())
        .cloned()
        .collect();
    Ok(exit_code(args, &unmended))
}

fn write_plans(
    context: &Context,
    directory: &Path,
    sources: &[Source<'_>],
    settings: &Settings,
    world: &World,
) -> Result<u8> {
    let mut plans = Vec::new();
    for source in sources {
        let name = plan_name(source.path);
        let Some(plan) = plan::plan(source, &name, settings, world) else {
            continue;
        };
        let path = directory.join(format!("{name}.toml"));
        if path.exists() {
            return Err(Fault::new(&PLAN_IN_THE_WAY, path.display().to_string()));
        }
        let text = plan.render();
        // What is written here is read there: one that would be refused must not leave this room.
        corridor_migration::definition::file::read(&path.display().to_string(), &text)?;
        plans.push((source, path, plan, text));
    }
    let failed = |path: &Path, error: std::io::Error| unreadable(path, &error.to_string());
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, error))?;
    let mut is_whole = true;
    for (source, path, plan, text) in &plans {
        std::fs::write(path, text).map_err(|error| failed(path, error))?;
        let count = plan.definition.operations.len();
        let some = if count == 1 { "operation" } else { "operations" };
        context.output.data(&hang(
            "",
            &format!(
                "{}: {count} {some}; `corridor migration plan` shows them",
                path.display()
            ),
        ))?;
        for (span, why) in &plan.left {
            is_whole = false;
            let line = source.text[..span.start].matches('\n').count() + 1;
            let text = format!("{}:{line} is not in it: {why}", source.path);
            context.output.data(&hang("  ", &text))?;
        }
    }
    Ok(if is_whole { DONE } else { FOUND })
}

/// The name of a migration from a path: `V7__Add orders.sql` is `v7__add-orders`.
fn plan_name(path: &str) -> String {
    let path = Path::new(path);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("plan");
    // Prisma and Diesel name the directory.
    let stem = match (
        stem,
        path.parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str()),
    ) {
        ("migration" | "up", Some(directory)) => directory,
        ("-" | "", _) => "plan",
        (stem, _) => stem,
    };
    let mut name: String = stem
        .to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    if !name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        name.insert(0, 'p');
    }
    name.truncate(41);
    name
}

/// Findings on lines that git says were added since the revision.
fn since(revision: &str, files: &[Judged], findings: Vec<Finding>) -> Result<Vec<Finding>> {
    let mut kept = Vec::new();
    let refused = |why: String| Fault::new(&NO_REVISION, why);
    if revision.starts_with('-') {
        return Err(refused(format!("{revision:?} is no revision")));
    }
    for file in files
        .iter()
        .filter(|file| findings.iter().any(|finding| finding.file == file.path))
    {
        let path = Path::new(&file.path);
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let git = |arguments: &[&str]| {
            let output = std::process::Command::new("git")
                .arg("-C")
                .arg(directory)
                .args(arguments)
                .output();
            output.map_err(|error| refused(format!("git: {error}")))
        };
        let diff = git(&["diff", "--no-color", "--no-ext-diff", "-U0", revision, "--", name])?;
        if !diff.status.success() {
            return Err(refused(String::from_utf8_lossy(&diff.stderr).trim().to_owned()));
        }
        let is_tracked = git(&["ls-files", "--error-unmatch", "--", name])?
            .status
            .success();
        let added = added_lines(&String::from_utf8_lossy(&diff.stdout));
        kept.extend(
            findings
                .iter()
                .filter(|finding| finding.file == file.path)
                .filter(|finding| {
                    let (first, last) = (file.place(finding.span.start).0, file.place(finding.span.end).0);
                    !is_tracked || added.iter().any(|lines| lines.start <= last && first < lines.end)
                })
                .cloned(),
        );
    }
    Ok(kept)
}

/// From `@@ -1,2 +3,4 @@`: the lines that are there now.
fn added_lines(diff: &str) -> Vec<std::ops::Range<usize>> {
    let of = |line: &str| {
        let plus = line
            .strip_prefix("@@ ")?
            .split(' ')
            .find_map(|part| part.strip_prefix('+'))?;
        let (start, count) = plus.split_once(',').unwrap_or((plus, "1"));
        let (start, count): (usize, usize) = (start.parse().ok()?, count.parse().ok()?);
        Some(start..start + count)
    };
    diff.lines().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::{added_lines, plan_name};

    #[test]
    fn lines_that_were_added_are_read_from_a_diff() {
        assert_eq!(
            added_lines("@@ -1 +1,2 @@ x\n+a\n@@ -5,2 +7,0 @@\n@@ -9,0 +9 @@"),
            [1..3, 7..7, 9..10]
        );
    }

    #[test]
    fn a_plan_is_named_after_its_file() {
        for (path, name) in [
            ("db/V7__Add orders.sql", "v7__add-orders"),
            ("m/2024_x/migration.sql", "2024_x"),
            ("-", "plan"),
            ("Ä.sql", "p-"),
        ] {
            assert_eq!(plan_name(path), name);
        }
    }
}
