"""Train the network from one checkpoint to the next, or through a whole run.

    python workflow/scripts/train.py --lr 1e-4 --bs 4 --steps 12672 --epochs 20 --full \\
        --train_tfrecords results/data/nyu_train.tfrecords --ckptdir results/1p/checkpoints

The flags of the reference port keep their meaning. A call that was interrupted goes on where it was when it is
repeated. With --full the checkpoints after epochs 5, 10 and 11 to 20 are kept (--keep_epochs names others) and each
is evaluated on --test_data.

With --devices 8 it starts eight processes, one for each device of this machine. Ranks that something else starts are
told by --is_distributed true: RANK_ID, RANK_SIZE and DENSEDEPTH_MASTER (host:port of rank 0), or srun's variables.
"""

import contextlib
import os
import subprocess
import sys
import tempfile

import cli
from densedepth import files, metadata, platforms, progress
from densedepth.data import dataset, records
from densedepth.errors import PipelineError
from densedepth.network import model
from densedepth.platforms import launcher, ranks
from densedepth.platforms.base import Options
from densedepth.training import loop

# Found at once: a rank on Ascend works in a folder of its own, where a relative path means another file.
_EVALUATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "evaluate.py")
# What the measurement of one device must hold to tell the scaling.
_SPEED = {
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
# The word for --steps that see each pair once.
_AUTO = "auto"
# The epochs that the reference port evaluates.
_FULL_EPOCHS = (5,) + tuple(range(10, 21))


def build_parser():
    arguments = cli.parser(__doc__)
    add = arguments.add_argument
    add("--name", default="densedepth", help="name of the run, for messages")
    add("--train_tfrecords", nargs="+", required=True, help="record files, a pattern, or the name before sharding")
    add("--train_data", help="nyu_data.zip of the port's command line; records are made by dataset_tool_tf.py")
    add("--test_data", default="dataset/nyu_test.zip", help="test archive, used with --full")
    add("--ckptdir", default="./ckpt", help="folder for epoch<N> checkpoints and the resume state")
    add("--performance", metavar="FILE", help="only measure: write the speed of --steps steps there, keep nothing")
    add("--single", metavar="FILE", help="with --performance: that of one device, which scaling is told against")
    add("--result", help="folder for TensorBoard and evaluations; default: beside the checkpoints")
    add("--checkpoint", help="checkpoint of --initial_epoch to start from")
    add(
        "--weights",
        help="weights to start from, without optimizer state: for the encoder a Keras notop .h5 or a folder made by "
        "import_weights.py; for the whole network a checkpoint folder, of ours or made by import_model.py",
    )
    add("--initial_epoch", type=cli.number("whole"), default=0, help="epochs already trained")
    add(
        "--epochs",
        type=cli.number("train.epochs"),
        default=20,
        help="last epoch, counted from the beginning of the run",
    )
    add(
        "--run_epochs", type=cli.number("train.epochs"), help="epochs of the whole run, for messages; default: --epochs"
    )
    add(
        "--keep_epochs",
        type=cli.number("train.keep_epochs"),
        nargs="*",
        default=[],
        help="epochs whose checkpoints are kept",
    )
    cli.add_boolean(arguments, "--full", False, "keep and evaluate the checkpoints that the port evaluates")
    add("--lr", type=cli.number("train.learning_rate"), default=1e-4, help="learning rate of the first epoch")
    add(
        "--lr_decay",
        type=cli.number("train.lr_decay"),
        default=0.9,
        help="factor on the learning rate for each later epoch",
    )
    add("--bs", type=cli.number("train.batch_size"), default=4, help="images in a batch of one device")
    add(
        "--steps",
        type=_steps,
        default=12672,
        help="steps in an epoch, shared by the devices; `auto`: as many as it takes to see each pair once",
    )
    cli.add_boolean(
        arguments, "--steps_per_device", False, "--steps on every device: an epoch sees more, as the port's"
    )
    add("--mindepth", type=cli.number("centimetres"), default=10, help="nearest depth of the targets, centimetres")
    add("--maxdepth", type=cli.number("centimetres"), default=1000, help="farthest depth of the targets, centimetres")
    add(
        "--size",
        type=cli.number("data.height"),
        nargs=2,
        default=[480, 640],
        help="height and width of the network's input",
    )
    add("--halving", choices=dataset.HALVINGS, default="pick", help="how the target comes to half size")
    add(
        "--mirror_probability",
        type=cli.number("train.mirror_probability"),
        default=0.5,
        help="share of samples mirrored left to right",
    )
    add(
        "--swap_probability",
        type=cli.number("train.swap_probability"),
        default=0.5,
        help="share of samples with a drawn order of colour channels",
    )
    add("--encoder", default="densenet169", help="densenet121, densenet169 or densenet201")
    add("--decoder", default="half", help="width of the decoder: half or full")
    add("--upsampling", default="half_pixel", help="half_pixel, align_corners or asymmetric")
    cli.add_boolean(arguments, "--mid_activation", True, "leaky ReLU between the convolutions of an up block")
    add(
        "--batch_norm_momentum",
        type=cli.number("train.batch_norm_momentum"),
        default=0.99,
        help="weight of the old moving average",
    )
    add("--seed", type=cli.number("seed"), default=0, help="seed of order, augmentation and random weights")
    add("--log_every", type=cli.number("train.log_every"), default=10, help="steps between log lines")
    add("--state_minutes", type=cli.number("state_minutes"), default=5, help="minutes between snapshots to resume from")
    add("--platform", default="cpu_gpu", help="cpu_gpu or ascend")
    add(
        "--npu_option",
        nargs="+",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="more options of the platform ascend",
    )
    add("--npu_addresses", nargs="+", default=[], help="of the Ascend devices 0, 1, ...; default: /etc/hccn.conf")
    add("--precision_mode", default="must_keep_origin_dtype", help="as on Ascend")
    add("--op_select_implmode", default="high_precision", help="as on Ascend")
    cli.add_boolean(arguments, "--is_loss_scale", False, "dynamic loss scale, with mixed precision")
    add("--devices", type=cli.number("runs.*.devices"), default=1, help="devices of this machine, a process for each")
    add(
        "--rank_timeout",
        type=cli.number("train.rank_timeout"),
        default=60,
        help="seconds without a sign of life after which a rank is lost",
    )
    cli.add_boolean(arguments, "--gpus", False, "refuse to train where TensorFlow finds no GPU")
    cli.add_boolean(arguments, "--is_distributed", False, "be one of several ranks, as the environment says")
    cli.add_boolean(arguments, "--hcom_parallel", False, "exchange gradients during the backward pass, on Ascend")
    return arguments


def work(args):
    launcher.end_with_launcher()
    _check(args)
    group = _ranks(args)
    if group is None and args.devices > 1:
        # What is wrong with the options is told once, before anything starts.
        _create(args, None)
        kind = platforms.kind(args.platform)
        environments = kind.environments(args.devices, _results(args), args.npu_addresses)
        status = launcher.run([sys.executable] + sys.argv, environments, args.rank_timeout, _ranks_folder(args))
        if status:
            sys.exit(status)
        return
    _train(args, group)


def _steps(word):
    return word if word == _AUTO else cli.number("train.steps")(word)


def _check(args):
    """Raises PipelineError for flags that are right each and wrong together."""
    if not args.mindepth < args.maxdepth:
        raise PipelineError(
            "--mindepth {:g} --maxdepth {:g}: centimetres, the nearest must be below the farthest".format(
                args.mindepth, args.maxdepth
            )
        )
    if not args.initial_epoch < args.epochs:
        raise PipelineError(
            "--initial_epoch {} --epochs {}: nothing to train between them".format(args.initial_epoch, args.epochs)
        )
    late = [epoch for epoch in args.keep_epochs if epoch > args.epochs]
    if late:
        raise PipelineError("--keep_epochs {}: must be at most --epochs {}".format(late[0], args.epochs))


def _ranks(args):
    """This process among the ranks, or None when it is to train alone or to start them."""
    launched = ranks.LAUNCHER in os.environ
    if not (args.is_distributed or launched):
        if os.environ.get("RANK_SIZE", "1") != "1":
            raise PipelineError(
                "RANK_SIZE = {RANK_SIZE} in the environment: give --is_distributed true to be one of these ranks, or "
                "unset it".format(**os.environ)
            )
        return None
    group = ranks.find(os.environ, args.rank_timeout)
    if group is None and args.devices == 1:
        raise PipelineError(
            "--is_distributed true: neither RANK_ID and RANK_SIZE nor SLURM_PROCID and SLURM_NTASKS are set; give "
            "--devices N to start N processes on this machine"
        )
    if group is not None and args.devices not in (1, group.size):
        raise PipelineError("--devices {}: the environment tells of {} ranks".format(args.devices, group.size))
    return group


def _train(args, group):
    size = group.size if group else 1
    if group and group.rank > 0:
        progress.mute()
    if args.performance:
        # Shared by many devices, the steps would be too few to time.
        args.steps_per_device = True
    platform = _create(args, group)
    if args.gpus and not platform.gpu:
        raise PipelineError(
            "--gpus true (`gpus` in the config): TensorFlow finds no GPU here. Is its package one for GPUs "
            "(docs/operate.md)? Does CUDA_VISIBLE_DEVICES hide them?"
        )
    for note in platform.notes():
        progress.line(note)
    if args.platform == "ascend":
        _own_folder(args, platform.rank)
    with contextlib.ExitStack() as stack:
        if args.performance:
            args.ckptdir = args.result = stack.enter_context(tempfile.TemporaryDirectory())
        segment = _segment(args)
        index = records.RecordIndex(records.expand(args.train_tfrecords))
        if args.steps == _AUTO:
            args.steps = -(-len(index) // args.bs)
            progress.line("{} steps an epoch, for {} pairs in batches of {}".format(args.steps, len(index), args.bs))
        settings = _settings(args, size)
        if size > 1:
            progress.line(_division(args, size, settings.steps))
        try:
            loop.train(settings, segment, index, platform, _after_checkpoint(args, size))
        except loop.Interrupted as error:
            if platform.rank == 0:
                print("{}: {}".format(args.name, error), file=sys.stderr)
            sys.exit(128 + error.signal_number)
        if args.full and platform.rank == 0:
            _evaluate_missing(args)


def _create(args, group):
    """The platform. Raises PipelineError where it cannot take the options."""
    options = Options(
        args.precision_mode,
        args.op_select_implmode,
        args.is_loss_scale,
        args.hcom_parallel,
        group,
        _pairs(args.npu_option),
    )
    return platforms.create(args.platform, options)


def _after_checkpoint(args, size):
    if args.performance:
        return _speed(args)
    # Several ranks would wait for the evaluation in an exchange, and Ascend's have a time limit there.
    return lambda checkpoint: _evaluate_missing(args) if args.full and size == 1 else None


def _own_folder(args, rank):
    """Go to a folder of this rank: the Ascend compiler writes files of fixed names where it is started."""
    folder = launcher.rank_folder(_ranks_folder(args), rank)
    for name in ("ckptdir", "result", "performance", "single", "checkpoint", "weights", "test_data"):
        if getattr(args, name):
            setattr(args, name, os.path.abspath(getattr(args, name)))
    args.train_tfrecords = [os.path.abspath(path) for path in args.train_tfrecords]
    if os.environ.get("RANK_TABLE_FILE"):
        os.environ["RANK_TABLE_FILE"] = os.path.abspath(os.environ["RANK_TABLE_FILE"])
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)


def _pairs(groups):
    words = [word for group in groups for word in group]
    for word in words:
        if "=" not in word:
            raise PipelineError("--npu_option {}: must be KEY=VALUE".format(word))
    return dict(word.split("=", 1) for word in words)


def _division(args, size, steps):
    """A line on what --steps means on several devices."""
    if args.steps_per_device:
        return "steps_per_device: {} steps an epoch on each of {} devices, {} times the samples".format(
            steps, size, size
        )
    return "{} steps an epoch on one device are {} on {} devices: the same number of samples".format(
        args.steps, steps, size
    )


def _settings(args, size):
    return loop.Settings(
        model=model.Model(args.encoder, args.decoder, args.upsampling, args.mid_activation),
        size=tuple(args.size),
        batch_size=args.bs,
        # Rounded up: an epoch sees all samples that it sees on one device.
        steps=args.steps if args.steps_per_device else -(-args.steps // size),
        learning_rate=args.lr,
        lr_decay=args.lr_decay,
        halving=args.halving,
        mirror_probability=args.mirror_probability,
        swap_probability=args.swap_probability,
        batch_norm_momentum=args.batch_norm_momentum,
        seed=args.seed,
        depth_range=(args.mindepth, args.maxdepth),
    )


def _segment(args):
    return loop.Segment(
        first=args.initial_epoch,
        last=args.epochs,
        kept=tuple(_kept(args)),
        start=args.checkpoint,
        weights=args.weights,
        folder=args.ckptdir,
        events=os.path.join(_results(args), "tensorboard"),
        log_every=args.log_every,
        state_seconds=60 * args.state_minutes,
        run_epochs=args.run_epochs,
    )


def _kept(args):
    """The epochs whose checkpoints are kept, rising."""
    kept = args.keep_epochs or [e for e in _FULL_EPOCHS if args.full and e <= args.epochs]
    return sorted(set(kept) | {args.epochs})


def _results(args):
    return args.result or os.path.dirname(os.path.abspath(args.performance or args.ckptdir))


def _ranks_folder(args):
    return os.path.join(_results(args), "ranks")


def _speed(args):
    """Writes how fast the steps were, and with how much memory."""

    def write(checkpoint):
        side = checkpoint.side
        speed = dict(side["performance"])
        if "step_ms" not in speed:
            raise PipelineError("--performance: {} steps are too few, the first are not timed".format(args.steps))
        speed["images_per_second_per_device"] = speed["images_per_second"] / speed["world_size"]
        facts = {key: side[key] for key in ("model", "size", "runtime")}
        document = dict(facts, format=1, run=args.name, performance=speed)
        single = _single(args, document)
        if single:
            speed["scaling_efficiency"] = speed["images_per_second_per_device"] / single
        files.write_json(args.performance, document)
        progress.line(
            "{}: {step_ms:.0f} ms/step, {images_per_second:.2f} images/s on {world_size} device(s)".format(
                args.performance, **speed
            )
        )

    return write


def _single(args, document):
    """images/s of one device, measured under the same circumstances as `document`, or None."""
    if not args.single:
        return None
    other = metadata.read(args.single, _SPEED)

    def circumstances(one):
        speed = one["performance"]
        return [one["model"], one["size"], one["runtime"]] + [speed[k] for k in ("device", "precision", "batch_size")]

    if other["performance"]["world_size"] != 1 or circumstances(other) != circumstances(document):
        progress.line("{}: of another network, batch or machine, so scaling is not told".format(args.single))
        return None
    return other["performance"]["images_per_second"]


def _evaluate_missing(args):
    """Evaluate the kept checkpoints that have no evaluation yet, or an older one.

    Each in a process of its own, so that training depends on no code of the evaluation.
    """
    logs = os.path.join(_results(args), "evaluation")
    for epoch in _kept(args):
        name = "epoch{}".format(epoch)
        folder, figures = os.path.join(args.ckptdir, name), os.path.join(logs, name + ".json")
        if not _newer(os.path.join(folder, "model.json"), figures):
            continue
        command = [sys.executable, _EVALUATE, "--ckptdir", folder, "--test_data", args.test_data]
        command += ["--logdir", logs, "--json", figures, "--name", args.name]
        command += ["--tensorboard", os.path.join(_results(args), "tensorboard", "evaluation")]
        sys.stdout.flush()
        if subprocess.call(command) != 0:
            raise PipelineError("{}: its evaluation failed, see above; repeat the command to go on".format(name))


def _newer(path, other):
    """Whether the file `path` is there and `other` is not, or is older."""
    return os.path.exists(path) and not (os.path.exists(other) and os.path.getmtime(other) >= os.path.getmtime(path))


def main(argv=None):
    return cli.run(build_parser(), work, argv)


if __name__ == "__main__":
    sys.exit(main())
