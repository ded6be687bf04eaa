//! The same text and the same environment, given to psql and to Corridor: both get to the same place, or neither does.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use corridor_testbed::{Auth, Cluster, ClusterOptions};

use crate::{Around, name};

const WHERE_AM_I: &str = "select session_user || ' ' || current_database() || ' ' || coalesce(inet_server_port(), 0) \
                          || ' ' || current_setting('work_mem')";

fn psql(program: &Path, text: &str, around: &Around) -> Result<String, String> {
    let output = Command::new(program)
        .env_clear()
        .env("HOME", &around.home)
        .envs(&around.variables)
        .args(["-X", "-At", "-w", "-c", WHERE_AM_I, "-d", text])
        .output()
        .unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

async fn ours(text: &str, around: &Around) -> Result<String, String> {
    let options = corridor_pg::ConnectOptions::resolve(Some(text), around).map_err(|e| e.to_string())?;
    let session = options.connect(&name()).await.map_err(|e| e.to_string())?;
    let row = session.query_one(WHERE_AM_I, &[]).await.unwrap();
    Ok(row.get(0))
}

#[tokio::test]
async fn psql_and_corridor_find_the_same_place() {
    let options = ClusterOptions {
        auth: Auth::ScramSha256 {
            password: "root: s'e\\cret".to_owned(),
        },
        ..ClusterOptions::new(15)
    };
    let cluster = Cluster::start(options).await.unwrap();
    // Whichever is there: the packaged servers bring no clients.
    let program = corridor_testbed::Servers::find()
        .iter()
        .rev()
        .find_map(|installation| installation.program("psql"))
        .expect("psql, from the system's PostgreSQL (script/setup installs it)");
    let admin = crate::connect(&cluster.url("postgres")).await;
    for sql in [
        "create role bob login password 'pw b'",
        "create database \"bob\"",
        "create database \"a b\"",
    ] {
        admin.batch_execute(sql).await.unwrap();
    }
    let port = cluster.port();
    let dir = cluster.socket_dir().display().to_string();
    let escaped_dir = dir.replace('/', "%2F");

    let home = cluster.directory().join("home");
    std::fs::create_dir(&home).unwrap();
    let service = format!("[prod]\nhost=127.0.0.1\nport={port}\nuser=bob\ndbname=a b\n[half]\nport={port}\n");
    std::fs::write(home.join(".pg_service.conf"), service).unwrap();
    let pgpass = format!("# ours\n127.0.0.1:{port}:*:bob:pw b\n*:*:postgres:postgres:root\\: s'e\\\\cret\n");
    let pass_file = home.join(".pgpass");
    std::fs::write(&pass_file, pgpass).unwrap();
    std::fs::set_permissions(&pass_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let open_file = home.join("open");
    std::fs::copy(&pass_file, &open_file).unwrap();
    std::fs::set_permissions(&open_file, std::fs::Permissions::from_mode(0o644)).unwrap();

    let bare = Around::nothing();
    let at_home = bare.clone().home(&home);
    let by_variables = at_home
        .clone()
        .var("PGHOST", "127.0.0.1")
        .var("PGPORT", port.to_string())
        .var("PGUSER", "bob");
    let cases: Vec<(String, Around, bool)> = vec![
        // URLs.
        (
            format!("postgres://bob:pw%20b@127.0.0.1:{port}/a%20b"),
            bare.clone(),
            true,
        ),
        (
            format!("postgresql://bob:pw%20b@localhost:{port}"),
            bare.clone(),
            true,
        ),
        (
            format!("postgres://bob:pw%20b@{escaped_dir}:{port}/bob"),
            bare.clone(),
            true,
        ),
        (
            format!("postgres:///bob?host={escaped_dir}&port={port}&user=bob&password=pw%20b"),
            bare.clone(),
            true,
        ),
        (
            format!("postgres://bob:pw%20b@127.0.0.1:1,127.0.0.1:{port}/bob"),
            bare.clone(),
            true,
        ),
        (
            format!("postgres://bob:pw%20b@127.0.0.1:{port}/bob?options=-c%20work_mem%3D123kB"),
            bare.clone(),
            true,
        ),
        (
            format!("postgres://bob:wrong@127.0.0.1:{port}/bob"),
            at_home.clone(),
            false,
        ),
        (
            format!("postgres://bob@127.0.0.1:{port}/bob"),
            bare.clone(),
            false,
        ),
        (
            format!("postgres://bob:pw%20b@127.0.0.1:{port}/gone"),
            bare.clone(),
            false,
        ),
        (
            format!("postgres://bob:pw%20b@127.0.0.1:{port}/bob?bogus=1"),
            bare.clone(),
            false,
        ),
        (
            format!("postgres://bob:pw%2@127.0.0.1:{port}/bob"),
            bare.clone(),
            false,
        ),
        // Keywords.
        (
            format!("host=127.0.0.1 port = {port} user=bob password='pw b' dbname='a b'"),
            bare.clone(),
            true,
        ),
        (
            format!("host={dir} port={port} user=bob password=pw\\ b"),
            bare.clone(),
            true,
        ),
        (
            format!("hostaddr=127.0.0.1 port={port} user=bob password='pw b'"),
            bare.clone(),
            true,
        ),
        (
            format!("host=nowhere.invalid hostaddr=127.0.0.1 port={port} user=bob password='pw b'"),
            bare.clone(),
            true,
        ),
        (
            format!("host=127.0.0.1 port={port} user=bob password='pw b"),
            bare.clone(),
            false,
        ),
        (
            format!("host=127.0.0.1,127.0.0.1 port=1,2,{port} user=bob"),
            at_home.clone(),
            false,
        ),
        // Variables, the password file, services.
        (String::new(), by_variables.clone(), true),
        ("a b".to_owned(), by_variables.clone(), true),
        (
            "dbname='a b'".to_owned(),
            by_variables.clone().var("PGOPTIONS", "-c work_mem=77kB"),
            true,
        ),
        (String::new(), by_variables.clone().var("PGDATABASE", "a b"), true),
        (
            String::new(),
            by_variables.clone().home(Path::new("/nonexistent")),
            false,
        ),
        (
            String::new(),
            by_variables
                .clone()
                .home(Path::new("/nonexistent"))
                .var("PGPASSWORD", "pw b"),
            true,
        ),
        (
            String::new(),
            by_variables.clone().var("PGPASSWORD", "wrong"),
            false,
        ),
        (
            String::new(),
            by_variables
                .clone()
                .var("PGPASSFILE", open_file.display().to_string()),
            false,
        ),
        (
            "user=postgres dbname=postgres".to_owned(),
            by_variables.clone(),
            true,
        ),
        ("user=postgres dbname=bob".to_owned(), by_variables.clone(), false),
        ("service=prod".to_owned(), at_home.clone(), true),
        (
            String::new(),
            at_home.clone().var("PGSERVICE", "prod").var("PGUSER", "postgres"),
            true,
        ),
        ("service=prod dbname=bob".to_owned(), at_home.clone(), true),
        ("postgres://?service=prod".to_owned(), at_home.clone(), true),
        (
            "service=half".to_owned(),
            by_variables.clone().var("PGPORT", "1"),
            true,
        ),
        ("service=gone".to_owned(), by_variables.clone(), false),
        (
            String::new(),
            by_variables.clone().var("PGSSLMODE", "require"),
            false,
        ),
        (
            String::new(),
            by_variables.clone().var("PGSSLMODE", "nonsense"),
            false,
        ),
        (
            String::new(),
            by_variables.clone().var("PGTARGETSESSIONATTRS", "standby"),
            false,
        ),
        (
            String::new(),
            by_variables.clone().var("PGTARGETSESSIONATTRS", "prefer-standby"),
            true,
        ),
        (
            String::new(),
            by_variables.clone().var("PGCHANNELBINDING", "require"),
            false,
        ),
    ];
    for (text, around, is_expected_in) in cases {
        let theirs = psql(&program, &text, &around);
        let ours = ours(&text, &around).await;
        let shown = format!(
            "{text:?} {:?}\npsql: {theirs:?}\nours: {ours:?}",
            around.variables
        );
        assert_eq!(theirs.is_ok(), is_expected_in, "{shown}");
        assert_eq!(ours.as_ref().ok(), theirs.as_ref().ok(), "{shown}");
    }
}
