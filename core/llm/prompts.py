"""Prompt templates: the built-in ones, a project's own that replace them, and the version that identifies each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.environment import Template
from jinja2.sandbox import SandboxedEnvironment

from core.llm.wire import Messages
from storage.errors import UserError

# Prompts are plain text for a model: nothing is escaped but what `tojson` writes, which cannot hold a tag.
_ENVIRONMENT = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
_ENVIRONMENT.policies["json.dumps_kwargs"] = {"ensure_ascii": False}


class PromptError(UserError, ValueError):
    """A prompt template cannot be used; the message says which, where and why."""


@dataclass(frozen=True)
class Prompt:
    """A template, and its version: 'generate-1-' and a hash of its text if built in, 'custom-' and the hash if not."""

    path: Path
    version: str
    template: Template

    def messages(self, **values: Any) -> Messages:
        """Render the messages: one per block if the template has blocks `system` and `user`, else one user message.

        Raises PromptError if the template fails on these values.
        """
        try:
            context = self.template.new_context(values)
            parts = {
                role: "".join(self.template.blocks[role](context)).strip()
                for role in ("system", "user")
                if role in self.template.blocks
            }
            if "user" not in parts:
                parts = {"user": self.template.render(values).strip()}
        except TemplateError as error:
            raise PromptError(f"{self.path}: {error.message}") from error
        return [{"role": role, "content": text} for role, text in parts.items()]


def load(builtin: Path, override: Path | None, project_dir: Path, variables: frozenset[str]) -> Prompt:
    """The project's template at `override` (relative to `project_dir`) if it is given, else the built-in one.

    `variables` are those that `messages` will be given. Raises PromptError if the file is missing, is no template, or
    names another variable.
    """
    path = builtin if override is None else project_dir / override
    return parse(read(path), path, variables, name="custom" if override else builtin.stem)


def read(path: Path) -> str:
    """The text of a template. Raises PromptError."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"cannot read the prompt template {path}: {error}") from error


def parse(text: str, path: Path, variables: frozenset[str], *, name: str = "") -> Prompt:
    """The template with this text; `path` is what messages name. Its version is `name` and a hash of the text.

    Raises PromptError if it is no template, or names another variable.
    """
    try:
        unknown = sorted(meta.find_undeclared_variables(_ENVIRONMENT.parse(text)) - variables)
        template = _ENVIRONMENT.from_string(text)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise PromptError(f"{path}{f', line {line}' if line else ''}: {error.message}") from error
    if unknown:
        raise PromptError(f"{path}: no variable {', '.join(unknown)}; there are {', '.join(sorted(variables))}")
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Prompt(path, f"{name or path.stem}-{digest}", template)
