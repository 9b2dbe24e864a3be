"""A server for the suite's server scenarios, on the Python SDK 2.x: what each scenario's description asks for, in both eras.

usage: everything.py PORT
"""

import json
import re
import sys
import warnings

import anyio
import mcp_types as types
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import PromptsListChanged, ToolsListChanged

warnings.simplefilter("ignore")
BUS = InMemorySubscriptionBus()
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="


def text(value):
    return {"type": "text", "text": value}


def image():
    return {"type": "image", "data": PNG, "mimeType": "image/png"}


def embedded(uri, kind, value):
    return {"type": "resource", "resource": {"uri": uri, "mimeType": kind, "text": value}}


def form(message, **properties):
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"method": "elicitation/create", "params": {"mode": "form", "message": message, "requestedSchema": schema}}


def sampling(prompt, limit):
    message = {"role": "user", "content": text(prompt)}
    return {"method": "sampling/createMessage", "params": {"messages": [message], "maxTokens": limit}}


STRING = {"type": "string"}
ROOTS = {"method": "roots/list", "params": {}}
PLAIN = {
    "test_simple_text": [text("This is a simple text response for testing.")],
    "test_image_content": [image()],
    "test_audio_content": [{"type": "audio", "data": WAV, "mimeType": "audio/wav"}],
    "test_embedded_resource": [
        embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ],
    "test_multiple_content_types": [
        text("Multiple content types test:"),
        image(),
        embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
    ],
    "json_schema_2020_12_tool": [text("It takes what its schema says.")],
    "test_x_mcp_header": [text("The headers were taken.")],
}
DEFAULTS = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}


def titled(stem, of):
    names = ["First", "Second", "Third"]
    return [{"const": f"{stem}{number}", "title": f"{name} {of}"} for number, name in enumerate(names, 1)]


OPTIONS = ["option1", "option2", "option3"]
ENUMS = {
    "untitledSingle": {"type": "string", "enum": OPTIONS},
    "titledSingle": {"type": "string", "oneOf": titled("value", "Option")},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": OPTIONS}},
    "titledMulti": {"type": "array", "items": {"anyOf": titled("value", "Choice")}},
}
# What a tool asks for in its first round (2026-07-28), and the state that goes with it.
ROUNDS = {
    "test_input_required_result_elicitation": ({"user_name": form("What is your name?", name=STRING)}, None),
    "test_input_required_result_sampling": ({"capital_question": sampling("What is the capital of France?", 100)}, None),
    "test_input_required_result_list_roots": ({"client_roots": ROOTS}, None),
    "test_input_required_result_request_state": ({"confirm": form("Please confirm", ok={"type": "boolean"})}, "asked"),
    "test_input_required_result_tampered_state": ({"confirm": form("Please confirm", ok={"type": "boolean"})}, "asked"),
    "test_input_required_result_multiple_inputs": (
        {
            "user_name": form("What is your name?", name=STRING),
            "greeting": sampling("Generate a greeting", 50),
            "client_roots": ROOTS,
        },
        "asked",
    ),
    "test_input_required_result_multi_round": ({"step1": form("Step 1: What is your name?", name=STRING)}, "one"),
    "test_input_required_result_prompt": (
        {"user_context": form("What context should the prompt use?", context=STRING)},
        None,
    ),
}
# What it asks for, by what the client must have said that it can do.
ABILITIES = {"elicitation": ("name", form("A name?", name=STRING)), "sampling": ("word", sampling("A word?", 10))}


def schema(properties=None, required=()):
    return {"type": "object", "properties": properties or {}, **({"required": list(required)} if required else {})}


ARGUMENTS = {
    "test_sampling": schema({"prompt": STRING}, ["prompt"]),
    "test_elicitation": schema({"message": STRING}, ["message"]),
    "test_x_mcp_header": schema({"region": {**STRING, "x-mcp-header": "Region"}, "note": STRING}, ["region"]),
    "json_schema_2020_12_tool": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": STRING, "city": STRING},
            }
        },
        "properties": {
            "name": STRING,
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": STRING,
            "email": STRING,
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
}
TOOLS = [
    *PLAIN,
    *(name for name in ROUNDS if not name.endswith("_prompt")),
    "test_tool_with_logging",
    "test_tool_with_progress",
    "test_error_handling",
    "test_sampling",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_input_required_result_capabilities",
    "test_missing_capability",
    "test_logging_tool",
    "test_trigger_tool_change",
    "test_trigger_prompt_change",
    "test_streaming_elicitation",
]
ARGS = [{"name": name, "description": "a text", "required": True} for name in ("arg1", "arg2")]
PROMPTS = [
    {"name": "test_simple_prompt", "description": "A simple one"},
    {"name": "test_prompt_with_arguments", "description": "With two arguments", "arguments": ARGS},
    {
        "name": "test_prompt_with_embedded_resource",
        "description": "With a resource",
        "arguments": [{"name": "resourceUri", "description": "which", "required": True}],
    },
    {"name": "test_prompt_with_image", "description": "With an image"},
    {"name": "test_input_required_result_prompt", "description": "Asks first"},
]
RESOURCES = {
    "test://static-text": ("text/plain", {"text": "This is the content of the static text resource."}),
    "test://static-binary": ("image/png", {"blob": PNG}),
    "test://watched-resource": ("text/plain", {"text": "It is watched."}),
}


def modern(ctx):
    return ctx.protocol_version >= "2026"


def answers(params):
    return {
        key: value.model_dump(mode="json", by_alias=True, exclude_none=True)
        for key, value in (params.input_responses or {}).items()
    }


def rounds(name, params):
    """The answer that asks for input; None once everything was answered."""
    asked, state = ROUNDS[name]
    given = answers(params)
    if name.endswith("_multi_round") and params.request_state == "one" and "step1" in given:
        asked, state = {"step2": form("Step 2: What is your favorite color?", color=STRING)}, "two"
    if name.endswith("_multi_round") and params.request_state == "two" and "step2" in given:
        return None
    if all(key in given for key in asked) and (state is None or params.request_state == state):
        return None
    return types.InputRequiredResult.model_validate({"inputRequests": asked, **({"requestState": state} if state else {})})


async def list_tools(ctx, params):
    tools = [{"name": name, "description": f"{name} of the suite", "inputSchema": ARGUMENTS.get(name, schema())} for name in TOOLS]
    return types.ListToolsResult.model_validate({"tools": tools})


async def list_prompts(ctx, params):
    return types.ListPromptsResult.model_validate({"prompts": PROMPTS})


async def list_resources(ctx, params):
    found = [{"uri": uri, "name": uri[7:], "mimeType": kind} for uri, (kind, _) in RESOURCES.items()]
    return types.ListResourcesResult.model_validate({"resources": found})


async def list_templates(ctx, params):
    template = {"uriTemplate": "test://template/{id}/data", "name": "template", "mimeType": "application/json"}
    return types.ListResourceTemplatesResult.model_validate({"resourceTemplates": [template]})


async def read(ctx, params):
    uri = str(params.uri)
    kind, value = RESOURCES.get(uri, ("application/json", None))
    if found := re.fullmatch(r"test://template/(\w+)/data", uri):
        data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        value = {"text": json.dumps(data, separators=(",", ":"))}
    if value is None:
        raise MCPError(types.INVALID_PARAMS if modern(ctx) else -32002, "Resource not found", {"uri": uri})
    return types.ReadResourceResult.model_validate({"contents": [{"uri": uri, "mimeType": kind, **value}]})


async def get_prompt(ctx, params):
    name, given = params.name, params.arguments or {}
    if name in ROUNDS:
        if (asking := rounds(name, params)) is not None:
            return asking
        content = [text(f"In the context of {answers(params)['user_context']}.")]
    elif name == "test_simple_prompt":
        content = [text("This is a simple prompt for testing.")]
    elif name == "test_prompt_with_arguments":
        content = [text(f"Prompt with arguments: arg1='{given.get('arg1')}', arg2='{given.get('arg2')}'")]
    elif name == "test_prompt_with_embedded_resource":
        resource = embedded(given.get("resourceUri", ""), "text/plain", "Embedded resource content for testing.")
        content = [resource, text("Please process the embedded resource above.")]
    elif name == "test_prompt_with_image":
        content = [image(), text("Please analyze the image above.")]
    else:
        raise MCPError(types.INVALID_PARAMS, f"no prompt {name}")
    return types.GetPromptResult.model_validate({"messages": [{"role": "user", "content": one} for one in content]})


async def elicited(ctx, message, properties, required):
    wanted = {"type": "object", "properties": properties, "required": required}
    said = await ctx.session.elicit_form(message, wanted, related_request_id=ctx.request_id)
    return said.action, json.dumps(said.content or {})


async def call(ctx, params):
    name, given, session = params.name, params.arguments or {}, ctx.session
    content = PLAIN.get(name)
    if name in ROUNDS and name in TOOLS:
        if (asking := rounds(name, params)) is not None:
            return asking
        content = [text(f"state-ok Hello, {json.dumps(answers(params))}!")]
    elif name == "test_error_handling":
        content = [text("This tool intentionally returns an error for testing")]
        return types.CallToolResult.model_validate({"content": content, "isError": True})
    elif name == "test_tool_with_logging":
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await session.send_log_message("info", line, related_request_id=ctx.request_id)
            await anyio.sleep(0.05)
        content = [text("It logged three lines.")]
    elif name == "test_logging_tool":
        for level in ("debug", "info", "error"):
            await session.send_log_message(level, f"one of level {level}", related_request_id=ctx.request_id)
        content = [text("It logged.")]
    elif name == "test_tool_with_progress":
        for step in (0, 50, 100):
            await session.report_progress(step, 100)
            await anyio.sleep(0.05)
        content = [text("It told its progress.")]
    elif name == "test_sampling":
        asked = types.CreateMessageRequestParams.model_validate(sampling(given.get("prompt", ""), 100)["params"])
        said = await session.create_message(asked.messages, max_tokens=100, related_request_id=ctx.request_id)
        content = [text(f"LLM response: {getattr(said.content, 'text', said.content)}")]
    elif name == "test_elicitation":
        wanted = {"username": {"type": "string", "description": "User's response"}}
        wanted["email"] = {"type": "string", "description": "User's email address"}
        action, said = await elicited(ctx, given.get("message", ""), wanted, list(wanted))
        content = [text(f"User response: action: {action}, content: {said}")]
    elif name in ("test_elicitation_sep1034_defaults", "test_elicitation_sep1330_enums"):
        wanted = DEFAULTS if name.endswith("defaults") else ENUMS
        action, said = await elicited(ctx, "Please fill this in", wanted, [])
        content = [text(f"Elicitation completed: action={action}, content={said}")]
    elif name == "test_input_required_result_capabilities":
        able = session.client_capabilities
        asked = {key: ask for ability, (key, ask) in ABILITIES.items() if getattr(able, ability, None) is not None}
        if asked and not set(asked) <= set(answers(params)):
            return types.InputRequiredResult.model_validate({"inputRequests": asked, "requestState": "asked"})
        content = [text("It asked for what the client can do.")]
    elif name == "test_missing_capability":
        if getattr(session.client_capabilities, "sampling", None) is None:
            needed = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "it needs sampling", needed)
        content = [text("The client can do it.")]
    elif name == "test_trigger_tool_change":
        await BUS.publish(ToolsListChanged())
        content = [text("told")]
    elif name == "test_trigger_prompt_change":
        await BUS.publish(PromptsListChanged())
        content = [text("told")]
    elif name == "test_streaming_elicitation":
        if "name" not in answers(params):
            await session.report_progress(1, 2)
            asked = {"name": form("A name?", name=STRING)}
            return types.InputRequiredResult.model_validate({"inputRequests": asked})
        content = [text("streamed")]
    if content is None:
        raise MCPError(types.INVALID_PARAMS, f"no tool {name}")
    return types.CallToolResult.model_validate({"content": content})


async def complete(ctx, params):
    values = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    found = {"values": values, "total": len(values), "hasMore": False}
    return types.CompleteResult.model_validate({"completion": found})


async def nothing(ctx, params):
    return types.EmptyResult()


def input_schema(name):
    return ARGUMENTS.get(name, schema()) if name in TOOLS else None


server = Server(
    "everything",
    version="1.0.0",
    get_tool_input_schema=input_schema,
    on_list_tools=list_tools,
    on_call_tool=call,
    on_list_resources=list_resources,
    on_list_resource_templates=list_templates,
    on_read_resource=read,
    on_subscribe_resource=nothing,
    on_unsubscribe_resource=nothing,
    on_subscriptions_listen=ListenHandler(BUS),
    on_list_prompts=list_prompts,
    on_get_prompt=get_prompt,
    on_completion=complete,
    on_set_logging_level=nothing,
)
server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience="everything"))
uvicorn.run(server.streamable_http_app(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
