//! The grammar of single values: what a quantity, a price, a name may look like before anybody judges it.
//!
//! Owns: plain decimals, strict texts, the words for side, type and time in force. Refuses to know: which tool a value
//! belongs to, and what it means for a position.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

use std::fmt;
use std::fmt::Write as _;

use crate::wire::json;

/// Why a call is not even judged: it cannot be read in exactly one way. Nothing of it is sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// A stable word for machines, such as `duplicate_key`.
    pub code: &'static str,
    /// A plain sentence for the person and the model; ASCII, no line breaks.
    pub reason: String,
}

impl Refusal {
    /// A refusal with its machine word and its sentence.
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

/// The largest quantity that any one call may carry. Exchange limits are far below; the bound keeps arithmetic and
/// the card small.
pub const MAX_QUANTITY: u32 = 10_000;
/// The longest account name, in characters. The longest prop-firm names seen are below 40.
pub const MAX_ACCOUNT: usize = 64;
/// The longest name of a template, strategy, connection or id, in characters.
pub const MAX_NAME: usize = 64;

const SCALE: i128 = 100_000_000;

/// A finite decimal number with at most 12 integer and 8 fraction digits, kept exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Decimal(i128);

impl Decimal {
    /// A whole number.
    pub const fn whole(number: i64) -> Self {
        // An i64 times 1e8 is below 1e27; i128 holds 1e38.
        Self((number as i128).saturating_mul(SCALE))
    }

    /// A number given in hundred-millionths, for tables.
    pub const fn scaled(parts: i128) -> Self {
        Self(parts)
    }

    /// Reads the plain grammar `-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,8})?`; no exponent, no `+`, no negative zero.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let plain = |part: &str, most: usize| {
            !part.is_empty() && part.len() <= most && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !plain(whole, 12) || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        if fraction.is_some_and(|fraction| !plain(fraction, 8)) {
            return None;
        }
        let fraction: i128 = format!("{:0<8}", fraction.unwrap_or("0")).parse().ok()?;
        let value = whole
            .parse::<i128>()
            .ok()?
            .checked_mul(SCALE)?
            .checked_add(fraction)?;
        if negative && value == 0 {
            return None;
        }
        Some(Self(if negative { value.checked_neg()? } else { value }))
    }

    /// Reads a number of an upstream answer: an exponent or more than 8 fraction digits are rounded, not refused.
    pub fn lenient(text: &str) -> Option<Self> {
        if let Some(exact) = Self::parse(text.trim()) {
            return Some(exact);
        }
        let number: f64 = text.trim().parse().ok()?;
        if !number.is_finite() || number.abs() >= 1e12 {
            return None;
        }
        let rounded = format!("{number:.8}");
        Self::parse(if rounded == "-0.00000000" { "0" } else { &rounded })
    }

    /// Whether this is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether this is below zero.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The amount without its sign.
    #[must_use]
    pub const fn magnitude(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// The sum; sums beyond the range stay at its end.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; differences beyond the range stay at its end.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The product with a whole number.
    #[must_use]
    pub fn times(self, count: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(count)))
    }

    /// The product of two decimals, cut to 8 fraction digits.
    pub fn product(self, other: Self) -> Option<Self> {
        Some(Self(self.0.checked_mul(other.0)?.checked_div(SCALE)?))
    }

    /// How many whole steps of `step` this is, and whether it is an exact multiple.
    pub fn steps(self, step: Self) -> Option<(i64, bool)> {
        let count = self.0.checked_div(step.0)?;
        let exact = self.0.checked_rem(step.0)? == 0;
        Some((i64::try_from(count).ok()?, exact))
    }

    /// The text with two fraction digits, for money: `-420.00`.
    pub fn money(self) -> String {
        let cents = self.0.checked_div(1_000_000).unwrap_or_default();
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.saturating_abs();
        let whole = cents.checked_div(100).unwrap_or_default();
        let rest = cents.checked_rem(100).unwrap_or_default();
        format!("{sign}{whole}.{rest:02}")
    }

    /// This share of `whole`, rounded up: the contracts that `percent` of a position closes.
    pub fn share_of(self, whole: i64) -> Option<i64> {
        let product = self.0.checked_mul(i128::from(whole))?;
        let floor = product.checked_div(SCALE)?;
        let up = i128::from(product.checked_rem(SCALE)? > 0);
        i64::try_from(floor.checked_add(up)?).ok()
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.saturating_abs();
        let whole = parts.checked_div(SCALE).unwrap_or_default();
        let fraction = format!("{:08}", parts.checked_rem(SCALE).unwrap_or_default());
        let fraction = fraction.trim_end_matches('0');
        let sign = if self.0 < 0 { "-" } else { "" };
        if fraction.is_empty() {
            write!(out, "{sign}{whole}")
        } else {
            write!(out, "{sign}{whole}.{fraction}")
        }
    }
}

/// A price as it was written, and its exact value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// The very digits of the call.
    pub text: String,
    /// Their value.
    pub value: Decimal,
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Adds to a long position, or takes from a short one.
    Buy,
    /// Adds to a short position, or takes from a long one.
    Sell,
}

impl Side {
    /// Reads `Buy`/`Sell` in any case, and the platform's `BuyToCover`/`SellShort`.
    pub fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "buy" | "buytocover" => Some(Self::Buy),
            "sell" | "sellshort" => Some(Self::Sell),
            _ => None,
        }
    }

    /// The word of the card.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }

    /// The other direction.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// A quantity with the sign of this side.
    pub const fn signed(self, quantity: u32) -> i64 {
        match self {
            Self::Buy => quantity as i64,
            Self::Sell => (quantity as i64).saturating_neg(),
        }
    }
}

/// The type of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OrderKind {
    /// At any price.
    Market,
    /// At the limit price or better.
    Limit,
    /// At any price once the stop price trades.
    Stop,
    /// At the limit price or better once the stop price trades.
    StopLimit,
}

impl OrderKind {
    /// Reads the words of both vocabularies: `Stop` and `STOPMARKET` are the same type.
    pub fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "market" => Some(Self::Market),
            "limit" => Some(Self::Limit),
            "stop" | "stopmarket" => Some(Self::Stop),
            "stoplimit" => Some(Self::StopLimit),
            _ => None,
        }
    }

    /// The word of the card.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Market => "MARKET",
            Self::Limit => "LIMIT",
            Self::Stop => "STOP",
            Self::StopLimit => "STOP LIMIT",
        }
    }

    /// Whether the order waits for a stop price.
    pub const fn is_stop(self) -> bool {
        match self {
            Self::Stop | Self::StopLimit => true,
            Self::Market | Self::Limit => false,
        }
    }

    /// Whether the order carries a limit price.
    pub const fn has_limit(self) -> bool {
        match self {
            Self::Limit | Self::StopLimit => true,
            Self::Market | Self::Stop => false,
        }
    }
}

/// How a text of a call is decoded: a JSON string literal, nothing else.
pub fn text(key: &str, raw: &str) -> Result<String, Refusal> {
    if !raw.starts_with('"') {
        return Err(Refusal::new(
            "wrong_type",
            format!("the argument `{key}` must be a text in quotes"),
        ));
    }
    match json::string(raw) {
        Ok(text) => Ok(text.into_owned()),
        Err(error) => Err(Refusal::new(
            "bad_text",
            format!("the argument `{key}` is {error}"),
        )),
    }
}

/// A text of printable ASCII, not blank at its ends; anything else is named by its code point.
pub fn ascii(key: &str, raw: &str, most: usize) -> Result<String, Refusal> {
    let value = text(key, raw)?;
    if let Some(odd) = value.chars().find(|letter| !matches!(letter, ' '..='~')) {
        let point = u32::from(odd);
        return Err(Refusal::new(
            "non_ascii",
            format!(
                "the argument `{key}` holds the character \\u{{{point:04X}}}; only plain ASCII is accepted there"
            ),
        ));
    }
    if value.is_empty() || value.len() > most || value.trim() != value {
        return Err(Refusal::new(
            "bad_text",
            format!("the argument `{key}` must be 1 to {most} characters without blanks at its ends"),
        ));
    }
    Ok(value)
}

/// A text of letters, digits and the given marks.
fn charset(key: &str, raw: &str, most: usize, marks: &str) -> Result<String, Refusal> {
    let value = ascii(key, raw, most)?;
    match value
        .chars()
        .find(|letter| !letter.is_ascii_alphanumeric() && !marks.contains(*letter))
    {
        None => Ok(value),
        Some(odd) => Err(Refusal::new(
            "bad_text",
            format!("the argument `{key}` holds the character {odd:?}, which is not accepted there"),
        )),
    }
}

/// An account name: letters, digits, blanks and `._-#:/()+@!`, at most [`MAX_ACCOUNT`].
pub fn account(key: &str, raw: &str) -> Result<String, Refusal> {
    charset(key, raw, MAX_ACCOUNT, " ._-#:/()+@!")
}

/// Whether an account in lower case is a word for all of them.
pub fn means_every_account(folded: &str) -> bool {
    matches!(folded, "all" | "any" | "every" | "everything" | "all accounts")
}

/// An id of an order, a job, a deployment: letters, digits and `._:-`, at most [`MAX_NAME`].
pub fn id(key: &str, raw: &str) -> Result<String, Refusal> {
    charset(key, raw, MAX_NAME, "._:-")
}

/// A name of a template, a strategy, a connection, a folder: letters, digits, blanks and a few marks.
pub fn name(key: &str, raw: &str) -> Result<String, Refusal> {
    charset(key, raw, MAX_NAME, " ._-+#()&/:@")
}

/// A path of a source file, short enough to stand on one line of the card.
pub fn path(key: &str, raw: &str) -> Result<String, Refusal> {
    let value = charset(key, raw, 96, " ._-+#()/\\:")?;
    if value.split(['/', '\\']).any(|part| part == "..") {
        return Err(Refusal::new(
            "bad_text",
            format!("the argument `{key}` must not climb out of its folder with `..`"),
        ));
    }
    Ok(value)
}

/// A quantity: plain digits, 1 to [`MAX_QUANTITY`]; no sign, exponent, fraction, leading zero or quotes.
pub fn quantity(key: &str, raw: &str) -> Result<u32, Refusal> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit()) && !raw.starts_with('0') && raw.len() <= 5;
    match raw.parse::<u32>() {
        Ok(value) if plain && value <= MAX_QUANTITY => Ok(value),
        Ok(_) | Err(_) => Err(Refusal::new(
            "bad_number",
            format!(
                "the argument `{key}` must be a plain whole number from 1 to {MAX_QUANTITY}, without quotes, sign, \
                 fraction or exponent"
            ),
        )),
    }
}

/// A small whole number, 0 to one million.
pub fn whole(key: &str, raw: &str) -> Result<u32, Refusal> {
    let plain = raw.bytes().all(|byte| byte.is_ascii_digit()) && (raw == "0" || !raw.starts_with('0'));
    match raw.parse::<u32>() {
        Ok(value) if plain && value <= 1_000_000 => Ok(value),
        Ok(_) | Err(_) => Err(Refusal::new(
            "bad_number",
            format!("the argument `{key}` must be a plain whole number from 0 to 1000000"),
        )),
    }
}

/// A price: a plain decimal, its digits kept as they were written.
pub fn price(key: &str, raw: &str) -> Result<Price, Refusal> {
    match Decimal::parse(raw) {
        Some(value) => Ok(Price {
            text: raw.to_owned(),
            value,
        }),
        None => Err(Refusal::new(
            "bad_number",
            format!(
                "the argument `{key}` must be a plain decimal with at most 12 digits before and 8 after the point, \
                 without quotes or exponent"
            ),
        )),
    }
}

/// A share of a position: above 0, at most 1.
pub fn percent(key: &str, raw: &str) -> Result<Decimal, Refusal> {
    match Decimal::parse(raw) {
        Some(value) if value > Decimal::default() && value <= Decimal::whole(1) => Ok(value),
        Some(_) | None => Err(Refusal::new(
            "bad_number",
            format!("the argument `{key}` must be a plain decimal above 0 and at most 1"),
        )),
    }
}

/// `true` or `false`.
pub fn flag(key: &str, raw: &str) -> Result<bool, Refusal> {
    match raw {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Refusal::new(
            "wrong_type",
            format!("the argument `{key}` must be true or false"),
        )),
    }
}

/// A word of a closed list, compared without case; the list's own spelling is returned.
pub fn word(key: &str, raw: &str, words: &'static [&'static str]) -> Result<&'static str, Refusal> {
    let value = ascii(key, raw, MAX_NAME)?;
    words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(&value))
        .copied()
        .ok_or_else(|| {
            Refusal::new(
                "bad_word",
                format!("the argument `{key}` must be one of {}", words.join(", ")),
            )
        })
}

/// Copies foreign text so that it is printable ASCII: every other character becomes `\u{202E}`. With `lines`, line
/// feeds stay. A literal `\u{` of the text is escaped too, so that nothing can pose as our escape.
pub fn escape(text: &str, lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\n' if lines => out.push('\n'),
            '\\' if letters.peek() == Some(&'u') => out.push_str("\\u{5C}"),
            ' '..='~' => out.push(letter),
            odd => {
                let _ = write!(out, "\\u{{{:X}}}", u32::from(odd));
            }
        }
    }
    out
}

/// Foreign text for one line of a card: escaped and cut to `most` characters, with a mark where it was cut.
pub fn short(text: &str, most: usize) -> String {
    let safe = escape(text, false);
    if safe.len() <= most {
        return safe;
    }
    let kept: String = safe.chars().take(most.saturating_sub(3)).collect();
    format!("{kept}...")
}

/// A number of things: `1 order`, `2 orders`. For words whose plural takes an s.
pub fn count<N: fmt::Display + PartialEq + From<u8> + Copy>(number: N, one: &str) -> String {
    let end = if number == N::from(1) { "" } else { "s" };
    format!("{number} {one}{end}")
}

/// Lower-case hex SHA-256 of the parts, one after the other.
pub fn sha256(parts: &[&[u8]]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hex = String::with_capacity(64);
    for byte in context.finish().as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
