pub(crate) mod account;
pub(crate) mod accounts;
pub(crate) mod error;
pub(crate) mod login;

use crate::route::Route;

pub(crate) fn routes() -> Vec<Route> {
    Vec::new()
}
