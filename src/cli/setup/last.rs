//! The last words: what to do now, where to look, how to stop everything.

use super::{Came, Setup};

/// Setup is through.
pub(super) fn show(setup: &mut Setup<'_>) {
    setup.head("What now");
    let talk = setup.talk;
    let restart = super::clients::restarts(&setup.context);
    for (_, came) in &setup.came {
        if let Came::Left(todo) = came {
            talk.text(&format!("Still to do: {todo}"));
        }
    }
    talk.text(if restart.is_empty() {
        "1. Restart your AI client NOW: quit it fully, also from the tray, and start it again."
    } else {
        "1. Restart your AI clients NOW:"
    });
    for client in restart {
        talk.text(&format!("   {client}"));
    }
    talk.text("2. Paste this into it:");
    talk.gap();
    let words = if setup.trade {
        "  Use the crosstrade tools: list my accounts and positions. Then propose, but do not repeat, a limit order for 1 MES on \
         Sim101, far below the market, and wait for my decision."
    } else {
        "  Use the crosstrade tools: list my accounts and my open positions."
    };
    talk.text(words);
    talk.gap();
    talk.line("Stop all AI trading at once:   countersign halt");
    talk.line("See how things stand:          countersign status");
    talk.line("Something does not work:       countersign doctor");
    talk.line("Take back what setup did:      countersign setup --undo");
}

/// The person left, or a step failed.
pub(super) fn stopped(setup: &Setup<'_>, left: bool) {
    let talk = setup.talk;
    talk.gap();
    let done: Vec<&str> = setup
        .came
        .iter()
        .filter(|(_, came)| matches!(came, Came::Done(_) | Came::Already(_)))
        .map(|(_, came)| came.text())
        .filter(|text| !text.is_empty())
        .collect();
    talk.text(if left {
        "Stopped by you."
    } else {
        "Setup stops here."
    });
    if !done.is_empty() {
        talk.text(&format!("Finished, and it stays: {}.", done.join("; ")));
    }
    talk.text("Go on whenever you like: countersign setup");
}
