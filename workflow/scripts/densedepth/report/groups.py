"""Groups of runs that are equal in all settings but their seed: several trainings of one kind."""

import dataclasses
import json
import re
from typing import Dict, List

from .. import run_settings
from ..evaluation import documents
from ..evaluation.metric_table import Metric
from .findings import Findings, Run


@dataclasses.dataclass(frozen=True)
class Group:
    """One run or more. settings: {dotted key: value as JSON}, those of its first run."""

    runs: List[Run]
    settings: Dict[str, str]

    @property
    def label(self) -> str:
        """What the report calls it: its runs, all of them up to three; those of a sweep without their seeds."""
        names = [run.name for run in self.runs]
        if len(names) == 1:
            return names[0]
        of_sweep = {re.sub(r"-seed_\d+$", "", name) for name in names}
        if len(of_sweep) == 1:
            return "{} ({} seeds)".format(of_sweep.pop(), len(names))
        shown = ", ".join(names) if len(names) <= 3 else "{} … {}".format(names[0], names[-1])
        return "{} ({} seeds)".format(shown, len(names))

    def figures(self, metric: Metric) -> List[float]:
        """A figure of the exported checkpoint of each run."""
        return [run.exported().number("metrics", metric.key) for run in self.runs]

    def blocks(self) -> List[Dict[str, object]]:
        """What the evaluations of these checkpoints hold of the protocol `port`."""
        return [documents.blocks(run.exported().content)["port"] for run in self.runs]


def of(findings: Findings) -> List[Group]:
    """The groups in the order of their first runs; each run is in one. A run of unknown settings is one by itself."""
    found: Dict[str, Group] = {}
    for run in findings.runs:
        settings = settings_of(findings, run)
        alike = {name: value for name, value in settings.items() if name != "seed"}
        known = run.name in findings.settings.get("runs", {})
        key = json.dumps(alike if known else run.name, sort_keys=True)
        found.setdefault(key, Group([], settings)).runs.append(run)
    return list(found.values())


def settings_of(findings: Findings, run: Run) -> Dict[str, str]:
    """{dotted key: value as JSON} of all settings of a run."""
    return dict(run_settings.leaves(run_settings.of_run(findings.settings, run.name)))
