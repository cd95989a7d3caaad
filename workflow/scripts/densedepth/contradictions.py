"""Settings that do not go together though each is legal by itself, in checks that wait for nothing but what they read.

Each function yields (path of a key, its value or None, what is wrong with it).
"""

from typing import Any, Dict, Iterator, List

from . import data_settings, run_settings, validation_settings
from .illegal import Check, Problem, readable

# What `external` says of the input and output of a network.
EXTERNAL_NETWORK = ("size", "mean", "deviation", "highest", "layout", "colours", "output")


def between(config: Dict[str, Any]) -> Iterator[Problem]:
    """All that is wrong between the settings; a check that uses an `illegal.Illegal` waits, and no other."""
    for check in _ALL:
        yield from readable(check(config))


def _kept(config):
    train = config["train"]
    for index, epoch in enumerate(train["keep_epochs"]):
        if epoch > train["epochs"]:
            words = "must be at most train.epochs = {}".format(train["epochs"])
            yield ["train", "keep_epochs", index], epoch, words


def _port(config):
    names = config["evaluate"]["protocols"]
    if "port" not in names:
        yield ["evaluate", "protocols"], names, "must contain port, with which the report begins"


def _own_size(config):
    own = data_settings.at_own_size(config["data"])
    for index, name in enumerate(config["evaluate"]["protocols"]):
        if name in ("garg", "eigen") and not own:
            words = "looks at images at their own size; set data.test_size: own, with data.dataset or data.custom"
            yield ["evaluate", "protocols", index], name, words


def _bts(config):
    data = config["data"]
    pictures = data_settings.picture_inputs(data) and not data_settings.at_own_size(data)
    height, width = data["height"], data["width"]
    if pictures and "bts" in config["evaluate"]["protocols"] and (height, width) != (480, 640):
        words = "bts is defined for images of 480x640, not {}x{}; leave it out".format(height, width)
        yield ["evaluate", "protocols"], None, words


def _planes(config):
    names = config["evaluate"]["metrics"]
    if not config["evaluate"]["planes"]:
        for index, name in enumerate(names if isinstance(names, list) else []):
            if name.startswith("plane_"):
                yield ["evaluate", "metrics", index], name, "needs the planes of the test images: set evaluate.planes"


def _network(config):
    weights = config["train"]["weights"]
    if weights.startswith("published/") and weights[len("published/") :] not in config["pretrained"]:
        known = ", ".join("published/" + known for known in config["pretrained"]) or "none"
        yield ["train", "weights"], weights, "no such network in pretrained, which has {}".format(known)


def _precision(config):
    mode = config["train"]["precision_mode"]
    if mode != "mixed_bfloat16":
        return
    if config["platform"] == "ascend":
        words = "is for processors; give npu_options: {precision_mode_v2: mixed_bfloat16} on chips that have it, or "
        yield ["train", "precision_mode"], mode, words + "leave it out"
    elif config["runtime"] == "tf1" and not config["python"]:
        yield ["train", "precision_mode"], mode, "TensorFlow 1.15 does not know it; use runtime: tf2"


def _runs(config):
    """What the checks of a recipe say of the keys that a run has itself; all test images are of the common size."""
    for run in config["runs"]:
        for check in _RECIPE:
            yield from readable(_of_run(check, config, run))


def _of_run(check, config, run):
    own = config["runs"][run]
    for path, value, words in check(dict(run_settings.of_run(config, run), data=config["data"])):
        place = ["weights"] if path == ["train", "weights"] and "weights" in own else path
        if place[0] in own and (len(place) == 1 or place[1] in own[place[0]]):
            yield ["runs", run, *place], value, words


def _predictions(config):
    networks = [*config["runs"], *("published/" + name for name in config["pretrained"])]
    for name, entry in sorted(config["predictions"].items()):
        yield from readable(_prediction(["predictions", name], entry, networks, config))


def _prediction(path, entry, networks, config):
    if "scale" in entry and not entry["scale"][0] < entry["scale"][1]:
        yield [*path, "scale"], entry["scale"], "the nearest depth, the first, must be smaller than the farthest"
    if "intrinsics" in entry and min(entry["intrinsics"][:2]) <= 0:
        words = "the focal lengths, the first two, must be more than 0"
        yield [*path, "intrinsics"], entry["intrinsics"], words
    if entry.get("run", networks[0]) not in networks:
        # It may be a run of a sweep: these are among the runs, except of illegal sweeps, for which this waits.
        iter(config.get("sweeps", {}))
        yield [*path, "run"], entry["run"], "must be one of {}".format(", ".join(networks))


def _external(config):
    for name, entry in sorted(config["external"].items()):
        yield from readable(_scored(["external", name], entry))


def _scored(path, entry):
    if ("predictions" in entry) == ("network" in entry):
        yield path, None, "give either predictions or network"
    unfit = [key for key in EXTERNAL_NETWORK if key in entry and "network" not in entry]
    if unfit:
        yield [*path, unfit[0]], entry[unfit[0]], "is of a network, and there is none"
    if entry["unit"] == "disparity" and entry.get("alignment", "none") == "none":
        words = "disparity has no scale: give an alignment, or the unit inverse for 1 / metres"
        yield [*path, "unit"], entry["unit"], words


def _archives(config):
    data = config["data"]
    if data["train_archive"] == data["test_archive"]:
        yield ["data", "test_archive"], data["test_archive"], "must not be data.train_archive as well"


def _gallery(config):
    data, most, gallery = config["data"], config["sample"]["test_scenes"], config["report"]["gallery"]
    if _of_sample(data, "test_archive") and gallery > most:
        yield ["report", "gallery"], gallery, "must be at most sample.test_scenes = {}".format(most)


def _shards(config):
    data, most = config["data"], config["sample"]["train_scenes"]
    if _of_sample(data, "train_archive") and data["shards"] > most:
        yield ["data", "shards"], data["shards"], "must be at most sample.train_scenes = {}".format(most)


def _of_sample(data, key):
    return not data_settings.picture_inputs(data) and data[key].startswith(data_settings.SAMPLE_FOLDER)


def _downloads(config):
    for name, entry in sorted(config.get("downloads", {}).items()):
        if "sha256" in entry and "md5" in entry:
            yield ["downloads", name], None, "give sha256 or md5, not both"


# What is looked for in the settings of all runs, and again in those of a run.
_RECIPE: List[Check] = [
    _kept,
    _port,
    _own_size,
    _bts,
    _planes,
    *run_settings.RECIPE,
    *validation_settings.CHOICES,
    _network,
    _precision,
]
_ALL: List[Check] = [
    *data_settings.CHECKS,
    *_RECIPE,
    _predictions,
    _external,
    validation_settings.splits,
    _archives,
    _gallery,
    _shards,
    _runs,
    *run_settings.CHECKS,
    _downloads,
]
