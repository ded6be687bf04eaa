use std::collections::BTreeMap;

use clap::Parser;
use corridor_console::host::Seen;
use corridor_testbed::Cluster;

use super::*;
use crate::args::Cli;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::serve::config::{Config, Flags, Sources, Stored};

/// What the console changes holds in this process at once, and is shown with who changed it; what is fixed says so.
#[tokio::test]
async fn the_console_sees_the_settings_and_changes_them() {
    let database = Cluster::shared(15).await.fresh_database("host").await.unwrap();
    let cli = Cli::parse_from(["corridor", "--quiet", "serve"]);
    let output = Arc::new(Output::new(&cli.global));
    let interrupt = Interrupt::listen(&output).unwrap();
    let text = format!(
        "app_version = \"1.42.0\"\n[alerts]\nslack = \"https://u:secret@example.org/T0/secret\"\n\
         [[clusters]]\nname = \"home\"\ndatabase = \"{}\"\n[[clusters]]\nname = \"other\"\ndatabase = \"host=127.0.0.1\"",
        database.url
    );
    let environment = BTreeMap::from([("CORRIDOR_RETRIES".to_owned(), "2".to_owned())]);
    let sources = Sources::of("corridor.toml", &text, environment, Flags::default());
    let config = Config::read(&sources, &Stored::new()).unwrap();
    let service = Service::new(sources, config, &output, &interrupt);
    let host: &dyn Host = &service;
    assert_eq!(host.app_version(), Some(Version::new(1, 42, 0)));
    let names: Vec<String> = host.clusters().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["home", "other"]);
    assert!(host.clusters().iter().all(|one| one.seen.is_none()));
    let home = service.config().clusters[0].clone();
    service.note(&home, Seen::default());
    assert!(host.clusters()[0].seen.is_some() && host.clusters()[1].seen.is_none());

    let setting = |key: &str| host.settings().into_iter().find(|one| one.key == key).unwrap();
    for (key, value, origin, is_fixed) in [
        ("workers", "4", "default", false),
        ("retries", "2", "environment, CORRIDOR_RETRIES", true),
        ("listen", "127.0.0.1:8765", "default", true),
        ("alerts.slack", "https://example.org/…", "corridor.toml", false),
    ] {
        let one = setting(key);
        assert_eq!((one.value.as_str(), one.origin.as_str()), (value, origin));
        assert_eq!((one.is_fixed, one.set_by.is_none()), (is_fixed, true), "{key}");
        assert!(!one.doc.is_empty(), "{key}");
    }
    assert!(setting("clusters.home").is_fixed);

    host.set("workers", Some("9"), "anna").await.unwrap();
    assert_eq!(service.config().workers, 9);
    let one = setting("workers");
    assert_eq!((one.value.as_str(), one.origin.as_str()), ("9", "console"));
    assert_eq!(one.set_by.unwrap().0, "anna");
    assert!(host.set("workers", Some("none"), "anna").await.is_err());
    assert!(host.set("retries", Some("1"), "anna").await.is_err());
    assert_eq!(service.config().workers, 9);
    host.set("workers", None, "anna").await.unwrap();
    assert_eq!(service.config().workers, 4);
}
