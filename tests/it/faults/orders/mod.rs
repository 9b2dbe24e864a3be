//! An order on a bad network: sent once at most, whatever comes back, and the outcome that is told is an honest one.
//!
//! The simulator is the service; in front of it stands a server that hurts exactly the request that carries the order. The
//! policy lets orders in play money through without a question, so that what is measured is the network.

use super::certs::Authority;
use super::forward::Upstream;
use super::proxy::Proxy;
use super::server::{Answer, Begin, Play, Request, Server, Step};
use super::table::{Row, Table};
use crate::support::program::{Client, Home, status, text};
use crate::support::sim::Sim;
use crate::trade::{bid, ticket};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

mod answers;
mod broken;
mod proxies;
mod reads;
mod slow;

const POLICY: &str = "version = 1\n[limits]\norders_per_minute = 100\norders_per_day = 1000\n\
                      [account.\"Sim101\"]\nclass = \"sim\"\n\
                      [[rule]]\nclass = \"order\"\naccount = \"Sim101\"\ndo = \"allow\"\n";

/// A name that nobody has.
const NAME: &str = "ct.example";

/// What an order came to.
struct Came {
    status: String,
    text: String,
    took: Duration,
    /// How often the request arrived in front of the service, and how often the service executed it.
    seen: usize,
    ran: usize,
}

struct Bench {
    home: Home,
    sim: Sim,
    front: Server,
    client: Client,
    url: String,
    orders: u32,
    table: Table,
}

fn is_order(request: &Request) -> bool {
    let message = request.json();
    message["method"] == "tools/call" && message["params"]["name"] == "PlaceOrder"
}

impl Bench {
    async fn new(family: &'static str) -> Self {
        Self::over(family, Begin::Plain, "http", Home::new(), None).await
    }

    /// With HTTP/2 between the program and the server that hurts.
    async fn second(family: &'static str) -> Self {
        let (authority, home) = (Authority::new(), Home::new());
        let file = authority.file(home.folder()).display().to_string();
        let begin = Begin::Tls(authority.server("127.0.0.1", &["h2"]));
        let home = home.with("SSL_CERT_FILE", &file);
        Self::over(family, begin, "https", home, Some(authority.trusted())).await
    }

    /// By a name that only a proxy finds, as bytes of TLS.
    async fn through_proxy(family: &'static str) -> (Self, Proxy) {
        let (authority, home) = (Authority::new(), Home::new());
        let file = authority.file(home.folder()).display().to_string();
        let begin = Begin::Tls(authority.server(NAME, &["http/1.1"]));
        let (sim, front) = Self::front(begin, "https", Some(NAME)).await;
        let proxy = Proxy::start(front.address).await;
        let home = home
            .with("SSL_CERT_FILE", &file)
            .with("HTTPS_PROXY", &proxy.url());
        let http = reqwest::Client::builder()
            .no_proxy()
            .resolve(NAME, front.address)
            .add_root_certificate(authority.trusted());
        let origin = format!("https://{NAME}:{}", front.address.port());
        let bench = Self::signed_in(family, sim, front, &origin, home, http).await;
        (bench, proxy)
    }

    async fn over(
        family: &'static str,
        begin: Begin,
        scheme: &'static str,
        home: Home,
        trusted: Option<reqwest::Certificate>,
    ) -> Self {
        let (sim, front) = Self::front(begin, scheme, None).await;
        let builder = reqwest::Client::builder().no_proxy();
        let http = trusted
            .into_iter()
            .fold(builder, reqwest::ClientBuilder::add_root_certificate);
        let origin = format!("{scheme}://{}", front.address);
        Self::signed_in(family, sim, front, &origin, home, http).await
    }

    /// The service, and the server that hurts in front of it.
    async fn front(begin: Begin, scheme: &'static str, host: Option<&'static str>) -> (Sim, Server) {
        let sim = Sim::start(&["--frozen"]);
        let upstream = Upstream::of(&sim.url, scheme, host);
        let front = Server::on("127.0.0.1:0", begin, Some(upstream), |_| Play::Forward).await;
        (sim, front)
    }

    /// An installation that knows the service by this origin, and a client.
    async fn signed_in(
        family: &'static str,
        sim: Sim,
        front: Server,
        origin: &str,
        home: Home,
        http: reqwest::ClientBuilder,
    ) -> Self {
        let path = sim.url.splitn(4, '/').nth(3).expect("a path").to_owned();
        let sim = sim.behind(format!("{origin}/{path}"), http.build().expect("a client"));
        home.settings("requests_per_second = 0.0\nhold_seconds = 60\n");
        // A sign-in waits for the browser at one of a few ports: one at a time here, so that none finds them all taken.
        let turn =
            std::fs::File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/sign-in.lock")).expect("a file");
        turn.lock().expect("a turn");
        home.login(&sim, false).await;
        home.login(&sim, true).await;
        drop(turn);
        home.file("config/policy.toml", POLICY);
        let client = home.serve_url(&sim.url).hello().await;
        Self {
            url: sim.url.clone(),
            home,
            sim,
            front,
            client,
            orders: 0,
            table: Table::new(family),
        }
    }

    async fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.client.send_call(tool, arguments).await;
        let fits = |line: &String| {
            let value: Value = serde_json::from_str(line).expect("JSON");
            (value["id"] == json!(id) && value.get("method").is_none()).then(|| value["result"].clone())
        };
        let found = self.client.find(fits, Duration::from_secs(100)).await;
        found.unwrap_or_else(|| panic!("no answer to {tool}"))
    }

    /// Places an order, and waits for its outcome. On a machine that is very busy the account's state is not always read in
    /// time, and then nothing is sent.
    async fn order(&mut self) -> Came {
        for _ in 0..8 {
            let came = self.one_order().await;
            if came.status != "refused" || !came.text.contains("could not be read") {
                return came;
            }
            assert_eq!((came.seen, came.ran), (0, 0));
            // For 3 s the state counts as unread for an order like this one.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the account's state is never read in time");
    }

    async fn one_order(&mut self) -> Came {
        self.orders += 1;
        let (seen, ran) = (self.front.count(is_order), self.sim.executed().await.len());
        let began = Instant::now();
        let order = bid(5000.0 + f64::from(self.orders));
        let mut told = self.call("PlaceOrder", &order).await;
        if status(&told) == "sending" {
            let asked = json!({ "ticket": ticket(&told) });
            told = self.call("countersign_await_approval", &asked).await;
        }
        Came {
            status: status(&told).to_owned(),
            text: text(&told).to_owned(),
            took: began.elapsed(),
            seen: self.front.count(is_order) - seen,
            ran: self.sim.executed().await.len() - ran,
        }
    }

    /// One row: an order while `hurt` is done to it, then one that nothing is done to.
    async fn case(
        &mut self,
        fault: &str,
        expected: &Expected,
        hurt: impl Fn(usize) -> Option<Play> + Send + Sync + 'static,
    ) {
        self.front
            .rule(move |request, nth| if is_order(request) { hurt(nth) } else { None });
        let came = self.order().await;
        self.front.heal();
        let next = self.order().await;
        assert!(expected.status.contains(&&*came.status), "{fault}: {}", came.text);
        assert_eq!(
            (came.seen, came.ran),
            (expected.seen, expected.ran),
            "{fault}: {}",
            came.text
        );
        assert!(
            came.took < Duration::from_secs(expected.within),
            "{fault}: {:?}",
            came.took
        );
        assert_eq!(
            (&*next.status, next.seen, next.ran),
            ("accepted", 1, 1),
            "{fault}: next: {}",
            next.text
        );
        self.table.add(Row {
            fault: fault.to_owned(),
            saw: format!("`{}`: {}", came.status, short(&came)),
            took: came.took,
            seen: format!("{} ({} run)", came.seen, came.ran),
            next: next.status,
        });
    }

    async fn done(self) {
        assert_eq!(self.client.aside(), [""; 0], "nothing is said twice");
        self.client.close().await;
        let (code, stdout, stderr) = self.home.run(&["journal", "verify"]).await;
        assert_eq!(code, 0, "{stdout}{stderr}");
        self.table.done();
    }
}

/// What was told, without what differs from order to order, and without the advice that is always the same.
fn short(came: &Came) -> String {
    let ticket = came
        .text
        .split_once(" (ticket ")
        .and_then(|(_, rest)| rest.split_once(')'));
    let text = ticket.map_or(came.text.clone(), |(id, _)| {
        came.text.replace(&format!(" (ticket {id})"), "")
    });
    let ends = [
        ". It may or may not",
        ": {",
        ". Tell the person",
        "; there is no",
        ": the new order",
    ];
    let end = ends.iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].to_owned()
}

struct Expected {
    status: &'static [&'static str],
    seen: usize,
    ran: usize,
    within: u64,
}

const fn expect(status: &'static [&'static str], seen: usize, ran: usize) -> Expected {
    Expected {
        status,
        seen,
        ran,
        within: 40,
    }
}

/// Nobody knows, and the service did not run it.
const LOST: Expected = expect(&["unknown"], 1, 0);
/// Nobody knows, and the service ran it.
const RAN: Expected = expect(&["unknown"], 1, 1);
const FINE: Expected = expect(&["accepted"], 1, 1);

fn once(play: Play) -> impl Fn(usize) -> Option<Play> {
    move |_| Some(play.clone())
}

fn raw(steps: Vec<Step>) -> impl Fn(usize) -> Option<Play> {
    once(Play::Steps(steps))
}

/// The service runs it; then this is done with its answer.
fn ran(then: impl Fn(Answer) -> Play + Send + Sync + 'static) -> impl Fn(usize) -> Option<Play> {
    once(Play::ran(then))
}

/// The service runs it, and these bytes come back.
fn ran_raw(then: impl Fn(Value) -> Vec<Step> + Send + Sync + 'static) -> impl Fn(usize) -> Option<Play> {
    ran(move |answer| Play::Steps(then(answer.message())))
}

fn head(kind: &str, length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

fn stream_head() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n".to_vec()
}

fn events(text: String) -> Vec<Step> {
    vec![
        Step::Send(stream_head()),
        Step::Send(text.into_bytes()),
        Step::End,
    ]
}

fn json_answer(status: u16, value: &Value) -> Play {
    Play::Answer(Answer::new(status, "application/json", value.to_string()))
}
