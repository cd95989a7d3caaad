"""How fast a training is, with how much memory, and how well it scales: the figures of performance.json."""

from typing import Optional

from .. import files, metadata, progress
from ..errors import PipelineError
from ..network.checkpoints import Checkpoint

# What the measurement of one device must hold to compare others with it.
_SCHEMA = {
    "model": {},
    "size": [object],
    "runtime": {},
    "performance": {
        "world_size": metadata.COUNT,
        "images_per_second": metadata.Number(1e-9),
        "device": object,
        "precision": object,
        "batch_size": metadata.COUNT,
    },
}


def write(path: str, name: str, checkpoint: Checkpoint, single: Optional[str] = None) -> None:
    """Write the speed of the steps that led to `checkpoint` to `path`, for the run `name`.

    single: such a file of one device, or None; where it was measured under the same circumstances, the scaling
    efficiency is written too: images/s of each device as a share of those of one alone. Raises PipelineError when no
    step was timed.
    """
    side = checkpoint.side
    speed = dict(side["performance"])
    if "step_ms" not in speed:
        raise PipelineError(
            "--performance: {} steps are too few, the first are not timed".format(side["training"]["steps"])
        )
    speed["images_per_second_per_device"] = speed["images_per_second"] / speed["world_size"]
    facts = {key: side[key] for key in ("model", "size", "runtime")}
    document = dict(facts, format=1, run=name, performance=speed)
    alone = _alone(single, document) if single else None
    if alone:
        speed["scaling_efficiency"] = speed["images_per_second_per_device"] / alone
    files.write_json(path, document)
    progress.line(
        "{}: {step_ms:.0f} ms/step, {images_per_second:.2f} images/s on {world_size} device(s)".format(path, **speed)
    )


def _alone(path, document):
    """images/s of one device, measured under the same circumstances as `document`, or None."""
    other = metadata.read(path, _SCHEMA)
    if other["performance"]["world_size"] != 1 or _circumstances(other) != _circumstances(document):
        progress.line("{}: of another network, batch or machine, so no scaling efficiency is given".format(path))
        return None
    return other["performance"]["images_per_second"]


def _circumstances(document):
    speed = document["performance"]
    same = [document["model"], document["size"], document["runtime"]]
    return same + [speed[key] for key in ("device", "precision", "batch_size")]
