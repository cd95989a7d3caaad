"""Regular expressions for exactly some names, which stay short however many these are."""

import re
from typing import Dict, Iterable, List, Set


def one_of(names: Iterable[str]) -> str:
    """A pattern for exactly these names, empty without any: what they have in common stands in it once.

    Snakemake looks through the pattern for each file of each job, so that one as long as the names would make planning
    take the square of their number. There are no braces in it, which Snakemake takes for its own.
    """
    rests: Dict[str, Set[str]] = {}
    for name in names:
        rests.setdefault(name[:1], set()).add(name[1:])
    optional = rests.pop("", None) is not None
    # {what may follow: the characters that it follows}.
    alike: Dict[str, List[str]] = {}
    for first in sorted(rests):
        alike.setdefault(one_of(rests[first]), []).append(re.escape(first))
    parts = [("[{}]" if len(firsts) > 1 else "{}").format("".join(firsts)) + rest for rest, firsts in alike.items()]
    if len(parts) < 2 and not (optional and parts):
        return "".join(parts)
    return "(?:{}){}".format("|".join(parts), "?" if optional else "")
