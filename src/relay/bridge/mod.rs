//! Between the eras: a client of one on a service of the other (2025-11-25 and before; 2026-07-28).
//!
//! Owns: the four pairings, and what stands in the place of what one side lacks. Refuses to know: what is asked for, and
//! whether it may be; whoever calls this has let it through.

pub(super) mod newer;
pub(super) mod older;

use super::link::Link;
use crate::upstream::{Answer, Era, Failure, Repeat};
use crate::wire::envelope::Id;
use std::sync::Arc;

impl Link {
    /// Sends a request of a client of this era to a service of whatever era; the answer is in the client's.
    ///
    /// # Errors
    /// Whatever keeps the answer from coming.
    pub(super) async fn through(
        self: &Arc<Self>,
        client: Era,
        text: &str,
        id: &Id,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        let mut again = false;
        loop {
            let service = self.read.era().await?;
            let outcome = self.between(client, service, text, id, repeat).await;
            if again || !self.read.has_moved(service, &outcome).await {
                return outcome;
            }
            again = true;
        }
    }

    /// The same where the service's era is known.
    pub(super) async fn between(
        self: &Arc<Self>,
        client: Era,
        service: Era,
        text: &str,
        id: &Id,
        repeat: Repeat,
    ) -> Result<Answer, Failure> {
        match (client, service) {
            (Era::Legacy, Era::Legacy) => self.read.request(text.to_owned(), id, repeat).await,
            (Era::Modern, Era::Modern) => self.read.request_modern(text.to_owned(), id, repeat).await,
            (Era::Legacy, Era::Modern) => self.lifted(text, id, repeat).await,
            (Era::Modern, Era::Legacy) => self.bridged(text, id, repeat).await,
        }
    }
}
