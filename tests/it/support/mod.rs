//! What the areas share.

pub(crate) mod desktop;
