//! A measurement, run by hand: from the person's decision to the order's arrival at the service, on a warm lane, with the
//! real program, a real desktop, and both records synced to the disk in between. It fails only if nothing arrives.
//!
//!     COUNTERSIGN_TEST_ARTEFACTS=artefacts cargo nextest run -E 'test(measure::)' --run-ignored only

use super::*;
use crate::support::desktop::artefacts;
use std::fmt::Write as _;

/// Orders that are measured. The person may be asked six times a minute.
const ORDERS: usize = 5;

/// The bus's own time of each button that was pressed on a notification.
struct Presses {
    monitor: Child,
    file: std::path::PathBuf,
}

impl Presses {
    fn watch(desktop: &Desktop) -> Self {
        let file = desktop.folder().join("presses");
        let out = std::fs::File::create(&file).expect("a file");
        let rule = "type='signal',interface='org.freedesktop.Notifications',member='ActionInvoked'";
        let mut command = Command::new("dbus-monitor");
        command.args(["--session", rule]).env_clear().envs(desktop.env());
        let monitor = command
            .stdin(Stdio::null())
            .stdout(out)
            .spawn()
            .expect("dbus-monitor: apt-get install dbus");
        Self { monitor, file }
    }

    /// In milliseconds since the epoch.
    fn times(&self) -> Vec<f64> {
        let text = std::fs::read_to_string(&self.file).unwrap_or_default();
        let presses = text.lines().filter(|line| line.contains("member=ActionInvoked"));
        let time = |line: &str| {
            let (_, rest) = line.split_once("time=")?;
            rest.split(' ').next()?.parse::<f64>().ok()
        };
        presses.filter_map(time).map(|seconds| seconds * 1000.0).collect()
    }
}

impl Drop for Presses {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

/// A time of the simulator or the journal, in milliseconds since the epoch.
fn ms(entry: &Value) -> f64 {
    let at: jiff::Timestamp = entry["at"].as_str().expect("a time").parse().expect("RFC 3339");
    at.as_duration().as_secs_f64() * 1000.0
}

#[tokio::test]
#[ignore = "a measurement, run by hand on a quiet machine"]
async fn from_the_decision_to_the_arrival() {
    let desk = Desk::new().await;
    let presses = Presses::watch(&desk.desktop);
    let mut client = desk.client().await;
    for _ in 0..ORDERS {
        let id = desk.hold(&mut client, "PlaceOrder", &buy()).await;
        desk.desktop.click(Button::Middle);
        let result = client.result(id).await;
        assert_eq!(status(&result), "accepted", "{}", text(&result));
    }
    client.close().await;
    let calls = desk.sim.calls().await;
    let arrived: Vec<f64> = calls
        .iter()
        .filter(|call| call["tool"] == "PlaceOrder" && call["grant"] == "mcp:trade")
        .map(ms)
        .collect();
    let journal = desk.home.journal();
    let written: Vec<f64> = journal
        .iter()
        .filter(|entry| entry["kind"] == "approved")
        .map(ms)
        .collect();
    let pressed = presses.times();
    assert_eq!((arrived.len(), written.len()), (ORDERS, ORDERS));
    assert!(pressed.len() >= ORDERS, "{pressed:?}");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut told = format!(
        "load {load}ms from the button's signal on the bus to the journal's line, and to the arrival\n"
    );
    for n in 0..ORDERS {
        let of = pressed[pressed.len() - ORDERS + n];
        let _ = writeln!(told, "{:6.1} {:6.1}", written[n] - of, arrived[n] - of);
    }
    std::fs::write(artefacts().join("decision-to-arrival.txt"), told).expect("a file");
}
