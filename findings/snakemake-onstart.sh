#!/usr/bin/env bash
# Version: Snakemake 9.27.1, Python 3.11
# Behaviour: The onstart handler of a workflow that another one uses as a module is never called, nor are onsuccess and onerror; and a dry run calls no handler, also of the workflow itself.
# Output seen: alone: onstart onsuccess; as a module: nothing; dry run: nothing
# Why one guesses wrong: `use rule * from` takes over all rules, and configfile, functions and includes of the module's Snakefile are all evaluated; a check in onstart that must stop a call seems a place that no call gets around.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install snakemake==9.27.1
cd "$folder"
mkdir inner
cat >inner/Snakefile <<'RULES'
def note(word):
    with open("called", "a") as stream:
        stream.write(word + " ")

rule all:
    input: "out.txt"
rule make:
    output: "out.txt"
    shell: "touch {output}"
onstart: note("onstart")
onsuccess: note("onsuccess")
onerror: note("onerror")
RULES
cat >Snakefile <<'RULES'
module inner:
    snakefile: "inner/Snakefile"
use rule * from inner
RULES
called() {
    rm -f called out.txt
    venv/bin/snakemake --cores 1 all "$@" >log 2>&1 || { cat log; exit 1; }
    cat called 2>/dev/null || echo nothing
}
alone=$(called --snakefile inner/Snakefile)
module=$(called)
test -e out.txt
dry=$(called --snakefile inner/Snakefile --dry-run)
echo "alone: $alone; as a module: $module; dry run: $dry"
test "${alone% }" = "onstart onsuccess"
test "$module" = nothing
test "$dry" = nothing
