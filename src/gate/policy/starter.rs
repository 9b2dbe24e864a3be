//! The policy that `policy init` writes.
//!
//! Owns: its text. Refuses to know: everything else; a test reads it with the real parser.
#![cfg_attr(
    not(test),
    deny(clippy::wildcard_enum_match_arm, clippy::arithmetic_side_effects)
)]

/// A policy to begin with: tight, in plain words, and good as it stands.
pub const STARTER: &str = r#"# Your rules for what an AI client may ask for.
#
# Without any rule, reading passes and everything else asks you. Rules here only make that tighter, with one exception:
# "allow", for play money, at the end. Any mistake in this file stops all trade calls until it is corrected:
#     countersign policy check            names line and column
#     countersign policy explain CALL.json  says which line decides about a call
#
# Getting out is never limited. Closing a position, or a stop that only protects one, passes every limit here and needs
# your approval alone. Only a blocked account and a "deny" rule stop it.

version = 1

# ---- All accounts together --------------------------------------------------------------------------------------

[limits]
orders_per_minute = 4                     # orders that open or add risk; ways out do not count
orders_per_day = 40
day_boundary = "17:00 America/Chicago"    # when a trading day begins, for everything that is counted per day
duplicate_seconds = 20                    # the very same order is not sent twice within this time
max_drift_ticks = 20                      # you are asked again if the market moved further while you read the card
market_ticket_seconds = 30                # how long a card for a market order waits for you (5 to 120)
ticket_seconds = 120                      # how long every other card waits for you (10 to 600)
quote_seconds = 15                        # an older quote does not count as a price (1 to 300)

# ---- One entry per account, or per pattern with one * -----------------------------------------------------------
# If several patterns mean an account, all of them hold and the tightest number counts.
# "*" alone means: every account that no other entry means.

[account."Sim101"]
class = "sim"                             # sim, eval, funded or live. "sim" is believed only if NinjaTrader says so too
max_quantity = { "*" = 10 }               # contracts of one order

[account."*"]
class = "live"
# tier = "pin"                            # ask for your PIN here, whatever the rest of this computer needs
# classes = ["order", "cancel"]           # nothing but these (ways out always). Others: strategy, connection, unknown
order_types = ["limit", "stop", "stoplimit", "market"]
max_quantity = { MES = 2, MNQ = 2, "*" = 0 }   # contracts of one order; "*" = 0 refuses every instrument not named
max_position = { MES = 4, MNQ = 4, "*" = 0 }   # contracts after it, working orders counted
max_contracts = 1                         # over the whole account, in minis; positions and working orders counted
micro_ratio = 10                          # so many micros count as one mini
daily_quantity = 40                       # contracts ordered per trading day
collar_percent = 1.0                      # limit and stop prices at most this far from the market (or: collar_ticks = 40)
daily_loss_floor = 300                    # nothing new once the day's loss has come to this many dollars
trailing_floor = 500                      # nothing new once the balance is this far below its high
window = { zone = "America/New_York", days = "Mon-Fri", from = "09:35", to = "15:55", no_new_after = "15:45" }
# Several windows, also over midnight:
# window = [
#   { zone = "America/Chicago", days = "Sun-Thu", from = "18:00", to = "02:00" },
#   { zone = "America/Chicago", days = "Mon-Fri", from = "08:30", to = "15:00" },
# ]

# An account that no AI client may touch:
# [account."PA-OLD"]
# blocked = true

# An account whose orders your trade copier repeats elsewhere. Each copy is judged by its own entry as well:
# [account."PA-LEAD"]
# class = "funded"
# copies_to = ["PA-ONE", "PA-TWO"]

# ---- Rules: deny beats ask, ask beats allow ---------------------------------------------------------------------
# A rule names a class (order, protect, exit, cancel, strategy, code, job, alert, workspace, connection, unknown),
# a tool by its exact name, an account, or several of these.

[[rule]]                                  # no code from an AI into NinjaTrader
class = "code"
do = "deny"

# [[rule]]                                # play money may be traded without asking (where approving takes a click)
# class = "order"
# account = "Sim101"
# do = "allow"
"#;
