//! What a user does with the program, from the command line and over HTTP.

mod commands;
mod definitions;
mod demo;
mod frames;
mod package;
mod read_your_writes;
mod secrets;
mod watch;
