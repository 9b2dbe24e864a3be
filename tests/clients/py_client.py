"""The official Python SDK, playing a desktop client through one conversation.

    py_client.py COMMAND [ARG...]

Owns: starting COMMAND over stdio, the conversation that README.md lists, one JSON line on stdout.
Refuses to know: what was decided and by whom; the caller reads the line and asks the simulator.
"""

import asyncio
import importlib.metadata
import json
import os
import re
import sys
import time
from datetime import timedelta

from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client

AWAIT_TOOL = "countersign_await_approval"
WAITING = "not_sent_waiting_for_person"
PATIENCE = float(os.environ.get("CLIENT_PATIENCE_SECONDS", "120"))
CALL_TIMEOUT = timedelta(seconds=float(os.environ.get("CLIENT_CALL_TIMEOUT_SECONDS", "60")))


def text_of(result):
    return "\n".join(part["text"] for part in result.get("content", []) if part.get("type") == "text")


def is_waiting(result):
    status = (result.get("structuredContent") or {}).get("status")
    return status == WAITING or WAITING in text_of(result)


def ticket_in(result):
    ticket = (result.get("structuredContent") or {}).get("ticket")
    found = ticket or re.search(r"\bticket\W+(?:id\W+)?([A-Z0-9]{4,})\b", text_of(result))
    if not found:
        raise RuntimeError(f"held, but no ticket in the answer: {json.dumps(result)}")
    return ticket or found.group(1)


class Conversation:
    """One session with the program, and everything seen on it."""

    def __init__(self):
        self.session = None
        self.changed = asyncio.Event()
        self.seen = {
            "client": "python",
            "sdk": importlib.metadata.version("mcp"),
            "listings": 0,
            "tools": [],
            "progress": 0,
            "notifications": [],
            "complaints": [],
        }

    async def on_message(self, message):
        # Lines that are no JSON-RPC, answers to no request: the SDK goes on after those, the test must not.
        if isinstance(message, Exception):
            self.seen["complaints"].append(str(message))
        elif isinstance(message, types.ServerNotification):
            self.seen["notifications"].append(message.root.method)
            if isinstance(message.root, types.ToolListChangedNotification):
                self.changed.set()

    async def on_progress(self, _progress, _total, _message):
        self.seen["progress"] += 1

    async def run(self, command, read, trade):
        # The SDK passes on a handful of variables only; a test needs its own to reach the program.
        server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
        async with stdio_client(server) as (incoming, outgoing):
            async with ClientSession(incoming, outgoing, message_handler=self.on_message) as self.session:
                started = await self.session.initialize()
                self.seen["protocolVersion"] = started.protocolVersion
                self.seen["server"] = plain(started.serverInfo)
                await self.list_until([step["name"] for step in (read, trade) if step])
                if read:
                    self.seen["read"] = await self.call(read)
                if trade:
                    held = self.seen["trade"] = await self.call(trade)
                    self.seen["final"] = await self.until_final(ticket_in(held)) if is_waiting(held) else held

    async def list_until(self, names):
        """Lists tools, again at each list_changed, until all of `names` are there."""
        end = time.monotonic() + PATIENCE
        while True:
            self.changed.clear()
            self.seen["tools"] = await self.list_all()
            missing = set(names) - {tool["name"] for tool in self.seen["tools"]}
            if not missing:
                return
            if time.monotonic() >= end:
                raise RuntimeError(f"never listed: {', '.join(sorted(missing))}")
            try:
                await asyncio.wait_for(self.changed.wait(), 1)
            except asyncio.TimeoutError:
                pass

    async def list_all(self):
        tools, cursor = [], None
        while True:
            page = await self.session.list_tools(cursor)
            tools.extend(plain(tool) for tool in page.tools)
            cursor = page.nextCursor
            if not cursor:
                break
        self.seen["listings"] += 1
        return tools

    async def call(self, step):
        """One tools/call, with a progress token as applications that show progress send it."""
        answer = await self.session.call_tool(
            step["name"],
            step.get("arguments", {}),
            read_timeout_seconds=CALL_TIMEOUT,
            progress_callback=self.on_progress,
        )
        return plain(answer)

    async def until_final(self, ticket):
        self.seen["awaited"] = []
        end = time.monotonic() + PATIENCE
        await self.list_until([AWAIT_TOOL])
        schema = next(tool["inputSchema"] for tool in self.seen["tools"] if tool["name"] == AWAIT_TOOL)
        argument = (schema.get("required") or ["ticket"])[0]
        while time.monotonic() < end:
            answer = await self.call({"name": AWAIT_TOOL, "arguments": {argument: ticket}})
            self.seen["awaited"].append(answer)
            if not is_waiting(answer):
                return answer
        raise RuntimeError(f"ticket {ticket} was still waiting after {PATIENCE} s")


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def innermost(error):
    """The one cause inside the groups that the SDK's task groups wrap around it."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def planned(name):
    return json.loads(os.environ[name]) if os.environ.get(name) else None


def main():
    if len(sys.argv) < 2:
        print("usage: py_client.py COMMAND [ARG...]", file=sys.stderr)
        return 2
    conversation = Conversation()

    try:
        asyncio.run(conversation.run(sys.argv[1:], planned("CLIENT_READ"), planned("CLIENT_TRADE")))
        if conversation.seen["complaints"]:
            raise RuntimeError("; ".join(conversation.seen["complaints"]))
    except BaseException as error:  # whatever it was, the caller gets its line
        cause = innermost(error)
        conversation.seen["error"] = f"{type(cause).__name__}: {cause}"
        print(f"py_client: {conversation.seen['error']}", file=sys.stderr)
    print(json.dumps(conversation.seen), flush=True)
    return 1 if "error" in conversation.seen else 0


if __name__ == "__main__":
    sys.exit(main())
