"""`[import.NAME]` of the project file: where each field of an example stands in a foreign record, and what it means."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from core.config.expressions import compile_expression
from core.config.ready import ready_mapping

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
# Each table, and each scale, belongs to one expression.
TABLES = {
    "decisions": "decision",
    "domains": "domain",
    "levels": "level",
    "confidences": "confidence",
    "relevances": "relevance",
    "splits": "split",
}
SCALES = {"confidence_scale": "confidence", "relevance_scale": "relevance"}
# Those that a base gives in part: what stands beside `base` is added, and takes the place of the same key.
_MERGED = ("defaults", "join")
_WITHOUT_WIDTH = re.compile("[\u034f\ufe00-\ufe0f]")


def _check_expression(expression: str) -> str:
    compile_expression(expression)
    return expression


def _check_scale(scale: tuple[float, float]) -> tuple[float, float]:
    if not scale[0] < scale[1]:
        raise ValueError(f"the first number is the lower end: [{scale[1]:g}, {scale[0]:g}] is probably meant")
    return scale


Expression = Annotated[str, AfterValidator(_check_expression)]
Share = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[tuple[float, float], AfterValidator(_check_scale)]


class Join(BaseModel):
    """A second file, from which the texts of the evidence come where the records only refer to them."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    file: str = Field(
        min_length=1,
        description='The file, from the folder of the imported one; or several by a pattern, such as "wiki/*.jsonl".',
    )
    records: Expression = Field(default="", description="If it is JSON: where its list is.")
    key: Expression = Field(min_length=1, description="In a record of that file: what it is referred to by.")
    reference: Expression = Field(
        default="@", description="In a piece of evidence, or else in the record: the key of the record that is meant."
    )
    text: Expression = Field(
        min_length=1, description="In a record of that file: its text, or the list of its sentences."
    )
    pick: Expression = Field(
        default="", description="In a piece of evidence: the number of a sentence, or several; without, the whole text."
    )
    first: Literal[0, 1] = Field(default=0, description="The number of the first sentence.")
    source: Expression = Field(
        default="", description="In a record of that file: where it comes from; without, its key."
    )

    @model_validator(mode="after")
    def _coherent(self) -> Join:
        if self.first and not self.pick:
            raise ValueError("first is the number of the first sentence, and the mapping picks none")
        return self


class Mapping(BaseModel):
    """`[import.NAME]` of the project file, or a TOML file of its own: where to find each field of an example.

    Each expression is applied to a record; `content`, `source` and `relevance` to a piece of its evidence, where the
    pieces are objects. `defaults` are used where an expression is missing or finds nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    about: str = Field(default="", description="What it is for, in words of yours.")
    base: str = Field(
        default="",
        description="A ready mapping to start from (`sidequest import --maps`); what stands beside it counts.",
    )
    delimiter: str = Field(
        default="", max_length=1, description="CSV and TSV only: what stands between cells, if not what the name says."
    )
    quote: str = Field(
        default='"', max_length=1, description="CSV and TSV only: what stands around cells; empty: nothing does."
    )
    records: Expression = Field(default="", description="JSON only: where the list is; without it, the document is.")
    each: Expression | list[Expression] = Field(
        default="",
        description="In a record: a list of which each member becomes an example. What is around the member is its "
        "`parent`; several expressions go down step by step, to `parent.parent`.",
    )
    hypothesis: Expression = Field(min_length=1, description="The claim.")
    evidence: Expression = Field(min_length=1, description="A text, a list of texts, or a list of objects.")
    content: Expression = Field(default="", description="In a piece of evidence that is an object: its text.")
    source: Expression = Field(
        default="", description="In such a piece, or in the record if the pieces are texts: where it comes from."
    )
    relevance: Expression = Field(
        default="", description="Looked up as `source` is: how much it bears on the hypothesis, 0 to 1."
    )
    parse_lists: bool = Field(
        default=False, description="Evidence may be a list written as text, such as \"['a', 'b']\" in a cell."
    )
    decision: Expression = Field(min_length=1, description="The label.")
    family: Expression = Field(default="", description="What examples of one hypothesis share; they stay in one split.")
    family_scope: Literal["file", "project"] | None = Field(
        default=None,
        description="file: the families of another file are others, even if they have the same names; project: they "
        "are the same. Unset: file for bare numbers, project for names.",
    )
    domain: Expression = Field(default="", description="The domain, by its name in the project.")
    level: Expression = Field(default="", description="The number of the level.")
    confidence: Expression = Field(default="", description="How sure the label is, 0 to 1.")
    reasoning: Expression = Field(default="", description="Why the decision follows.")
    split: Expression = Field(default="", description="train, dev or test.")
    confidence_scale: Scale | None = Field(
        default=None, description="The ends of the file's own scale: [0, 100] for percent, [1, 5] for five steps."
    )
    relevance_scale: Scale | None = Field(default=None, description="The same for the relevance of a piece.")
    defaults: dict[DefaultField, str | int | float] = Field(
        default_factory=dict, description="What holds where an expression is missing or finds nothing, by field."
    )
    decisions: dict[str, str] = Field(
        default_factory=dict,
        description="The project's decision for each label of the file; without it, its own names. Case, blanks and "
        "Unicode form do not count, here and below.",
    )
    domains: dict[str, str] = Field(default_factory=dict, description="The project's domain for each of the file's.")
    levels: dict[str, int] = Field(default_factory=dict, description="The project's level for each of the file's.")
    confidences: dict[str, Share] = Field(default_factory=dict, description="The confidence for a word of the file.")
    relevances: dict[str, Share] = Field(default_factory=dict, description="The relevance for a word of the file.")
    splits: dict[str, Literal["train", "dev", "test"]] = Field(
        default_factory=dict, description="The split for each name of the file; common names are known."
    )
    join: Join | None = Field(default=None)

    @model_validator(mode="before")
    @classmethod
    def _with_base(cls, data: Any) -> Any:
        """Fill up what the ready mapping `base` says."""
        if not isinstance(data, dict) or not isinstance(data.get("base"), str) or not data["base"]:
            return data
        base = ready_mapping(data["base"])
        merged = {
            name: base[name] | data[name]
            for name in _MERGED
            if isinstance(base.get(name), dict) and isinstance(data.get(name), dict)
        }
        return base | data | merged

    @model_validator(mode="after")
    def _coherent(self) -> Mapping:
        for name, field in (TABLES | SCALES).items():
            if getattr(self, name) and not getattr(self, field):
                raise ValueError(f"{name} is about {field}, and the mapping does not say where the {field} is")
        for name in TABLES:
            self._check_table(name)
        if self.family_scope and not self.family:
            raise ValueError("family_scope is about family, and the mapping does not say where the family is")
        if self.join and self.content:
            raise ValueError("content and join exclude each other: the text is in the record, or in the second file")
        if self.delimiter and self.delimiter in {self.quote, "\n", "\r", " "}:
            raise ValueError(f"delimiter cannot be {self.delimiter!r}")
        return self

    def _check_table(self, name: str) -> None:
        """Raise ValueError if two keys of a table that are the same to a reader stand for two things."""
        entries: dict[str, tuple[str, Any]] = {}
        for key, value in getattr(self, name).items():
            first, first_value = entries.setdefault(fold(key), (key, value))
            if first_value != value:
                raise ValueError(f"{name}: {first!r} and {key!r} are the same but for case, blanks or Unicode form")

    @property
    def steps(self) -> list[str]:
        """The expressions of `each`, from the outermost; empty if a record is an example."""
        steps = [self.each] if isinstance(self.each, str) else self.each
        return [step for step in steps if step]


def fold(label: str) -> str:
    """`label` without what tells no labels apart: case, blanks around and within, invisible marks, Unicode form."""
    text = unicodedata.normalize("NFKC", label)
    if not text.isascii():
        text = _WITHOUT_WIDTH.sub("", "".join(char for char in text if unicodedata.category(char) != "Cf"))
    return unicodedata.normalize("NFKC", " ".join(text.split()).casefold())
