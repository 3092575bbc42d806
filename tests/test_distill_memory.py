"""Distilling any number of records takes little memory."""

import json
import subprocess
import sys

import pytest
from tuning import SCRIPTS

pytestmark = pytest.mark.slow

MEMORY = """
import json, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
from test_distilling import Place, record, served
from snaketune.chat.exchange import Exchange
from snaketune.chat.wire import Body, Choice, Usage
from snaketune.distilling import Settings, distill
from snaketune.files import write_jsonl

async def post(self, body):
    label = "相同" if body["seed"] % 4 else "说不清"
    text = f"推理过程：句子1问花呗怎么还款，句子2问怎么还花呗，意图相同。\\n结论：{label}"
    return Body("m", (Choice(text, None, "stop", 40),), Usage(50, 40, False), "")

Exchange.post = post
class Nowhere:
    address = "http://127.0.0.1:9/v1"
place, count = Place(Path(sys.argv[2])), int(sys.argv[3])
write_jsonl(place.paths()["records"], (record(number) for number in range(count)))
found = distill(Settings.model_validate(served(Nowhere, {"concurrency": 64})), **place.paths())
assert found["kept"] > 0.95 * count and found["bought"] > 1.1 * count
# not getrusage's: that one begins with what the parent held when it forked
status = Path("/proc/self/status").read_text()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def test_memory_does_not_grow_much_with_the_number_of_records(tmp_path):
    """In MB: at most 1.6 KB a record, where records with their texts would take 4."""
    paths, peaks = json.dumps([str(SCRIPTS), str(SCRIPTS.parent / "tests")]), []
    for count in (500, 5_500):
        (tmp_path / str(count)).mkdir()
        command = [sys.executable, "-c", MEMORY, paths, str(tmp_path / str(count)), str(count)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        peaks.append(float(done.stdout))
    assert peaks[1] - peaks[0] < 8
