"""Functions for the devices of a training: how many it takes, on how many machines, and with which options."""

import functools
import shlex

from densedepth.platforms import ascend_options


def npus():
    """Input function: the Ascend devices of the run of the wildcards."""
    return lambda wildcards: settings_of(wildcards.run)["devices"] if config["platform"] == "ascend" else 0


def gpus(count):
    """Input function: `count` GPUs where the settings say that there are some, else none is asked for."""
    return lambda wildcards: (count(wildcards) if callable(count) else count) if config["gpus"] else 0


def nodes(wildcards):
    """Machines that the run of the wildcards takes; None for a single one, whichever it is."""
    devices, each = settings_of(wildcards.run)["devices"], config["devices_per_node"]
    return -(-devices // each) if 0 < each < devices else None


def on_nodes(several, one):
    """Function of the wildcards: `several` of them for a run on several machines, else `one`."""
    return (lambda wildcards: several(wildcards) if nodes(wildcards) else one) if config["devices_per_node"] else one


def training_memory(wildcards):
    """MB on each machine of the run of the wildcards: of the program's own, and for each process of a batch of 4."""
    devices, each = settings_of(wildcards.run)["devices"], config["devices_per_node"]
    return 10000 + 6000 * min(devices, each or devices)


def launcher(wildcards, threads):
    """What stands before the command of a training: srun with all it must be told, or nothing."""
    if not nodes(wildcards):
        return ""
    words = "srun --nodes={} --ntasks={} --cpus-per-task={} --kill-on-bad-exit=1"
    return words.format(nodes(wildcards), settings_of(wildcards.run)["devices"], threads)


def npu_flags(numbers):
    """Flags of train.py for the parameters of an Ascend session: those that change what is computed, or the others.

    Booleans are in the words of the command line.
    """
    if config["platform"] != "ascend":
        return []
    pairs = [pair for pair in sorted(config["npu_options"].items()) if (pair[0] in ascend_options.NUMBERS) == numbers]
    words = ["{}={}".format(name, str(value).lower() if isinstance(value, bool) else value) for name, value in pairs]
    return ["--npu_option", *words] if words else []


@functools.lru_cache(maxsize=None)
def flags_besides(run):
    """Flags of train.py that change no result, as text for a shell: one function, which a plan calls often."""
    settings = settings_of(run)["train"]
    values = {name: settings[name] for name in ("state_minutes", "rank_timeout", "hcom_parallel")}
    # It only says of how many epochs this is one.
    values.update(run_epochs=settings["epochs"], platform=config["platform"], gpus=config["gpus"])
    flags = [word for name, value in values.items() for word in ("--{}".format(name), str(value).lower())]
    addresses = ["--npu_addresses", *config["npu_addresses"]] if config["npu_addresses"] else []
    return shlex.join(npu_flags(numbers=False) + flags + addresses)
