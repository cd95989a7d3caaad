"""Write the graph of the rules into docs/stages.md: `make docs`, or with --check only say whether it is up to date.

    .venv/workflow/bin/python docs/rule_graph.py

Run it from the root of the repository. Snakemake gives the graph with numbers and colours that differ from call to
call; here rules go by their names, in order.
"""

import re
import subprocess
import sys

PAGES = ("docs/stages.md",)
BEGIN, END = "<!-- rule graph: made by `make docs` -->\n", "<!-- end of the rule graph -->\n"


def graph():
    """The rules and what feeds what, as Mermaid text."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "--forceall", "all"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", text))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", text)}
    # Every rule of the way is somebody's input; `all` only gathers.
    lines = ["    {} --> {}".format(a, b) for a, b in sorted(edges) if b != "all"]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```", ""])


def main():
    made, stale = graph(), []
    for page in PAGES:
        with open(page, encoding="utf-8") as stream:
            text = stream.read()
        head, _, rest = text.partition(BEGIN)
        _, end, tail = rest.partition(END)
        if not end:
            sys.exit("{}: no place for the rule graph ({})".format(page, BEGIN.strip()))
        new = head + BEGIN + made + END + tail
        if new != text:
            stale.append(page)
            if "--check" not in sys.argv:
                with open(page, "w", encoding="utf-8") as stream:
                    stream.write(new)
    if stale and "--check" in sys.argv:
        sys.exit("{}: the rule graph is not that of the rules; `make docs` writes it".format(", ".join(stale)))


if __name__ == "__main__":
    main()
