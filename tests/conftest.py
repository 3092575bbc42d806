"""What several tests share."""

import importlib.util
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from workflow import Project

pytest.register_assert_rewrite("conformance")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="session")
def random_base(tmp_path_factory) -> Path:
    """Folder of a tiny Qwen3 with random weights, a byte-level tokenizer and ChatML."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM, set_seed

    torch.set_num_threads(1)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    core = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, []))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=["<|im_start|>"],
        chat_template=CHATML,
    )
    set_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokens),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("random-base")
    Qwen3ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pytest_collection_modifyitems(items):
    """The long ones first, so that the workers end together, and a file's tests by one worker,
    which makes their fixtures once; tests of the demo, which all workers share, go to any."""
    items.sort(key=lambda item: -2 * _of_the_demo(item) - _is_slow(item))
    for marker, package in (("vllm", "vllm"), ("gptq", "gptqmodel")):
        if importlib.util.find_spec(package) is None:
            for item in filter(lambda item: item.get_closest_marker(marker), items):
                item.add_marker(pytest.mark.skip(reason=f"{package} is not installed"))
    for item in items:
        if not _of_the_demo(item) and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


def _of_the_demo(item) -> bool:
    return bool({"demo", "changed"} & set(item.fixturenames))


def _is_slow(item) -> bool:
    return item.get_closest_marker("slow") is not None


@pytest.fixture(scope="session")
def demo(tmp_path_factory, worker_id) -> Project:
    """The demo, run once from a fresh copy of the project, whatever the number of workers."""
    shared = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        shared = shared.parent
    folder, done = shared / "the-demo", shared / "the-demo.done"
    with FileLock(shared / "the-demo.lock"):
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            Project.copied(folder).snakemake("--cores", "all")
            done.touch()
    return Project(folder)


@pytest.fixture
def changed(demo, tmp_path) -> Project:
    """A copy of the finished demo that a test may change, times of files and memory included."""
    folder = tmp_path / "copy"
    shutil.copytree(demo.folder, folder, symlinks=True)
    return Project(folder)
