//! The starter policy: asked for, checked by the real parser, and written where there is none.
//!
//! Refuses to know: what a rule means. A file that is there is never touched.

use super::accounts::Known;
use super::starter::{self, Answers, CLASSES};
use super::{Came, Setup, Stop};
use crate::cli::{Exit, args, policy as verb};
use crate::gate::Policy;
use crate::journal::hash;
use crate::relay::load_policy_at;
use crate::system::file;

/// The largest file that is taken as a policy (bytes), as everywhere.
const MAX: u64 = 64 * 1024;
/// The most accounts that are asked about; the others fall under the strict entry.
const MOST: usize = 12;

pub(super) async fn run(setup: &mut Setup<'_>) -> Result<Came, Stop> {
    if !setup.trade {
        return Ok(Came::Skipped(String::new()));
    }
    let path = setup.context.world.paths.policy();
    // A link that leads nowhere is there too.
    if path.symlink_metadata().is_ok() {
        return Ok(there(setup).await);
    }
    let text = match &setup.flags.policy {
        Some(from) => match read(from) {
            Ok(text) => text,
            Err(why) => return Err(refuse(setup, &why)),
        },
        None => answers(setup).await?,
    };
    // Written elsewhere while the questions were asked: that one stays.
    if path.symlink_metadata().is_ok() {
        return Ok(there(setup).await);
    }
    let made = path.parent().map_or(Ok(()), file::make_folder);
    let written = made.and_then(|()| file::write_atomic(&path, text.as_bytes()));
    if let Err(error) = written {
        setup.context.out.error(
            &format!("{}: {error}", path.display()),
            "no rules were written; then: countersign setup",
        );
        return Err(Stop::Failed(Exit::Config));
    }
    setup.memo.policy = Some(hash(&text));
    setup.keep_memo();
    setup.talk.gap();
    setup.talk.text(&format!(
        "Written, and read again by Countersign: these rules hold. You can change them in {}",
        path.display()
    ));
    Ok(Came::Done(path.display().to_string()))
}

/// The rules that are there, and whether they can be read.
async fn there(setup: &mut Setup<'_>) -> Came {
    let path = setup.context.world.paths.policy();
    let name = path.display();
    if let Err(why) = load_policy_at(&path) {
        setup.head("Your rules");
        setup.talk.text(&format!(
            "Your rules cannot be used, so every order is refused until they are corrected: {why}"
        ));
        return Came::Left(format!(
            "{name} is wrong; correct it, then: countersign policy check"
        ));
    }
    if setup.flags.policy.is_some() || !setup.flags.starter.is_empty() || setup.talk.asks() {
        setup.head("Your rules");
        setup
            .talk
            .text("You have rules already; setup does not touch them.");
        let _ = verb::policy(&setup.context, &args::Policy::Check).await;
    }
    Came::Already(name.to_string())
}

fn read(from: &std::path::Path) -> Result<String, String> {
    let name = from.display();
    let text = file::read_text(from, MAX)
        .map_err(|error| format!("{name}: {error}"))?
        .ok_or_else(|| format!("{name}: there is no such file"))?;
    Policy::parse(&text).map_err(|error| format!("{name}: {error}"))?;
    Ok(text)
}

fn refuse(setup: &Setup<'_>, why: &str) -> Stop {
    setup
        .context
        .out
        .error(why, "no rules were written; then: countersign setup");
    Stop::Failed(Exit::Usage)
}

async fn answers(setup: &mut Setup<'_>) -> Result<String, Stop> {
    let known = setup.accounts().await;
    let mut answers = Answers::default();
    for account in known.iter().flatten().take(MOST) {
        let class = if account.sim { "sim" } else { "live" };
        answers.accounts.insert(account.name.clone(), class.to_owned());
    }
    for pair in &setup.flags.starter {
        if let Err(why) = answers.take(pair) {
            return Err(refuse(setup, &format!("--starter {why}")));
        }
    }
    if setup.talk.asks() && setup.flags.starter.is_empty() {
        ask(setup, &mut answers, known).await?;
    }
    match answers.policy() {
        Ok(text) => Ok(text),
        Err(why) => Err(refuse(setup, &why)),
    }
}

async fn ask(
    setup: &mut Setup<'_>,
    answers: &mut Answers,
    known: Result<Vec<Known>, String>,
) -> Result<(), Stop> {
    setup.head("Your rules, from three questions");
    let talk = setup.talk;
    talk.text(
        "Rules only make things tighter: what they refuse, you are not even asked. Closing a position is never limited.",
    );
    talk.gap();
    match known {
        Ok(known) => accounts(setup, answers, &known).await?,
        Err(why) => talk.text(&format!(
            "Your accounts could not be listed ({why}). The rules are then the same for all of them, as for live money."
        )),
    }
    talk.gap();
    talk.text("Second: sizes, for every account that is not play money. Instruments that you do not name are refused.");
    let now = answers
        .quantity
        .iter()
        .map(|(root, most)| format!("{root} {most}"))
        .collect::<Vec<_>>()
        .join(", ");
    answers.quantity = talk
        .read("Most contracts in one order", &now, starter::quantities)
        .await?;
    let now = answers.contracts.to_string();
    answers.contracts = talk
        .read(
            "Most contracts in all on one account, in minis (10 micros = 1)",
            &now,
            starter::number,
        )
        .await?;
    talk.gap();
    talk.text("Third: when new orders may be opened (New York time, Monday to Friday), and the loss that ends the day.");
    answers.hours = talk
        .read("From-to, or any", "09:35-15:45", starter::hours)
        .await?;
    answers.loss = talk
        .read(
            "No new orders once the day's loss is this many dollars, or none",
            "300",
            starter::dollars,
        )
        .await?;
    Ok(())
}

async fn accounts(setup: &Setup<'_>, answers: &mut Answers, known: &[Known]) -> Result<(), Stop> {
    let talk = setup.talk;
    talk.text("First: what your accounts are. As CrossTrade lists them:");
    for account in known {
        let provider = account.provider.as_deref().unwrap_or("?");
        talk.line(&crate::cli::out::safe(&format!(
            "  {:<24} {provider}",
            account.name
        )));
    }
    let real: Vec<&Known> = known.iter().filter(|account| !account.sim).collect();
    let asked: Vec<&Known> = real
        .iter()
        .copied()
        .filter(|account| starter::is_plain(&account.name))
        .take(MOST)
        .collect();
    if asked.len() < real.len() {
        talk.text(&format!(
            "{} of them are not asked about here: they are treated as real money, by the strictest of your rules. To \
             block one, write it into policy.toml afterwards.",
            real.len() - asked.len()
        ));
    }
    if asked.is_empty() {
        talk.text("All of them are play money.");
        return Ok(());
    }
    talk.text("live: real money. funded, eval: of a prop firm. blocked: no AI may touch it.");
    for account in asked {
        let question = format!("{} is", crate::cli::out::safe(&account.name));
        let class = talk.one_of(&question, &CLASSES, "live").await?;
        answers.accounts.insert(account.name.clone(), class);
    }
    Ok(())
}
