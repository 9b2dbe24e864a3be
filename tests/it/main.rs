//! One integration binary; each area is a module.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod approve;
mod brakes;
mod clients;
mod clients_files;
mod crash;
mod eras;
mod eras_up;
mod held;
mod house;
mod own;
mod pages;
mod passkey;
mod plain;
mod policy;
mod relay;
mod secrets;
mod setup;
mod signin;
mod support;
mod threats;
mod trade;
mod verbs;
