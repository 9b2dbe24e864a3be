"""What the two Python servers share: the catalogue, and every answer that needs nothing of an SDK, as plain JSON."""

import json
import pathlib
import re

CATALOG = json.loads((pathlib.Path(__file__).parent.parent / "catalog.json").read_text())
# Between the steps of a progress, in seconds; parts.mjs says why.
PAUSE = 0.2
INSTRUCTIONS = "Only for tests."
QUESTION = {
    "type": "object",
    "properties": {"name": {"type": "string", "title": "A name", "default": "x"}, "size": {"type": "integer"}},
    "required": ["name"],
}


def text(value):
    return {"content": [{"type": "text", "text": value}]}


def said(value):
    return text(json.dumps(value, separators=(",", ":")))


def sampling(prompt):
    return {"messages": [{"role": "user", "content": {"type": "text", "text": prompt}}], "maxTokens": 7}


WAITS = {}


def wait(key):
    return WAITS.setdefault(key, {"begun": 0, "cancelled": 0})


def simple(name, args):
    """Tools that do nothing but answer; None for the others."""
    if name == "echo":
        return text(f"Echo: {args['text']}")
    if name == "structured":
        content = {"price": 5312.25, "symbol": "ES", "levels": [1, 2]}
        return {**said(content), "structuredContent": content, "_meta": {"example.test/kept": 1}}
    if name == "picture":
        return {
            "content": [
                {
                    "type": "image",
                    "data": CATALOG["image"],
                    "mimeType": "image/png",
                    "annotations": {"audience": ["user"], "priority": 0.25},
                },
                {"type": "audio", "data": CATALOG["sound"], "mimeType": "audio/wav"},
                {"type": "resource_link", "uri": "test://text", "name": "text"},
                {
                    "type": "resource",
                    "resource": {"uri": "test://text", "mimeType": "text/plain", "text": "some text"},
                },
            ]
        }
    if name == "fail":
        return {**text("It failed as asked."), "isError": True}
    if name == "cancelled":
        return said(wait(args["key"]))
    return None


def resources(cursor):
    pages = CATALOG["resourcePages"]
    page = int(cursor or 0)
    more = {"nextCursor": str(page + 1)} if page + 1 < len(pages) else {}
    return {"resources": pages[page], **more}


def resource(uri):
    item = re.fullmatch(r"test://item/(\w+)", uri)
    if uri == "test://text":
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": "some text"}]}
    if uri == "test://blob":
        return {"contents": [{"uri": uri, "mimeType": "application/octet-stream", "blob": CATALOG["blob"]}]}
    if item:
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": f"item {item[1]}"}]}
    return None


def prompt(name, args):
    said = f"Tell me about {(args or {}).get('symbol')}." if name == "about" else "Hello."
    return {
        "description": f"prompt {name}",
        "messages": [{"role": "user", "content": {"type": "text", "text": said}}],
    }


def completion(argument):
    values = [symbol for symbol in CATALOG["symbols"] if symbol.startswith(argument)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}
