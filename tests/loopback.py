"""An OpenAI-compatible server on loopback that does as it is told: answers well, or fails in each known way.

In a test, `async with Loopback() as server` in the same event loop; for measurements, a process of its own:
`python -m tests.loopback --port 0 --latency 0.5` prints its base URL and serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import web

from core.config.project import parse_task, template
from core.curriculum.cell import Cell
from core.generation.procedural.source import write_example
from core.generation.source import Request

Body = dict[str, Any]


@dataclass(frozen=True)
class Reaction:
    """What the server does with one request. `content` None: it writes an answer that satisfies the request."""

    status: int = 200
    content: str | None = None
    around: tuple[str, str] = ("", "")
    finish: str = "stop"
    refusal: str | None = None
    reasoning: str | None = None
    usage: bool = True
    error: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    reset: bool = False


OK = Reaction()
NO_USAGE = Reaction(usage=False)
REFUSAL = Reaction(content="", refusal="I cannot help with that.")
FILTERED = Reaction(content="", finish="content_filter")
TRUNCATED = Reaction(content='{"hypothesis": "It wor', finish="length")
INVALID_JSON = Reaction(content="Well, I would say that it depends.")
SCHEMA_VIOLATION = Reaction(content='{"hypothesis": "Only this.", "confidence": 3}')
EMPTY = Reaction(content="")
FENCED = Reaction(around=("Here it is:\n```json\n", "\n```\nGood luck!"))
IN_PROSE = Reaction(around=("The set {a, b} aside, my answer is ", " and that is {all}."))
THINK_BOTH = Reaction(around=('<think>Perhaps {"a": 1}?</think>\n', ""))
THINK_CLOSING = Reaction(around=("Let me see ... yes.</think>\n\n", ""))
THINK_OPENING = Reaction(content="<think>I wonder whether")
THINK_FIELD = Reaction(reasoning="I thought about it.")
HANG = Reaction(hang_s=60.0)
RESET = Reaction(reset=True)
NOT_A_COMPLETION = Reaction(status=200, error="<html>Welcome to nginx</html>")


def failure(status: int, message: str, code: str | None = None, param: str | None = None, **headers: str) -> Reaction:
    """A fault in OpenAI's form; `headers` with _ for -."""
    error = {"error": {"message": message, "type": "error", "code": code, "param": param}}
    return Reaction(status=status, error=error, headers={name.replace("_", "-"): v for name, v in headers.items()})


NO_QUOTA = failure(429, "You exceeded your current quota, please check your plan.", "insufficient_quota")
BAD_KEY = failure(401, "Incorrect API key provided: sk-secret-1234567890.", "invalid_api_key")
NO_MODEL = failure(404, "The model `nothing` does not exist", "model_not_found")
SERVER_ERROR = failure(500, "The server had an error while processing your request.")
OVERLOADED = failure(503, "Overloaded")
NO_TEMPERATURE = failure(
    400, "Unsupported value: 'temperature' does not support 0.7 with this model.", None, "temperature"
)
TOO_LONG = failure(400, "This model's maximum context length is 4096 tokens.", "context_length_exceeded")


def limited(retry_after: str | None = None) -> Reaction:
    """A 429, with a Retry-After header or without."""
    headers = {} if retry_after is None else {"Retry_After": retry_after}
    return failure(429, "Rate limit reached for requests", "rate_limit_exceeded", None, **headers)


def always(_body: Body) -> Reaction:
    """Answers everything well."""
    return OK


def mode_of(body: Body) -> str:
    """How structured output was asked for, in the names of `core.llm.capabilities.Mode`."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return "strict" if wanted["json_schema"].get("strict") else "schema"
    if wanted.get("type") == "json_object":
        return "object_schema" if "schema" in wanted else "object"
    return "prompt"


def supporting(*modes: str, ignoring: Iterable[str] = ()) -> Callable[[Body], Reaction]:
    """A server that knows these modes, takes those of `ignoring` and forgets them, and refuses the others."""
    ignored = frozenset(ignoring)

    def react(body: Body) -> Reaction:
        mode = mode_of(body)
        if mode in modes:
            return OK
        if mode in ignored:
            return Reaction(content="A heron is grey, an egret is white.")
        return failure(400, f"Invalid value for 'response_format': {mode} is not supported", None, "response_format")

    return react


def is_probe(body: Body) -> bool:
    """Whether a request asks what the server can do."""
    return "two birds that wade" in body["messages"][-1]["content"]


class Loopback:
    """The server. `script` is used up first, one reaction a request (probes apart); then `react` decides.

    `requests` keeps the bodies of what was asked, probes in `probes`; `headers` those of all requests; `most` is the
    greatest number in flight.
    """

    def __init__(
        self,
        script: Iterable[Reaction] = (),
        react: Callable[[Body], Reaction] = always,
        latency_s: float = 0.0,
        keep: bool = True,
    ) -> None:
        self.script = list(script)
        self.react = react
        self.latency_s = latency_s
        self.requests: list[Body] = []
        self.probes: list[Body] = []
        self.keys: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.served = 0
        self.in_flight = 0
        self.most = 0
        self.url = ""
        self._keep = keep
        self._writer = Writer()
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/{other:.*}", self._refuse)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Loopback:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _refuse(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        return web.Response(status=404)

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        due = loop.time() + self.latency_s
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            reaction, response = self._react(request, json.loads(await request.read()))
            # What the answer took to write is part of the latency, as it is with a real model.
            await asyncio.sleep(reaction.hang_s or max(0.0, due - loop.time()))
            if reaction.reset and request.transport is not None:
                request.transport.abort()
            return response
        finally:
            self.in_flight -= 1

    def _react(self, request: web.Request, body: Body) -> tuple[Reaction, web.Response]:
        self.served += 1
        probe = is_probe(body)
        if self._keep:
            (self.probes if probe else self.requests).append(body)
            self.keys.append(request.headers.get("Authorization", ""))
            self.headers.append(dict(request.headers))
        reaction = self.script.pop(0) if self.script and not probe else self.react(body)
        if reaction.error is not None:
            if isinstance(reaction.error, str):
                return reaction, web.Response(status=reaction.status, text=reaction.error, content_type="text/html")
            return reaction, web.json_response(reaction.error, status=reaction.status, headers=reaction.headers)
        return reaction, web.json_response(self._completion(body, reaction), headers=reaction.headers)

    def _completion(self, body: Body, reaction: Reaction) -> Body:
        content = reaction.content
        if content is None:
            content = reaction.around[0] + self._writer.answer(body) + reaction.around[1]
        message: Body = {"role": "assistant", "content": content, "refusal": reaction.refusal}
        if reaction.reasoning is not None:
            message["reasoning_content"] = reaction.reasoning
        completion: Body = {
            "id": f"chatcmpl-{self.served}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reaction.finish}],
        }
        if reaction.usage:
            asked = sum(len(one["content"]) for one in body["messages"]) // 4
            told = len(content) // 4 + 1
            completion["usage"] = {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}
        return completion


class Writer:
    """Writes answers that satisfy what was asked: examples from the procedural source, verdicts that approve."""

    def __init__(self) -> None:
        self._task = parse_task(template())
        self._numbers = count()
        self._decided: dict[str, tuple[str, float]] = {}

    def answer(self, body: Body) -> str:
        """The answer to `body` as JSON. Without a schema in it, an empty object."""
        schema = schema_of(body)
        fields = schema.get("properties", {})
        user = body["messages"][-1]["content"]
        if "hypothesis" in fields:
            made = self._example(user)
        elif fields.keys() == {"reasoning", "decision", "confidence"}:
            made = self._blind(user, fields["decision"].get("enum") or ["?"])
        else:
            made = filled(schema)
        return json.dumps(made)

    def _example(self, prompt: str) -> Body:
        found = {name: re.search(rf"^{name}: (\S+)", prompt, re.MULTILINE) for name in ("Domain", "Level", "Decision")}
        named = {name: match.group(1) for name, match in found.items() if match}
        cell = Cell(named.get("Domain", "market"), int(named.get("Level", "1")), named.get("Decision", "VALIDATED"))
        candidate = write_example(self._task, Request(cell, next(self._numbers), 0, 0, 7)).candidate
        assert candidate is not None
        made = candidate.model_dump(mode="json")
        self._decided[_case(made)] = (candidate.decision, candidate.confidence)
        return made

    def _blind(self, prompt: str, labels: list[str]) -> Body:
        data = re.search(r"<data>\n(.*)\n</data>", prompt)
        decision, confidence = self._decided.get(_case(json.loads(data.group(1))) if data else "", (labels[0], 0.9))
        return {"reasoning": "The evidence says so.", "decision": decision, "confidence": confidence}


def _case(made: Body) -> str:
    return json.dumps([made["hypothesis"], [[one["source"], one["content"]] for one in made["evidence"]]])


def schema_of(body: Body) -> Body:
    """The JSON schema that a request asks for, wherever it stands; empty if nowhere."""
    wanted: Body = body.get("response_format") or {}
    schema = (wanted.get("json_schema") or wanted).get("schema")
    if schema is not None:
        return dict(schema)
    content = body["messages"][-1]["content"]
    start = content.rfind("\n{")
    return dict(json.loads(content[start:])) if start >= 0 and "JSON schema" in content else {}


def filled(schema: Body) -> Any:
    """The plainest value that satisfies a schema."""
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: filled(child) for name, child in schema["properties"].items()}
        case "array":
            return [filled(schema["items"])]
        case "number" | "integer":
            return 1
        case "boolean":
            return True
        case _:
            return "A few words."


def main() -> None:
    """Serve until the process is ended; prints the base URL first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--limit-after", type=int, default=0, help="answer 429 when more than this many are in flight")
    options = parser.parse_args()
    server = Loopback(latency_s=options.latency, keep=False)
    if options.limit_after:
        server.react = lambda _body: limited() if server.in_flight > options.limit_after else OK

    async def serve() -> None:
        await server.start(options.port)
        print(server.url, flush=True)  # noqa: T201
        await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())


if __name__ == "__main__":
    main()
