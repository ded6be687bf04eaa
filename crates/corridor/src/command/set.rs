//! `corridor set`: the settings of a migration, also while it runs.

use corridor_migration::lease::this_process;
use corridor_migration::setting::{definition, normalise};
use corridor_migration::{Name, schema, store};
use corridor_pg::{FaultContext, Isolation, Result};
use serde::Serialize;

use super::{Context, DONE, assignment};
use crate::args::Set;
use crate::output::settings::{self, SettingDocument, Stored};
use crate::output::text::harmless;

/// The word that gives a setting its default back.
const DEFAULT: &str = "default";

#[derive(Serialize)]
struct SettingsDocument<'a> {
    /// `null`: all of this database.
    name: Option<&'a Name>,
    settings: Vec<SettingDocument<'a>>,
}

/// What was set before, and what is now.
struct Change {
    before: Stored,
    now: Stored,
}

/// Lists the settings, or changes all that are given, in one transaction.
pub(crate) async fn run(context: &Context, args: &Set) -> Result<u8> {
    // With --all there is no name: the first word is an assignment too.
    let first = args.name.as_ref().filter(|_| args.all);
    let wanted = first
        .into_iter()
        .chain(&args.settings)
        .map(|text| assignment(text))
        .collect::<Result<Vec<_>>>()?;
    for (key, value) in &wanted {
        // Before anything is looked up: a wrong word is told at once.
        definition(key)?;
        if *value != DEFAULT {
            normalise(key, value)?;
        }
    }
    let name = match args.all {
        true => None,
        false => Some(Name::new(args.name.as_deref().unwrap_or_default())?),
    };
    let change = match &name {
        Some(name) => of_one(context, name, &wanted, &args.why.why).await?,
        None => of_all(context, &wanted, &args.why.why).await?,
    };
    show(context, name.as_ref(), &wanted, &change)
}

async fn of_one(context: &Context, name: &Name, wanted: &[(&str, &str)], why: &str) -> Result<Change> {
    let mut session = context.session_for(name).await?;
    let by = this_process(context.connect_options()?.user());
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let migration = store::load(&tx, name).await?;
    let read = async || -> Result<Stored> {
        Ok(Stored {
            own: store::stored_settings(&tx, migration.id).await?,
            of_all: store::stored_defaults(&tx).await?,
        })
    };
    let before = read().await?;
    for (key, value) in wanted {
        match *value {
            DEFAULT => store::unset(&tx, migration.id, key, (&by, why)).await?,
            value => drop(store::set(&tx, migration.id, key, value, (&by, why)).await?),
        }
    }
    let now = read().await?;
    tx.commit()
        .await
        .doing(|| format!("changing settings of {name}"))?;
    Ok(Change { before, now })
}

/// Of all migrations of this database that have no value of their own, those to come as well.
async fn of_all(context: &Context, wanted: &[(&str, &str)], why: &str) -> Result<Change> {
    let mut session = context.session("-").await?;
    if !wanted.is_empty() {
        schema::ensure(&mut session).await?;
    }
    let by = this_process(context.connect_options()?.user());
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let read = async || -> Result<Stored> {
        Ok(Stored {
            of_all: store::stored_defaults(&tx).await?,
            ..Stored::default()
        })
    };
    let before = read().await?;
    for (key, value) in wanted {
        match *value {
            DEFAULT => store::unset_default(&tx, key, (&by, why)).await?,
            value => drop(store::set_default(&tx, key, value, (&by, why)).await?),
        }
    }
    let now = read().await?;
    tx.commit()
        .await
        .doing(|| "changing settings of all migrations")?;
    Ok(Change { before, now })
}

fn show(context: &Context, name: Option<&Name>, wanted: &[(&str, &str)], change: &Change) -> Result<u8> {
    if context.output.is_json() {
        let mut settings = settings::documents(&change.now);
        if !wanted.is_empty() {
            settings.retain(|setting| wanted.iter().any(|(key, _)| setting.is_about(key)));
        }
        context.output.document(&SettingsDocument { name, settings })?;
    } else if wanted.is_empty() {
        context.output.data(&settings::list(&change.now))?;
    } else {
        for (key, _) in wanted {
            let definition = definition(key)?;
            let value = |of: &Stored| {
                let value = of.get(definition.key).0.map_or(definition.default, |s| &s.value);
                settings::with_unit(definition, value)
            };
            let (now, before) = (value(&change.now), value(&change.before));
            let line = format!("{} = {now} (was {before})", definition.key);
            context.output.data(&harmless(&line))?;
        }
    }
    Ok(DONE)
}
