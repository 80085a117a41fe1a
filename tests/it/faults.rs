//! What must hold whatever fails: kills, full disks, damaged files, clocks that are set back, bad input, an
//! upgrade, a restore, too many clients.

mod backup;
mod bad_input;
mod clock;
mod connections;
mod disk;
mod kill;
mod log;
mod maintenance;
mod siege;
mod snapshots;
mod sql_fuzz;
mod streams;
mod takeover;
mod torture;
mod upgrade;
