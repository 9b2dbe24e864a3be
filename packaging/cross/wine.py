#!/usr/bin/env python3
"""Runs the Windows program under Wine against the simulator, as a person and an AI client would use it.

Started by wine.sh. Prints what was done and seen; the exit code says whether all of it was as it should be. Nothing of the
machine's own Wine or home is read or written: the prefix, the profile and the keychain lie in a folder that goes at the end.
"""

import argparse
import contextlib
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PIN = "amber lantern walks over seven bridges"
SIM101 = {"account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day"}
# A breath between two orders: the service grants 3 requests a second, and new orders are looked at one at a time.
BREATH = 4


class Report:
    """What was done and seen."""

    def __init__(self, hide):
        self.hide, self.failed = hide, 0

    def line(self, text=""):
        for was, becomes in self.hide:
            text = text.replace(was, becomes)
        print(text, flush=True)

    def step(self, title):
        self.line(f"\n== {title}")

    def fact(self, name, value):
        self.line(f"   {name:<22} {value}")

    def check(self, good, what):
        self.failed += not good
        self.line(f"   {'ok    ' if good else 'FAILED'} {what}")
        return good


class Wine:
    """A Windows of its own."""

    def __init__(self, loader, home, stand_in, exe):
        self.prefix = home / "prefix"
        self.loader = loader
        self.visits = home / "visits"
        self.visits.touch()
        browser = home / "browser"
        browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >>"{self.visits}"\n')
        browser.chmod(0o755)
        keep = {name: os.environ[name] for name in ("PATH", "LANG", "DISPLAY") if name in os.environ}
        self.env = keep | {
            "HOME": str(home),
            # Wine's server keeps a folder there and leaves it behind.
            "TMPDIR": str(home),
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # No downloads of Mono and Gecko, and no entries in the machine's menus.
            "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
        }
        self.raw("wineboot", "-i", limit=180)
        folder = self.prefix / "drive_c" / "countersign"
        folder.mkdir()
        shutil.copy(exe, folder / "countersign.exe")
        # Only where this Wine has none of its own.
        if not (self.prefix / "drive_c/windows/system32/bcryptprimitives.dll").exists():
            shutil.copy(stand_in, folder)
        self.exe = r"C:\countersign\countersign.exe"
        # What ShellExecute opens web addresses with.
        self.raw("reg", "add", r"HKCU\Software\Wine\WineBrowser", "/v", "Browsers", "/d", str(browser), "/f")
        users = self.prefix / "drive_c" / "users"
        self.profile = next(entry for entry in users.iterdir() if entry.name != "Public")

    def raw(self, *words, limit=60):
        return subprocess.run([self.loader, *words], env=self.env, stdin=subprocess.DEVNULL, capture_output=True, timeout=limit)

    def run(self, *words, say="", extra=None, limit=90):
        """A verb of the program: exit code, stdout, stderr."""
        done = subprocess.run(
            [self.loader, self.exe, *words], env=self.env | (extra or {}), input=say.encode(), capture_output=True, timeout=limit
        )
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def start(self, *words, through=(), extra=None):
        return subprocess.Popen(
            [self.loader, *through, self.exe, *words],
            env=self.env | (extra or {}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )

    def visited(self):
        return self.visits.read_text().split()

    def end(self):
        self.raw("wineboot", "-k")


class Client:
    """The AI client: speaks MCP over the program's pipes."""

    def __init__(self, process):
        self.process, self.lines, self.last = process, queue.Queue(), 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def write(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def send(self, method, params):
        self.last += 1
        self.write({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        return self.last

    def result(self, number, limit=150):
        until = time.monotonic() + limit
        while True:
            line = self.lines.get(timeout=max(0.1, until - time.monotonic()))
            if line is None:
                raise RuntimeError("countersign left")
            message = json.loads(line)
            if message.get("id") == number and "method" not in message:
                return message.get("result", message.get("error"))

    def request(self, method, params):
        return self.result(self.send(method, params))

    def hello(self):
        began = time.monotonic()
        info = {"name": "wine-run", "version": "1"}
        answer = self.request("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info})
        took = (time.monotonic() - began) * 1000
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer, took

    def settled(self, number):
        """The outcome of a held call: waits in the way that the answers say."""
        result = self.result(number)
        while (inner := result.get("structuredContent") or {}).get("next") and inner.get("ticket"):
            result = self.request("tools/call", {"name": inner["next"], "arguments": {"ticket": inner["ticket"]}})
        return result


def last_line(text):
    lines = [line.strip() for line in text.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "(said nothing)"


def first_with(words, text):
    return next((line.strip() for line in text.splitlines() if words in line), "(not said)")


def status_of(result):
    return (result.get("structuredContent") or {}).get("status")


def said(result):
    content = result.get("content") or [{}]
    text = (content[0].get("text") or json.dumps(result)).strip().split("\n")[0]
    return text if len(text) < 200 else text[:197] + "..."


def fetch(address, body=None, headers=None):
    request = urllib.request.Request(address, data=body, headers=headers or {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return answer.geturl(), answer.read().decode(errors="replace")


def until(limit, what, look):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise RuntimeError(f"waited {limit} s in vain for {what}")


class Page:
    """The approval page, used as a browser uses it: by its own requests."""

    def __init__(self, address):
        base, token = address.split("#", 1)
        self.origin = base.rstrip("/")
        self.session = self.post("open", token=token)["session"]

    def post(self, path, **body):
        headers = {"Content-Type": "application/json", "Origin": self.origin}
        try:
            _, text = fetch(f"{self.origin}/{path}", json.dumps(body).encode(), headers)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
        return json.loads(text)

    def decide(self, approve, pin=None):
        # The version that was read: if the facts moved meanwhile, the page says so and a person reads again.
        for _ in range(8):
            state = self.post("state", session=self.session)
            time.sleep(1.6)
            if not approve:
                answer = self.post("deny", session=self.session)
            else:
                proof = {"pin": pin} if pin else {}
                answer = self.post("approve", session=self.session, core=state["view"]["core"], **proof)
            if not answer.get("error"):
                return
        raise RuntimeError(f"the page refused: {answer}")


class Run:
    """One run, step by step; each step leaves what the next one needs."""

    def __init__(self, report, wine, sim, control):
        self.report, self.wine, self.url, self.control = report, wine, sim, control
        self.state = wine.profile / ".countersign" / "state"

    def executed(self):
        return len(json.loads(fetch(f"{self.control}/executed")[1]))

    def verb(self, *words, **more):
        return self.wine.run(*words, "--url", self.url, **more)

    def serve(self, **more):
        return Client(self.wine.start("serve", "--url", self.url, **more))

    def journal(self):
        path = self.state / "journal.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def version(self):
        self.report.step("The program starts")
        code, out, err = self.wine.run("version")
        self.report.check(code == 0 and out.startswith("countersign "), f"version: {out.strip()}{err.strip()}")

    def handshake(self):
        self.report.step("Handshake over stdio, signed out, nothing cached")
        began = time.monotonic()
        client = self.serve()
        answer, _ = client.hello()
        first = (time.monotonic() - began) * 1000
        tools = client.request("tools/list", {})["tools"]
        self.report.check("serverInfo" in answer, f"initialize: {answer.get('serverInfo')}")
        self.report.check(len(tools) > 0, f"tools/list: {len(tools)} tools")
        self.report.fact("start to first answer", f"{first:.0f} ms (Wine's own start included)")
        took = time.monotonic()
        client.request("ping", {})
        self.report.fact("ping", f"{(time.monotonic() - took) * 1000:.1f} ms")
        self.leave(client)

    def leave(self, client):
        began = time.monotonic()
        client.process.stdin.close()
        code = client.process.wait(20)
        took = (time.monotonic() - began) * 1000
        self.report.check(code == 0, f"stdin closed: it left with {code} after {took:.0f} ms")

    def sign_in_by_paste(self):
        self.report.step("Sign-in for reading: --no-browser, the address that the browser ended on is pasted")
        process = self.wine.start("login", "--no-browser", "--url", self.url)
        told = []
        address = None
        for line in process.stderr:
            told.append(line.decode(errors="replace").strip())
            if told[-1].startswith("http"):
                address = told[-1]
                break
        ended_on = self.follow(address)
        self.report.fact("pasted", re.sub(r"(code|state)=[^&]+", r"\1=...", ended_on))
        process.stdin.write(ended_on.encode() + b"\r\n")
        process.stdin.flush()
        process.stdin.close()
        code = process.wait(60)
        self.report.check(code == 0, f"login: {last_line(process.stdout.read())}")

    @staticmethod
    def follow(address):
        """Where the browser ends, without going there: on another machine nobody listens at that address."""

        class Stop(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *words):
                return None if "code=" in words[5] else super().redirect_request(*words)

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stop)
        try:
            with opener.open(address, timeout=30) as answer:
                return answer.geturl()
        except urllib.error.HTTPError as error:
            return error.headers["Location"]

    def sign_in_by_browser(self):
        self.report.step("Sign-in for trading: the browser is opened through ShellExecute, the answer comes to our listener")
        before = len(self.wine.visited())
        process = self.wine.start("login", "--trade", "--url", self.url)
        address = until(40, "the browser", lambda: self.wine.visited()[before:])[0]
        self.report.check(address.startswith("http://127.0.0.1"), "the address reached the browser whole: " + re.sub(r"=[^&]+", "=...", address))
        _, page = fetch(address)
        title = re.search(r"<title>(.*?)</title>", page, re.S)
        self.report.fact("the page says", title[1].strip() if title else page[:60])
        process.stdin.close()
        code = process.wait(60)
        self.report.check(code == 0, f"login --trade: {last_line(process.stdout.read())}")

    def keychain(self):
        self.report.step("The vault's key lies in the Windows Credential Manager")
        code, out, _ = self.verb("status", "--json")
        grants = json.loads(out)["grants"]
        self.report.check(code == 0 and len(grants) == 2, f"status: {[(grant['kind'], grant.get('store')) for grant in grants]}")
        self.report.check(all(grant.get("store") == "keychain" for grant in grants), "both say keychain")
        self.report.check(not (self.state / "vault.key").exists(), "no key file")
        listed = self.wine.raw("reg", "query", r"HKCU\Software\Wine\Credential Manager", "/s").stdout.decode(errors="replace")
        names = re.findall(r"vault-[0-9a-f]{32}[^\s\\]*", listed)
        self.report.check(bool(names), f"Windows lists the entry {sorted(set(names))[:1]}")
        vault = (self.state / "vault").read_bytes()
        self.report.check(vault[:8] == b"CSIGNVLT" and vault[9] == 0, f"vault: {len(vault)} bytes, key in the keychain")

    def read_call(self):
        self.report.step("A read call in a new process: the key comes back from the Credential Manager")
        code, out, err = self.verb("call", "ListAccounts")
        self.report.check(code == 0 and "Sim101" in out, f"call ListAccounts: exit {code}, {len(out)} bytes {err.strip()[:80]}")

    def wait_page(self, before):
        return until(40, "the page", lambda: [one for one in self.wine.visited()[before:] if "#" in one])[0]

    def order(self, client, order, act, title):
        """An order that is held and then decided; its result and how many were executed."""
        time.sleep(BREATH)
        self.report.step(title)
        before, pages = self.executed(), len(self.wine.visited())
        number = client.send("tools/call", {"name": "PlaceOrder", "arguments": order})
        act(pages)
        result = client.settled(number)
        self.report.fact("the AI is told", said(result))
        return status_of(result), self.executed() - before

    def orders_on_page(self, client):
        def approve(pages):
            address = self.wait_page(pages)
            self.report.fact("page", address.split("#")[0])
            Page(address).decide(True, PIN)

        def deny(pages):
            Page(self.wait_page(pages)).decide(False)

        status, ran = self.order(client, SIM101, approve, "A held order, approved with the PIN on the local page")
        self.report.check(status == "accepted" and ran == 1, f"{status}; the service executed {ran}")
        other = SIM101 | {"side": "Sell", "quantity": 2}
        status, ran = self.order(client, other, deny, "A held order, denied on the local page")
        self.report.check(status == "denied" and ran == 0, f"{status}; the service executed {ran}")

    def halt(self, client):
        self.report.step("Stop AI trading")
        code, out, err = self.verb("halt")
        self.report.check(code == 0, f"halt: {last_line((err + out).encode())}")
        before = self.executed()
        result = client.request("tools/call", {"name": "PlaceOrder", "arguments": SIM101})
        self.report.check(self.executed() == before and result.get("isError"), f"an order while stopped: {said(result)}")
        _, out, _ = self.verb("status", "--json")
        self.report.check(json.loads(out).get("halted") is True, f"status: halted = {json.loads(out).get('halted')}")

    def left_waiting(self):
        time.sleep(BREATH)
        self.report.step("The client closes stdin while an order waits")
        client = self.serve()
        client.hello()
        before, pages = self.executed(), len(self.wine.visited())
        client.send("tools/call", {"name": "PlaceOrder", "arguments": SIM101})
        self.wait_page(pages)
        self.leave(client)
        by = "the process that left"
        if self.journal()[-1].get("kind") != "voided":
            # It may leave before its dialog is gone from the screen; then the next process finds the order.
            by = "the next process"
            following = self.serve()
            following.hello()
            with contextlib.suppress(RuntimeError):
                until(15, "the void", lambda: self.journal()[-1].get("kind") == "voided")
            self.leave(following)
        last = self.journal()[-1]
        self.report.check(last.get("kind") == "voided", f"voided by {by}: {last.get('reason', last.get('kind'))}")
        self.report.check(self.executed() == before, "nothing was executed")

    def dead_parent(self):
        self.report.step("The program that started it dies while somebody else still holds its stdin open")
        client = Client(self.wine.start("serve", "--url", self.url, through=("cmd", "/c")))
        client.hello()
        began = time.monotonic()
        client.process.kill()
        # Its end of the pipe is all that is left of it.
        until(20, "its end", lambda: not client.lines.empty() and client.lines.get() is None)
        self.report.check(True, f"it left after {(time.monotonic() - began) * 1000:.0f} ms")

    def files(self):
        self.report.step("Files: long paths, names that are no ASCII, permissions")
        deep = "C:\\" + "\\".join(["a-long-name-of-a-folder-" + "x" * 60] * 4)
        code, _, err = self.wine.run("policy", "init", extra={"COUNTERSIGN_HOME": deep})
        self.report.check(code == 0 and len(deep) > 300, f"policy init {len(deep)} characters deep: exit {code} {err.strip()[-60:]}")
        code, out, _ = self.wine.run("policy", "show", extra={"COUNTERSIGN_HOME": deep})
        self.report.check(code == 0 and out, "policy show reads it there")
        odd = "C:\\M\u00fcller \u682a"
        code, _, _ = self.wine.run("policy", "init", extra={"COUNTERSIGN_HOME": odd})
        self.report.check(code == 0, "policy init in a folder with other letters")
        self.wine.run("policy", "init")
        policy = self.wine.profile / ".countersign" / "config" / "policy.toml"
        code, _, _ = self.wine.run("policy", "check")
        self.report.check(policy.exists() and code == 0, r"%USERPROFILE%\.countersign\config\policy.toml, which only its user may write")
        mode = policy.stat().st_mode
        policy.chmod(0o666)
        code, out, err = self.wine.run("policy", "check")
        self.report.check(code != 0 and "others may write" in out + err, f"the same with write permission for everyone: {first_with('others may write', out + err)[:140]}")
        policy.chmod(mode)
        # A policy that came after the sign-in for trading would itself be held.
        policy.unlink()

    def tidy(self):
        self.report.step("The journal, and the way out")
        code, out, _ = self.wine.run("journal", "verify")
        self.report.check(code == 0, f"journal verify: {last_line(out.encode())}")
        code, out, err = self.verb("logout", "--pin-stdin", say=f"{PIN}\n")
        self.report.check(code == 0, f"logout: {last_line((err + out).encode())}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--exe", type=Path, required=True)
    parser.add_argument("--sim", type=Path, required=True)
    parser.add_argument("--wine", required=True, help="the loader")
    parser.add_argument("--stand-in", type=Path, required=True, help="bcryptprimitives.dll")
    parser.add_argument("--short", action="store_true", help="no orders")
    options = parser.parse_args()
    # Whoever ends this run ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="countersign-wine-", ignore_cleanup_errors=True)))
        report = Report([(str(home), "TEMP")])
        if "DISPLAY" not in os.environ and shutil.which("Xvfb"):
            stack.enter_context(display(home))
        sim = stack.enter_context(
            subprocess.Popen([options.sim, "serve", "--port", "0", "--auto-consent"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
        stack.callback(sim.terminate)
        addresses = json.loads(sim.stdout.readline())
        began = time.monotonic()
        wine = Wine(options.wine, home, options.stand_in, options.exe)
        stack.callback(wine.end)
        version = wine.raw("--version").stdout.decode().strip()
        report.line(f"countersign.exe under {version}, simulator on Linux; a new Wine prefix took {time.monotonic() - began:.0f} s")
        report.line(f"countersign.exe: {options.exe.stat().st_size:,} bytes")
        run = Run(report, wine, addresses["mcp_url"], addresses["control_url"])
        run.version()
        run.handshake()
        run.sign_in_by_paste()
        run.sign_in_by_browser()
        run.keychain()
        run.read_call()
        run.files()
        if not options.short:
            whole(run)
        run.tidy()
        report.line(f"\n{'all as it should be' if not report.failed else f'{report.failed} FAILED'}; {time.monotonic() - began:.0f} s")
        return 1 if report.failed else 0


def whole(run):
    """The parts that take minutes: orders, and people who leave."""
    report = run.report
    report.step("Tier pin: the trade sign-in is sealed under a PIN")
    code, out, err = run.verb("presence", "set", "pin", "--pin-stdin", say=f"{PIN}\n", limit=180)
    report.check(code == 0, f"presence set pin: {last_line((err + out).encode())}")
    client = run.serve()
    client.hello()
    run.orders_on_page(client)
    run.leave(client)
    run.left_waiting()
    run.dead_parent()
    client = run.serve()
    client.hello()
    run.halt(client)
    run.leave(client)


@contextlib.contextmanager
def display(home):
    """A screen that nobody sees."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home,
    )
    os.close(write)
    with os.fdopen(read) as told:
        os.environ["DISPLAY"] = ":" + told.readline().strip()
    try:
        yield
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    sys.exit(main())
