//! What must hold whatever fails: kills, full disks, damaged files, clocks that are set back, bad input, an
//! upgrade, a restore.

mod backup;
mod bad_input;
mod clock;
mod disk;
mod kill;
mod log;
mod maintenance;
mod snapshots;
mod sql_fuzz;
mod takeover;
mod torture;
mod upgrade;
