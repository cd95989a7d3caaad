#!/usr/bin/env bash
# Version: MNN 3.6.1, NumPy 2.4.6, Python 3.11, Linux on x86-64
# Behaviour: Importing its converter, MNN.tools.mnnconvert, runs `pip install -U aliyun-log-python-sdk`, by whichever pip is first on PATH, which need not be that of the interpreter. The package is a client of a log service, for reports of usage.
# Output seen: install -U aliyun-log-python-sdk, twice
# Why one guesses wrong: An import changes no environment; and the package names what it needs, so installing it with all pins seems to be enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install MNN==3.6.1 numpy==2.4.6
# A pip that installs nothing and writes down what it is asked for. The client is then missing, so nothing can be sent.
mkdir "$folder/bin"
printf '#!/bin/sh\necho "$@" >>"%s/asked"\n' "$folder" >"$folder/bin/pip"
chmod +x "$folder/bin/pip"
cd "$folder"
touch asked
PATH="$folder/bin:$PATH" venv/bin/python -c "import MNN.tools.mnnconvert" >log 2>&1 || true
cat asked
grep -qx "install -U aliyun-log-python-sdk" asked || { echo "the behaviour has changed" >&2; exit 1; }
