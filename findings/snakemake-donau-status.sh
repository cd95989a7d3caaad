#!/usr/bin/env bash
# Version: Snakemake 9.27.1, snakemake-executor-plugin-donau 0.1.3, Python 3.11
# Behaviour: A djob that fails once (here: as if the scheduler did not answer) means that the job has succeeded; the next job reads what is half written.
# Output seen: copy.txt: half, exit status 0; after the job's end slow.txt: half whole
# Why one guesses wrong: The plugin has a branch for failed queries, but it is reached only where djob cannot be started; a failing djob and an unknown job are one to it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install snakemake==9.27.1 snakemake-executor-plugin-donau==0.1.3
cd "$folder"
# Stand-ins for the scheduler: dsub starts the command at once and prints its number; djob fails.
mkdir bin
cat >bin/dsub <<'COMMAND'
#!/usr/bin/env bash
nohup bash -c "${!#}" >/dev/null 2>&1 &
echo "Submit job <$!> successfully"
COMMAND
cat >bin/djob <<'COMMAND'
#!/usr/bin/env bash
echo "cannot connect to the scheduler" >&2
exit 1
COMMAND
chmod +x bin/dsub bin/djob
cat >Snakefile <<'RULES'
rule copy:
    input: "slow.txt"
    output: "copy.txt"
    localrule: True
    shell: "cp {input} {output}"
rule slow:
    output: "slow.txt"
    shell: "printf half > {output}; for i in $(seq 300); do test -e copy.txt && break; sleep 0.2; done; printf ' whole' >> {output}"
RULES
PATH="$PWD/bin:$PWD/venv/bin:$PATH" snakemake --executor donau --jobs 1 copy.txt >log 2>&1 || { cat log; exit 1; }
echo "copy.txt: $(cat copy.txt)"
test "$(cat copy.txt)" = half || { echo "the behaviour has changed"; exit 1; }
while ! grep -q whole slow.txt; do sleep 0.2; done
echo "slow.txt: $(cat slow.txt)"
