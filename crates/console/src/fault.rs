//! The codes of this room.

use corridor_pg::{Code, Exit, Retry};

macro_rules! codes {
    ($($name:ident $id:literal $exit:ident $title:literal $hint:literal $page:literal)*) => {
        $(
            #[doc = $title]
            pub static $name: Code = Code {
                id: $id,
                title: $title,
                retry: Retry::Never,
                exit: Exit::$exit,
                hint: $hint,
                page: $page,
            };
        )*
        /// All codes of the console.
        pub static CODES: &[&Code] = &[$(&$name),*];
    };
}

codes! {
NO_RANDOMNESS "CON-001" BadResult
    "no secret can be drawn"
    "Look at the operating system: its random numbers, its memory."
    "Sign-ins and tokens are random numbers of the operating system, and passwords are hashed with 19 MiB of memory. One of the two was refused. Nothing was changed."
BAD_ACCOUNT "CON-002" Usage
    "an account cannot be called that"
    "Use a-z, 0-9, and . _ @ - behind the first character; at most 63 characters."
    "The name of an account is what people type to sign in, and what the journal shows. Nothing was changed."
BAD_PASSWORD "CON-003" Usage
    "the password cannot be taken"
    "Use at least 12 characters; four words do."
    "Passwords have at least 12 characters and at most 1,000 bytes; nothing else is asked of them. Whoever changes his own says the old one first, and the new one twice. Nothing was changed."
ACCOUNT_TAKEN "CON-004" Refused
    "there is such an account already"
    "`corridor user list` lists them; `corridor user password NAME` gives one another password."
    "Names of accounts are unique within the home of a service, which is the first cluster of its settings. Nothing was changed."
NO_SUCH_ACCOUNT "CON-005" Usage
    "there is no such account"
    "`corridor user list` lists them."
    "Accounts are kept in the home of the service: the database of the first cluster of its settings. Another database has other accounts. Nothing was changed."
LAST_ADMIN "CON-006" Refused
    "nobody would be left who may change accounts"
    "Make another account an admin first: `corridor user add NAME --role admin`."
    "The last admin that is not disabled can neither be disabled, removed nor become something less. Nothing was changed."
NOT_SIGNED_IN "CON-007" Refused
    "nobody knows who you are"
    "Sign in; a program sends `Authorization: Bearer TOKEN`."
    "The request had no cookie of a sign-in and no token, or they have expired, or their account is disabled. Tokens are made under *Account* in the console, or with `corridor user token NAME`. Nothing was changed."
NOT_ALLOWED "CON-008" Refused
    "your role does not allow that"
    "Ask an admin of this service."
    "A viewer looks; an operator also starts, pauses, stops, cuts over, rolls back and finishes; an admin also changes accounts and settings. A token never may more than the role that it was made with. Nothing was changed."
FORGED "CON-009" Refused
    "the request does not come from a page of this console"
    "Load the page again and send it again."
    "A request that changes something and is signed by a cookie must bring back the secret of the page that it came from, so that another site cannot have your browser send it. The page was too old, you have signed in again since, or another site sent it. Nothing was changed."
WRONG_PASSWORD "CON-010" Refused
    "name or password is wrong"
    "Try again; an admin can give you another password."
    "There is no account of this name with this password, or it is disabled. Which of it is not said. Nothing was changed."
TOO_MANY_TRIES "CON-011" Refused
    "too many tries to sign in"
    "Wait for the time that the message says."
    "Behind five failures of a name or of an address each further one makes the next try wait, twice as long each time, up to 15 minutes. A try before that is not looked at."
NO_SUCH_TOKEN "CON-012" Usage
    "there is no such token"
    "The page *Account* lists yours."
    "Tokens have a name within their account. One that was removed is gone for good. Nothing was changed."
TOKEN_TAKEN "CON-013" Refused
    "you have a token of that name already"
    "Take another name, or remove the old token first."
    "Tokens have a name within their account, so that one can tell which program has which. Nothing was changed."
BAD_REQUEST "CON-014" Usage
    "the request cannot be read"
    "`GET /api/openapi.json` says what each address takes."
    "A field is missing, has the wrong form or is not known, or the body is no JSON or form. The message names it. Nothing was changed."
NO_ANSWER "CON-015" CannotConnect
    "the cluster did not answer in time"
    "Look at the cluster; `corridor check` names what stops a server."
    "The service asked the database and got no answer within its time limit, or could not connect. What was asked for is not done; whether an order was left can be seen in the journal of the migration."
NOTHING_HERE "CON-016" Usage
    "there is nothing at this address"
    "Begin at `/`, or at `GET /api/openapi.json`."
    "The address is unknown to this version of the service. Nothing was changed."
TLS_FILES "CON-017" Usage
    "the files for TLS cannot be used"
    "`tls.cert` and `tls.key` name PEM files: the certificate with its chain, and its private key."
    "The certificate or its key cannot be read, is not PEM, or the two do not belong together. The service did not start."
NOT_HERE "CON-018" Refused
    "this cannot be asked for of this migration"
    "The page of the migration shows what may be asked for now."
    "What may be asked for depends on the kind of the migration and on its state. Nothing was changed."
NO_SUCH_CLUSTER "CON-019" Usage
    "the service has no such cluster"
    "`GET /api/clusters` lists them."
    "The clusters of a service stand in its settings, under `[[clusters]]`; without any there is one, called `main`."
ANOTHER_METHOD "CON-020" Usage
    "this address takes another method"
    "The header `Allow` of the answer names the methods; `GET /api/openapi.json` says what each takes."
    "The address is known to the service, and not with this method. Nothing was changed."
}
