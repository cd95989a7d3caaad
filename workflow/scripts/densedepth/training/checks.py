"""What stops a training that has gone wrong: a loss that is not finite, repeated overflow, no valid depth."""

from typing import Any, Dict

import numpy as np

from ..data import records, training_input
from ..errors import PipelineError
from ..platforms.base import Platform
from .settings import Settings
from .step_graph import LOSS_PARTS

# Steps in a row that are skipped, after which no more are tried. From the largest float32 scale down to 1 are 128.
_MOST_SKIPPED = 200

# Steps in a row without a valid target depth, after which no more are tried; fewer where an epoch has fewer.
_MOST_WITHOUT_DEPTH = 20


class Checks:
    """Looks at the fetched values of each step.

    steps_without_depth: steps in a row, up to the last one, without a valid target depth; a snapshot keeps it.
    """

    def __init__(self, settings: Settings, index: records.RecordIndex, platform: Platform) -> None:
        self._settings = settings
        self._index = index
        self._platform = platform
        self._skipped_in_a_row = 0
        self.steps_without_depth = 0

    def examine(self, position: int, values: Dict[str, Any]) -> Dict[str, float]:
        """The figures of the step that ended at `position`, {name: float}, from the `values` of `StepGraph.run`.

        Raises PipelineError with epoch, step and samples when a figure is not finite, when there has been no valid
        target depth for too long, and when loss scaling has skipped too many steps in a row.
        """
        skipped = float(values["figures"].get("skipped", 0))
        self._refuse_endless_overflow(skipped, values["figures"])
        if skipped:
            # The overflow of a step that was not applied. At a scale of 1 loss scaling is not the cause, whatever the
            # norm says: devices that compute in saturation know neither inf nor nan.
            values["gradient_norm"] = 0.0 if values["figures"]["loss_scale"] > 1 else np.inf
        self._refuse_non_finite(position, values)
        figures = {name: float(values[name]) for name in LOSS_PARTS}
        figures["skipped"] = skipped
        if "without_depth" in values:
            figures["batches_without_depth"] = self._without_depth(position, values)
        return figures

    def _refuse_endless_overflow(self, skipped, figures):
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if skipped else 0
        if self._skipped_in_a_row > _MOST_SKIPPED:
            raise PipelineError(
                "{} steps in a row overflowed at a loss scale of {:g} and were not applied; lower the loss scale, or "
                "look for the operation that overflows (docs/ascend.md)".format(_MOST_SKIPPED, figures["loss_scale"])
            )

    def _refuse_non_finite(self, position, values):
        for name in LOSS_PARTS:
            if not np.isfinite(values[name]):
                raise PipelineError(
                    "{}: {} is {}; samples {}. Nothing was overwritten; look at these samples, or lower "
                    "the learning rate".format(
                        self._step(position), name, values[name], self._samples(values["records"])
                    )
                )

    def _without_depth(self, position, values):
        """The number of batches in this step, one of each rank, without a valid target depth; many such steps stop."""
        batches = round(float(values["without_depth"]) * self._platform.size)
        if batches < self._platform.size:
            self.steps_without_depth = 0
            return batches
        self.steps_without_depth += self._platform.steps_per_run
        if self.steps_without_depth >= min(_MOST_WITHOUT_DEPTH, self._settings.steps):
            advice = "look at the depth of {}".format(self._samples(values["records"]))
            if self._settings.halving == "pick":
                advice = (
                    "every second pixel is taken, and the valid ones lie between: use data.target_downsampling: area "
                    "(--halving)"
                )
            raise PipelineError(
                "{}: no valid target depth in {} steps in a row; {}".format(
                    self._step(position), self.steps_without_depth, advice
                )
            )
        return batches

    def _step(self, position):
        epoch, step = divmod(position - 1, self._settings.steps)
        return "epoch {} step {}".format(epoch + 1, step + 1)

    def _samples(self, records):
        return ", ".join(training_input.sample_name(self._index, record) for record in records)
