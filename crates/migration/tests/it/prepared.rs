//! Every static statement is one that the server understands, on every major that is installed.

use std::fs;
use std::path::Path;

use corridor_testbed::{Cluster, ClusterOptions, Servers};

use crate::{options, store_one};

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
    let majors: Vec<u32> = Servers::find().iter().map(|i| i.major).collect();
    assert!(majors.contains(&15), "{majors:?}");
    for major in majors {
        let cluster = Cluster::start(ClusterOptions::new(major)).await.unwrap();
        let database = cluster.fresh_database("prepared").await.unwrap();
        let mut session = options(&database.url)
            .connect(&corridor_pg::ApplicationName::new("test", "-"))
            .await
            .unwrap();
        // The steps of the schema are run, not prepared; and a migration goes through most of the store.
        store_one(&mut session, "m").await;
        for area in ["schema", "store", "lease", "throttle"] {
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
    }
}
