//! Carrying out what a finding recommends, as it was printed.

use std::sync::Arc;
use std::time::Instant;

use corridor_limits::Finding;
use corridor_pg::Fault;

use super::account::Step;
use super::scene::Scene;
use crate::demo::Halt;
use crate::demo::figures::Phase;
use crate::demo::passage;
use crate::demo::verdict::{Claim, swapped, verified};
use crate::fault::DEMO;
use crate::output::number::millis;

impl Scene<'_> {
    /// Sends the recommended command, which is SQL, as it was printed.
    pub(super) async fn send(&mut self, finding: &Finding) -> Result<(), Halt> {
        let command = recommended(finding)?;
        let begun = Instant::now();
        self.run(&command).await?;
        self.step(finding, command.clone(), command, begun);
        Ok(())
    }

    /// Carries the recommended `corridor move` out, with what a demo adds to it.
    pub(super) async fn carry(&mut self, finding: &Finding, replace: (&str, &str)) -> Result<(), Halt> {
        let command = recommended(finding)?;
        let mut words = shell_words(&command);
        for word in words.iter_mut().filter(|word| *word == replace.0) {
            replace.1.clone_into(word);
        }
        words.push("--auto-cutover".to_owned());
        let carried_out = format!("{command} --auto-cutover").replacen(replace.0, replace.1, 1);
        self.board.begin_phase(Phase::Moving, &carried_out);
        let begun = Instant::now();
        let (url, ear, interrupt) = (self.url(), Arc::clone(&self.ear), self.interrupt.watch());
        let runtime = tokio::runtime::Handle::current();
        // On a thread of its own: the worker must not wait for a terminal that does not take what is drawn.
        let carried =
            tokio::task::spawn_blocking(move || runtime.block_on(passage::carry(url, words, ear, interrupt)));
        let carried = self.board.beside(self.traffic.as_ref(), None, carried).await?;
        let carried = carried.map_err(|error| {
            Fault::new(&DEMO, format!("the task of the move ended badly: {error}")).caused_by(error)
        })?;
        self.migration = Some(carried?.ok_or(Halt::Interrupted)?);
        self.measured(Phase::Moving, begun).await?;
        self.step(finding, command, carried_out, begun);
        Ok(())
    }

    /// `corridor finish NAME --drop`, when there was a move and the old table is still there.
    pub(super) async fn finish(&mut self) -> Result<(), Halt> {
        let Some(migration) = self.migration.take() else {
            return Ok(());
        };
        self.board.begin(&format!("corridor finish {migration} --drop"));
        let finished = passage::finish(self.url(), migration, self.interrupt.watch());
        self.board.beside(self.traffic.as_ref(), None, finished).await??;
        Ok(())
    }

    /// Takes down what was recommended, and what was carried out.
    pub(super) fn step(
        &mut self,
        finding: &Finding,
        recommended: String,
        carried_out: String,
        begun: Instant,
    ) {
        let took_ms = begun.elapsed().as_secs_f64() * 1_000.0;
        self.board
            .note(&format!("done in {}: {carried_out}", millis(took_ms)));
        self.steps.push(Step {
            code: finding.code.id,
            object: finding.object.clone(),
            way: finding.advice.as_ref().map(|advice| advice.way),
            recommended,
            carried_out,
            took_ms,
        });
    }

    /// The claims that a move makes.
    pub(super) fn moved(&self) -> [Claim; 2] {
        let story = self.ear.story();
        [verified(story.verification.as_ref()), swapped(story.swap)]
    }
}

/// The command that the finding's advice says to type.
pub(super) fn recommended(finding: &Finding) -> Result<String, Halt> {
    let command = finding.advice.as_ref().and_then(|advice| advice.command.clone());
    command.ok_or_else(|| {
        let why = format!(
            "{} {}: no command is recommended",
            finding.code.id, finding.object
        );
        Fault::new(&DEMO, why).into()
    })
}

/// A command as a shell takes it apart: at spaces, save within single quotes.
fn shell_words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_word) = (Vec::new(), String::new(), false, false);
    let mut characters = command.chars();
    while let Some(c) = characters.next() {
        match c {
            '\'' => (is_quoted, is_word) = (!is_quoted, true),
            '\\' if !is_quoted => word.extend(characters.next()),
            ' ' if !is_quoted => {
                if is_word || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_word = false;
            }
            other => word.push(other),
        }
    }
    if is_word || !word.is_empty() {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_taken_apart_as_by_a_shell() {
        assert_eq!(
            shell_words(r"corridor move 'public.a b' --x '' 'it'\''s'"),
            ["corridor", "move", "public.a b", "--x", "", "it's"]
        );
    }
}
