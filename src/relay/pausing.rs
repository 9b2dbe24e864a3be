//! The pause of entries towards the person: told when it begins, ended by one free click.
//!
//! Owns: the notice and its button. Refuses to know: when a pause begins (`gate::limits`).

use super::judging::{counters, update_counters};
use super::{Relay, outcomes, words};
use crate::approve::Notice;
use crate::gate::{Counters, Millis};
use crate::system::clock::{local_time, wall_ms};
use std::sync::Arc;
use std::time::Duration;

/// How often is looked whether the pause was ended elsewhere.
const LOOK: Duration = Duration::from_secs(1);

/// Notes a denial or a card without an answer, and tells the person where a pause begins by it.
pub(super) async fn count(relay: &Arc<Relay>, note: fn(&mut Counters, Millis)) {
    let now = wall_ms();
    let Some((before, after)) = update_counters(relay, move |counters| note(counters, now)).await else {
        return;
    };
    if let (None, Some(until)) = (before.paused_until(now), after.paused_until(now)) {
        begin(relay, until).await;
    }
}

async fn begin(relay: &Arc<Relay>, until: Millis) {
    let at = local_time(until);
    outcomes::note(relay, "paused", &[("until", at.clone().into())]).await;
    let (relay, tracker) = (Arc::clone(relay), relay.tasks.clone());
    tracker.spawn(async move {
        let (title, lines) = words::paused(&at);
        let notice = Notice {
            title,
            lines,
            lasting: true,
        };
        let stop = relay.ending.child_token();
        let over = async {
            while counters(&relay).await.paused_until(wall_ms()).is_some() {
                tokio::time::sleep(LOOK).await;
            }
            stop.cancel();
            std::future::pending::<()>().await;
        };
        let pressed = tokio::select! {
            pressed = relay.desk.offer(notice, words::END_PAUSE, stop.clone()) => pressed,
            () = over => false,
        };
        if pressed && update_counters(&relay, Counters::end_pause).await.is_some() {
            outcomes::note(&relay, "pause_ended", &[("via", "notification".into())]).await;
        }
    });
}
