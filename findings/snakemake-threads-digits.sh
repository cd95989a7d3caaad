#!/usr/bin/env bash
# Version: Snakemake 9.27.1, NumPy 2.4.1 (with its OpenBLAS), Python 3.11, x86_64 with 2 processors or more
# Behaviour: A rule of `threads: 2` gives another last digit with `--cores 1` than with `--cores 2`, though its program starts no thread of its own: Snakemake exports OPENBLAS_NUM_THREADS (with OMP_NUM_THREADS and others) as the threads that the rule got, and OpenBLAS adds up a large `np.dot` in as many parts. Without Snakemake it is the number of processors that decides.
# Output seen: --cores 1: OPENBLAS_NUM_THREADS 1, 0x1.869a2ce678df1p+16; --cores 2: OPENBLAS_NUM_THREADS 2, 0x1.869a2ce678df8p+16 (the last digits depend on the processor); products of 8,192 numbers added up: the same by both
# Why one guesses wrong: `--cores` says how many jobs run at once and is no input, parameter or code of a rule, so nothing is made again when it changes; a dot product of two vectors seems too small a thing to be spread over threads.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install snakemake==9.27.1 numpy==2.4.1
cd "$folder"
cat >sum.py <<'CODE'
import os
import numpy as np

numbers = np.random.RandomState(0).uniform(size=300000)
parts = sum(float(np.dot(numbers[at : at + 8192], numbers[at : at + 8192])) for at in range(0, len(numbers), 8192))
print("OPENBLAS_NUM_THREADS", os.environ.get("OPENBLAS_NUM_THREADS"))
print("whole", float(np.dot(numbers, numbers)).hex())
print("parts", parts.hex())
CODE
cat >Snakefile <<'RULES'
rule all:
    output: "sum.txt"
    threads: 2
    shell: "venv/bin/python sum.py > {output}"
RULES
for cores in 1 2; do
    venv/bin/snakemake --cores "$cores" --forceall >log 2>&1 || { cat log; exit 1; }
    mv sum.txt "$cores.txt"
    echo "--cores $cores:" $(cat "$cores.txt")
done
said() { grep "$1" "$2.txt"; }
test "$(said OPENBLAS 1)" = "OPENBLAS_NUM_THREADS 1"
test "$(said OPENBLAS 2)" = "OPENBLAS_NUM_THREADS 2"
test "$(said whole 1)" != "$(said whole 2)"
test "$(said parts 1)" = "$(said parts 2)"
