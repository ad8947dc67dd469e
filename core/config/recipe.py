"""`[train.NAME]` of the project file: everything that configures a training run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.config.case import Mode

Weight = Annotated[float, Field(ge=-10, le=10)]


class Algorithm(StrEnum):
    """How the adapter learns."""

    SFT = "sft"  # to write the answers of the examples
    GRPO = "grpo"  # by rewards, each answer against the others to the same case (Shao et al. 2024)
    PPO = "ppo"  # by rewards, each token against what a critic expected (Schulman et al. 2017)
    CLASSIFY = "classify"  # a head on the student that gives each decision its probability, and writes nothing

    @property
    def by_rewards(self) -> bool:
        """Whether the student writes answers of its own, and learns by what they earn."""
        return self in {Algorithm.GRPO, Algorithm.PPO}


class Launcher(StrEnum):
    """What starts the processes of a training run."""

    PYTHON = "python"  # one process
    ACCELERATE = "accelerate"  # `accelerate launch`, with the person's own settings: several GPUs or machines


class _RecipeTable(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Lora(_RecipeTable):
    """The adapter (Hu et al. 2021)."""

    rank: int = Field(
        default=16,
        ge=0,
        le=512,
        description="How much the adapter can hold; classify: 0 trains the whole weights, without an adapter.",
    )
    alpha: int = Field(default=32, ge=1, description="How strongly it acts: it is scaled by alpha / rank.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of its inputs that is left out while it learns.")
    targets: str | list[str] = Field(default="all-linear", description="Layers by name, or all linear ones.")


class Curriculum(_RecipeTable):
    """Which levels are trained on when."""

    order: Literal["mixed", "easy-to-hard", "ladder", "adaptive"] = Field(
        default="mixed",
        description="mixed: as the examples are, all along; easy-to-hard: level by level, the easy ones fading; "
        "ladder: the next level joins when the newest one is over the mark on dev; "
        "adaptive: the levels where some answers are right and some wrong.",
    )
    mark: float = Field(default=0.9, gt=0, le=1, description="Ladder: the accuracy on dev at which a level is learned.")
    balanced: bool = Field(default=True, description="Each decision as often as the others, at each level.")
    floor: float = Field(default=0.1, ge=0, le=1, description="Share that no level falls below, once it was begun.")


class Recipe(_RecipeTable):
    """How one adapter is trained. The defaults fit students of 0.1 to 7 billion weights and 300 to 1,000 examples."""

    algorithm: Algorithm = Field(
        description="sft: learns to write the answers of the examples; grpo: by rewards, against its other answers to "
        "the same case; ppo: by rewards, against what a critic expected; classify: a head gives the probabilities of "
        "the decisions, on an encoder or a decoder."
    )
    student: str = Field(default="", description="A name of [local.…], or an embedded one; empty: the role's.")
    first: str = Field(default="", description="A recipe that is run before, in the same launch; RL starts from it.")
    mode: Literal[Mode.REASON, Mode.DIRECT] = Field(default=Mode.REASON, description="What an answer looks like.")
    rationale: Literal["auto", "steps", "full", "none", "after"] = Field(
        default="auto",
        description="What the student writes beside its decision: steps; full: the prose and the confidence; none; "
        "after: the decision first, then its steps. auto: steps where all examples to learn from have them, else full.",
    )
    prompt: Literal["auto", "short", "full"] = Field(
        default="auto",
        description="How a case is put to the student. short: the case alone, which is enough for one that was "
        "trained; full: with the task's instructions. auto: short where it writes steps, else full.",
    )
    lora: Lora = Field(default=Lora(), description="The adapter.")
    quantization: Literal["none", "int8", "nf4"] = Field(
        default="none", description="Of the weights below the adapter."
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 where the processor or GPU computes with it, else fp32."
    )
    max_prompt_tokens: int = Field(default=2048, ge=32, description="Longer cases are left out, and counted.")
    max_answer_tokens: int = Field(default=160, ge=4, description="What the student writes is cut here.")
    batch: int = Field(default=8, ge=1, description="Cases in a step; of RL, each is answered `generations` times.")
    micro_batch: int = Field(default=8, ge=1, description="SFT, classify: cases that are worked on at once.")
    loss: Literal["tokens", "labels"] = Field(
        default="tokens",
        description='SFT with mode = "direct". tokens: of the answer, among all words; labels: of the decisions alone, '
        "each scored as in a benchmark, with soft targets and costs. classify always learns so.",
    )
    soft: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="loss = labels, classify: share of the soft target, by what judges and people decided blind, "
        "beside the label. Where nobody has, the label alone counts.",
    )
    generations: int = Field(default=8, ge=2, le=128, description="RL: answers to each case.")
    steps: int = Field(default=100, ge=1, le=1_000_000, description="How often the weights are changed.")
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        description="Default: 3e-4 for SFT, 2e-5 for RL; classify: 5e-4, and 5e-5 for whole weights.",
    )
    warm_up: float = Field(default=0.05, ge=0, le=1, description="Share of the steps in which the rate rises.")
    weight_decay: float = Field(default=0.0, ge=0, description="How strongly weights are drawn towards 0.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="A longer gradient is cut to this length.")
    kl: float = Field(default=0.0, ge=0, description="Weight of the distance from the model that RL starts from.")
    clip_low: float = Field(
        default=0.2, gt=0, lt=1, description="RL: by how much a step may lower the probability of a token."
    )
    clip_high: float = Field(default=0.28, gt=0, description="RL: by how much it may raise it.")
    passes: int = Field(default=1, ge=1, le=8, description="How often RL learns from the same answers.")
    temperature: float = Field(default=1.0, gt=0, le=2, description="RL: how much chance is in the answers.")
    refills: int = Field(default=2, ge=0, le=10, description="Rounds in which groups without signal are replaced.")
    gae_lambda: float = Field(default=0.95, ge=0, le=1, description="PPO: how far a reward reaches back over tokens.")
    critic_learning_rate: float = Field(default=1e-3, gt=0, description="PPO: the learning rate of the critic.")
    critic_clip: float = Field(default=0.2, gt=0, description="PPO: how far an estimate moves in one step.")
    rewards: dict[str, Weight] = Field(
        default_factory=dict,
        description="Each with its weight: correct, format, calibration, length, evidence, steps, or module:function. "
        "Default: correct 1, format 0.1, and at 0.5 what else the answer states: steps, or the confidence by "
        "calibration.",
    )
    costs: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        description="By label, then decision: what is lost by it; 0 is right, 1 as wrong as can be. For RL, "
        "loss = labels and classify.",
    )
    curriculum: Curriculum = Field(default=Curriculum(), description="Which levels are trained on when.")
    evaluate_every: int = Field(default=20, ge=1, description="Steps between looks at the dev split.")
    evaluate_on: int = Field(default=60, ge=1, description="Examples of the dev split that are looked at.")
    checkpoint_every: int = Field(default=20, ge=1, description="Steps between checkpoints, from which a run goes on.")
    patience: int | None = Field(default=None, ge=1, description="Looks without a better dev accuracy before the end.")
    fresh: bool = Field(
        default=False,
        description="New procedural examples in each step, of other families than dev and test, instead of those that "
        "were accepted; for the task that ships.",
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of everything that is drawn at random.")
    vllm_server: str = Field(default="", description="RL: address of a vLLM server that writes the answers.")

    launcher: Launcher = Field(
        default=Launcher.PYTHON,
        description="accelerate: several processes, on one machine or more, as `accelerate launch` is told.",
    )
    launcher_config: str = Field(default="", description="The file that `accelerate config` wrote, from the project.")
    launcher_arguments: list[str] = Field(default_factory=list, description="More words for `accelerate launch`.")

    @property
    def rate(self) -> float:
        """The learning rate."""
        if self.learning_rate:
            return self.learning_rate
        if self.algorithm is Algorithm.CLASSIFY:
            return 5e-4 if self.lora.rank else 5e-5
        return 3e-4 if self.algorithm is Algorithm.SFT else 2e-5

    @property
    def scores_labels(self) -> bool:
        """Whether the loss is over the decisions, and not over words."""
        return self.algorithm is Algorithm.CLASSIFY or self.loss == "labels"

    @model_validator(mode="before")
    @classmethod
    def _classifiers_are_direct(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("algorithm") == Algorithm.CLASSIFY:
            return {"mode": Mode.DIRECT} | fields
        return fields

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if not self.algorithm.by_rewards and self.first:
            name = "an SFT" if self.algorithm is Algorithm.SFT else "a classify"
            raise ValueError(f"{name} recipe starts from the student itself: `first` is for GRPO and PPO")
        if self.algorithm is Algorithm.CLASSIFY and self.mode is not Mode.DIRECT:
            raise ValueError('a classifier writes no reasoning: leave mode out, or set mode = "direct"')
        if self.loss == "labels" and (self.mode is not Mode.DIRECT or self.algorithm is not Algorithm.SFT):
            raise ValueError('loss = "labels" needs algorithm = "sft" and mode = "direct"')
        if self.algorithm is not Algorithm.CLASSIFY and not self.lora.rank:
            raise ValueError(
                'lora.rank = 0, the whole weights, is for algorithm = "classify": take a rank of 1 or more'
            )
        if not self.lora.rank and self.quantization != "none":
            raise ValueError('whole weights are not trained quantized: set quantization = "none", or a lora.rank')
        if self.algorithm.by_rewards and self.curriculum.order == "adaptive" and self.passes > 1:
            raise ValueError("an adaptive curriculum needs fresh answers in each step: set passes = 1")
        if self.launcher is Launcher.PYTHON and (self.launcher_config or self.launcher_arguments):
            raise ValueError('launcher_config and launcher_arguments need launcher = "accelerate"')
        return self
