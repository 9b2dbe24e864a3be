//! `status --json`. What a member means is said in `docs/json.md`; a member is never taken away or given another meaning
//! within one `schemaVersion`.

use super::super::waiting;
use super::{Standing, Waiting};
use crate::clients::Around;
use crate::gate::policy::Limit;
use crate::oauth::GrantInfo;
use crate::relay::running::Running;
use crate::system::clock;
use serde_json::{Value, json};

impl Standing {
    pub(super) fn object(&self) -> Value {
        let (headline, next) = (self.headline(), self.next());
        let doubts: Vec<Value> = self.doubts.iter().map(waiting::doubt_object).collect();
        json!({
            "trading": headline.word,
            "headline": headline.text,
            "next": { "text": next.text, "command": next.command },
            "endpoint": self.endpoint,
            "halted": self.halted,
            "trouble": self.trouble,
            "grants": self.grants.iter().map(grant_object).collect::<Vec<Value>>(),
            "tier": self.settings.as_ref().ok().map(|settings| settings.tier),
            "settingsError": self.settings.as_ref().err(),
            "policy": self.policy_object(),
            "policyError": self.policy.as_ref().err(),
            "changed": self.changes.iter().map(|change| change.object.clone()).collect::<Vec<Value>>(),
            "today": self.today_object(),
            "entriesPausedUntil": self.paused.map(clock::rfc3339),
            "running": self.running.iter().map(running_object).collect::<Vec<Value>>(),
            "setUp": self.set_up,
            "lost": self.lost,
            "around": self.around.iter().map(around_object).collect::<Vec<Value>>(),
            "pending": self.open.iter().map(|waiting| self.waiting_object(waiting)).collect::<Vec<Value>>(),
            "unknown": doubts,
            "unreadable": self.unreadable,
        })
    }

    fn policy_object(&self) -> Value {
        let state = match &self.policy {
            Err(_) => "wrong",
            Ok(_) if !self.changes.is_empty() => "changed",
            Ok(_) if self.policy_file.exists() => "ok",
            Ok(_) => "builtin",
        };
        let digest = self.policy.as_ref().ok().map(crate::gate::Policy::digest);
        json!({ "state": state, "file": self.policy_file.display().to_string(), "digest": digest })
    }

    fn today_object(&self) -> Value {
        let pace = self.policy.as_ref().ok().map(|policy| &policy.limits().pace);
        let value = |limit: Option<&Limit<u32>>| limit.map(|limit| limit.value);
        json!({
            "orders": self.today.day.orders,
            "ordersLimit": value(pace.and_then(|pace| pace.orders_per_day.as_ref())),
            "contracts": self.today.day.contracts,
            "contractsLimit": value(pace.and_then(|pace| pace.daily_quantity.as_ref())),
            "lastMinute": self.today.minute.orders,
            "lastMinuteLimit": value(pace.and_then(|pace| pace.orders_per_minute.as_ref())),
            "readable": !self.today.exhausted,
        })
    }

    fn waiting_object(&self, Waiting { ticket, owned }: &Waiting) -> Value {
        let mut object = waiting::object(ticket);
        let left = ticket.deadline().map(|at| at.saturating_sub(self.now) / 1000);
        if let Some(members) = object.as_object_mut() {
            members.insert("secondsLeft".to_owned(), left.into());
            members.insert("asked".to_owned(), (*owned).into());
        }
        object
    }
}

fn grant_object(grant: &GrantInfo) -> Value {
    json!({
        "kind": grant.kind.as_str(), "scope": grant.scope, "clientName": grant.client_name,
        "issuer": grant.issuer, "sealed": grant.sealed, "withdrawn": grant.withdrawn, "single": grant.single,
        "grantedAt": grant.granted_at_ms.map(clock::rfc3339),
        "expiresAt": grant.expires_at_ms.map(clock::rfc3339), "store": grant.store.as_str(),
    })
}

fn around_object(around: &Around) -> Value {
    json!({ "file": around.file.display().to_string(), "name": around.name, "twin": around.twin })
}

fn running_object(one: &Running) -> Value {
    json!({
        "pid": one.pid, "client": one.client, "version": one.version, "program": one.program,
        "endpoint": one.endpoint, "since": clock::rfc3339(one.since),
        "armedUntil": one.armed_until.map(clock::rfc3339), "armedAll": one.armed_all,
    })
}
