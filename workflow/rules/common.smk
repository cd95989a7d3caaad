"""Functions for the other files here. Which code a rule uses, which interpreter, which files follow from the config."""

import contextlib
import functools
import glob
import json
import os
import re
import shlex
import shutil
import sys
import tempfile

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import available_cpu_count, update_config


def home():
    """The folder of the Snakefile; where that is in a repository of GitHub or GitLab, an unpacked copy of its commit.

    Not workflow.basedir, which is that of the outermost workflow where this one is a module.
    """
    here = workflow.current_basedir
    if not hasattr(here, "hosted_repo"):
        return os.path.dirname(os.path.dirname(here.get_path_or_uri(secret_free=True)))
    repository = here.hosted_repo.repo
    commit = repository.commit(here.ref).hexsha
    folder = os.path.abspath(os.path.join(".snakemake", "densedepth", commit))
    if not os.path.exists(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as unpacked:
            repository.git.archive(commit, output=os.path.join(unpacked, "files.tar"))
            shutil.unpack_archive(os.path.join(unpacked, "files.tar"), os.path.join(unpacked, "files"))
            # Another job may have been quicker.
            with contextlib.suppress(OSError):
                os.rename(os.path.join(unpacked, "files"), folder)
    return folder


HOME = home()

sys.path.insert(0, os.path.join(HOME, "workflow", "scripts"))

from densedepth import configuration, imports, platforms, provenance
from densedepth.inference import image_files
from densedepth.platforms import ascend_options
from densedepth.errors import PipelineError


def default_settings():
    """The settings that others are laid over: of the working directory, or else those that the workflow comes with."""
    path = os.path.join("config", "config.yaml")
    return path if os.path.exists(path) else os.path.join(HOME, path)


def use_all_cores():
    """Let a call on this machine that names no number of cores use them all.

    A profile cannot say so: profiles/default is laid over those of --profile and SNAKEMAKE_PROFILE, and `cores: all` in
    it would cut the threads of a cluster's jobs to the cores of the login node. A cluster's profile always has `jobs`.
    """
    settings = workflow.resource_settings
    if settings.cores is None and settings.nodes is None:
        settings.cores = available_cpu_count()
        workflow.global_resources["_cores"] = settings.cores


def check_config():
    """Stop before any job if the configuration is invalid, with one line for each error."""
    try:
        schema = configuration.read(os.path.join(HOME, "workflow", "schemas", "config.schema.yaml"))
        current, warning = configuration.renamed(dict(config))
        config.clear()
        config.update(current)
        # A module has the settings that its workflow gives it, and no part in that call's --config.
        if not workflow.modifier.skip_configfile:
            for path in workflow.configfiles if workflow.is_main_process else ():
                configuration.read(path)
            given, _ = configuration.renamed(workflow.config_settings.config)
            update_config(config, configuration.typed(given, schema))
    except PipelineError as error:
        raise WorkflowError(str(error))
    if warning and workflow.is_main_process:
        logger.warning(warning)
    config.update(configuration.with_home(configuration.without_nulls(config), schema))
    problems = configuration.problems(config, schema)
    if not problems and workflow.is_main_process:
        problems = provenance.missing(config)
    if problems:
        raise WorkflowError("\n".join(["invalid configuration:", *problems]))


def other_epochs():
    """A pattern for the epochs that are not kept, but for those of which there is a file: another run may start there."""
    found = {re.search("epoch([0-9]+)", path).group(1) for path in glob.glob("results/**/epoch[0-9]*", recursive=True)}
    legal = {str(epoch) for epoch in kept_epochs()}
    return r"(?!(?:{})(?![0-9]))[0-9]+".format(one_of(sorted(legal | found)))


def refuse_epoch(wildcards):
    """Input function: one line for an epoch that its run does not keep."""
    words = "results/{}/{}/epoch{}: {} has no epoch {}, only {}; train.keep_epochs adds one, up to train.epochs = {}"
    legal = [0] if wildcards.run in published() else kept_epochs()
    epoch, last = wildcards.epoch, config["train"]["epochs"]
    raise WorkflowError(
        words.format(wildcards.run, wildcards.kind, epoch, wildcards.run, epoch, ", ".join(map(str, legal)), last)
    )


def check_replaced():
    """Stop before the first job where one would replace what was made from other sources than the settings name."""
    if not workflow.is_main_process:
        return
    jobs = {(job.rule.name, job.wildcards_dict.get("run")) for job in workflow.dag.needrun_jobs()}
    found = [] if config["replace_results"] else provenance.replaced(config, jobs)
    if found:
        raise WorkflowError("\n".join(found))
    if any(name in provenance.MAKERS for name, _ in jobs):
        provenance.record(config, workflow.configfiles)


def one_of(names):
    """A pattern for exactly these names."""
    return "|".join(re.escape(name) for name in names)


# What stages report with while they run: an edit changes no result, so it makes nothing again.
REPORTING = tuple(os.path.join("densedepth", *path) for path in (("progress.py",), ("training", "history.py")))


def code(program):
    """Input function: the program and all modules of the project that it imports, so that an edit of one counts.

    Those of `REPORTING` are among the inputs, but no edit of them counts.
    """
    return lambda wildcards: [ancient(path) if path.endswith(REPORTING) else path for path in sources(program)]


@functools.lru_cache(maxsize=None)
def sources(program, loaded=()):
    """Relative where the workflow runs in its own folder, so that a moved folder makes nothing again."""
    folder = os.path.join(HOME, "workflow", "scripts")
    return imports.sources(
        os.path.join(os.path.relpath(folder) if os.path.samefile(HOME, ".") else folder, program), loaded
    )


def training_code(wildcards):
    """Input function: as `code`, of train.py, which loads the kinds of devices by name.

    Those that are not chosen are among the inputs too, so that another choice makes nothing again, but no edit of what
    they alone import counts.
    """
    used = sources("train.py", (f"densedepth.platforms.{config['platform']}",))
    every = sources("train.py", tuple(f"densedepth.platforms.{kind}" for kind in platforms.KINDS))
    return [path if path in used and not path.endswith(REPORTING) else ancient(path) for path in every]


@functools.lru_cache(maxsize=None)
def runtime():
    """`tf1` or `tf2`."""
    if config["runtime"] != "auto":
        return config["runtime"]
    return "tf1" if os.path.exists(environment_python("tf1")) else "tf2"


def environment_python(name):
    return os.path.join(HOME, ".venv", name, "bin", "python")


def packaged():
    """Whether Snakemake brings the software itself, so that `python` is the right interpreter in every job."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


@functools.lru_cache(maxsize=None)
def tensorflow_python():
    """The interpreter of the stages that need TensorFlow."""
    if config["python"]:
        return config["python"]
    made = environment_python(runtime())
    return made if os.path.exists(made) and not packaged() else "python"


def onnx_python():
    """The interpreter of the stages with ONNX: tf2's, to which `make onnx` adds what they need."""
    made = environment_python("tf2")
    return made if os.path.exists(made) and not packaged() else tensorflow_python()


def plain_python():
    """The interpreter of the stages that need no TensorFlow: that of Snakemake, whichever runtime there is."""
    return "python" if packaged() else sys.executable


def environment():
    """The conda environment of every stage, relative to the rule files."""
    return "../../envs/{}.yaml".format(runtime())


def missing_downloads():
    """Names below dataset/ that the config lists and that are not there.

    Only these are made by a rule: Snakemake removes the outputs of a job before it starts, and what was put there by
    hand must never be touched. Nor must a symbolic link, also while the disk that it leads to is not mounted.
    """
    for link in sorted({place for path in config["downloads"] for place in (os.path.dirname(path), path)}):
        if os.path.lexists(link) and not os.path.exists(link):
            raise WorkflowError(
                "{}: is a link to {}, which is not there; is the disk mounted?".format(link, os.readlink(link))
            )
    return [os.path.basename(path) for path in config["downloads"] if not os.path.exists(path)]


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
    """The csv, or the two folders, of custom data; none for the archives."""
    return configuration.picture_inputs(config["data"])


def picture_flags():
    """Flags of list_pictures.py: the settings of custom data.

    Each is one word, since a value like -3.4e+38 would by itself be taken for a flag. `--hole` is the old name of
    `--invalid`, which stays here so that the new name lists nothing again.
    """
    settings = dict(config["data"]["custom"], hole=config["data"]["custom"]["invalid"])
    names = ("csv", "rgb", "depth", "metres_per_unit", "max_depth", "hole", "test_share")
    return ["--{}={}".format(name, settings[name]) for name in names if settings[name] != ""]


def halving():
    """`data.target_downsampling` in the words of train.py, which stay so that a new name of a value retrains nothing."""
    return {new: old for old, new in configuration.DOWNSAMPLING.items()}[config["data"]["target_downsampling"]]


def max_depth_cm():
    """The farthest depth of the training's targets, in centimetres."""
    return 100 * config["data"]["custom"]["max_depth"] if picture_inputs() else 1000


def record_shards():
    """The record files of the training set."""
    shards = config["data"]["shards"]
    if shards == 1:
        return ["results/data/nyu_train.tfrecords"]
    return ["results/data/nyu_train-{:05d}-of-{:05d}.tfrecords".format(shard, shards) for shard in range(shards)]


def kept_epochs():
    """Epochs with a checkpoint, ascending; the last epoch is always one."""
    epochs = config["train"]["epochs"]
    return sorted({epoch for epoch in config["train"]["keep_epochs"] if epoch < epochs} | {epochs})


def epoch_before(wildcards):
    """The kept epoch before that of the wildcards; 0 at the beginning of the run."""
    return max([epoch for epoch in kept_epochs() if epoch < int(wildcards.epoch)], default=0)


def start_folder(wildcards):
    """The checkpoint or the weights that a segment of training starts from; None for random weights."""
    epoch = epoch_before(wildcards)
    return "results/{}/checkpoints/epoch{}".format(wildcards.run, epoch) if epoch else weights_folder(wildcards.run)


def weights_name(run):
    """What a run begins with: the file of Keras, the name of a whole network, or nothing."""
    return config["runs"][run].get("weights", config["train"]["weights"])


def weights_folder(run):
    """Where the weights are that a run begins with: of an encoder, or of a whole network; None for random ones."""
    name = weights_name(run)
    if name in published():
        return "results/{}/checkpoints/epoch0".format(name)
    return "results/weights/{}".format(config["model"]["encoder"]) if name else None


def start_files(wildcards):
    """Input function: the files of `start_folder`."""
    whole = epoch_before(wildcards) or weights_name(wildcards.run) in published()
    names = ["model.ckpt.index", "model.ckpt.data-00000-of-00001", "model.json" if whole else "weights.json"]
    folder = start_folder(wildcards)
    return [os.path.join(folder, name) for name in names] if folder else []


def start_flags(wildcards):
    """Flags of train.py for where a segment starts."""
    folder = start_folder(wildcards)
    flag = "--checkpoint" if epoch_before(wildcards) else "--weights"
    return [flag, folder] if folder else []


def segment_flags(wildcards):
    """Flags of train.py for the epochs of a segment and where its checkpoint goes."""
    words = "--ckptdir results/{run}/checkpoints --initial_epoch {first} --epochs {last} --keep_epochs {last}"
    return words.format(run=wildcards.run, first=epoch_before(wildcards), last=wildcards.epoch)


def of_run(key, default=None):
    """Function of the wildcards: setting `key` of their run."""
    return lambda wildcards: config["runs"][wildcards.run].get(key, default)


def npus():
    """Input function: the Ascend devices of the run of the wildcards."""
    return lambda wildcards: config["runs"][wildcards.run]["devices"] if config["platform"] == "ascend" else 0


def gpus(count):
    """Input function: `count` GPUs where the settings say that there are some, else none is asked for."""
    return lambda wildcards: (count(wildcards) if callable(count) else count) if config["gpus"] else 0


def nodes(wildcards):
    """Machines that the run of the wildcards takes; None for a single one, whichever it is."""
    devices, each = config["runs"][wildcards.run]["devices"], config["devices_per_node"]
    return -(-devices // each) if 0 < each < devices else None


def training_memory(wildcards):
    """MB on each machine of the run of the wildcards: of the program's own, and for each process of a batch of 4."""
    devices, each = config["runs"][wildcards.run]["devices"], config["devices_per_node"]
    return 10000 + 6000 * min(devices, each or devices)


def launcher(wildcards, threads):
    """What stands before the command of a training: srun with all it must be told, or nothing."""
    if not nodes(wildcards):
        return ""
    words = "srun --nodes={} --ntasks={} --cpus-per-task={} --kill-on-bad-exit=1"
    return words.format(nodes(wildcards), config["runs"][wildcards.run]["devices"], threads)


def npu_flags(numbers):
    """Flags of train.py for the parameters of an Ascend session: those that change what is computed, or the others.

    Booleans are in the words of the command line.
    """
    if config["platform"] != "ascend":
        return []
    pairs = [pair for pair in sorted(config["npu_options"].items()) if (pair[0] in ascend_options.NUMBERS) == numbers]
    words = ["{}={}".format(name, str(value).lower() if isinstance(value, bool) else value) for name, value in pairs]
    return ["--npu_option", *words] if words else []


def npu_address_flags():
    """Flags of train.py for the addresses of the Ascend devices, where the config has them."""
    return ["--npu_addresses", *config["npu_addresses"]] if config["npu_addresses"] else []


def single_device_speed(wildcards):
    """Input function: the measured speed of the first run of one device, which scaling is told against."""
    devices = {run: settings["devices"] for run, settings in config["runs"].items()}
    singles = [run for run in devices if devices[run] == 1] if devices[wildcards.run] > 1 else []
    return ["results/{}/performance.json".format(run) for run in singles[:1]]


def performance_flags(wildcards, input):
    """Flags of train.py that measure the speed of a run instead of training it."""
    words = ["--epochs 1 --performance results/{}/performance.json".format(wildcards.run)]
    return " ".join(words + ["--single {}".format(path) for path in input.single])


def last_checkpoint(name):
    """Input function: file `name` of the last checkpoint of the run of the wildcards."""
    return lambda wildcards: "results/{}/checkpoints/epoch{}/{}".format(
        wildcards.run, 0 if wildcards.run in published() else kept_epochs()[-1], name
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


def of_runs(pattern):
    """The paths that `pattern`, with the fields run and perhaps epoch, stands for."""
    return [
        path
        for run in config["runs"]
        for path in dict.fromkeys(pattern.format(run=run, epoch=epoch) for epoch in kept_epochs())
    ]


def predicted(key, default=None):
    """Function of the wildcards: setting `key` of their set of pictures."""
    return lambda wildcards: config["predictions"][wildcards.pictures].get(key, default)


def predicting_run(wildcards):
    """The run whose frozen graph predicts the set of pictures of the wildcards."""
    return predicted("run", next(iter(config["runs"])))(wildcards)


def prediction_inputs(wildcards):
    """Input function: the pictures themselves, so that a new or changed one counts."""
    words = config["predictions"][wildcards.pictures]["input"]
    try:
        # A file that is named may be one that a rule makes.
        paths = [path for word in words for path in ([word] if _is_file_name(word) else image_files.find([word]))]
    except PipelineError as error:
        raise WorkflowError("config: predictions.{}.{}".format(wildcards.pictures, str(error).lstrip("-")))
    braces = [path for path in paths if "{" in path or "}" in path]
    if braces:
        words = "config: predictions.{}.input {}: Snakemake takes braces in a name for its own; rename it"
        raise WorkflowError(words.format(wildcards.pictures, braces[0]))
    return paths


def om_batch():
    """Images that an OM file takes at once: as many as the frozen graph that it is made of, where that is fixed."""
    return config["inference" if config["inference"]["fixed_batch"] else "om"]["batch_size"]


def _is_file_name(word):
    return not os.path.isdir(word) and (os.path.isfile(word) or not re.search(r"[*?[]", word))


def prediction_flags(wildcards):
    """Flags of predict.py that are passed only where the config has them."""
    settings = config["predictions"][wildcards.pictures]
    return [
        word
        for key in ("write", "scale", "intrinsics")
        if key in settings
        for word in ["--{}".format(key), *map(str, settings[key])]
    ]


def there(paths):
    """Those of the files that are there: the report shows them, and is not what they are made for."""
    return [path for path in paths if os.path.exists(path)]


def deployed_graphs(runs):
    """The evaluations of ONNX and OM files of these runs, or pretrained networks, that are there."""
    return there("results/{}/inference/{}.json".format(run, kind) for kind in ("onnx", "om") for run in runs)


def evaluated_networks():
    """The pretrained networks that have been evaluated.

    Not all that `pretrained` lists: runs start from some of them, and others are for other data.
    """
    return [name for name in sorted(published()) if os.path.exists("results/{}/evaluation/epoch0.json".format(name))]


def of_networks(pattern):
    """The files by this pattern of pretrained networks, where they are evaluated, that are there."""
    return there(pattern.format(run=name) for name in evaluated_networks())


def gallery_scenes():
    """Names of the scenes in a gallery: so many over the whole test set, the best and the worst."""
    return ["scene_{}".format(i + 1) for i in range(config["report"]["gallery"])] + ["best", "worst"]


def example_panels():
    """The panel of each run, where the config names pictures for it."""
    return of_runs("results/{run}/inference/examples.png") if config["data"]["examples"] else []


def encoder_file():
    """The file of Keras that runs begin with, if they do."""
    name = config["train"]["weights"]
    return [] if name in published() else name or []


def weights_sides():
    """The metadata files of the weights that runs begin with."""
    sides = [
        os.path.join(weights_folder(run), "model.json" if weights_name(run) in published() else "weights.json")
        for run in config["runs"]
        if weights_name(run)
    ]
    return list(dict.fromkeys(sides))


def network_settings(wildcards):
    """What the settings say of a pretrained network, as JSON text."""
    return json.dumps({"pretrained": {wildcards.run.split("/")[1]: published()[wildcards.run]}}, sort_keys=True)


def reported_settings():
    """The settings that decide the results, as JSON text: not those of the machine and addresses."""
    machine = ("runtime", "python", "platform", "gpus", "devices_per_node", "npu_options", "npu_addresses")
    addresses = ("downloads", "download_cache", "pretrained")
    other_targets = ("predictions", "onnx", "om", "replace_results")
    settings = {key: value for key, value in config.items() if key not in machine + addresses + other_targets}
    apart = ("state_minutes", "rank_timeout", "performance_steps", "hcom_parallel")
    settings["train"] = {key: value for key, value in config["train"].items() if key not in apart}
    if config["platform"] == "ascend":
        numbers = {name: value for name, value in config["npu_options"].items() if name in ascend_options.NUMBERS}
        settings.update({"npu_options": numbers} if numbers else {})
    return json.dumps(settings, sort_keys=True)
