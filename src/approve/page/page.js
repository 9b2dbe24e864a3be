"use strict";
// Shows what the server tells, as text only, and brings back one answer. Decides nothing.
(() => {
  const at = (id) => document.getElementById(id);
  const main = at("card");
  const DWELL_MS = 700; // as the server's own, for approvals
  const CLOSE_MS = 5000;
  const OLD_QUOTE_S = 15; // as the gate's own
  const MEANING = { SIM: "play money", EVAL: "evaluation account", FUNDED: "funded account", LIVE: "real money", "LIVE?": "not read: taken as real money" };
  const GONE = "Countersign is no longer there. The program that asked has ended: nothing more can be decided here. `countersign journal show` tells what came of it.";
  let session = "";
  let core = 0; // the version of what is on the screen; an approval names it
  let ended = false;
  let busy = false;
  let misses = 0;
  let leftMs = 0;
  let totalMs = 1;
  let toldAt = 0; // when the server last told
  let spoken = Infinity; // the seconds that were last said aloud
  let quote = null; // where its age stands, and the age (ms) when the server told
  let kind = "card";
  let step = null; // what a passkey is asked for, once the PIN has opened it
  let next = null; // the step after the one that was brought
  let dialog = ""; // the challenge that the browser's own dialog is up for
  let title = "";
  let opened = null; // what the page showed first
  let another = ""; // set once it is about something else
  let appeared = 0; // when the tab last came before the person
  let readFrom = 0; // when what is on the screen now came there
  let waitUntil = 0; // after a wrong PIN

  const post = async (path, body, patience) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      signal: AbortSignal.timeout(patience),
    });
    return { ok: answer.ok, status: answer.status, body: await answer.json() };
  };

  // A text that is set again is read aloud again.
  const put = (id, text) => { if (at(id).textContent !== text) at(id).textContent = text; };
  const say = (text) => put("status", text);
  const show = (id, on) => { at(id).hidden = !on; };
  const element = (name, text, className) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (className) made.className = className;
    return made;
  };
  const clock = (seconds) => Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");

  const end = (text) => {
    if (ended) return;
    ended = true;
    passkey.stop();
    const stop = text.indexOf(". ") + 1 || text.length;
    put("ending-word", text.slice(0, stop));
    put("ending-rest", text.slice(stop).trim());
    main.classList.add("ended");
    main.classList.remove("late");
    for (const id of ["deny", "approve", "halt", "pin"]) at(id).disabled = true;
    at("pin").value = "";
    for (const id of ["sub", "who", "changed-note", "pin-row", "timer", "stop-row", "acts"]) show(id, false);
    show("ending", true);
    at("bar").style.width = "0";
    at("ending").focus({ preventScroll: true });
    scrollTo(0, 0);
    document.title = text.slice(0, stop) + " " + title + " · Countersign";
  };

  // Numbers and words in capital letters stand out from what is only said about them.
  const weighed = (text, all) => all ? [element("b", text)] : text.split(/([+-]?\d[\d.,]*|\b[A-Z]{2,}\b|->)/).filter((part) => part !== "").map((part) => (
    /^([+-]?\d|[A-Z]{2}|->)/.test(part) ? element("b", part) : part));

  const fact = (line) => {
    const cell = document.createElement("div");
    const value = document.createElement("dd");
    const note = { changed: " (changed)", warn: " (!)" }[line.mark] || "";
    value.append(...weighed(line.value, line.mark === "warn" || line.value.length <= 8));
    if (line.was !== null) value.append(element("span", "was " + line.was, "was"));
    const length = line.was === null ? line.value.length : 99;
    const short = length <= (line.first ? 18 : 25);
    cell.className = [line.mark, length <= 8 ? "tiny" : short ? "short" : ""].join(" ");
    cell.append(element("dt", line.label + note), value);
    return cell;
  };

  // The age of the quote stands beside the prices, and counts on while the page is looked at.
  const ageBeside = (lines) => {
    const age = lines.find((line) => line.label === "quote age");
    const told = age && /^(\d+) s$/.exec(age.value);
    if (!told || !lines.some((line) => line.label === "market")) return lines;
    quote = { told: 1000 * told[1], ms: 0, at: element("span", "", "age") };
    return lines.filter((line) => line !== age);
  };

  const headline = (view) => {
    const rest = view.side && view.headline.startsWith(view.side + " ") ? view.headline.slice(view.side.length) : null;
    if (rest === null) at("headline").textContent = view.headline;
    else at("headline").replaceChildren(element("span", view.side, "side"), rest);
  };

  // A diff gets colours beside its signs; everything else is one text.
  const free = (text, diff) => {
    if (at("free-text").textContent === text) return;
    if (!diff) { at("free-text").textContent = text; return; }
    const lines = text.split("\n").map((line, i, all) => {
      const name = { "+": "ins", "-": "del" }[line[0]] || "span";
      return element(name, i + 1 < all.length ? line + "\n" : line);
    });
    at("free-text").replaceChildren(...lines);
  };

  // What changed since the page came up. Another deed outweighs everything else that did.
  const changes = (view) => {
    opened ||= view;
    if (view.headline !== opened.headline) another = "It is something else now: " + view.headline + ". Read all of it again.";
    const names = view.lines.filter((line) => line.mark === "changed").map((line) => line.label);
    if (view.warnings.join() !== opened.warnings.join()) names.push("the warnings");
    const facts = names.length > 0 ? "Changed since you were asked: " + [...new Set(names)].join(", ") + ". Read again what is marked." : "";
    put("changed-note", another || facts);
    show("changed-note", Boolean(another || facts));
  };

  const render = (view) => {
    if (view.core !== core || readFrom === 0) readFrom = performance.now();
    kind = view.kind;
    core = view.core;
    step = view.touch;
    // The finger is not to fall on what is not there any more.
    if (dialog && kind === "card" && (!step || step.challenge !== dialog)) {
      dialog = "";
      passkey.stop();
      say("It changed. Read it again, and press again.");
    }
    // The PIN's field goes: the keys are not to fall into nothing.
    if (step && document.activeElement === at("pin")) at("approve").focus({ preventScroll: true });
    quote = null;
    title = (view.badge ? view.badge + " " : "") + view.headline;
    const money = { SIM: "sim", EVAL: "eval", FUNDED: "funded" }[view.badge] || (view.badge ? "live" : "none");
    main.className = [money, view.side.toLowerCase()].join(" ");
    put("badge", view.badge);
    put("account", view.account);
    put("meaning", MEANING[view.badge] || "");
    headline(view);
    put("sub", view.sub);
    at("warnings").replaceChildren(...view.warnings.map((text) => element("li", text)));
    show("warnings", view.warnings.length > 0);
    changes(view);
    for (const [id, first] of [["first", true], ["facts", false]]) {
      const lines = first ? view.lines.filter((line) => line.first) : ageBeside(view.lines.filter((line) => !line.first));
      const cells = lines.map(fact);
      if (!first && quote) cells[lines.findIndex((line) => line.label === "market")].lastChild.append(" ", quote.at);
      at(id).replaceChildren(...cells);
      show(id, lines.length > 0);
    }
    if (view.free) {
      put("free-title", view.free.title + ", " + view.free.bytes + " bytes, whole");
      free(view.free.text, view.free.diff);
      put("free-digest", view.free.sha256);
    }
    show("free", Boolean(view.free));
    if (view.client) {
      const tool = view.tool ? [" with ", element("code", view.tool)] : [];
      at("who").replaceChildren("Asked by ", element("b", view.client), ...tool, ". ", element("b", "You did not ask for this? Deny."));
      if (!view.phrase) at("who").append(" You have set no phrase yet.");
      else if (!view.pin) at("who").append(" Your phrase: ", element("b", view.phrase), ".");
    }
    show("who", Boolean(view.client));
    show("pin-row", view.pin);
    at("acts").classList.toggle("nopin", !view.pin);
    const phrase = view.phrase && view.pin ? ["Your phrase is ", element("b", view.phrase), ". Not yours? ", element("span", "Do not type your PIN. ", "long"), element("span", "No PIN. ", "brief")] : [];
    at("pin-hint").replaceChildren(...phrase, view.pin_hint);
    show("pin-hint", view.pin || view.pin_hint !== "");
    put("deny", view.deny);
    put("approve", view.approve);
    show("acts", true);
    show("stop-row", view.kind === "card");
    put("ticket", view.ticket);
    put("digest", view.digest);
    show("order", view.digest !== "");
    show("timer", true);
    put("timer-word", view.kind === "card" ? "denied in " : "closes in ");
  };

  // Approving waits for the time to read, for a check that runs, and after a wrong PIN. Denying and stopping never do.
  const approvable = () => {
    const now = performance.now();
    return !ended && !busy && left() > 0 && now >= waitUntil && now - readFrom >= DWELL_MS && now - appeared >= DWELL_MS;
  };
  const left = () => Math.max(0, leftMs - (performance.now() - toldAt));

  const tick = () => {
    if (ended || !session) return;
    const seconds = Math.ceil(left() / 1000);
    put("left", clock(seconds));
    at("bar").style.width = Math.min(100, (100 * left()) / totalMs) + "%";
    main.classList.toggle("late", seconds <= 10);
    document.title = clock(seconds) + " " + (kind === "card" ? "Approve? " : "") + title + " · Countersign";
    const mark = [5, 10, 30, 60].find((mark) => seconds <= mark);
    if (mark && mark < spoken && spoken !== Infinity) put("clock", seconds + " seconds left, then it " + (kind === "card" ? "is denied." : "closes."));
    spoken = mark || 61;
    if (quote) {
      const age = Math.floor((quote.ms + performance.now() - toldAt) / 1000);
      const old = age >= OLD_QUOTE_S;
      quote.at.textContent = "(" + age + " s old" + (old ? ": look at the market yourself)" : ")");
      quote.at.classList.toggle("old", old);
    }
    const wait = Math.ceil((waitUntil - performance.now()) / 1000);
    put("pin-wait", wait > 0 ? " Next try in " + wait + " s." : "");
    at("approve").disabled = !approvable();
  };

  let last = "";
  const take = (state) => {
    leftMs = state.left_ms;
    totalMs = Math.max(1, state.total_ms);
    toldAt = performance.now();
    const text = JSON.stringify(state.view);
    if (text !== last) {
      last = text;
      render(state.view);
    }
    if (quote) quote.ms = quote.told + state.age_ms;
    if (state.ended) end(state.ended);
    tick();
  };

  const refresh = async () => {
    if (ended) return;
    try {
      const answer = await post("/state", { session }, 4000);
      misses = 0;
      if (answer.ok) take(answer.body);
      else end(answer.body.error || "This page is closed.");
    } catch {
      misses += 1;
      if (misses >= 3) end(GONE);
    }
    if (!ended) setTimeout(refresh, 700);
  };

  const wrong = (text, waitMs) => {
    waitUntil = performance.now() + waitMs;
    put("pin-said", text);
    show("pin-error", true);
    at("pin").setAttribute("aria-invalid", "true");
    say("");
    tick();
  };
  const right = () => { show("pin-error", false); at("pin").removeAttribute("aria-invalid"); };

  // A tab for each question adds up: where the browser lets a page close itself, this one goes once it was read.
  const leave = () => {
    put("ending-rest", at("ending-rest").textContent + " This tab may close by itself now; any key keeps it.");
    const timer = setTimeout(() => close(), CLOSE_MS);
    for (const touch of ["keydown", "pointerdown"]) addEventListener(touch, () => clearTimeout(timer), { once: true });
  };

  // Told once, to the tab that made the passkey; it stays until it was read.
  const showCode = (code) => {
    ended = false;
    end("Not registered yet. Type these letters into your terminal:");
    at("ending-rest").append(" ", element("b", code, "code"));
  };

  // Brings an answer.
  const answer = async (path, more) => {
    if (ended) return;
    try {
      const told = await post(path, { session, ...more }, 60000);
      next = told.body.next || null;
      if (told.body.code) { showCode(told.body.code); return; }
      if (ended) return;
      if (told.body.ended) {
        end(told.body.ended);
        if (path !== "/halt") leave();
      }
      else if (told.body.wrong_pin) wrong(told.body.error, told.body.wait_ms);
      else if (told.body.error) say(told.body.error);
    } catch {
      if (!ended) say("Countersign did not answer. Nothing was approved as far as this page knows.");
    }
  };

  const touched = async () => {
    const about = core; // what stood there when the button was pressed
    const bring = async (touch) => {
      dialog = "";
      next = null;
      await answer("/approve", { core: about, touch });
      return ended ? null : next;
    };
    dialog = step.challenge;
    await passkey(step, bring, say);
    dialog = "";
  };

  const approve = async () => {
    if (ended || busy) return;
    if (!approvable()) { if (performance.now() >= waitUntil) say("That was too quick to be meant. Read it, and press again."); return; }
    const pin = at("pin").value;
    at("pin").value = "";
    const wanted = !at("pin-row").hidden;
    if (wanted && !pin) { say("Type your PIN first."); at("pin").focus(); return; }
    right();
    busy = true;
    at("approve").disabled = true;
    say(wanted ? "Checking the PIN…" : "");
    await (step ? touched() : answer("/approve", wanted ? { core, pin } : { core }));
    busy = false;
    if (ended) return;
    if (at("status").textContent === "Checking the PIN…") say("");
    tick();
    if (wanted) at("pin").focus();
  };

  // A key that was on its way to another window when this one came up is no answer; a click of the mouse always is.
  const byKeyTooSoon = (e, deed) => {
    const soon = (e.type === "keydown" || e.detail === 0) && performance.now() - appeared < DWELL_MS;
    if (soon) { e.preventDefault(); say("That key came too quickly to be meant. Press it again to " + deed + "."); }
    return soon;
  };
  const deny = (e) => { if (!byKeyTooSoon(e, "deny")) answer("/deny", {}); };
  const appear = () => { appeared = performance.now(); tick(); };
  addEventListener("focus", appear);
  document.addEventListener("visibilitychange", appear);
  at("approve").addEventListener("click", (e) => { if (e.isTrusted) approve(); });
  at("deny").addEventListener("click", deny);
  at("halt").addEventListener("click", (e) => { if (!byKeyTooSoon(e, "stop")) answer("/halt", {}); });
  at("pin").addEventListener("keydown", (e) => { if (e.key === "Enter" && e.isTrusted && !e.repeat) approve(); });
  addEventListener("keydown", (e) => {
    if (e.key === "Escape") deny(e);
    // A key that is held down presses nothing again.
    else if (e.repeat && (e.key === "Enter" || e.key === " ") && e.target.tagName === "BUTTON") e.preventDefault();
  });

  const start = async () => {
    const token = location.hash.slice(1);
    history.replaceState(null, "", "/");
    try {
      session = sessionStorage.getItem("session") || "";
      if (token) {
        const opened = await post("/open", { token }, 10000);
        if (!opened.ok) { end(opened.body.error || "This link was used before."); return; }
        session = opened.body.session;
        sessionStorage.setItem("session", session);
      }
      if (!session) { end("This page was opened without its link. Nothing is waiting here."); return; }
      await refresh();
      appeared = performance.now();
      if (!ended) at("deny").focus({ preventScroll: true });
    } catch {
      end(GONE);
    }
  };
  setInterval(tick, 250);
  start();
})();
