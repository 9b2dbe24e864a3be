//! (terminal: next)
