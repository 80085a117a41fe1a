//! What a user does with the program, from the command line and over HTTP.

mod alerts;
mod commands;
mod definitions;
mod demo;
mod frames;
mod read_your_writes;
mod watch;
