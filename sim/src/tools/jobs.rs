//! Jobs: compiling and backtesting take a while; their state follows from the time.

use serde_json::{Value, json};

use super::Caller;
use super::args::Args;
use crate::clock;
use crate::market::Refusal;
use crate::market::quote::xorshift;
use crate::service::State;

/// A job is kept for half an hour after it ended.
pub(crate) const LIFE_MS: u64 = 30 * 60_000;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Compile,
    Backtest,
}

/// One job.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    user: String,
    work: Work,
    subject: String,
    started_ms: u64,
    ends_ms: u64,
    cancelled_ms: Option<u64>,
    /// What a compilation found, as `(line, message)`.
    pub(crate) errors: Vec<(usize, String)>,
}

type Outcome = Result<Value, Refusal>;

/// Runs a tool of this file; `None` where it is another's.
pub(crate) fn run(state: &mut State, caller: &Caller, name: &str, args: &Args) -> Option<Outcome> {
    forget_old(state, caller.now);
    Some(match name {
        "GetMcpJob" => find(state, caller, args, None).map(|job| show(&job, caller.now)),
        "GetCompileResult" => {
            find(state, caller, args, Some(Work::Compile)).map(|job| show(&job, caller.now))
        }
        "GetBacktestResult" => {
            find(state, caller, args, Some(Work::Backtest)).map(|job| show(&job, caller.now))
        }
        "ListMcpJobs" => Ok(list(state, caller, args)),
        "CancelMcpJob" => cancel(state, caller, args),
        "RunStrategyBacktest" | "RunBacktest" => backtest(state, caller, args),
        _ => return None,
    })
}

fn forget_old(state: &mut State, now: u64) {
    state
        .platform
        .jobs
        .retain(|job| now < job.ends_ms.saturating_add(LIFE_MS));
}

/// Starts a job; its id.
pub(crate) fn start(state: &mut State, work: Work, subject: &str, takes_ms: u64, caller: &Caller) -> String {
    let id = state.platform.id("job");
    if state.platform.jobs.len() >= super::platform::MAX_ENTRIES {
        state.platform.jobs.remove(0);
    }
    state.platform.jobs.push(Job {
        id: id.clone(),
        user: caller.user.clone(),
        work,
        subject: subject.to_owned(),
        started_ms: caller.now,
        ends_ms: caller.now.saturating_add(takes_ms),
        cancelled_ms: None,
        errors: Vec::new(),
    });
    id
}

/// How many run now.
pub(crate) fn active(state: &State, now: u64) -> usize {
    state
        .platform
        .jobs
        .iter()
        .filter(|j| status(j, now) == "running")
        .count()
}

fn status(job: &Job, now: u64) -> &'static str {
    match job.cancelled_ms {
        Some(at) if at < job.ends_ms => "cancelled",
        _ if now < job.ends_ms => "running",
        _ if job.errors.is_empty() => "completed",
        _ => "failed",
    }
}

fn show(job: &Job, now: u64) -> Value {
    let status = status(job, now);
    let span = job.ends_ms.saturating_sub(job.started_ms).max(1);
    let done = (now.saturating_sub(job.started_ms).saturating_mul(100) / span).min(100);
    let errors: Vec<Value> = job
        .errors
        .iter()
        .map(|(line, text)| json!({"line": line, "message": text}))
        .collect();
    let mut shown = json!({
        "job_id": job.id,
        "kind": if job.work == Work::Compile { "compile" } else { "backtest" },
        "subject": job.subject,
        "status": status,
        "progress_pct": if status == "running" { done.min(99) } else { done },
        "started_at": clock::rfc3339(job.started_ms),
    });
    let result = match (status, job.work) {
        ("completed", Work::Compile) => json!({"success": true, "class_name": job.subject, "warnings": []}),
        ("failed", Work::Compile) => json!({"success": false, "class_name": job.subject, "errors": errors}),
        ("completed", Work::Backtest) => metrics(job),
        _ => Value::Null,
    };
    if let (false, Some(members)) = (result.is_null(), shown.as_object_mut()) {
        members.insert("result".into(), result);
    }
    shown
}

/// Numbers drawn from the subject: the same run has the same result.
fn metrics(job: &Job) -> Value {
    let mut seed = job
        .subject
        .bytes()
        .fold(17_u64, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut draw = |bound: u64| xorshift(&mut seed) % bound;
    let trades = 40 + draw(60);
    let won = trades * (40 + draw(20)) / 100;
    let gross = i64::try_from(won * 12_500).unwrap_or(0);
    let lost = i64::try_from((trades - won) * 11_000).unwrap_or(0);
    json!({
        "strategy": job.subject,
        "trades": trades,
        "winning_trades": won,
        "net_profit": super::show::money(gross - lost),
        "gross_profit": super::show::money(gross),
        "gross_loss": super::show::money(-lost),
    })
}

fn find(state: &State, caller: &Caller, args: &Args, work: Option<Work>) -> Result<Job, Refusal> {
    let id = args.needed("job_id")?;
    let mut jobs = state.platform.jobs.iter();
    let job = jobs.find(|j| j.id == id && j.user == caller.user && work.is_none_or(|w| w == j.work));
    job.cloned().ok_or_else(|| {
        Refusal::new(
            "job_not_found",
            format!("no job {id:?}; jobs are kept for 30 minutes"),
        )
    })
}

fn list(state: &State, caller: &Caller, args: &Args) -> Value {
    let wanted = args.text("status");
    let rows: Vec<Value> = state
        .platform
        .jobs
        .iter()
        .rev()
        .filter(|j| j.user == caller.user && wanted.is_none_or(|w| w == status(j, caller.now)))
        .take(args.limit(50, 200))
        .map(|j| show(j, caller.now))
        .collect();
    json!({"jobs": rows})
}

fn cancel(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let job = find(state, caller, args, None)?;
    let running = status(&job, caller.now) == "running";
    if let (true, Some(stored)) = (running, state.platform.jobs.iter_mut().find(|j| j.id == job.id)) {
        stored.cancelled_ms = Some(caller.now);
    }
    Ok(json!({"success": true, "job_id": job.id, "cancelled": running}))
}

/// A backtest runs over a class that exists; it takes two seconds.
fn backtest(state: &mut State, caller: &Caller, args: &Args) -> Outcome {
    let class = args.text("strategy").unwrap_or("EmaCross").to_owned();
    super::scripts::must_exist(state, caller, &class)?;
    if let (Some(from), Some(to)) = (args.time("from")?, args.time("to")?)
        && from >= to
    {
        return Err(Refusal::new("invalid_request", "from must lie before to"));
    }
    args.contract_if_given()?;
    if let Some(account) = args.text("account") {
        state.market.account(&caller.user, account)?;
    }
    let id = start(state, Work::Backtest, &class, 2000, caller);
    Ok(json!({"success": true, "job_id": id, "status": "running", "strategy": class}))
}
