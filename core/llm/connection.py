"""The connection to an endpoint, and its key, which goes to no other host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from core.config.task import EndpointSettings, is_openai

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def endpoint_key(model: EndpointSettings) -> str:
    """The key for the endpoint, from the environment; empty if it has none."""
    return os.environ.get(model.key_env, "").strip() if model.key_env else ""


def connect_endpoint(model: EndpointSettings, *, timeout_s: float, connect_s: float) -> AsyncOpenAI:
    """A client that repeats nothing by itself; close it when done."""
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient
    from openai import Timeout as Timeouts

    client = AsyncOpenAI(
        # The library insists on some key, and would take one from the environment.
        api_key=endpoint_key(model) or "none",
        base_url=model.base_url,
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(timeout=Timeouts(timeout_s, connect=connect_s)),
    )
    if not is_openai(model.base_url):
        # The library takes these from the environment, too: OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_CUSTOM_HEADERS.
        client.organization = client.project = None
        client._custom_headers = {}
    return client
