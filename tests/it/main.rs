//! One integration binary; each area is a module.

mod approve;
mod house;
mod relay;
mod support;
mod trade;
