#!/usr/bin/env bash
# Version: Snakemake 9.27.1, snakemake-executor-plugin-kubernetes 0.5.1, Python 3.11
# Behaviour: --shared-fs-usage, even if it names everything, is dropped where the executor is Kubernetes: a call with a persistent volume for all files ends with the demand for object storage.
# Output seen: Error: If no shared filesystem is assumed for input and output files, a default storage provider
# Why one guesses wrong: The plugin has --kubernetes-persistent-volumes, which mounts one file system in all pods, and the error names the very assumption that --shared-fs-usage was to change; no line says that it was not heeded.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install snakemake==9.27.1 snakemake-executor-plugin-kubernetes==0.5.1
cd "$folder"
cat >Snakefile <<'RULES'
rule one:
    output: "one.txt"
    shell: "touch {output}"
RULES
usage="persistence input-output sources source-cache storage-local-copies software-deployment"
call="venv/bin/snakemake --dry-run --jobs 1"
# What the same flags do on another executor.
$call --shared-fs-usage $usage >log 2>&1 || { cat log; exit 1; }
if $call --executor kubernetes --kubernetes-persistent-volumes work:/work --shared-fs-usage $usage >log 2>&1; then
    echo "the behaviour has changed"
    exit 1
fi
grep -o "Error: If no shared filesystem is assumed for input and output files, a default storage provider" log
