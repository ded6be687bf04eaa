//! What the tests share.

use corridor_limits::check::{self, Report};
use corridor_limits::probe::Scope;
use corridor_limits::{Finding, Past};
use corridor_pg::{ApplicationName, ConnectOptions};

/// All majors of this machine; only 15 for a quick run.
pub(crate) fn majors() -> Vec<u32> {
    if std::env::var_os("CORRIDOR_TEST_QUICK").is_some() {
        return vec![15];
    }
    corridor_testbed::Servers::find()
        .iter()
        .map(|installation| installation.major)
        .collect()
}

/// A check of the probes `only`, without a past.
pub(crate) async fn check(url: &str, only: &[&str], scope: &Scope) -> Report {
    check_with(url, only, scope, &Past::default()).await
}

/// A check of the probes `only`.
pub(crate) async fn check_with(url: &str, only: &[&str], scope: &Scope, past: &Past) -> Report {
    let options = ConnectOptions::from_process(Some(url)).unwrap();
    let session = options
        .connect(&ApplicationName::new("check", "-"))
        .await
        .unwrap();
    let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
    check::run(session, scope, &only, past).await.unwrap()
}

/// The finding of that code about that object.
pub(crate) fn find<'a>(report: &'a Report, code: &str, object: &str) -> Option<&'a Finding> {
    report
        .findings
        .iter()
        .find(|finding| finding.code.id == code && finding.object == object)
}
