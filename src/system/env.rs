//! The environment, read once at the start.

use std::collections::BTreeMap;

/// A copy of the environment variables that we read. Nothing else in the program looks at the environment.
#[derive(Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// The environment of this process; variables that are not UTF-8 are left out.
    pub fn real() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
        )
    }

    /// A made-up environment, for tests.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        )
    }

    /// A variable that is set and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Whether a display server can be reached, as far as the environment tells (Linux).
    pub fn has_display(&self) -> bool {
        self.text("DISPLAY").is_some() || self.text("WAYLAND_DISPLAY").is_some()
    }
}

impl std::fmt::Debug for Env {
    // Values can be secrets of other programs: names only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
