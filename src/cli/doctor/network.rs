//! The way to the service: proxy, network, TLS, clock, and the service itself.
//!
//! No token is used but for the last check, which asks the service one read.

use super::{Check, Context, Seen, fail, ok, skipped, warn};
use crate::oauth::{GrantKind, TokenError};
use crate::relay::settings::Settings;
use crate::system::{Env, clock};
use crate::upstream::{Eras, Failure, GrantKeys, ReadLane, is_certificate_trouble};
use crate::wire::headers::retry_after;
use reqwest::header::DATE;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the service may take for a read that goes to `NinjaTrader` and back.
const READ: Duration = Duration::from_secs(15);
/// A clock that is off by more (s) makes sign-ins fail that run out by the minute.
const CLOCK_OFF: u64 = 60;
/// A clock that is off by more (s) makes nothing work: certificates, sign-ins, trading hours.
const CLOCK_WRONG: u64 = 600;

/// The variables that send requests through another computer.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

pub(super) async fn checks(context: &Context) -> Vec<Check> {
    let proxied = proxied(context);
    let mut checks = vec![
        Check::new("time-zone", time_zone()),
        Check::new("proxy", proxy(context, &proxied)),
        Check::new("network", reach(context, !proxied.is_empty()).await),
    ];
    if checks
        .iter()
        .any(|check| check.id == "network" && check.is_failed())
    {
        for id in ["tls", "clock", "service"] {
            checks.push(Check::new(id, skipped("the service cannot be reached")));
        }
        return checks;
    }
    let (tls, clock) = answer(context).await;
    let answers = !matches!(tls, Seen::Fail(..));
    checks.push(Check::new("tls", tls));
    checks.push(Check::new("clock", clock));
    checks.push(Check::new(
        "service",
        if answers {
            service(context).await
        } else {
            skipped("the service does not answer")
        },
    ));
    checks
}

fn time_zone() -> Seen {
    match jiff::tz::TimeZone::try_system() {
        Ok(zone) => ok(zone.iana_name().unwrap_or("known to the system").to_owned()),
        Err(_) => warn(
            "the time zone of this computer cannot be told, so times are shown in UTC; trading hours in your rules are not concerned, for they name their own zone",
            "set the time zone of this computer, or correct the variable TZ",
        ),
    }
}

/// The proxy variables that matter for this address, as (name, value).
fn proxied(context: &Context) -> Vec<(&'static str, String)> {
    if context.endpoint.is_loopback() {
        return Vec::new();
    }
    let secure = context.endpoint.url().starts_with("https:");
    let set = |env: &Env, name: &'static str| env.text(name).map(|value| (name, value.to_owned()));
    PROXY_VARIABLES
        .into_iter()
        .filter(|name| !(secure && name.eq_ignore_ascii_case("http_proxy")))
        .filter_map(|name| set(&context.world.env, name))
        .collect()
}

fn proxy(context: &Context, proxied: &[(&'static str, String)]) -> Seen {
    let Some((name, value)) = proxied.first() else {
        return ok(if context.endpoint.is_loopback() {
            "not used for an address on this computer"
        } else {
            "none"
        });
    };
    // A proxy's address may carry a user name and a password: host and port alone are shown.
    let with_scheme = if value.contains("://") {
        value.clone()
    } else {
        format!("http://{value}")
    };
    let shown = url::Url::parse(&with_scheme).ok().and_then(|url| {
        let host = url.host_str()?.to_owned();
        Some(url.port().map_or(host.clone(), |port| format!("{host}:{port}")))
    });
    match shown {
        None => fail(
            format!("{name} is set to something that is no address of a proxy"),
            format!("correct {name}, or take it away: unset {name}"),
        ),
        Some(shown) => warn(
            format!(
                "requests go through {shown} ({name}); some AI clients do not pass that variable on, and then the same request goes direct"
            ),
            format!(
                "if that proxy is not wanted: unset {name}; if it is needed, put {name} into your AI client's settings too"
            ),
        ),
    }
}

/// Name and port, without TLS: tells a dead network from everything else.
async fn reach(context: &Context, through_proxy: bool) -> Seen {
    if through_proxy {
        return skipped("a proxy is used, so this computer need not reach the service itself");
    }
    let url = url::Url::parse(context.endpoint.url()).ok();
    let place = url.and_then(|url| {
        Some((
            url.host_str()?.trim_matches(['[', ']']).to_owned(),
            url.port_or_known_default()?,
        ))
    });
    let Some((host, port)) = place else {
        return skipped("the address names no host");
    };
    let todo = "check that this computer is online, and that no firewall or VPN is in the way";
    let found = match tokio::time::timeout(CONNECT, tokio::net::lookup_host((host.as_str(), port))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(_)) => return fail(format!("{host} cannot be reached: its name is not found"), todo),
        Err(_) => {
            return fail(
                format!("{host} cannot be reached: no answer on its name in time"),
                todo,
            );
        }
    };
    let began = clock::mono_ms();
    match tokio::time::timeout(CONNECT, TcpStream::connect(found.as_slice())).await {
        Ok(Ok(_)) => ok(format!(
            "{host} port {port} is reached in {} ms",
            clock::mono_ms().saturating_sub(began)
        )),
        Ok(Err(error)) => fail(
            format!(
                "{host} port {port} cannot be reached: {}",
                super::super::out::cause(&error)
            ),
            todo,
        ),
        Err(_) => fail(
            format!(
                "{host} port {port} cannot be reached: no answer within {} s",
                CONNECT.as_secs()
            ),
            todo,
        ),
    }
}

/// One request without a token: any answer proves TLS, and tells the service's time.
async fn answer(context: &Context) -> (Seen, Seen) {
    let asked = context
        .http
        .get(context.endpoint.url())
        .timeout(ANSWER)
        .send()
        .await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => return (no_answer(&error), skipped("the service's time is not known")),
    };
    let tls = ok(if context.endpoint.url().starts_with("https:") {
        "the service's certificate is good"
    } else {
        "not used for an address on this computer"
    });
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    // A date is read as a time to wait for, from the beginning of time.
    let theirs = date
        .and_then(|date| retry_after(date, 0))
        .map(|since| since.as_secs());
    let clock = theirs.map_or_else(|| skipped("the service does not tell its time"), skew);
    (tls, clock)
}

fn skew(theirs: u64) -> Seen {
    let ours = clock::wall_ms() / 1000;
    let off = ours.abs_diff(theirs);
    let (word, todo) = (
        if ours > theirs { "ahead" } else { "behind" },
        "let the system set the clock by itself (date and time settings)",
    );
    let shown = match off {
        0..7200 => format!("{off} s"),
        7200..172_800 => format!("{} h", off / 3600),
        _ => format!("{} days", off / 86_400),
    };
    if off > CLOCK_WRONG {
        fail(
            format!(
                "this computer's clock is {shown} {word}: sign-ins fail, and limits of the day count wrongly"
            ),
            todo,
        )
    } else if off > CLOCK_OFF {
        warn(format!("this computer's clock is {shown} {word}"), todo)
    } else {
        ok(format!("right to {} s", off.max(1)))
    }
}

fn no_answer(error: &reqwest::Error) -> Seen {
    if is_certificate_trouble(error) {
        return fail(
            "the service's certificate is not trusted: something between this computer and CrossTrade reads along, or the clock is wrong",
            "look at the clock; turn off HTTPS scanning for app.crosstrade.io in your antivirus, or leave that network",
        );
    }
    let why = match Failure::of(error) {
        Failure::Connect(why) | Failure::Broken(why) => why,
        other => other.to_string(),
    };
    fail(
        format!("the service cannot be reached: {why}"),
        "try again in a minute; if it stays, check proxy, firewall and VPN",
    )
}

async fn service(context: &Context) -> Seen {
    let budget = Settings::load(&context.world.paths)
        .unwrap_or_default()
        .budget(&context.world.paths);
    let lane = ReadLane::new(
        context.http.clone(),
        context.endpoint.clone(),
        Box::new(GrantKeys {
            grants: context.grants(),
            kind: GrantKind::Read,
        }),
        budget,
        Some(Eras::of(&context.world.paths, context.endpoint.url())),
        Box::new(|_, _| {}),
    );
    let began = clock::mono_ms();
    let asked = tokio::time::timeout(
        READ,
        lane.own("tools/call", r#"{"name":"GetConnections","arguments":{}}"#),
    )
    .await;
    lane.close().await;
    let took = clock::mono_ms().saturating_sub(began);
    match asked {
        Ok(Ok(_)) => ok(format!("the service and NinjaTrader answered in {took} ms")),
        Ok(Err(Failure::Token(TokenError::NotSignedIn | TokenError::Withdrawn(_)))) => {
            skipped("not asked: nobody is signed in")
        }
        Ok(Err(failure)) => fail(failure.to_string(), remedy(&failure)),
        Err(_) => fail(
            format!("no answer within {} s", READ.as_secs()),
            "see whether NinjaTrader runs and is connected, then run this again",
        ),
    }
}

fn remedy(failure: &Failure) -> &'static str {
    match failure {
        Failure::NotConnected => {
            "start NinjaTrader with the CrossTrade add-on and log in there, then run this again"
        }
        Failure::Plan => "look at your plan on crosstrade.io: MCP needs the Elite plan",
        Failure::Unauthorized | Failure::SignIn(_) | Failure::Scope(_) | Failure::Forbidden(_) => {
            "countersign login"
        }
        Failure::RateLimited(_) | Failure::Throttled(_) => {
            "wait a minute; CrossTrade counts all programs of one user together"
        }
        Failure::Token(_) => "see what this says of the vault above",
        Failure::SessionLost
        | Failure::SessionDoubted(_)
        | Failure::Status(_)
        | Failure::Connect(_)
        | Failure::Broken(_)
        | Failure::BadAnswer(_)
        | Failure::Revision(_)
        | Failure::Refused(_) => "try again in a minute; if it stays, look at CrossTrade's status page",
    }
}
