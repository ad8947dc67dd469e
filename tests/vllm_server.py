"""A server on loopback that speaks what trl's client asks of `vllm serve`, with a tiny real model behind it.

vLLM itself is not here, and neither is NCCL, over which it takes weights: they come as safetensors over HTTP instead.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load
from transformers import AutoModelForCausalLM


class VllmServer:
    """In a context it serves; `completions` counts what was asked, `updates` how often weights came.

    After `gone_after` completions it closes its port in the middle of the next one; with `failing` it answers 500.
    """

    def __init__(self, model: Path, *, gone_after: int = 1_000_000, failing: bool = False, port: int = 0) -> None:
        self.model: Any = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
        self.name = str(model)
        self.completions = self.updates = 0
        self.gone_after, self.failing = gone_after, failing
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(owner.told(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/v1/completions" and owner.completions >= owner.gone_after:
                    threading.Thread(target=owner.close).start()
                    self.connection.close()
                    return
                if owner.failing and self.path == "/v1/completions":
                    self.send_error(400, "the prompt is too long")
                    return
                self.answer(owner.done(self.path, body))

            def answer(self, found: Any) -> None:
                text = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and give the port back."""
        self._server.shutdown()
        self._server.server_close()

    def told(self, path: str) -> Any:
        if path == "/v1/models":
            return {"data": [{"id": self.name}]}
        if path.startswith("/server_info"):
            config = {
                "weight_transfer_config": {"backend": "nccl"},
                "model_config": {"logprobs_mode": "processed_logprobs"},
            }
            return {"vllm_config": config}
        return {"world_size": 1}

    def done(self, path: str, body: bytes) -> Any:
        if path == "/update_weights":
            told = self.model.load_state_dict(load(body), strict=False)
            assert not told.unexpected_keys, told
            self.updates += 1
        if path == "/v1/completions":
            self.completions += 1
            return {"choices": self.written(json.loads(body))}
        return {"success": True}

    @torch.inference_mode()
    def written(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        choices = []
        for prompt in asked["prompt"]:
            for _ in range(asked["n"]):
                ids = list(prompt)
                scores: list[float] = []
                while len(scores) < asked["max_tokens"]:
                    logits = self.model(input_ids=torch.tensor([ids])).logits[0, -1].float() / asked["temperature"]
                    shares = torch.log_softmax(logits, -1)
                    token = int(torch.multinomial(shares.exp(), 1))
                    ids.append(token)
                    scores.append(float(shares[token]))
                    if token == self.model.config.eos_token_id:
                        break
                made = ids[len(prompt) :]
                tokens = [f"token_id:{one}" for one in made]
                top = [{name: value} for name, value in zip(tokens, scores, strict=True)]
                logprobs = {"tokens": tokens, "token_logprobs": scores, "top_logprobs": top}
                choices.append({"prompt_token_ids": prompt, "token_ids": made, "logprobs": logprobs})
        return choices
