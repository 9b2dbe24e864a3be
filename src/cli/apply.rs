//! `policy apply`: the person looks at what changed since they approved it, and approves it, without waiting for a trade
//! call that asks for it.

use super::{Context, Exit, out};
use crate::relay::Relay;
use crate::relay::change::{self, Change, Kind, NotApplied, Standing, Where};
use crate::relay::lists::Lists;
use crate::system::clock;
use serde_json::{Value, json};

pub(super) async fn apply(context: &Context) -> Exit {
    let relay = match Relay::detached(context.world.clone(), context.endpoint.clone()) {
        Ok(relay) => relay,
        Err(why) => {
            context
                .out
                .error(&why, "nothing was changed; see what is wrong: countersign doctor");
            return Exit::Failure;
        }
    };
    let place = if context.out.can_ask() {
        Where::Terminal
    } else {
        Where::Desk
    };
    let came = change::apply(&relay, place).await;
    relay.leave().await;
    match came {
        Ok(done) => {
            let text = match done.as_slice() {
                [] => {
                    "Nothing waits: the policy, the settings and the tool descriptions are those that you approved."
                }
                [Kind::Policy] => "The policy is in force as it is now.",
                [Kind::Tools] => "The tool descriptions are in force as they are now.",
                _ => "The policy and the tool descriptions are in force as they are now.",
            };
            let ids: Vec<&str> = done.iter().map(|kind| kind.id()).collect();
            context.out.data(text, &json!({ "approved": ids }));
            Exit::Fine
        }
        Err(why) => {
            let hint = "what you approved before stays in force; orders are refused until then";
            let (why, exit) = match why {
                NotApplied::Denied => ("you said no".to_owned(), Exit::Denied),
                NotApplied::Unanswered => ("nobody answered".to_owned(), Exit::Expired),
                NotApplied::Failed(why) => (why, Exit::Failure),
            };
            context.out.error(&out::safe(&why), hint);
            exit
        }
    }
}

/// What waits for the person beside trade calls.
pub(super) async fn waiting(context: &Context) -> Vec<Change> {
    let paths = &context.world.paths;
    let lists = Lists::load(paths, context.endpoint.url());
    let sealed = !matches!(context.grants().sealed_at().await, Ok(None));
    let find = |kind: Kind| change::found(kind, paths, &lists, sealed).ok().flatten();
    Kind::ALL.into_iter().filter_map(find).collect()
}

/// A change on one line.
pub(super) fn line(context: &Context, what: &Change) -> String {
    format!(
        "{:<6} {}  ({})",
        what.kind.id(),
        out::safe(&what.headline),
        how(context, what)
    )
}

fn how(context: &Context, what: &Change) -> String {
    let paths = &context.world.paths;
    let lists = Lists::load(paths, context.endpoint.url());
    let question =
        change::Question::load(what.kind, paths, &lists).filter(|question| question.what == what.what);
    match question.map(|question| (question.standing, question.until)) {
        Some((Standing::Open, _)) => "held, you are asked on your screen".to_owned(),
        Some((Standing::Denied, until)) => format!(
            "held, you said no; the next trade call after {} asks again, or: countersign policy apply",
            clock::local_time(until)
        ),
        Some((Standing::Unanswered, until)) => format!(
            "held, you did not answer; the next trade call after {} asks again, or: countersign policy apply",
            clock::local_time(until)
        ),
        Some((Standing::Dropped, _)) | None => {
            "held, the next trade call asks you, or: countersign policy apply".to_owned()
        }
    }
}

/// A change as an object for programs.
pub(super) fn object(what: &Change) -> Value {
    json!({ "ticket": what.kind.id(), "state": "held", "what": what.headline, "digest": what.digest() })
}
