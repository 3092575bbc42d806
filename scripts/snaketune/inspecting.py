"""What an adapter consists of: its tensors, their sizes, and how much it changes each module."""

import csv
import io
import math
from pathlib import Path
from typing import Any, NamedTuple

from snaketune.adapters import (
    FACTOR,
    WEIGHTS,
    Tensor,
    delta_norm,
    list_tensors,
    natural,
    not_plain,
    read_config,
    read_factors,
)
from snaketune.html import page
from snaketune.recipe import read_recipe

COLUMNS = ("tensor", "shape", "dtype", "parameters", "bytes", "delta_norm")
BITS = {"float64": 64, "float32": 32, "float16": 16, "bfloat16": 16}
UNTRAINED = "the adapter is not trained yet"

BODY = """\
<h1>{{ title }}: adapter {{ summary.adapter }}</h1>
<p>{{ summary.tensors }} matrices on {{ summary.modules }} modules, rank
{{ summary.ranks | join(', ') }}: {{ '{:,}'.format(summary.parameters) }} parameters,
{{ '%.2f' | format(summary.mebibytes) }} MiB.
{% if summary.no_norms %}No norms: {{ summary.no_norms }}.
{% else %}Norm of the whole change: {{ '%.4g' | format(summary.delta_norm) }}.
{% endif %}</p>
<div class="wide"><table>
<thead><tr><th scope="col">module</th><th scope="col">how many</th><th scope="col">A</th>
<th scope="col">B</th><th scope="col">type</th><th scope="col">parameters of each</th>
<th scope="col">parameters</th></tr></thead>
<tbody>
{% for kind in kinds %}
<tr><td>{{ kind.name }}</td><td>{{ kind.count }}</td><td>{{ kind.a }}</td><td>{{ kind.b }}</td>
<td>{{ kind.dtype }}</td><td>{{ '{:,}'.format(kind.each) }}</td>
<td>{{ '{:,}'.format(kind.each * kind.count) }}</td></tr>
{% endfor %}
</tbody>
</table></div>
{% if norms %}
<h2>Norm of the change, layer by layer</h2>
<p>Frobenius norm of scaling · B · A, which is what the adapter adds to the weights.</p>
<div class="wide"><table>
<thead><tr><th scope="col">layer</th>
{% for name in columns %}<th scope="col" style="text-align: right">{{ name }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for layer, cells in norms.items() %}
<tr><td>{{ layer }}</td>{% for name in columns %}
<td style="text-align: right">{{ '%#.4g' | format(cells[name]) if name in cells else '–' }}</td>
{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% endif %}
"""


class Inspection(NamedTuple):
    """An adapter's tensors, and the norm of the change of each module where there is one."""

    tensors: list[Tensor]
    norms: dict[str, float]
    no_norms: str | None
    """Why there are no norms."""
    file_bytes: int | None


def inspect(folder: Path) -> Inspection:
    """Inspect an adapter of a folder, trained here or elsewhere.

    Raises:
        UserError: it is missing, damaged or no LoRA adapter.
    """
    why = not_plain(read_config(folder))
    norms = {} if why else {name: delta_norm(f) for name, f in read_factors(folder).items()}
    size = (Path(folder) / WEIGHTS).stat().st_size
    return Inspection(list_tensors(folder), norms, why, size)


def inspect_untrained(recipe_path: Path, architecture: Path) -> Inspection:
    """Inspect the adapter that a recipe would train, without weights of base or adapter.

    Args:
        recipe_path: recipe.yaml; adapters are trained in float32 whatever its dtype.
        architecture: model folder or config.json of the base.

    Raises:
        UserError: the recipe names modules that the architecture has not.
    """
    recipe = read_recipe(recipe_path)

    from snaketune.skeleton import skeleton

    # isort: split
    from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

    from snaketune.errors import UserError

    config = LoraConfig(task_type="CAUSAL_LM", **recipe.lora.model_dump())
    try:
        model = get_peft_model(skeleton(architecture), config)
    except ValueError as error:
        raise UserError(f"{recipe_path} does not fit {architecture}: {error}") from error
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    tensors = [
        Tensor(name, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        for name, tensor in sorted(state.items(), key=lambda item: natural(item[0]))
    ]
    return Inspection(tensors, {}, UNTRAINED, None)


def _parameters(tensor: Tensor) -> int:
    return math.prod(tensor.shape)


def _bytes(tensor: Tensor) -> int:
    return _parameters(tensor) * BITS[tensor.dtype] // 8


def summarise(found: Inspection, adapter: str) -> dict[str, Any]:
    """Counts, parameters, bytes and the norm of the whole change of an adapter."""
    factors = [(FACTOR.fullmatch(tensor.name), tensor) for tensor in found.tensors]
    size = sum(map(_bytes, found.tensors))
    norm = math.sqrt(sum(norm**2 for norm in found.norms.values()))
    return {
        "adapter": adapter,
        "tensors": len(found.tensors),
        "modules": len({match["module"] for match, _ in factors if match}),
        "ranks": sorted({t.shape[0] for match, t in factors if match and match["factor"] == "A"}),
        "parameters": sum(map(_parameters, found.tensors)),
        "bytes": size,
        "mebibytes": round(size / 2**20, 2),
        "file_bytes": found.file_bytes,
        "delta_norm": None if found.no_norms else norm,
        "no_norms": found.no_norms,
    }


def as_csv(found: Inspection) -> str:
    """One row a tensor; the norm of a module's change stands in the row of its B."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tensor in found.tensors:
        match = FACTOR.fullmatch(tensor.name)
        norm = found.norms.get(match["module"]) if match and match["factor"] == "B" else None
        shape = "x".join(map(str, tensor.shape))
        shown = "" if norm is None else f"{norm:.6g}"
        row = (tensor.name, shape, tensor.dtype, _parameters(tensor), _bytes(tensor), shown)
        writer.writerow(row)
    return out.getvalue()


def as_html(found: Inspection, adapter: str, title: str) -> str:
    """A page: the summary, a row for all modules of a kind and size, the norms by layer."""
    norms: dict[str, dict[str, float]] = {}
    for module, norm in found.norms.items():
        layer, kind = _place(module)
        norms.setdefault(layer, {})[kind] = norm
    return page(
        BODY,
        title=title,
        summary=summarise(found, adapter),
        kinds=_kinds(found.tensors),
        norms=norms,
        columns=list(dict.fromkeys(kind for cells in norms.values() for kind in cells)),
    )


def _kinds(tensors: list[Tensor]) -> list[dict[str, Any]]:
    """Modules of one kind with the same sizes, counted."""
    modules: dict[str, dict[str, Tensor]] = {}
    for tensor in tensors:
        match = FACTOR.fullmatch(tensor.name)
        if match:
            modules.setdefault(match["module"], {})[match["factor"]] = tensor
    kinds: dict[tuple, dict[str, Any]] = {}
    for module, pair in modules.items():
        name = _place(module)[1]
        kind = {
            "name": name,
            **{side.lower(): " × ".join(map(str, pair[side].shape)) for side in "AB"},
            "dtype": pair["A"].dtype,
            "each": sum(map(_parameters, pair.values())),
        }
        kinds.setdefault(tuple(kind.values()), {**kind, "count": 0})["count"] += 1
    return list(kinds.values())


def _place(module: str) -> tuple[str, str]:
    """(layer, kind) of a module: `model.layers.3.self_attn.q_proj` is `3`, `self_attn.q_proj`."""
    parts = module.split(".")
    at = next((index for index, part in enumerate(parts) if part.isdigit()), None)
    return ("–", module) if at is None else (parts[at], ".".join(parts[at + 1 :]))
