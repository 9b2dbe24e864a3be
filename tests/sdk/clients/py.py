"""An official Python client, through everything that it can do with a server. One line of JSON: for each feature what the
SDK handed to its application.

usage: MODE=py1|legacy|auto|2026-07-28 py.py URL
       MODE=… py.py -- COMMAND [ARG…]
"""

import asyncio
import contextlib
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
MODE = os.environ["MODE"]
OLD = MODE == "py1"
PATIENCE = 15.0
KEY = f"{MODE}-{os.getpid()}"
# Its own: servers tell all clients of what one of them touches.
FOLLOWED = f"test://item/{os.getpid()}"

from mcp import StdioServerParameters  # noqa: E402
from mcp.client.stdio import stdio_client  # noqa: E402

if OLD:
    import mcp.types as types
    from mcp import ClientSession
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client
else:
    import mcp_types as types
    from mcp import Client
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client


def plain(model):
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


def items(models):
    return [plain(model) for model in models]


def field(model, old, new):
    return getattr(model, old if OLD else new)


class Conversation:
    def __init__(self):
        self.seen, self.action = {}, "accept"
        self.updated, self.changed, self.logs = [], 0, []

    async def sample(self, context, params):
        limit = field(params, "maxTokens", "max_tokens")
        said = {"type": "text", "text": f"{params.messages[0].content.text}! ({limit})"}
        return types.CreateMessageResult.model_validate(
            {"role": "assistant", "model": "a-model", "stopReason": "endTurn", "content": said}
        )

    async def elicit(self, context, params):
        if self.action == "accept":
            return types.ElicitResult(action="accept", content={"name": params.message, "size": 3})
        return types.ElicitResult(action=self.action)

    async def roots(self, context):
        return types.ListRootsResult.model_validate({"roots": [{"uri": "file:///tests", "name": "tests"}]})

    async def log(self, params):
        self.logs.append(f"{params.level} {params.logger} {json.dumps(params.data)}")

    async def hear(self, message):
        notice = getattr(message, "root", message)
        method = getattr(notice, "method", "")
        if method == "notifications/resources/updated":
            self.updated.append(str(notice.params.uri))
        elif method == "notifications/tools/list_changed":
            self.changed += 1

    async def feature(self, name, work):
        try:
            self.seen[name] = await asyncio.wait_for(work(), PATIENCE + 5)
        except Exception as error:
            cause = error
            while isinstance(cause, BaseExceptionGroup) and cause.exceptions:
                cause = cause.exceptions[0]
            data = getattr(cause, "error", None)
            code = getattr(data, "code", getattr(cause, "code", None))
            self.seen[name] = {"error": {"code": code, "message": (str(cause) or type(cause).__name__)[:200]}}

    async def until(self, done):
        async def wait():
            while not done():
                await asyncio.sleep(0.05)

        await asyncio.wait_for(wait(), PATIENCE)

    @contextlib.asynccontextmanager
    async def connected(self, target, command):
        callbacks = {
            "sampling_callback": self.sample,
            "elicitation_callback": self.elicit,
            "list_roots_callback": self.roots,
            "logging_callback": self.log,
            "message_handler": self.hear,
            "client_info": types.Implementation(name=f"sdk-{MODE}", version="1.0.0"),
        }
        if command:
            quiet = open(os.devnull, "w")
            server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ))
            transport = stdio_client(server, errlog=quiet)
        elif target.endswith("/sse"):
            transport = sse_client(target)
        else:
            transport = streamable_http_client(target)
        if OLD:
            async with transport as streams, ClientSession(streams[0], streams[1], **callbacks) as session:
                hello = await session.initialize()
                yield session, hello.protocolVersion, plain(hello)
        else:
            async with Client(transport, mode=MODE, log_level="info", **callbacks) as client:
                hello = {
                    "serverInfo": plain(client.server_info) if client.server_info else None,
                    "capabilities": plain(client.server_capabilities),
                    "instructions": client.instructions,
                }
                yield client, client.protocol_version, hello

    async def play(self, target, command):
        async with self.connected(target, command) as (session, version, hello):
            modern = version >= "2026"
            self.seen["connect"] = {key: hello.get(key) for key in ("serverInfo", "capabilities", "instructions")}
            uri = (lambda text: types.AnyUrl(text)) if OLD and hasattr(types, "AnyUrl") else (lambda text: text)
            call = session.call_tool

            async def tools():
                return items((await session.list_tools()).tools)

            async def pages():
                found, cursor = [], None
                while True:
                    page = await (session.list_resources(cursor=cursor) if cursor or not OLD else session.list_resources())
                    found.append(items(page.resources))
                    cursor = field(page, "nextCursor", "next_cursor")
                    if cursor is None or len(found) > 5:
                        return found

            async def templates():
                return items(field(await session.list_resource_templates(), "resourceTemplates", "resource_templates"))

            async def prompts():
                return items((await session.list_prompts()).prompts)

            async def prompt():
                return plain(await session.get_prompt("about", {"symbol": "ES"}))

            async def completion():
                ref = types.PromptReference(type="ref/prompt", name="about")
                return plain((await session.complete(ref, {"name": "symbol", "value": "M"})).completion)

            def reading(what):
                async def read():
                    return plain(await session.read_resource(uri(what)))

                return read

            def calling(name, arguments=None):
                async def tool():
                    return plain(await call(name, arguments or {}))

                return tool

            async def progress():
                told = []

                async def on_progress(progress, total, message):
                    told.append(f"{progress:g}/{total:g} {message}")

                answer = plain(await call("steps", {"count": 3}, progress_callback=on_progress))
                return {"told": told, "answer": answer}

            async def cancel():
                async def count():
                    return json.loads((await call("cancelled", {"key": KEY})).content[0].text)

                async def wait_for(what):
                    for _ in range(100):
                        if (await count())[what]:
                            return
                        await asyncio.sleep(0.05)

                task = asyncio.create_task(call("wait", {"key": KEY}))
                await asyncio.sleep(0.1)
                await wait_for("begun")
                if OLD:
                    # This major has no word for it; an application sends the notification itself.
                    id = session._request_id - 1
                    while id not in session._response_streams:
                        id -= 1
                    note = types.CancelledNotification(
                        method="notifications/cancelled", params=types.CancelledNotificationParams(requestId=id)
                    )
                    await session.send_notification(types.ClientNotification(note))
                    await asyncio.sleep(0.2)
                task.cancel()
                with contextlib.suppress(BaseException):
                    await task
                await wait_for("cancelled")
                return await count()

            async def log():
                if not modern:
                    await session.set_logging_level("info")
                await call("log", {})
                await self.until(lambda: any(line.startswith("warning") for line in self.logs))
                return [line for line in self.logs if line.startswith("warning")]

            stack = contextlib.AsyncExitStack()
            listening = []

            def named(one):
                return "the followed one" if one == FOLLOWED else one

            async def heard(kind):
                async def wait():
                    while type(event := await listening[0].__anext__()).__name__ != kind:
                        pass
                    return event

                return await asyncio.wait_for(wait(), PATIENCE)

            async def updated():
                if modern:
                    opened = session.listen(resource_subscriptions=[FOLLOWED], tools_list_changed=True)
                    listening.append(await stack.enter_async_context(opened))
                else:
                    await session.subscribe_resource(uri(FOLLOWED))
                await call("touch", {"uri": "test://blob"})
                await call("touch", {"uri": FOLLOWED})
                if modern:
                    event = await heard("ResourceUpdated")
                    return [named(str(event.uri))]
                await self.until(lambda: self.updated)
                return [named(one) for one in self.updated]

            async def list_changed():
                await call("grow", {})
                if modern:
                    return await heard("ToolsListChanged") is not None
                await self.until(lambda: self.changed)
                return True

            async def unsubscribe():
                before = len(self.updated)
                if modern:
                    await stack.aclose()
                else:
                    await session.unsubscribe_resource(uri(FOLLOWED))
                # The cancel of a stream has no answer; it needs a moment to arrive, on any way.
                await asyncio.sleep(1.5)
                await call("touch", {"uri": FOLLOWED})
                await call("echo", {"text": "after"})
                return len(self.updated) - before

            async def ping():
                await session.send_ping()
                return True

            await self.feature("tools", tools)
            await self.feature("pages", pages)
            await self.feature("templates", templates)
            await self.feature("prompts", prompts)
            await self.feature("prompt", prompt)
            await self.feature("completion", completion)
            for name, what in (("text", "text"), ("blob", "blob"), ("template", "item/7"), ("missing", "nothing")):
                await self.feature(f"read {name}", reading(f"test://{what}"))
            await self.feature("call", calling("echo", {"text": '1.50 \u00e9 \u2028 \U0001f4c8 "\\'}))
            await self.feature("structured", calling("structured"))
            await self.feature("picture", calling("picture"))
            await self.feature("tool error", calling("fail"))
            await self.feature("unknown tool", calling("nothing"))
            await self.feature("progress", progress)
            await self.feature("cancel", cancel)
            await self.feature("log", log)
            await self.feature("sampling", calling("sample", {"prompt": "hi"}))
            await self.feature("elicit accept", calling("ask", {"question": "who"}))
            self.action = "decline"
            await self.feature("elicit decline", calling("ask", {"question": "who"}))
            await self.feature("roots", calling("roots"))
            await self.feature("updated", updated)
            await self.feature("list changed", list_changed)
            await self.feature("unsubscribe", unsubscribe)
            if not modern:
                await self.feature("ping", ping)
        self.seen["close"] = True
        return {"mode": MODE, "version": version, "era": "modern" if modern else "legacy", "features": self.seen}


def main():
    command = sys.argv[2:] if sys.argv[1] == "--" else []
    conversation = Conversation()
    try:
        report = asyncio.run(asyncio.wait_for(conversation.play(sys.argv[1], command), 60))
    except BaseException as error:
        cause = error
        while isinstance(cause, BaseExceptionGroup) and cause.exceptions:
            cause = cause.exceptions[0]
        report = {"mode": MODE, "features": conversation.seen, "error": f"{type(cause).__name__}: {cause}"[:200]}
    print(json.dumps(report), flush=True)
    os._exit(0)


main()
