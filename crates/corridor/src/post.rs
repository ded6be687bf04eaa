//! JSON to an address, by one request. What it answers beyond its status does not matter.

use std::time::Duration;

/// How long one delivery may take.
const DELIVERY_MAX: Duration = Duration::from_secs(10);

/// Posts it. Why it was not taken, without the address: secrets are in its path.
pub(crate) async fn json(address: String, body: String) -> Result<(), String> {
    let posted = tokio::task::spawn_blocking(move || send(&address, body)).await;
    posted.unwrap_or_else(|error| Err(error.to_string()))
}

fn send(address: &str, body: String) -> Result<(), String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(DELIVERY_MAX))
        .max_redirects(0)
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent
        .post(address)
        .header("content-type", "application/json")
        .header("user-agent", concat!("corridor/", env!("CARGO_PKG_VERSION")))
        .send(body)
        .map_err(|error| error.to_string())?;
    match answer.status().as_u16() {
        200..300 => Ok(()),
        status => Err(format!("it answered {status}")),
    }
}
