"""Small studies for the tests that train, merge and ask: records, recipes, scripts as processes."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from snaketune.files import digest, write_json, write_jsonl
from snaketune.folders import list_files
from snaketune.recipe import write_recipe

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
CITIES = ("北京", "上海", "广州", "深圳", "青岛", "成都", "武汉")
PROMPT = {"user": "\n给定一句话：“{sentence}”\n"}


def weather_records(count: int, seed: int = 0) -> list[dict]:
    """Weather sentences with their gold answers."""
    draw = random.Random(seed)
    records = []
    for index in range(count):
        city, month, day = draw.choice(CITIES), draw.randint(1, 12), draw.randint(1, 28)
        records.append(
            {
                "id": f"r{seed}-{index}",
                "fields": {"sentence": f"{city}{month}月{day}日的天气"},
                "label": {"city": city, "date": f"{month:02d}-{day:02d}"},
                "group": city,
            }
        )
    return records


class Study:
    """A folder with a base's source.json, records, and recipes on demand."""

    def __init__(self, folder: Path, base: Path, train: int = 48, validation: int = 12):
        self.folder, self.base = folder, base
        self.source = folder / "source.json"
        files = list_files(base, sorted(path.name for path in base.iterdir()))
        write_json(
            self.source,
            {
                "name": "tiny",
                "source": "local",
                "path": str(base),
                "files": files,
                "sha256": digest(files),
                "trust_remote_code": False,
            },
        )
        self.train, self.validation = folder / "train.jsonl", folder / "validation.jsonl"
        write_jsonl(self.train, weather_records(train, seed=1))
        write_jsonl(self.validation, weather_records(validation, seed=2))

    def recipe(self, name: str = "lora", quantized: bool = False, **changes) -> Path:
        """Write a recipe of 12 short steps; `changes` are keys of training, lora or the adapter."""
        training = {
            "learning_rate": 5e-3,
            "max_steps": 12,
            "max_length": 160,
            "logging_steps": 2,
            "eval_steps": 4,
            "save_steps": 4,
            **changes.pop("training", {}),
        }
        adapter = {"base": "tiny", "dataset": "d", "dtype": "float32", "training": training}
        if quantized:
            adapter["quantization"] = {"bnb_4bit_compute_dtype": "float32"}
        path = self.folder / f"{name}.yaml"
        write_recipe(
            {"study": "weather", "name": name, "adapter": adapter | changes, "prompt": PROMPT}, path
        )
        return path

    def train_command(self, recipe: Path, out: str) -> list[str]:
        """Command line of train_adapter."""
        return command(
            "train_adapter",
            recipe=recipe,
            base=self.source,
            train=self.train,
            validation=self.validation,
            out=self.folder / out,
            checkpoints=self.folder / f"checkpoints-{out}",
        )

    def train_in_process(self, recipe: Path, out: str) -> dict:
        """Train here and now; returns the metrics."""
        from snaketune.training import train

        return train(
            recipe,
            self.source,
            self.train,
            self.validation,
            self.folder / out,
            self.folder / f"checkpoints-{out}",
        )


def weights(folder: Path) -> dict:
    """Tensors of an adapter."""
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


def assert_same_weights(one: Path, other: Path) -> None:
    """Two adapters have equal bits."""
    import torch

    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def command(script: str, **options) -> list[str]:
    """Command line of a script, on one CPU thread."""
    words = [sys.executable, str(SCRIPTS / f"{script}.py"), "--threads", "1"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    return words


def on_devices(count: int, words: list[str]) -> list[str]:
    """The command as `count` processes that train together, on as many CPU threads."""
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *("--nproc-per-node", str(count), "--"),  # else it would take our --log for its own
        *words[1:],
    ]


def run(words: list[str]) -> str:
    """Run a command that must succeed; returns what it says on standard error."""
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=one_thread)
    assert done.returncode == 0, done.stderr
    return done.stderr


def kill_when(words: list[str], moment: Callable[[], bool], timeout: float = 300) -> None:
    """Start a command and end it with SIGKILL as soon as `moment()` is true."""
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + timeout
    while not moment():
        assert process.poll() is None, "the command ended before it could be killed"
        assert time.monotonic() < deadline, "the moment never came"
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
