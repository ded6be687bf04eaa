//! What programs ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use corridor_migration::Verb;
use corridor_migration::data::shelf::{self, Added, Audited};
use corridor_migration::definition::{Definition, file};
use corridor_pg::{Fault, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::look::Answer;
use crate::access::Viewer;
use crate::act::{self, Came, Wish};
use crate::fault::BAD_REQUEST;
use crate::{Console, host};

/// The body, or words on what is wrong with it. None at all is an empty object.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T> {
    if body.windows(6).any(|six| six == b"\\u0000") {
        return Err(Fault::new(
            &BAD_REQUEST,
            "the body: a text with a NUL; no database takes it",
        ));
    }
    let text: &[u8] = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| Fault::new(&BAD_REQUEST, format!("the body: {error}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    why: String,
    #[serde(default)]
    parameters: BTreeMap<String, Value>,
    #[serde(default)]
    drop: bool,
    operation: Option<String>,
    done: Option<bool>,
}

pub(super) async fn ask(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path((cluster, name, verb)): Path<(String, String, String)>,
    body: Bytes,
) -> Answer {
    let asked: Asked = read(&body)?;
    let wish = wish(&verb, &asked)?;
    let came = act::ask(&console, &viewer, (&cluster, &name), wish, &asked.why).await?;
    Ok(Json(document(&came)))
}

fn document(came: &Came) -> Value {
    let mut document = serde_json::to_value(came).unwrap_or_default();
    document["version"] = json!(1);
    document
}

fn wish(verb: &str, asked: &Asked) -> Result<Wish> {
    match verb {
        "skip" => Ok(Wish::Skip),
        "settle" => match (&asked.operation, asked.done) {
            (Some(operation), Some(is_done)) => Ok(Wish::Settle {
                operation: operation.clone(),
                is_done,
            }),
            _ => Err(Fault::new(&BAD_REQUEST, "settle takes operation and done")),
        },
        _ => Ok(Wish::Ask {
            verb: self::verb(verb)?,
            parameters: asked
                .parameters
                .iter()
                .map(|(key, value)| (key.clone(), plain(value)))
                .collect(),
            is_drop: asked.drop,
        }),
    }
}

/// A parameter is typed where it is declared; here it is a text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The verb of that name.
pub(crate) fn verb(text: &str) -> Result<Verb> {
    let known = Verb::ALL.into_iter().find(|verb| verb.as_str() == text);
    known.ok_or_else(|| {
        let names = Verb::ALL.map(Verb::as_str);
        let suggestions = corridor_pg::near::did_you_mean(&corridor_pg::near::near(text, names));
        Fault::new(&BAD_REQUEST, format!("nothing is called {text:?}{suggestions}"))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    key: String,
    value: Option<Value>,
    #[serde(default)]
    why: String,
}

pub(super) async fn set(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path((cluster, name)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let setting: Setting = read(&body)?;
    let wish = Wish::Set {
        key: setting.key,
        value: setting.value.as_ref().map(plain),
    };
    let came = act::ask(&console, &viewer, (&cluster, &name), wish, &setting.why).await?;
    Ok(Json(document(&came)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    file: String,
    text: String,
}

pub(super) async fn add(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path(cluster): Path<String>,
    body: Bytes,
) -> Answer {
    let sent: File = read(&body)?;
    let cluster = console.cluster(&cluster)?;
    let definition = file::read(&sent.file, &sent.text)?;
    console.host.check(&definition)?;
    let object = format!("migration {}/{}", cluster.name, definition.name);
    let detail = json!({ "file": sent.file });
    act::foretell(&console, &viewer, &cluster, ("add", &object, &detail)).await?;
    match add_to(&console, &cluster, &definition, (&viewer, &object, &detail)).await {
        Ok(what) => Ok(Json(
            json!({ "version": 1, "name": definition.name, "what": what }),
        )),
        Err(fault) => {
            act::retract(&console, &viewer, &object, "add", &fault).await;
            Err(fault.into())
        }
    }
}

async fn add_to(
    console: &Console,
    cluster: &host::Cluster,
    definition: &Definition,
    (viewer, object, detail): (&Viewer, &str, &Value),
) -> Result<Added> {
    let mut session = act::visit(console, cluster, "-").await?;
    corridor_migration::schema::ensure(&mut session).await?;
    let stored = shelf::standings(&**session).await?;
    let names = stored.iter().map(|one| one.name.to_string()).collect();
    corridor_migration::definition::graph::order(std::slice::from_ref(definition), &names)?;
    let audited = Audited {
        actor: &viewer.signature(),
        object,
        detail,
    };
    shelf::add_audited(&mut session, definition, &viewer.actor(), &audited).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configured {
    value: Option<Value>,
}

pub(super) async fn configure(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path(key): Path<String>,
    body: Bytes,
) -> Answer {
    let sent: Configured = read(&body)?;
    let value = sent.value.as_ref().map(plain);
    console.host.set(&key, value.as_deref(), &viewer.actor()).await?;
    Ok(Json(json!({ "version": 1, "key": key })))
}
