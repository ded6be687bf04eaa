//! The schema `corridor`: made in versioned steps, once, whoever comes first.

use corridor_pg::{Fault, FaultContext, Isolation, Result, Session};
use tokio_postgres::GenericClient;

use crate::fault::{FOREIGN_SCHEMA, SCHEMA_TOO_NEW};

macro_rules! steps {
    ($($step:literal),* $(,)?) => {
        &[$(($step, include_str!(concat!("../sql/schema/", $step, ".sql")))),*]
    };
}

/// The steps in their order; a step's version is its place, counted from 1. Steps are only ever added.
const STEPS: &[(&str, &str)] = steps![
    "001_migration",
    "002_operation",
    "003_operation_running",
    "004_current_operation",
    "005_journal",
    "006_lease",
    "007_heartbeat",
    "008_request",
    "009_request_open",
    "010_setting",
    "011_verification",
    "012_series",
    "013_sample",
    "014_collector",
    "015_attempt",
    "016_backfill",
    "017_item",
    "018_account",
    "019_sign_in",
    "020_token",
    "021_audit",
    "022_service_setting",
    "023_default_setting",
    "024_pace",
];

/// The version that this binary makes and understands.
pub const VERSION: i32 = STEPS.len() as i32;

/// How the schema was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Nothing,
    Ours(i32),
}

/// True when the schema is there and ours, at whatever version. Reads only.
///
/// `MIG-001` when a schema of that name is not ours.
pub async fn exists(client: &impl GenericClient) -> Result<bool> {
    Ok(look(client).await? != Found::Nothing)
}

/// Makes the schema, or brings it up to [`VERSION`]; does nothing when it is there.
///
/// Locks: an advisory lock of the transaction while something is made; sessions that come at the same time wait
/// for each other. Needs `CREATE` on the database the first time. `MIG-001` when a schema of that name is not ours,
/// `MIG-002` when a newer Corridor made it.
pub async fn ensure(session: &mut Session) -> Result<()> {
    if look(&**session).await? == Found::Ours(VERSION) {
        return Ok(());
    }
    let tx = session.begin(Isolation::ReadCommitted).await?;
    tx.execute(include_str!("../sql/schema/serialise.sql"), &[])
        .await
        .doing(|| "waiting for others that make the schema corridor")?;
    let version = match look(&tx).await? {
        Found::Nothing => {
            make_empty(&tx).await?;
            0
        }
        Found::Ours(version) => version,
    };
    if version > VERSION {
        return Err(too_new(version));
    }
    for (number, (step, sql)) in (1i32..).zip(STEPS).skip(version.max(0) as usize) {
        tx.batch_execute(sql)
            .await
            .doing(|| format!("step {step} of the schema corridor"))?;
        tx.execute(include_str!("../sql/schema/record.sql"), &[&number, step])
            .await
            .doing(|| format!("recording step {step} of the schema corridor"))?;
    }
    corridor_pg::failpoint::step("schema", tx.commit())
        .await
        .doing(|| "making the schema corridor")
}

async fn make_empty(client: &impl GenericClient) -> Result<()> {
    for sql in [
        include_str!("../sql/schema/create_schema.sql"),
        include_str!("../sql/schema/create_schema_version.sql"),
    ] {
        client
            .batch_execute(sql)
            .await
            .doing(|| "making the schema corridor")?;
    }
    Ok(())
}

async fn look(client: &impl GenericClient) -> Result<Found> {
    let row = client
        .query_one(include_str!("../sql/schema/look.sql"), &[])
        .await
        .doing(|| "looking for the schema corridor")?;
    match (row.get("has_schema"), row.get("has_version")) {
        (false, _) => Ok(Found::Nothing),
        (true, false) => Err(Fault::new(&FOREIGN_SCHEMA, "it has no table schema_version")),
        (true, true) => {
            let row = client
                .query_one(include_str!("../sql/schema/version.sql"), &[])
                .await
                .doing(|| "reading the version of the schema corridor")?;
            let version: i32 = row.get("version");
            if version > VERSION {
                return Err(too_new(version));
            }
            Ok(Found::Ours(version))
        }
    }
}

fn too_new(version: i32) -> Fault {
    Fault::new(
        &SCHEMA_TOO_NEW,
        format!("version {version}, this Corridor knows up to {VERSION}"),
    )
}
