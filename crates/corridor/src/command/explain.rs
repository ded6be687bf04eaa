//! `corridor explain`: the page behind a code.

use corridor_pg::{Fault, Result};
use serde::Serialize;

use super::{Context, DONE};
use crate::args::Explain;
use crate::fault::{self, NO_SUCH_CODE};
use crate::output::page::{self, CodeDocument};

#[derive(Serialize)]
struct ListDocument {
    codes: Vec<CodeDocument>,
}

/// Shows one page, or the list.
pub(crate) fn run(context: &Context, args: &Explain) -> Result<u8> {
    let output = &context.output;
    let Some(text) = &args.code else {
        if output.is_json() {
            let codes = fault::all().map(CodeDocument::of).collect();
            output.document(&ListDocument { codes })?;
        } else {
            output.data(&page::list(&fault::rooms()))?;
        }
        return Ok(DONE);
    };
    let code = fault::find(text).ok_or_else(|| Fault::new(&NO_SUCH_CODE, format!("{text:?}")))?;
    if output.is_json() {
        output.document(&CodeDocument::of(code))?;
    } else {
        output.data(&page::page(code))?;
    }
    Ok(DONE)
}
