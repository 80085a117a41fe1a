//! What a user does with the program, from the command line and over HTTP.

mod accounts;
mod alerts;
mod commands;
mod definitions;
mod demo;
mod frames;
mod front_door;
mod package;
mod read_your_writes;
mod secrets;
mod tls;
mod watch;
