"""Checks whether the endpoints of a project can be reached; only on request."""

from __future__ import annotations

import asyncio
import time

from core.config.task import EndpointSettings, Task
from core.doctor.finding import CheckResult, CheckState
from core.llm.connection import connect_endpoint

_PATIENCE_S = 10.0
_NO_KEY = "name the environment variable that holds its key in key_env"


async def check_endpoints(task: Task) -> list[CheckResult]:
    """Check each endpoint by asking for its list of models, which costs nothing."""
    return list(await asyncio.gather(*(_check_endpoint(name, model) for name, model in task.models.items())))


async def _check_endpoint(name: str, model: EndpointSettings) -> CheckResult:
    from openai import APIConnectionError, APIStatusError

    client = connect_endpoint(model, timeout_s=_PATIENCE_S, connect_s=_PATIENCE_S)
    started = time.perf_counter()
    title = f"endpoint {name}"
    try:
        response = await client.models.list()
    except APIStatusError as error:
        found = f"{model.base_url} is there, and answers {error.status_code}"
        if error.status_code in {401, 403}:
            advice = f"set {model.key_env} to a key that it takes" if model.key_env else _NO_KEY
            return CheckResult(title, CheckState.MISSING, found, advice)
        return CheckResult(title, CheckState.NOTE, found, "`sidequest models check` asks it for an answer")
    except APIConnectionError as error:
        return CheckResult(
            title,
            CheckState.MISSING,
            f"{model.base_url} is not reachable: {error.__cause__ or error}",
            "start it, or mend base_url",
        )
    finally:
        await client.close()
    names = [listed.id for listed in response.data]
    speed = f"answers in {time.perf_counter() - started:.1f} s"
    if names and model.model not in names:
        return CheckResult(
            title, CheckState.NOTE, f"{speed}, and does not list {model.model}", f"it has {', '.join(names[:5])}"
        )
    return CheckResult(title, CheckState.OK, f"{model.base_url} {speed}")
