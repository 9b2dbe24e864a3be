"""Makes src/passkey/tests/ceremonies.json: assertions signed here, spoilt in many ways, with the verdict of another
implementation on each.

    python -m venv v && v/bin/pip install webauthn==3.0.1 fido2==2.2.1 && v/bin/python tests/passkey/vectors.py

The keys are made anew each time and thrown away. The other implementation is the Python package `webauthn`; it is asked for the
same things that we ask for (origin, RP ID, challenge, verification of the user, counter)."""

import base64
import hashlib
import json
import os
import pathlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from fido2 import cbor, cose
from webauthn import verify_authentication_response

ORIGIN, RP = "http://localhost:41999", "localhost"
UP, UV, BE, BS, AT, ED = 0x01, 0x04, 0x08, 0x10, 0x40, 0x80


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def keys():
    es = ec.generate_private_key(ec.SECP256R1())
    yield -7, es, cose.ES256, lambda m: es.sign(m, ec.ECDSA(hashes.SHA256()))
    ed = ed25519.Ed25519PrivateKey.generate()
    yield -8, ed, cose.EdDSA, ed.sign
    rs = rsa.generate_private_key(65537, 2048)
    yield -257, rs, cose.RS256, lambda m: rs.sign(m, padding.PKCS1v15(), hashes.SHA256())


def client(asked, **more):
    told = {"type": "webauthn.get", "challenge": b64(asked), "origin": ORIGIN, "crossOrigin": False}
    told.update(more)
    return json.dumps({k: v for k, v in told.items() if v is not None}).encode()


def data(rp=RP, flags=UP | UV, counter=7, rest=b""):
    return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + counter.to_bytes(4, "big") + rest


def cases(sign):
    """Name, challenge asked, id, client data, authenticator data, signature."""
    c = os.urandom(32)
    other = os.urandom(32)

    def made(name, cd=None, ad=None, asked=c, sig=None, late=lambda cd, ad: (cd, ad)):
        cd, ad = cd or client(c), ad or data()
        signed = sig or sign(ad + hashlib.sha256(cd).digest())
        return name, asked, *late(cd, ad), signed

    yield made("as it should be")
    yield made("a browser of the future", client(c, extra="more"))
    yield made("with extensions", None, data(flags=UP | UV | ED, rest=cbor.encode({"x": True})))
    yield made("another challenge asked", asked=other)
    yield made("another challenge signed", client(other))
    yield made("a challenge with padding", client(c, challenge=b64(c) + "="))
    yield made("type create", client(c, type="webauthn.create"))
    yield made("type upper case", client(c, type="WEBAUTHN.GET"))
    yield made("no type", client(c, type=None))
    yield made("another port", client(c, origin="http://localhost:41998"))
    yield made("no port", client(c, origin="http://localhost"))
    yield made("https", client(c, origin="https://localhost:41999"))
    yield made("by number", client(c, origin="http://127.0.0.1:41999"))
    yield made("with a slash", client(c, origin=ORIGIN + "/"))
    yield made("no origin", client(c, origin=None))
    yield made("another site", None, data(rp="localhost.example"))
    yield made("site by number", None, data(rp="127.0.0.1"))
    yield made("not present", None, data(flags=UV))
    yield made("not verified", None, data(flags=UP))
    yield made("backed up but not eligible", None, data(flags=UP | UV | BS))
    yield made("counter stands", None, data(counter=6))
    yield made("counter back", None, data(counter=5))
    yield made("counter zero", None, data(counter=0))
    yield made("cut", None, data()[:36])
    yield made("flags changed after signing", late=lambda cd, ad: (cd, ad[:32] + bytes([UP | UV | ED]) + ad[33:] + b"\xa0"))
    yield made("counter changed after signing", late=lambda cd, ad: (cd, ad[:36] + b"\x63"))
    yield made("client data changed after signing", late=lambda cd, ad: (cd.replace(b"false", b"false "), ad))
    yield made("signature of something else", sig=sign(b"something else"))
    good = made("x")
    for at in (0, len(good[4]) // 2, len(good[4]) - 1):
        bad = bytearray(good[4])
        bad[at] ^= 1
        yield made(f"bit of the signature at {at}", good[2], good[3], sig=bytes(bad))
    yield made("signature cut", good[2], good[3], sig=good[4][:-1])
    yield made("signature with more", good[2], good[3], sig=good[4] + b"\0")


def main():
    told = []
    for alg, private, kind, sign in keys():
        spki = private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        public = cbor.encode(dict(kind.from_cryptography_key(private.public_key())))
        credential = os.urandom(24)
        for name, challenge, cd, ad, sig in cases(sign):
            answer = {"id": b64(credential), "rawId": b64(credential), "type": "public-key", "response": {
                "clientDataJSON": b64(cd), "authenticatorData": b64(ad), "signature": b64(sig)},
                "clientExtensionResults": {}}
            try:
                verify_authentication_response(
                    credential=answer, expected_challenge=challenge, expected_rp_id=RP, expected_origin=ORIGIN,
                    credential_public_key=public, credential_current_sign_count=6, require_user_verification=True)
                verdict = True
            except Exception:
                verdict = False
            told.append({"name": name, "alg": alg, "spki": b64(spki), "id": b64(credential), "counter": 6,
                         "challenge": b64(challenge), "client": b64(cd), "data": b64(ad), "signature": b64(sig),
                         "other": verdict})
    place = pathlib.Path(__file__).parents[2] / "src/passkey/tests/ceremonies.json"
    place.write_text("[\n" + ",\n".join(json.dumps(one) for one in told) + "\n]\n")
    print(len(told), "written;", sum(one["other"] for one in told), "taken by the other implementation")
    print([one["name"] for one in told if one["other"]])


main()
