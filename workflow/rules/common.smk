"""Functions for the rules: which files and flags follow from the settings."""

import bisect
import functools
import json
import os
import re

from densedepth import configuration, contradictions, data_settings, file_names, run_settings
from densedepth.inference import image_files
from densedepth.errors import PipelineError
from densedepth.patterns import one_of


def missing_downloads():
    """Names below dataset/ that the config lists and that are not there.

    Only these are made by a rule: Snakemake removes the outputs of a job before it starts, and what was put there by
    hand must never be touched. Nor must a symbolic link, also while the disk that it leads to is not mounted.
    """
    for link in sorted({place for path in config["downloads"] for place in (os.path.dirname(path), path)}):
        if os.path.lexists(link) and not os.path.exists(link):
            refuse("{}: is a link to {}, which is not there; is the disk mounted?".format(link, os.readlink(link)))
    return [os.path.relpath(path, "dataset") for path in config["downloads"] if not os.path.exists(path)]


def sums(wildcards):
    """Flags for what is known of a download: its size and published sums."""
    entry = config["downloads"]["dataset/{}".format(wildcards.name)]
    flags = [
        word for kind in ("sha256", "md5", "size") if kind in entry for word in ("--{}".format(kind), str(entry[kind]))
    ]
    return flags + (["--older_md5", *entry["older_md5"]] if entry.get("older_md5") else [])


def train_source():
    """What the training records are made of: the archive, or the list of custom RGB-D pairs."""
    return "results/data/pictures.json" if picture_inputs() else config["data"]["train_archive"]


def test_archive():
    """The archive that is evaluated on."""
    return "results/data/test.zip" if picture_inputs() else config["data"]["test_archive"]


def picture_inputs():
    """The csv, or the two folders, of custom data, or the files of a data set by name; none for the archives."""
    return data_settings.picture_inputs(config["data"])


def picture_files():
    """What `list_pictures` reads: of a data set that `downloads` fetches its files, so that they are fetched first."""
    return (data_settings.downloads_of(config) or picture_inputs()) + data_settings.mixture_inputs(config["data"])


def pictures_python():
    """The interpreter of the stages that read pairs: a data set by name may be kept in HDF5, which Snakemake's lacks."""
    needed = config["data"].get("dataset") or config["data"]["custom"].get("variable")
    return tensorflow_python() if needed else plain_python()


def picture_flags():
    """Flags of list_pictures.py: the settings of custom data.

    Each is one word, since a value like -3.4e+38 would by itself be taken for a flag. `--hole` is the old name of
    `--invalid`, which stays here so that the new name lists nothing again.
    """
    settings = dict(config["data"]["custom"], hole=config["data"]["custom"]["invalid"])
    # Left out where it is as usual, so that lists of before stay.
    own = ["--test_size=own"] if config["data"].get("test_size") == "own" else []
    # Without braces, which Snakemake takes for its own.
    mixture = [[name, sorted(entry.items())] for name, entry in sorted(config["data"].get("mixture", {}).items())]
    own += ["--mixture={}".format(json.dumps(mixture))] if mixture else []
    if config["data"].get("dataset"):
        settings = dict({"time_tolerance": 0.02}, **settings)
        settings.update(dataset=config["data"]["dataset"], path=config["data"]["path"])
        names = ("dataset", "path", "max_depth", "test_share", "time_tolerance")
        return ["--{}={}".format(name, settings[name]) for name in names] + own
    names = ("csv", "rgb", "depth", "metres_per_unit", "max_depth", "hole", "test_share")
    flags = ["--{}={}".format(name, settings[name]) for name in names if settings[name] != ""]
    usual = dict(test_metres_per_unit=0, mask_minimum=1, encoding="plain", variable="", distance="axis")
    usual.update(raw_size=[], also_invalid=[], intrinsics=[])
    for name, value in usual.items():
        given = settings.get(name, value)
        if given != value:
            flags.append("--{}={}".format(name, ",".join(map(str, given)) if isinstance(given, list) else given))
    return flags + own


def halving(settings):
    """`data.target_downsampling` in the words of train.py, which stay so that a new name of a value retrains nothing."""
    names = {new: old for old, new in configuration.DOWNSAMPLING.items()}
    return names[settings["data"]["target_downsampling"]]


def max_depth_cm():
    """The farthest depth of the training's targets, in centimetres."""
    return 100 * config["data"]["custom"]["max_depth"] if picture_inputs() else 1000


def record_shards():
    """The record files of the training set."""
    # Each set of a mixture has as many.
    shards = config["data"]["shards"] * (1 + len(config["data"].get("mixture", {})))
    if shards == 1:
        return ["results/data/nyu_train.tfrecords"]
    return ["results/data/nyu_train-{:05d}-of-{:05d}.tfrecords".format(shard, shards) for shard in range(shards)]


def epoch_before(wildcards):
    """The kept epoch before that of the wildcards; 0 at the beginning of the run."""
    kept = kept_epochs(wildcards.run)
    place = bisect.bisect_left(kept, int(wildcards.epoch))
    return kept[place - 1] if place else 0


def start_folder(wildcards):
    """The checkpoint or the weights that a segment of training starts from; None for random weights."""
    epoch = epoch_before(wildcards)
    return "results/{}/checkpoints/epoch{}".format(wildcards.run, epoch) if epoch else weights_folder(wildcards.run)


def weights_name(run):
    """What a run begins with: a file of an encoder, the name of a whole network, or nothing."""
    return settings_of(run)["train"]["weights"]


def weights_folder(run):
    """Where the weights are that a run begins with: of an encoder, or of a whole network; None for random ones."""
    name = weights_name(run)
    if name in published():
        return "results/{}/checkpoints/epoch0".format(name)
    return "results/weights/{}".format(settings_of(run)["model"]["encoder"]) if name else None


def start_files(wildcards):
    """Input function: the files of `start_folder`."""
    whole = epoch_before(wildcards) or weights_name(wildcards.run) in published()
    names = ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "model.json" if whole else "weights.json"]
    folder = start_folder(wildcards)
    return [os.path.join(folder, name) for name in names] if folder else []


def segment_flags(wildcards):
    """Flags of train.py for the epochs of a segment, where it starts, and where its checkpoint goes."""
    first, folder = epoch_before(wildcards), start_folder(wildcards)
    words = "--ckptdir results/{run}/checkpoints --initial_epoch {first} --epochs {last} --keep_epochs {last}"
    start = ["--checkpoint" if first else "--weights", folder] if folder else []
    steps = ["--steps", str(settings_of(wildcards.run)["train"]["steps"])]
    return words.format(run=wildcards.run, first=first, last=wildcards.epoch).split() + start + steps


def single_device_speed(wildcards):
    """Input function: the measured speed of the first run of one device that scaling can be told against."""

    def workload(run):
        settings = settings_of(run)
        return settings["model"], settings["data"], settings["train"]["batch_size"], settings["train"]["precision_mode"]

    devices = {run: settings_of(run)["devices"] for run in config["runs"]}
    singles = [run for run in devices if devices[run] == 1] if devices[wildcards.run] > 1 else []
    alike = [run for run in singles if workload(run) == workload(wildcards.run)]
    return ["results/{}/performance.json".format(run) for run in alike[:1]]


def performance_flags(wildcards, input):
    """Flags of train.py that measure the speed of a run instead of training it."""
    words = ["--epochs", "1", "--performance", "results/{}/performance.json".format(wildcards.run)]
    steps = ["--steps", str(settings_of(wildcards.run)["train"]["performance_steps"])]
    return words + steps + [word for path in input.single for word in ("--single", path)]


def exported_checkpoint(name):
    """Input function: file `name` of the checkpoint that the run of the wildcards exports."""
    return lambda wildcards: "results/{}/checkpoints/epoch{}/{}".format(
        wildcards.run, exported_epoch(wildcards.run), name
    )


def published():
    """{what stands for `run` in the paths of a pretrained network: its settings}."""
    return {
        "published/{}".format(name): entry if isinstance(entry, dict) else {"file": entry}
        for name, entry in config["pretrained"].items()
    }


def import_flags(wildcards):
    """Flags of import_model.py for what the settings say of a pretrained network."""
    entry = published()[wildcards.run]
    size = entry.get("size", [])
    said = {key: str(entry[key]).lower() for key in ("upsampling", "mid_activation", "max_depth") if key in entry}
    return (["--size", *map(str, size)] if size else []) + [
        word for key, value in said.items() for word in ("--{}".format(key), value)
    ]


def predicted(key, default=None):
    """Function of the wildcards: setting `key` of their set of images."""
    return lambda wildcards: config["predictions"][wildcards.pictures].get(key, default)


def predicting_run(wildcards):
    """The run whose frozen graph predicts the set of images of the wildcards."""
    return predicted("run", next(iter(config["runs"])))(wildcards)


def existing(path, key):
    """The path, which setting `key` names; without it the call ends, unless it is one that a rule makes."""
    made = os.path.normpath(path).startswith(os.path.join("results", "")) or path in config["downloads"]
    if path and not made and not os.path.exists(path):
        refuse("config: {} = {}: no such file or folder".format(key, path))
    return path


def prediction_inputs(wildcards):
    """Input function: the images themselves, so that a new or changed one counts."""
    words = config["predictions"][wildcards.pictures]["input"]
    try:
        # A file that is named may be one that a rule makes.
        found = [[word] if _is_file_name(word) else image_files.find([word], videos=True) for word in words]
        paths = [path for one in found for path in one]
    except PipelineError as error:
        refuse("config: predictions.{}.{}".format(wildcards.pictures, str(error).lstrip("-")))
    braces = [path for path in paths if "{" in path or "}" in path]
    if braces:
        words = "config: predictions.{}.input {}: Snakemake takes braces in a name for its own; rename it"
        refuse(words.format(wildcards.pictures, braces[0]))
    return [existing(path, "predictions.{}.input".format(wildcards.pictures)) for path in paths]


def om_batch():
    """Images that an OM file takes at once: as many as the frozen graph that it is made of, where that is fixed."""
    return config["inference" if config["inference"]["fixed_batch"] else "om"]["batch_size"]


def om_source():
    """Path of the network that an OM file is made of."""
    return "results/{run}/export/model." + ("onnx" if config["om"]["source"] == "onnx" else "pb")


def om_flags():
    """Flags of export_om.py for what is left out by default."""
    batches = ["--batches", *map(str, config["om"]["batches"])] if config["om"]["batches"] else []
    return batches + (["--uint8"] if config["om"]["uint8"] else [])


def external(key, default=None):
    """Function of the wildcards: setting `key` of their predictions of another program."""
    return lambda wildcards: config["external"][wildcards.external].get(key, default)


def external_predictions(wildcards):
    """Input function: the network, or the depth maps, of a folder each file, so that a new or changed one counts."""
    key, path = external_source(wildcards)
    return stored(existing(path, "external.{}.{}".format(wildcards.external, key)))


def external_network(wildcards):
    """Input function: the network of another program, or one line where there are stored depth maps alone."""
    if external_source(wildcards)[0] != "network":
        words = "results/external/{0}/robustness.json: external.{0} has stored predictions, and worse images need the "
        words += "network itself; give its ONNX file as external.{0}.network"
        refuse(words.format(wildcards.external))
    return external_predictions(wildcards)


def stored(path):
    """What is stored at a path, of a folder each file; nothing of an empty path."""
    return sorted(file_names.files_below(path)) if os.path.isdir(path) else [path] if path else []


def external_source(wildcards):
    """(key, path) of what is scored: `predictions` or `network`."""
    settings = config["external"][wildcards.external]
    return next((key, settings[key]) for key in ("network", "predictions") if key in settings)


def external_python(wildcards):
    """The interpreter that scores: a network needs ONNX Runtime, edges and clouds SciPy, which Snakemake's lacks."""
    return onnx_python() if external_source(wildcards)[0] == "network" else tensorflow_python()


def external_flags(wildcards):
    """Flags of score.py: what is scored, and what a network's input and output are, where the config says so."""
    key, path = external_source(wildcards)
    settings = config["external"][wildcards.external]
    flags = ["--{}".format(key), path]
    for key in contradictions.EXTERNAL_NETWORK:
        if key in settings:
            values = settings[key] if isinstance(settings[key], list) else [settings[key]]
            flags += ["--{}".format(key), *map(str, values)]
    return flags


def _is_file_name(word):
    return not os.path.isdir(word) and (os.path.isfile(word) or not re.search(r"[*?[]", word))


def prediction_flags(wildcards):
    """Flags of predict.py that are passed only where the config has them."""
    settings = config["predictions"][wildcards.pictures]
    given = {key: settings[key] for key in ("write", "scale", "intrinsics", "colours", "smooth") if key in settings}
    lists = {key: value if isinstance(value, list) else [value] for key, value in given.items()}
    return [word for key, values in lists.items() for word in ["--{}".format(key), *map(str, values)]]


def there(paths):
    """Those of the files that are there: the report shows them, and is not what they are made for."""
    return [path for path in paths if os.path.exists(path)]


def there_or_asked(paths):
    """As `there`, with those that this call is asked for as well. Only in input functions: no target is known before.

    A target of the same name up to its suffix counts, too, as exports.md does for exports.json: one rule makes both.
    """
    targets = asked()
    targets += [os.path.splitext(target)[0] for target in targets]
    return [path for path in paths if os.path.exists(path) or os.path.splitext(path)[0] in targets]


def asked():
    """The targets that this call names."""
    return [os.path.normpath(target) for target in workflow.dag_settings.targets] if workflow.dag_settings else []


def deployed_graphs(runs):
    """The evaluations of ONNX and OM files of these runs, or pretrained networks, that are there or asked for."""
    return there_or_asked("results/{}/inference/{}.json".format(run, kind) for kind in ("onnx", "om") for run in runs)


def exports_beside(wildcards):
    """Input function: the metadata files of what else the run was exported to, or is for a target of this call."""
    of_om = ("export/model.om", "inference/om.", "om/output", "om/gallery")
    of_onnx = ("export/model.onnx", "inference/onnx.", "demo", *(of_om if config["om"]["source"] == "onnx" else ()))
    asked_by = {"model.onnx.json": of_onnx, "model.om.json": of_om, "torch/model.safetensors.json": ("export/torch",)}
    place = os.path.join("results", wildcards.run, "")
    return [
        place + os.path.join("export", name)
        for name, targets in asked_by.items()
        if os.path.exists(place + os.path.join("export", name))
        or any(target.startswith(tuple(place + start for start in targets)) for target in asked())
    ]


def evaluated_networks():
    """The pretrained networks that have been evaluated, or are now.

    Not all that `pretrained` lists: runs start from some of them, and others are for other data.
    """
    return [name for name in sorted(published()) if there_or_asked(["results/{}/evaluation/epoch0.json".format(name)])]


def of_networks(pattern):
    """Input function: the files by this pattern of the pretrained networks of a report that are there."""
    return lambda wildcards: there_or_asked(pattern.format(run=name) for name in networks_beside(wildcards))


def gallery_scenes():
    """Names of the scenes in a gallery: so many over the whole test set, the best and the worst."""
    return ["scene_{}".format(i + 1) for i in range(config["report"]["gallery"])] + ["best", "worst"]


def example_panels():
    """The panel of each run that is none of a sweep's, where the config names images for it."""
    return of_runs("results/{run}/inference/examples.png", named_runs()) if config["data"]["examples"] else []


@functools.lru_cache(maxsize=None)
def encoder_files():
    """{encoder: the file of weights that runs begin with}."""
    return run_settings.encoder_files(config)


def weights_sides(wildcards):
    """Input function: the metadata files of the weights that the runs of a report begin with."""
    sides = [
        os.path.join(weights_folder(run), "model.json" if weights_name(run) in published() else "weights.json")
        for run in reported_runs(wildcards)
        if weights_name(run)
    ]
    return list(dict.fromkeys(sides))


def network_settings(wildcards):
    """What the settings say of a pretrained network, as JSON text."""
    return json.dumps({"pretrained": {wildcards.run.split("/")[1]: published()[wildcards.run]}}, sort_keys=True)
