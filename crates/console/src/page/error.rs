use axum::response::{Html, IntoResponse, Response};
pub(crate) fn answer(fault: &corridor_pg::Fault) -> Response {
    (
        crate::refusal::status(fault),
        Html(format!("{}", fault.code().id)),
    )
        .into_response()
}
