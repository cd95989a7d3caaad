"""The optimizer: Adam, and as settings decoupled weight decay, clipping, and another rate for the encoder."""

from typing import Any, List, Optional, Sequence, Tuple

from ..network import architecture, checkpoints
from ..platforms.base import Platform
from ..tf import tf
from . import accumulation
from .settings import PORT, Recipe

# The reference port's epsilon; TensorFlow's own default is 1e-8.
EPSILON = 1e-7

Pairs = Sequence[Tuple[tf.Tensor, tf.Variable]]


class Adam(tf.train.AdamOptimizer):
    """Adam whose variables can be made before it is wrapped, with decoupled weight decay.

    TensorFlow makes them where the gradients are applied. Loss scaling does that inside a tf.cond, and the names of the
    beta powers in the checkpoint would begin with `cond/`.

    weight_decay: a step first takes this share, times the rate, off each kernel (AdamW, Loshchilov and Hutter, arXiv
    1711.05101, with the rate as its schedule); what has one dimension, biases and batch normalization, does not decay.
    """

    def __init__(self, rate: tf.Tensor, weight_decay: float = 0.0) -> None:
        super().__init__(rate, epsilon=EPSILON)
        self._shrinking = rate * weight_decay if weight_decay else None

    def create_variables(self, variables: List[tf.Variable]) -> None:
        """Make the moments and beta powers for `variables` here, outside any scope."""
        self._create_slots(variables)

    def apply_gradients(
        self, grads_and_vars: Pairs, global_step: Optional[tf.Variable] = None, name: Optional[str] = None
    ) -> tf.Operation:
        if self._shrinking is not None:
            grads_and_vars = [(self._after_decay(gradient, v), v) for gradient, v in grads_and_vars]
        return super().apply_gradients(grads_and_vars, global_step, name)

    def _after_decay(self, gradient, variable):
        if len(variable.shape.as_list()) < 2:
            return gradient
        # The weights are read for the gradients before they change, and change before Adam's step.
        with tf.control_dependencies([gradient]):
            decayed = tf.assign_sub(variable, variable * self._shrinking)
        with tf.control_dependencies([decayed]):
            return tf.identity(gradient)


class Parted(tf.train.Optimizer):
    """An `Adam` for the decoder and one for the encoder, with its own rate and its own number of steps.

    A frozen encoder has taken no steps, so its first moments must not be corrected for those of the decoder.
    """

    def __init__(self, rate: tf.Tensor, encoder_rate: float, weight_decay: float) -> None:
        super().__init__(use_locking=False, name="Parted")
        self._members = (Adam(rate, weight_decay), Adam(rate * encoder_rate, weight_decay))

    def create_variables(self, variables: List[tf.Variable]) -> None:
        """As `Adam.create_variables`."""
        for member, part in zip(self._members, _parts(variables)):
            member.create_variables(part)

    def apply_gradients(
        self, grads_and_vars: Pairs, global_step: Optional[tf.Variable] = None, name: Optional[str] = None
    ) -> tf.Operation:
        applied = []
        for member, encoder in zip(self._members, (False, True)):
            part = [pair for pair in grads_and_vars if architecture.in_encoder(pair[1].op.name) is encoder]
            if part:
                applied.append(member.apply_gradients(part))
        with tf.control_dependencies(applied):
            return tf.group(*applied) if global_step is None else tf.assign_add(global_step, 1, name=name).op


def _parts(variables):
    """Those of the decoder, those of the encoder."""
    return [[v for v in variables if architecture.in_encoder(v.op.name) is encoder] for encoder in (False, True)]


class Averages:
    """Moving averages of the weights and of batch normalization's statistics, as variables of the default graph.

    step: the operation that takes the weights as they are in, run after each step of training, since within one run of
    the session nothing says reliably that a variable is read after it was changed. share: placeholder for what the
    averages keep of their old values.
    """

    def __init__(self) -> None:
        followed = tf.trainable_variables() + [v for v in tf.global_variables() if "/moving_" in v.op.name]
        zeros = tf.zeros_initializer()
        self.share = tf.placeholder(tf.float32, (), name="average_share")
        steps = []
        for variable in followed:
            name = variable.op.name + checkpoints.AVERAGE
            average = tf.get_variable(name, variable.shape, initializer=zeros, trainable=False)
            steps.append(tf.assign_sub(average, (average - variable) * (1.0 - self.share)))
        self.step = tf.group(*steps)


class Steps:
    """The optimizer with its variables, as the platform wraps it, for the steps of one graph."""

    def __init__(self, rate: tf.Tensor, platform: Platform, recipe: Recipe) -> None:
        self._platform = platform
        self._recipe = recipe
        self._variables = tf.trainable_variables()
        parted = recipe.encoder_rate_factor != 1 or recipe.frozen_encoder_epochs
        optimizer: Any = (
            Parted(rate, recipe.encoder_rate_factor, recipe.weight_decay) if parted else Adam(rate, recipe.weight_decay)
        )
        optimizer.create_variables(self._variables)
        self._means: Any = None
        if recipe.accumulate > 1:
            optimizer = self._means = accumulation.MeanGradients(optimizer, recipe.accumulate, self._variables)
        self._optimizer = platform.wrap_optimizer(optimizer)
        # With parts: the operations of the first part and of another one before the last, as `of` left them.
        self.before: Tuple[tf.Operation, ...] = ()

    def of(self, loss: tf.Tensor, frozen: bool = False) -> Tuple[tf.Operation, tf.Tensor]:
        """(operation, gradient norm) as `training_step`; with `frozen` the encoder's weights stay as they are.

        The forward pass is the same: batch normalization goes on by batch statistics and follows them. Where a batch is
        computed in parts, this is the step of the last one.
        """
        variables = _parts(self._variables)[0] if frozen else self._variables
        gradients = self._optimizer.compute_gradients(loss, var_list=variables)
        step = tf.train.get_or_create_global_step()
        applied = self._clipped(gradients) if self._recipe.clip_norm else gradients
        apply = self._optimizer.apply_gradients(applied, global_step=step)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        if self._means:
            self.before = tuple(tf.group(kept, *updates) for kept in (self._means.first, self._means.further))
        return tf.group(apply, *updates), self._norm(gradients)

    def _norm(self, gradients):
        with self._platform.loss_scope():
            return tf.global_norm([gradient for gradient, _ in gradients])

    def _clipped(self, gradients):
        """The gradients, which are exchanged and without a loss scale, shortened together to the norm of the recipe.

        What is not finite stays so, and loss scaling skips the step.
        """
        share = self._recipe.clip_norm / tf.maximum(self._norm(gradients), self._recipe.clip_norm)
        return [(gradient * share, variable) for gradient, variable in gradients]


def training_step(
    loss: tf.Tensor, rate: tf.Tensor, platform: Platform, recipe: Recipe = PORT
) -> Tuple[tf.Operation, tf.Tensor]:
    """(operation, gradient norm): one step on `loss` with the rate tensor `rate`, and batch norm's averages.

    The operation also runs the UPDATE_OPS and adds 1 to the global step, unless loss scaling skips the step. The norm
    is a float32 scalar over all gradients, averaged over the ranks, before clipping.
    """
    return Steps(rate, platform, recipe).of(loss)
