//! Security labels, with a provider made for the test: PostgreSQL brings none that needs no special kernel. On the major
//! whose headers are here (they come with the newest clients).

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use corridor_move::Shape;
use corridor_testbed::Servers;

use crate::scene::{Scene, hash};

const MAJOR: u32 = 18;
const PROVIDER: &str = r#"
#include "postgres.h"
#include "fmgr.h"
#include "commands/seclabel.h"
PG_MODULE_MAGIC;
void _PG_init(void);
static void accept(const ObjectAddress *object, const char *label) {}
void _PG_init(void) { register_label_provider("test label", accept); }
"#;

/// Compiles the provider to where the server's user can read it.
fn provider() -> PathBuf {
    let client = Servers::client("pg_dump").expect("pg_dump is missing; script/setup gets it");
    let include = client.parent().unwrap().parent().unwrap().join("include/server");
    assert!(
        include.is_dir(),
        "no headers in {}; script/setup gets them",
        include.display()
    );
    let dir = std::env::temp_dir().join(format!("corridor-label-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    let (source, library) = (dir.join("label.c"), dir.join("label.so"));
    std::fs::write(&source, PROVIDER).unwrap();
    let mut compile = Command::new("cc");
    compile.args(["-shared", "-fPIC", "-O1"]).arg("-I").arg(&include);
    let output = compile.arg(&source).arg("-o").arg(&library).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    library
}

#[tokio::test]
async fn labels_come_along() {
    let library = provider();
    let setup =
        "create table things (id int primary key, \"E mail\" text); insert into things values (1, 'a')";
    for shape in [Shape::Same, hash("id", "2")] {
        let mut scene = Scene::new(MAJOR, "carry_label", "things", setup).await;
        let load = format!(
            "alter database {} set session_preload_libraries = '{}'",
            scene.database.name,
            library.display()
        );
        scene.run(&load).await;
        scene.session = Scene::session(&scene.database.url).await;
        scene.app = corridor_testbed::cluster::connect(&scene.database.url)
            .await
            .unwrap();
        scene
            .run(
                "security label for \"test label\" on table things is 'it''s secret';
                  security label for \"test label\" on column things.\"E mail\" is 'masked'",
            )
            .await;
        let labels = "select string_agg(objname || ':' || label, ',' order by objname) from pg_seclabels
                      where objoid = 'things'::regclass";
        let before = scene.ask(labels).await;
        assert_eq!(before, "things:it's secret,things.E mail:masked");
        let plan = scene.plan(&shape, "one").await;
        scene.create(&plan).await;
        scene.swap(&plan).await;
        assert_eq!(scene.ask(labels).await, before);
        scene.swap_back(&plan).await;
        assert_eq!(scene.ask(labels).await, before);
        scene.drop_target(&plan).await;
    }
    std::fs::remove_dir_all(library.parent().unwrap()).unwrap();
}
