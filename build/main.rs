//! What the Windows program carries beside its code: the manifest, the version, the icon. Needs no tool of the platform.
//!
//! The manifest is no ornament: without it Windows gives the program a library that has no task dialog, and starts it
//! not at all.
#![expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by the environment"
)]

mod coff;
mod icon;
mod version;

use coff::{Machine, Resource};
use std::path::PathBuf;

const MANIFEST: &str = include_str!("countersign.manifest");
const ICON: &[u8] = include_bytes!("countersign.ico");

/// Kinds of resources.
const ICON_IMAGE: u32 = 3;
const ICON_GROUP: u32 = 14;
const VERSION: u32 = 16;
const SETTINGS: u32 = 24;

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build");
    if var("CARGO_CFG_TARGET_OS")? != "windows" {
        return Ok(());
    }
    let machine = match var("CARGO_CFG_TARGET_ARCH")?.as_str() {
        "x86_64" => Machine::X64,
        "aarch64" => Machine::Arm64,
        other => return Err(format!("no resources are made for {other}")),
    };
    let resource = |kind, id, data| Resource { kind, id, data };
    let mut resources: Vec<Resource> = vec![
        resource(
            VERSION,
            1,
            version::info(&var("CARGO_PKG_VERSION")?, &var("CARGO_PKG_DESCRIPTION")?),
        ),
        resource(SETTINGS, 1, MANIFEST.as_bytes().to_vec()),
    ];
    let icon = icon::read(ICON).ok_or("the icon cannot be read")?;
    resources.push(resource(ICON_GROUP, 1, icon.group));
    resources.extend(
        icon.images
            .into_iter()
            .zip(1..)
            .map(|(image, id)| resource(ICON_IMAGE, id, image)),
    );
    let file = PathBuf::from(var("OUT_DIR")?).join("resources.o");
    std::fs::write(&file, coff::object(machine, resources)).map_err(|error| error.to_string())?;
    // The tests need the manifest as well.
    println!("cargo::rustc-link-arg={}", file.display());
    if var("CARGO_CFG_TARGET_ENV")? == "msvc" {
        println!("cargo::rustc-link-arg=/MANIFEST:NO");
    }
    Ok(())
}

fn var(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("cargo did not tell {name}"))
}
