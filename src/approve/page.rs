//! (page: next)
use super::desk::Screen;
use super::{Answer, Ask, Verify};
use crate::gate::card::Card;
use crate::system::Env;
use std::time::Duration;
use tokio::sync::{Notify, watch};
pub(super) const PIN_OPEN: Duration = Duration::from_secs(120);
pub(super) async fn ask(_: &Env, _: &Ask, _: watch::Receiver<Card>, _: &Screen, _: &Notify) -> Answer {
    Answer::Nobody("the page is not built yet".to_owned())
}
pub(super) async fn ask_pin(_: &Env, _: &str, _: Verify, _: &Screen) -> Answer {
    Answer::Nobody("the page is not built yet".to_owned())
}
