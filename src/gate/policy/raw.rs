//! The shape of `policy.toml`: which keys there are, and of which type.
//!
//! Owns: names and types. Refuses to know: bounds and meaning.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use toml::Spanned;

use super::account::AccountClass;
use super::rule::Do;
use crate::gate::Tier;
use crate::gate::catalogue::Class;
use crate::gate::value::{Decimal, OrderKind};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPolicy {
    pub(super) version: Spanned<u32>,
    #[serde(default)]
    pub(super) account: BTreeMap<Spanned<String>, Spanned<RawAccount>>,
    #[serde(default)]
    pub(super) limits: RawLimits,
    #[serde(default)]
    pub(super) rule: Vec<Spanned<RawRule>>,
}

pub(super) type Table = BTreeMap<Spanned<String>, Spanned<u32>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAccount {
    pub(super) class: Option<Spanned<AccountClass>>,
    pub(super) blocked: Option<Spanned<bool>>,
    pub(super) tier: Option<Spanned<Tier>>,
    pub(super) classes: Option<Spanned<Vec<Spanned<Class>>>>,
    pub(super) order_types: Option<Spanned<Vec<Kind>>>,
    #[serde(default)]
    pub(super) max_quantity: Table,
    #[serde(default)]
    pub(super) max_position: Table,
    pub(super) max_contracts: Option<Spanned<u32>>,
    pub(super) micro_ratio: Option<Spanned<u32>>,
    pub(super) collar_ticks: Option<Spanned<u32>>,
    pub(super) collar_percent: Option<Spanned<Amount>>,
    pub(super) daily_loss_floor: Option<Spanned<Amount>>,
    pub(super) trailing_floor: Option<Spanned<Amount>>,
    #[serde(default)]
    pub(super) window: Windows,
    pub(super) copies_to: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) orders_per_minute: Option<Spanned<u32>>,
    pub(super) orders_per_day: Option<Spanned<u32>>,
    pub(super) daily_quantity: Option<Spanned<u32>>,
    pub(super) duplicate_seconds: Option<Spanned<u32>>,
    pub(super) max_drift_ticks: Option<Spanned<u32>>,
    pub(super) max_drift: Option<Spanned<Amount>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) orders_per_minute: Option<Spanned<u32>>,
    pub(super) orders_per_day: Option<Spanned<u32>>,
    pub(super) daily_quantity: Option<Spanned<u32>>,
    pub(super) duplicate_seconds: Option<Spanned<u32>>,
    pub(super) max_drift_ticks: Option<Spanned<u32>>,
    pub(super) max_drift: Option<Spanned<Amount>>,
    pub(super) day_boundary: Option<Spanned<String>>,
    pub(super) quote_seconds: Option<Spanned<u32>>,
    pub(super) market_ticket_seconds: Option<Spanned<u32>>,
    pub(super) ticket_seconds: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    pub(super) class: Option<Class>,
    pub(super) tool: Option<Spanned<String>>,
    pub(super) account: Option<Spanned<String>>,
    #[serde(rename = "do")]
    pub(super) action: Do,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWindow {
    pub(super) zone: Spanned<String>,
    pub(super) days: Option<Spanned<String>>,
    pub(super) from: Spanned<String>,
    pub(super) to: Spanned<String>,
    pub(super) no_new_after: Option<Spanned<String>>,
}

/// A type of order in the words of policy files.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Market,
    Limit,
    Stop,
    StopLimit,
}

impl Kind {
    pub(super) const fn kind(&self) -> OrderKind {
        match self {
            Self::Market => OrderKind::Market,
            Self::Limit => OrderKind::Limit,
            Self::Stop => OrderKind::Stop,
            Self::StopLimit => OrderKind::StopLimit,
        }
    }
}

/// A number with or without a fraction, kept exactly.
#[derive(Clone, Copy)]
pub(super) struct Amount(pub(super) Decimal);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reads;
        impl Visitor<'_> for Reads {
            type Value = Amount;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a number such as 500 or 0.25")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount(Decimal::whole(number)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Amount, E> {
                // The shortest text that means this float is the one that the person wrote.
                let exact = Decimal::parse(&number.to_string());
                exact
                    .map(Amount)
                    .ok_or_else(|| E::custom("write the number with at most 8 digits after the point"))
            }
        }
        from.deserialize_any(Reads)
    }
}

/// One window, or a list of them.
#[derive(Default)]
pub(super) struct Windows(pub(super) Vec<Spanned<RawWindow>>);

impl<'de> Deserialize<'de> for Windows {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reads;
        impl<'de> Visitor<'de> for Reads {
            type Value = Windows;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(
                    "a window such as { zone = \"America/New_York\", from = \"09:35\", to = \"15:45\" }",
                )
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Windows, A::Error> {
                let one = RawWindow::deserialize(MapAccessDeserializer::new(map))?;
                // Its zone stands in it: as good a place as its brace.
                let span = one.zone.span();
                Ok(Windows(vec![Spanned::new(span, one)]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Windows, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Windows)
            }
        }
        from.deserialize_any(Reads)
    }
}
