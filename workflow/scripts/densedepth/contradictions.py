"""Settings that do not go together though each is legal by itself, section by section.

Each function yields (path of a key, its value or None, what is wrong with it).
"""

from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from . import data_settings, run_settings, validation_settings

# What `external` says of the input and output of a network.
EXTERNAL_NETWORK = ("size", "mean", "deviation", "highest", "layout", "colours", "output")

_Check = Callable[[Dict[str, Any]], Iterator[Tuple[List[Any], Any, str]]]


def _pairs(config):
    return data_settings.contradictions(config["data"])


def _recipe(config):
    train, names, weights = config["train"], config["evaluate"]["protocols"], config["train"]["weights"]
    for index, epoch in enumerate(train["keep_epochs"]):
        if epoch > train["epochs"]:
            words = "must be at most train.epochs = {}".format(train["epochs"])
            yield ["train", "keep_epochs", index], epoch, words
    if "port" not in names:
        yield ["evaluate", "protocols"], names, "must contain port, with which the report begins"
    height, width = config["data"]["height"], config["data"]["width"]
    own = data_settings.at_own_size(config["data"])
    for index, name in enumerate(names):
        if name in ("garg", "eigen") and not own:
            words = "looks at images at their own size; set data.test_size: own, with data.dataset or data.custom"
            yield ["evaluate", "protocols", index], name, words
    pictures = data_settings.picture_inputs(config["data"]) and not own
    if pictures and "bts" in names and (height, width) != (480, 640):
        words = "bts is defined for images of 480x640, not {}x{}; leave it out".format(height, width)
        yield ["evaluate", "protocols"], None, words
    yield from run_settings.unfit_recipe(config)
    yield from validation_settings.choices(config)
    if weights.startswith("published/") and weights[len("published/") :] not in config["pretrained"]:
        known = ", ".join("published/" + known for known in config["pretrained"]) or "none"
        yield ["train", "weights"], weights, "no such network in pretrained, which has {}".format(known)


def _runs(config):
    """What `_recipe` says of the keys that a run has itself; all test images are of the common size."""
    for run, own in config["runs"].items():
        for path, value, words in _recipe(dict(run_settings.of_run(config, run), data=config["data"])):
            place = ["weights"] if path == ["train", "weights"] and "weights" in own else path
            if place[0] in own and (len(place) == 1 or place[1] in own[place[0]]):
                yield ["runs", run, *place], value, words


def _predictions(config):
    networks = [*config["runs"], *("published/" + name for name in config["pretrained"])]
    for name, entry in sorted(config["predictions"].items()):
        path = ["predictions", name]
        if entry.get("run", networks[0]) not in networks:
            yield [*path, "run"], entry["run"], "must be one of {}".format(", ".join(networks))
        if "scale" in entry and not entry["scale"][0] < entry["scale"][1]:
            yield [*path, "scale"], entry["scale"], "the nearest depth, the first, must be smaller than the farthest"
        if "intrinsics" in entry and min(entry["intrinsics"][:2]) <= 0:
            words = "the focal lengths, the first two, must be more than 0"
            yield [*path, "intrinsics"], entry["intrinsics"], words


def _external(config):
    for name, entry in sorted(config["external"].items()):
        if ("predictions" in entry) == ("network" in entry):
            yield ["external", name], None, "give either predictions or network"
        unfit = [key for key in EXTERNAL_NETWORK if key in entry and "network" not in entry]
        if unfit:
            yield ["external", name, unfit[0]], entry[unfit[0]], "is of a network, and there is none"
        if entry["unit"] == "disparity" and entry.get("alignment", "none") == "none":
            words = "disparity has no scale: give an alignment, or the unit inverse for 1 / metres"
            yield ["external", name, "unit"], entry["unit"], words


def _sources(config):
    yield from validation_settings.splits(config)
    data, sample, gallery = config["data"], config["sample"], config["report"]["gallery"]
    if data["train_archive"] == data["test_archive"]:
        yield ["data", "test_archive"], data["test_archive"], "must not be data.train_archive as well"
    if data_settings.picture_inputs(data):
        return
    if data["test_archive"].startswith(data_settings.SAMPLE_FOLDER) and gallery > sample["test_scenes"]:
        words = "must be at most sample.test_scenes = {}".format(sample["test_scenes"])
        yield ["report", "gallery"], gallery, words
    if data["train_archive"].startswith(data_settings.SAMPLE_FOLDER) and data["shards"] > sample["train_scenes"]:
        words = "must be at most sample.train_scenes = {}".format(sample["train_scenes"])
        yield ["data", "shards"], data["shards"], words


# All that is looked for, and the sections that it reads; None: all of them.
BETWEEN: List[Tuple[_Check, Optional[Set[str]]]] = [
    (_pairs, {"data"}),
    (_recipe, {"train", "evaluate", "data", "pretrained", "export"}),
    # A run that these name may be one of a sweep.
    (_predictions, None),
    (_external, {"external"}),
    (_sources, {"data", "sample", "report"}),
    (_runs, None),
    (run_settings.contradictions, None),
]
