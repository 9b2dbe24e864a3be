//! One integration binary; each area is a module.

mod approve;
mod relay;
mod house;
mod support;
mod trade;
