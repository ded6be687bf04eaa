//! What is asked of the databases.

/// A few connections for each cluster, shared by all who look.
#[derive(Default)]
pub(crate) struct Reader;
