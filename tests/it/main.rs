//! One integration binary; each area is a module.

mod approve;
mod clients;
mod house;
mod relay;
mod secrets;
mod signin;
mod support;
mod trade;
mod verbs;
