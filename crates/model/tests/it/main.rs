//! The protocol, gone through.

#![allow(clippy::print_stdout)] // the stories are what these tests are for

mod reader;
mod right;
mod wide;
mod worlds;
mod wrong;
