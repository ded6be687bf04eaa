//! What the figures mean. Pure.

use super::{
    ARCHIVE_FAILURES, CONNECTIONS, DISK_USED, Disk, FORCED_CHECKPOINTS, Replica, SLOT_KEPT, Server, Slot,
    Slots, TEMP_BYTES, WAL_BYTES, tree,
};
use crate::fault::{
    ARCHIVE_FAILS, CHECKPOINTS_FORCED, CONNECTIONS_SHORT, DISK_SHORT, REPLICA_LAGS, SLOT_KEEPS_WAL,
    TEMP_FILES,
};
use crate::finding::{Finding, Gauge, Severity};
use crate::forecast::{self, Runway};
use crate::metric::Kind;
use crate::probe::Judging;
use crate::probe::words::{bytes, grouped, literal, percent, seconds};
use crate::tree::Facts;

const DAY_S: f64 = 86_400.0;
const HOUR_S: f64 = 3_600.0;
/// More forced checkpoints than this in an hour: `max_wal_size` is too small for the load.
const FORCED_PER_HOUR: f64 = 6.0;
/// More bytes of temporary files than this in a day are worth a look.
const TEMP_PER_DAY: f64 = 100.0 * 1024.0 * 1024.0 * 1024.0;

/// Everything.
pub(super) fn judge(facts: &Slots, judging: &Judging<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let max_wal = facts.server.as_ref().map(|s| s.max_wal_bytes);
    for slot in &facts.slots {
        findings.extend(judge_slot(slot, facts.disk, max_wal, judging));
    }
    findings.extend(
        facts
            .replicas
            .iter()
            .filter_map(|replica| judge_replica(replica, max_wal)),
    );
    if let Some(server) = &facts.server {
        findings.extend(judge_archive(server));
        findings.extend(judge_temp(&facts.database, server, judging));
        findings.extend(judge_connections(server, judging));
        findings.extend(judge_checkpoints(facts, server, judging));
    }
    findings.extend(judge_disk(facts, judging));
    findings
}

fn judge_slot(
    slot: &Slot,
    disk: Option<Disk>,
    max_wal: Option<f64>,
    judging: &Judging<'_>,
) -> Option<Finding> {
    let kept = slot.kept_bytes.unwrap_or(0.0);
    let is_lost = slot.wal_status.as_deref() == Some("lost");
    let free = disk.map(|disk| (disk.size_bytes - disk.used_bytes).max(0.0));
    // Whichever comes first: the limit that was set for slots, or the end of the disk.
    let room = match (slot.safe_bytes.map(|safe| safe.max(0.0)), free) {
        (Some(safe), Some(free)) => Some(safe.min(free)),
        (safe, free) => safe.or(free),
    };
    let series = judging.series(&SLOT_KEPT, &slot.name, kept);
    let runway = match room {
        _ if is_lost => Runway::Reached,
        Some(room) => forecast::runway(&series, Kind::Gauge, kept, kept + room),
        None => Runway::Unknown,
    };
    let days = runway.days_mid();
    let unit = max_wal.unwrap_or(1024.0 * 1024.0 * 1024.0).max(1.0);
    let severity = if is_lost
        || slot.wal_status.as_deref() == Some("unreserved")
        || days.is_some_and(|days| days < 1.0)
    {
        Severity::Critical
    } else if days.is_some_and(|days| days < 7.0) || kept >= unit * 10.0 || (!slot.is_active && kept >= unit)
    {
        Severity::Warning
    } else if kept >= unit * 3.0 {
        Severity::Notice
    } else {
        return None;
    };
    let headline = match (is_lost, slot.is_active) {
        (true, _) => "it is lost: WAL that its consumer needs has been removed".to_owned(),
        (false, true) => format!("its consumer lags: it keeps {} of WAL", bytes(kept)),
        (false, false) => format!("nobody uses it, and it keeps {} of WAL", bytes(kept)),
    };
    let mut finding = Finding::new(&SLOT_KEEPS_WAL, format!("slot {}", slot.name), severity, headline);
    finding.runway = runway;
    finding.gauge = room.filter(|_| !is_lost).map(|room| Gauge {
        used: kept,
        standard_error: None,
        capacity: kept + room,
        unit: "bytes",
    });
    finding.growth(forecast::growth(&series, Kind::Gauge).ok().as_ref(), bytes);
    let source = "pg_replication_slots";
    if let Some(status) = &slot.wal_status {
        finding.fact("wal_status", status.clone(), source);
    }
    if let Some(safe) = slot.safe_bytes {
        finding.fact("until it may be lost", bytes(safe), source);
    }
    if let Some(unused_s) = slot.unused_s {
        finding.fact("unused for", seconds(unused_s), source);
    }
    let mut facts = Facts::default();
    facts
        .flag("is_lost", is_lost)
        .flag("is_active", slot.is_active)
        .maybe("pid", slot.pid.map(f64::from))
        .text("slot", literal(&slot.name));
    finding.advice = Some(tree::SLOT.walk(&facts));
    Some(finding)
}

fn judge_replica(replica: &Replica, max_wal: Option<f64>) -> Option<Finding> {
    let (lag_bytes, lag_s) = (replica.lag_bytes?, replica.lag_s.unwrap_or(0.0));
    let unit = max_wal.unwrap_or(1024.0 * 1024.0 * 1024.0).max(1.0);
    let severity = if lag_s >= HOUR_S {
        Severity::Critical
    } else if lag_s >= 300.0 || lag_bytes >= unit {
        Severity::Warning
    } else if lag_s >= 60.0 {
        Severity::Notice
    } else {
        return None;
    };
    let headline = format!("it lags by {} and {}", bytes(lag_bytes), seconds(lag_s));
    let mut finding = Finding::new(
        &REPLICA_LAGS,
        format!("replica {}", replica.name),
        severity,
        headline,
    );
    let state = replica.state.clone().unwrap_or_default();
    finding.fact("state", state, "pg_stat_replication");
    let mut facts = Facts::default();
    facts.number("pid", f64::from(replica.pid));
    finding.advice = Some(tree::REPLICA.walk(&facts));
    Some(finding)
}

fn judge_archive(server: &Server) -> Option<Finding> {
    if !server.is_archive_failing {
        return None;
    }
    let since = server.archived_s.unwrap_or(0.0);
    let severity = if since >= HOUR_S {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let headline = format!(
        "the WAL is not archived: nothing for {}, and the server keeps all of it",
        seconds(since)
    );
    let mut finding = Finding::new(&ARCHIVE_FAILS, "cluster", severity, headline);
    finding.fact(
        ARCHIVE_FAILURES.name,
        grouped(server.archive_failures),
        "pg_stat_archiver",
    );
    if let Some(file) = &server.last_failed_wal {
        finding.fact("file that failed", file.clone(), "pg_stat_archiver");
    }
    finding.advice = Some(tree::ARCHIVE.walk(&Facts::default()));
    Some(finding)
}

fn judge_temp(database: &str, server: &Server, judging: &Judging<'_>) -> Option<Finding> {
    let series = judging.series(&TEMP_BYTES, database, server.temp_bytes);
    let growth = forecast::growth(&series, TEMP_BYTES.kind).ok()?;
    let per_day = growth.per_s * DAY_S;
    if per_day < TEMP_PER_DAY {
        return None;
    }
    let headline = format!("statements write {} of temporary files a day", bytes(per_day));
    let object = format!("database {database}");
    let mut finding = Finding::new(&TEMP_FILES, object, Severity::Notice, headline);
    finding.growth(Some(&growth), bytes);
    finding.advice = Some(tree::TEMP.walk(&Facts::default()));
    Some(finding)
}

fn judge_connections(server: &Server, judging: &Judging<'_>) -> Option<Finding> {
    let capacity = (server.max_connections - server.reserved_connections).max(1.0);
    let share = server.connections / capacity;
    let severity = match share {
        s if s >= 0.95 => Severity::Critical,
        s if s >= 0.8 => Severity::Warning,
        _ => return None,
    };
    let headline = format!(
        "{} of {} connections are taken",
        grouped(server.connections),
        grouped(capacity)
    );
    let mut finding = Finding::new(&CONNECTIONS_SHORT, "cluster", severity, headline);
    let series = judging.series(&CONNECTIONS, "", server.connections);
    finding.runway = forecast::runway(&series, Kind::Gauge, server.connections, capacity);
    finding.gauge = Some(Gauge {
        used: server.connections,
        standard_error: None,
        capacity,
        unit: "connections",
    });
    let source = "pg_stat_activity";
    finding.fact("idle", grouped(server.idle), source);
    finding.fact(
        "idle in a transaction",
        grouped(server.idle_in_transaction),
        source,
    );
    finding.fact(
        "kept for superusers and others",
        grouped(server.reserved_connections),
        "pg_settings",
    );
    let mut facts = Facts::default();
    let all = server.connections.max(1.0);
    facts
        .number("idle_in_transaction_share", server.idle_in_transaction / all)
        .number("idle_share", server.idle / all);
    finding.advice = Some(tree::CONNECTIONS.walk(&facts));
    Some(finding)
}

fn judge_checkpoints(facts: &Slots, server: &Server, judging: &Judging<'_>) -> Option<Finding> {
    let series = judging.series(&FORCED_CHECKPOINTS, "", facts.forced_checkpoints?);
    let per_hour = forecast::growth(&series, FORCED_CHECKPOINTS.kind).ok()?.per_s * HOUR_S;
    if per_hour < FORCED_PER_HOUR {
        return None;
    }
    let headline = format!("{per_hour:.0} checkpoints an hour come before their time");
    let mut finding = Finding::new(&CHECKPOINTS_FORCED, "cluster", Severity::Notice, headline);
    finding.fact("max_wal_size", bytes(server.max_wal_bytes), "pg_settings");
    if let Some(wal) = server.wal_bytes
        && let Ok(growth) = forecast::growth(&judging.series(&WAL_BYTES, "", wal), WAL_BYTES.kind)
    {
        finding.fact(
            "WAL",
            format!("{} an hour, {}", bytes(growth.per_s * HOUR_S), growth.over()),
            "its history",
        );
    }
    let mut tree_facts = Facts::default();
    tree_facts.number("wanted", (server.max_wal_bytes * 4.0 / 1_048_576.0).round());
    finding.advice = Some(tree::CHECKPOINTS.walk(&tree_facts));
    Some(finding)
}

fn judge_disk(facts: &Slots, judging: &Judging<'_>) -> Option<Finding> {
    let disk = facts.disk?;
    let share = disk.used_bytes / disk.size_bytes.max(1.0);
    let series = judging.series(&DISK_USED, "", disk.used_bytes);
    let runway = forecast::runway(&series, Kind::Gauge, disk.used_bytes, disk.size_bytes);
    let days = runway.days_mid();
    let severity = if share >= 0.95 || days.is_some_and(|days| days < 3.0) {
        Severity::Critical
    } else if share >= 0.85 || days.is_some_and(|days| days < 30.0) {
        Severity::Warning
    } else {
        return None;
    };
    let free = (disk.size_bytes - disk.used_bytes).max(0.0);
    let headline = format!(
        "{} of the disk is in use, {} is free",
        percent(share),
        bytes(free)
    );
    let mut finding = Finding::new(&DISK_SHORT, "cluster", severity, headline);
    finding.runway = runway;
    finding.gauge = Some(Gauge {
        used: disk.used_bytes,
        standard_error: None,
        capacity: disk.size_bytes,
        unit: "bytes",
    });
    finding.growth(forecast::growth(&series, Kind::Gauge).ok().as_ref(), bytes);
    let source = if disk.is_measured {
        "the disk itself"
    } else {
        "sizes of databases and WAL, and the size that was given"
    };
    finding.fact("size", bytes(disk.size_bytes), source);
    let kept = facts
        .slots
        .iter()
        .filter_map(|s| s.kept_bytes)
        .fold(0.0, f64::max);
    finding.fact("WAL that slots keep", bytes(kept), "pg_replication_slots");
    let is_failing = facts.server.as_ref().is_some_and(|s| s.is_archive_failing);
    let mut tree_facts = Facts::default();
    tree_facts
        .number("slot_share", kept / disk.used_bytes.max(1.0))
        .flag("is_archive_failing", is_failing);
    finding.advice = Some(tree::DISK.walk(&tree_facts));
    Some(finding)
}
