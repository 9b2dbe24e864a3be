//! What a modal dialog says about a card, and what a press of one of its buttons means: for the systems whose own prompt
//! is such a dialog.
//!
//! Owns: the layout, the ids of the buttons, the dwell, what counts as which end. Refuses to know: how a dialog is drawn;
//! who waits. Pure, so that it is tested wherever the tests run.

#[cfg(any(test, windows))]
pub(super) mod presence;
#[cfg(any(test, windows))]
pub(super) mod press;
#[cfg(any(test, target_os = "macos"))]
pub(super) mod script;

pub(super) mod layout;
