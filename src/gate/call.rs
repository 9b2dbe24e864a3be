//! A held call: its bytes, its digest, and what those bytes mean.
//!
//! Owns: the way of a `tools/call` (read or held or refused), the digest that binds card, policy and outgoing body to
//! the same bytes. Refuses to know: who asked, what the state is, what policy says.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use super::catalogue::{self, Class, Form, ToolSpec};
use super::facts::StateRead;
use super::fields::{self, Fields, Scope};
use super::instrument::Instrument;
use super::value::{self, OrderKind};
use crate::wire::json;

pub use super::value::Refusal;

/// The most bytes of arguments of a call that writes code: 1 MiB, far above any real source file.
pub const MAX_CODE_ARGUMENTS: usize = 1024 * 1024;
/// The most bytes of arguments of every other held call.
pub const MAX_ARGUMENTS: usize = 64 * 1024;
/// The longest tool name that is held rather than refused.
pub const MAX_TOOL_NAME: usize = 128;

/// Keeps this digest apart from every other SHA-256 in the program.
const DIGEST_TAG: &[u8] = b"countersign call v1\0";

/// What happens to a `tools/call`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A known read whose arguments do not raise its class: it goes out on the read lane as it came.
    Read,
    /// Everything else.
    Held(Call),
}

/// A call that waits for judgement. Made only by strict reading, so its bytes mean one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    tool: String,
    name_raw: String,
    arguments_raw: String,
    digest: String,
    class: Class,
    form: Form,
    fields: Box<Fields>,
}

/// Decides the way of a call by its name and arguments alone (DESIGN section 5, classes and strict reading).
///
/// `name_raw` is the JSON literal as written. `schema` is the pinned `inputSchema` of this tool. `demoted` names reads
/// that the service answered with `insufficient_scope`: they are unknown from then on.
pub fn route(
    name_raw: &str,
    arguments_raw: Option<&str>,
    schema: Option<&str>,
    demoted: &dyn Fn(&str) -> bool,
) -> Result<Route, Refusal> {
    let name = tool_name(name_raw)?;
    let arguments = arguments_raw.unwrap_or("{}");
    if catalogue::is_known_read_tool(&name) && !demoted(&name) {
        return match raised(&name, arguments)? {
            None => Ok(Route::Read),
            Some(form) => Call::build(name, name_raw, arguments, Way::Raised(form)).map(Route::Held),
        };
    }
    let way = match catalogue::find(&name) {
        Some(spec) if spec.class != Class::Read => Way::Known(spec, schema),
        Some(_) | None => Way::Unknown,
    };
    Call::build(name, name_raw, arguments, way).map(Route::Held)
}

#[derive(Clone, Copy)]
enum Way<'a> {
    Known(&'static ToolSpec, Option<&'a str>),
    Raised(Form),
    Unknown,
}

/// Lower-case hex SHA-256 over a tag, the raw name, a zero byte and the raw arguments.
pub fn digest_of(name_raw: &str, arguments_raw: &str) -> String {
    value::sha256(&[DIGEST_TAG, name_raw.as_bytes(), &[0], arguments_raw.as_bytes()])
}

impl Call {
    /// Reads a call again from its stored bytes, with the same strictness; the schema was checked when it was held.
    pub fn from_stored(name_raw: &str, arguments_raw: &str) -> Result<Self, Refusal> {
        let name = tool_name(name_raw)?;
        let way = match catalogue::find(&name) {
            Some(spec) if spec.class != Class::Read => Way::Known(spec, None),
            Some(_) => raised(&name, arguments_raw)?.map_or(Way::Unknown, Way::Raised),
            None => Way::Unknown,
        };
        Self::build(name, name_raw, arguments_raw, way)
    }

    fn build(name: String, name_raw: &str, arguments: &str, way: Way<'_>) -> Result<Self, Refusal> {
        if name_raw.contains('\\') {
            return Err(Refusal::new(
                "escaped_name",
                "the tool name is written with escapes; write it plainly",
            ));
        }
        let bound = match way {
            Way::Known(spec, _) if spec.class == Class::Code => MAX_CODE_ARGUMENTS,
            Way::Known(..) | Way::Raised(_) | Way::Unknown => MAX_ARGUMENTS,
        };
        if arguments.len() > bound {
            return Err(Refusal::new(
                "too_large",
                format!(
                    "the arguments are {} bytes; at most {bound} can be held",
                    arguments.len()
                ),
            ));
        }
        json::check_strict(arguments).map_err(|error| fields::strict_refusal(&error))?;
        let members = json::members(arguments).map_err(|error| fields::strict_refusal(&error))?;
        let (class, form, fields) = match way {
            Way::Known(spec, schema) => {
                let keys = schema.map(fields::schema_keys).transpose()?;
                let fields = fields::read(spec, arguments, keys.as_deref())?;
                (class_by_arguments(spec, &fields), spec.form, fields)
            }
            Way::Raised(form) => (Class::Job, form, loose(&members)),
            Way::Unknown => (Class::Unknown, Form::Unknown, loose(&members)),
        };
        let digest = digest_of(name_raw, arguments);
        Ok(Self {
            tool: name,
            name_raw: name_raw.to_owned(),
            arguments_raw: arguments.to_owned(),
            digest,
            class,
            form,
            fields: Box::new(fields),
        })
    }

    /// The exact name of the tool.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// The class by name and arguments alone; `protect` and `exit` are only ever proven by the judgement.
    pub fn class(&self) -> Class {
        self.class
    }

    /// Which card it has.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The typed arguments.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The name as it was written, quotes included.
    pub fn name_raw(&self) -> &str {
        &self.name_raw
    }

    /// The arguments as they were written; `{}` where the member was missing.
    pub fn arguments_raw(&self) -> &str {
        &self.arguments_raw
    }

    /// Lower-case hex SHA-256 over a tag, the raw name, a zero byte and the raw arguments.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The account that bounds the call, in lower case; `None` where it is missing, means all, or does not bound.
    pub fn account(&self) -> Option<&str> {
        match &self.fields.account {
            Some(Scope::Named { folded, .. }) if !self.ignores_account() => Some(folded),
            Some(Scope::Named { .. } | Scope::All) | None => None,
        }
    }

    /// The account that bounds the call, as it was written.
    pub fn account_text(&self) -> Option<&str> {
        self.named_account().filter(|_| !self.ignores_account())
    }

    /// The account that the call names, as it was written, whether or not it bounds the call.
    pub fn named_account(&self) -> Option<&str> {
        match &self.fields.account {
            Some(Scope::Named { text, .. }) => Some(text),
            Some(Scope::All) | None => None,
        }
    }

    /// Whether the tool may reach every account although it names one: the service's documents contradict each other
    /// about these two, and a filter that the server does not know would be ignored in silence.
    fn ignores_account(&self) -> bool {
        matches!(self.form, Form::FlattenEverything | Form::CancelAllOrders)
    }

    /// The root of the instrument in upper case.
    pub fn instrument_root(&self) -> Option<&str> {
        self.fields
            .instrument
            .as_ref()
            .map(|instrument| instrument.root.as_str())
    }

    /// The instrument.
    pub fn instrument(&self) -> Option<&Instrument> {
        self.fields.instrument.as_ref()
    }

    /// Whether it trades at any price at once, so that its card must not wait long.
    pub fn is_market(&self) -> bool {
        self.form == Form::Reverse || self.fields.kind == Some(OrderKind::Market)
    }

    /// The state reads that judge and card want, most important first (at most 8).
    pub fn reads(&self) -> Vec<StateRead> {
        let account = self.account_text().map(|text| ("account", text));
        let mut reads = Vec::new();
        let mut add =
            |tool: &'static str, argument: Option<(&str, &str)>| reads.push(StateRead::new(tool, argument));
        match account {
            Some(_) => add("GetAccount", account),
            None => add("ListAccounts", None),
        }
        if self.touches_orders() {
            if account.is_some() {
                add("ListPositions", account);
                add("ListOrders", account);
            } else {
                add("GetAllPositions", None);
                add("GetAllOrders", None);
            }
            if let Some(instrument) = &self.fields.instrument {
                add("GetQuote", Some(("instrument", &instrument.asked)));
            }
            if account.is_some() {
                add("GetAccountSummary", account);
                add("GetWatermarks", account);
            }
            if let (Some(key), Some(id), true) = (
                self.fields.order_key,
                &self.fields.order_id,
                self.names_an_order(),
            ) {
                add("GetOrder", Some((key, id)));
            }
        }
        if self.class == Class::Strategy {
            add("ListDeployedStrategies", None);
        }
        add("GetConnections", None);
        reads
    }

    /// What is read after an unknown outcome: orders, fills and positions in reach, and the order that it names.
    pub fn looks(&self) -> Vec<StateRead> {
        let account = self.account_text().map(|text| ("account", text));
        let (positions, orders) = if account.is_some() {
            ("ListPositions", "ListOrders")
        } else {
            ("GetAllPositions", "GetAllOrders")
        };
        let mut looks = vec![
            StateRead::new(orders, account),
            StateRead::new("ListExecutions", account),
            StateRead::new(positions, account),
        ];
        if let (Some(key), Some(id), true) = (
            self.fields.order_key,
            &self.fields.order_id,
            self.names_an_order(),
        ) {
            looks.push(StateRead::new("GetOrder", Some((key, id))));
        }
        looks
    }

    fn touches_orders(&self) -> bool {
        match self.class {
            Class::Order
            | Class::Protect
            | Class::Exit
            | Class::Cancel
            | Class::Strategy
            | Class::Connection => true,
            Class::Read | Class::Code | Class::Job | Class::Alert | Class::Workspace | Class::Unknown => {
                false
            }
        }
    }

    /// Whether the id names an order that exists (in `PlaceOrder` it is a new one, chosen by the caller).
    pub fn names_an_order(&self) -> bool {
        self.fields.order_id.is_some() && self.form != Form::PlaceOrder
    }
}

fn tool_name(raw: &str) -> Result<String, Refusal> {
    let name =
        json::string(raw).map_err(|_| Refusal::new("bad_name", "the tool name is no readable text"))?;
    if name.is_empty() || name.len() > MAX_TOOL_NAME {
        return Err(Refusal::new(
            "bad_name",
            format!("the tool name must have 1 to {MAX_TOOL_NAME} bytes"),
        ));
    }
    Ok(name.into_owned())
}

/// Two reads have an argument that makes them do something: anything but a plain `false` there is held.
fn raised(name: &str, arguments: &str) -> Result<Option<Form>, Refusal> {
    let (key, form) = match name {
        "GetJournalTrades" => ("sync_first", Form::SyncJournal),
        "McpSelfTest" => ("deep", Form::DeepTest),
        _ => return Ok(None),
    };
    json::check_strict(arguments).map_err(|error| fields::strict_refusal(&error))?;
    let members = json::members(arguments).map_err(|error| fields::strict_refusal(&error))?;
    let plain = |text: &str| {
        text.chars()
            .filter(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_ascii_lowercase()
    };
    // `syncFirst` or `Sync_First` might reach the same switch at the service.
    let raises = members
        .iter()
        .any(|member| plain(&member.key) == plain(key) && member.value != "false");
    Ok(raises.then_some(form))
}

/// Only an explicit `in_memory: true` keeps a compile from writing a file (table (c)).
fn class_by_arguments(spec: &ToolSpec, fields: &Fields) -> Class {
    let in_memory = fields.plain("in_memory").or_else(|| fields.plain("inMemory"));
    let both = fields.plain("in_memory").is_some() && fields.plain("inMemory").is_some();
    if spec.form == Form::Compile && in_memory == Some("true") && !both {
        return Class::Job;
    }
    spec.class
}

fn loose(members: &[json::Member<'_>]) -> Fields {
    Fields {
        free: members
            .iter()
            .map(|member| (member.key.clone().into_owned(), member.value.to_owned()))
            .collect(),
        ..Fields::default()
    }
}
