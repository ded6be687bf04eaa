//! `corridor set`: the settings of a migration, also while it runs.

use corridor_migration::lease::this_process;
use corridor_migration::setting::{definition, normalise};
use corridor_migration::{Name, store};
use corridor_pg::{FaultContext, Isolation, Result};
use serde::Serialize;

use super::{Context, DONE, assignment};
use crate::args::Set;
use crate::output::settings::{self, SettingDocument};
use crate::output::text::harmless;

/// The word that gives a setting its default back.
const DEFAULT: &str = "default";

#[derive(Serialize)]
struct SettingsDocument<'a> {
    name: &'a Name,
    settings: Vec<SettingDocument<'a>>,
}

/// Lists the settings, or changes all that are given, in one transaction.
pub(crate) async fn run(context: &Context, args: &Set) -> Result<u8> {
    let name = Name::new(&*args.name)?;
    let wanted = args
        .settings
        .iter()
        .map(|text| assignment(text))
        .collect::<Result<Vec<_>>>()?;
    for (key, value) in &wanted {
        // Before anything is looked up: a wrong word is told at once.
        definition(key)?;
        if *value != DEFAULT {
            normalise(key, value)?;
        }
    }
    let mut session = context.session_for(&name).await?;
    let by = this_process(context.connect_options()?.user());
    let tx = session.begin(Isolation::ReadCommitted).await?;
    let migration = store::load(&tx, &name).await?;
    let before = store::stored_settings(&tx, migration.id).await?;
    for (key, value) in &wanted {
        match *value {
            DEFAULT => store::unset(&tx, migration.id, key, &by).await?,
            value => drop(store::set(&tx, migration.id, key, value, &by).await?),
        }
    }
    let stored = store::stored_settings(&tx, migration.id).await?;
    tx.commit()
        .await
        .doing(|| format!("changing settings of {name}"))?;

    if context.output.is_json() {
        let mut settings = settings::documents(&stored);
        if !wanted.is_empty() {
            settings.retain(|setting| wanted.iter().any(|(key, _)| setting.is_about(key)));
        }
        let document = SettingsDocument {
            name: &name,
            settings,
        };
        context.output.document(&document)?;
    } else if wanted.is_empty() {
        context.output.data(&settings::list(&stored))?;
    } else {
        for (key, _) in &wanted {
            let definition = definition(key)?;
            let value = |of: &std::collections::BTreeMap<String, store::StoredSetting>| {
                let value = of.get(definition.key).map_or(definition.default, |s| &s.value);
                settings::with_unit(definition, value)
            };
            let line = format!("{} = {} (was {})", definition.key, value(&stored), value(&before));
            context.output.data(&harmless(&line))?;
        }
    }
    Ok(DONE)
}
