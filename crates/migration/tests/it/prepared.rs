//! Every static statement is one that the server understands, on every major that is installed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use corridor_migration::setting::Settings;
use corridor_migration::throttle::{Reading, Sampler, Signal};
use corridor_testbed::{Cluster, ClusterOptions, Servers};

use crate::{MAJOR, options, store_one};

fn statements(area: &str) -> Vec<(String, String)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(area);
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap()))
        .collect()
}

#[tokio::test]
async fn each_statement_prepares_on_each_major_and_has_its_head() {
    let installations = Servers::find();
    assert!(
        installations.iter().any(|i| i.major == MAJOR),
        "{installations:?}"
    );
    for installation in installations {
        let major = installation.major;
        let mut options_of = ClusterOptions::new(major);
        let has_statements = installation.has_extension("pg_stat_statements");
        assert!(
            has_statements || major != MAJOR,
            "PostgreSQL {MAJOR} needs its contrib modules"
        );
        if has_statements {
            options_of = options_of.setting("shared_preload_libraries", "pg_stat_statements");
        }
        let cluster = Cluster::start(options_of).await.unwrap();
        let database = cluster.fresh_database("prepared").await.unwrap();
        let mut session = options(&database.url)
            .connect(&corridor_pg::ApplicationName::new("test", "-"))
            .await
            .unwrap();
        // The steps of the schema are run, not prepared; and a migration goes through most of the store.
        store_one(&mut session, "m").await;
        for area in ["schema", "store", "lease", "throttle", "data", "silence"] {
            for (file, sql) in statements(area) {
                for head in ["-- Purpose: ", "-- Locks: ", "-- Oldest version: "] {
                    assert!(sql.contains(head), "{file} lacks {head}");
                }
                let is_one_statement = area != "schema" && !file.ends_with("throttle/begin.sql");
                if is_one_statement {
                    session
                        .prepare(&sql)
                        .await
                        .unwrap_or_else(|e| panic!("{file} on {major}: {e:?}"));
                }
            }
        }
        if has_statements {
            session
                .batch_execute("create extension pg_stat_statements schema public")
                .await
                .unwrap();
        }
        let on = [("throttle.statement_mean_ms".to_owned(), "1000".to_owned())];
        let on = Settings::resolve(&BTreeMap::from(on)).unwrap();
        let mut sampler = Sampler::new();
        sampler.sample(&session, &on).await;
        let readings = sampler.sample(&session, &on).await;
        for (signal, reading) in readings.iter() {
            let is_measured = matches!(reading, Reading::Measured { .. });
            let may_be_absent = signal == Signal::StatementMeanMs && !has_statements;
            assert!(is_measured || may_be_absent, "{signal} on {major}: {reading:?}");
        }
    }
}
