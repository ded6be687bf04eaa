//! Codes of what the pages cannot show. `CON-020` to `CON-039`.

use corridor_pg::{Code, Exit, Retry};

/// A cluster does not answer in time.
pub static NO_ANSWER: Code = Code {
    id: "CON-020",
    title: "a cluster does not answer",
    retry: Retry::AfterReconnect,
    exit: Exit::CannotConnect,
    hint: "Look whether the server runs, and whether the service can reach it; the page asks again by itself.",
    page: "A page wanted to show something of a cluster, and had no answer within three seconds. Nothing was changed, \
           and work that is under way goes on: the console only looks.\n\n\
           - Does the server run, and does it take connections from the service's machine?\n\
           - Is it so busy that even short statements take seconds? `corridor status` asks the same.\n\
           - Are all its connections taken (`max_connections`)? The console needs at most four.\n",
};

/// A page that is not there.
pub static NO_SUCH_PAGE: Code = Code {
    id: "CON-021",
    title: "there is nothing here",
    retry: Retry::Never,
    exit: Exit::Usage,
    hint: "The fleet lists every cluster, and Migrations every migration.",
    page: "The address leads to no page: a cluster that the settings do not name, or a word that no page has.\n",
};

/// The codes of the pages.
pub static CODES: &[&Code] = &[&NO_ANSWER, &NO_SUCH_PAGE];
