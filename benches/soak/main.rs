//! Hours of trading in twenty minutes: orders held, approved and denied, reads beside them, a network that fails, clients that
//! come and go. Memory and handles must stay flat, nothing may be lost or sent twice, the journal must verify.
//!
//! Owns: what happens when, and the sums at the end. Refuses to know: how programs are started (`programs`), what a popup is
//! (`popup`), how an AI client reads (`client`).
//!
//! `cargo bench -p countersign-benches --bench soak -- [MINUTES]`, after `cargo build --release --workspace`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement reads clocks and its caller's environment, and tells a terminal what it found"
)]

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
#[path = "../parts/popup.rs"]
mod popup;
#[cfg(target_os = "linux")]
#[path = "../parts/programs.rs"]
mod programs;

/// Whatever went wrong.
#[cfg(target_os = "linux")]
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[cfg(target_os = "linux")]
mod run {
    use super::Outcome;
    use super::client::{self, Client, Look};
    use super::popup::Popups;
    use super::programs::{Bus, Home, Sim};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    /// One order in so many seconds: the person may be asked six times a minute.
    const ORDERS_EVERY: Duration = Duration::from_secs(12);
    /// One of so many orders is denied.
    const DENIED: u64 = 4;
    /// One of so many orders meets a fault of the network.
    const HURT: u64 = 5;
    /// The AI client is started anew after so many orders.
    const LIFE: u64 = 25;
    /// What happens to reads, one every twenty seconds.
    const FAULTS: [&str; 8] = [
        "cut_before",
        "cut_after",
        "500",
        "503",
        "html",
        "half_json",
        "session_lost",
        "close_streams",
    ];

    /// What was counted.
    #[derive(Default)]
    struct Sums {
        orders: BTreeMap<String, u64>,
        approved: u64,
        denied: u64,
        acknowledged: u64,
        reads: u64,
        reads_failed: u64,
        looks: Vec<Look>,
    }

    pub(crate) async fn all(minutes: u64) -> Outcome<()> {
        let folder = tempfile::tempdir_in(Path::new(env!("CARGO_MANIFEST_DIR")))?;
        let bus = Bus::start(folder.path())?;
        let popups = Arc::new(Popups::serve(&bus.address).await?);
        let sim = Sim::start().await?;
        let home = Home::new(folder.path(), &bus.address)?;
        home.login(&sim, &[]).await?;
        home.login(&sim, &["--trade"]).await?;
        let until = Instant::now() + Duration::from_secs(minutes * 60);
        let mut sums = Sums::default();
        let mut order = 0;
        while Instant::now() < until {
            let ai = Client::start(&home, &sim).await?;
            let last = order + LIFE;
            while Instant::now() < until && order < last {
                order += 1;
                if let Some(unknown) = one(&ai, &sim, &popups, order, &mut sums).await? {
                    // The person has looked at it; until then nothing is opened there.
                    client::acknowledge(&home, &unknown).await?;
                    sums.acknowledged += 1;
                }
                sums.looks.push(ai.look());
            }
            let (reads, failed) = ai.end().await?;
            sums.reads += reads;
            sums.reads_failed += failed;
        }
        told(&home, &sim, &sums).await
    }

    /// One order and its decision, with reads beside it, and what the network does to them; its ticket where its outcome is
    /// unknown.
    async fn one(
        ai: &Client,
        sim: &Sim,
        popups: &Popups,
        order: u64,
        sums: &mut Sums,
    ) -> Outcome<Option<String>> {
        let begun = Instant::now();
        let fault = FAULTS.get(usize::try_from(order)? % FAULTS.len()).copied();
        if let Some(fault) = fault {
            client::fault(sim, &json!({ "kind": fault, "scope": "mcp:read" })).await?;
        }
        if order.is_multiple_of(HURT) {
            client::fault(
                sim,
                &json!({ "kind": "cut_after", "tool": "PlaceOrder", "scope": "mcp:trade" }),
            )
            .await?;
        }
        let reads = ai.reads(ORDERS_EVERY);
        let decided = async {
            let answer = ai.order(order);
            let decision = async {
                let offered = tokio::time::timeout(Duration::from_secs(10), popups.offered()).await;
                let Ok(offered) = offered else {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(None);
                };
                let (approve, deny) = offered?;
                // What is pressed in the first moment is not heard.
                tokio::time::sleep(Duration::from_millis(1500)).await;
                let denied = order.is_multiple_of(DENIED);
                popups.press(if denied { &deny } else { &approve }).await?;
                Ok(Some(denied))
            };
            tokio::join!(answer, decision)
        };
        let ((answer, decision), ()) = tokio::join!(decided, reads);
        match decision? {
            Some(true) => sums.denied += 1,
            Some(false) => sums.approved += 1,
            None => {}
        }
        let answer = answer?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str);
        let status = text("/result/structuredContent/status").unwrap_or("an error");
        let unknown = text("/result/structuredContent/ticket").filter(|_| status == "unknown");
        let unknown = unknown.map(str::to_owned);
        let status = match text("/result/structuredContent/code") {
            Some(code) => format!("{status}, {code}"),
            None => status.to_owned(),
        };
        *sums.orders.entry(status).or_default() += 1;
        tokio::time::sleep(ORDERS_EVERY.saturating_sub(begun.elapsed())).await;
        Ok(unknown)
    }

    /// The sums, and whether they agree.
    async fn told(home: &Home, sim: &Sim, sums: &Sums) -> Outcome<()> {
        let executed = client::executed(sim).await?;
        let journal = std::fs::read_to_string(home.folder.join("state/journal.jsonl"))?;
        let written = journal
            .lines()
            .filter(|line| line.contains(r#""kind":"approved""#))
            .count();
        let of = |name: &str| sums.orders.get(name).copied().unwrap_or_default();
        println!("orders by what their client was told: {:?}", sums.orders);
        println!(
            "approved {}, denied {}, acknowledged {}; approvals in the journal {written}, executed at the service {executed}",
            sums.approved, sums.denied, sums.acknowledged
        );
        println!(
            "reads answered {}, with an error {}",
            sums.reads, sums.reads_failed
        );
        println!("\n| order | PSS MB | handles | threads |\n|---|---|---|---|");
        let step = (sums.looks.len() / 20).max(1);
        for (at, look) in sums.looks.iter().enumerate().step_by(step) {
            println!(
                "| {} | {:.1} | {} | {} |",
                at + 1,
                look.pss_mb,
                look.handles,
                look.threads
            );
        }
        let verified = client::verified(home).await?;
        println!("\n{verified}");
        let mut wrong = Vec::new();
        if executed > sums.approved {
            wrong.push("more orders ran than were approved".to_owned());
        }
        if u64::try_from(written)? != executed {
            wrong.push("the journal's approvals are not the service's orders".to_owned());
        }
        if executed < of("accepted") {
            wrong.push("an order that was called accepted did not run".to_owned());
        }
        let lives = sums.looks.chunks(usize::try_from(LIFE)?);
        for life in lives {
            // The first orders warm caches and lanes.
            if let (Some(early), Some(late)) = (life.get(3), life.last())
                && (late.handles > early.handles + 6 || late.pss_mb > early.pss_mb * 1.25 + 1.0)
            {
                wrong.push(format!(
                    "a process grew from {:.1} MB and {} handles to {:.1} MB and {}",
                    early.pss_mb, early.handles, late.pss_mb, late.handles
                ));
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("; ").into())
        }
    }
}

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    if words.iter().any(|word| word == "--list") {
        return Ok(());
    }
    let minutes = words.first().map_or(Ok(20), |word| word.parse())?;
    run::all(minutes).await
}

#[cfg(not(target_os = "linux"))]
fn main() {}
