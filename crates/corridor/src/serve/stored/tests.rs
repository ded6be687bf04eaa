use std::collections::BTreeMap;

use corridor_testbed::Cluster;

use super::*;
use crate::serve::config::Flags;

fn sources(environment: &[(&str, &str)]) -> Sources {
    let environment: BTreeMap<String, String> = environment
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    Sources::of("corridor.toml", "workers = 3", environment, Flags::default())
}

/// A change is checked beside all others, kept with its author, written down without secrets, and taken back.
#[tokio::test]
async fn a_setting_is_changed_checked_written_down_and_taken_back() {
    let database = Cluster::shared(15).await.fresh_database("stored").await.unwrap();
    let options = ConnectOptions::from_process(Some(&database.url)).unwrap();
    let mut session = options.connect(&ApplicationName::new("test", "-")).await.unwrap();
    let plain = sources(&[]);
    let kept = change(&mut session, &plain, "workers", Some(" 9 "), "anna")
        .await
        .unwrap();
    assert_eq!(
        (kept["workers"].value.as_str(), kept["workers"].by.as_str()),
        ("9", "anna")
    );
    assert!(kept["workers"].at.ends_with('Z'), "{kept:?}");
    assert_eq!(read(&*session).await.unwrap(), kept);
    let secret = "https://u:secret@example.org/T0/secret";
    change(&mut session, &plain, "alerts.slack", Some(secret), "anna")
        .await
        .unwrap();
    for (sources, key, value, wanted) in [
        (sources(&[]), "worker", Some("9"), "did you mean"),
        (sources(&[]), "workers", Some("many"), "a number from 0 to 64"),
        (
            sources(&[]),
            "listen",
            Some("127.0.0.1:1"),
            "is not changed while",
        ),
        (
            sources(&[]),
            "console.proxy_from",
            Some("0.0.0.0"),
            "is not changed while",
        ),
        (
            sources(&[("CORRIDOR_WORKERS", "2")]),
            "workers",
            Some("4"),
            "environment, CORRIDOR_WORKERS",
        ),
        (
            sources(&[("CORRIDOR_WORKERS", "2")]),
            "workers",
            None,
            "environment, CORRIDOR_WORKERS",
        ),
    ] {
        let fault = change(&mut session, &sources, key, value, "anna")
            .await
            .unwrap_err();
        // It has no time yet.
        assert!(!fault.detail().contains(", )"), "{fault}");
        assert!(fault.detail().contains(wanted), "{key}: {fault}");
    }
    let kept = change(&mut session, &plain, "workers", None, "bert")
        .await
        .unwrap();
    assert!(
        !kept.contains_key("workers") && kept.contains_key("alerts.slack"),
        "{kept:?}"
    );
    let rows = session
        .query(
            "select actor, action, object, detail::text from corridor.audit order by id",
            &[],
        )
        .await
        .unwrap();
    let said: Vec<String> = rows
        .iter()
        .map(|row| {
            let text = |place: usize| row.get::<_, String>(place);
            format!("{} {} {} {}", text(0), text(1), text(2), text(3))
        })
        .collect();
    assert_eq!(
        said,
        [
            r#"anna setting_set setting workers {"was": null, "value": "9"}"#,
            r#"anna setting_set setting alerts.slack {"was": null, "value": "https://example.org/…"}"#,
            r#"bert setting_unset setting workers {"was": "9", "value": null}"#,
        ]
    );
}
