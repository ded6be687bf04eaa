//! What a check measured and found, for Prometheus: OpenMetrics text, alert rules, a dashboard. All of it from the definitions of
//! the metrics and of the findings, so that no name is written twice. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use corridor_pg::Code;
use serde_json::{Value, json};

use crate::check::Report;
use crate::finding::Severity;
use crate::metric::{Kind, Metric, Unit};
use crate::sample::Sample;

/// Objects of one metric that are shown, those with the largest figures: so many series at most, whatever the database.
pub const OBJECTS_MAX: usize = 50;

/// The report as OpenMetrics text, with its end mark.
pub fn openmetrics(report: &Report) -> String {
    document(&[(None, report)])
}

/// The reports of several clusters as one document, with its end mark; each series has the label `cluster`.
pub fn openmetrics_of_clusters(reports: &[(&str, &Report)]) -> String {
    let labelled: Vec<_> = reports
        .iter()
        .map(|(cluster, report)| (Some(*cluster), *report))
        .collect();
    document(&labelled)
}

/// A report, and the name of its cluster where there are several.
type Labelled<'a> = (Option<&'a str>, &'a Report);

/// The samples of one metric of one cluster.
type OfOne<'a> = (Option<&'a str>, Vec<&'a Sample>);

/// All series of one metric stand together, whichever cluster they are of.
fn document(reports: &[Labelled<'_>]) -> String {
    let mut out = String::new();
    let mut by_metric: BTreeMap<&str, Vec<OfOne<'_>>> = BTreeMap::new();
    for (cluster, report) in reports {
        let mut own: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
        for sample in report.samples.iter().filter(|sample| sample.metric.is_exported) {
            own.entry(sample.metric.name).or_default().push(sample);
        }
        for (name, mut samples) in own {
            samples.sort_by(|a, b| b.value.total_cmp(&a.value).then_with(|| a.object.cmp(&b.object)));
            by_metric.entry(name).or_default().push((*cluster, samples));
        }
    }
    for clusters in by_metric.values() {
        let metric = clusters[0].1[0].metric;
        head(&mut out, metric);
        for (cluster, samples) in clusters {
            for sample in samples.iter().take(OBJECTS_MAX) {
                let object = (!sample.object.is_empty()).then_some(("object", sample.object.as_str()));
                let labels = labels(*cluster, object);
                let _ = writeln!(out, "corridor_{}{labels} {}", series(metric), sample.value + 0.0);
            }
        }
    }
    if !reports.is_empty() {
        findings(&mut out, reports);
    }
    out.push_str("# EOF\n");
    out
}

/// `{cluster="main",object="public.t"}`; nothing without any.
fn labels<'a>(cluster: Option<&'a str>, more: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let all: Vec<String> = cluster
        .map(|cluster| ("cluster", cluster))
        .into_iter()
        .chain(more)
        .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
        .collect();
    match all.is_empty() {
        true => String::new(),
        false => format!("{{{}}}", all.join(",")),
    }
}

fn head(out: &mut String, metric: &Metric) {
    let name = metric.name;
    let kind = match metric.kind {
        Kind::Counter => "counter",
        // What wraps falls, which a counter may not.
        Kind::Gauge | Kind::Wrapping(_) => "gauge",
    };
    let _ = writeln!(out, "# TYPE corridor_{name} {kind}");
    let suffix = metric.unit.suffix();
    if metric.unit != Unit::Count && name.ends_with(suffix) {
        let _ = writeln!(out, "# UNIT corridor_{name} {suffix}");
    }
    let _ = writeln!(out, "# HELP corridor_{name} {}", escaped(metric.help));
}

/// The name of the series: a counter's has an ending of its own.
fn series(metric: &Metric) -> String {
    match metric.kind {
        Kind::Counter => format!("{}_total", metric.name),
        Kind::Gauge | Kind::Wrapping(_) => metric.name.to_owned(),
    }
}

fn findings(out: &mut String, reports: &[Labelled<'_>]) {
    let shown = || {
        reports.iter().flat_map(|(cluster, report)| {
            let findings = report.findings.iter().take(4 * OBJECTS_MAX);
            findings.map(|finding| {
                let more = [("code", finding.code.id), ("object", finding.object.as_str())];
                (labels(*cluster, more), finding)
            })
        })
    };
    out.push_str("# TYPE corridor_finding gauge\n# HELP corridor_finding How bad a finding is: 1 notice, 2 warning, 3 critical.\n");
    for (labels, finding) in shown() {
        let _ = writeln!(out, "corridor_finding{labels} {}", level(finding.severity));
    }
    out.push_str("# TYPE corridor_days_left gauge\n# HELP corridor_days_left Days until the limit of a finding is reached, where that is known.\n");
    for (labels, finding) in shown() {
        if let Some(days) = finding.runway.days_mid() {
            let _ = writeln!(out, "corridor_days_left{labels} {days}");
        }
    }
    out.push_str("# TYPE corridor_unseen gauge\n# HELP corridor_unseen What the last check could not see.\n");
    for (cluster, report) in reports {
        let labels = labels(*cluster, None);
        let _ = writeln!(out, "corridor_unseen{labels} {}", report.degraded.len());
    }
    out.push_str("# TYPE corridor_checked_at_seconds gauge\n# UNIT corridor_checked_at_seconds seconds\n# HELP corridor_checked_at_seconds When the last check was, by the server's clock.\n");
    for (cluster, report) in reports {
        let labels = labels(*cluster, None);
        let _ = writeln!(out, "corridor_checked_at_seconds{labels} {}", report.at_s);
    }
}

fn level(severity: Severity) -> u8 {
    match severity {
        Severity::Notice => 1,
        Severity::Warning => 2,
        Severity::Critical => 3,
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

/// Alert rules for Prometheus: two for each finding, and one for a collector that has fallen silent. YAML; JSON is YAML.
pub fn alert_rules(codes: &[&'static Code]) -> String {
    let mut rules = Vec::new();
    for code in codes {
        for (severity, level, wait) in [("warning", 2, "15m"), ("critical", 3, "2m")] {
            rules.push(json!({
                "alert": format!("Corridor{}{}", code.id.replace('-', ""), capital(severity)),
                "expr": format!("corridor_finding{{code=\"{}\"}} == {level}", code.id),
                "for": wait,
                "labels": { "severity": severity },
                "annotations": {
                    "summary": format!("{} {{{{ $labels.object }}}}: {}", code.id, code.title),
                    "description": code.hint,
                    "runbook": format!("corridor explain {}", code.id),
                },
            }));
        }
    }
    rules.push(json!({
        "alert": "CorridorSilent",
        "expr": "time() - corridor_checked_at_seconds > 600 or absent(corridor_checked_at_seconds)",
        "for": "5m",
        "labels": { "severity": "warning" },
        "annotations": {
            "summary": "no check for ten minutes",
            "description": "Look whether `corridor watch` runs, and what it says.",
            "runbook": "corridor watch --help",
        },
    }));
    pretty(&json!({ "groups": [{ "name": "corridor", "rules": rules }] }))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A dashboard for Grafana: the findings, the days left, and a panel for each metric.
pub fn dashboard(metrics: &[&'static Metric]) -> String {
    let mut panels = vec![
        panel(
            0,
            "Findings: 1 notice, 2 warning, 3 critical",
            "corridor_finding",
            "none",
        ),
        panel(1, "Days left", "corridor_days_left", "d"),
    ];
    for (place, metric) in metrics.iter().filter(|metric| metric.is_exported).enumerate() {
        let name = format!("corridor_{}", series(metric));
        let expr = match metric.kind {
            Kind::Counter => format!("rate({name}[10m])"),
            Kind::Gauge | Kind::Wrapping(_) => name,
        };
        let unit = match metric.unit {
            Unit::Count => "short",
            Unit::Bytes => "bytes",
            Unit::Ratio => "percentunit",
            Unit::Seconds => "s",
        };
        panels.push(panel(place + 2, metric.help, &expr, unit));
    }
    pretty(&json!({
        "title": "Corridor",
        "uid": "corridor",
        "schemaVersion": 39,
        "time": { "from": "now-7d", "to": "now" },
        "refresh": "1m",
        "panels": panels,
    }))
}

fn panel(place: usize, title: &str, expr: &str, unit: &str) -> Value {
    json!({
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "gridPos": { "h": 8, "w": 12, "x": (place % 2) * 12, "y": (place / 2) * 8 },
        "fieldConfig": { "defaults": { "unit": unit }, "overrides": [] },
        "targets": [{ "refId": "A", "expr": expr, "legendFormat": "{{code}} {{object}}" }],
    })
}

fn pretty(value: &Value) -> String {
    // A value made of texts and numbers can always be written.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Finding;
    use crate::forecast::Runway;
    use crate::probe::toast::{CHUNKS_INSERTED, USED_RATIO};

    fn report() -> Report {
        let code = &crate::fault::TOAST_IDS;
        let mut finding = Finding::new(code, "public.\"a\\b\"", Severity::Critical, "full");
        finding.runway = Runway::Days {
            low: 1.0,
            mid: 2.5,
            high: None,
        };
        let mut samples = vec![Sample::new(&CHUNKS_INSERTED, "public.a", 12.0)];
        samples
            .extend((0..80).map(|n| Sample::new(&USED_RATIO, format!("public.t{n}"), f64::from(n) / 100.0)));
        Report {
            at_s: 1_000.5,
            findings: vec![finding],
            degraded: Vec::new(),
            took: Vec::new(),
            samples,
        }
    }

    #[test]
    fn series_are_few_and_names_are_whole() {
        let text = openmetrics(&report());
        let of = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(of("corridor_toast_used_ratio{"), OBJECTS_MAX);
        assert!(text.contains("corridor_toast_used_ratio{object=\"public.t79\"} 0.79\n"));
        assert!(text.contains("corridor_toast_chunks_inserted_total{object=\"public.a\"} 12\n"));
        assert!(text.contains("corridor_finding{code=\"LIM-001\",object=\"public.\\\"a\\\\b\\\"\"} 3\n"));
        assert!(text.contains("corridor_days_left{code=\"LIM-001\",object=\"public.\\\"a\\\\b\\\"\"} 2.5\n"));
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn each_finding_has_two_rules_and_each_exported_metric_a_panel() {
        let rules: Value = serde_json::from_str(&alert_rules(crate::fault::CODES)).unwrap();
        let count = rules["groups"][0]["rules"].as_array().unwrap().len();
        assert_eq!(count, 2 * crate::fault::CODES.len() + 1);
        let metrics = crate::check::metrics();
        let exported = metrics.iter().filter(|metric| metric.is_exported).count();
        let dashboard: Value = serde_json::from_str(&dashboard(&metrics)).unwrap();
        assert_eq!(dashboard["panels"].as_array().unwrap().len(), exported + 2);
    }

    #[test]
    fn no_two_metrics_have_one_name_and_each_ends_with_its_unit() {
        let metrics = crate::check::metrics();
        for (place, metric) in metrics.iter().enumerate() {
            assert!(metric.name.ends_with(metric.unit.suffix()), "{}", metric.name);
            assert!(
                metrics[place + 1..].iter().all(|other| other.name != metric.name),
                "{}",
                metric.name
            );
        }
    }
}
