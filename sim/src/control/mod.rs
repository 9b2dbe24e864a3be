//! The control interface: what tests ask of the simulator and tell it. It has a port of its own, which no fault touches.

pub(crate) mod api;
pub(crate) mod fault;
pub(crate) mod record;
