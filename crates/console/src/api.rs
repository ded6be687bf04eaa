//! The interface for programs: JSON in, JSON out, every document with a version.
//!
//! A program sends `Authorization: Bearer TOKEN`. A page's own script may use the cookie, and then sends the page's secret as
//! `X-CSRF-Token`.

pub(crate) mod act;
mod look;
mod openapi;
mod operations;

use axum::http::Method;
use axum::routing::{get, post};

use crate::access::identity::Access;
use crate::route::{ADMIN, Form, Kind, OPERATOR, Place, Route, VIEWER};

const IN_QUERY: (Place, Form) = (Place::Query, Form::Text);
const IN_BODY: (Place, Form) = (Place::Body, Form::Text);

/// Its addresses.
pub(crate) fn routes() -> Vec<Route> {
    let open = |path, summary, handler| {
        Route::new(
            Method::GET,
            path,
            Access::Open,
            Kind::Operations,
            summary,
            handler,
        )
    };
    let look = |path, summary, handler| Route::new(Method::GET, path, VIEWER, Kind::Api, summary, handler);
    let act =
        |path, access, summary, handler| Route::new(Method::POST, path, access, Kind::Api, summary, handler);
    let why = |route: Route| {
        route.taking(
            "why",
            IN_BODY,
            false,
            "Why, for whoever comes later; kept in the journal.",
        )
    };
    vec![
        open("/healthz", "200: the process is there.", get(operations::health)),
        open(
            "/readyz",
            "200 when every cluster was reached within the last minute, else 503 with the reasons.",
            get(operations::readiness),
        ),
        Route::new(
            Method::GET,
            "/metrics",
            VIEWER,
            Kind::Operations,
            "OpenMetrics.",
            get(operations::metrics),
        ),
        look("/api/openapi.json", "This document.", get(openapi::show)),
        look("/api/me", "Who asks, and what that account may do.", get(look::me)),
        look("/api/clusters", "The clusters, and what is the matter with them.", get(look::clusters)),
        look(
            "/api/gate",
            "Which migrations stand in the way of a version of the application; starts nothing.",
            get(look::gate),
        )
        .taking("app_version", IN_QUERY, true, "The version that is to be installed: 1.42.0.")
        .taking("installed", IN_QUERY, false, "The version that is installed now.")
        .taking("cluster", IN_QUERY, false, "Of this cluster only."),
        look(
            "/api/clusters/{cluster}/migrations",
            "All migrations, the newest first, at most 1,000.",
            get(look::migrations),
        ),
        look(
            "/api/clusters/{cluster}/migrations/{name}",
            "One, as `corridor status NAME --json` says it.",
            get(look::one),
        ),
        look(
            "/api/clusters/{cluster}/migrations/{name}/plan",
            "The frozen plan of one.",
            get(look::plan),
        ),
        look(
            "/api/clusters/{cluster}/migrations/{name}/journal",
            "What happened to one, oldest first.",
            get(look::journal),
        )
        .taking("after", (Place::Query, Form::Whole), false, "Only entries behind this number.")
        .taking("limit", (Place::Query, Form::Whole), false, "So many of the newest; 1,000 at most."),
        look("/api/settings", "The settings of the service, and where each comes from.", get(look::settings)),
        look("/api/audit", "What was done through the console and this interface, the newest first.", get(look::audit))
            .taking("before", (Place::Query, Form::Whole), false, "Only entries in front of this id.")
            .taking("limit", (Place::Query, Form::Whole), false, "So many; 1,000 at most."),
        why(act(
            "/api/clusters/{cluster}/migrations/{name}/do/{verb}",
            OPERATOR,
            "Asks for something: start, resume, pause, stop, verify, cutover, rollback, finish, skip, settle. Answers what came of it within two seconds.",
            post(act::ask),
        ))
        .taking("parameters", (Place::Body, Form::Texts), false, "With start: the parameters.")
        .taking("drop", (Place::Body, Form::Switch), false, "With finish of a move: drop the old table.")
        .taking("operation", IN_BODY, false, "With settle: the operation.")
        .taking("done", (Place::Body, Form::Switch), false, "With settle: it was done."),
        why(act(
            "/api/clusters/{cluster}/migrations/{name}/settings",
            OPERATOR,
            "Changes a setting of a migration, also while it runs.",
            post(act::set),
        ))
        .taking("key", IN_BODY, true, "Which.")
        .taking("value", IN_BODY, false, "To what; without it the default comes back."),
        act(
            "/api/clusters/{cluster}/migrations",
            ADMIN,
            "Adds migrations from a file's text, not started yet. It runs what it says, so only an admin may.",
            post(act::add),
        )
        .taking("file", IN_BODY, true, "The file's name, which says its form: 0003_fill.toml, 0004_index.sql.")
        .taking("text", IN_BODY, true, "What it says."),
        act(
            "/api/settings/{name}",
            ADMIN,
            "Changes a setting of the service.",
            post(act::configure),
        )
        .taking("value", IN_BODY, false, "To what; without it the change is taken back."),
    ]
}
