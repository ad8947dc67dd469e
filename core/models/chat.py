"""Prompts for a model on this machine: the words of a case in the form that the model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from core.llm.wire import Messages, without_system


class Chat:
    """Makes tokens of messages, and text of tokens. `thinks`: the model may think aloud before it answers."""

    def __init__(self, tokenizer: Any, *, thinks: bool) -> None:
        self._tokenizer = tokenizer
        self._thinks = thinks
        # Longest first: what is taken apart must not hold another mark.
        self._marks = sorted(filter(None, tokenizer.all_special_tokens), key=len, reverse=True)

    def prompt(self, messages: Messages) -> list[int]:
        """The tokens after which the answer begins, by the model's chat template; plain text where it has none."""
        harmless = [{**message, "content": self._harmless(message["content"])} for message in messages]
        if self._tokenizer.chat_template is None:
            text = "\n\n".join([*(message["content"] for message in harmless), "Answer:"])
            return list(self._tokenizer(text)["input_ids"])
        try:
            text = self._rendered(harmless)
        except TemplateError:  # some templates refuse a system message
            text = self._rendered(without_system(harmless))
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: list[int]) -> str:
        """What the tokens say, without the marks of the template."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def label_tokens(self, labels: Sequence[str]) -> list[list[int]]:
        """The tokens of each label as an answer. With its end, if one label is the beginning of another."""
        gap = " " if self._tokenizer.chat_template is None else ""
        ids = [list(self._tokenizer(gap + label, add_special_tokens=False)["input_ids"]) for label in labels]
        inside = any(a != b and b[: len(a)] == a for a in ids for b in ids)
        return [[*each, self._tokenizer.eos_token_id] for each in ids] if inside else ids

    def _rendered(self, messages: Messages) -> str:
        # Templates take no notice of a name that they do not know.
        return str(
            self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=self._thinks
            )
        )

    def _harmless(self, text: str) -> str:
        """`text` with the marks of the template taken apart: a case must not end its message and begin another."""
        for mark in self._marks:
            text = text.replace(mark, f"{mark[0]} {mark[1:]}")
        return text
