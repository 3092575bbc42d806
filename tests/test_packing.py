"""Packing: records in one row do not see each other, or it is refused."""

import importlib.util

import pytest
from tuning import Study

from snaketune.errors import UserError
from snaketune.files import read_json
from snaketune.recipe import read_recipe


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base)


@pytest.mark.parametrize("kernel", ["eager", "sdpa"])
@pytest.mark.parametrize(("dtype", "most"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_packed_records_do_not_see_each_other(study, kernel, dtype, most):
    from snaketune.loading import load_base
    from snaketune.packing import check_packing

    recipe = read_recipe(study.recipe("packed", attn_implementation=kernel, dtype=dtype))
    assert check_packing(load_base(read_json(study.source), recipe), recipe) < most


@pytest.mark.skipif(importlib.util.find_spec("flash_attn") is not None, reason="it is installed")
def test_a_kernel_that_is_not_installed_is_named(study):
    from snaketune.loading import load_base

    recipe = read_recipe(study.recipe("flash", attn_implementation="flash_attention_2"))
    with pytest.raises(UserError, match="attn_implementation flash_attention_2 in float32"):
        load_base(read_json(study.source), recipe)


def test_packing_is_refused_where_records_see_each_other(study):
    """A kernel that ignores where a text begins, as some do: plain causal attention."""
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface

    from snaketune.loading import load_model
    from snaketune.packing import check_packing

    def blind(module, query, key, value, attention_mask, scaling, **kwargs):
        groups = query.shape[1] // key.shape[1]
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        out = torch.nn.functional.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling
        )
        return out.transpose(1, 2), None

    AttentionInterface.register("blind", blind)
    AttentionMaskInterface.register("blind", lambda *args, **kwargs: None)
    recipe = read_recipe(study.recipe("packed"))
    with pytest.raises(UserError, match=r"packing.*attn_implementation sdpa.*packing: false"):
        check_packing(load_model(study.base, "float32", "blind"), recipe)
