//! `doctor`, where the question reaches the person: each check brought to fail.

use super::doctor::{check, found, is};
use super::*;

/// Nothing listens there: the desk's checks need no service.
const NOWHERE: &str = "http://127.0.0.1:9/mcp";

async fn told(home: &Home) -> Value {
    let (_, out, err) = home.run(&["doctor", "--json", "--url", NOWHERE]).await;
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{err}"))
}

#[tokio::test]
async fn without_a_desktop_nobody_can_be_asked() {
    let place = Place::bare();
    let told = place.json(&["doctor"]).await;
    is(
        &found(&told, "prompt"),
        "fail",
        "",
        "`countersign watch` in a terminal",
    );
    is(
        &found(&told, "session"),
        "warn",
        "no desktop in this session",
        "countersign watch",
    );
    is(&found(&told, "notification"), "warn", "no card can be shown", "");
    is(
        &found(&told, "browser"),
        "fail",
        "no page can be shown",
        "countersign login --no-browser",
    );
    let by_ssh = Home::new().with("SSH_CONNECTION", "192.0.2.7 50022 192.0.2.1 22");
    let by_ssh = self::told(&by_ssh).await;
    is(&found(&by_ssh, "session"), "warn", "by SSH", "countersign watch");
}

#[tokio::test]
async fn a_browser_without_windows_is_refused() {
    let text_only = Home::new().with("BROWSER", "lynx");
    is(
        &found(&told(&text_only).await, "browser"),
        "fail",
        "lynx",
        "unset BROWSER",
    );
    let none = Home::new().with("DISPLAY", ":99").with("PATH", "/nonexistent");
    is(
        &found(&told(&none).await, "browser"),
        "fail",
        "no browser was found",
        "install a browser",
    );
    let good = Home::new().with("BROWSER", "firefox");
    is(&found(&told(&good).await, "browser"), "ok", "firefox", "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_notification_server_that_is_gone_and_one_that_does_not_answer() {
    let mut desktop = Desktop::start();
    let home = Home::on(desktop.folder(), desktop.env()).with("COUNTERSIGN_STORE", "file");
    is(
        &found(&told(&home).await, "notification"),
        "ok",
        "shows buttons",
        "",
    );
    desktop.freeze_notifications();
    let frozen = told(&home).await;
    is(
        &found(&frozen, "notification"),
        "warn",
        "does not answer",
        "do-not-disturb",
    );
    desktop.kill_notifications();
    let gone = told(&home).await;
    is(
        &found(&gone, "notification"),
        "warn",
        "no notification server runs",
        "your browser",
    );
    // What reaches the bus by a variable alone is lost in clients that pass none on.
    is(
        &found(&gone, "bus"),
        "warn",
        "such as Codex, shows no notification",
        "env_vars = [",
    );
    let stripped = Home::new();
    is(
        &found(&told(&stripped).await, "bus"),
        "warn",
        "no D-Bus session",
        "countersign watch",
    );
}

/// The page needs both loopback addresses. In a network of its own that was not brought up, neither is there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_computer_that_does_not_reach_itself() {
    let place = Place::bare();
    is(
        &check(&place, "local-page").await,
        "ok",
        "127.0.0.1 and ::1 work",
        "",
    );
    let run = async |up: &str| {
        let script = format!(
            "{up} exec {} doctor --json --url {NOWHERE}",
            env!("CARGO_BIN_EXE_countersign")
        );
        let mut command = place.home.shell("unshare");
        command.args(["-rn", "sh", "-c", &script]);
        let output = tokio::process::Command::from(command)
            .output()
            .await
            .expect("unshare");
        serde_json::from_slice::<Value>(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    };
    is(
        &found(&run("").await, "local-page"),
        "fail",
        "127.0.0.1 cannot be used",
        "in your firewall",
    );
    let four = run("ip link set lo up && ip -6 addr flush dev lo &&").await;
    is(
        &found(&four, "local-page"),
        "fail",
        "::1 cannot be used",
        "turn IPv6 on for this computer itself",
    );
}
