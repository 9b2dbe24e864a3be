"""A server on the Python SDK 1.x: /mcp is Streamable HTTP with sessions. usage: py1.py PORT"""

import sys

import anyio
import mcp.types as types
import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import McpError

import parts

server = Server("py1", version="1.0.0", instructions=parts.INSTRUCTIONS)
SUBSCRIBED = set()


def on(request):
    """Registers a handler whose answer is plain JSON of this result's type."""

    def register(function):
        async def handler(message):
            return types.ServerResult(await function(message.params))

        server.request_handlers[request] = handler
        return function

    return register


@on(types.ListToolsRequest)
async def list_tools(params):
    return types.ListToolsResult.model_validate({"tools": parts.CATALOG["tools"]})


@on(types.ListResourcesRequest)
async def list_resources(params):
    return types.ListResourcesResult.model_validate(parts.resources(params.cursor if params else None))


@on(types.ListResourceTemplatesRequest)
async def list_templates(params):
    return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": parts.CATALOG["templates"]})


@on(types.ReadResourceRequest)
async def read(params):
    found = parts.resource(str(params.uri))
    if found is None:
        raise McpError(types.ErrorData(code=-32002, message="no such resource", data={"uri": str(params.uri)}))
    return types.ReadResourceResult.model_validate(found)


@on(types.ListPromptsRequest)
async def list_prompts(params):
    return types.ListPromptsResult.model_validate({"prompts": parts.CATALOG["prompts"]})


@on(types.GetPromptRequest)
async def get_prompt(params):
    return types.GetPromptResult.model_validate(parts.prompt(params.name, params.arguments))


@on(types.CompleteRequest)
async def complete(params):
    return types.CompleteResult.model_validate(parts.completion(params.argument.value))


@on(types.SetLevelRequest)
async def set_level(params):
    return types.EmptyResult()


@on(types.SubscribeRequest)
async def subscribe(params):
    SUBSCRIBED.add((id(server.request_context.session), str(params.uri)))
    return types.EmptyResult()


@on(types.UnsubscribeRequest)
async def unsubscribe(params):
    SUBSCRIBED.discard((id(server.request_context.session), str(params.uri)))
    return types.EmptyResult()


def plain(model):
    return parts.said(model.model_dump(mode="json", by_alias=True, exclude_none=True))


@on(types.CallToolRequest)
async def call(params):
    name, args, ctx = params.name, params.arguments or {}, server.request_context
    session, request = ctx.session, ctx.request_id
    answer = parts.simple(name, args)
    if name == "steps":
        token = ctx.meta.progressToken if ctx.meta else None
        for step in range(1, args["count"] + 1):
            if token is not None:
                await session.send_progress_notification(
                    token, step, args["count"], f"step {step}", related_request_id=str(request)
                )
                await anyio.sleep(parts.PAUSE)
        answer = parts.text(f"{args['count']} steps")
    elif name == "wait":
        known = parts.wait(args["key"])
        known["begun"] += 1
        try:
            await anyio.sleep(20)
        except anyio.get_cancelled_exc_class():
            known["cancelled"] += 1
            raise
        answer = parts.text("waited")
    elif name == "log":
        await session.send_log_message("debug", "a small thing", "tests", related_request_id=request)
        big = {"what": "a big thing", "at": 1.5}
        await session.send_log_message("warning", big, "tests", related_request_id=request)
        answer = parts.text("logged")
    elif name == "sample":
        asked = types.CreateMessageRequestParams.model_validate(parts.sampling(args["prompt"]))
        answer = plain(
            await session.create_message(asked.messages, max_tokens=asked.maxTokens, related_request_id=request)
        )
    elif name == "ask":
        answer = plain(await session.elicit_form(args["question"], parts.QUESTION, related_request_id=request))
    elif name == "roots":
        answer = plain(await session.list_roots())
    elif name == "touch":
        if (id(session), args["uri"]) in SUBSCRIBED:
            await session.send_resource_updated(args["uri"])
        answer = parts.text("touched")
    elif name == "grow":
        await session.send_tool_list_changed()
        answer = parts.text("grown")
    if answer is None:
        raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message=f"no tool {name}"))
    return types.CallToolResult.model_validate(answer)


capabilities = server.get_capabilities


def all_capabilities(options, experimental):
    able = capabilities(NotificationOptions(tools_changed=True, resources_changed=True, prompts_changed=True), experimental)
    able.resources.subscribe = True
    return able


server.get_capabilities = all_capabilities
manager = StreamableHTTPSessionManager(server)


async def app(scope, receive, send):
    """The one address, and the manager's life as long as the program's."""
    if scope["type"] == "http":
        return await manager.handle_request(scope, receive, send)
    if scope["type"] == "lifespan":
        await receive()
        async with manager.run():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
