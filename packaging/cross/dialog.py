#!/usr/bin/env python3
"""Held orders decided on the Windows dialog: the real program under Wine, a real mouse on a screen without a monitor.

    packaging/cross/dialog.py COUNTERSIGN.EXE SIMULATOR [FOLDER FOR PICTURES]

COUNTERSIGN.EXE is what windows.sh built, SIMULATOR the simulator built for this machine. It signs in for reading and for
trading, then places practice orders and decides on the dialog: approves one, denies one by its button,
clicks too soon, lets one expire, clicks a button that another program wrote other words on, and stops AI trading. The simulator tells what was executed. Needs Xvfb, xdotool and
ImageMagick's `import`; returns 77 where one of them is missing.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PATIENCE = 60
ORDER = {"account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Market", "quantity": 1, "tif": "Day"}
TITLE = "^Countersign$"
# Another program of the same user, which writes "Deny" on our Approve.
RELABEL = """
#include <windows.h>
#include <wchar.h>
static BOOL CALLBACK each(HWND button, LPARAM done) {
    wchar_t text[64] = L"";
    SendMessageW(button, WM_GETTEXT, 64, (LPARAM)text);
    if (wcsncmp(text, L"Approve", 7)) return TRUE;
    *(int *)done = !SendMessageW(button, WM_SETTEXT, 0, (LPARAM)L"Deny");
    return FALSE;
}
int main(void) {
    int result = 2;
    HWND dialog = FindWindowW(NULL, L"Countersign");
    if (dialog) EnumChildWindows(dialog, each, (LPARAM)&result);
    return result;
}
"""
CROSS = Path(os.environ.get("COUNTERSIGN_CROSS") or Path(__file__).resolve().parents[2] / "target/cross")


def until(what, look, limit=PATIENCE):
    """What `look` finds, once it finds something."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise SystemExit(f"FAILED: {what} did not come within {limit} s")


def check(what, fine, more=""):
    print(("ok      " if fine else "FAILED  ") + what + ("" if fine else f"\n        {more}"), flush=True)
    if not fine:
        raise SystemExit(1)


class Desk:
    """A screen, a mouse, a Windows and a service; all of it ends with this."""

    def __init__(self, program, simulator, pictures):
        self.folder = Path(tempfile.mkdtemp(prefix="countersign-dialog-"))
        self.pictures = pictures
        self.children = []
        read, write = os.pipe()
        self.start(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x800x24", "-nolisten", "tcp"], pass_fds=[write]
        )
        os.close(write)
        with os.fdopen(read) as told:
            self.display = ":" + told.readline().strip()
        shutil.copy(program, self.folder / "countersign.exe")
        # What this Wine lacks, where it was not installed but unpacked.
        for library in ("wine/bcryptprimitives.dll", "root/usr/x86_64-w64-mingw32/lib/zlib1.dll"):
            if (CROSS / library).is_file():
                shutil.copy(CROSS / library, self.folder)
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            # Wine's server keeps a folder there and leaves it behind.
            "TMPDIR": str(self.folder),
            "DISPLAY": self.display,
            "WINEPREFIX": str(self.folder / "wine"),
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
            "COUNTERSIGN_HOME": "Z:" + str(self.folder / "home").replace("/", "\\"),
            "COUNTERSIGN_STORE": "file",
        }
        config = self.folder / "home/config"
        config.mkdir(parents=True)
        # Without the service's own request budget, which would only make this slow.
        (config / "settings.toml").write_text("requests_per_second = 0.0\n")
        self.wine = str(CROSS / "bin/wine64") if (CROSS / "bin/wine64").exists() else "wine"
        self.server = self.start(
            [simulator, "serve", "--auto-consent", "--no-rate-limit"], stdout=subprocess.PIPE, text=True
        )
        ready = json.loads(self.server.stdout.readline())
        self.url, self.control = ready["mcp_url"].rstrip("/"), ready["control_url"].rstrip("/")

    def start(self, words, **more):
        child = subprocess.Popen(words, **{"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more})
        self.children.append(child)
        return child

    def end(self):
        if hasattr(self, "env"):
            server = CROSS / "root/usr/lib/wine/wineserver64"
            server = str(server) if server.exists() else "wineserver"
            subprocess.run([server, "-k"], env=self.env, stderr=subprocess.DEVNULL, check=False)
        for child in reversed(self.children):
            child.terminate()
            child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, *words, **more):
        return self.start([self.wine, str(self.folder / "countersign.exe"), *words], env=self.env, **more)

    def make_relabel(self):
        """Builds the foreign program, before the clock of an order runs."""
        compiler = str(CROSS / "bin/x86_64-w64-mingw32-gcc")
        if not os.path.exists(compiler):
            compiler = "x86_64-w64-mingw32-gcc"
        (self.folder / "relabel.c").write_text(RELABEL)
        env = {**os.environ, "LD_LIBRARY_PATH": str(CROSS / "lib")}
        made = subprocess.run(
            [compiler, "-o", self.folder / "relabel.exe", self.folder / "relabel.c"], env=env, check=False
        )
        check("the foreign program is built", made.returncode == 0)

    def relabel(self):
        """Runs the foreign program; whether it found and changed the button."""
        return self.start([self.wine, str(self.folder / "relabel.exe")], env=self.env).wait() == 0

    def login(self, *more):
        child = self.program(
            "login", "--no-browser", "--url", self.url, *more, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        said = []
        for line in child.stderr:
            line = line.decode(errors="replace")
            said.append(line)
            address = re.search(r"http\S+", line)
            if address and "authorize" in line:
                with urllib.request.urlopen(address[0], timeout=PATIENCE) as page:
                    page.read()
        check("signed in " + " ".join(more), child.wait() == 0, "".join(said))

    def run(self, *words):
        child = self.program(*words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = child.communicate(timeout=PATIENCE)[0].decode(errors="replace")
        return child.returncode, text

    def executed(self):
        with urllib.request.urlopen(self.control + "/executed", timeout=PATIENCE) as answer:
            return [entry["tool"] for entry in json.load(answer)]

    # The screen and the mouse.

    def x(self, *words):
        done = subprocess.run(
            ["xdotool", *map(str, words)], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            check=False,
        )
        return done.stdout.split()

    def windows(self):
        """The dialogs on the screen: number, place and size; the card is the one in the middle."""
        found = []
        for window in self.x("search", "--onlyvisible", "--name", TITLE):
            told = dict(pair.split("=") for pair in self.x("getwindowgeometry", "--shell", window) if "=" in pair)
            if told:
                found.append((window, int(told["X"]), int(told["Y"]), int(told["WIDTH"]), int(told["HEIGHT"])))
        return found

    def cards(self):
        # A notice stands in the lower right corner.
        return [w for w in self.windows() if w[1] + w[3] < 1240 or w[2] + w[4] < 740]

    def card(self):
        return until("the card", lambda: (self.cards() or [None])[0])

    def gone(self):
        until("the card's end", lambda: not self.cards(), 20)

    def picture(self, name):
        if self.pictures:
            self.x("mousemove", 5, 5)
            subprocess.run(["import", "-window", "root", str(self.pictures / name)], env=self.env, check=True)

    def press(self, button):
        """A click on a button of the card, by its place from the lower right corner, as Wine lays it out."""
        from_right = {"deny": 271, "approve": 159, "stop": 47}[button]
        _, x, y, width, height = self.card()
        self.x("mousemove", x + width - from_right, y + height - 38, "sleep", 0.1, "click", 1)


class Client:
    """An AI client on the program's pipes."""

    def __init__(self, desk):
        self.child = desk.program(
            "serve", "--url", desk.url, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.number = 0
        hello = {"name": "claude-ai", "version": "1"}
        self.ask("initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": hello})
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def read(self):
        for line in self.child.stdout:
            self.lines.put(json.loads(line))

    def send(self, message):
        self.child.stdin.write(json.dumps(message).encode() + b"\n")
        self.child.stdin.flush()

    def begin(self, method, params):
        self.number += 1
        self.send({"jsonrpc": "2.0", "id": self.number, "method": method, "params": params})
        return self.number

    def ask(self, method, params):
        return self.answer(self.begin(method, params))

    def order(self, **more):
        return self.begin("tools/call", {"name": "PlaceOrder", "arguments": {**ORDER, **more}})

    def answer(self, number):
        while True:
            try:
                message = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise SystemExit(f"FAILED: no answer to request {number}") from None
            if message.get("id") == number and "method" not in message:
                return message

    def said(self, number):
        result = self.answer(number).get("result", {})
        return "\n".join(part.get("text", "") for part in result.get("content", []))

    def leave(self):
        self.child.stdin.close()
        return self.child.wait(timeout=PATIENCE)


def run(desk):
    code, text = desk.run("--version")
    check("the program starts", code == 0 and "\ncountersign " in "\n" + text, text)
    desk.login()
    desk.login("--trade")
    client = Client(desk)

    order = client.order()
    desk.card()
    # The first click comes before anybody could have read anything.
    desk.press("approve")
    time.sleep(1.5)
    desk.picture("windows-dialog.png")
    early = desk.executed()
    if desk.cards():
        check("a click in the first moment approves nothing", not early, early)
        desk.press("approve")
    else:
        print("slow    the first click came late enough to count, so nothing is known about an early one", flush=True)
    said = client.said(order)
    check("an approved order is executed once", desk.executed() == ["PlaceOrder"], (desk.executed(), said))
    desk.gone()
    time.sleep(0.5)
    desk.picture("windows-notice.png")

    order = client.order(quantity=2)
    desk.card()
    desk.press("deny")
    said = client.said(order)
    check("a denied order is not", "NOT SENT" in said and len(desk.executed()) == 1, said)
    desk.gone()

    order = client.order(quantity=3)
    desk.card()
    said = client.said(order)
    desk.gone()
    check("an order that nobody decides on is not, and its dialog goes", len(desk.executed()) == 1, said)

    order = client.order(quantity=6)
    desk.card()
    _, text = desk.run("pending", "--json")
    ticket = re.search(r'"ticket": *"(\w+)"', text)
    check("another process knows what waits", ticket is not None, text)
    code, text = desk.run("deny", ticket[1])
    said = client.said(order)
    check("and can deny it", code == 0 and len(desk.executed()) == 1, (text, said))
    desk.gone()

    desk.make_relabel()
    order = client.order(quantity=7)
    desk.card()
    check("a foreign program writes on our button", desk.relabel())
    # Sooner, the click would count for nothing at all.
    time.sleep(1.5)
    desk.press("approve")
    said = client.said(order)
    check("which voids the order", "another program" in said and len(desk.executed()) == 1, said)
    desk.gone()

    order = client.order(quantity=4)
    desk.card()
    desk.press("stop")
    said = client.said(order)
    check("Stop AI trading sends nothing", len(desk.executed()) == 1, said)
    desk.gone()
    said = client.said(client.order(quantity=5))
    check("and refuses what comes after", "stopped" in said and len(desk.executed()) == 1, said)
    check("nobody is asked about it", not desk.cards())
    check("the program leaves when its client does", client.leave() == 0)
    code, text = desk.run("journal", "show")
    print("\n" + text, flush=True)


def main():
    # Wine makes Windows' permissions from Linux's. A profile on Windows is its user's alone; this one is, too.
    os.umask(0o077)
    if len(sys.argv) not in (3, 4):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    for tool in ("Xvfb", "xdotool", "import"):
        if not shutil.which(tool):
            print(f"SKIPPED: {tool} is missing, so the Windows dialog was not tried", file=sys.stderr)
            return 77
    pictures = Path(sys.argv[3]) if len(sys.argv) == 4 else None
    desk = Desk(sys.argv[1], sys.argv[2], pictures)
    try:
        run(desk)
    finally:
        desk.end()
    print("the Windows dialog decides as it should")
    return 0


if __name__ == "__main__":
    sys.exit(main())
