"""Train the network from one checkpoint to the next, or through a whole run.

    python workflow/scripts/train.py --lr 1e-4 --bs 4 --steps 12672 --epochs 20 --full \\
        --train_tfrecords results/data/nyu_train.tfrecords --ckptdir results/1p/checkpoints

The flags of the reference port keep their meaning. A call that was interrupted resumes when it is repeated. With --full
the checkpoints after epochs 5, 10 and 11 to 20 are kept (--keep_epochs names others) and each is evaluated on
--test_data.

With --devices 8 it starts eight processes, one for each device of this machine. Ranks that something else starts are
told by --is_distributed true: RANK_ID, RANK_SIZE and DENSEDEPTH_MASTER (host:port of rank 0), or srun's variables.
"""

import functools
import os
import sys

import cli
from densedepth import platforms, progress
from densedepth.data import training_input
from densedepth.data.augmentation import Augmentation
from densedepth.errors import PipelineError
from densedepth.network import model
from densedepth.platforms import launcher, ranks
from densedepth.platforms.base import Options
from densedepth.training import evaluations, job, loop, loss, schedules
from densedepth.training.settings import Recipe, Segment, Settings


def build_parser():
    arguments = cli.parser(__doc__)
    _add_files(arguments)
    _add_schedule(arguments)
    _add_recipe(arguments)
    _add_network(arguments)
    _add_devices(arguments)
    return arguments


def _kinds(arguments):
    """What adds a flag of any type, a number, a switch."""
    kinds = (cli.add_number, cli.add_boolean)
    return [arguments.add_argument, *(functools.partial(kind, arguments) for kind in kinds)]


def _add_files(arguments):
    add = arguments.add_argument
    add("--name", default="densedepth", help="name of the run, for messages")
    add("--train_tfrecords", nargs="+", required=True, help="record files, a pattern, or the name before sharding")
    add("--train_data", help="nyu_data.zip of the port's command line; records are made by dataset_tool_tf.py")
    add("--test_data", default="dataset/nyu_test.zip", help="test archive, used with --full")
    add("--ckptdir", default="./ckpt", help="folder for epoch<N> checkpoints and the resume state")
    add("--performance", metavar="FILE", help="only measure: write the speed of --steps steps there, keep nothing")
    add("--single", metavar="FILE", help="with --performance: that of one device, to compare with")
    add("--result", help="folder for TensorBoard and evaluations; default: beside the checkpoints")
    add("--checkpoint", help="checkpoint of --initial_epoch to start from")
    words = "weights to start from, without optimizer state: for the encoder a Keras notop .h5 or a folder made by "
    words += "import_weights.py; for the whole network a checkpoint folder, of ours or made by import_model.py"
    add("--weights", help=words)


def _add_schedule(arguments):
    add, number, switch = _kinds(arguments)
    number("--initial_epoch", "whole", 0, "epochs already trained")
    number("--epochs", "train.epochs", 20, "last epoch, counted from the beginning of the run")
    add("--run_epochs", type=cli.number("train.epochs"), help="epochs of the whole run, for the log; default: --epochs")
    epochs = cli.number("train.keep_epochs")
    add("--keep_epochs", type=epochs, nargs="*", default=[], help="epochs whose checkpoints are kept")
    switch("--full", False, "keep and evaluate the checkpoints that the port evaluates")
    number("--lr", "train.learning_rate", 1e-4, "learning rate of the first epoch")
    number("--lr_decay", "train.lr_decay", 0.9, "factor on the learning rate for each later epoch")
    number("--bs", "train.batch_size", 4, "images in a batch of one device")
    words = "steps in an epoch, shared by the devices; `auto`: as many as it takes to see each pair once"
    add("--steps", type=_steps, default=12672, help=words)
    switch("--steps_per_device", False, "--steps on every device: an epoch sees more, as the port's")
    number("--seed", "seed", 0, "seed of order, augmentation and random weights")
    number("--log_every", "train.log_every", 10, "steps between log lines")
    number("--state_minutes", "state_minutes", 5, "minutes between snapshots to resume from")


def _add_recipe(arguments):
    add, number, _ = _kinds(arguments)
    add("--loss", choices=loss.LOSSES, default="densedepth", help="what is minimized (docs/training.md)")
    words = "learning rate over the run: exponential (--lr_decay) or cosine, which ends at 0"
    add("--schedule", choices=schedules.KINDS, default="exponential", help=words)
    words = "epochs of the whole run, over which a cosine falls; default: --epochs"
    add("--schedule_epochs", type=cli.number("train.epochs"), help=words)
    number("--warmup_steps", "train.warmup_steps", 0, "first steps, in which the learning rate rises linearly")
    number("--weight_decay", "train.weight_decay", 0.0, "decoupled weight decay of the kernels (AdamW); 0: Adam")
    number("--clip_norm", "train.clip_norm", 0.0, "largest norm of all gradients together; 0: any")
    words = "factor on the learning rate of the encoder"
    number("--encoder_rate_factor", "train.encoder_rate_factor", 1.0, words)
    words = "first epochs, in which the encoder's weights stay as they are"
    number("--frozen_encoder_epochs", "train.frozen_encoder_epochs", 0, words)
    number("--ema_decay", "train.ema_decay", 0.0, "moving average of the weights, which checkpoints have; 0: none")
    number(
        "--max_zoom", "train.max_zoom", 1.0, "largest enlargement of a part of the image; the depth shrinks by as much"
    )
    number("--max_rotation", "train.max_rotation", 0.0, "largest rotation of the image to either side, degrees")
    words = "equal parts in which a batch is computed, one after another; a step is taken after the last"
    number("--accumulate", "train.accumulate", 1, words)
    for name in ("brightness", "contrast", "saturation", "hue"):
        number("--" + name, "train." + name, 0.0, "largest change of the {} to either side, as a share".format(name))


def _add_network(arguments):
    add, number, switch = _kinds(arguments)
    number("--mindepth", "centimetres", 10, "nearest depth of the targets, centimetres")
    number("--maxdepth", "centimetres", 1000, "farthest depth of the targets, centimetres")
    cli.add_size(arguments, "height and width of the network's input", [480, 640])
    words = "downsampling of the training target; also called pick (nearest) and mean (area)"
    ways = {"choices": training_input.HALVINGS, "default": "pick", "metavar": "{nearest,area}"}
    add("--target_downsampling", "--halving", dest="halving", type=_halving, help=words, **ways)
    number("--mirror_probability", "train.mirror_probability", 0.5, "share of samples mirrored left to right")
    flags = ("--channel_shuffle_probability", "--swap_probability")
    kind = cli.number("train.channel_shuffle_probability")
    words = "share of samples with their colour channels shuffled"
    add(*flags, dest="swap_probability", type=kind, default=0.5, metavar="SHARE", help=words)
    add("--encoder", default="densenet169", help="densenet121, densenet169 or densenet201")
    add("--decoder", default="half", help="width of the decoder: half or full")
    add("--upsampling", default="half_pixel", help="half_pixel, align_corners or asymmetric")
    switch("--mid_activation", True, "leaky ReLU between the convolutions of an up block")
    number("--batch_norm_momentum", "train.batch_norm_momentum", 0.99, "weight of the old moving average")


def _add_devices(arguments):
    add, number, switch = _kinds(arguments)
    add("--platform", default="cpu_gpu", help="cpu_gpu or ascend")
    words = "more options of the platform ascend"
    add("--npu_option", nargs="+", action="append", default=[], metavar="KEY=VALUE", help=words)
    add("--npu_addresses", nargs="+", default=[], help="of the Ascend devices 0, 1, ...; default: /etc/hccn.conf")
    words = "as on Ascend; allow_mix_precision also on GPUs, mixed_bfloat16 only on processors with it (TensorFlow 2)"
    add("--precision_mode", default="must_keep_origin_dtype", help=words)
    add("--op_select_implmode", default="high_precision", help="as on Ascend")
    switch("--is_loss_scale", False, "dynamic loss scale, with mixed precision")
    number("--devices", "runs.*.devices", 1, "devices of this machine, a process for each")
    number("--rank_timeout", "train.rank_timeout", 60, "seconds without a heartbeat after which a rank is lost")
    switch("--gpus", False, "refuse to train where TensorFlow finds no GPU")
    switch("--is_distributed", False, "be one of several ranks, as the environment says")
    switch("--hcom_parallel", False, "exchange gradients during the backward pass, on Ascend")


def work(args):
    launcher.end_with_launcher()
    settings, segment = _settings(args), _segment(args)
    group = ranks.joined(os.environ, args.is_distributed, args.devices, args.rank_timeout)
    if group and group.rank > 0:
        progress.mute()
    # Made by the launcher too: what is wrong with the options is reported once, before anything starts.
    platform = platforms.create(args.platform, _options(args, group))
    folder = os.path.join(_results(args), "ranks")
    if group is None and args.devices > 1:
        environments = platform.environments(args.devices, _results(args), args.npu_addresses)
        status = launcher.run([sys.executable] + sys.argv, environments, args.rank_timeout, folder)
        if status:
            sys.exit(status)
        return
    if args.platform == "ascend":
        _absolute_paths(args)
        launcher.enter_folder(folder, platform.rank)
        segment = _segment(args)
    try:
        job.train(_job(args), settings, segment, platform)
    except loop.Interrupted as error:
        if platform.rank == 0:
            print("{}: {}".format(args.name, error), file=sys.stderr)
        sys.exit(128 + error.signal_number)


def _halving(word):
    return {"nearest": "pick", "area": "mean"}.get(word, word)


def _steps(word):
    return word if word == job.AUTO else cli.number("train.steps")(word)


def _options(args, group):
    words = [word for group in args.npu_option for word in group]
    for word in words:
        if "=" not in word:
            raise PipelineError("--npu_option {}: must be KEY=VALUE".format(word))
    extra = dict(word.split("=", 1) for word in words)
    modes = (args.precision_mode, args.op_select_implmode, args.is_loss_scale, args.hcom_parallel)
    return Options(*modes, ranks=group, extra=extra)


def _absolute_paths(args):
    for name in ("ckptdir", "result", "performance", "single", "checkpoint", "weights", "test_data"):
        if getattr(args, name):
            setattr(args, name, os.path.abspath(getattr(args, name)))
    args.train_tfrecords = [os.path.abspath(path) for path in args.train_tfrecords]


def _job(args):
    folders = {"checkpoints": args.ckptdir, "results": _results(args), "test_data": args.test_data}
    full = evaluations.Evaluations(args.name, _kept(args), **folders) if args.full else None
    return cli.fields(job.Job, args, records=args.train_tfrecords, must_have_gpu=args.gpus, evaluations=full)


def _settings(args):
    network = model.Model(args.encoder, args.decoder, args.upsampling, args.mid_activation)
    whole = (args.schedule_epochs or args.epochs) if args.schedule == "cosine" else 0
    recipe = cli.fields(Recipe, args, schedule_epochs=whole)
    how = {"model": network, "recipe": recipe, "augmentation": cli.fields(Augmentation, args)}
    others = {"size": tuple(args.size), "batch_size": args.bs, "learning_rate": args.lr}
    return cli.fields(Settings, args, depth_range=(args.mindepth, args.maxdepth), **how, **others)


def _segment(args):
    epochs = {"first": args.initial_epoch, "last": args.epochs, "kept": _kept(args), "start": args.checkpoint}
    folders = {"folder": args.ckptdir, "events": os.path.join(_results(args), "tensorboard")}
    return cli.fields(Segment, args, state_seconds=60 * args.state_minutes, **epochs, **folders)


def _kept(args):
    """The epochs whose checkpoints are kept, rising."""
    kept = args.keep_epochs or [e for e in evaluations.PORT_EPOCHS if args.full and e <= args.epochs]
    return tuple(sorted(set(kept) | {args.epochs}))


def _results(args):
    return args.result or os.path.dirname(os.path.abspath(args.performance or args.ckptdir))


def main(argv=None):
    return cli.run(build_parser(), work, argv, writes=("performance",))


if __name__ == "__main__":
    sys.exit(main())
