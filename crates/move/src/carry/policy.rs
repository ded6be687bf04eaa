//! Row security: the policies, and whether they bind.
//!
//! They come in the swap. Before it nobody but Corridor sees the new table, and a policy may ask the table itself, by its
//! name. The old table keeps its own: the reverse mirror writes as its owner, whom they do not bind, and whoever reads the
//! old table later still sees no more than he may.

use corridor_pg::Literal;
use corridor_pg::catalog::{Policy, PolicyCommand};
use corridor_pg::ident::join;

use super::{Carried, Carry};
use crate::fault::ROW_SECURITY;
use crate::plan::{LockMode, Step};

/// Makes every policy, and switches row security on as it was.
pub fn carry(carry: &Carry<'_>, out: &mut Carried) {
    let table = carry.table;
    if table.is_row_security_forced && !carry.is_bypassing_row_security {
        out.refuse(
            &ROW_SECURITY,
            format!(
                "row security is forced, so it binds {} too: rows that it hides would not be copied",
                carry.role
            ),
        );
    }
    let name = &carry.names.source;
    let locks = [(name, LockMode::AccessExclusive)];
    for policy in &table.policies {
        let what = format!("policy {}", policy.name);
        out.forward
            .attach
            .push(Step::new(what, create(carry, policy)).brief(locks));
        if let Some(comment) = &policy.comment {
            let sql = format!(
                "comment on policy {} on {name} is {}",
                policy.name,
                Literal(comment)
            );
            out.forward
                .finish
                .push(Step::new(format!("comment on policy {}", policy.name), sql).brief([]));
        }
    }
    for (is_set, word) in [
        (table.has_row_security, "enable"),
        (table.is_row_security_forced, "force"),
    ] {
        if is_set {
            out.forward.attach.push(
                Step::new(
                    format!("row security: {word}"),
                    format!("alter table {name} {word} row level security"),
                )
                .brief(locks),
            );
        }
    }
}

fn create(carry: &Carry<'_>, policy: &Policy) -> String {
    let kind = if policy.is_permissive {
        ""
    } else {
        " as restrictive"
    };
    let command = match policy.command {
        PolicyCommand::All => "all",
        PolicyCommand::Select => "select",
        PolicyCommand::Insert => "insert",
        PolicyCommand::Update => "update",
        PolicyCommand::Delete => "delete",
    };
    let roles = policy.roles.iter().map(|r| {
        r.as_ref()
            .map_or_else(|| "public".to_owned(), ToString::to_string)
    });
    let mut sql = format!(
        "create policy {} on {}{kind} for {command} to {}",
        policy.name,
        carry.names.source,
        join(roles, ", ")
    );
    if let Some(using) = &policy.using_sql {
        sql.push_str(&format!(" using ({using})"));
    }
    if let Some(check) = &policy.check_sql {
        sql.push_str(&format!(" with check ({check})"));
    }
    sql
}

#[cfg(test)]
mod tests {
    use corridor_pg::Oid;

    use super::*;
    use crate::carry::sample::{self, id};

    #[test]
    fn a_policy_is_said_whole_and_then_switched_on() {
        let mut table = sample::table("persons");
        table.has_row_security = true;
        table.policies.push(Policy {
            oid: Oid(1),
            name: id("own"),
            is_permissive: false,
            command: PolicyCommand::Update,
            roles: vec![None, Some(id("The App"))],
            using_sql: Some("(team_id = 1)".into()),
            check_sql: Some("(team_id > 0)".into()),
            comment: Some("why".into()),
        });
        let out = sample::carried(&table, carry);
        let sql: Vec<_> = out.forward.attach.iter().map(|s| s.sql.as_str()).collect();
        assert_eq!(
            sql,
            [
                "create policy own on public.persons as restrictive for update to public, \"The App\" \
                 using ((team_id = 1)) with check ((team_id > 0))",
                "alter table public.persons enable row level security",
            ]
        );
        assert_eq!(
            out.forward.finish[0].sql,
            "comment on policy own on public.persons is 'why'"
        );
        assert_eq!(out.refusals, []);
    }

    #[test]
    fn forced_row_security_needs_a_role_that_sees_all_rows() {
        let mut table = sample::table("persons");
        table.is_row_security_forced = true;
        assert_eq!(sample::carried(&table, carry).refusals[0].code, "MOV-030");
    }
}
