"""Sums of adapters: `cat` is exact, the others differ from it as their formulas say."""

import json

import numpy as np
import pytest
from tuning import Study, command, run

from snaketune.config.tuning import Combination
from snaketune.errors import UserError
from snaketune.files import read_json, sha256_file

QV = ["q_proj", "v_proj"]


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base)


@pytest.fixture(scope="module")
def made(study):
    """Adapter → (folder, recipe): made by PEFT, B as random as A, each with its own settings."""
    import torch
    from peft import LoraConfig, get_peft_model

    from snaketune.loading import load_model

    settings = {
        "rte": {"r": 8, "lora_alpha": 16, "target_modules": QV},
        "mnli": {"r": 8, "lora_alpha": 16, "target_modules": QV},
        "small": {"r": 4, "lora_alpha": 12, "target_modules": QV},
        "stable": {"r": 8, "lora_alpha": 6, "target_modules": QV, "use_rslora": True},
        "mlp": {"r": 6, "lora_alpha": 6, "target_modules": ["v_proj", "down_proj"]},
        "dora": {"r": 8, "lora_alpha": 16, "target_modules": QV, "use_dora": True},
    }
    made = {}
    for index, (name, lora) in enumerate(settings.items()):
        torch.manual_seed(index)
        model = load_model(study.base, "float32")
        tuned = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **lora))
        for key, weight in tuned.named_parameters():
            if "lora_B" in key:
                torch.nn.init.normal_(weight, std=0.1)
        folder = study.folder / name
        tuned.save_pretrained(folder, save_embedding_layers=False)
        made[name] = (folder, study.recipe(name, lora=lora))
    return made


def combined(study, made, weights, method="cat", out=None, **more):
    """Combine; returns the folder and the facts."""
    from snaketune.combining import combine

    out = study.folder / (out or "-".join([method, *weights, *map(str, weights.values())]))
    sources = [made[name] for name in reversed(weights)]
    folders, recipes = [folder for folder, _ in sources], [recipe for _, recipe in sources]
    settings = Combination(weights=weights, method=method, **more)
    return out, combine("half", settings, study.source, folders, recipes, out)


def deltas(study, folder, weight=1.0):
    """Change of every weight, as PEFT itself applies the adapter."""
    from peft import PeftModel

    from snaketune.loading import load_model

    model = PeftModel.from_pretrained(load_model(study.base, "float32"), folder)
    return {
        key.removeprefix("base_model.model."): weight
        * part.get_delta_weight("default").detach().numpy()
        for key, part in model.named_modules()
        if hasattr(part, "get_delta_weight")
    }


def total(study, made, weights):
    """The weighted sum of the changes, each as PEFT applies it."""
    whole = {}
    for name, weight in weights.items():
        for key, delta in deltas(study, made[name][0], weight).items():
            whole[key] = whole.get(key, 0) + delta
    return whole


def distance(right, found):
    """Relative distance of two dicts of changes; a module that one lacks is 0 there."""
    keys = right.keys() | found.keys()
    apart = sum(((right.get(key, 0) - found.get(key, 0)) ** 2).sum() for key in keys)
    return np.sqrt(apart / sum((delta**2).sum() for delta in right.values()))


PAIRS = {
    "same settings": {"rte": 0.5, "mnli": 0.5},
    "different rank and alpha": {"rte": 0.25, "small": 0.75},
    "rsLoRA first": {"stable": 0.5, "rte": 0.5},
    "rsLoRA alone": {"stable": 0.3},
    "other modules": {"rte": 0.5, "mlp": 0.5},
    "subtracted": {"rte": 1.0, "small": -0.5},
    "three": {"rte": 1.0, "stable": 0.4, "mlp": 2.0},
}


@pytest.mark.parametrize("weights", PAIRS.values(), ids=PAIRS)
def test_cat_is_the_sum_of_the_changes(study, made, weights):
    folder, facts = combined(study, made, weights)
    assert distance(total(study, made, weights), deltas(study, folder)) < 1e-5
    assert facts["relative_distance"] < 1e-5 and facts["cosine"] == pytest.approx(1)
    config = read_json(folder / "adapter_config.json")
    assert config["use_rslora"] is False and config["lora_alpha"] == config["r"] == facts["rank"]


@pytest.mark.parametrize("weights", [PAIRS["other modules"], PAIRS["rsLoRA first"]])
def test_cat_answers_like_both_adapters_at_once(study, made, weights):
    """Independent of every delta: the forward pass with two adapters active at their weights."""
    import torch
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    from snaketune.loading import load_model

    folder, _ = combined(study, made, weights)
    ids = torch.arange(60)[None]
    one = PeftModel.from_pretrained(load_model(study.base, "float32"), folder).eval()
    first, second = weights
    both = PeftModel.from_pretrained(
        load_model(study.base, "float32"), made[first][0], adapter_name=first
    )
    both.load_adapter(made[second][0], adapter_name=second)
    both.base_model.set_adapter([first, second])
    for part in both.modules():
        if isinstance(part, LoraLayer):
            for name in part.scaling:
                part.scaling[name] *= weights[name]
    with torch.no_grad():
        expected, found = both.eval()(ids).logits, one(ids).logits
        plain = load_model(study.base, "float32")(ids).logits
    assert (expected - found).abs().max() < 1e-4
    assert (expected - plain).abs().mean() > 0.05


def test_linear_adds_cross_terms(study, made):
    """Weights ½, ½: half of (B1 + B2)(A1 + A2), where the sum is half of B1 A1 + B2 A2."""
    from safetensors.numpy import load_file

    folder, facts = combined(study, made, PAIRS["same settings"], "linear")
    found = deltas(study, folder)
    one, two = (load_file(made[n][0] / "adapter_model.safetensors") for n in ("rte", "mnli"))
    for module, delta in found.items():
        a, b = (f"base_model.model.{module}.lora_{side}.weight" for side in "AB")
        formula = 16 / 8 * 0.5 * (one[b] + two[b]) @ (one[a] + two[a])
        np.testing.assert_allclose(delta, formula, atol=1e-5)
    exact = total(study, made, PAIRS["same settings"])
    assert facts["relative_distance"] == pytest.approx(distance(exact, found), rel=1e-4)
    assert facts["relative_distance"] > 0.5
    largest = max(np.abs(exact[key] - found[key]).max() for key in exact)
    assert facts["max_difference"] == pytest.approx(largest, rel=1e-4)


def test_linear_is_what_peft_makes_of_the_adapters_as_they_are(study, made):
    """Same rank, other scalings: what PEFT does by itself, but for the rsLoRA flag it copies."""
    from peft import PeftModel

    from snaketune.loading import load_model

    weights = {"rte": 0.75, "stable": -0.25}
    folder, _ = combined(study, made, weights, "linear")
    model = PeftModel.from_pretrained(
        load_model(study.base, "float32"), made["rte"][0], adapter_name="rte"
    )
    model.load_adapter(made["stable"][0], adapter_name="stable")
    model.add_weighted_adapter(list(weights), list(weights.values()), "sum", "linear")
    for key, delta in deltas(study, folder).items():
        part = model.get_submodule(f"base_model.model.{key}")
        np.testing.assert_allclose(delta, part.get_delta_weight("sum").detach(), atol=1e-5)


def test_svd_is_the_nearest_change_of_its_rank(study, made):
    weights = PAIRS["different rank and alpha"]
    exact = total(study, made, weights)
    full, facts = combined(study, made, weights, "svd", "svd-full", rank=12)
    assert distance(exact, deltas(study, full)) < 1e-5 and facts["rank"] == 12
    cut, facts = combined(study, made, weights, "svd", "svd-cut", rank=3)
    lost = sum((np.linalg.svd(d, compute_uv=False)[3:] ** 2).sum() for d in exact.values())
    all_of_it = sum((d**2).sum() for d in exact.values())
    best = np.sqrt(lost / all_of_it)  # Eckart and Young
    assert facts["relative_distance"] == pytest.approx(best, rel=1e-4)
    assert distance(exact, deltas(study, cut)) == pytest.approx(best, rel=1e-4)
    other = {"rte": 1.0, "mlp": -1.0}  # a rank over that of the modules of one alone
    wide, _ = combined(study, made, other, "svd", "svd-wide", rank=10)
    exact, found = total(study, made, other), deltas(study, wide)
    alone = [key for key in exact if "down_proj" in key or "q_proj" in key]
    assert distance({k: exact[k] for k in alone}, {k: found[k] for k in alone}) < 1e-5
    _, facts = combined(study, made, {"rte": 2.0}, "svd", "svd-one", rank=4)
    assert facts["rank"] == 4 and 0 < facts["relative_distance"] < 1
    _, facts = combined(study, made, weights, "svd", "svd-default")
    assert facts["rank"] == 8 and facts["ranks"] == {"rte": 8, "small": 4}


def test_svd_is_what_peft_makes_of_whole_products(study, made):
    from peft import PeftModel

    from snaketune.loading import load_model

    weights = PAIRS["different rank and alpha"]
    folder, _ = combined(study, made, weights, "svd", "svd-peft", rank=5)
    first, second = weights
    model = PeftModel.from_pretrained(
        load_model(study.base, "float32"), made[first][0], adapter_name=first
    )
    model.load_adapter(made[second][0], adapter_name=second)
    model.add_weighted_adapter(list(weights), list(weights.values()), "sum", "svd", svd_rank=5)
    for key, delta in deltas(study, folder).items():
        part = model.get_submodule(f"base_model.model.{key}")
        np.testing.assert_allclose(delta, part.get_delta_weight("sum").detach(), atol=1e-5)


@pytest.mark.parametrize("method", ["ties", "dare_linear"])
def test_equal_settings_make_equal_bytes(study, made, method):
    def weights(out, **more):
        return sha256_file(
            combined(study, made, PAIRS["same settings"], method, out, **more)[0]
            / "adapter_model.safetensors"
        )

    first = weights("first", seed=1)
    assert weights("again", seed=1) == first
    assert (weights("other", seed=2) == first) == (method == "ties")
    assert weights("denser", seed=1, density=0.9) != first


def test_dare_keeps_its_share_of_the_values(study, made):
    """A value of the result is nothing where both adapters' were dropped: with odds ¾ · ¾."""
    from safetensors.numpy import load_file

    folder, _ = combined(study, made, PAIRS["same settings"], "dare_linear", density=0.25)
    values = np.concatenate(
        [tensor.ravel() for tensor in load_file(folder / "adapter_model.safetensors").values()]
    )
    assert (values == 0).mean() == pytest.approx(0.75**2, abs=0.03)


def test_adapters_that_cancel_make_nothing(study, made):
    import shutil

    shutil.copytree(made["rte"][0], study.folder / "twin")
    recipe = study.recipe("twin")
    parts = {**made, "twin": (study.folder / "twin", recipe)}
    folder, facts = combined(study, parts, {"rte": 1.0, "twin": 0.0})
    assert distance(deltas(study, made["rte"][0]), deltas(study, folder)) < 1e-6
    _, facts = combined(study, parts, {"rte": 0.0, "twin": 0.0})
    assert facts["relative_distance"] is None and facts["cosine"] is None


def test_facts_say_what_was_combined(study, made):
    from snaketune.recipe import recipe_hash

    weights = PAIRS["same settings"]
    folder, facts = combined(study, made, weights, "dare_linear", "facts", density=0.8, seed=3)
    assert read_json(folder / "combination.json") == facts
    assert facts["model"] == "half" and facts["weights"] == weights
    assert (facts["density"], facts["seed"], facts["method"]) == (0.8, 3, "dare_linear")
    assert facts["recipe_hashes"] == {name: recipe_hash(made[name][1]) for name in weights}
    names = {path.name for path in folder.iterdir()}
    assert names == {"adapter_model.safetensors", "adapter_config.json", "combination.json"}
    newest = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert newest.name == "combination.json"
    assert {"seed", "density"}.isdisjoint(combined(study, made, weights)[1])


def test_the_hash_stands_for_method_weights_and_recipes(study, made):
    from snaketune.combining import combination_hash

    recipes = {"rte": "aaa", "mnli": "bbb"}
    plain = Combination(weights={"rte": 0.5, "mnli": 0.5})
    first = combination_hash(plain, recipes)
    assert len(first) == 12 and int(first, 16) >= 0
    unread = plain.model_copy(update={"seed": 5, "density": 0.1})
    assert combination_hash(unread, recipes) == first
    others = [
        combination_hash(plain.model_copy(update={"method": "linear"}), recipes),
        combination_hash(Combination(weights={"rte": 0.4, "mnli": 0.6}), recipes),
        combination_hash(plain, {**recipes, "rte": "ccc"}),
    ]
    assert len({first, *others}) == 4


REFUSED = {
    "linear adds A and B apart.*'rte' 8, 'small' 4.*cat": ({"rte": 1, "small": 1}, "linear", {}),
    "'dora' .* DoRA adapter": ({"rte": 1, "dora": 1}, "cat", {}),
    "rank: 17 is more than .* together, 16": ({"rte": 1, "mnli": 1}, "svd", {"rank": 17}),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_summed_is_refused(study, made, message):
    weights, method, more = REFUSED[message]
    with pytest.raises(UserError, match=message):
        combined(study, made, weights, method, "refused", **more)
    assert not (study.folder / "refused").exists()


def test_an_adapter_of_another_base_is_refused(study, made):
    recipe = study.recipe("elsewhere", base="qwen")
    with pytest.raises(UserError, match="'elsewhere' was trained on base 'qwen', not on 'tiny'"):
        combined(study, {**made, "elsewhere": (made["rte"][0], recipe)}, {"elsewhere": 1})


def test_recipes_must_be_those_of_the_weights(study, made):
    parts = {**made, "mnli": made["rte"]}
    with pytest.raises(UserError, match="names rte, mnli; the recipes are those of rte, rte"):
        combined(study, parts, PAIRS["same settings"])


def test_an_adapter_that_does_not_fit_the_base_is_refused(study, made, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "rte"
    shutil.copytree(made["rte"][0], folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors = {name.replace("layers.1", "layers.7"): value for name, value in tensors.items()}
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"does not fit base 'tiny'.*layers\.7\..* no such module"):
        combined(study, {**made, "rte": (folder, made["rte"][1])}, {"rte": 1})


def test_a_diverged_adapter_is_named(study, made, tmp_path):
    import shutil

    from safetensors.numpy import load_file, save_file

    folder = tmp_path / "rte"
    shutil.copytree(made["rte"][0], folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors[sorted(tensors)[0]][0, 0] = np.nan
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(UserError, match=r"layers\.0\..* no numbers: its training diverged"):
        combined(study, {**made, "rte": (folder, made["rte"][1])}, {"rte": 1})


def test_a_damaged_adapter_is_named_and_removed(study, made, tmp_path):
    import shutil

    folder = tmp_path / "rte"
    shutil.copytree(made["rte"][0], folder)
    file = folder / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(UserError, match=r"rte/adapter_model\.safetensors was cut off"):
        combined(study, {**made, "rte": (folder, made["rte"][1])}, {"rte": 1})
    assert not file.exists()
    with pytest.raises(
        UserError, match=r"is not an adapter: adapter_model\.safetensors is missing"
    ):
        combined(study, {**made, "rte": (folder, made["rte"][1])}, {"rte": 1})


def test_a_wrong_sum_is_not_written(study, made, monkeypatch):
    """As if PEFT took other weights than were asked for."""
    from peft.tuners.lora import LoraModel

    whole = LoraModel.add_weighted_adapter

    def wrong(self, adapters, weights, *rest, **more):
        return whole(self, adapters, [1.001 * w for w in weights], *rest, **more)

    monkeypatch.setattr(LoraModel, "add_weighted_adapter", wrong)
    with pytest.raises(UserError, match=r"cat is not the sum.*0\.001 of it"):
        combined(study, made, PAIRS["same settings"], out="wrong")
    assert not [path for path in study.folder.iterdir() if "wrong" in path.name]


@pytest.mark.slow
def test_the_script_combines(study, made):
    combined = {
        "model": "half",
        "combine": {"weights": {"rte": 0.5, "mnli": 0.5}},
        "base": str(study.source),
        "adapters": [str(made[name][0]) for name in ("rte", "mnli")],
        "recipes": [str(made[name][1]) for name in ("rte", "mnli")],
        "out": str(study.folder / "script"),
    }
    words = [*command("combine_adapters"), "--settings", json.dumps({"sums": [combined]})]
    assert "cat, rank 16: 0 % away from the exact sum (cosine 1.000000)" in run(words)
    assert read_json(study.folder / "script/combination.json")["method"] == "cat"
