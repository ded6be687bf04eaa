//! Every static statement is one that the server understands, on every major that is installed; and pages are read there.

use std::fs;
use std::path::Path;

use corridor_console::access::Role;
use corridor_pg::{ApplicationName, ConnectOptions};
use corridor_testbed::{Cluster, Servers};

use crate::house::{House, PASSWORD, Who, options};

#[tokio::test(flavor = "multi_thread")]
async fn each_statement_prepares_on_each_major_and_the_pages_are_read_there() {
    let quick = std::env::var_os("CORRIDOR_TEST_QUICK").is_some();
    for installation in Servers::find() {
        let major = installation.major;
        if quick && major != 15 {
            continue;
        }
        let database = Cluster::shared(major)
            .await
            .fresh_database("console_prepared")
            .await
            .unwrap();
        let connect = ConnectOptions::from_process(Some(&database.url)).unwrap();
        let mut session = connect.connect(&ApplicationName::new("test", "-")).await.unwrap();
        corridor_migration::schema::ensure(&mut session).await.unwrap();
        for area in ["access", "read"] {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql").join(area);
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                let sql = fs::read_to_string(&path).unwrap();
                session
                    .prepare(&sql)
                    .await
                    .unwrap_or_else(|error| panic!("{} on {major}: {error:?}", path.display()));
            }
        }
        let house = House::empty(database, options(), None).await;
        corridor_console::access::account::add(&mut session, "anna", Role::Admin, Some(PASSWORD), "test")
            .await
            .unwrap();
        let anna = Who::Token(house.token("anna", Role::Admin).await);
        for page in [
            "/",
            "/migrations",
            "/migrations?tab=done",
            "/settings",
            "/audit",
            "/accounts",
            "/account",
        ] {
            let answer = house.get(page, &anna).await;
            assert_eq!(answer.status, 200, "{page} on {major}: {}", answer.body);
        }
    }
}
