//! From the person's decision to the order's arrival: the program as it is shipped, the simulator, and a notification server
//! whose button is pressed by this program, which knows the moment. Nothing here fails for being slow.
//!
//! Owns: the rounds and the table. Refuses to know: how programs are started (`programs`), what a popup is (`popup`).

#![expect(
    clippy::disallowed_methods,
    reason = "a measurement reads clocks, and its caller's environment"
)]

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
#[path = "../parts/profile.rs"]
mod counters;
#[cfg(target_os = "linux")]
#[path = "../parts/popup.rs"]
mod popup;
#[cfg(target_os = "linux")]
#[path = "../parts/programs.rs"]
mod programs;

/// Whatever went wrong: there is no number then.
#[cfg(target_os = "linux")]
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[cfg(target_os = "linux")]
mod rounds {
    use super::Outcome;
    use super::client::Client;
    use super::counters::{Counter, each};
    use super::popup::Popups;
    use super::programs::{Bus, Home, Sim};
    use std::io::Write as _;
    use std::path::Path;
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    /// Orders of one installation: the person may be asked six times a minute.
    const ORDERS: usize = 5;
    /// Installations for each place.
    const HOMES: usize = 4;

    /// What lay between decision and arrival, in microseconds.
    struct Taken {
        to_line: i64,
        to_arrival: i64,
    }

    fn now_us() -> Outcome<i64> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
        Ok(i64::try_from(since.as_micros())?)
    }

    pub(crate) async fn all() -> Outcome<()> {
        let mut out = std::io::stdout().lock();
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        writeln!(out, "load {}", load.trim())?;
        writeln!(out, "µs from the decision, in order of size")?;
        let disk = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (name, place) in [("disk", disk), ("memory", Path::new("/dev/shm"))] {
            let mut taken = Vec::new();
            for _ in 0..HOMES {
                taken.extend(one(place, ORDERS, &[]).await?);
            }
            for (what, of) in [
                ("the journal's line", (|one| one.to_line) as fn(&Taken) -> i64),
                ("the arrival", |one| one.to_arrival),
            ] {
                let mut times: Vec<i64> = taken.iter().map(of).collect();
                times.sort_unstable();
                let median = times.get(times.len() / 2).copied().unwrap_or_default();
                writeln!(out, "{name:7} to {what}: median {median}, all {times:?}")?;
            }
        }
        Ok(())
    }

    /// What one held and approved order asks of the system and of the heap, from the client's line to its answer.
    pub(crate) async fn profile() -> Outcome<()> {
        let mut out = std::io::stdout().lock();
        let folder = tempfile::tempdir()?;
        let (few, more) = (1, 3);
        writeln!(out, "\n| | a held and approved order |\n|---|---|")?;
        for counter in Counter::ALL {
            let mut counted = Vec::new();
            for orders in [few, few + more] {
                let file = folder.path().join("counted");
                one(Path::new("/dev/shm"), orders, &counter.words(&file)).await?;
                counted.push(counter.read(&file)?);
            }
            if let [few, many] = counted.as_slice() {
                for line in each(few, many, u32::try_from(more)?) {
                    writeln!(out, "{line}")?;
                }
            }
        }
        Ok(())
    }

    /// One installation, new, with its state below this folder; the program runs under these words.
    async fn one(place: &Path, orders: usize, under: &[String]) -> Outcome<Vec<Taken>> {
        let folder = tempfile::tempdir_in(place)?;
        let bus = Bus::start(folder.path())?;
        let popups = Popups::serve(&bus.address).await?;
        let sim = Sim::start().await?;
        let home = Home::new(folder.path(), &bus.address)?;
        home.login(&sim, &[]).await?;
        home.login(&sim, &["--trade"]).await?;
        let mut client = Client::start(&home, &sim, under).await?;
        let mut decided = Vec::new();
        for n in 0..orders {
            let id = client.order(5000 + n).await?;
            let (button, _) = popups.offered().await?;
            // Time to read it, in which the trade lane is warmed; what is pressed in the first moment is not heard.
            tokio::time::sleep(Duration::from_millis(1500)).await;
            decided.push(now_us()?);
            popups.press(&button).await?;
            client.accepted(id).await?;
        }
        client.end().await?;
        let arrived = sim.arrivals().await?;
        let written = home.approvals()?;
        if (arrived.len(), written.len()) != (orders, orders) {
            return Err(format!("{} arrived, {} written", arrived.len(), written.len()).into());
        }
        let taken = decided.iter().zip(arrived.iter().zip(&written));
        Ok(taken
            .map(|(from, (arrival, line))| Taken {
                to_line: line - from,
                to_arrival: arrival - from,
            })
            .collect())
    }
}

#[cfg(target_os = "linux")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Outcome<()> {
    // `cargo bench` and `cargo test` say words of their own; a list is asked for by test runners.
    if std::env::args().any(|word| word == "--list") {
        return Ok(());
    }
    if std::env::args().any(|word| word == "--profile") {
        return rounds::profile().await;
    }
    rounds::all().await
}

#[cfg(not(target_os = "linux"))]
fn main() {}
