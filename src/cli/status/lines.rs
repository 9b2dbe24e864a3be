//! `status` for people: each line begins with one word, in the same place.

use super::super::{out::safe, rules, waiting};
use super::{Standing, Waiting, store};
use crate::gate::limits::Count;
use crate::gate::policy::Limit;
use crate::gate::value::count;
use crate::oauth::GrantInfo;
use crate::system::clock;

impl Standing {
    pub(super) fn text(&self) -> String {
        let mut lines = vec![self.headline().text, String::new()];
        self.sign_in(&mut lines);
        self.rules(&mut lines);
        self.orders(&mut lines);
        let next = self.next();
        lines.push(String::new());
        lines.push(match next.command {
            Some(command) => format!("Next: {}: {command}", next.text),
            None => format!("Next: {}", next.text),
        });
        lines.join("\n")
    }

    fn sign_in(&self, lines: &mut Vec<String>) {
        if let Some(why) = &self.trouble {
            lines.push(format!("sign-in   {}", safe(why)));
        } else {
            lines.push(self.grant_line("reading", self.read()));
            lines.push(self.grant_line("trading", self.trade()));
        }
        if self.grants.iter().any(|grant| grant.single) {
            lines.push("warning   one sign-in serves reading and trading: a call that Countersign took for harmless by mistake would not be refused by CrossTrade".to_owned());
        }
        if let Some(grant) = self.grants.first() {
            lines.push(format!("keys      {}", store(grant)));
        }
        lines.push(format!("service   {}", self.endpoint));
    }

    fn grant_line(&self, what: &str, grant: Option<&GrantInfo>) -> String {
        match grant {
            None if what == "reading" => "reading   not signed in: countersign setup".to_owned(),
            // First things first.
            None if self.read().is_none() => "trading   not enabled".to_owned(),
            None => "trading   not enabled: countersign login --trade".to_owned(),
            Some(GrantInfo {
                withdrawn: Some(why), ..
            }) => {
                let verb = if what == "reading" {
                    "countersign login"
                } else {
                    "countersign login --trade"
                };
                format!("{what:<9} ENDED: {}; sign in again: {verb}", safe(why))
            }
            Some(grant) => {
                let sealed = if grant.sealed {
                    ", sealed under your PIN"
                } else {
                    ""
                };
                let since = grant
                    .granted_at_ms
                    .map(|at| format!(", {}", ago(self.now, at)))
                    .unwrap_or_default();
                let scope = grant
                    .scope
                    .as_deref()
                    .map(|scope| format!(", {}", safe(scope)))
                    .unwrap_or_default();
                let name = safe(&grant.client_name);
                format!("{what:<9} signed in as \"{name}\"{since}{scope}{sealed}")
            }
        }
    }

    fn rules(&self, lines: &mut Vec<String>) {
        match &self.settings {
            Ok(settings) => lines.push(format!("approval  by {}", rules::word(settings.tier))),
            Err(why) => lines.push(format!("settings  WRONG, trade calls are refused: {why}")),
        }
        for one in &self.running {
            if let Some(until) = one.armed_until {
                let what = if one.armed_all { "every order" } else { "exits" };
                lines.push(format!(
                    "armed     in {} until {}: a click is enough for {what}",
                    named(&one.client),
                    clock::local_time(until)
                ));
            }
        }
        lines.push(match &self.policy {
            Ok(_) if self.policy_file.exists() => format!("policy    {}", self.policy_file.display()),
            Ok(_) => "policy    built in: reads pass, everything else asks you".to_owned(),
            Err(why) => format!("policy    WRONG, trade calls are refused: {why}"),
        });
        lines.extend(
            self.changes
                .iter()
                .map(|change| format!("CHANGED   {}", change.line)),
        );
        lines.push(self.counted());
        if let Some(until) = self.paused {
            lines.push(format!(
                "paused    new orders until {}, exits are not (countersign resume ends the pause)",
                clock::local_time(until)
            ));
        }
    }

    /// Today's count beside the limits of the policy for all accounts together.
    fn counted(&self) -> String {
        if self.today.exhausted {
            return "today     the counts CANNOT BE READ or are gone: new orders are refused, exits are not"
                .to_owned();
        }
        let pace = self.policy.as_ref().ok().map(|policy| &policy.limits().pace);
        let limit =
            |of: Option<&Limit<u32>>| of.map(|limit| format!(" of {}", limit.value)).unwrap_or_default();
        let Count {
            orders, contracts, ..
        } = self.today.day;
        let contracts = match contracts {
            Some(contracts) if orders > 0 => {
                match limit(pace.and_then(|pace| pace.daily_quantity.as_ref())) {
                    none if none.is_empty() => format!(", {}", count(contracts, "contract")),
                    of => format!(", {contracts}{of} contracts"),
                }
            }
            _ => String::new(),
        };
        let day = limit(pace.and_then(|pace| pace.orders_per_day.as_ref()));
        let minute = limit(pace.and_then(|pace| pace.orders_per_minute.as_ref()));
        let word = if orders == 1 && day.is_empty() {
            "order"
        } else {
            "orders"
        };
        format!(
            "today     {orders}{day} new {word} sent{contracts}; {}{minute} in the last minute",
            self.today.minute.orders
        )
    }

    fn orders(&self, lines: &mut Vec<String>) {
        if self.can_trade() {
            lines.push("orders    every trade call is held until you approve it".to_owned());
        }
        lines.push(match self.running.as_slice() {
            [] => "clients   no AI client runs Countersign now".to_owned(),
            all => {
                let each = all
                    .iter()
                    .map(|one| format!("{} ({})", named(&one.client), ago(self.now, one.since)));
                format!("clients   {}", each.collect::<Vec<_>>().join(", "))
            }
        });
        if !self.set_up.is_empty() {
            lines.push(format!("set up    in {}", self.set_up.join(", ")));
        }
        lines.extend(
            self.lost
                .iter()
                .map(|what| format!("LOST      {}; countersign install --repair", safe(what))),
        );
        for around in &self.around {
            let (name, file) = (safe(&around.name), around.file.display());
            let how = around.how();
            lines.push(if around.twin {
                format!("TWICE     \"{name}\" in {file} is Countersign once more: remove it {how}")
            } else {
                format!("BYPASS    \"{name}\" in {file} reaches CrossTrade without Countersign: an order there is held by NOBODY. Remove it {how}")
            });
        }
        lines.push(match self.open.len() {
            0 => "waiting   nothing".to_owned(),
            many => format!("waiting   {}", count(many, "trade call")),
        });
        lines.extend(self.open.iter().map(|waiting| self.waits(waiting)));
        if !self.doubts.is_empty() {
            lines.push(
                "OUTCOME UNKNOWN; look in NinjaTrader, then: countersign acknowledge TICKET".to_owned(),
            );
            lines.extend(
                self.doubts
                    .iter()
                    .map(|doubt| format!("  {}", waiting::doubt_line(doubt))),
            );
        }
        lines.extend(
            self.unreadable
                .iter()
                .map(|id| format!("OUTCOME UNKNOWN of {}: its file cannot be read", safe(id))),
        );
    }

    fn waits(&self, Waiting { ticket, owned }: &Waiting) -> String {
        let state = match ticket.deadline() {
            _ if !owned => "its AI client is gone: it is void, nothing is sent".to_owned(),
            _ if ticket.state == crate::gate::ticket::State::Sending => "approved, on its way".to_owned(),
            None => "waits for its turn on the screen".to_owned(),
            Some(at) => format!("{} s left", at.saturating_sub(self.now) / 1000),
        };
        format!(
            "  {}  {}  ({state}, from {})",
            ticket.id,
            safe(&waiting::headline(ticket)),
            named(&ticket.client)
        )
    }
}

fn named(client: &str) -> String {
    if client.is_empty() {
        "an AI client".to_owned()
    } else {
        safe(client)
    }
}

/// How long ago, in the largest unit that says enough.
fn ago(now: u64, then: u64) -> String {
    let seconds = now.saturating_sub(then) / 1000;
    let (many, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "min"),
        3600..172_800 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{many} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::ago;

    #[test]
    fn times_are_told_in_a_unit_that_fits() {
        const MINUTE: u64 = 60_000;
        let told = |ms: u64| ago(10_000 * 60 * MINUTE, 10_000 * 60 * MINUTE - ms);
        assert_eq!(told(59_999), "just now");
        assert_eq!(told(MINUTE), "1 min ago");
        assert_eq!(told(119 * MINUTE), "1 h ago");
        assert_eq!(told(47 * 60 * MINUTE), "47 h ago");
        assert_eq!(told(49 * 60 * MINUTE), "2 days ago");
        assert_eq!(ago(1, 5), "just now", "a clock that was set back");
    }
}
