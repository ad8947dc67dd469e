"""`[import.NAME]` of the project file: JMESPath expressions that find each field of an example in a foreign record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from jmespath.parser import ParsedResult

EXPRESSIONS = (
    "hypothesis",
    "evidence",
    "content",
    "source",
    "relevance",
    "decision",
    "family",
    "domain",
    "level",
    "confidence",
    "reasoning",
    "split",
)
DefaultField = Literal[
    "source", "relevance", "decision", "family", "domain", "level", "confidence", "reasoning", "split"
]


class Mapping(BaseModel):
    """`[import.NAME]` of the project file, or a TOML file of its own: where to find each field of an example.

    Every expression but `records` is applied to one record; `content`, `source` and `relevance` to each piece of its
    evidence, where the pieces are objects. `defaults` are used where an expression is missing or finds nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    records: str = Field(default="", description="JSON only: where the list is; without it, the document is the list.")
    hypothesis: str = Field(min_length=1, description="The claim.")
    evidence: str = Field(min_length=1, description="A text, a list of texts, or a list of objects.")
    content: str = Field(default="", description="In a piece of evidence that is an object: its text.")
    source: str = Field(default="", description="In such a piece: where it comes from.")
    relevance: str = Field(default="", description="In such a piece: how much it bears on the hypothesis, 0 to 1.")
    decision: str = Field(min_length=1, description="The label.")
    family: str = Field(default="", description="What examples of one hypothesis share; they stay in one split.")
    domain: str = Field(default="", description="The domain, by its name in the project.")
    level: str = Field(default="", description="The number of the level.")
    confidence: str = Field(default="", description="How sure the label is, 0 to 1.")
    reasoning: str = Field(default="", description="Why the decision follows.")
    split: str = Field(default="", description="train, dev or test.")
    defaults: dict[DefaultField, str | int | float] = Field(
        default_factory=dict, description="What holds where an expression is missing or finds nothing, by field."
    )
    decisions: dict[str, str] = Field(
        default_factory=dict,
        description="The project's decision for each label of the file; without it, its own names.",
    )

    @model_validator(mode="after")
    def _sound(self) -> Mapping:
        for name in ("records", *EXPRESSIONS):
            compile_expression(getattr(self, name), name)
        return self


def compile_expression(expression: str, name: str) -> ParsedResult | None:
    """The compiled JMESPath `expression`, None if it is empty; raises ValueError that says what is wrong where."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    if not expression:
        return None
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        message = " ".join(str(error).split())
        raise ValueError(f"{name}: {expression!r} is no JMESPath expression: {message}") from None
