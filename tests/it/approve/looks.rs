//! How the page looks and what it tells those who do not see it: widths, colours, states, names. In a real browser.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::page::{Machine, PIN, pin_ask, read_it};
use super::*;
use std::sync::Arc;

/// Everything on the screen whose colours are too close: text below 4.5 (3 where it is large), edges of what is pressed
/// or typed into below 3 (WCAG 2.2, 1.4.3 and 1.4.11). Translucent layers are put on what lies below them.
const TOO_CLOSE: &str = r#"(() => {
  const rgba = (text) => { const n = text.match(/[\d.]+/g).map(Number); return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1]; };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = (e) => {
    if (!e) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, ground(e.parentElement));
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [a, b] = [light(one), light(other)].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  };
  const bad = [];
  let seen = 0;
  let least = 99;
  const look = (what, front, back, wanted) => {
    const found = ratio(over(front, back), back);
    seen += 1;
    least = Math.min(least, found / wanted);
    if (found < wanted) bad.push(what.trim().slice(0, 40) + ": " + found.toFixed(2) + " < " + wanted);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || !e.checkVisibility() || e.closest("button:disabled, script, style")) continue;
    const style = getComputedStyle(e);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    look(node.data, rgba(style.color), ground(e), large ? 3 : 4.5);
  }
  for (const e of document.querySelectorAll("button:enabled, input:enabled, .badge, .side")) {
    if (!e.checkVisibility() || !e.textContent && e.tagName !== "INPUT") continue;
    const style = getComputedStyle(e);
    const around = ground(e.parentElement);
    const edge = rgba(style.borderTopColor);
    const filled = ratio(ground(e), around) >= 3;
    if (!filled) look("edge of " + (e.id || e.className), edge, around, 3);
  }
  return { bad, seen, least };
})()"#;

fn check_colours(browser: &mut Browser, what: &str) {
    for dark in [false, true] {
        browser.dark(dark);
        let told = browser.eval(TOO_CLOSE);
        let scheme = if dark { "dark" } else { "light" };
        assert!(told["seen"].as_u64() > Some(5), "{what}, {scheme}: {told}");
        assert_eq!(
            told["bad"].as_array().map(Vec::len),
            Some(0),
            "{what}, {scheme}: {told}"
        );
    }
}

/// How far the page goes beyond its window.
fn overflow(browser: &mut Browser) -> (i64, i64) {
    let over = browser.eval(
        "[document.scrollingElement.scrollWidth - innerWidth, document.scrollingElement.scrollHeight - innerHeight]",
    );
    (
        over[0].as_i64().expect("a number"),
        over[1].as_i64().expect("a number"),
    )
}

/// Whether an element lies whole inside the window, and a press in its middle would reach it; and its size.
fn in_view(browser: &mut Browser, id: &str) -> (bool, f64, f64) {
    let told = browser.eval(&format!(
        "(() => {{ const e = document.getElementById('{id}'); const r = e.getBoundingClientRect(); \
         const hit = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2); \
         return [r.top >= 0 && r.left >= 0 && r.bottom <= innerHeight && r.right <= innerWidth && e.contains(hit), \
         r.width, r.height]; }})()"
    ));
    let number = |at: usize| told[at].as_f64().expect("a number");
    (told[0] == true, number(1), number(2))
}

/// An order as the gate makes them most often.
fn order_card() -> Card {
    let mut order = card();
    order.lines[4] = line(
        "position",
        "+1 from 6010.5 -> -1 if filled (REVERSES)",
        Mark::Plain,
    );
    order.warnings = vec!["REVERSES THE POSITION".to_owned(), "NO STOP ATTACHED".to_owned()];
    order
}

async fn shown(machine: &Machine, browser: &mut Browser, asked: Ask) -> Asking {
    let mut asking = Asking::start(&machine.world, asked);
    browser.open(&machine.link().await);
    browser.until("Nothing was sent yet");
    asking.shown().await;
    asking
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ticket_fits_from_a_telephone_to_a_desktop() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, pin_ask(order_card(), &Arc::default())).await;
    read_it();
    // The last two are a window of 1280 by 1024 at zoom 200 % and 400 %.
    for (width, height, whole) in [
        (360, 800, true),
        (360, 640, false),
        (412, 915, true),
        (768, 1024, true),
        (1000, 900, true),
        (1920, 1080, true),
        (640, 512, false),
        (320, 256, false),
    ] {
        browser.size(width, height);
        let (beside, below) = overflow(&mut browser);
        assert!(beside <= 0, "{width}x{height}: {beside} px too wide");
        assert!(!whole || below <= 0, "{width}x{height}: {below} px too high");
        for id in ["deny", "approve", "pin", "halt"] {
            let (reachable, wide, high) = in_view(&mut browser, id);
            assert!(
                wide >= 44.0 && high >= 44.0,
                "{width}x{height}: {id} is {wide} by {high}"
            );
            let must = whole || (id != "halt" && height >= 500);
            assert!(reachable || !must, "{width}x{height}: {id} is out of sight");
        }
    }
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// Every badge is told by its word and by the form of its bar, not by colour alone; and all of it can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_account_can_be_told_apart_and_read() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let form = "(() => { const s = getComputedStyle(document.querySelector('.top')); \
                return [s.backgroundColor !== 'rgba(0, 0, 0, 0)', s.outlineStyle, s.boxShadow !== 'none'].join(); })()";
    for (badge, meaning, shape) in [
        ("LIVE", "real money", "true,none,false"),
        ("LIVE?", "not read: taken as real money", "true,none,false"),
        ("FUNDED", "funded account", "true,none,false"),
        ("EVAL", "evaluation account", "false,none,true"),
        ("SIM", "play money", "false,dashed,false"),
    ] {
        let asked = Card {
            badge: badge.to_owned(),
            side: if badge == "SIM" { "BUY" } else { "SELL" }.to_owned(),
            ..order_card()
        };
        let asked = Card {
            headline: asked.headline.replace("SELL", &asked.side),
            ..asked
        };
        let asking = shown(&machine, &mut browser, pin_ask(asked, &Arc::default())).await;
        let seen = browser.text();
        assert!(seen.contains(badge) && seen.contains(meaning), "{seen}");
        assert_eq!(browser.eval(form), shape, "{badge}");
        read_it();
        check_colours(&mut browser, badge);
        // The measure measures: grey on grey is found.
        browser.eval("document.documentElement.style.setProperty('--soft', '#8a8a8a')");
        browser.dark(false);
        let told = browser.eval(TOO_CLOSE);
        assert_ne!(told["bad"].as_array().map(Vec::len), Some(0), "{told}");
        browser.eval("document.documentElement.style.removeProperty('--soft')");
        asking.stop.cancel();
        assert_eq!(asking.answer().await, Answer::Stopped);
        browser.until("nothing more can be decided here");
        check_colours(&mut browser, "ended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_fact_stands_out_says_what_it_was_and_is_announced() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, pin_ask(order_card(), &Arc::default())).await;
    let first = order_card();
    let mut newer = order_card();
    newer.lines[4] = line("position", "+3 from 6011 -> +1 if filled (REDUCES)", Mark::Plain);
    newer.lines[5] = line("market", "last 6013  bid 6012.75  ask 6013", Mark::Plain);
    newer.mark_changes(&first);
    asking.updates.send(newer.clone()).expect("sent");
    browser.until("was +1 from 6010.5 -> -1 if filled (REVERSES)");
    browser.until("last 6013 bid 6012.75");
    let seen = browser.text();
    assert!(
        seen.contains("Changed since you were asked: position. Read again"),
        "a price that moved is no news, the position is: {seen}"
    );
    assert_eq!(browser.eval("document.querySelectorAll('.changed').length"), 1);
    let alerts: Vec<String> = browser
        .accessible()
        .into_iter()
        .filter(|node| node.role == "alert")
        .map(|node| node.name + &node.description)
        .collect();
    assert!(!alerts.is_empty());
    check_colours(&mut browser, "changed");
    // Another deed: all of it is to be read again, and Approve is shut while it is.
    newer.headline = "SELL 5 MES 12-26".to_owned();
    "Approve SELL 5 MES".clone_into(&mut newer.approve);
    let shut = "(async () => { while (!document.getElementById('headline').textContent.includes('SELL 5')) \
                await new Promise(requestAnimationFrame); return document.getElementById('approve').disabled; })()";
    asking.updates.send(newer).expect("sent");
    assert_eq!(browser.eval(shut), true);
    browser.until("It is something else now: SELL 5 MES 12-26. Read all of it again.");
    let opens = "(async () => { while (document.getElementById('approve').disabled) \
                 await new Promise(requestAnimationFrame); return true; })()";
    assert_eq!(browser.eval(opens), true);
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// A wrong PIN: said aloud, beside the field, with the seconds until the next try; and it can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_pin_is_told_beside_its_field() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, pin_ask(order_card(), &Arc::default())).await;
    read_it();
    browser.click("#pin");
    browser.type_text("wrong");
    browser.key("Enter", 13);
    browser.until("That PIN is wrong. Next try in");
    let tree = browser.accessible();
    let field = tree.iter().find(|node| node.role == "textbox").expect("a field");
    assert!(field.is("focused") && field.is("invalid"), "{field:?}");
    assert_eq!(
        browser.eval("document.getElementById('pin').value"),
        "",
        "the PIN stays in its field"
    );
    check_colours(&mut browser, "wrong PIN");
    // Once the wait is over, the right one is taken.
    let opens = "(async () => { while (document.getElementById('approve').disabled) \
                 await new Promise(requestAnimationFrame); return document.getElementById('pin-wait').textContent; })()";
    assert_eq!(browser.eval(opens), "");
    browser.type_text(PIN);
    browser.key("Enter", 13);
    assert_eq!(asking.answer().await, Answer::Approved { via: "page" });
    browser.until("Approved. What came of it is told in a notification");
    check_colours(&mut browser, "approved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_reader_is_told_all_of_it() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, pin_ask(order_card(), &Arc::default())).await;
    read_it();
    let tree = browser.accessible();
    let find = |role: &str, name: &str| {
        tree.iter()
            .find(|node| node.role == role && node.name == name)
            .unwrap_or_else(|| panic!("no {role} {name:?} in {tree:#?}"))
    };
    find("main", "SELL 2 MES 12-26");
    find("heading", "SELL 2 MES 12-26");
    find("list", "Warnings");
    find("group", "Your answer");
    assert!(find("button", "Deny").is("focused"));
    find("button", "Approve SELL 2 MES");
    let stop = find("button", "Stop AI trading");
    assert!(stop.description.contains("not even exits"), "{stop:?}");
    let pin = find("textbox", "Your PIN");
    assert!(pin.description.contains("blue heron"), "{pin:?}");
    assert!(tree.iter().any(|node| node.role == "timer"));
    for word in [
        "LIVE",
        "PA-123456",
        "real money",
        "NO STOP ATTACHED",
        "7QK4",
        "7f3a19c2",
        "Claude Desktop",
    ] {
        assert!(
            tree.iter()
                .any(|node| node.role == "StaticText" && node.name.contains(word)),
            "{word}"
        );
    }
    let terms = tree.iter().filter(|node| node.role == "term").count();
    let values = tree.iter().filter(|node| node.role == "definition").count();
    assert!(
        terms == values && terms > 8,
        "{terms} terms, {values} definitions"
    );
    // Nothing that moves every second is read aloud by itself.
    for id in ["timer", "left", "facts", "first", "pin-wait"] {
        let live =
            format!("document.getElementById('{id}').closest('[aria-live], [role=status], [role=alert]')");
        assert!(browser.eval(&live).is_null(), "{id}");
    }
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
    browser.until("Closed.");
    let tree = browser.accessible();
    let ending = tree
        .iter()
        .find(|node| node.role == "alert" && node.is("focused"));
    assert!(ending.is_some(), "the end is not read aloud: {tree:#?}");
    assert!(
        !tree.iter().any(|node| node.role == "button"),
        "nothing is left to press"
    );
}

/// The last seconds are seen, and said once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_seconds_are_seen_and_said() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asked = Ask {
        open_for: Duration::from_secs(13),
        ..pin_ask(order_card(), &Arc::default())
    };
    let asking = shown(&machine, &mut browser, asked).await;
    assert_eq!(
        browser.eval("document.getElementById('card').classList.contains('late')"),
        false
    );
    browser.until("10 seconds left, then it is denied.");
    assert_eq!(
        browser.eval("document.getElementById('card').classList.contains('late')"),
        true
    );
    check_colours(&mut browser, "late");
    assert_eq!(asking.answer().await, Answer::Expired);
    browser.until("Time ran out here. `countersign journal show` says what became of it.");
    assert_eq!(
        browser.eval("document.getElementById('deny').checkVisibility()"),
        false
    );
}

/// The age of the price counts on, and an old one says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_quote_says_so_by_itself() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let mut old = order_card();
    old.lines[6] = line("quote age", "8 s", Mark::Plain);
    let asking = shown(&machine, &mut browser, pin_ask(old.clone(), &Arc::default())).await;
    browser.until(" s old)");
    browser.until(" s old: look at the market yourself)");
    check_colours(&mut browser, "old quote");
    // A fresh reading of the same age is fresh again, though not a word of the card differs.
    asking.updates.send(old).expect("sent");
    browser.until(" s old)");
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// A diff: each line with its sign, and a colour beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diff_has_signs_and_colours() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let text = "@@ limits\n-orders_per_day = 5\n+orders_per_day = 50 # <b>\n\n same = 1\n";
    let diff = Card {
        headline: "ACCEPT A CHANGED POLICY".to_owned(),
        side: String::new(),
        account: "-".to_owned(),
        lines: Vec::new(),
        free_text: Some(FreeText {
            title: "changes of the policy".to_owned(),
            text: text.to_owned(),
            sha256: "cd".repeat(32),
            bytes: text.len(),
        }),
        ..code_card()
    };
    let asking = shown(&machine, &mut browser, ask(diff, 60)).await;
    browser.size(360, 800);
    assert_eq!(
        browser.eval("document.getElementById('free-text').textContent"),
        text
    );
    let drawn = |name: &str| {
        format!("[...document.querySelectorAll('#free-text {name}')].map((e) => e.textContent).join('|')")
    };
    assert_eq!(browser.eval(&drawn("ins")), "+orders_per_day = 50 # <b>\n");
    assert_eq!(browser.eval(&drawn("del")), "-orders_per_day = 5\n");
    assert!(overflow(&mut browser).0 <= 0);
    check_colours(&mut browser, "diff");
    browser.size(1000, 900);
    browser.screenshot("page-diff");
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}

/// No movement where the person wants none, and an outline of everything where the system paints the colours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_system_s_wishes_are_kept() {
    let machine = Machine::new();
    let mut browser = Browser::start();
    let asking = shown(&machine, &mut browser, pin_ask(order_card(), &Arc::default())).await;
    let media = |browser: &mut Browser, name: &str, value: &str| {
        let features = serde_json::json!({"features": [{"name": name, "value": value}]});
        browser.call("Emulation.setEmulatedMedia", &features);
    };
    let moves = "getComputedStyle(document.getElementById('bar')).transitionDuration";
    assert_eq!(browser.eval(moves), "0.7s");
    media(&mut browser, "prefers-reduced-motion", "reduce");
    assert_eq!(browser.eval(moves), "0s");
    media(&mut browser, "forced-colors", "active");
    for id in ["deny", "approve", "halt", "badge"] {
        let edge = format!("getComputedStyle(document.getElementById('{id}')).borderTopStyle");
        assert_ne!(browser.eval(&edge), "none", "{id}");
    }
    browser.screenshot("page-forced-colors");
    asking.stop.cancel();
    assert_eq!(asking.answer().await, Answer::Stopped);
}
