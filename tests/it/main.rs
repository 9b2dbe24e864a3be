//! One integration binary; each area is a module.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod approve;
mod clients;
mod house;
mod policy;
mod relay;
mod secrets;
mod signin;
mod support;
mod trade;
mod verbs;
