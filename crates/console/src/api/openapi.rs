//! The OpenAPI document, drawn from the table of routes.

use axum::Json;
use serde_json::{Map, Value, json};

use crate::access::identity::Access;
use crate::route::{self, Field, Form, Kind, Place, Route};

pub(super) async fn show() -> Json<Value> {
    Json(document())
}

/// OpenAPI 3.1.
pub(crate) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in route::all() {
        if route.kind == Kind::Page {
            continue;
        }
        let methods = paths.entry(route.path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_lowercase()] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Corridor",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the service of Corridor tells and takes. Documents carry a version; a field may be added at any \
                            time, one that goes or changes its meaning is a new version.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer" },
            },
            "schemas": {
                "Fault": {
                    "type": "object",
                    "required": ["version", "error"],
                    "properties": {
                        "version": { "type": "integer" },
                        "error": {
                            "type": "object",
                            "required": ["code", "title", "detail", "hint"],
                            "properties": {
                                "code": { "type": "string", "examples": ["CON-008"] },
                                "title": { "type": "string" },
                                "detail": { "type": "string" },
                                "hint": { "type": "string" },
                            },
                        },
                    },
                },
                "Document": {
                    "type": "object",
                    "properties": { "version": { "type": "integer" } },
                },
            },
        },
    })
}

fn operation(route: &Route) -> Value {
    let parameters: Vec<Value> = route
        .takes
        .iter()
        .filter(|field| field.place != Place::Body)
        .map(parameter)
        .collect();
    let mut operation = json!({
        "operationId": id(route),
        "summary": route.summary,
        "parameters": parameters,
        "responses": responses(route),
    });
    if let Access::Role(role) = route.access {
        operation["security"] = json!([{ "token": [] }]);
        operation["description"] = json!(format!("For accounts that are at least {role}."));
    }
    if route.method != axum::http::Method::GET {
        operation["requestBody"] = json!({
            "required": route.takes.iter().any(|field| field.place == Place::Body && field.is_required),
            "content": { "application/json": { "schema": body(&route.takes) } },
        });
    }
    operation
}

fn id(route: &Route) -> String {
    let words: Vec<String> = route
        .path
        .split('/')
        .map(|part| part.trim_matches(['{', '}']).replace(['.', '-'], "_"))
        .filter(|part| !part.is_empty())
        .collect();
    format!("{}_{}", route.method.as_str().to_lowercase(), words.join("_"))
}

fn parameter(field: &Field) -> Value {
    json!({
        "name": field.name,
        "in": if field.place == Place::Path { "path" } else { "query" },
        "required": field.is_required,
        "description": field.doc,
        "schema": schema(field.form),
    })
}

fn schema(form: Form) -> Value {
    match form {
        Form::Text => json!({ "type": "string" }),
        Form::Whole => json!({ "type": "integer", "minimum": 0 }),
        Form::Switch => json!({ "type": "boolean" }),
        Form::Texts => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    }
}

fn body(takes: &[Field]) -> Value {
    let fields: Vec<&Field> = takes.iter().filter(|field| field.place == Place::Body).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|field| {
            let mut schema = schema(field.form);
            schema["description"] = json!(field.doc);
            (field.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.is_required)
        .map(|field| field.name)
        .collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn responses(route: &Route) -> Value {
    let fault = |words: &str| {
        json!({
            "description": words,
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Fault" } } },
        })
    };
    let mut responses = json!({
        "200": {
            "description": "Done.",
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Document" } } },
        },
    });
    match route.path {
        "/healthz" => responses["200"]["content"] = json!({ "text/plain": {} }),
        "/metrics" => {
            responses["200"]["content"] = json!({ "application/openmetrics-text": {} });
        }
        "/readyz" => {
            responses["200"]["content"] = json!({ "application/json": {} });
            responses["503"] = json!({
                "description": "A cluster is not reachable.",
                "content": { "application/json": {} },
            });
        }
        _ => {}
    }
    if matches!(route.access, Access::Role(_)) {
        responses["401"] = fault("Nobody knows who asks (CON-007).");
        responses["403"] = fault("The role does not allow it (CON-008).");
    }
    if route.kind == Kind::Api {
        responses["400"] = fault("The request makes no sense.");
        responses["404"] = fault("There is no such cluster or migration.");
        responses["409"] = fault("Refused; nothing was changed.");
        responses["503"] = fault("The cluster is away (CON-015).");
    }
    responses
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_address_for_programs_is_in_it_once_with_its_fields() {
        let document = document();
        let mut ids = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(
                    ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                    "{path} {method}"
                );
                for part in path.split('/').filter(|part| part.starts_with('{')) {
                    let name = part.trim_matches(['{', '}']);
                    let parameters = operation["parameters"].as_array().unwrap();
                    assert!(
                        parameters.iter().any(|p| p["name"] == name && p["in"] == "path"),
                        "{path}"
                    );
                }
            }
        }
        assert!(ids.contains("post_api_clusters_cluster_migrations_name_do_verb"));
        let asked = &document["paths"]["/api/clusters/{cluster}/migrations/{name}/do/{verb}"]["post"];
        let properties = &asked["requestBody"]["content"]["application/json"]["schema"]["properties"];
        assert_eq!(properties["drop"]["type"], "boolean");
        assert_eq!(asked["security"][0]["token"], json!([]));
    }
}
