"""Everything that Sidequest stores, as pydantic models. Read this file first.

The descriptions of `Evidence` and `Candidate` are written for a model as much as for a person: the generator receives
them as its structured-output schema. The other models add to a candidate its provenance and the decisions about it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from ulid import ULID

_SURROGATES = re.compile("[\ud800-\udfff]")


def _storable(value: object) -> object:
    """Replace lone surrogates, which UTF-8 cannot encode but a model can write, by U+FFFD."""
    return _SURROGATES.sub("\ufffd", value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_storable)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


def new_id() -> str:
    """A ULID: 26 characters that sort by creation time, even within a millisecond."""
    return str(ULID())


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)


class StoredModel(BaseModel):
    """Base of all stored models: unknown fields are refused, and instances are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


# ------------------------------------------------------------------ what a source writes


class Evidence(StoredModel):
    """One piece of evidence, complete in itself."""

    source: Text = Field(
        min_length=1,
        description="Where this piece comes from, as a reader would cite it: the kind of document, and who made it "
        "or when. For example: 'Cohort analysis, second quarter'.",
    )
    content: Text = Field(
        min_length=1,
        description="What the source says, in one to five sentences, with the figures or statements that matter. "
        "It stands alone: it does not refer to the hypothesis, to other pieces, or to being evidence.",
    )
    relevance: Fraction = Field(
        description="How much this piece bears on the hypothesis: 0.0 not at all, 1.0 it alone could settle it. It "
        "measures bearing, not agreement: a piece that refutes the hypothesis can have 1.0.",
    )


class Holds(StrEnum):
    """Whether one part of a hypothesis holds."""

    YES, NO = "yes", "no"
    OPEN = "open"  # the evidence does not settle it


class Finding(StoredModel):
    """What one piece of evidence says about one part of the hypothesis."""

    piece: int = Field(ge=1, description="The number of the piece in `evidence`, from 1.")
    quote: Text = Field(description="The deciding words of that piece, copied exactly.")
    source: Text = Field(description="The kind of its source in one or two words: 'trial', 'hearsay', 'audit'.")
    says: Text = Field(min_length=1, description="What it says about this part, in one to four words: 'down', '25.5'.")


class Step(StoredModel):
    """One part of the hypothesis, checked on its own: what was found, what is claimed, and whether it holds."""

    part: Text = Field(min_length=1, description="What this step is about, in a few words: 'new users', 'size'.")
    findings: list[Finding] = Field(
        description="What settles this part: one finding, or several that lead to `found` only together. Empty only "
        "where no piece settles it."
    )
    against: list[Finding] = Field(description="Findings of other pieces that disagree and do not count; often none.")
    why: Literal["", "source", "figures", "scope", "time"] = Field(
        description="Why `findings` count and `against` do not: kind of source, figures, scope or time; else ''."
    )
    found: Text = Field(min_length=1, description="What the evidence shows on this part, in one to four words.")
    claimed: Text = Field(min_length=1, description="What the hypothesis claims on it, in the same words if it can.")
    holds: Holds = Field(description="Whether this part holds: 'yes', 'no', or 'open' if the evidence leaves it so.")


class Candidate(StoredModel):
    """A hypothesis, the evidence for and against it, and the decision that the evidence supports."""

    hypothesis: Text = Field(
        min_length=1,
        description="One claim in one sentence that evidence can support or refute. It names what is claimed of "
        "what, and it does not hint at the decision.",
    )
    evidence: list[Evidence] = Field(
        min_length=1, description="The pieces of evidence. Their order carries no meaning."
    )
    steps: list[Step] = Field(
        default=[], description="The hypothesis part by part: a step for each thing that it claims. Empty: not written."
    )
    reasoning: Text = Field(
        min_length=1,
        description="How the decision follows from the evidence, in two to six sentences: which pieces weigh, which "
        "do not, and why. It comes before the decision and uses nothing that the evidence does not say.",
    )
    decision: Text = Field(min_length=1, description="The decision that follows from the evidence alone.")
    confidence: Fraction = Field(
        description="The probability, from 0.0 to 1.0, that a careful expert who reads only this evidence would "
        "reach the same decision."
    )


# ------------------------------------------------------------------ examples and what people decide about them

JUSTIFYING = ("reasoning", "confidence", "steps")  # what argues for a decision, and is stale once that changes


class StaleField(StoredModel):
    """A field of an example that argues for another decision than the one it has now."""

    field: str = Field(pattern=f"^({'|'.join(JUSTIFYING)})$", description=f"One of {', '.join(JUSTIFYING)}.")
    written_for: Text = Field(description="The decision that it argues for.")


class Status(StrEnum):
    """The status of an example; derived from its reviews."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Example(Candidate):
    """A candidate that passed QA (or was imported), with its cell in the curriculum and its provenance."""

    id: str = Field(default_factory=new_id, description="ULID; sorts by time.")
    version: int = Field(default=1, ge=1, description="1 as it was made; an edit makes the next one.")
    family: Text = Field(description="Shared by the examples that stem from one hypothesis or one latent world.")
    domain: Text
    level: int = Field(ge=1)
    status: Status = Status.PENDING
    flagged: bool = False
    refused: bool = Field(default=False, description="QA had rejected it; a person brought it in all the same.")
    split: Text = Field(default="", description="'train', 'dev' or 'test', the same for a family; '' while unassigned.")
    certainty: Fraction | None = Field(
        default=None,
        description="How sure the judge was of this version, 0 to 1: the lowest of its confidence and scores.",
    )
    stale: list[StaleField] = Field(default=[], description="Its fields that argue for an earlier decision.")
    source: Text = Field(description="What wrote it: 'procedural', 'openai', 'import'.")
    model: Text = Field(default="", description="The model that the source used, if any.")
    prompt_version: Text = Field(default="", description="The version of the prompt template, if any.")
    seed: int | None = None
    run: str | None = None
    attempt: str | None = Field(default=None, description="The attempt that became this example.")
    created: datetime = Field(default_factory=now)


class ReviewAction(StrEnum):
    """What a person can do to an example; each action is one line of the log."""

    ACCEPT = "accept"
    REJECT = "reject"
    LABEL = "label"  # decided without seeing the label, with another result than it or about a decided example
    FLAG = "flag"
    UNFLAG = "unflag"
    EDIT = "edit"
    OVERRULE = "overrule"  # bring in what QA had rejected
    SPLIT = "split"
    UNDO = "undo"


class Review(StoredModel):
    """One line of the append-only log of human decisions."""

    id: int = Field(default=0, description="Position in the log; given by the database.")
    example: str
    action: ReviewAction
    reason: Text = Field(default="", description="Why it was rejected: one of the project's reasons.")
    note: Text = ""
    reviewer: Text = ""
    value: Text = Field(
        default="", description="What was decided without seeing the label ('accept', 'label'), or the split given."
    )
    version: int | None = Field(
        default=None, description="For an edit: the version that it made; for a blind decision: the one that was seen."
    )
    batch: str | None = Field(default=None, description="Shared by lines that were one act; they are undone together.")
    undoes: int | None = Field(default=None, description="For an undo: the line of the log that it takes back.")
    created: datetime = Field(default_factory=now)


# ------------------------------------------------------------------ generation and QA


class Outcome(StrEnum):
    """How one request to a source or a judge ended."""

    WRITTEN = "written"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    INVALID_JSON = "invalid_json"
    SCHEMA_VIOLATION = "schema_violation"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    BAD_REQUEST = "bad_request"
    QUOTA_EXHAUSTED = "quota_exhausted"
    BAD_KEY = "bad_key"


class Usage(StoredModel):
    """What a request used. A figure that the server did not report is None, never zero."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = Field(default=None, description="In the currency of the price table; None if unpriced.")
    seconds: float = 0.0


class Attempt(StoredModel):
    """One try to fill one slot of one cell. Unique by run, cell, slot and number."""

    id: str = Field(default_factory=new_id)
    run: str
    domain: Text
    level: int
    decision: Text
    slot: int = Field(description="Which of the cell's missing examples this fills, from 0.")
    number: int = Field(description="Position in the slot's chain of attempts, from 0.")
    idea: int = Field(description="From 0; a rewrite keeps the idea of its parent, a refill takes the next.")
    parent: str | None = Field(default=None, description="The attempt that this one rewrites.")
    outcome: Outcome
    candidate: Candidate | None = None
    raw: Text = Field(default="", description="The answer as it came, where it could not be read as a candidate.")
    detail: Text = Field(default="", description="What went wrong, for a person.")
    family: Text
    source: Text
    model: Text = ""
    prompt_version: Text = ""
    seed: int
    usage: Usage = Usage()
    created: datetime = Field(default_factory=now)


class Result(StrEnum):
    """The result of QA for an attempt."""

    PASSED = "passed"
    REJECTED = "rejected"
    FAILED = "failed"  # the judge failed, not the example


class Verdict(StoredModel):
    """The result of one QA pass over one attempt."""

    id: str = Field(default_factory=new_id)
    attempt: str
    result: Result
    stage: Text = Field(description="The step that decided: 'rules', 'duplicates' or 'judge'.")
    reason: Text = Field(default="", description="A short name for why, the same for the same cause.")
    critique: Text = Field(default="", description="What to mend, in words that a writer can act on.")
    blind_decision: Text | None = Field(default=None, description="What the judge decided without the label.")
    blind_confidence: Fraction | None = None
    rubric: dict[str, float] = Field(default_factory=dict, description="Scores from 0 to 1 by criterion.")
    model: Text = ""
    prompt_version: Text = ""
    outcome: Outcome = Field(default=Outcome.WRITTEN, description="How the judge's own request ended.")
    usage: Usage = Usage()
    created: datetime = Field(default_factory=now)


class Flaw(StrEnum):
    """A known mistake that the procedural source can plant to measure QA."""

    WRONG_DECISION = "wrong_decision"
    MISSING_EVIDENCE = "missing_evidence"
    FOREIGN_EVIDENCE = "foreign_evidence"
    RELEVANCE_OUT_OF_BAND = "relevance_out_of_band"
    CONFIDENCE_OUT_OF_BAND = "confidence_out_of_band"
    AMBIGUOUS = "ambiguous"
    NEAR_DUPLICATE = "near_duplicate"
    WRONG_STEP = "wrong_step"


# ------------------------------------------------------------------ benchmark


class PredictionOutcome(StrEnum):
    """How one question to a model ended. All but ANSWERED count as wrong, and each is counted separately."""

    ANSWERED = "answered"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    UNPARSEABLE = "unparseable"
    TIMEOUT = "timeout"
    ERROR = "error"


class Question(StoredModel):
    """One example as a benchmark asks it, kept as it was when the run began. Unique by run and example."""

    run: str
    position: int = Field(ge=0, description="Its place in the order of asking, which is random and stratified.")
    example: str = Field(description="The example's id; for a file, one that its content gives.")
    version: int = 1
    label: Text
    domain: Text
    level: int
    family: Text


class Prediction(StoredModel):
    """One answer of a model. Unique by run, example, sample and number; the highest number counts."""

    id: int = Field(default=0, description="Position among all predictions; given by the database.")
    run: str
    example: str
    sample: int = Field(default=0, ge=0, description="From 0; several where one example is asked several times.")
    number: int = Field(default=0, ge=0, description="0, and one more for each time that a failure is asked again.")
    ended: Outcome = Field(description="How the request ended.")
    raw: Text = Field(default="", description="The answer as it came.")
    thought: Text = Field(default="", description="What a server sent apart, as the model's thinking.")
    detail: Text = Field(default="", description="What went wrong, for a person.")
    probabilities: dict[str, float] | None = Field(default=None, description="By decision, where the model gives them.")
    reader: int = Field(description="The version of the reader that made the four fields below out of the answer.")
    outcome: PredictionOutcome
    decision: Text | None = None
    confidence: Fraction | None = None
    rationale: Text = ""
    model: Text = ""
    prompt_version: Text = ""
    usage: Usage = Usage()
    created: datetime = Field(default_factory=now)


# ------------------------------------------------------------------ runs


class RunState(StrEnum):
    """The states of a run that a person can tell apart. `LOST` is seen from outside, never stored by the worker."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        """Whether the run has ended: nothing happens any more unless someone resumes it."""
        return self in {RunState.STOPPED, RunState.FINISHED, RunState.FAILED, RunState.LOST}


class Run(StoredModel):
    """One piece of long work, done in a process of its own."""

    id: str = Field(default_factory=new_id)
    kind: Text = Field(description="'generate', 'repair', 'fill', 'benchmark', 'train' or 'export'.")
    state: RunState = RunState.QUEUED
    params: dict[str, Any] = Field(default_factory=dict, description="What was asked for; enough to resume.")
    progress: dict[str, Any] = Field(default_factory=dict, description="The newest figures from the worker.")
    reason: Text = Field(default="", description="Why it stopped or failed, in words.")
    request: str | None = Field(default=None, description="'pause', 'resume' or 'stop', until it is heeded.")
    pid: int | None = None
    pid_started: float | None = Field(default=None, description="Start of the process, seconds since the epoch.")
    heartbeat: datetime | None = None
    created: datetime = Field(default_factory=now)
    started: datetime | None = None
    ended: datetime | None = None
    unreadable: str = Field(default="", description="What is wrong with the stored row; '' if nothing. Never stored.")


class Event(StoredModel):
    """One line of a run's log."""

    id: int = 0
    run: str
    severity: Text = Field(default="info", description="'info', 'warning' or 'error'.")
    message: Text
    data: dict[str, Any] = Field(default_factory=dict)
    created: datetime = Field(default_factory=now)
