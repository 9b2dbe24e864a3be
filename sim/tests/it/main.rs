//! The simulator in this process, driven over real sockets as a client would.

mod faults;
mod oauth;
mod protocol;
mod support;
mod trading;
