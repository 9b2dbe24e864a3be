//! What this is, in a few lines.

use super::Setup;

pub(super) fn show(setup: &Setup<'_>) {
    setup.talk.text(
        "Countersign stands between your AI client and CrossTrade.\n\
         Your AI may read your accounts and propose orders. No order leaves this computer until you have approved exactly \
         that order yourself.\n\
         This takes about three minutes. Nothing is traded on the way, but for one practice order on a play-money account, \
         if you want it.\n\
         Enter takes the answer in [brackets], which is always the careful one. Ctrl-C stops at any question; what is \
         finished stays, and `countersign setup` goes on from there.",
    );
}
