//! A real desktop without a screen: Xvfb, a private session bus, a real notification daemon, and a hand for the mouse.
//!
//! Everything started here is ended on drop, by its own process id. Where a program is missing, the test fails and names
//! the Debian package.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use super::folder::Folder;
use countersign::system::{Env, Paths, World};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything on the desktop may take to appear.
const PATIENCE: Duration = Duration::from_secs(15);

/// A button of the popup, from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Button {
    /// Deny.
    Left,
    /// Approve, or "Open page".
    Middle,
    /// "Stop AI trading".
    Right,
}

/// The desktop. Its parts end with it.
#[derive(Debug)]
pub(crate) struct Desktop {
    children: Vec<(&'static str, Child)>,
    folder: Folder,
    display: String,
    bus: String,
}

impl Desktop {
    /// X server, session bus, and xfce4-notifyd.
    pub(crate) fn start() -> Self {
        let mut desktop = Self::without_notifications();
        desktop.start_notifications();
        desktop
    }

    /// The same, on a bus that lets nobody watch.
    pub(crate) fn start_unwatched() -> Self {
        let mut desktop = Self::bare("<deny send_interface=\"org.freedesktop.DBus.Monitoring\"/>");
        desktop.start_notifications();
        desktop
    }

    /// X server and session bus alone.
    pub(crate) fn without_notifications() -> Self {
        Self::bare("")
    }

    fn bare(more_policy: &str) -> Self {
        let folder = Folder::new();
        for name in ["run", "home/.config", "services"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("a folder");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(folder.path().join("run"), private).expect("private");
        }
        let mut desktop = Self {
            children: Vec::new(),
            folder,
            display: String::new(),
            bus: String::new(),
        };
        let mut x = Command::new("Xvfb");
        x.args([
            "-displayfd",
            "1",
            "-screen",
            "0",
            "1280x800x24",
            "-nolisten",
            "tcp",
        ]);
        desktop.display = format!(":{}", desktop.spawn_told("Xvfb", "xvfb", &mut x));
        let config = desktop.write_bus_config(more_policy);
        let mut bus = Command::new("dbus-daemon");
        bus.arg("--nofork")
            .arg("--nopidfile")
            .arg("--print-address=1")
            .arg("--config-file")
            .arg(config);
        desktop.bus = desktop.spawn_told("dbus-daemon", "dbus", &mut bus);
        desktop
    }

    /// Starts the notification daemon and waits until it owns its name.
    pub(crate) fn start_notifications(&mut self) {
        let daemon = std::fs::read_dir("/usr/lib")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("xfce4/notifyd/xfce4-notifyd"))
            .find(|path| path.is_file())
            .unwrap_or_else(|| missing("xfce4-notifyd", "xfce4-notifyd"));
        self.spawn("xfce4-notifyd", "xfce4-notifyd", &mut Command::new(daemon));
        self.wait_for_name("org.freedesktop.Notifications");
    }

    /// Starts a Secret Service whose keyring is open.
    pub(crate) fn start_keyring(&mut self) {
        let mut command = Command::new("gnome-keyring-daemon");
        command
            .args(["--foreground", "--unlock", "--components=secrets"])
            .stdin(Stdio::piped());
        self.spawn("gnome-keyring-daemon", "gnome-keyring", &mut command);
        let child = &mut self.children.last_mut().expect("just started").1;
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(b"keyring password")
            .expect("the password");
        self.wait_for_name("org.freedesktop.secrets");
    }

    /// Kills the Secret Service.
    pub(crate) fn stop_keyring(&mut self) {
        self.end("gnome-keyring-daemon");
    }

    /// Locks every keyring, as a screen lock may: there is nobody to type the password.
    pub(crate) fn lock_keyring(&self) {
        let path = "/org/freedesktop/secrets";
        let call = [
            "call",
            "--session",
            "-d",
            "org.freedesktop.secrets",
            "-o",
            path,
            "-m",
        ];
        let lock = [
            "org.freedesktop.Secret.Service.Lock",
            "['/org/freedesktop/secrets/collection/login']",
        ];
        let told = self.gdbus(&[&call[..], &lock].concat());
        assert!(told.contains("login"), "{told}");
    }

    /// Kills the notification daemon.
    pub(crate) fn kill_notifications(&mut self) {
        self.end("xfce4-notifyd");
    }

    /// Stops the notification daemon where it stands: it neither answers nor goes away.
    pub(crate) fn freeze_notifications(&self) {
        for (_, child) in self.children.iter().filter(|(name, _)| *name == "xfce4-notifyd") {
            self.run("sh", "dash", &["-c", &format!("kill -STOP {}", child.id())]);
        }
    }

    fn end(&mut self, name: &str) {
        for (_, child) in self.children.iter_mut().filter(|(n, _)| *n == name) {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.children.retain(|(n, _)| *n != name);
    }

    /// The environment of a program on this desktop.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let at = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        [
            ("DISPLAY", self.display.clone()),
            ("DBUS_SESSION_BUS_ADDRESS", self.bus.clone()),
            ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent".to_owned()),
            ("XDG_RUNTIME_DIR", at("run")),
            ("HOME", at("home")),
            ("XDG_CONFIG_HOME", at("home/.config")),
            ("XDG_DATA_HOME", at("home/.local/share")),
            ("XDG_CACHE_HOME", at("home/.cache")),
            ("COUNTERSIGN_HOME", at("countersign")),
            ("NO_AT_BRIDGE", "1".to_owned()),
            ("GSETTINGS_BACKEND", "memory".to_owned()),
            ("PATH", std::env::var("PATH").unwrap_or_default()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// The same as a world for the library.
    pub(crate) fn world(&self) -> World {
        self.world_with(&[])
    }

    /// The same, with more variables, or other values for some.
    pub(crate) fn world_with(&self, more: &[(&str, &str)]) -> World {
        let mut all: std::collections::BTreeMap<String, String> = self.env().into_iter().collect();
        all.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let pairs: Vec<(&str, &str)> = all.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let padded: [(&str, &str); 20] =
            std::array::from_fn(|i| pairs.get(i).copied().unwrap_or(("UNUSED", "")));
        assert!(pairs.len() <= padded.len(), "more variables than places");
        World {
            env: Env::of(padded),
            paths: Paths::under(&self.folder.path().join("countersign")),
        }
    }

    /// The folder of this desktop.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for the popup and tells its window: the tallest, for cards are taller than notices.
    pub(crate) fn popup(&self) -> String {
        let tallest = || {
            self.popups()
                .into_iter()
                .max_by_key(|window| self.try_geometry(window).map(|(.., height)| height))
        };
        self.until("a popup", tallest)
    }

    /// The popups on the screen.
    pub(crate) fn popups(&self) -> Vec<String> {
        let found = self.run(
            "xdotool",
            "xdotool",
            &["search", "--onlyvisible", "--name", "^xfce4-notifyd$"],
        );
        String::from_utf8_lossy(&found.stdout)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Waits until no popup is on the screen.
    pub(crate) fn no_popup(&self) {
        self.until("an empty screen", || self.popups().is_empty().then_some(()));
    }

    /// Clicks a button of the popup with the mouse.
    pub(crate) fn click(&self, button: Button) {
        let place = self.aim(button);
        self.press(&place);
    }

    /// Where a button of the popup is now.
    pub(crate) fn aim(&self, button: Button) -> (String, String) {
        let window = self.popup();
        let (x, y, width, height) = self.geometry(&window);
        let across = match button {
            Button::Left => width / 6,
            Button::Middle => width / 2,
            Button::Right => width * 5 / 6,
        };
        ((x + across).to_string(), (y + height - 31).to_string())
    }

    /// Clicks at a place, whatever is there by now.
    pub(crate) fn press(&self, (x, y): &(String, String)) {
        self.run(
            "xdotool",
            "xdotool",
            &["mousemove", x, y, "sleep", "0.1", "click", "1"],
        );
    }

    /// Clicks into the text of the popup, which closes it.
    pub(crate) fn click_text(&self) {
        let (x, y, width, _) = self.geometry(&self.popup());
        let (x, y) = ((x + width / 2).to_string(), (y + 24).to_string());
        self.run(
            "xdotool",
            "xdotool",
            &["mousemove", &x, &y, "sleep", "0.1", "click", "1"],
        );
    }

    /// Puts the mouse away, and waits until the popup has faded in.
    pub(crate) fn settle(&self) {
        self.popup();
        self.run("xdotool", "xdotool", &["mousemove", "5", "795"]);
        std::thread::sleep(Duration::from_secs(1));
    }

    fn geometry(&self, window: &str) -> (i32, i32, i32, i32) {
        self.until("the popup's place", || self.try_geometry(window))
    }

    /// `None` for a window that is gone by now.
    fn try_geometry(&self, window: &str) -> Option<(i32, i32, i32, i32)> {
        let told = self.run("xdotool", "xdotool", &["getwindowgeometry", "--shell", window]);
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let value = |name: &str| {
            told.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        Some((value("X")?, value("Y")?, value("WIDTH")?, value("HEIGHT")?))
    }

    /// Keeps a picture of the screen as a test artefact.
    pub(crate) fn screenshot(&self, name: &str) -> PathBuf {
        let folder = artefacts();
        let path = folder.join(format!("{name}.png"));
        let told = self.run(
            "import",
            "imagemagick",
            &["-window", "root", &path.to_string_lossy()],
        );
        assert!(
            told.status.success(),
            "import: {}",
            String::from_utf8_lossy(&told.stderr)
        );
        path
    }

    /// Runs `gdbus` on this session's bus, as any other program of the same user can.
    pub(crate) fn gdbus(&self, arguments: &[&str]) -> String {
        let told = self.run("gdbus", "libglib2.0-bin", arguments);
        format!(
            "{}{}",
            String::from_utf8_lossy(&told.stdout),
            String::from_utf8_lossy(&told.stderr)
        )
    }

    fn wait_for_name(&self, name: &str) {
        let question = ["call", "--session", "-d", "org.freedesktop.DBus", "-o", "/", "-m"];
        let question = [&question[..], &["org.freedesktop.DBus.NameHasOwner", name]].concat();
        self.until(name, || self.gdbus(&question).contains("true").then_some(()));
    }

    /// Asks again until there is an answer.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            if Instant::now() > end {
                let picture = self.screenshot(&format!("missing-{}", std::process::id()));
                panic!("waited {PATIENCE:?} for {what}; screen: {}", picture.display());
            }
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    /// Runs a program on this desktop to its end.
    pub(crate) fn run(&self, program: &str, package: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(self.env())
            .stdin(Stdio::null());
        command.output().unwrap_or_else(|_| missing(program, package))
    }

    fn spawn(&mut self, name: &'static str, package: &str, command: &mut Command) {
        let log = std::fs::File::create(self.folder.path().join(format!("{name}.log"))).expect("a log");
        command.env_clear().envs(self.env()).stderr(log);
        if !matches!(name, "gnome-keyring-daemon") {
            command.stdin(Stdio::null());
        }
        if !matches!(name, "Xvfb" | "dbus-daemon") {
            command.stdout(Stdio::null());
        }
        let child = command.spawn().unwrap_or_else(|_| missing(name, package));
        self.children.push((name, child));
    }

    /// Starts a program and reads the one line by which it tells where it is.
    fn spawn_told(&mut self, name: &'static str, package: &str, command: &mut Command) -> String {
        command.stdout(Stdio::piped());
        self.spawn(name, package, command);
        let out = self
            .children
            .last_mut()
            .and_then(|(_, child)| child.stdout.take())
            .expect("a pipe");
        let mut line = String::new();
        let mut out = BufReader::new(out);
        out.read_line(&mut line).expect("a line");
        assert!(
            !line.trim().is_empty(),
            "{name} did not start; Debian package {package}"
        );
        line.trim().to_owned()
    }

    /// A bus of its own that starts nothing by itself but the settings daemon that xfce4-notifyd reads.
    fn write_bus_config(&self, more_policy: &str) -> PathBuf {
        let root = self.folder.path();
        let settings = "/usr/share/dbus-1/services/org.xfce.Xfconf.service";
        if Path::new(settings).is_file() {
            std::fs::copy(settings, root.join("services/org.xfce.Xfconf.service")).expect("a copy");
        }
        let config = format!(
            r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><keep_umask/><listen>unix:dir={run}</listen><auth>EXTERNAL</auth>
<servicedir>{services}</servicedir>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>{more_policy}</policy>
</busconfig>"#,
            run = root.join("run").display(),
            services = root.join("services").display()
        );
        let path = root.join("bus.conf");
        std::fs::write(&path, config).expect("the bus's configuration");
        path
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // The X server and the bus last, so that the others can say goodbye.
        while let Some((_, mut child)) = self.children.pop() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Where pictures are kept.
pub(crate) fn artefacts() -> PathBuf {
    let folder = std::env::var_os("COUNTERSIGN_TEST_ARTEFACTS").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).join("artefacts"),
        PathBuf::from,
    );
    std::fs::create_dir_all(&folder).expect("the folder of artefacts");
    folder
}

fn missing<T>(program: &str, package: &str) -> T {
    panic!("`{program}` is not installed: apt-get install {package}")
}
