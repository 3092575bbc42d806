#!/usr/bin/env bash
# Run by Snakemake in the new environment. The pins of requirements-gptq.lock, without dependencies,
# which an environment's file cannot say: gptqmodel asks for newer ones than it needs.
set -euo pipefail

python -m pip install --no-deps \
    defuser==0.0.28 \
    device-smi==0.5.7 \
    gptqmodel==7.7.0 \
    logbar==0.4.15 \
    optimum==2.3.0 \
    pillow==13.0.0 \
    pypcre==0.6.4 \
    tokenicer==0.0.14
