"""Settings of the pretraining, importable without torch."""

from pydantic import BaseModel, ConfigDict, Field


class PretrainSettings(BaseModel):
    """What decides the weights of the tiny base; equal settings give equal weights."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0
    steps: int = Field(9_000, ge=1, description="optimiser steps")
    batch_tokens: int = Field(1_536, ge=128, description="upper limit of padded tokens a step")
    layers: int = Field(5, ge=1)
    hidden: int = Field(128, ge=64, multiple_of=64)
    intermediate: int = Field(384, ge=64, multiple_of=64)
    heads: int = Field(4, ge=1)
    kv_heads: int = Field(4, ge=1)
    max_positions: int = Field(4_096, ge=512)
    english_merges: int = Field(900, ge=0, description="merges learnt for Latin script and marks")
    muon_lr: float = Field(0.008, gt=0, description="learning rate of the matrices")
    adam_lr: float = Field(6e-3, gt=0, description="learning rate of embeddings and norms")
    weight_decay: float = Field(0.05, ge=0)
    warmup_steps: int = Field(100, ge=0)
    decay_steps: int = Field(3_000, ge=0, description="last steps, with the rate falling to zero")
    copy_steps: int = Field(700, ge=0, description="first steps, on repeated random strings only")
    copy_share: float = Field(0.12, ge=0, le=1, description="documents of that kind afterwards")
    threads: int = Field(1, ge=1, description="CPU threads; another number rounds differently")
    checkpoint_steps: int = Field(500, ge=1)
    log_steps: int = Field(50, ge=1)
