"use strict";
// Shows what the server tells, as text only, and brings back one answer. Decides nothing.
(() => {
  const at = (id) => document.getElementById(id);
  const main = at("card");
  let session = "";
  let core = 0; // the version of what is on the screen; an approval names it
  let ended = false;
  let busy = false;
  let misses = 0;
  let leftMs = 0;
  let totalMs = 1;
  let leftAt = 0;
  let kind = "card";
  let step = null; // what a passkey is asked for, once the PIN has opened it
  let next = null; // the step after the one that was brought
  const DWELL_MS = 700; // as the server's own, for approvals
  let appeared = 0; // when the tab last came before the person

  const post = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    return { ok: answer.ok, status: answer.status, body: await answer.json() };
  };

  const say = (text) => { if (at("status").textContent !== text) at("status").textContent = text; };
  const show = (id, on) => { at(id).hidden = !on; };

  const end = (text) => {
    ended = true;
    passkey.stop();
    // What came of it stands where the eye is, in place of "held".
    at("sub").hidden = true;
    at("what").append(at("status"));
    show("changed-note", false);
    say(text);
    main.classList.add("ended");
    for (const id of ["deny", "approve", "halt", "pin"]) at(id).disabled = true;
    at("pin").value = "";
    show("pin-row", false);
    show("timer", false);
    show("stop-row", false);
    show("acts", false);
    at("bar").style.width = "0";
    scrollTo(0, 0);
    document.title = text + " · Countersign";
  };

  const fact = (line) => {
    const cell = document.createElement("div");
    const name = document.createElement("dt");
    const value = document.createElement("dd");
    name.textContent = line.label + (line.mark === "changed" ? " (changed)" : line.mark === "warn" ? " (!)" : "");
    value.textContent = line.value;
    cell.className = (line.mark === "plain" ? "" : line.mark) + (line.value.length > 26 ? " wide" : "");
    cell.append(name, value);
    return cell;
  };

  // The changed lines of a policy or of tools: what goes and what comes stand out, beside their - and +.
  const shownText = (view) => {
    if (view.ticket !== "POLICY" && view.ticket !== "TOOLS") return [view.free.text];
    return view.free.text.split(/(?<=\n)/).map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      line.className = text.startsWith("- ") ? "gone" : text.startsWith("+ ") ? "came" : "";
      return line;
    });
  };

  const headline = (view) => {
    const h1 = at("headline");
    h1.textContent = "";
    if (view.side && view.headline.startsWith(view.side + " ")) {
      const side = document.createElement("span");
      side.className = "side";
      side.textContent = view.side;
      h1.append(side, view.headline.slice(view.side.length));
    } else {
      h1.textContent = view.headline;
    }
  };

  const render = (view) => {
    kind = view.kind;
    core = view.core;
    step = view.touch;
    // The PIN's field goes: the keys are not to fall into nothing.
    if (step && document.activeElement === at("pin")) at("approve").focus({ preventScroll: true });
    document.title = (view.kind === "card" ? "Approve? " + (view.badge ? view.badge + " · " : "") : "") + view.headline + " · Countersign";
    main.className = [view.badge === "SIM" ? "sim" : view.badge ? "live" : "", view.side.toLowerCase()].join(" ");
    at("badge").textContent = view.badge;
    at("account").textContent = view.account;
    headline(view);
    at("sub").textContent = view.sub;
    at("warnings").replaceChildren(...view.warnings.map((text) => {
      const item = document.createElement("li");
      item.textContent = text;
      return item;
    }));
    show("warnings", view.warnings.length > 0);
    show("changed-note", view.lines.some((line) => line.mark === "changed"));
    at("facts").replaceChildren(...view.lines.map(fact));
    // An odd one out takes the whole row.
    let half = 0;
    const cells = [...at("facts").children];
    cells.forEach((cell, i) => {
      if (cell.classList.contains("wide")) { half = 0; return; }
      const next = cells[i + 1];
      if (half === 0 && (!next || next.classList.contains("wide"))) cell.classList.add("wide");
      else half = 1 - half;
    });
    show("facts", view.lines.length > 0);
    if (view.free) {
      at("free-title").textContent = view.free.title + ", " + view.free.bytes + " bytes, whole";
      if (at("free-text").textContent !== view.free.text) at("free-text").replaceChildren(...shownText(view));
      at("free-digest").textContent = view.free.sha256;
    }
    show("free", Boolean(view.free));
    if (view.client) {
      const name = document.createElement("b");
      name.textContent = view.client;
      at("who").replaceChildren("Asked by ", name, ". You did not ask for this? Deny.");
    }
    show("who", Boolean(view.client));
    show("pin-row", view.pin);
    const known = document.createElement("b");
    known.textContent = view.phrase || "";
    at("pin-hint").replaceChildren(...(view.phrase ? ["Your phrase is ", known, ". If it is not yours, do not type your PIN. "] : []), view.pin_hint);
    at("deny").textContent = view.deny;
    at("approve").textContent = view.approve;
    show("acts", true);
    show("stop-row", view.kind === "card");
    at("phrase").textContent = !view.phrase ? "You have set no phrase yet." : view.pin ? "" : "Your phrase: " + view.phrase;
    at("ticket").textContent = view.ticket;
    at("digest").textContent = view.digest;
    show("foot", view.kind === "card");
    show("timer", true);
    at("timer-word").textContent = view.kind === "card" ? "denied in " : "closes in ";
  };

  const tick = () => {
    if (ended || !session) return;
    const left = Math.max(0, leftMs - (performance.now() - leftAt));
    const seconds = Math.ceil(left / 1000);
    at("left").textContent = Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0");
    at("bar").style.width = Math.min(100, (100 * left) / totalMs) + "%";
    main.classList.toggle("late", seconds <= 10);
  };

  let last = "";
  const take = (state) => {
    leftMs = state.left_ms;
    totalMs = Math.max(1, state.total_ms);
    leftAt = performance.now();
    const text = JSON.stringify(state.view);
    if (text !== last) {
      last = text;
      render(state.view);
    }
    if (state.ended) end(state.ended);
    tick();
  };

  const refresh = async () => {
    if (ended) return;
    try {
      const answer = await post("/state", { session });
      misses = 0;
      if (answer.ok) take(answer.body);
      else end(answer.body.error || "This page is closed.");
    } catch {
      misses += 1;
      if (misses >= 4) end("Countersign is no longer there. Nothing can be approved on this page.");
    }
    if (!ended) setTimeout(refresh, 700);
  };

  // Brings an answer; how long the next PIN has to wait comes back.
  const answer = async (path, more) => {
    if (ended) return 0;
    try {
      const told = await post(path, { session, ...more });
      next = told.body.next || null;
      if (ended) return 0;
      if (told.body.ended) end(told.body.ended);
      else if (told.body.error) say(told.body.error);
      return told.body.wait_ms || 0;
    } catch {
      if (!ended) say("Countersign did not answer. Nothing was approved as far as this page knows.");
      return 0;
    }
  };

  const touched = async () => {
    const about = core; // what stood there when the button was pressed
    const bring = async (touch) => { next = null; await answer("/approve", { core: about, touch }); return ended ? null : next; };
    await passkey(step, bring, say);
    return 0;
  };

  // Only approving waits, for the check that runs or for the time after a wrong PIN. Denying and stopping never do.
  const approve = async () => {
    if (ended || busy) return;
    const pin = at("pin").value;
    at("pin").value = "";
    const wanted = !at("pin-row").hidden;
    if (wanted && !pin) { say("Type your PIN first."); at("pin").focus(); return; }
    busy = true;
    at("approve").disabled = true;
    if (wanted) say("Checking the PIN…");
    const wait = step ? await touched() : await answer("/approve", wanted ? { core, pin } : { core });
    if (wait > 0) await new Promise((done) => setTimeout(done, wait));
    busy = false;
    if (ended) return;
    at("approve").disabled = false;
    if (wanted) at("pin").focus();
  };

  // A key that was on its way to another window when this one came up is no answer; a click of the mouse always is.
  const tooSoon = () => performance.now() - appeared < DWELL_MS;
  const byKey = (e) => e.type === "keydown" || e.detail === 0;
  const deny = (e) => {
    if (byKey(e) && tooSoon()) { e.preventDefault(); say("That key came too quickly to be meant. Press it again to deny."); return; }
    answer("/deny", {});
  };
  addEventListener("focus", () => { appeared = performance.now(); });
  document.addEventListener("visibilitychange", () => { appeared = performance.now(); });
  at("approve").addEventListener("click", (e) => { if (e.isTrusted) approve(); });
  at("deny").addEventListener("click", deny);
  at("halt").addEventListener("click", () => answer("/halt", {}));
  at("pin").addEventListener("keydown", (e) => { if (e.key === "Enter" && e.isTrusted) approve(); });
  addEventListener("keydown", (e) => { if (e.key === "Escape") deny(e); });

  const start = async () => {
    const token = location.hash.slice(1);
    history.replaceState(null, "", "/");
    try {
      session = sessionStorage.getItem("session") || "";
      if (token) {
        const opened = await post("/open", { token });
        if (!opened.ok) { end(opened.body.error || "This link was used before."); return; }
        session = opened.body.session;
        sessionStorage.setItem("session", session);
      }
      if (!session) { end("This page was opened without its link. Nothing is waiting here."); return; }
      await refresh();
      appeared = performance.now();
      if (!ended) at("deny").focus({ preventScroll: true });
    } catch {
      end("Countersign is no longer there. Nothing can be approved on this page.");
    }
  };
  setInterval(tick, 250);
  start();
})();
