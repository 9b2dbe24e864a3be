//! Putting a popup onto the screen, so that none stands there which nobody knows.
//!
//! A server tells a popup's id only in its answer, and whoever waits for that may have ended by then: halted, decided
//! elsewhere, dropped, out of patience. So the call lives in a task of its own, and what it brings onto the screen is
//! closed unless somebody takes it. Refuses to know: cards, keys, which popup is ours.

use super::bus::CALL_LIMIT;
use super::left::Coming;
use super::server::{Content, Server};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// A popup on the screen. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Up {
    server: Server,
    id: u32,
    stays: bool,
}

impl Up {
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Leaves it on the screen; whoever does that sees to its end.
    pub(super) fn leave(mut self) -> u32 {
        self.stays = true;
        self.id
    }

    /// Closes it, and waits for that.
    pub(super) async fn close(self) {
        self.server.close(self.id).await;
        self.leave();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        if let Ok(runtime) = Handle::try_current() {
            let (server, id) = (self.server.clone(), self.id);
            runtime.spawn(async move { server.close(id).await });
        }
    }
}

/// Puts a popup onto the screen, in place of `replaces` (0: a new one). With `coming`, it is noted there as ours before
/// anybody else can look.
///
/// # Errors
/// A sentence: the server refused, or did not answer within [`CALL_LIMIT`]. What it shows after that is closed at once.
pub(super) async fn put(
    server: &Server,
    content: &Content<'_>,
    replaces: u32,
    coming: Option<Coming>,
) -> Result<Up, String> {
    let message = server.message(content, replaces)?;
    let server = server.clone();
    let (tell, told) = oneshot::channel();
    tokio::spawn(async move {
        let up = |id| Up {
            server: server.clone(),
            id,
            stays: false,
        };
        let mut shown = Box::pin(server.shown(&message));
        match tokio::time::timeout(CALL_LIMIT, &mut shown).await {
            Ok(Ok(id)) => {
                let up = up(id);
                if let Some(coming) = coming {
                    coming.note(&server, id).await;
                }
                // Where nobody waits, it comes back to us and is dropped.
                drop(tell.send(Ok(up)));
            }
            Ok(Err(why)) => drop(tell.send(Err(why))),
            Err(_) => {
                let limit = CALL_LIMIT.as_secs();
                drop(tell.send(Err(format!("Notify: no answer within {limit} s"))));
                // Nobody waits for this one, and none is shown before the server answers again.
                drop(coming);
                if let Ok(id) = shown.await {
                    up(id).close().await;
                }
            }
        }
    });
    told.await
        .unwrap_or_else(|_| Err("Notify: the program is ending".to_owned()))
}
