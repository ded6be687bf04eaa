//! The whole table of states and verbs, and what no sequence of events may bring about.

use proptest::prelude::*;

use super::*;

/// Every state, once for each kind of data that matters.
fn all_states() -> Vec<State> {
    let courses = [
        Course::Forward,
        Course::Hold,
        Course::SwapBack,
        Course::CleanUp,
        Course::Stop,
        Course::Finish,
    ];
    let mut states = vec![
        State::Planned,
        State::Running,
        State::Waiting {
            for_what: Wait::Cutover,
        },
        State::CuttingOver,
        State::Waiting {
            for_what: Wait::Finish,
        },
        State::RollingBack {
            side: Side::AfterCutover,
        },
        State::RollingBack {
            side: Side::BeforeCutover,
        },
        State::Stopping,
        State::Finishing,
        State::RolledBack,
        State::Stopped,
        State::Finished,
    ];
    for course in courses {
        states.push(State::Paused {
            by: "p".into(),
            why: String::new(),
            course,
        });
        states.push(State::Failed {
            code: "PG-007".into(),
            detail: "d".into(),
            course,
        });
    }
    for swap in [Swap::Forward, Swap::Back] {
        states.push(State::Ambiguous {
            what: "w".into(),
            swap,
        });
    }
    states
}

fn short(state: &State) -> String {
    match state {
        State::Waiting { for_what } => format!("waiting({})", word(for_what)),
        State::RollingBack { side } => format!("rolling_back({})", word(side)),
        State::Paused { course, .. } => format!("paused({})", word(course)),
        State::Failed { course, .. } => format!("failed({})", word(course)),
        State::Ambiguous { swap, .. } => format!("ambiguous({})", word(swap)),
        plain => plain.name().to_string(),
    }
}

/// The name that serde gives to a value without data.
fn word(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn table() -> String {
    let mut out = String::new();
    for state in all_states() {
        out.push_str(&format!("{}\n", short(&state)));
        for verb in Verb::ALL {
            let line = match step(&state, &Event::asked(verb, "p")) {
                Ok((next, actions)) => format!("{} {}", short(&next), names(&actions)),
                Err(refusal) => format!("- {}", refusal.why),
            };
            out.push_str(&format!("  {:<9}{line}\n", verb.as_str()));
        }
    }
    out
}

fn names(actions: &[Action]) -> String {
    let words: Vec<_> = actions.iter().map(word).collect();
    format!("[{}]", words.join(" "))
}

#[test]
fn every_verb_in_every_state() {
    insta::assert_snapshot!(table(), @r#"
    planned
      start    running [work]
      resume   - it has not been started; use `start`
      pause    - no work is going on that could be paused
      stop     stopped [leave]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - it has not been started; use `start`
      rollback rolled_back [leave]
      finish   - it has not been started; use `start`
    running
      start    - it has been started already; `resume` takes it up again
      resume   running [work]
      pause    paused(forward) [leave]
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - it is not ready yet; wait until it is, or set `cutover.auto=on`
      rollback rolling_back(before_cutover) [clean_up]
      finish   - there was no cut-over yet; only then is there something to retire
    waiting(cutover)
      start    - it has been started already; `resume` takes it up again
      resume   waiting(cutover) [catch_up]
      pause    paused(forward) [leave]
      stop     stopping [clean_up]
      verify   running [verify]
      cutover  cutting_over [swap]
      rollback rolling_back(before_cutover) [clean_up]
      finish   - there was no cut-over yet; only then is there something to retire
    cutting_over
      start    - it has been started already; `resume` takes it up again
      resume   cutting_over [look_up_owner swap]
      pause    paused(forward) [leave]
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  cutting_over [look_up_owner swap]
      rollback rolling_back(before_cutover) [clean_up]
      finish   - there was no cut-over yet; only then is there something to retire
    waiting(finish)
      start    - it has been started already; `resume` takes it up again
      resume   waiting(finish) [mirror_back]
      pause    paused(hold) [leave]
      stop     - the application already uses the new table; `rollback` goes back and keeps every write, `finish` stays
      verify   waiting(finish) [verify]
      cutover  - there is no cut-over to make any more
      rollback rolling_back(after_cutover) [swap_back]
      finish   finishing [retire]
    rolling_back(after_cutover)
      start    - it has been started already; `resume` takes it up again
      resume   rolling_back(after_cutover) [look_up_owner swap_back]
      pause    paused(swap_back) [leave]
      stop     - it is being rolled back already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(after_cutover) [look_up_owner swap_back]
      finish   finishing [retire]
    rolling_back(before_cutover)
      start    - it has been started already; `resume` takes it up again
      resume   rolling_back(before_cutover) [clean_up]
      pause    paused(clean_up) [leave]
      stop     - it is being rolled back already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(before_cutover) [clean_up]
      finish   - it is being rolled back
    stopping
      start    - it has been started already; `resume` takes it up again
      resume   stopping [clean_up]
      pause    paused(stop) [leave]
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback - it is being stopped already, which cleans up the same
      finish   - it is being stopped
    finishing
      start    - it has been started already; `resume` takes it up again
      resume   finishing [retire]
      pause    paused(finish) [leave]
      stop     - the old table is being retired already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback - the old table is being retired; there is no way back
      finish   finishing [retire]
    rolled_back
      start    - the migration has ended
      resume   - the migration has ended
      pause    - the migration has ended
      stop     - the migration has ended
      verify   - the migration has ended
      cutover  - the migration has ended
      rollback - the migration has ended
      finish   - the migration has ended
    stopped
      start    - the migration has ended
      resume   - the migration has ended
      pause    - the migration has ended
      stop     - the migration has ended
      verify   - the migration has ended
      cutover  - the migration has ended
      rollback - the migration has ended
      finish   - the migration has ended
    finished
      start    - the migration has ended
      resume   - the migration has ended
      pause    - the migration has ended
      stop     - the migration has ended
      verify   - the migration has ended
      cutover  - the migration has ended
      rollback - the migration has ended
      finish   - the migration has ended
    paused(forward)
      start    - it has been started already; `resume` takes it up again
      resume   running [work]
      pause    - no work is going on that could be paused
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - `resume` it first; the cut-over needs a worker that keeps the new table in step
      rollback rolling_back(before_cutover) [clean_up]
      finish   - there was no cut-over yet; only then is there something to retire
    failed(forward)
      start    - it has been started already; `resume` takes it up again
      resume   running [work]
      pause    - no work is going on that could be paused
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - `resume` it first; the cut-over needs a worker that keeps the new table in step
      rollback rolling_back(before_cutover) [clean_up]
      finish   - there was no cut-over yet; only then is there something to retire
    paused(hold)
      start    - it has been started already; `resume` takes it up again
      resume   waiting(finish) [mirror_back]
      pause    - no work is going on that could be paused
      stop     - the application already uses the new table; `rollback` goes back and keeps every write, `finish` stays
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(after_cutover) [swap_back]
      finish   finishing [retire]
    failed(hold)
      start    - it has been started already; `resume` takes it up again
      resume   waiting(finish) [mirror_back]
      pause    - no work is going on that could be paused
      stop     - the application already uses the new table; `rollback` goes back and keeps every write, `finish` stays
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(after_cutover) [swap_back]
      finish   finishing [retire]
    paused(swap_back)
      start    - it has been started already; `resume` takes it up again
      resume   rolling_back(after_cutover) [look_up_owner swap_back]
      pause    - no work is going on that could be paused
      stop     - it is being rolled back already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(after_cutover) [swap_back]
      finish   finishing [retire]
    failed(swap_back)
      start    - it has been started already; `resume` takes it up again
      resume   rolling_back(after_cutover) [look_up_owner swap_back]
      pause    - no work is going on that could be paused
      stop     - it is being rolled back already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(after_cutover) [swap_back]
      finish   finishing [retire]
    paused(clean_up)
      start    - it has been started already; `resume` takes it up again
      resume   rolling_back(before_cutover) [clean_up]
      pause    - no work is going on that could be paused
      stop     - it is being rolled back already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(before_cutover) [clean_up]
      finish   - it is being rolled back
    failed(clean_up)
      start    - it has been started already; `resume` takes it up again
      resume   rolling_back(before_cutover) [clean_up]
      pause    - no work is going on that could be paused
      stop     - it is being rolled back already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback rolling_back(before_cutover) [clean_up]
      finish   - it is being rolled back
    paused(stop)
      start    - it has been started already; `resume` takes it up again
      resume   stopping [clean_up]
      pause    - no work is going on that could be paused
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback - it is being stopped already, which cleans up the same
      finish   - it is being stopped
    failed(stop)
      start    - it has been started already; `resume` takes it up again
      resume   stopping [clean_up]
      pause    - no work is going on that could be paused
      stop     stopping [clean_up]
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback - it is being stopped already, which cleans up the same
      finish   - it is being stopped
    paused(finish)
      start    - it has been started already; `resume` takes it up again
      resume   finishing [retire]
      pause    - no work is going on that could be paused
      stop     - the old table is being retired already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback - the old table is being retired; there is no way back
      finish   finishing [retire]
    failed(finish)
      start    - it has been started already; `resume` takes it up again
      resume   finishing [retire]
      pause    - no work is going on that could be paused
      stop     - the old table is being retired already
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - there is no cut-over to make any more
      rollback - the old table is being retired; there is no way back
      finish   finishing [retire]
    ambiguous(forward)
      start    - it has been started already; `resume` takes it up again
      resume   ambiguous(forward) [look_up_owner]
      pause    - no work is going on that could be paused
      stop     - it is not known which table has the name; `resume` looks it up first
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - it is not known which table has the name; `resume` looks it up first
      rollback - it is not known which table has the name; `resume` looks it up first
      finish   - it is not known which table has the name; `resume` looks it up first
    ambiguous(back)
      start    - it has been started already; `resume` takes it up again
      resume   ambiguous(back) [look_up_owner]
      pause    - no work is going on that could be paused
      stop     - it is not known which table has the name; `resume` looks it up first
      verify   - there are no two tables in step to compare now; a running move verifies by itself
      cutover  - it is not known which table has the name; `resume` looks it up first
      rollback - it is not known which table has the name; `resume` looks it up first
      finish   - it is not known which table has the name; `resume` looks it up first
    "#);
}

#[test]
fn a_refusal_says_what_is_allowed() {
    let state = State::Waiting {
        for_what: Wait::Finish,
    };
    let fault = Fault::from(step(&state, &Event::asked(Verb::Stop, "p")).unwrap_err());
    insta::assert_snapshot!(fault, @r#"MIG-007: this cannot be asked for now: `stop` while waiting: the application already uses the new table; `rollback` goes back and keeps every write, `finish` stays; allowed now: resume, pause, verify, rollback, finish"#);
}

fn some_event() -> impl Strategy<Value = Event> {
    let side = prop_oneof![Just(Side::BeforeCutover), Just(Side::AfterCutover)];
    prop_oneof![
        8 => (0..Verb::ALL.len()).prop_map(|i| Event::asked(Verb::ALL[i], "p")),
        1 => Just(Event::OperationStarted { operation: "copy".into() }),
        1 => Just(Event::OperationFinished { operation: "copy".into() }),
        1 => Just(Event::OperationFailed { operation: "copy".into(), code: "X".into(), detail: "d".into() }),
        1 => Just(Event::WorkFailed { code: "X".into(), detail: "d".into() }),
        3 => Just(Event::ReadyForCutover),
        1 => Just(Event::CutoverGivenUp { why: "busy".into() }),
        3 => Just(Event::CutOver),
        2 => Just(Event::SwappedBack),
        2 => Just(Event::CleanedUp),
        2 => Just(Event::Retired),
        1 => Just(Event::OwnershipAmbiguous { what: "w".into() }),
        2 => side.prop_map(|side| Event::OwnershipResolved { side }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Follows random events beside a model that knows only which table has the name.
    #[test]
    fn no_sequence_of_events_breaks_the_promises(events in prop::collection::vec(some_event(), 0..60)) {
        let legal: Vec<String> = all_states().iter().map(short).collect();
        let mut state = State::Planned;
        let mut owner = Side::BeforeCutover;
        for event in events {
            let before = state.clone();
            let Ok((next, actions)) = step(&state, &event) else {
                continue;
            };
            prop_assert!(!before.is_final(), "a final state has no way out: {before:?} {event:?}");
            prop_assert!(legal.contains(&short(&next)), "{next:?}");
            match &event {
                Event::CutOver => owner = Side::AfterCutover,
                Event::SwappedBack => owner = Side::BeforeCutover,
                Event::OwnershipResolved { side } => owner = *side,
                _ => {}
            }
            if let Some(side) = next.side() {
                prop_assert_eq!(side, owner, "{:?} --{:?}--> {:?}", before, event, next);
            }
            if actions.contains(&Action::CleanUp) {
                prop_assert_eq!(owner, Side::BeforeCutover, "cleaning up needs the old table in its place");
            }
            if owner == Side::AfterCutover {
                prop_assert!(step(&next, &Event::asked(Verb::Stop, "p")).is_err(), "stop after the cut-over");
            }
            if matches!(next, State::Paused { .. } | State::Failed { .. }) || next.is_final() {
                prop_assert_eq!(&actions[..], &[Action::Leave], "nothing is done when nobody should work");
            }
            state = next;
        }
    }

    /// Pausing and resuming changes nothing about where a migration goes.
    #[test]
    fn resume_takes_up_the_course_that_was_left(i in 0..40usize) {
        let states = all_states();
        let state = &states[i % states.len()];
        for leave in [
            Event::asked(Verb::Pause, "p"),
            Event::WorkFailed { code: "X".into(), detail: "d".into() },
        ] {
            if let Ok((left, _)) = step(state, &leave) {
                let (back, _) = step(&left, &Event::asked(Verb::Resume, "p")).unwrap();
                prop_assert_eq!(back.course(), state.course());
            }
        }
    }
}

#[test]
fn a_worker_after_a_dead_one_looks_up_who_has_the_name_before_it_swaps() {
    for state in all_states() {
        let Ok((next, actions)) = step(&state, &Event::asked(Verb::Resume, "p")) else {
            continue;
        };
        if duties(&next)
            .iter()
            .any(|a| matches!(a, Action::Swap | Action::SwapBack))
        {
            assert_eq!(actions[0], Action::LookUpOwner, "{state:?}");
        }
    }
}

#[test]
fn a_swap_that_was_paused_in_time_is_refused() {
    // The swap's own transaction applies `CutOver`: a pause that came first undoes the swap.
    let (paused, _) = step(&State::CuttingOver, &Event::asked(Verb::Pause, "p")).unwrap();
    let refusal = step(&paused, &Event::CutOver).unwrap_err();
    assert!(!refusal.is_asked);
}
