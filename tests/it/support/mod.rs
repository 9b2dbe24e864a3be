//! What the areas share.

pub(crate) mod browser;
pub(crate) mod desktop;
pub(crate) mod folder;
pub(crate) mod program;
pub(crate) mod sim;
pub(crate) mod terminal;
pub(crate) mod tools;
pub(crate) mod verb;
