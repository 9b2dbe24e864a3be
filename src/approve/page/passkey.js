"use strict";
// Asks the browser for a passkey, and nothing else. Begun by a press of a button only, in the same turn as the press.
const passkey = (() => {
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const known = (step) => step.keys.map((id) => ({ type: "public-key", id: bytes(id) }));
  let open = null; // the question that the browser has up
  const TIMEOUT_MS = 110000; // below the two minutes of a page

  const sign = async (step) => {
    const key = await navigator.credentials.get({
      signal: open.signal,
      publicKey: { challenge: bytes(step.challenge), rpId: "localhost", allowCredentials: known(step), userVerification: "required", timeout: TIMEOUT_MS },
    });
    return {
      id: text(key.rawId),
      clientDataJSON: text(key.response.clientDataJSON),
      authenticatorData: text(key.response.authenticatorData),
      signature: text(key.response.signature),
    };
  };

  const create = async (step) => {
    const key = await navigator.credentials.create({
      signal: open.signal,
      publicKey: {
        challenge: bytes(step.challenge),
        rp: { id: "localhost", name: "Countersign" },
        user: { id: bytes(step.user), name: "Countersign", displayName: "Countersign on this computer" },
        pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "discouraged", userVerification: "required" },
        excludeCredentials: known(step),
        attestation: "none",
        timeout: TIMEOUT_MS,
      },
    });
    return {
      id: text(key.rawId),
      spki: text(key.response.getPublicKey()),
      alg: key.response.getPublicKeyAlgorithm(),
      authenticatorData: text(key.response.getAuthenticatorData()),
    };
  };

  const WORDS = {
    NotAllowedError: "The passkey did not answer, or it was cancelled. Nothing was approved. Press again to try once more.",
    InvalidStateError: "This passkey is registered already. Use another one.",
    SecurityError: "The browser allows no passkey on this page. Nothing was approved.",
    NotSupportedError: "This passkey cannot sign in a way that Countersign reads. Nothing was approved.",
  };

  // Does the step and brings what came of it, until no other step follows. What goes wrong is told; the button stays.
  const run = async (step, bring, say) => {
    for (let next = step; next;) {
      say(next.create ? "Follow your browser: it asks where to keep the passkey." : "Now touch your passkey.");
      let touch;
      open = new AbortController();
      try {
        touch = await (next.create ? create(next) : sign(next));
      } catch (e) {
        if (e.name === "AbortError") return;
        say(WORDS[e.name] || "The browser could not use a passkey (" + e.name + "). Nothing was approved.");
        return;
      }
      next = await bring(touch);
    }
  };
  // The page is over: the browser need not ask any more.
  run.stop = () => { if (open) open.abort(); };
  return run;
})();
