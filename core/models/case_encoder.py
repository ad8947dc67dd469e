"""Turns cases into tokens for a classifier; a long case loses its least relevant pieces of evidence first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.llm.wire import Messages
from core.models.chat import break_up_tokens
from storage.schema import Evidence

# The form in which an encoder reads a case: evidence and hypothesis as a pair, as premise and hypothesis in NLI.
_PAIR_VERSION = "pair-1"
_WORD = re.compile(r"\w+")
# Shorter words say little of what a text is about.
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class EncodedCase:
    """A case as tokens, with their types for models that have any. `dropped` pieces were left out, and of the last
    piece that stayed the end too, if it was `cut`."""

    ids: list[int]
    token_types: list[int] = field(default_factory=list)
    dropped: int = 0
    cut: bool = False


class CaseEncoder:
    """Encodes cases in at most `limit` tokens, the special ones included.

    An encoder reads a pair, evidence and hypothesis, with its own separators. A decoder reads the text of `messages`.
    """

    def __init__(
        self, tokenizer: Any, messages: Callable[[str, Sequence[Evidence]], Messages], version: str, limit: int
    ) -> None:
        self._tokenizer, self._messages, self._limit = tokenizer, messages, limit
        self._is_pair = tokenizer.cls_token_id is not None and tokenizer.sep_token_id is not None
        self.version = _PAIR_VERSION if self._is_pair else version
        self._has_types = "token_type_ids" in tokenizer.model_input_names
        self._special_tokens = sorted(filter(None, tokenizer.all_special_tokens), key=len, reverse=True)

    def encode(self, hypothesis: str, evidence: Sequence[Evidence]) -> EncodedCase:
        """The tokens of a case. Raises PromptError if the template fails on it."""
        pieces = list(evidence)
        encoded = self._tokens(hypothesis, pieces)
        for piece in order_to_drop(hypothesis, evidence)[:-1]:
            if len(encoded.ids) <= self._limit:
                break
            pieces.remove(piece)
            encoded = self._tokens(hypothesis, pieces)
        dropped = len(evidence) - len(pieces)
        if len(encoded.ids) > self._limit:
            cut = self._tokens(hypothesis, pieces, truncation=True)
            return EncodedCase(cut.ids, cut.token_types, dropped, cut=True)
        return EncodedCase(encoded.ids, encoded.token_types, dropped)

    def _tokens(self, hypothesis: str, pieces: Sequence[Evidence], *, truncation: bool = False) -> EncodedCase:
        limits: dict[str, Any] = {"truncation": True, "max_length": self._limit} if truncation else {"verbose": False}
        if self._is_pair:
            text = "\n".join(f"{piece.source}: {piece.content}" for piece in pieces)
            encoded = self._tokenizer(self._defused(text), self._defused(hypothesis), **limits)
        else:
            contents = [message["content"] for message in self._messages(hypothesis, pieces)]
            encoded = self._tokenizer(self._defused("\n\n".join(contents)), **limits)
        types = list(encoded["token_type_ids"]) if self._has_types else []
        return EncodedCase(list(encoded["input_ids"]), types)

    def _defused(self, text: str) -> str:
        return break_up_tokens(text, self._special_tokens)


def order_to_drop(hypothesis: str, evidence: Sequence[Evidence]) -> list[Evidence]:
    """The pieces in the order in which they are left out, the least relevant first, the last of equals first.

    By their relevance, unless that is the same for all, as it is for a case that nobody has rated; then by how many
    of the hypothesis' words they have.
    """
    is_rated = len({piece.relevance for piece in evidence}) > 1
    words = _words(hypothesis)

    def relevance(piece: Evidence) -> float:
        return piece.relevance if is_rated else float(len(words & _words(f"{piece.source} {piece.content}")))

    last_first = list(evidence)[::-1]
    return sorted(last_first, key=relevance)


def _words(text: str) -> set[str]:
    return {word for word in _WORD.findall(text.casefold()) if len(word) >= _SHORTEST}
