//! How each kind of object that hangs on a table gets to the new one, and back.
