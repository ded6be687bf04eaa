//! The dialog in front of everything that changes something: it says what will happen, and posts to its own address.
//!
//! A page of its own; loaded by htmx, the same without the frame.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use corridor_migration::Verb;
use corridor_migration::data::DataPlan;
use corridor_migration::definition::ParameterType;
use corridor_migration::setting::{DEFINITIONS, Definition, Kind};
use corridor_pg::Fault;
use serde::Deserialize;

use super::effect::{self, Deed};
use super::error::{self, Words};
use super::frame::Frame;
use super::html;
use super::migration::look;
use super::prose::filters;
use crate::Console;
use crate::access::Viewer;
use crate::fault::NOTHING_HERE;
use crate::read::one::One;

/// What the dialog is asked.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    key: String,
}

/// A field of the form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Field {
    name: String,
    label: String,
    hint: String,
    value: String,
    /// `text`, `number`, `area`, `choice`.
    kind: &'static str,
    is_required: bool,
    /// Value, label, chosen.
    choices: Vec<(String, String, bool)>,
}

/// What stands in the dialog.
pub(crate) struct Dialog {
    title: String,
    name: String,
    cluster: String,
    description: String,
    address: String,
    back: String,
    csrf: String,
    effects: Vec<(&'static str, String)>,
    fields: Vec<Field>,
    button: String,
    class: &'static str,
}

#[derive(Template)]
#[template(path = "dialog_page.html")]
struct Page {
    frame: Frame,
    dialog: Dialog,
}

#[derive(Template)]
#[template(path = "dialog.html")]
struct Part {
    dialog: Dialog,
}

/// `GET /clusters/{cluster}/migrations/{name}/do/{verb}`
pub(crate) async fn show(
    State(console): State<Arc<Console>>,
    Extension(viewer): Extension<Viewer>,
    Path((cluster, name, verb)): Path<(String, String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let refuse = |fault: &Fault| error::of_fault(&console, Some(&viewer), fault);
    let Some(deed) = Deed::parse(&verb) else {
        return refuse(&Fault::new(
            &NOTHING_HERE,
            format!("{verb:?} is nothing that can be asked for"),
        ));
    };
    let cluster = match console.cluster(&cluster) {
        Ok(cluster) => cluster,
        Err(fault) => return refuse(&fault),
    };
    let one = match look(&console, &cluster, &name).await {
        Ok(one) => one,
        Err(fault) => return refuse(&fault),
    };
    if !effect::deeds(&one).contains(&deed) {
        let allowed: Vec<&str> = effect::deeds(&one).into_iter().map(Deed::as_str).collect();
        let detail = format!("`{}` of {}: {}", deed.as_str(), one.status.name, one.status.words);
        let hint = match allowed.is_empty() {
            true => "Nothing can be asked for any more: it is over.".to_owned(),
            false => format!("Allowed now: {}.", allowed.join(", ")),
        };
        let words = Words {
            code: "",
            title: "That cannot be asked for now",
            detail: &detail,
            hint: &hint,
        };
        return error::render(&console, Some(&viewer), StatusCode::CONFLICT, &words);
    }
    let dialog = match dialog(&cluster.name, &one, deed, &viewer.csrf, &asked) {
        Ok(dialog) => dialog,
        Err(fault) => return refuse(&fault),
    };
    if headers.contains_key("hx-request") {
        return html(StatusCode::OK, &Part { dialog });
    }
    let title = format!("{} {}", dialog.button, dialog.name);
    let frame = Frame::new(&console, &viewer, "migrations", title).still();
    html(StatusCode::OK, &Page { frame, dialog })
}

/// The dialog; pure.
pub(crate) fn dialog(
    cluster: &str,
    one: &One,
    deed: Deed,
    csrf: &str,
    asked: &Asked,
) -> Result<Dialog, Fault> {
    let status = &one.status;
    let button = effect::button(deed, one);
    let back = format!("/clusters/{cluster}/migrations/{}", status.name);
    Ok(Dialog {
        title: format!("{button} {}?", status.name),
        name: status.name.to_string(),
        cluster: cluster.to_owned(),
        description: status.description.clone(),
        address: format!("{back}/do/{}", deed.as_str()),
        back: if deed == Deed::Set {
            format!("{back}?tab=settings")
        } else {
            back
        },
        csrf: csrf.to_owned(),
        effects: effect::effects(deed, one),
        fields: fields(one, deed, asked)?,
        button: button.to_owned(),
        class: effect::class(deed),
    })
}

fn fields(one: &One, deed: Deed, asked: &Asked) -> Result<Vec<Field>, Fault> {
    let mut fields = match deed {
        Deed::Verb(Verb::Start) => parameters(one),
        Deed::Verb(Verb::Finish) if one.move_plan.is_some() => vec![Field {
            name: "drop".to_owned(),
            label: "The old table".to_owned(),
            kind: "choice",
            choices: vec![
                (
                    "off".to_owned(),
                    "retire it: kept, out of the way".to_owned(),
                    true,
                ),
                ("on".to_owned(), "drop it: gone with its rows".to_owned(), false),
            ],
            ..Field::default()
        }],
        Deed::Settle => settle(one),
        Deed::Set => set(one, &asked.key)?,
        _ => Vec::new(),
    };
    let is_required = deed == Deed::Skip;
    fields.push(Field {
        name: "why".to_owned(),
        label: "Why".to_owned(),
        hint: if is_required {
            "Stands in the journal with your name."
        } else {
            "Optional; stands in the journal with your name."
        }
        .to_owned(),
        kind: "area",
        is_required,
        ..Field::default()
    });
    Ok(fields)
}

/// A field for each parameter, with its default.
fn parameters(one: &One) -> Vec<Field> {
    let Ok(plan) = DataPlan::read(&one.status.plan) else {
        return Vec::new();
    };
    plan.definition
        .parameters
        .iter()
        .map(|(name, parameter)| {
            let value = parameter.default.clone().unwrap_or_default();
            let choices = match parameter.kind {
                ParameterType::Boolean => ["true", "false"]
                    .into_iter()
                    .map(|choice| (choice.to_owned(), choice.to_owned(), value == choice))
                    .collect(),
                _ => Vec::new(),
            };
            Field {
                name: format!("p.{name}"),
                label: name.clone(),
                hint: match parameter.description.as_str() {
                    "" => parameter.kind.sql().to_owned(),
                    description => format!("{description} ({})", parameter.kind.sql()),
                },
                kind: match parameter.kind {
                    ParameterType::Boolean => "choice",
                    ParameterType::Json => "area",
                    ParameterType::Integer => "number",
                    _ => "text",
                },
                is_required: parameter.default.is_none(),
                choices,
                value,
            }
        })
        .collect()
}

fn settle(one: &One) -> Vec<Field> {
    let unsettled = one.unsettled();
    let operations = unsettled.iter().enumerate().map(|(place, attempt)| {
        let label = format!(
            "{} (try {}, begun {})",
            attempt.operation,
            attempt.number,
            corridor_migration::words::moment(&attempt.began_at)
        );
        (attempt.operation.clone(), label, place == 0)
    });
    vec![
        Field {
            name: "operation".to_owned(),
            label: "Operation".to_owned(),
            kind: "choice",
            choices: operations.collect(),
            ..Field::default()
        },
        Field {
            name: "outcome".to_owned(),
            label: "What you found".to_owned(),
            kind: "choice",
            is_required: true,
            choices: vec![
                ("done".to_owned(), "it was done".to_owned(), false),
                (
                    "again".to_owned(),
                    "it was not done: do it again".to_owned(),
                    false,
                ),
            ],
            ..Field::default()
        },
    ]
}

fn set(one: &One, key: &str) -> Result<Vec<Field>, Fault> {
    if key.is_empty() {
        let choices = DEFINITIONS
            .iter()
            .map(|definition| (definition.key.to_owned(), definition.key.to_owned(), false));
        return Ok(vec![
            Field {
                name: "key".to_owned(),
                label: "Setting".to_owned(),
                kind: "select",
                is_required: true,
                choices: choices.collect(),
                ..Field::default()
            },
            Field {
                name: "value".to_owned(),
                label: "Value".to_owned(),
                kind: "text",
                hint: "`default` gives it its default back.".to_owned(),
                is_required: true,
                ..Field::default()
            },
        ]);
    }
    let definition = corridor_migration::setting::definition(key)?;
    let now = one.status.settings.iter().find(|setting| setting.key == key);
    Ok(vec![
        Field {
            name: "key".to_owned(),
            value: key.to_owned(),
            kind: "hidden",
            ..Field::default()
        },
        Field {
            name: "value".to_owned(),
            label: key.to_owned(),
            value: now
                .map_or(definition.default, |setting| setting.value.as_str())
                .to_owned(),
            hint: format!(
                "{} {} Its default is {}; `default` gives it back.",
                definition.doc,
                wanted(definition),
                definition.default
            ),
            kind: if matches!(definition.kind, Kind::Query) {
                "area"
            } else {
                "text"
            },
            ..Field::default()
        },
    ])
}

/// What a value may be, in words.
pub(super) fn wanted(definition: &Definition) -> String {
    match definition.kind {
        Kind::Whole { min, max, unit } => {
            format!("A whole number from {min} to {max} {}", unit.as_str())
                .trim_end()
                .to_owned()
                + "."
        }
        Kind::Figure { min, max, .. } => format!("A number from {min} to {max}."),
        Kind::Limit { unit } => {
            format!("A number from 0 {}", unit.as_str()).trim_end().to_owned() + ", or `off`."
        }
        Kind::Auto { min, max } => format!("A number from {min} to {max}, or `auto`."),
        Kind::Switch => "`on` or `off`.".to_owned(),
        Kind::Query => "One query, or nothing.".to_owned(),
    }
}
