//! Which key approved which order: every signature on record, checked again without the vault or the network.
//!
//! A key counts from its `passkey_registered` line to its `passkey_removed` line. An `approved` line of tier passkey must
//! carry a signature by such a key over exactly the call of its `held` line and the card that it says was shown. The
//! journal proves no more than its own lines: whoever writes the whole file anew can register a key of their own in it.
//! Kept beside the vault's list of keys, or its head noted elsewhere, it proves which key signed which bytes.

use super::read::Fault;
use crate::passkey::{Key, Proof, Subject, card_digest};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Recomputes the digest of a call from its name and arguments as written.
pub type DigestOf = fn(&str, &str) -> String;

/// One order and the key that approved it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    /// The line of the approval, from 1.
    pub line: usize,
    /// The ticket.
    pub ticket: String,
    /// The tool.
    pub tool: String,
    /// The address that it was for.
    pub endpoint: String,
    /// When, as the journal says.
    pub at: String,
    /// The key's id.
    pub key: String,
    /// What the person called it when it was registered.
    pub name: String,
}

/// The check of all signatures, line by line.
#[derive(Debug)]
pub struct Proofs {
    digest_of: DigestOf,
    /// By endpoint and id.
    keys: BTreeMap<(String, String), Key>,
    held: BTreeMap<String, Held>,
    /// Challenges that were answered, and the `held` line of the call that it was for.
    used: BTreeMap<String, usize>,
    /// Approvals that carry no signature, and need none.
    pub unsigned: usize,
    /// Passkeys that no passkey before them let in: the first of each sign-in.
    pub firsts: usize,
    /// Orders whose signature holds.
    pub approved: Vec<Approved>,
    /// Signatures that do not hold, and approvals without one.
    pub faults: Vec<Fault>,
}

/// What a `held` line says of a call.
#[derive(Debug)]
struct Held {
    line: usize,
    endpoint: String,
    tool: String,
    digest: String,
    /// The bytes do not have the digest.
    broken: bool,
}

#[derive(Deserialize)]
struct Registered {
    key: Key,
    proof: Proof,
    /// By a key that was there, where one was.
    allowed: Option<Proof>,
}

impl Proofs {
    /// Nothing seen yet.
    pub fn new(digest_of: DigestOf) -> Self {
        Self {
            digest_of,
            keys: BTreeMap::new(),
            held: BTreeMap::new(),
            used: BTreeMap::new(),
            unsigned: 0,
            firsts: 0,
            approved: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Takes the next line; `line` is its number in the file, from 1.
    pub fn take(&mut self, line: usize, object: &Value) {
        let fault = match text(object, "kind") {
            "held" => {
                self.hold(line, object);
                Ok(())
            }
            "passkey_registered" => self.register(object),
            "passkey_removed" => {
                let id = object.pointer("/passkey/key/id").and_then(Value::as_str);
                let place = (
                    text(object, "endpoint").to_owned(),
                    id.unwrap_or_default().to_owned(),
                );
                self.keys.remove(&place);
                Ok(())
            }
            // The seal that held them is gone; the sign-in after it begins without one.
            "passkeys_forgotten" => {
                let endpoint = text(object, "endpoint");
                self.keys.retain(|(at, _), _| at != endpoint);
                Ok(())
            }
            "approved" => self.approve(line, object),
            // The ends of a ticket; its number may be given again later.
            "accepted" | "otherwise" | "rejected" | "unknown" | "denied" | "expired" | "withdrawn"
            | "voided" | "tampered" => {
                self.held.remove(text(object, "ticket"));
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(what) = fault {
            self.faults.push(Fault { line, what });
        }
    }

    fn hold(&mut self, line: usize, object: &Value) {
        let digest = text(object, "digest").to_owned();
        // Long arguments (written code) are kept by their digest alone.
        let bytes = object.get("arguments").and_then(Value::as_str);
        let broken =
            bytes.is_some_and(|arguments| (self.digest_of)(text(object, "name"), arguments) != digest);
        let held = Held {
            line,
            endpoint: text(object, "endpoint").to_owned(),
            tool: text(object, "tool").to_owned(),
            digest,
            broken,
        };
        self.held.insert(text(object, "ticket").to_owned(), held);
    }

    fn register(&mut self, object: &Value) -> Result<(), String> {
        let registered: Registered = object
            .get("passkey")
            .and_then(|passkey| Registered::deserialize(passkey).ok())
            .ok_or("a passkey was registered without its proof")?;
        let Registered { key, proof, allowed } = registered;
        let endpoint = text(object, "endpoint").to_owned();
        let fresh = Key {
            counter: 0,
            ..key.clone()
        };
        let about = Subject::verb(Subject::PROVE, &endpoint);
        let holds = proof.subject == about && proof.check(&fresh) == Ok(key.counter);
        if self.keys.keys().any(|(at, _)| *at == endpoint) {
            self.let_in(&endpoint, allowed.as_ref())
                .ok_or_else(|| format!("no passkey before it let in {} ({})", key.name, key.short_id()))?;
        } else {
            self.firsts += 1;
        }
        self.keys.insert((endpoint, key.id.clone()), key.clone());
        holds.then_some(()).ok_or_else(|| {
            format!(
                "the passkey {} ({}) did not prove itself",
                key.name,
                key.short_id()
            )
        })
    }

    /// Whether a key that was there signed that another one may come.
    fn let_in(&mut self, endpoint: &str, allowed: Option<&Proof>) -> Option<()> {
        let allowed = allowed.filter(|proof| proof.subject == Subject::verb(Subject::ALLOW, endpoint))?;
        let place = (endpoint.to_owned(), allowed.assertion.id.clone());
        let key = self.keys.get_mut(&place)?;
        key.counter = allowed.check(key).ok()?;
        Some(())
    }

    fn approve(&mut self, line: usize, object: &Value) -> Result<(), String> {
        let ticket = text(object, "ticket");
        let wrong = |what: &str| format!("ticket {ticket}: {what}");
        let Some(proof) = object.get("passkey") else {
            return if text(object, "tier") == "passkey" {
                Err(wrong("it took a passkey, and no signature is on record"))
            } else {
                self.unsigned += 1;
                Ok(())
            };
        };
        let proof = Proof::deserialize(proof).map_err(|_| wrong("its signature cannot be read"))?;
        let held = self
            .held
            .get(ticket)
            .ok_or_else(|| wrong("it was signed, and never held"))?;
        if held.broken {
            return Err(wrong("its call does not have the digest that it was held under"));
        }
        let subject = Subject {
            deed: Subject::ORDER.to_owned(),
            ticket: ticket.to_owned(),
            endpoint: held.endpoint.clone(),
            tool: held.tool.clone(),
            digest: held.digest.clone(),
            card: card_digest(text(object, "shown")),
        };
        if proof.subject != subject {
            return Err(wrong("the signature is about another order, or another card"));
        }
        let place = (subject.endpoint.clone(), proof.assertion.id.clone());
        let key = self
            .keys
            .get_mut(&place)
            .ok_or_else(|| wrong("the signature is by a key that was not registered then"))?;
        // A call that provably did not run may be sent once more by the same approval; another one of the same name
        // may not.
        let nonce = serde_json::to_string(&proof.nonce).unwrap_or_default();
        let before = self.used.get(&nonce).copied();
        if before.is_some_and(|other| other != held.line) {
            return Err(wrong("its signature was used before, for another order"));
        }
        let counted = Key {
            counter: if before.is_some() { 0 } else { key.counter },
            ..key.clone()
        };
        let counter = proof
            .check(&counted)
            .map_err(|refusal| wrong(&format!("the signature does not hold: {refusal}")))?;
        key.counter = key.counter.max(counter);
        self.used.insert(nonce, held.line);
        self.approved.push(Approved {
            line,
            ticket: ticket.to_owned(),
            tool: held.tool.clone(),
            endpoint: subject.endpoint,
            at: text(object, "at").to_owned(),
            key: key.id.clone(),
            name: key.name.clone(),
        });
        Ok(())
    }
}

fn text<'o>(object: &'o Value, key: &str) -> &'o str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::call::digest_of;

    const RECORDED: &str = include_str!("../passkey/tests/chromium.jsonl");

    /// The recorded lines, the held one with the address that such a line carries by now.
    fn recorded() -> Vec<Value> {
        let mut lines: Vec<Value> = RECORDED
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        lines[1]["endpoint"] = lines[0]["endpoint"].clone();
        lines
    }

    fn look(change: impl Fn(&mut Value)) -> Proofs {
        let mut proofs = Proofs::new(digest_of);
        for (index, mut object) in recorded().into_iter().enumerate() {
            change(&mut object);
            proofs.take(index + 1, &object);
        }
        proofs
    }

    #[test]
    fn a_recorded_approval_names_its_key() {
        let found = look(|_| {});
        assert_eq!(found.faults, []);
        let order = &found.approved[0];
        assert_eq!(
            (order.tool.as_str(), order.name.as_str()),
            ("PlaceOrder", "passkey")
        );
    }

    #[test]
    fn whatever_is_changed_is_found() {
        let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for (kind, place, by, said) in [
            ("held", "/ticket", "ZZZZ", "never held"),
            (
                "held",
                "/name",
                "\"FlattenEverything\"",
                "does not have the digest",
            ),
            ("held", "/arguments", "{}", "does not have the digest"),
            ("held", "/digest", "00", "does not have the digest"),
            ("held", "/tool", "FlattenEverything", "another order"),
            ("approved", "/ticket", "ZZZZ", "never held"),
            ("approved", "/shown", "BUY 100", "another order"),
            ("approved", "/passkey/subject/deed", "resume", "another order"),
            ("held", "/endpoint", "https://x.example", "another order"),
            (
                "approved",
                "/passkey/subject/endpoint",
                "https://x.example",
                "another order",
            ),
            ("approved", "/passkey/assertion/id", "AAAA", "not registered"),
            ("approved", "/passkey/nonce", zeros, "something else than"),
            (
                "approved",
                "/passkey/origin",
                "http://localhost:1",
                "another page",
            ),
            (
                "approved",
                "/passkey/assertion/signature",
                "AAAA",
                "signature is not right",
            ),
            ("approved", "/passkey", "none", "cannot be read"),
        ] {
            let found = look(|line| {
                if line["kind"] == kind {
                    *line.pointer_mut(place).unwrap() = by.into();
                }
            });
            assert!(found.approved.is_empty(), "{place}: {found:?}");
            assert!(found.faults[0].what.contains(said), "{place}: {found:?}");
        }
        let without = look(|line| {
            if line["kind"] == "approved" {
                line.as_object_mut().unwrap().remove("passkey");
            }
        });
        assert!(
            without.faults[0].what.contains("no signature is on record"),
            "{without:?}"
        );
        let unproved = look(|line| {
            if line["kind"] == "passkey_registered" {
                line["passkey"]["key"]["counter"] = 0.into();
            }
        });
        assert!(
            unproved.faults[0].what.contains("did not prove itself"),
            "{unproved:?}"
        );
    }

    #[test]
    fn a_signature_serves_one_ticket() {
        let mut proofs = Proofs::new(digest_of);
        let lines = recorded();
        for (index, line) in lines[..3].iter().enumerate() {
            proofs.take(index + 1, line);
        }
        // Sent once more after a proof that it had not run.
        proofs.take(4, &lines[2]);
        assert_eq!((proofs.approved.len(), proofs.faults.len()), (2, 0));
        // A key that was taken away signs nothing more.
        let gone = serde_json::json!({ "kind": "passkey_removed", "endpoint": lines[0]["endpoint"], "passkey": { "key": { "id": lines[0]["passkey"]["key"]["id"] } } });
        proofs.take(5, &gone);
        proofs.take(6, &lines[2]);
        assert!(
            proofs.faults[0].what.contains("not registered then"),
            "{proofs:?}"
        );
    }

    #[test]
    fn a_signature_is_not_replayed_for_a_second_call_of_the_same_name() {
        let mut proofs = Proofs::new(digest_of);
        let lines = recorded();
        // All the lines again behind their end: held, approved, accepted.
        for (index, line) in lines.iter().chain(&lines[1..]).enumerate() {
            proofs.take(index + 1, line);
        }
        assert_eq!((proofs.approved.len(), proofs.faults.len()), (1, 1), "{proofs:?}");
        assert!(proofs.faults[0].what.contains("used before"), "{proofs:?}");
        assert_eq!(proofs.faults[0].line, lines.len() + 2);
    }

    #[test]
    fn a_key_counts_on_with_each_approval() {
        let mut proofs = Proofs::new(digest_of);
        let lines = recorded();
        lines[..3]
            .iter()
            .enumerate()
            .for_each(|(n, line)| proofs.take(n, line));
        let registered = lines[0]["passkey"]["key"]["counter"].as_u64().unwrap();
        let key = proofs.keys.values().next().unwrap();
        assert_eq!(u64::from(key.counter), registered + 1);
    }

    #[test]
    fn a_second_key_is_let_in_by_one_that_is_there() {
        let lines = recorded();
        let mut proofs = Proofs::new(digest_of);
        proofs.take(1, &lines[0]);
        assert_eq!((proofs.firsts, proofs.faults.len()), (1, 0));
        // No signature of the first, and one about something else.
        let mut other = lines[0].clone();
        proofs.take(2, &other);
        other["passkey"]["allowed"] = other["passkey"]["proof"].clone();
        proofs.take(3, &other);
        other["passkey"]["allowed"]["subject"]["deed"] = Subject::ALLOW.into();
        proofs.take(4, &other);
        let faults: Vec<usize> = proofs.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(faults, [2, 3, 4]);
        assert!(proofs.faults[0].what.contains("let in"), "{proofs:?}");
        // A new sign-in begins without keys.
        let gone = serde_json::json!({ "kind": "passkeys_forgotten", "endpoint": lines[0]["endpoint"] });
        proofs.take(5, &gone);
        proofs.take(6, &lines[0]);
        assert_eq!((proofs.firsts, proofs.faults.len()), (2, 3));
    }

    #[test]
    fn approvals_without_a_signature_are_counted() {
        let mut proofs = Proofs::new(digest_of);
        proofs.take(
            1,
            &serde_json::json!({ "kind": "approved", "ticket": "ABCD", "tier": "pin" }),
        );
        assert_eq!((proofs.unsigned, proofs.faults.len()), (1, 0));
    }
}
