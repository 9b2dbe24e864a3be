//! The machine: its name, and what tells it from others.

/// The name of this machine, for the names of our registrations; `this computer` where it cannot be read.
pub fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(windows)]
    let name = super::windows::host_name().unwrap_or_default();
    let plain: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
        .take(40)
        .collect();
    if plain.is_empty() {
        "this computer".to_owned()
    } else {
        plain
    }
}

/// What tells this machine from others, kept by the system since it was installed (Linux, Windows) or made (macOS):
/// `/etc/machine-id`, `MachineGuid`, the hardware's id. Empty where the system has no such thing.
pub fn id() -> String {
    #[cfg(target_os = "macos")]
    {
        use std::fmt::Write as _;
        let id = super::macos::machine_id().unwrap_or_default();
        id.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
    #[cfg(windows)]
    {
        super::windows::machine_id().unwrap_or_default()
    }
    #[cfg(not(any(target_os = "macos", windows)))]
    {
        ["/etc/machine-id", "/var/lib/dbus/machine-id"]
            .iter()
            .find_map(|path| {
                super::file::read_text(std::path::Path::new(path), 256)
                    .ok()
                    .flatten()
            })
            .unwrap_or_default()
    }
}
