"""Functions for the rules. What the settings of a run are, and which of its epochs are kept, trained and frozen."""

import functools
import json
import operator
import re

from snakemake.exceptions import WorkflowError

from densedepth import run_settings, sweeps
from densedepth.errors import PipelineError
from densedepth.evaluation import selection
from densedepth.platforms import ascend_options


@functools.lru_cache(maxsize=None)
def settings_of(run):
    """The complete settings of a run; of a pretrained network, those that all runs share."""
    return run_settings.of_run(config, run)


@functools.lru_cache(maxsize=None)
def members(sweep):
    """The runs of a sweep."""
    return list(sweeps.members(config, sweep))


@functools.lru_cache(maxsize=None)
def named_runs():
    """The runs that are none of a sweep's own."""
    made = sweeps.origins(config)
    return [run for run in config["runs"] if run not in made]


def reported_runs(wildcards):
    """The runs that the report with these wildcards is of: those of a sweep, or all named ones."""
    return members(wildcards.sweep) if hasattr(wildcards, "sweep") else named_runs()


def setting(settings, path):
    """The setting at `path`, such as `train/learning_rate`."""
    return functools.reduce(operator.getitem, path.split("/"), settings)


def of_run(path):
    """Function of the wildcards: the setting at `path` of their run."""
    return lambda wildcards: setting(settings_of(wildcards.run), path)


# Flags of train.py, and the settings of a run that they pass on; below, those of `train` by the same names.
TRAINING = {
    "devices": "devices",
    "steps_per_device": "steps_per_device",
    "lr": "train/learning_rate",
    "bs": "train/batch_size",
    "swap_probability": "train/channel_shuffle_probability",
    "encoder": "model/encoder",
    "decoder": "model/decoder",
    "upsampling": "model/upsampling",
    "mid_activation": "model/mid_activation",
    "seed": "seed",
}
RECIPE = (
    "lr_decay",
    "loss",
    "schedule",
    "warmup_steps",
    "weight_decay",
    "clip_norm",
    "encoder_rate_factor",
    "frozen_encoder_epochs",
    "ema_decay",
    "accumulate",
    "max_zoom",
    "max_rotation",
    "brightness",
    "contrast",
    "saturation",
    "hue",
    "mirror_probability",
    "batch_norm_momentum",
    "log_every",
    "precision_mode",
    "op_select_implmode",
    "is_loss_scale",
)


@functools.lru_cache(maxsize=None)
def flags_of(run):
    """Flags of train.py for the settings of a run that decide its weights; one function, which a plan calls often.

    The length of the run is among them where the learning rate depends on it.
    """
    settings = settings_of(run)
    paths = dict(TRAINING, **{name: "train/{}".format(name) for name in RECIPE})
    values = {flag: setting(settings, path) for flag, path in paths.items()}
    if settings["train"]["schedule"] == "cosine":
        values["schedule_epochs"] = settings["train"]["epochs"]
    values.update(maxdepth=max_depth_cm(), halving=halving(settings))
    flags = [word for flag, value in values.items() for word in ("--{}".format(flag), str(value))]
    return [*flags, "--size", str(settings["data"]["height"]), str(settings["data"]["width"]), *npu_flags(numbers=True)]


@functools.lru_cache(maxsize=None)
def kept_epochs(run):
    """Epochs of a run with a checkpoint, ascending; the last epoch is always one. A pretrained network has epoch 0."""
    return [0] if run in published() else run_settings.kept_epochs(settings_of(run)["train"])


def validation_flags():
    """Flags for the pairs that are taken for the validation; none without one."""
    settings = config["data"]["validation"]
    values = {key: settings[key] for key in ("share", "scenes", "csv") if settings[key]}
    return [
        word
        for key, value in values.items()
        for word in ["--validation_{}".format(key), *map(str, value if isinstance(value, list) else [value])]
    ]


def validation_list():
    """The list of the validation pairs of an archive; none for custom data, whose list marks them."""
    return ["results/data/validation.json"] if validation_flags() and not picture_inputs() else []


def validation_csv():
    """The csv of the validation pairs, where the settings name one."""
    return [path for path in [config["data"]["validation"]["csv"]] if path]


def validation_scores(run, epochs):
    """{epoch: the figure of its validation by which checkpoints are chosen}, up to an early end of the run.

    In an input function, the first epoch that is not validated makes Snakemake do it and ask again.
    """
    metric = config["data"]["validation"]["metric"]
    scores = {}
    for epoch in epochs:
        path = checkpoints.validate_checkpoint.get(run=run, epoch=epoch).output.figures
        try:
            scores[epoch] = selection.score(path, metric)
        except PipelineError as error:
            raise WorkflowError(str(error))
        if stopped_after(run, scores):
            break
    return scores


def stopped_after(run, scores):
    """The epoch after which these validations end the run; None while they do not."""
    train = settings_of(run)["train"]
    metric = config["data"]["validation"]["metric"]
    return selection.stopped_after(scores, metric, train["patience"], train["min_delta"])


def may_stop(run):
    """Whether the run may end before its last epoch."""
    return run not in published() and settings_of(run)["train"]["patience"] > 0


def trained_epochs(run):
    """The kept epochs of a run up to that after which it stops early; asks as `validation_scores` where it may."""
    kept = kept_epochs(run)
    if not may_stop(run):
        return kept
    # The last epoch ends the run in any case.
    stopped = stopped_after(run, validation_scores(run, kept[:-1]))
    return [epoch for epoch in kept if stopped is None or epoch <= stopped]


def exported_epoch(run):
    """The epoch whose checkpoint of a run is frozen; asks as `validation_scores` where its validations decide."""
    chosen = "last" if run in published() else settings_of(run)["export"]
    if chosen == "best":
        metric = config["data"]["validation"]["metric"]
        return selection.best(validation_scores(run, trained_epochs(run)), metric)
    return trained_epochs(run)[-1] if chosen == "last" else chosen


def of_runs(pattern, runs):
    """The paths that `pattern`, with the fields run and perhaps epoch, stands for; of epochs, those that are trained."""
    epochs_of = trained_epochs if "{epoch}" in pattern else kept_epochs
    found = (pattern.format(run=run, epoch=epoch) for run in runs for epoch in epochs_of(run))
    return list(dict.fromkeys(found))


VALIDATION = "results/{run}/validation/epoch{epoch}.json"


def validations_of(runs):
    """The validations of the trained epochs of these runs; none where nothing is validated."""
    return of_runs(VALIDATION, runs) if validation_flags() else []


def validations_to_wait_for(chosen):
    """Input functions, one for each run that may stop early, so that Snakemake goes on with all such runs at once.

    chosen: function of the wildcards, the runs that count. A target has them too: where a rule whose result decides the
    plan is to run again, Snakemake compares no settings of what follows, and finds that nothing is to be done.
    """

    def validations(run):
        return lambda wildcards: of_runs(VALIDATION, [run] if run in chosen(wildcards) else [])

    return [validations(run) for run in config["runs"] if may_stop(run)]


def every_epoch():
    """The epochs that any run, or pretrained network, has."""
    return map(str, sorted({0, *(epoch for run in config["runs"] for epoch in kept_epochs(run))}))


def with_epochs(runs):
    """A pattern for these runs where one of their own epochs follows in a path, which another run may lack."""
    places = "(?=/(?:checkpoints|evaluation|validation)/epoch(?:{})[/.])"
    return "|".join(re.escape(run) + places.format(one_of(map(str, kept_epochs(run)))) for run in runs)


def compared(runs):
    """Names of the images that a report has of all its runs together."""
    names = ["errors"] + (["runs"] if len(runs) > 1 else [])
    return names + (["settings"] if run_settings.swept(config, runs) else [])


def worse_pictures(places):
    """Names of the images that a report has of worse images: two for each alignment of those networks that are measured.

    places: folders below results/.
    """
    measured = there("results/{}/robustness.json".format(place) for place in places)
    names = [os.path.dirname(path).partition("results/external/")[2] for path in measured]
    alignments = {config["external"][name].get("alignment", "none") if name else "none" for name in names}
    ends = ["" if alignment == "none" else "_{}".format(alignment) for alignment in sorted(alignments)]
    return ["{}{}".format(name, end) for end in ends for name in ("worse", "disagreement")]


def networks_of_others():
    """Folders below results/ of other programs' networks; stored predictions are none."""
    return ["external/{}".format(name) for name, entry in config["external"].items() if "network" in entry]


def of_reported(pattern, chosen=list):
    """Input function: the paths that `pattern` stands for of the runs of a report, those of them that are `chosen`."""
    return lambda wildcards: chosen(of_runs(pattern, reported_runs(wildcards)))


def networks_beside(wildcards):
    """The pretrained networks that the report with these wildcards shows: the report of a sweep is of its runs alone."""
    return [] if hasattr(wildcards, "sweep") else evaluated_networks()


def scores_beside(wildcards):
    """Input function: the scores of predictions of other programs that the report with these wildcards shows."""
    external = () if hasattr(wildcards, "sweep") else config["external"]
    return expand("results/external/{external}/evaluation.json", external=external)


def robustness_beside(wildcards):
    """Input function: the figures on worse images, where there are some, of the networks that the report with these
    wildcards shows: `snakemake results/1p/robustness.json` makes some."""
    theirs = [] if hasattr(wildcards, "sweep") else networks_of_others()
    places = [*reported_runs(wildcards), *networks_beside(wildcards), *theirs]
    return there("results/{}/robustness.json".format(place) for place in places)


def settings_told(runs):
    """The settings that decide the results of these runs, as JSON text: not those of the machine and addresses."""
    machine = ("runtime", "python", "platform", "gpus", "devices_per_node", "npu_options", "npu_addresses")
    addresses = ("downloads", "download_cache", "pretrained")
    other_targets = (
        "predictions",
        "tracking",
        "external",
        "onnx",
        "om",
        "exports",
        "model_card",
        "replace_results",
        "sweeps",
    )
    settings = {key: value for key, value in config.items() if key not in machine + addresses + other_targets}
    apart = ("state_minutes", "rank_timeout", "performance_steps", "hcom_parallel")
    if not validation_flags():
        # What would choose by a validation says nothing.
        settings["data"] = {key: value for key, value in config["data"].items() if key != "validation"}
        apart += ("patience", "min_delta")
        if config["export"] == "last":
            del settings["export"]

    def without_apart(settings):
        return {key: value for key, value in settings.items() if key not in apart}

    settings["train"] = without_apart(config["train"])
    settings["runs"] = {
        run: dict(own, train=without_apart(own["train"])) if "train" in own else own
        for run, own in ((run, config["runs"][run]) for run in runs)
    }
    if config["platform"] == "ascend":
        numbers = {name: value for name, value in config["npu_options"].items() if name in ascend_options.NUMBERS}
        settings.update({"npu_options": numbers} if numbers else {})
    return json.dumps(settings, sort_keys=True)


def tracked_runs():
    """What `all` makes besides, where runs are tracked."""
    return ["results/tracking.json"] if config["tracking"]["mlflow"] else []
