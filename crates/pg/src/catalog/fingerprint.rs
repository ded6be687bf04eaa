//! Whether a table's definition is still the one that a plan was made for.

use serde::{Deserialize, Serialize};
use tokio_postgres::GenericClient;

use crate::fault::{Fault, FaultContext, NO_SUCH_OBJECT, Result};
use crate::value::Oid;

/// One aspect of a definition with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintEntry {
    /// A noun that reads after "its": `columns`, `indexes`, `owner and grants`.
    pub aspect: String,
    /// A digest of everything in that aspect.
    pub digest: String,
}

/// Digests of all aspects of a table's definition, in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub Vec<FingerprintEntry>);

impl Fingerprint {
    /// The aspects in which the two differ; empty when they are the same. An aspect that only one of them has
    /// differs.
    pub fn differs_from(&self, other: &Fingerprint) -> Vec<String> {
        let lacks = |in_: &Fingerprint, entry: &FingerprintEntry| !in_.0.contains(entry);
        let mut aspects: Vec<String> = Vec::new();
        let changed_here = self.0.iter().filter(|e| lacks(other, e));
        let changed_there = other.0.iter().filter(|e| lacks(self, e));
        for entry in changed_here.chain(changed_there) {
            if !aspects.contains(&entry.aspect) {
                aspects.push(entry.aspect.clone());
            }
        }
        aspects
    }
}

/// The fingerprint of relation `oid`, by one statement of a few milliseconds.
///
/// Unchanged by `vacuum`, `analyze`, `reindex` (also `concurrently`), inserts and sequences; blind to triggers whose
/// names begin with `corridor_` and to views whose comment begins with `corridor: fallback`. Fails with `PG-014` when
/// the relation is gone. Locks: `ACCESS SHARE` on catalogues.
pub async fn fingerprint(client: &impl GenericClient, oid: Oid) -> Result<Fingerprint> {
    let doing = || format!("taking the fingerprint of relation {oid}");
    let rows = client
        .query(include_str!("../../sql/catalog/fingerprint.sql"), &[&oid.0])
        .await
        .doing(doing)?;
    if rows.is_empty() {
        return Err(Fault::new(&NO_SUCH_OBJECT, format!("relation {oid} is gone")).doing(doing()));
    }
    rows.iter()
        .map(|row| {
            Ok(FingerprintEntry {
                aspect: row.try_get("aspect")?,
                digest: row.try_get("digest")?,
            })
        })
        .collect::<Result<_>>()
        .map(Fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Fingerprint {
        let entry = |&(aspect, digest): &(&str, &str)| FingerprintEntry {
            aspect: aspect.into(),
            digest: digest.into(),
        };
        Fingerprint(pairs.iter().map(entry).collect())
    }

    #[test]
    fn the_differing_aspects_are_named_once() {
        let before = of(&[("columns", "a"), ("indexes", "b")]);
        let after = of(&[("columns", "a"), ("indexes", "c"), ("rules", "d")]);
        assert_eq!(before.differs_from(&before), Vec::<String>::new());
        assert_eq!(before.differs_from(&after), ["indexes", "rules"]);
        assert_eq!(after.differs_from(&before), ["indexes", "rules"]);
    }
}
