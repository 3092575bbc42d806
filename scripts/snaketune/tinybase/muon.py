"""Muon on matrices and Adam on the rest, over float32 masters of bfloat16 weights."""

from collections import defaultdict

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(batch: Tensor, rounds: int = 5) -> Tensor:
    """Nearest semi-orthogonal matrices of a stack with rows <= columns, by Newton-Schulz."""
    a, b, c = NEWTON_SCHULZ
    x = batch.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


class MuonAdam:
    """One optimiser for the model; matrices of one shape are stepped as one stack."""

    def __init__(self, model: nn.Module, muon_lr: float, adam_lr: float, weight_decay: float):
        self.muon_lr, self.adam_lr, self.weight_decay = muon_lr, adam_lr, weight_decay
        self.steps = 0
        stacks: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        self.others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "embed" not in name and "lm_head" not in name:
                stacks[tuple(sorted(parameter.shape))].append(parameter)
            else:
                self.others.append(parameter)
        self.stacks = [stacks[shape] for shape in sorted(stacks)]
        self.masters = [self._stack([p.data for p in group]).float() for group in self.stacks]
        self.momenta = [torch.zeros_like(master) for master in self.masters]
        self.other_masters = [p.data.float() for p in self.others]
        self.first = [torch.zeros_like(master) for master in self.other_masters]
        self.second = [torch.zeros_like(master) for master in self.other_masters]

    @staticmethod
    def _stack(matrices: list[Tensor]) -> Tensor:
        return torch.stack([m if m.shape[0] <= m.shape[1] else m.mT for m in matrices])

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """One update, with both learning rates multiplied by `scale`; clears the gradients."""
        self.steps += 1
        for group, master, momentum in zip(self.stacks, self.masters, self.momenta, strict=True):
            gradient = self._stack([p.grad for p in group]).float()
            momentum.lerp_(gradient, 0.05)
            update = orthogonalise(gradient.lerp_(momentum, 0.95)).float()
            rate = self.muon_lr * scale
            master.mul_(1 - rate * self.weight_decay).sub_(update, alpha=rate)
            for parameter, new in zip(group, master, strict=True):
                parameter.copy_(new if parameter.shape == new.shape else new.mT)
        rate = self.adam_lr * scale
        beta1, beta2 = 0.9, 0.95
        fix1, fix2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for parameter, master, first, second in zip(
            self.others, self.other_masters, self.first, self.second, strict=True
        ):
            gradient = parameter.grad.float()
            first.lerp_(gradient, 1 - beta1)
            second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            denominator = (second / fix2).sqrt_().add_(1e-10)
            master.addcdiv_(first, denominator, value=-rate / fix1)
            parameter.copy_(master)
        for parameter in [*(p for group in self.stacks for p in group), *self.others]:
            parameter.grad = None

    def state(self) -> dict:
        """Everything that a later `load` needs."""
        kept = ("steps", "masters", "momenta", "other_masters", "first", "second")
        return {name: getattr(self, name) for name in kept}

    @torch.no_grad()
    def load(self, state: dict) -> None:
        """Take up a saved state and put the masters back into the model."""
        for name, value in state.items():
            setattr(self, name, value)
        for group, master in zip(self.stacks, self.masters, strict=True):
            for parameter, new in zip(group, master, strict=True):
                parameter.copy_(new if parameter.shape == new.shape else new.mT)
        for parameter, master in zip(self.others, self.other_masters, strict=True):
            parameter.copy_(master)
