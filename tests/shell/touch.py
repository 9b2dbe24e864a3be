#!/usr/bin/env python3
"""Knows the PIN and has no passkey: brings to the pages of this installation whatever a program can make up.

    touch.py order PIN     to the page of a waiting call
    touch.py verbs PIN     to the pages of verbs that loosen, run by the agent itself
"""
import base64, hashlib, json, os, struct, subprocess, sys, tempfile, time

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from loopback import ask, links, page, tried

STATE = os.path.join(os.environ["COUNTERSIGN_HOME"], "state")
OWN = ec.generate_private_key(ec.SECP256R1())
OWN_ID = base64.urlsafe_b64encode(os.urandom(20)).rstrip(b"=").decode()


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(name, challenge, origin, counter=1000):
    """An assertion that is right in everything but the key."""
    client = json.dumps({"type": "webauthn.get", "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()
    data = hashlib.sha256(b"localhost").digest() + b"\x05" + struct.pack(">I", counter)
    signature = OWN.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
    return {"id": name, "clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature)}


def created():
    """A new credential, as a browser brings one."""
    spki = OWN.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    raw = base64.urlsafe_b64decode(OWN_ID + "=" * (-len(OWN_ID) % 4))
    data = hashlib.sha256(b"localhost").digest() + b"\x45" + struct.pack(">I", 0)
    data += b"\0" * 16 + struct.pack(">H", len(raw)) + raw
    return {"id": OWN_ID, "spki": text(spki), "alg": -7, "authenticatorData": text(data)}


def recorded():
    """Signatures of the person's, from the journal."""
    found = []
    for line in open(os.path.join(STATE, "journal.jsonl")):
        passkey = json.loads(line).get("passkey") or {}
        proof = passkey.get("proof", passkey)
        if "assertion" in proof:
            found.append(proof["assertion"])
    return found


class Tab:
    """The page, opened before the person's own tab could."""

    def __init__(self, port, token):
        self.port, self.origin = port, f"http://localhost:{port}"
        self.session = json.loads(self.post("/open", {"token": token})[1])["session"]

    def post(self, path, body):
        return ask(self.port, "POST", path, body, origin=self.origin)

    def view(self):
        return json.loads(self.post("/state", {"session": self.session})[1])["view"]

    def approve(self, what, **more):
        """Presses Approve with this, for the card that stands; what the page says."""
        said = self.post("/approve", {"session": self.session, "core": self.view()["core"], **more})[1]
        try:
            said = json.loads(said).get("error") or said
        except ValueError:
            pass
        tried(what, said)

    def touch(self, what, make):
        """The same with a signature for the challenge that stands: `make` is told challenge and first key."""
        step = self.view().get("touch")
        if not step:
            return tried(what, "no challenge")
        self.approve(what, touch=make(step["challenge"], (step["keys"] or [OWN_ID])[0]))

    def forge(self):
        """Everything that can be made up without the key."""
        again = recorded()
        self.approve("no signature")
        self.touch("its own key", lambda challenge, _: signed(OWN_ID, challenge, self.origin))
        self.touch("its own key under the registered id", lambda challenge, key: signed(key, challenge, self.origin))
        self.touch("an empty signature", lambda challenge, key: {**signed(key, challenge, self.origin), "signature": ""})
        self.touch("a signature of another page", lambda challenge, key: signed(key, challenge, "http://localhost:1"))
        self.touch("a recorded signature", lambda *_: again[-1])
        self.touch("a recorded signature for this challenge",
                   lambda challenge, key: {**again[-1], "clientDataJSON": signed(key, challenge, self.origin)["clientDataJSON"]})
        self.touch("a new key in place of a signature", lambda *_: created())


def order(pin):
    port = page()
    token = [token for where, token in links() if where == port][-1]
    tab = Tab(port, token)
    # Looked at, so that it counts as shown; what is answered in the first moment is not heard.
    tab.view()
    time.sleep(1)
    tab.approve("the right PIN", pin=pin)
    tab.approve("the right PIN again", pin=pin)
    tried("read the challenge", "read" if tab.view().get("touch") else "not told")
    # The note beside the vault may be edited.
    note = os.path.join(STATE, "passkeys.json")
    kept = open(note).read()
    open(note, "w").write(json.dumps({os.environ["COUNTERSIGN_URL"]: [f"mine ({OWN_ID[:8]})"]}))
    tab.forge()
    open(note, "w").write(kept)


def verb(words, lines):
    """Runs a verb with the right PIN, and forges on the page that it opens in a browser of the agent's."""
    with tempfile.TemporaryDirectory() as away:
        link = os.path.join(away, "link")
        with open(os.path.join(away, "browser"), "w") as script:
            script.write(f'printf %s "$1" >{link}.new && mv {link}.new {link}\n')
        env = {**os.environ, "BROWSER": f"sh {away}/browser"}
        run = subprocess.Popen([os.environ["COUNTERSIGN"], *words, "--pin-stdin", "--url", os.environ["COUNTERSIGN_URL"]],
                               env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        run.stdin.write("".join(f"{line}\n" for line in lines))
        run.stdin.flush()
        end = time.time() + 20
        while not os.path.exists(link) and run.poll() is None and time.time() < end:
            time.sleep(0.1)
        what = " ".join(words[:2])
        if os.path.exists(link):
            address, _, token = open(link).read().partition("/#")
            tab = Tab(int(address.rsplit(":", 1)[1]), token)
            tab.view()
            time.sleep(1)
            tried(f"{what}: its page asks for", "a signature" if not tab.view()["touch"]["create"] else "a new key")
            tab.forge()
            tab.post("/deny", {"session": tab.session})
        # Six letters that it makes up, where the verb would ask for them.
        out, _ = run.communicate("ACDEFG\n", timeout=30)
        tried(what, f"exit {run.returncode}: {out[-200:]}")


def verbs(pin):
    listed = subprocess.run([os.environ["COUNTERSIGN"], "presence", "keys", "--json", "--pin-stdin", "--url", os.environ["COUNTERSIGN_URL"]],
                            input=f"{pin}\n", capture_output=True, text=True, timeout=30)
    keys = [key["id"] for key in json.loads(listed.stdout)["keys"]]
    tried("list the keys with the right PIN", f"{len(keys)} keys")
    verb(["presence", "add-key"], [pin])
    verb(["presence", "set", "pin"], [pin, "the agents own strong pin"])
    verb(["presence", "set", "click"], [pin])
    verb(["presence", "remove-key", keys[0]], [pin])
    listed = subprocess.run([os.environ["COUNTERSIGN"], "presence", "keys", "--json", "--pin-stdin", "--url", os.environ["COUNTERSIGN_URL"]],
                            input=f"{pin}\n", capture_output=True, text=True, timeout=30)
    tried("list the keys afterwards", "the same" if [key["id"] for key in json.loads(listed.stdout)["keys"]] == keys else listed.stdout)


{"order": order, "verbs": verbs}[sys.argv[1]](sys.argv[2])
