//! What the areas share.

pub(crate) mod browser;
pub(crate) mod desktop;
