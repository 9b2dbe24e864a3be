//! Whether this person has our commands, or only an extension with the program inside it.
//!
//! A bundle (`.mcpb`) is unpacked by the AI client into a folder of its own, and no terminal finds the program there by its
//! name. Who has nothing else must not be told to run a command. Owns: finding that out. Refuses to know: what is said then.

use super::bundle;
use crate::system::{Env, Paths, World};
use std::path::Path;

/// Whether `countersign …` is something that this person can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    /// It was put on this computer in a way that knows commands.
    Known,
    /// As far as can be seen it is here inside an AI client alone.
    Unknown,
}

impl Commands {
    /// For the program that runs now.
    pub fn of(world: &World) -> Self {
        std::env::current_exe().map_or(Self::Known, |program| {
            Self::at(&program, &world.env, &world.paths)
        })
    }

    fn at(program: &Path, env: &Env, paths: &Paths) -> Self {
        // An AI client started from a desktop may have another PATH than terminals: the installer's receipt says more.
        let installed = || paths.installed().exists() || is_on_path(program, env);
        if bundle::holds(program) && !installed() {
            Self::Unknown
        } else {
            Self::Known
        }
    }
}

fn is_on_path(program: &Path, env: &Env) -> bool {
    let (Some(name), Some(path)) = (program.file_name(), env.text("PATH")) else {
        return false;
    };
    std::env::split_paths(path).any(|folder| folder.is_absolute() && folder.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_a_program_that_lies_in_a_bundle_alone_has_no_commands() {
        let keep = tempfile::tempdir().unwrap();
        let paths = Paths::under(&keep.path().join("state"));
        let unpacked = keep.path().join("Claude Extensions/local.countersign");
        let program = unpacked.join("server/countersign");
        let elsewhere = keep.path().join("bin");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::create_dir_all(&elsewhere).unwrap();
        fs::write(&program, "").unwrap();
        let env = Env::of([("PATH", elsewhere.to_str().unwrap())]);
        // A folder of that shape without our manifest is somebody's own.
        assert_eq!(Commands::at(&program, &env, &paths), Commands::Known);
        fs::write(unpacked.join("manifest.json"), r#"{"name":"countersign"}"#).unwrap();
        assert_eq!(Commands::at(&program, &env, &paths), Commands::Unknown);
        assert_eq!(
            Commands::at(&elsewhere.join("countersign"), &env, &paths),
            Commands::Known
        );
        // A terminal finds one.
        fs::write(elsewhere.join("countersign"), "").unwrap();
        assert_eq!(Commands::at(&program, &env, &paths), Commands::Known);
        assert_eq!(Commands::at(&program, &Env::of([]), &paths), Commands::Unknown);
        // An installer has been here, whatever PATH this process was given.
        fs::create_dir_all(paths.state()).unwrap();
        fs::write(paths.installed(), "{}").unwrap();
        assert_eq!(Commands::at(&program, &Env::of([]), &paths), Commands::Known);
    }
}
