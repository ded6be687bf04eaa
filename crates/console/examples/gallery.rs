//! The console's pages with something on them: a throwaway cluster with moves and migrations in many states, one copy and one
//! backfill under way, a cluster that is away, and limits.
//!
//! ```sh
//! cargo run -p corridor-console --example gallery
//! ```
//!
//! It prints the address, on loopback, and goes on until Ctrl-C. `GALLERY_ROLE` is `viewer`, `operator` or `admin` (the
//! default), `GALLERY_PORT` the port (4711), `GALLERY_MAJOR` the PostgreSQL major (15). With `GALLERY_BULK=1` there are 1,000
//! more migrations with a million entries of the journal among them.

#![allow(clippy::print_stdout, reason = "it is what an example is for")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use corridor_console::access::{Role, account};
use corridor_console::host::{Cluster, Deed, Host, Seen, Setting};
use corridor_console::{Console, Options, server};
use corridor_limits::finding::{Finding, Severity};
use corridor_limits::forecast::Runway;
use corridor_migration::data::{self, Call, Listener, News, shelf};
use corridor_migration::definition::{Definition, file};
use corridor_migration::{Name, Order, schema, store};
use corridor_move::run::{Deaf, Wish, carry_out, plan};
use corridor_move::shape::{Shape, ShapeWords};
use corridor_pg::{ApplicationName, ConnectOptions};
use semver::Version;
use tokio::sync::watch;

/// Of the one account.
const PASSWORD: &str = "correct horse battery";

type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

struct Gallery {
    main: ConnectOptions,
    eu: ConnectOptions,
    away: ConnectOptions,
    seen: Mutex<Arc<Seen>>,
}

impl Host for Gallery {
    fn clusters(&self) -> Vec<Cluster> {
        let at_s = now_s();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        vec![
            Cluster {
                name: "main".into(),
                connect: self.main.clone(),
                seen: Some(seen),
            },
            Cluster {
                name: "reports".into(),
                connect: self.away.clone(),
                seen: Some(Arc::new(Seen {
                    at_s,
                    fault: Some(
                        "PG-001: the server cannot be reached: 127.0.0.1:1: connection refused".into(),
                    ),
                    ..Seen::default()
                })),
            },
            Cluster {
                name: "eu".into(),
                connect: self.eu.clone(),
                seen: Some(Arc::new(Seen {
                    at_s,
                    findings: Some(Vec::new()),
                    ..Seen::default()
                })),
            },
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        let setting = |key: &str, value: &str, doc: &str, origin: &str, is_fixed| Setting {
            key: key.into(),
            value: value.into(),
            doc: doc.into(),
            origin: origin.into(),
            set_by: (origin == "console").then(|| ("anna".into(), "2026-11-20T10:25:29.123Z".into())),
            is_fixed,
        };
        vec![
            setting(
                "listen",
                "127.0.0.1:4711",
                "Where the service listens.",
                "--listen",
                true,
            ),
            setting(
                "auto_start",
                "on",
                "Start what is needed and can begin, by itself.",
                "console",
                false,
            ),
            setting(
                "auto_rollback",
                "off",
                "Take back by itself what has failed.",
                "default",
                false,
            ),
            setting(
                "windows",
                "mon-fri 22:00-06:00 Europe/Berlin",
                "When something may be started by itself.",
                "/etc/corridor.toml",
                false,
            ),
            setting(
                "alerts.webhook",
                "***",
                "Where failures, stalls and completions are told.",
                "/etc/corridor.toml",
                false,
            ),
        ]
    }

    fn set<'a>(&'a self, _key: &'a str, _value: Option<&'a str>, _by: &'a str) -> Deed<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn check(&self, _: &Definition) -> corridor_pg::Result<()> {
        Ok(())
    }

    fn metrics(&self) -> String {
        "# EOF\n".into()
    }

    fn app_version(&self) -> Option<Version> {
        Some(Version::new(1, 40, 2))
    }
}

fn now_s() -> f64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

fn main() -> Done {
    tokio::runtime::Builder::new_multi_thread()
        // A debug build moves large futures about.
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()?
        .block_on(Box::pin(show()))
}

async fn show() -> Done {
    let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let major = variable("GALLERY_MAJOR", "15").parse()?;
    let cluster = corridor_testbed::Cluster::start(corridor_testbed::ClusterOptions::new(major)).await?;
    let database = cluster.fresh_database("gallery").await?;
    let main = ConnectOptions::from_process(Some(&database.url))?;
    let eu = ConnectOptions::from_process(Some(&cluster.fresh_database("eu").await?.url))?;
    let away = ConnectOptions::from_process(Some("postgres://nobody@127.0.0.1:1/reports"))?;
    // Kept until the end: a worker leaves when its sender goes.
    let (stay, interrupt) = watch::channel(false);
    exhibit(&main, &interrupt).await?;
    if variable("GALLERY_BULK", "") == "1" {
        bulk(&main).await?;
    }

    let gallery = Arc::new(Gallery {
        main: main.clone(),
        eu,
        away,
        seen: Mutex::default(),
    });
    tokio::spawn(look(Arc::clone(&gallery)));
    let role: Role = variable("GALLERY_ROLE", "admin")
        .parse()
        .map_err(|()| "GALLERY_ROLE is viewer, operator or admin")?;
    let mut session = main.connect(&ApplicationName::new("gallery", "-")).await?;
    account::add(&mut session, "anna", role, Some(PASSWORD), "gallery").await?;
    let (leave, leaving) = watch::channel(false);
    let options = Options {
        sign_in_hours: 12,
        proxy_header: None,
        proxy_from: Vec::new(),
        is_secure: false,
    };
    let console = Console::new(gallery, options, leaving);
    let listener =
        tokio::net::TcpListener::bind(("127.0.0.1", variable("GALLERY_PORT", "4711").parse()?)).await?;
    println!("http://{} (anna, {PASSWORD})", listener.local_addr()?);
    let serving = tokio::spawn(server::serve(listener, console, None));
    let _ = tokio::signal::ctrl_c().await;
    leave.send_replace(true);
    stay.send_replace(true);
    serving.await??;
    Ok(())
}

/// What the service does too: sees what is there, and notes how far it is.
async fn look(gallery: Arc<Gallery>) {
    loop {
        if let Err(error) = look_once(&gallery).await {
            println!("looking: {error}");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn look_once(gallery: &Gallery) -> Done {
    let session = gallery
        .main
        .connect(&ApplicationName::new("gallery", "-"))
        .await?;
    let migrations = store::list(&*session).await?;
    session
        .batch_execute(
            "insert into corridor.pace (migration_id, rows, pending) \
             select m.id, coalesce((h.progress #>> '{rows,rows}')::bigint, i.rows, 0), (h.progress ->> 'pending_changes')::bigint \
             from corridor.migration m join corridor.heartbeat h on h.migration_id = m.id \
             cross join lateral (select sum(i.rows)::bigint as rows from corridor.item i where i.migration_id = m.id) i \
             where m.finished_at is null and m.started_at is not null and h.at > now() - interval '10 s'",
        )
        .await?;
    let mut toast = Finding::new(
        &corridor_limits::fault::TOAST_IDS,
        "public.events",
        Severity::Critical,
        "97.1 % of the TOAST ids near the counter are in use",
    );
    toast.runway = Runway::Days {
        low: 3.0,
        mid: 5.2,
        high: Some(9.0),
    };
    let wraparound = Finding::new(
        &corridor_limits::fault::TOAST_IDS,
        "public.persons",
        Severity::Warning,
        "half of the ids are in use",
    );
    let seen = Seen {
        at_s: now_s(),
        fault: None,
        migrations,
        workers: vec!["events".into()],
        findings: Some(vec![toast, wraparound]),
    };
    *gallery.seen.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(seen);
    Ok(())
}

/// Tables, moves and migrations.
async fn exhibit(connect: &ConnectOptions, interrupt: &watch::Receiver<bool>) -> Done {
    let mut session = connect.connect(&ApplicationName::new("gallery", "-")).await?;
    session
        .batch_execute(
            "create table public.events (id bigint primary key, team_id int not null, body text not null); \
             insert into public.events select i, i % 50, repeat('x', 60) from generate_series(1, 400000) i; \
             create table public.persons (id bigint primary key, team_id int not null, name text); \
             insert into public.persons select i, i % 50, 'n' || i from generate_series(1, 30000) i; \
             create table public.orders (like public.persons including all); insert into public.orders select * from public.persons; \
             create table public.invoices (like public.persons including all); insert into public.invoices select * from public.persons; \
             create table public.fills (id bigint primary key, team_id int not null, name text, done bool not null default false); \
             insert into public.fills select i, i % 90, 'n' || i, false from generate_series(1, 180000) i; \
             create index on public.fills (team_id); analyze",
        )
        .await?;
    schema::ensure(&mut session).await?;

    for (table, settings) in [
        ("persons", vec![]),
        ("orders", vec![]),
        ("invoices", vec![("cutover.lock_budget_ms", "250")]),
        (
            "events",
            vec![
                ("chunk.target_ms", "10"),
                ("nice", "1"),
                ("lanes", "8"),
                ("workers", "1"),
                ("chunk.max_bytes", "65536"),
            ],
        ),
    ] {
        let wish = wish(table, settings)?;
        let plan = plan(connect, &wish).await?;
        corridor_move::run::store(connect, &wish, &plan).await?;
    }
    work_move(connect, "persons", Order::Start, interrupt).await?;
    work_move(connect, "orders", Order::Start, interrupt).await?;
    work_move(connect, "orders", Order::Cutover, interrupt).await?;
    let (options, interrupted) = (connect.clone(), interrupt.clone());
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        runtime.block_on(carry_out(
            &options,
            "events",
            Order::Start,
            Arc::new(Deaf),
            interrupted,
        ))
    });

    for (name, text) in DEFINITIONS {
        let definition = file::read(&format!("{name}.toml"), text)?;
        shelf::add(&mut session, &[definition], "anna@laptop 4242").await?;
    }
    for name in [
        "0001_lower_emails",
        "0004_no_bad_names",
        "0005_wait_for_the_release",
    ] {
        work_data(connect, name, Order::Start, interrupt).await?;
    }
    work_data(connect, "0003_trim_names", Order::Start, interrupt).await?;
    work_data(connect, "0003_trim_names", Order::Rollback, interrupt).await?;
    data::with_short_lease(
        connect,
        &Name::new("0006_not_here")?,
        async |session, lease, _| {
            shelf::skip(session, lease, "anna", "this installation has no reports").await
        },
    )
    .await?;
    let (options, interrupted) = (connect.clone(), interrupt.clone());
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        runtime.block_on(work_data(&options, "0002_mark_fills", Order::Start, &interrupted))
    });

    session
        .batch_execute(
            "insert into corridor.default_setting (key, value, set_by) values ('throttle.replica_lag_ms', '2000', 'anna'); \
             insert into corridor.audit (actor, action, object, detail) \
             select case i % 3 when 0 then 'anna' when 1 then 'ben' else 'deploy (token)' end, \
             case i % 3 when 0 then 'start' when 1 then 'sign_in' else 'set_setting' end, \
             'migration main/0002_mark_fills', jsonb_build_object('why', 'the release of ' || i, 'address', '10.0.0.7') \
             from generate_series(1, 240) i; \
             insert into corridor.audit (actor, action, object, detail) \
             values ('<script>alert(1)</script>', 'start', '\"><img src=x onerror=alert(1)>', '{\"why\": \"<b>bold</b>\"}'); \
             update corridor.migration set description = '<script>alert(\"x\")</script> ''quoted''' where name = '0009_evil'",
        )
        .await?;
    Ok(())
}

const DEFINITIONS: &[(&str, &str)] = &[
    (
        "0001_lower_emails",
        "description = 'emails in lower case'\nversions = '>=1.30.0, <1.45.0'\n\
         [[operations]]\nkind = 'sql'\nname = 'add'\nstatement = 'alter table public.persons add column email text'\nrollback = 'alter table public.persons drop column if exists email'\n\
         [[operations]]\nkind = 'backfill'\nname = 'fill'\ntable = 'public.fills'\nset.name = 'lower(name)'\nwhere = 'id <= 20000'\nrollback = ''\n\
         [[operations]]\nkind = 'index'\nname = 'find'\ntable = 'public.fills'\nindex = 'fills_name_idx'\ndefinition = '(name)'\n",
    ),
    (
        "0002_mark_fills",
        "description = 'every row is marked, team by team'\nversions = '>=1.38.0, <1.42.0'\nfinish = 'by_hand'\n\
         [settings]\n'chunk.target_ms' = '30ms'\nnice = '1'\n\
         [[health_checks]]\nname = 'no-queue-of-locks'\nquery = 'select count(*) < 50 from pg_locks where not granted'\n\
         [[operations]]\nkind = 'check'\nname = 'has-teams'\nquery = 'select exists (select from public.fills)'\n\
         [[operations]]\nkind = 'backfill'\nname = 'mark'\ntable = 'public.fills'\n\
         statement = 'update public.fills set done = pg_sleep(0.0004) is not null where team_id = :each and :range'\n\
         for_each = 'select distinct team_id from public.fills order by 1'\nrows = 50\nrollback = 'update public.fills set done = false'\n\
         [[operations]]\nkind = 'verify'\nname = 'all-marked'\nquery = 'select count(*) filter (where not done), count(*) from public.fills'\ntolerance = 0\n\
         [[operations]]\nkind = 'constraint'\nname = 'done-is-true'\ntable = 'public.fills'\nconstraint = 'fills_done_check'\ndefinition = 'check (done)'\n",
    ),
    (
        "0003_trim_names",
        "description = 'names without blanks around them'\nfinish = 'by_hand'\n\
         [[operations]]\nkind = 'sql'\nname = 'trim'\nstatement = \"update public.invoices set name = trim(name) where id <= 100\"\nrollback = ''\n",
    ),
    (
        "0004_no_bad_names",
        "description = 'names are looked at before they become a key'\n\
         [[operations]]\nkind = 'sql'\nname = 'note'\nstatement = \"comment on table public.invoices is 'names are keys'\"\nrollback = ''\n\
         [[operations]]\nkind = 'verify'\nname = 'no-empty-names'\nquery = \"select count(*) from public.invoices where name like 'n1%'\"\ntolerance = 0\n\
         message = 'rows of public.invoices have a name that begins with n1, for example id 1, 10, 11, 12; give them another one, or raise the tolerance, and resume'\n",
    ),
    (
        "0005_wait_for_the_release",
        "description = 'what is done waits for a word'\nfinish = 'by_hand'\n\
         [[operations]]\nkind = 'sql'\nname = 'mark'\nstatement = \"comment on table public.persons is 'moved'\"\nrollback = 'comment on table public.persons is null'\n",
    ),
    (
        "0006_not_here",
        "description = 'only for installations with reports'\n[[operations]]\nkind = 'sql'\nname = 'nothing'\nstatement = 'select 1'\nrollback = ''\n",
    ),
    (
        "0007_with_parameters",
        "description = 'asks for parameters when it is started'\nversions = '>=1.40.0'\n\
         [parameters.after_team]\ntype = 'integer'\ndefault = 0\ndescription = 'teams up to this one are left as they are'\n\
         [parameters.mode]\ntype = 'text'\ndescription = 'what becomes of old rows'\n\
         [parameters.is_strict]\ntype = 'boolean'\ndefault = true\ndescription = 'ends at the first row that does not fit'\n\
         [[operations]]\nkind = 'sql'\nname = 'go'\nstatement = \"select 1 where 'keep' = :mode and :is_strict and 1 > :after_team\"\nirreversible = 'what is deleted is gone'\n",
    ),
    (
        "0008_for_later",
        "description = 'for a later release'\nversions = '>=1.45.0, <1.60.0'\n[[operations]]\nkind = 'sql'\nname = 'later'\nstatement = 'select 1'\nrollback = ''\n",
    ),
    (
        "0009_evil",
        "description = 'x'\nversions = '<1.20.0'\n[[operations]]\nkind = 'sql'\nname = 'evil'\nstatement = \"select '<script>alert(1)</script>'\"\nrollback = ''\n",
    ),
];

fn wish(table: &str, settings: Vec<(&str, &str)>) -> Done<Wish> {
    let words = ShapeWords {
        partition_by: Some("hash(id)"),
        partitions: Some("8"),
        ..ShapeWords::default()
    };
    Ok(Wish {
        name: Some(table.to_owned()),
        table: format!("public.{table}"),
        shape: Shape::parse(&words)?,
        accept_key_widening: true,
        accept_partition_settings: true,
        fallback_view: None,
        settings: settings
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    })
}

async fn work_move(
    connect: &ConnectOptions,
    name: &'static str,
    order: Order,
    interrupt: &watch::Receiver<bool>,
) -> Done {
    let (connect, interrupt) = (connect.clone(), interrupt.clone());
    let runtime = tokio::runtime::Handle::current();
    // On a thread of its own: the worker's own future does not move between threads.
    let worked = tokio::task::spawn_blocking(move || {
        runtime.block_on(carry_out(&connect, name, order, Arc::new(Deaf), interrupt))
    });
    let outcome = worked.await??;
    println!("{name}: {outcome:?}");
    Ok(())
}

async fn work_data(
    connect: &ConnectOptions,
    name: &'static str,
    order: Order,
    interrupt: &watch::Receiver<bool>,
) -> Done {
    let (connect, interrupt) = (connect.clone(), interrupt.clone());
    let runtime = tokio::runtime::Handle::current();
    let worked = tokio::task::spawn_blocking(move || {
        runtime.block_on(async {
            let name = Name::new(name)?;
            let parameters = BTreeMap::new();
            data::carry_out(&Call {
                asked: None,
                why: "",
                connect: &connect,
                name: &name,
                order,
                parameters: &parameters,
                app_version: None,
                mover: None,
                listener: Arc::new(Silent),
                interrupt,
            })
            .await
        })
    });
    // One of them is made to fail.
    match worked.await? {
        Ok(outcome) => println!("{name}: {outcome:?}"),
        Err(fault) => println!("{name}: {fault}"),
    }
    Ok(())
}

struct Silent;

impl Listener for Silent {
    fn on(&self, _news: &News) {}
}

/// A thousand migrations with a thousand entries of the journal each.
async fn bulk(connect: &ConnectOptions) -> Done {
    let session = connect.connect(&ApplicationName::new("gallery", "-")).await?;
    session
        .batch_execute(include_str!("../tests/it/bulk.sql"))
        .await?;
    Ok(())
}
