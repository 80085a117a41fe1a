//! The server beside other programs: brokers, clients, object stores, readers of its tables, another
//! database that is asked the same questions.

mod clients;
mod mqtt;
mod notify;
mod readers;
mod s3;
mod sql;
