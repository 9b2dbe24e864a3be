"""A server on the Python SDK 2.x: /mcp speaks both eras. usage: py2.py PORT"""

import sys
import warnings

import anyio
import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated, ToolsListChanged

import parts

warnings.simplefilter("ignore")
BUS = InMemorySubscriptionBus()
SUBSCRIBED = set()


def modern(ctx):
    return ctx.protocol_version >= "2026"


async def list_tools(ctx, params):
    return types.ListToolsResult.model_validate({"tools": parts.CATALOG["tools"]})


async def list_resources(ctx, params):
    return types.ListResourcesResult.model_validate(parts.resources(params.cursor if params else None))


async def list_templates(ctx, params):
    return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": parts.CATALOG["templates"]})


async def read(ctx, params):
    found = parts.resource(str(params.uri))
    if found is None:
        raise MCPError(types.INVALID_PARAMS if modern(ctx) else -32002, "no such resource", {"uri": str(params.uri)})
    return types.ReadResourceResult.model_validate(found)


async def list_prompts(ctx, params):
    return types.ListPromptsResult.model_validate({"prompts": parts.CATALOG["prompts"]})


async def get_prompt(ctx, params):
    return types.GetPromptResult.model_validate(parts.prompt(params.name, params.arguments))


async def complete(ctx, params):
    return types.CompleteResult.model_validate(parts.completion(params.argument.value))


async def set_level(ctx, params):
    return types.EmptyResult()


async def subscribe(ctx, params):
    SUBSCRIBED.add((id(ctx.session._connection), str(params.uri)))
    return types.EmptyResult()


async def unsubscribe(ctx, params):
    SUBSCRIBED.discard((id(ctx.session._connection), str(params.uri)))
    return types.EmptyResult()


def plain(model):
    return parts.said(model.model_dump(mode="json", by_alias=True, exclude_none=True))


async def ask(ctx, params, request, older):
    """One question to the client: its own request before 2026-07-28, an answer that asks for input since then."""
    if not modern(ctx):
        return plain(await older())
    answers = params.input_responses or {}
    if "q" not in answers:
        return types.InputRequiredResult(input_requests={"q": request})
    return plain(answers["q"])


async def call(ctx, params):
    name, args, session = params.name, params.arguments or {}, ctx.session
    answer = parts.simple(name, args)
    if name == "steps":
        for step in range(1, args["count"] + 1):
            await session.report_progress(step, args["count"], f"step {step}")
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
        await session.send_log_message("debug", "a small thing", "tests", related_request_id=ctx.request_id)
        big = {"what": "a big thing", "at": 1.5}
        await session.send_log_message("warning", big, "tests", related_request_id=ctx.request_id)
        answer = parts.text("logged")
    elif name == "sample":
        asked = types.CreateMessageRequestParams.model_validate(parts.sampling(args["prompt"]))

        async def older():
            return await session.create_message(
                asked.messages, max_tokens=asked.max_tokens, related_request_id=ctx.request_id
            )

        answer = await ask(ctx, params, types.CreateMessageRequest(params=asked), older)
    elif name == "ask":

        async def older():
            return await session.elicit_form(args["question"], parts.QUESTION, related_request_id=ctx.request_id)

        form = types.ElicitRequestFormParams(message=args["question"], requested_schema=parts.QUESTION)
        answer = await ask(ctx, params, types.ElicitRequest(params=form), older)
    elif name == "roots":
        answer = await ask(ctx, params, types.ListRootsRequest(), session.list_roots)
    elif name == "touch":
        await BUS.publish(ResourceUpdated(uri=args["uri"]))
        if (id(session._connection), args["uri"]) in SUBSCRIBED:
            await session.send_resource_updated(args["uri"])
        answer = parts.text("touched")
    elif name == "grow":
        await BUS.publish(ToolsListChanged())
        if not modern(ctx):
            await session.send_tool_list_changed()
        answer = parts.text("grown")
    if answer is None:
        raise MCPError(types.INVALID_PARAMS, f"no tool {name}")
    return answer if isinstance(answer, types.InputRequiredResult) else types.CallToolResult.model_validate(answer)


server = Server(
    "py2",
    version="1.0.0",
    title="A server of the tests",
    instructions=parts.INSTRUCTIONS,
    on_list_tools=list_tools,
    on_call_tool=call,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read,
    on_subscribe_resource=subscribe,
    on_unsubscribe_resource=unsubscribe,
    on_subscriptions_listen=ListenHandler(BUS),
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_completion=complete,
    on_set_logging_level=set_level,
)
uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
