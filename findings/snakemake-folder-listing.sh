#!/usr/bin/env bash
# Version: Snakemake 9.27.1, Python 3.11
# Behaviour: Snakemake lists a folder once while it plans. A file that an input function writes into that folder afterwards is missing to it, although the file is there.
# Output seen: a.out: planned; b.out: planned; a.out b.out: MissingInputException, for a file that is there
# Why one guesses wrong: the file is on the disk when the function returns its name, and a trial with one target works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install snakemake==9.27.1
cd "$folder"
cat >Snakefile <<'RULES'
import os

def written(wildcards):
    path = "lists/" + wildcards.name + ".txt"
    os.makedirs("lists", exist_ok=True)
    with open(path, "w") as stream:
        stream.write("x\n")
    return path

rule make:
    output: "{name}.out"
    input: written
    shell: "cp {input} {output}"
RULES
plan() { rm -rf .snakemake lists; venv/bin/snakemake --cores 1 --dry-run "$@" >log 2>&1 && echo planned || grep -o MissingInputException log; }
a=$(plan a.out)
b=$(plan b.out)
both=$(plan a.out b.out)
echo "a.out: $a; b.out: $b; a.out b.out: $both"
test "$a" = planned
test "$b" = planned
test "$both" = MissingInputException
missing=$(grep -o "lists/[ab].txt" log | head -n 1)
echo "$missing is said to be missing: $(ls "$missing")"
