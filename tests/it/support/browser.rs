//! A real browser: Chromium without a window, driven over its debugging pipe. Mouse and keys are real input events.
//!
//! Ended on drop with its helpers, by its own process group. What it keeps lies in one folder, which goes with it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures real time"
)]

use super::folder::Folder;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// One browser with one tab.
#[derive(Debug)]
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    next: u64,
    tab: String,
    profile: Folder,
}

impl Browser {
    /// Starts it with an empty profile.
    pub(crate) fn start() -> Self {
        let profile = Folder::new();
        let mut command = Command::new("sh");
        // The debugging pipe is on 3 and 4; its own chatter goes nowhere.
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 >/dev/null 2>&1", "sh"]);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ]);
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--remote-debugging-pipe",
        ]);
        command
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank");
        command
            .env("HOME", profile.path())
            // Its own temporary folders too: killed, it leaves them behind.
            .env("TMPDIR", profile.path())
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell");
        let to = child.stdin.take().expect("a pipe");
        let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|n| n > 0) {
                message.pop();
                let Ok(value) = serde_json::from_slice(&message) else {
                    return;
                };
                if send.send(value).is_err() {
                    return;
                }
                message.clear();
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            next: 0,
            tab: String::new(),
            profile,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let tab = browser.call("Target.attachToTarget", &attach);
        tab["sessionId"]
            .as_str()
            .expect("a tab")
            .clone_into(&mut browser.tab);
        browser.call("Page.enable", &json!({}));
        browser.size(1000, 900);
        browser
    }

    /// Where it keeps everything.
    pub(crate) fn profile(&self) -> &std::path::Path {
        self.profile.path()
    }

    /// One command of the debugging protocol and its answer.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": params});
        if !self.tab.is_empty() {
            message["sessionId"] = json!(self.tab);
        }
        let mut bytes = serde_json::to_vec(&message).expect("JSON");
        bytes.push(0);
        self.to
            .write_all(&bytes)
            .expect("`chromium` is not installed: apt-get install chromium");
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let told = self.from.recv_timeout(left).unwrap_or_else(|_| {
                panic!("no answer to {method}; is Chromium installed? apt-get install chromium")
            });
            if told["id"] == json!(self.next) {
                // A tab between two pages has nowhere to run it for a moment.
                let between = told["error"]["message"] == "Cannot find default execution context";
                if between && method == "Runtime.evaluate" && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(20));
                    return self.call(method, params);
                }
                assert!(told.get("error").is_none(), "{method}: {told}");
                return told["result"].clone();
            }
        }
    }

    /// Goes to an address.
    pub(crate) fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({"url": url}));
    }

    /// Opens an address in a tab of its own, as a link from outside does, and goes on there.
    pub(crate) fn open_tab(&mut self, url: &str) {
        self.tab.clear();
        let target = self.call("Target.createTarget", &json!({"url": url}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let tab = self.call("Target.attachToTarget", &attach);
        tab["sessionId"]
            .as_str()
            .expect("a tab")
            .clone_into(&mut self.tab);
        self.call("Page.enable", &json!({}));
    }

    /// How many tabs there are, whatever became of the one that was looked at.
    pub(crate) fn tabs(&mut self) -> usize {
        let tab = std::mem::take(&mut self.tab);
        let told = self.call("Target.getTargets", &json!({}));
        self.tab = tab;
        let all = told["targetInfos"].as_array().into_iter().flatten();
        all.filter(|target| target["type"] == "page").count()
    }

    /// The width and height of the tab.
    pub(crate) fn size(&mut self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Dark or light.
    pub(crate) fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// The value of a JavaScript expression.
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        self.call("Runtime.evaluate", &params)["result"]["value"].clone()
    }

    /// The text that a person sees.
    pub(crate) fn text(&mut self) -> String {
        self.eval("document.body ? document.body.innerText : ''")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Waits until the person sees this text.
    pub(crate) fn until(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.text().contains(text) {
            assert!(
                Instant::now() < end,
                "waited for {text:?}; the page says: {}",
                self.text()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Clicks the middle of an element with the mouse.
    pub(crate) fn click(&mut self, selector: &str) {
        let find = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{block: 'center'}}); \
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        );
        let at = self.eval(&find);
        assert!(at.is_array(), "there is no {selector}");
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Types into what has the focus.
    pub(crate) fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({"text": text}));
    }

    /// Presses a key, such as `Enter`.
    pub(crate) fn key(&mut self, key: &str, code: u32) {
        let text = if key == "Enter" { "\r" } else { "" };
        for kind in ["keyDown", "keyUp"] {
            let event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// What assistive technology is told: role, name, description and state of each node that is not ignored.
    pub(crate) fn accessible(&mut self) -> Vec<Accessible> {
        self.call("Accessibility.enable", &json!({}));
        let tree = self.call("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().expect("nodes").iter();
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().trim().to_owned();
        nodes
            .filter(|node| node["ignored"] != true)
            .map(|node| Accessible {
                role: text(&node["role"]),
                name: text(&node["name"]),
                description: text(&node["description"]),
                state: node["properties"].clone(),
            })
            .collect()
    }

    /// Keeps a picture of the page as a test artefact.
    pub(crate) fn screenshot(&mut self, name: &str) -> PathBuf {
        use base64::Engine as _;
        let told = self.call("Page.captureScreenshot", &json!({"format": "png"}));
        let data = told["data"].as_str().expect("a picture");
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(data)
            .expect("base64");
        let path = super::desktop::artefacts().join(format!("{name}.png"));
        std::fs::write(&path, bytes).expect("written");
        path
    }
}

/// A node of the accessibility tree.
#[derive(Debug)]
pub(crate) struct Accessible {
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) description: String,
    state: Value,
}

impl Accessible {
    /// A state, such as `focused`.
    pub(crate) fn is(&self, state: &str) -> bool {
        let all = self.state.as_array().into_iter().flatten();
        let mut same = all.filter(|one| one["name"] == state);
        same.any(|one| one["value"]["value"] == true || one["value"]["value"] == "true")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its helpers would go on writing into the profile for a moment.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}
