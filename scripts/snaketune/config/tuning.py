"""Bases, recipes, adapters and models, in the key names of transformers, TRL and PEFT."""

from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat, model_validator

from snaketune.config.common import Name, Strict
from snaketune.config.engines import EngineName, Serve
from snaketune.tinybase.settings import PretrainSettings

LARGEST_SANE_LEARNING_RATE = 0.01


class AnyBase(Strict):
    """What every base may have."""

    chat_template: str | None = None
    """File with a Jinja chat template that stands in for the base's own, in training and asking."""


class TinyBase(AnyBase):
    """The tiny base that ships with the project (resources/tiny-base)."""

    source: Literal["tiny"]


class StoredBase(AnyBase):
    """What a base whose weights come from elsewhere may have."""

    quantized: Literal["gptq"] | None = None
    """How its weights are stored, if not whole: gptq, a few bits each (Frantar et al. 2022). What
    loads it needs gptqmodel (envs/gptq.yaml), and no adapter is merged into it."""


class LocalBase(StoredBase):
    """A model folder on this machine, as `save_pretrained` writes it."""

    source: Literal["local"]
    path: str
    trust_remote_code: bool = False


class HubBase(StoredBase):
    """A model of the Hugging Face hub; the revision is pinned here or recorded at download."""

    source: Literal["hub"]
    id: str
    revision: str | None = None
    """Commit of the hub repository; null takes the newest and records which one that was."""
    trust_remote_code: bool = False

    @model_validator(mode="after")
    def _code_needs_a_revision(self) -> "HubBase":
        if self.trust_remote_code and not self.revision:
            raise ValueError("trust_remote_code: runs a stranger's code, so name the revision too")
        return self


class ModelScopeBase(HubBase):
    """A model of ModelScope, by its id there; other keys as for the Hugging Face hub."""

    source: Literal["modelscope"]
    revision: str | None = None
    """A branch or tag of ModelScope; null takes the newest, whose files' hashes are recorded."""


class PretrainedBase(AnyBase):
    """A tiny base pretrained here from random weights (the rule pretrain_tiny_base)."""

    source: Literal["pretrain"]
    settings: PretrainSettings = PretrainSettings()


Base = Annotated[
    TinyBase | LocalBase | HubBase | ModelScopeBase | PretrainedBase, Field(discriminator="source")
]


class Training(Strict):
    """Keys of TRL's SFTConfig, with their meanings there."""

    learning_rate: float = Field(gt=0)
    num_train_epochs: float = Field(1.0, gt=0)
    max_steps: int = -1
    per_device_train_batch_size: int = Field(8, gt=0)
    gradient_accumulation_steps: int = Field(1, gt=0)
    per_device_eval_batch_size: int = Field(32, gt=0)
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "cosine"
    warmup_steps: float = Field(0, ge=0)
    """Steps when 1 or more, a share of all steps when below 1."""
    weight_decay: float = Field(0.0, ge=0)
    adam_beta2: float = Field(0.999, gt=0, lt=1)
    max_grad_norm: float = Field(1.0, ge=0)
    optim: str = "adamw_torch"
    max_length: int = Field(1024, gt=0)
    """Longest record in tokens; a record that would be cut stops the run."""
    packing: bool = False
    """Several records a row, without contamination; refused where the kernel cannot part them."""
    gradient_checkpointing: bool = False
    bf16: bool = False
    fp16: bool = False
    logging_steps: int = Field(10, gt=0)
    eval_steps: int = Field(100, gt=0)
    save_steps: int = Field(100, gt=0)
    seed: int = 0


class Lora(Strict):
    """Keys of PEFT's LoraConfig."""

    r: int = Field(8, gt=0)
    lora_alpha: float = Field(16, gt=0)
    lora_dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | list[str] = "all-linear"
    use_rslora: bool = False
    use_dora: bool = False


class Quantization(Strict):
    """Keys of transformers' BitsAndBytesConfig for 4-bit training (QLoRA)."""

    load_in_4bit: Literal[True] = True
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    bnb_4bit_use_double_quant: bool = True
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"


class Adapter(Strict):
    """One LoRA training run."""

    base: Name
    dataset: Name
    prompt: Name | None = None
    """A prompt to train on in place of the dataset's, as a study that asks in other words than it
    trained on; null is right nearly always."""
    skip: int = Field(0, ge=0)
    """Training records passed over at the start, as an earlier stage has them."""
    take: int | None = Field(None, gt=0)
    """Training records used after those; null: all."""
    init_from: Name | None = None
    """An adapter whose weights this training goes on from, with a schedule of its own."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """What the frozen weights are loaded as."""
    attn_implementation: Literal["eager", "sdpa", "flash_attention_2"] = "sdpa"
    training: Training
    lora: Lora = Lora()
    quantization: Quantization | None = None
    published_max_length: int | None = Field(None, gt=0)
    """The text's own max_length, where it cuts answers: metrics.json counts how many."""
    global_batch_size: int | None = Field(None, gt=0)
    """Records an optimizer step over all devices; training.gradient_accumulation_steps then
    follows from it and the number of devices."""
    allow_large_learning_rate: bool = False
    """Lets a learning rate over 0.01 pass, for runs that repeat a published mistake."""

    @model_validator(mode="after")
    def _accumulation(self) -> "Adapter":
        whole, part = self.global_batch_size, self.training.per_device_train_batch_size
        if whole is None:
            return self
        if self.training.gradient_accumulation_steps != 1:
            raise ValueError(
                "training.gradient_accumulation_steps follows from global_batch_size; state one"
            )
        if whole % part:
            raise ValueError(
                f"global_batch_size: {whole} is no multiple of "
                f"training.per_device_train_batch_size, {part}"
            )
        return self

    @model_validator(mode="after")
    def _learning_rate(self) -> "Adapter":
        rate = self.training.learning_rate
        if rate > LARGEST_SANE_LEARNING_RATE and not self.allow_large_learning_rate:
            raise ValueError(
                f"training.learning_rate: {rate:g} is over {LARGEST_SANE_LEARNING_RATE:g} and will "
                "wreck the weights; set allow_large_learning_rate: true if you mean it"
            )
        return self


class Combination(Strict):
    """A weighted sum of adapters of one base."""

    weights: dict[Name, FiniteFloat] = Field(min_length=1)
    """Adapter → weight."""
    method: Literal["cat", "linear", "svd", "ties", "dare_linear"] = "cat"
    """As PEFT's add_weighted_adapter names them. cat is the exact sum of the adapters' changes;
    linear adds A and B apart, which brings in cross terms; svd is the sum cut to one rank."""
    density: float = Field(0.5, gt=0, le=1)
    """ties, dare_linear: the share of values that is kept."""
    rank: int | None = Field(None, gt=0)
    """svd: rank of the result; null takes the largest of the adapters."""
    seed: int = 0
    """dare_linear: which values are dropped."""

    @model_validator(mode="after")
    def _fits_the_method(self) -> "Combination":
        if self.rank and self.method != "svd":
            raise ValueError(f"rank: belongs to svd; the method is {self.method}")
        if self.method in ("ties", "dare_linear") and len(self.weights) < 2:
            raise ValueError(f"weights: {self.method} weighs adapters against each other; name two")
        return self


class Variant(Strict):
    """Which sweep a model comes from; sweeps fill it in."""

    of: Name
    """The model of the study that stands for all of the sweep; published numbers name it."""
    average_as: Name | None = None
    """Models of one such name differ in their seed alone; the table averages over them."""


class Model(Strict):
    """What is evaluated: a base, or a base with an adapter or a sum of adapters, merged or not."""

    base: Name | None = None
    """May be left out beside an adapter, whose base it then is."""
    adapter: Name | None = None
    combine: Combination | None = None
    endpoint: Name | None = None
    """A model behind an address, asked as it is."""
    merge: bool = True
    """Merge into full weights; false keeps the adapter apart, so that models of one base are
    asked in one process, or for a base that cannot be merged into."""
    engine: EngineName | None = None
    """What answers, where that is no address and no server; null: the study's `engine`."""
    serve: Serve | None = None
    """Ask through a server that the job starts and takes down again."""
    variant: Variant | None = None

    @model_validator(mode="after")
    def _something(self) -> "Model":
        here = self.base or self.adapter or self.combine
        if not here and not self.endpoint:
            raise ValueError("name a base, an adapter, adapters to combine, or an endpoint")
        if here and self.endpoint:
            raise ValueError("endpoint: a model behind an address has no base and no adapter here")
        if self.adapter and self.combine:
            raise ValueError("adapter and combine exclude each other: give the sum as combine")
        if self.endpoint and (self.serve or self.engine):
            raise ValueError("endpoint: a model behind an address has no engine or server of ours")
        if self.serve and self.engine:
            raise ValueError("serve and engine exclude each other: serve.program is what answers")
        if self.serve and self.adapters() and not self.merge:
            raise ValueError("serve: a server has one model's weights, so its adapter is merged")
        return self

    def adapters(self) -> list[str]:
        """Names of the trained adapters in it."""
        if self.combine:
            return list(self.combine.weights)
        return [self.adapter] if self.adapter else []


class Grid(Strict):
    """Models on the way from one adapter to another, drawn as one picture."""

    start: Name
    """Adapter with weight 1 at 0."""
    end: Name
    """Adapter with weight 1 at 1."""
    weights: list[Annotated[float, Field(ge=0, le=1)]] = Field(
        [0, 0.25, 0.5, 0.75, 1], min_length=2
    )
    """Weights of `end`; `start` has the rest."""
    methods: list[Literal["cat", "linear", "svd", "ties", "dare_linear"]] = Field(
        ["cat"], min_length=1
    )

    @model_validator(mode="after")
    def _a_way(self) -> "Grid":
        if self.start == self.end:
            raise ValueError("start and end are one adapter, so there is no way between them")
        if len({f"{weight:g}" for weight in self.weights}) < len(self.weights):
            raise ValueError("weights: two are equal, or nearly so")
        return self


class Sampling(Strict):
    """How answers are generated."""

    max_new_tokens: int = Field(64, gt=0)
    temperature: float = Field(0.0, ge=0)
    """0 is greedy."""
    top_p: float = Field(1.0, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    repetition_penalty: float = Field(1.0, gt=0)
    """As transformers and vLLM define it; 1 is none."""
    responses_per_record: int = Field(1, gt=0)
    seed: int = 0
    batch_size: int = Field(64, gt=0)
    """Records answered at once; what a kill can lose."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    response_schema: dict[str, Any] | None = None
    """JSON schema that replies are held to, where what answers can do that; null: free text."""

    @model_validator(mode="after")
    def _greedy_repeats(self) -> "Sampling":
        if self.temperature == 0 and self.responses_per_record > 1:
            raise ValueError("responses_per_record: at temperature 0 all responses are the same")
        return self
