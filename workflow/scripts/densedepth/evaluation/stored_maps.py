"""Depth maps that another program predicted for the images of a test set, stored as `stored_arrays` finds them."""

from typing import TYPE_CHECKING, Any, Dict, Optional

import numpy as np

from . import alignment
from .predicted import Predicted
from .stored_arrays import Arrays

if TYPE_CHECKING:
    from ..data.test_archive import TestSet


class Maps(Arrays, Predicted):
    """The maps of a test set, with what their values mean (`unit`) and how they are aligned. A context manager."""

    def __init__(self, path: str, test_set: "TestSet", unit: str, alignment_name: str) -> None:
        """As of `Arrays`; also for a unit and an alignment that do not go together."""
        alignment.check(unit, alignment_name)
        self.unit = unit
        self.alignment = alignment_name
        super().__init__(path, test_set)

    def describe(self) -> Dict[str, Any]:
        """What was scored, as JSON: kind, path, unit, and how maps and images were matched."""
        return {"kind": "stored", "path": self.path, "unit": self.unit, "matched_by": self.matched_by}

    def values(self, index: int, rgb: Optional[np.ndarray] = None) -> np.ndarray:
        """The map of image `index` as it is stored: (height, width) of any size, in `unit`.

        Raises PipelineError for a map that cannot be read, has another shape, or values that cannot be.
        """
        return self._checked(self.array(index), index)
