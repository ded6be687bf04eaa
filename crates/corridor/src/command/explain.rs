//! `corridor explain`: the page behind a code.

use corridor_pg::{Code, Result};
use serde::Serialize;

use super::{Context, DONE};
use crate::args::Explain;
use crate::fault;
use crate::output::Output;
use crate::output::page::{self, CodeDocument};

#[derive(Serialize)]
struct ListDocument {
    codes: Vec<CodeDocument>,
}

/// Shows one page, the codes with a number, or all of them.
pub(crate) fn run(context: &Context, args: &Explain) -> Result<u8> {
    let output = &context.output;
    let Some(text) = &args.code else {
        return list(output, fault::all().collect());
    };
    let namesakes = fault::with_number(text);
    if !namesakes.is_empty() {
        return list(output, namesakes);
    }
    let code = fault::find(text).ok_or_else(|| fault::no_such_code(text))?;
    if output.is_json() {
        output.document(&CodeDocument::of(code))?;
    } else {
        output.data(&page::page(code))?;
    }
    Ok(DONE)
}

/// Shows a list of codes, room by room.
fn list(output: &Output, codes: Vec<&'static Code>) -> Result<u8> {
    if output.is_json() {
        let codes = codes.into_iter().map(CodeDocument::of).collect();
        output.document(&ListDocument { codes })?;
        return Ok(DONE);
    }
    let mut rooms = fault::rooms();
    for (_, of_room) in &mut rooms {
        of_room.retain(|code| codes.iter().any(|wanted| wanted.id == code.id));
    }
    rooms.retain(|(_, of_room)| !of_room.is_empty());
    output.data(&page::list(&rooms))?;
    Ok(DONE)
}
