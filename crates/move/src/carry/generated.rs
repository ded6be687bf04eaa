//! Generated columns. The mirror leaves them out; the target computes them itself.

use corridor_pg::catalog::Generated;

use super::{Carried, Carry};

/// Adds `generated always as (…) stored` or `virtual` behind the columns that are generated.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    for column in &carry.table.columns {
        if let (Some(kind), Some(sql)) = (column.generated, &column.generated_sql) {
            let kept = match kind {
                Generated::Stored => "stored",
                Generated::Virtual => "virtual",
            };
            out.column(&column.name, format!("generated always as ({sql}) {kept}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sample;

    #[test]
    fn a_generated_column_keeps_its_expression_and_kind() {
        let mut table = sample::table("persons");
        table.columns[2].generated = Some(Generated::Virtual);
        table.columns[2].generated_sql = Some("lower(name)".into());
        let out = sample::carried(&table, carry);
        assert_eq!(
            out.column_clauses[0].1,
            "generated always as (lower(name)) virtual"
        );
    }
}
