"""Formats prompts for a model on this machine as the model was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from core.llm.wire import Messages, without_system

# Words that no template writes of its own accord.
_PROBE = "sidequest-system-probe"


class Chat:
    """Turns messages into tokens, and tokens into text. `thinks`: the model may think aloud before it answers."""

    def __init__(self, tokenizer: Any, *, thinks: bool) -> None:
        self._tokenizer = tokenizer
        self._thinks = thinks
        # Whether the template keeps the system messages, by the roles of the messages.
        self._keeps: dict[tuple[str, ...], bool] = {}
        # Longest first: a token that was broken up must not hold another one.
        self._special_tokens = sorted(filter(None, tokenizer.all_special_tokens), key=len, reverse=True)

    def prompt(self, messages: Messages) -> list[int]:
        """The tokens of a prompt up to where the answer begins: by the model's chat template, else as plain text."""
        harmless = [{**message, "content": self._defused(message["content"])} for message in messages]
        if self._tokenizer.chat_template is None:
            text = "\n\n".join([*(message["content"] for message in harmless), "Answer:"])
            return list(self._tokenizer(text)["input_ids"])
        text = self._apply_template(harmless if self._keeps_system(harmless) else without_system(harmless))
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, ids: list[int]) -> str:
        """The text of the tokens, without special tokens."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def label_tokens(self, labels: Sequence[str]) -> list[list[int]]:
        """The tokens of each label as an answer; with the end token if one label is the beginning of another."""
        gap = " " if self._tokenizer.chat_template is None else ""
        ids = [list(self._tokenizer(gap + label, add_special_tokens=False)["input_ids"]) for label in labels]
        is_prefix = any(a != b and b[: len(a)] == a for a in ids for b in ids)
        return [[*tokens, self._tokenizer.eos_token_id] for tokens in ids] if is_prefix else ids

    def _keeps_system(self, messages: Messages) -> bool:
        """Whether the template writes the words of every system message; some refuse them, others drop them.

        Renders a probe for each order of roles: a template may keep a system message only where it comes first.
        """
        roles = tuple(message["role"] for message in messages)
        if "system" not in roles:
            return True
        if roles not in self._keeps:
            # A mark for each message: one that is left out must not be taken for another.
            marks = [f"{_PROBE}-{position}." for position in range(len(roles))]
            probe = [{**message, "content": mark} for message, mark in zip(messages, marks, strict=True)]
            try:
                text = self._apply_template(probe)
            except TemplateError:
                text = ""
            self._keeps[roles] = all(mark in text for mark, role in zip(marks, roles, strict=True) if role == "system")
        return self._keeps[roles]

    def _apply_template(self, messages: Messages) -> str:
        # Templates ignore an option that they do not know.
        return str(
            self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, enable_thinking=self._thinks
            )
        )

    def _defused(self, text: str) -> str:
        return break_up_tokens(text, self._special_tokens)


def break_up_tokens(text: str, special_tokens: Sequence[str]) -> str:
    """`text` with special tokens (the longest first) broken up: a case must not end its message and begin another."""
    for token in special_tokens:
        text = text.replace(token, f"{token[0]} {token[1:]}")
    return text
