//! The line of new orders that wait to be looked at.
//!
//! Owns: how many wait, and that one is looked at after the other: each look costs requests, of which the service grants
//! few. Refuses to know: what is read, and who is refused later. No exit and no stop ever stands in it.

use super::lock;
use super::refusals::Like;
use std::collections::HashMap;
use std::sync::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Orders of one kind in the line, the one that is looked at among them: twice what may wait for the person.
const ALIKE: usize = 6;
/// All orders in the line of one process.
const ALL: usize = 12;

/// The line of this process.
#[derive(Debug)]
pub(super) struct Line {
    looking: Semaphore,
    inside: Mutex<HashMap<Like, usize>>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            looking: Semaphore::new(1),
            inside: Mutex::default(),
        }
    }
}

/// The place at the head of the line; the next one comes up when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    _inside: Inside<'a>,
    _looking: Option<SemaphorePermit<'a>>,
}

/// Counted in the line, also where whoever waits gives up.
#[derive(Debug)]
struct Inside<'a> {
    line: &'a Line,
    like: Like,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut inside = lock(&self.line.inside);
        if let Some(count) = inside.get_mut(&self.like) {
            *count = count.saturating_sub(1);
        }
        inside.retain(|_, count| *count > 0);
    }
}

impl Line {
    /// Waits for its turn; `None` at once where too many wait already.
    pub(super) async fn enter(&self, like: &Like) -> Option<Place<'_>> {
        let inside = self.join(like)?;
        Some(Place {
            _inside: inside,
            // Never closed, so there is always a permit in the end.
            _looking: self.looking.acquire().await.ok(),
        })
    }

    fn join(&self, like: &Like) -> Option<Inside<'_>> {
        let mut inside = lock(&self.inside);
        let alike = inside.get(like).copied().unwrap_or_default();
        if alike >= ALIKE || inside.values().sum::<usize>() >= ALL {
            return None;
        }
        inside.insert(like.clone(), alike + 1);
        Some(Inside {
            line: self,
            like: like.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn few_wait_and_one_is_looked_at() {
        let line = Line::default();
        let likes: Vec<Like> = (0..5).map(|n| Like::named(&n.to_string())).collect();
        let first = line.enter(&likes[0]).await.unwrap();
        let mut second = std::pin::pin!(line.enter(&likes[0]));
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), &mut second);
        assert!(waits.await.is_err());
        let third: Vec<_> = (0..4).map(|_| line.join(&likes[0]).unwrap()).collect();
        assert!(line.enter(&likes[0]).await.is_none());
        // Another kind is not kept out by these, until the line is full.
        let others: Vec<_> = (0..6).map(|n| line.join(&likes[1 + n / 2]).unwrap()).collect();
        assert!(line.enter(&likes[4]).await.is_none());
        drop((first, third, others));
        assert!(second.await.is_some());
        assert!(lock(&line.inside).is_empty());
    }
}
