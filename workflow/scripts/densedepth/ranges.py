"""Legal ranges of numbers: of settings, by their keys in the schema, and of flags that have no key.

The interpreters with TensorFlow read no YAML, so the programs take the schema's ranges from here; a test compares the
two. The keywords are those of JSON Schema.
"""

import math
from typing import Any, Dict, Optional

_COUNT = {"type": "integer", "minimum": 1}
_EPOCH = {"type": "integer", "minimum": 1, "maximum": 10000}
_STEPS = {"type": "integer", "minimum": 1, "maximum": 10000000}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_CHANGE = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
_BATCH = {"type": "integer", "minimum": 1, "maximum": 1024}
_SIDE = {"type": "integer", "minimum": 32, "maximum": 4096, "multipleOf": 32}
_SEED = {"type": "integer", "minimum": 0, "maximum": 2147483647}
_RATE = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_METRES = {"type": "number", "exclusiveMinimum": 0.1, "maximum": 1000}

SETTINGS: Dict[str, Dict[str, Any]] = {
    "seed": _SEED,
    "sample.seed": _SEED,
    "sample.train_scenes": {"type": "integer", "minimum": 1, "maximum": 100000},
    "sample.test_scenes": {"type": "integer", "minimum": 1, "maximum": 10000},
    "data.custom.metres_per_unit": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
    "data.custom.test_metres_per_unit": {"type": "number", "minimum": 0, "maximum": 1000},
    "data.custom.raw_size": {"type": "integer", "minimum": 1, "maximum": 32768},
    "data.custom.also_invalid": {"type": "number"},
    "data.custom.intrinsics": {"type": "number"},
    "data.custom.max_depth": _METRES,
    "data.custom.invalid": {"type": "number"},
    "data.custom.test_share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    "data.custom.time_tolerance": {"type": "number", "exclusiveMinimum": 0, "maximum": 10},
    "data.validation.share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "data.shards": {"type": "integer", "minimum": 1, "maximum": 1024},
    "data.skip_bad": {"type": "integer", "minimum": 0, "maximum": 1000000},
    "data.height": _SIDE,
    "data.width": _SIDE,
    "downloads.*.size": _COUNT,
    "pretrained.*.max_depth": _METRES,
    "predictions.*.scale": {"type": "number", "minimum": 0},
    "predictions.*.smooth": _CHANGE,
    "predictions.*.intrinsics": {"type": "number"},
    "train.learning_rate": _RATE,
    "train.lr_decay": _RATE,
    "train.warmup_steps": {"type": "integer", "minimum": 0, "maximum": 1000000},
    "train.weight_decay": _SHARE,
    "train.clip_norm": {"type": "number", "minimum": 0, "maximum": 1000000},
    "train.encoder_rate_factor": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
    "train.frozen_encoder_epochs": {"type": "integer", "minimum": 0, "maximum": 10000},
    "train.ema_decay": _CHANGE,
    "train.accumulate": _BATCH,
    "train.max_zoom": {"type": "number", "minimum": 1, "maximum": 4},
    "train.max_rotation": {"type": "number", "minimum": 0, "maximum": 45},
    "train.brightness": _CHANGE,
    "train.contrast": _CHANGE,
    "train.saturation": _CHANGE,
    "train.hue": _SHARE,
    "train.batch_size": _BATCH,
    "train.steps": _STEPS,
    "train.epochs": _EPOCH,
    "train.keep_epochs": _EPOCH,
    "train.mirror_probability": _SHARE,
    "train.channel_shuffle_probability": _SHARE,
    "train.batch_norm_momentum": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
    "train.log_every": _STEPS,
    "train.rank_timeout": {"type": "integer", "minimum": 5, "maximum": 3600},
    "evaluate.batch_size": _BATCH,
    "inference.batch_size": _BATCH,
    "exports.calibration_images": {"type": "integer", "minimum": 8, "maximum": 10000},
    "exports.max_difference": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "exports.max_loss": {"type": "number", "minimum": 0, "maximum": 1},
    "onnx.opset": {"type": "integer", "minimum": 11, "maximum": 18},
    "om.batch_size": _BATCH,
    "om.batches": _BATCH,
    "om.device": {"type": "integer", "minimum": 0, "maximum": 63},
    "report.gallery": {"type": "integer", "minimum": 1, "maximum": 100},
    "runs.*.devices": {"type": "integer", "minimum": 1, "maximum": 64},
}

# centimetres: up to the 1000 m of data.custom.max_depth. state_minutes: 0 saves after every step; the setting has
# whole minutes. frozen_batch: 0 leaves the number of images open.
FLAGS: Dict[str, Dict[str, Any]] = {
    "count": dict(_COUNT, maximum=1000000),
    "whole": {"type": "integer", "minimum": 0, "maximum": 1000000},
    "centimetres": {"type": "number", "exclusiveMinimum": 0, "maximum": 100000},
    "state_minutes": {"type": "number", "minimum": 0, "maximum": 1440},
    "frozen_batch": dict(_BATCH, minimum=0),
    "colour": {"type": "number"},
    "workers": {"type": "integer", "minimum": 1, "maximum": 1024},
    "npu": {"type": "integer", "minimum": 0, "maximum": 15},
}

PHRASES = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "multipleOf": "must be a multiple of {}",
}

_HOLDS = {
    "minimum": lambda value, limit: value >= limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "multipleOf": lambda value, limit: value % limit == 0,
}


def parse(word: str, name: str) -> float:
    """The number that `word` stands for, in the range `name` of `SETTINGS` or `FLAGS`.

    Raises ValueError, saying what is legal; NaN and infinity never are.
    """
    rule = SETTINGS.get(name) or FLAGS[name]
    try:
        value = int(word) if rule["type"] == "integer" else float(word)
    except ValueError:
        raise ValueError("must be a {}number".format("whole " if rule["type"] == "integer" else "")) from None
    problem = fault(value, name)
    if problem:
        raise ValueError(problem)
    return value


def fault(value: float, name: str) -> Optional[str]:
    """What is wrong with the number `value`, by the range `name`, in words; None when nothing is."""
    rule = SETTINGS.get(name) or FLAGS[name]
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a number"
    broken = [keyword for keyword, holds in _HOLDS.items() if keyword in rule and not holds(value, rule[keyword])]
    return PHRASES[broken[0]].format(rule[broken[0]]) if broken else None
