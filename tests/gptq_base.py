"""Makes a base in GPTQ out of a small model, on the CPU: python gptq_base.py MODEL OUT.

A program, since gptqmodel writes its logs into the working directory and starts pools of threads as
wide as the machine, of which it wants more than two processors give.
"""

import os
import sys

os.cpu_count = lambda: 8

import torch  # noqa: E402  (after the count that they go by)
from gptqmodel import GPTQModel, QuantizeConfig  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402


def main(model: str, out: str) -> None:
    torch.set_num_threads(1)
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = [
        f"给定一句话：“青岛{month}月{day}日的天气”，请你按步骤要求工作。"
        for month in range(1, 13)
        for day in (1, 9, 17, 25)
    ]
    # packed by torch: the faster way is compiled at its first use, which takes longer than it saves
    settings = QuantizeConfig(bits=4, group_size=128, pack_impl="original", offload_to_disk=False)
    made = GPTQModel.load(model, settings, device="cpu")
    made.quantize([dict(tokenizer(text)) for text in texts], batch_size=8)
    made.save(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
