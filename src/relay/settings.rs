//! `settings.toml`: what verbs set for this installation.

use crate::gate::Tier;
use crate::system::{Paths, file};
use crate::upstream::Budget;
use serde::{Deserialize, Serialize};

/// The settings of this installation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What it takes to approve (`presence set`). Account rules in the policy may raise it.
    pub tier: Tier,
    /// Words that the person chose: they stand on each card, so that a look-alike can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// What one PIN frees for the armed time: `exits` or `all`.
    pub armed: Armed,
    /// How long a trade call is held before it is answered with "waiting", in seconds (5 to 240). Unset: as long as suits
    /// the client ([`crate::clients::hold_for`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_seconds: Option<u64>,
    /// The service's request budget for one user, per second; 0 for a server without one.
    pub requests_per_second: f64,
    /// The burst that the service allows.
    pub burst: f64,
}

/// What the armed time covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Armed {
    /// Exits and protective stops: a click; everything else asks for the PIN.
    Exits,
    /// Every trade call: a click.
    All,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tier: Tier::Click,
            phrase: None,
            armed: Armed::Exits,
            hold_seconds: None,
            requests_per_second: 3.0,
            burst: 20.0,
        }
    }
}

impl Settings {
    /// Reads the settings; without a file the defaults.
    ///
    /// # Errors
    /// A plain sentence that names the file, and line and column where it is wrong.
    pub fn load(paths: &Paths) -> Result<Self, String> {
        let path = paths.settings();
        let name = path.display();
        let bytes = file::read_ours(&path, 64 * 1024).map_err(|error| format!("{name}: {error}"))?;
        let text = bytes
            .map(|bytes| String::from_utf8(bytes).map_err(|_| format!("{name}: it is not UTF-8 text")))
            .transpose()?;
        let settings: Self = match text {
            Some(text) => toml::from_str(&text).map_err(|error| format!("{name}: {error}"))?,
            None => Self::default(),
        };
        if settings
            .hold_seconds
            .is_some_and(|hold| !(5..=240).contains(&hold))
        {
            return Err(format!("{name}: hold_seconds must be 5 to 240"));
        }
        if settings
            .phrase
            .as_deref()
            .is_some_and(|p| p.len() > 60 || !p.bytes().all(|b| (0x20..0x7f).contains(&b)))
        {
            return Err(format!(
                "{name}: phrase must be plain ASCII of at most 60 characters"
            ));
        }
        Ok(settings)
    }

    /// The request budget that these settings give, shared with all processes.
    pub fn budget(&self, paths: &Paths) -> Budget {
        Budget::new(paths, self.requests_per_second, self.burst)
    }

    /// Writes the settings.
    ///
    /// # Errors
    /// As the file system says.
    pub fn save(&self, paths: &Paths) -> std::io::Result<()> {
        let text = toml::to_string(self).map_err(std::io::Error::other)?;
        file::write_atomic(&paths.settings(), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Endpoint;
    use crate::relay::Relay;
    use crate::system::{Env, World};

    #[tokio::test]
    async fn a_call_is_held_as_long_as_suits_the_client_unless_the_person_says_otherwise() {
        let home = tempfile::tempdir().unwrap();
        let world = World {
            env: Env::of([("CLAUDE_CODE_ENTRYPOINT", "cli")]),
            paths: Paths::under(home.path()),
        };
        let endpoint = Endpoint::parse("http://127.0.0.1:9/mcp").unwrap();
        let relay = Relay::detached(world.clone(), endpoint).unwrap();
        let hold = |name: &str| relay.hold_seconds(name);
        for (name, seconds) in [
            ("claude-ai", 45),
            ("claude-code", 100),
            ("codex-mcp-client", 45),
            ("gemini-cli-mcp-client", 100),
            ("", 45),
        ] {
            assert_eq!(hold(name), seconds, "{name}");
        }
        // A file that verbs write says nothing of it, so that the table goes on deciding.
        Settings::default().save(&world.paths).unwrap();
        assert_eq!(hold("gemini-cli-mcp-client"), 100);
        let set = Settings {
            hold_seconds: Some(20),
            ..Settings::default()
        };
        set.save(&world.paths).unwrap();
        assert_eq!(hold("gemini-cli-mcp-client"), 20);
        file::write_atomic(&world.paths.settings(), b"nonsense").unwrap();
        assert_eq!(hold("gemini-cli-mcp-client"), 100);
    }
}
