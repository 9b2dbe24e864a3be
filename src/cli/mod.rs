//! The command line.

use std::process::ExitCode;

/// Starts the program.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
