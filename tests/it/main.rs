//! One integration binary; each area is a module.

mod approve;
mod support;
mod trade;
