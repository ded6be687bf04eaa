//! What a check prints for Prometheus, scraped by a real one, with the alert rules that it prints.

use std::time::{Duration, Instant};

use corridor_testbed::Prometheus;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_postgres::Client;

use crate::driver::{corridor, corridor_on, database};

/// Serves one text to whoever asks.
async fn serve(text: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0u8; 4_096];
            let _length = stream.read(&mut request).await.unwrap_or(0);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n",
                text.len()
            );
            stream.write_all(head.as_bytes()).await.ok();
            stream.write_all(text.as_bytes()).await.ok();
        }
    });
    port
}

async fn make_a_finding(client: &Client) {
    client
        .batch_execute(
            "create table orders (id serial primary key); select setval('orders_id_seq', 2147483000)",
        )
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_takes_the_figures_and_raises_the_alert() {
    let database = database("monitoring").await;
    let client = corridor_testbed::cluster::connect(&database.url).await.unwrap();
    make_a_finding(&client).await;
    let metrics = corridor_on(&database, &["check", "--openmetrics"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    let rules = corridor(&["check", "--alert-rules"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    let directory = std::env::temp_dir().join(format!("corridor-rules-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let file = directory.join("rules.yml");
    std::fs::write(&file, &rules).unwrap();
    Prometheus::check_rules(&file).unwrap();
    std::fs::remove_dir_all(&directory).ok();

    let port = serve(metrics).await;
    let prometheus = Prometheus::start(port, &rules).unwrap();
    let begun = Instant::now();
    let mut said = String::new();
    let mut is_raised = false;
    while !is_raised && begun.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(500)).await;
        // It waits for two minutes before it is told; that it is pending shows that figure and rule meet.
        said = prometheus.get("/api/v1/alerts").unwrap();
        let alerts: Value = serde_json::from_str(&said).unwrap_or_default();
        is_raised = alerts["data"]["alerts"].as_array().is_some_and(|alerts| {
            alerts.iter().any(|alert| {
                alert["labels"]["severity"] == "critical"
                    && alert["labels"]["object"]
                        .as_str()
                        .is_some_and(|o| o.contains("orders"))
            })
        });
    }
    assert!(is_raised, "{said}");
    let up = prometheus.get("/api/v1/targets").unwrap();
    assert!(up.contains("\"health\":\"up\""), "{up}");
    let counter = prometheus
        .get("/api/v1/query?query=corridor_oid_counter")
        .unwrap();
    assert!(counter.contains("corridor_oid_counter"), "{counter}");
}

#[tokio::test]
async fn the_dashboard_is_one() {
    let text = corridor(&["check", "--dashboard"])
        .run()
        .await
        .expect_code(0)
        .stdout;
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(dashboard["title"], "Corridor");
    assert!(dashboard["panels"].as_array().unwrap().len() > 5);
}
