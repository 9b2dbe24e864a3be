//! The arguments of a held call, read once and strictly into typed fields.
//!
//! Owns: which arguments may stand together, and the refusals of those that may not. Refuses to know: state, policy.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::catalogue::{Field, Form, Param, ToolSpec, Vocabulary};
use super::instrument::{Instrument, instrument};
use super::value::{self, Decimal, OrderKind, Price, Refusal, Side};
use crate::wire::json;

/// The most ids that one call may name.
const MAX_IDS: usize = 10;
/// The most strategy parameters that a card can show.
const MAX_PARAMETERS: usize = 8;

/// Which account a call names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One account: as written, and folded to lower case (the service ignores case).
    Named {
        /// As written.
        text: String,
        /// In lower case.
        folded: String,
    },
    /// The word `all`, or something as wide.
    All,
}

/// A plain argument that is shown as it is: name and value.
pub type Shown = (String, String);

/// The typed arguments. What a tool does not have stays empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the meaning that its name says")]
pub struct Fields {
    pub account: Option<Scope>,
    pub instrument: Option<Instrument>,
    pub side: Option<Side>,
    pub kind: Option<OrderKind>,
    pub quantity: Option<u32>,
    pub limit: Option<Price>,
    pub stop: Option<Price>,
    pub target: Option<Price>,
    pub stop_loss: Option<Price>,
    pub tif: Option<&'static str>,
    pub template: Option<String>,
    pub order_id: Option<String>,
    pub order_ids: Vec<String>,
    pub percent: Option<Decimal>,
    pub market_position: Option<Side>,
    pub strategy_id: Option<String>,
    pub deployment_id: Option<String>,
    pub class: Option<String>,
    pub path: Option<String>,
    pub source: Option<String>,
    pub connection: Option<String>,
    pub job_id: Option<String>,
    /// The key under which the call names its order, so that our own look-up uses the same word.
    pub order_key: Option<&'static str>,
    /// Other plain arguments, in the order of the call.
    pub plain: Vec<Shown>,
    /// Arguments that carry free text, as raw JSON, in the order of the call.
    pub free: Vec<Shown>,
}

impl Fields {
    /// The value of a plain argument.
    pub fn plain(&self, key: &str) -> Option<&str> {
        self.plain
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// The keys that a pinned schema knows.
pub fn schema_keys(schema: &str) -> Result<Vec<String>, Refusal> {
    let broken = |_| {
        Refusal::new(
            "schema_unreadable",
            "the pinned definition of this tool cannot be read; nothing was sent",
        )
    };
    let top = json::members(schema).map_err(broken)?;
    let Some(properties) = top.iter().find(|member| member.key == "properties") else {
        return Ok(Vec::new());
    };
    let members = json::members(properties.value).map_err(broken)?;
    Ok(members
        .into_iter()
        .map(|member| member.key.into_owned())
        .collect())
}

/// Reads the arguments of a known tool. `schema` are the keys of the live schema, where one is pinned.
pub fn read(spec: &'static ToolSpec, arguments: &str, schema: Option<&[String]>) -> Result<Fields, Refusal> {
    let mut fields = Fields::default();
    let mut seen: Vec<&'static Param> = Vec::new();
    let members = json::members(arguments).map_err(|error| strict_refusal(&error))?;
    for member in &members {
        let key = member.key.as_ref();
        if schema.is_some_and(|known| !known.iter().any(|name| name == key)) {
            return Err(unknown(
                key,
                "the service's own definition of this tool does not have it",
            ));
        }
        let Some(param) = spec.param(key) else {
            if spec.open {
                fields.free.push((key.to_owned(), member.value.to_owned()));
                continue;
            }
            return Err(unknown(
                key,
                "it is not documented, so its effect cannot be shown",
            ));
        };
        refuse_twins(&seen, param)?;
        seen.push(param);
        take(&mut fields, param, member.value)?;
    }
    for field in spec.required {
        if !seen.iter().any(|param| param.field == *field) {
            return Err(missing(spec, *field));
        }
    }
    combinations(spec.form, &fields)?;
    Ok(fields)
}

/// A refusal for JSON that can be read in more than one way.
pub fn strict_refusal(error: &json::JsonError) -> Refusal {
    let code = match error {
        json::JsonError::DuplicateKey(_) => "duplicate_key",
        json::JsonError::CaseTwins(..) => "case_twin_keys",
        json::JsonError::Trailing(_) => "trailing_data",
        json::JsonError::Depth => "too_deep",
        json::JsonError::NotAnObject | json::JsonError::NotAnArray => "not_an_object",
        json::JsonError::LoneSurrogate(_) => "bad_text",
        json::JsonError::Syntax(_) | json::JsonError::Utf8(_) => "not_json",
        json::JsonError::TooManyMembers | json::JsonError::Shape(_) => "too_large",
    };
    let reason = value::short(
        &format!("the arguments cannot be read in exactly one way: {error}"),
        300,
    );
    Refusal::new(code, reason)
}

fn unknown(key: &str, why: &str) -> Refusal {
    let key = value::short(key, 60);
    Refusal::new(
        "unknown_argument",
        format!("the argument `{key}` is refused: {why}"),
    )
}

fn missing(spec: &ToolSpec, field: Field) -> Refusal {
    let names: Vec<&str> = spec
        .params
        .iter()
        .flat_map(|group| group.iter())
        .filter(|param| param.field == field)
        .map(|param| param.name)
        .collect();
    Refusal::new(
        "missing_argument",
        format!(
            "the argument `{}` is missing, so the call cannot be shown in full",
            names.join("` or `")
        ),
    )
}

fn refuse_twins(seen: &[&'static Param], param: &'static Param) -> Result<(), Refusal> {
    let repeatable = matches!(param.field, Field::Parameters | Field::Flag | Field::Free);
    for other in seen {
        let clash = (other.vocabulary == Vocabulary::Snake && param.vocabulary == Vocabulary::Camel)
            || (other.vocabulary == Vocabulary::Camel && param.vocabulary == Vocabulary::Snake);
        if clash || (!repeatable && other.field == param.field) {
            return Err(Refusal::new(
                "mixed_vocabularies",
                format!(
                    "the arguments `{}` and `{}` belong to two different spellings of this tool; use one of them",
                    other.name, param.name
                ),
            ));
        }
    }
    Ok(())
}

fn take(fields: &mut Fields, param: &'static Param, raw: &str) -> Result<(), Refusal> {
    let key = param.name;
    match param.field {
        Field::Account => fields.account = Some(account_scope(key, raw)?),
        Field::Instrument => fields.instrument = Some(instrument(key, raw)?),
        Field::Side => fields.side = Some(side(key, raw)?),
        Field::Kind => fields.kind = Some(kind(key, raw)?),
        Field::Quantity => fields.quantity = Some(value::quantity(key, raw)?),
        Field::Limit => fields.limit = Some(value::price(key, raw)?),
        Field::Stop => fields.stop = Some(value::price(key, raw)?),
        Field::Target => fields.target = Some(value::price(key, raw)?),
        Field::StopLoss => fields.stop_loss = Some(value::price(key, raw)?),
        Field::Tif => fields.tif = Some(value::word(key, raw, &["DAY", "GTC", "IOC", "FOK"])?),
        Field::Template => fields.template = Some(value::name(key, raw)?),
        Field::OrderId => {
            fields.order_id = Some(value::id(key, raw)?);
            fields.order_key = Some(key);
        }
        Field::OrderIds => fields.order_ids = ids(key, raw)?,
        Field::Percent => fields.percent = Some(value::percent(key, raw)?),
        Field::MarketPosition => {
            let word = value::word(key, raw, &["long", "short"])?;
            fields.market_position = Some(if word == "long" { Side::Buy } else { Side::Sell });
        }
        Field::StrategyId => fields.strategy_id = Some(value::id(key, raw)?),
        Field::DeploymentId => fields.deployment_id = Some(value::id(key, raw)?),
        Field::Class => fields.class = Some(value::name(key, raw)?),
        Field::JobId => fields.job_id = Some(value::id(key, raw)?),
        Field::Connection => fields.connection = Some(value::name(key, raw)?),
        Field::Path => fields.path = Some(value::path(key, raw)?),
        Field::Source => {
            fields.source = Some(value::text(key, raw)?);
            fields.free.push((key.to_owned(), raw.to_owned()));
        }
        Field::Free => fields.free.push((key.to_owned(), raw.to_owned())),
        Field::Parameters => parameters(&mut fields.plain, key, raw)?,
        Field::Flag => fields
            .plain
            .push((key.to_owned(), value::flag(key, raw)?.to_string())),
        Field::MaxPositions | Field::Delay | Field::Period => {
            fields
                .plain
                .push((key.to_owned(), value::whole(key, raw)?.to_string()));
        }
        Field::RequirePosition => fields.plain.push((key.to_owned(), position_list(key, raw)?)),
        Field::Oco
        | Field::Mode
        | Field::PeriodType
        | Field::FileName
        | Field::FileKind
        | Field::From
        | Field::To => fields.plain.push((key.to_owned(), value::name(key, raw)?)),
    }
    Ok(())
}

fn account_scope(key: &str, raw: &str) -> Result<Scope, Refusal> {
    if matches!(raw, "\"*\"" | "\"\"") {
        return Ok(Scope::All);
    }
    let text = value::account(key, raw)?;
    let folded = text.to_ascii_lowercase();
    Ok(if value::means_every_account(&folded) {
        Scope::All
    } else {
        Scope::Named { text, folded }
    })
}

fn side(key: &str, raw: &str) -> Result<Side, Refusal> {
    let word = value::word(key, raw, &["Buy", "Sell"])?;
    Ok(if word == "Buy" { Side::Buy } else { Side::Sell })
}

fn kind(key: &str, raw: &str) -> Result<OrderKind, Refusal> {
    let word = value::word(key, raw, &["Market", "Limit", "Stop", "StopMarket", "StopLimit"])?;
    OrderKind::read(word)
        .ok_or_else(|| Refusal::new("bad_word", format!("the argument `{key}` is no order type")))
}

fn ids(key: &str, raw: &str) -> Result<Vec<String>, Refusal> {
    let items = json::items(raw).map_err(|_| {
        Refusal::new(
            "wrong_type",
            format!("the argument `{key}` must be a list of order ids"),
        )
    })?;
    if items.is_empty() || items.len() > MAX_IDS {
        return Err(Refusal::new(
            "bad_list",
            format!("the argument `{key}` must name 1 to {MAX_IDS} orders"),
        ));
    }
    items.into_iter().map(|item| value::id(key, item)).collect()
}

fn position_list(key: &str, raw: &str) -> Result<String, Refusal> {
    let text = value::ascii(key, raw, 40)?;
    let parts: Vec<String> = text
        .split(',')
        .map(|part| part.trim().to_ascii_lowercase())
        .collect();
    let known = parts
        .iter()
        .all(|part| matches!(part.as_str(), "flat" | "long" | "short"));
    if known {
        Ok(parts.join(","))
    } else {
        Err(Refusal::new(
            "bad_word",
            format!("the argument `{key}` must be a list of flat, long, short"),
        ))
    }
}

/// The parameters of a strategy as plain lines; what does not fit the plain grammar is refused, never abridged.
fn parameters(plain: &mut Vec<Shown>, key: &str, raw: &str) -> Result<(), Refusal> {
    let members = json::members(raw)
        .map_err(|_| Refusal::new("wrong_type", format!("the argument `{key}` must be an object")))?;
    if members.len() > MAX_PARAMETERS {
        return Err(Refusal::new(
            "bad_list",
            format!("the argument `{key}` has more than {MAX_PARAMETERS} entries, more than a card can show"),
        ));
    }
    for member in members {
        let name = member.key.as_ref();
        let good = (1..=40).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !good {
            return Err(unknown(
                name,
                "strategy parameters have plain names of letters, digits and `_`",
            ));
        }
        let shown = match member.value {
            "true" | "false" => member.value.to_owned(),
            number if Decimal::parse(number).is_some() => number.to_owned(),
            other => value::id(name, other)?,
        };
        plain.push((format!("{key}.{name}"), shown));
    }
    Ok(())
}

fn combinations(form: Form, fields: &Fields) -> Result<(), Refusal> {
    if let Some(kind) = fields.kind {
        price_fits(kind.has_limit(), fields.limit.is_some(), kind, "limit price")?;
        price_fits(kind.is_stop(), fields.stop.is_some(), kind, "stop price")?;
    }
    let no_change = fields.quantity.is_none() && fields.limit.is_none() && fields.stop.is_none();
    let wrong = [
        (
            form == Form::Change && no_change,
            "the call changes nothing: give a quantity, a limit price or a stop price",
        ),
        (
            form == Form::ClosePosition && fields.quantity.is_some() && fields.percent.is_some(),
            "the call gives both `quantity` and `percent`; use one of them",
        ),
        (
            form == Form::CancelAndBracket && fields.target.is_none() && fields.stop_loss.is_none(),
            "the call gives neither a target nor a stop",
        ),
        (
            form == Form::CancelOrders && !fields.order_ids.is_empty() && fields.instrument.is_some(),
            "the call gives both a list of orders and an instrument; use one of them",
        ),
        (
            form == Form::WriteFile && fields.path.is_none() && fields.plain("name").is_none(),
            "the call names no file",
        ),
    ];
    let wrong = wrong
        .into_iter()
        .find(|(wrong, _)| *wrong)
        .map(|(_, reason)| reason);
    wrong.map_or(Ok(()), |reason| Err(Refusal::new("bad_combination", reason)))
}

fn price_fits(needed: bool, given: bool, kind: OrderKind, what: &str) -> Result<(), Refusal> {
    match (needed, given) {
        (true, false) => Err(Refusal::new(
            "missing_price",
            format!("a {} order needs a {what}", kind.word()),
        )),
        (false, true) => Err(Refusal::new(
            "extra_price",
            format!("a {} order has no {what}; leave it out", kind.word()),
        )),
        (true, true) | (false, false) => Ok(()),
    }
}
