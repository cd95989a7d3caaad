import collections

import numpy as np
import pytest
from densedepth.inference import filter_variables, freeze, lean_graph, networks, predictors
from densedepth.network import winograd
from densedepth.tf import tf

pytestmark = pytest.mark.usefixtures("shallow")

OUTPUT = "conv3/BiasAdd"
# TensorFlow 1.15 has none.
ONEDNN = [False] if tf.__version__.startswith("1.") else [True, False]
IMAGES = np.random.RandomState(0).uniform(0, 1, (3, 64, 96, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def plain(shallow, tmp_path_factory):
    """A folded graph whose remaining normalisations have scales of either sign, and zeros."""
    from tiny import write_checkpoint

    folder = tmp_path_factory.mktemp("lean")
    checkpoint = write_checkpoint(folder / "checkpoint", size=(64, 96))
    path = str(folder / "model.pb")
    freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path)
    definition = predictors._read_graph(path)
    random = np.random.RandomState(1)
    for node in definition.node:
        if node.name.endswith(("_bn/scale", "bn/scale")) and node.op == "Const":
            values = tf.make_ndarray(node.attr["value"].tensor) * random.choice([-1, 0, 1, 1, 1], node_shape(node))
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values.astype(np.float32)))
        if node.name.endswith("bn/shift") and node.op == "Const":
            values = random.normal(0, 0.3, node_shape(node))
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values.astype(np.float32)))
    return definition


def node_shape(node):
    return [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]


def lean(definition, output=OUTPUT, images=1000):
    """(GraphDef, values of its filters) in the lean form, by default for many images."""
    definition, filters = filter_variables.take_out(tf.graph_util.extract_sub_graph(definition, [output]))
    return lean_graph.rewrite(definition, filters, output, images), filters


def run(definition, filters, *batches, output=OUTPUT):
    """The output for each batch of images."""
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        starts, feeds = filter_variables.load(definition, filters)
        session.run(starts, feeds)
        return [session.run(output + ":0", {"input_1:0": images}) for images in batches]


@pytest.fixture(params=ONEDNN)
def onednn(request, monkeypatch):
    """Whether oneDNN is used; once with it where there is."""
    if not request.param:
        monkeypatch.setattr(filter_variables, "by_onednn", lambda: False)
    return request.param


@pytest.fixture
def small_halves(monkeypatch):
    """Small maps count as large ones, of which 3x3 convolutions have half of the multiplications."""
    if not winograd.has_xla():
        pytest.skip("this TensorFlow has no XLA for processors")
    monkeypatch.setattr(winograd, "_MANY", 1)
    monkeypatch.setattr(winograd, "_CHANNELS", 2)


def passes(definition):
    """What XLA compiles: {of a program: the replaced convolutions whose operations are in it}."""
    found = collections.defaultdict(set)
    for node in definition.node:
        if "_xla_compile_id" in node.attr:
            assert node.name.startswith("lean/")
            found[node.attr["_xla_compile_id"].s].add(node.name.split("/")[1])
    return dict(found)


def test_results_stay_for_any_batch_and_any_scale(plain, onednn, monkeypatch):
    monkeypatch.setattr(filter_variables, "_LARGE", 1)
    # The same images again after others: layouts of filters are kept from one run to the next.
    batches = (IMAGES, IMAGES[:1], IMAGES)
    expected = run(plain, {}, *batches)
    assert expected[0].std() > 0.01
    for found, wanted in zip(run(*lean(plain), *batches), expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(expected[0]).max())


def test_all_patterns_are_found_everywhere(plain, onednn):
    definition, filters = lean(plain)
    assert {node.name for node in definition.node if node.op == "Placeholder"} == {"input_1", *filters}
    count = collections.Counter(node.op for node in definition.node)
    # Four dense layers, three transitions, the end; one sum by a normalisation's shift is left nowhere.
    passes = [count[kind] for kind in ("FusedBatchNormV3", "Maximum", "Minimum")]
    assert passes == ([8, 0, 0] if onednn else [0, 8, 8])
    assert count["Mul"] == 0 or not [n for n in definition.node if n.op == "Mul" and n.name.endswith("bn/Mul")]
    assert count["Conv2DBackpropInput"] == 4
    assert not [n.name for n in definition.node if n.op == "ConcatV2" and n.name.startswith("up")]
    # No convolution has one channel but that which puts nine together.
    assert [n.op for n in definition.node if n.name == OUTPUT] == ["Identity"]


def test_large_maps_take_half_of_the_multiplications(plain, small_halves, onednn, monkeypatch):
    monkeypatch.setattr(filter_variables, "_LARGE", 1)
    definition, filters = lean(plain)
    # Four layers of the encoder, two of each stage of the decoder; each is two programs of its own.
    names = [name for [name] in passes(definition).values()]
    assert sorted(collections.Counter(names).values()) == [2] * 12
    assert {"up{}_conv{}".format(stage, which) for stage in range(1, 5) for which in "AB"} < set(names)
    # What is added and the activation are inside.
    outside = [node for node in definition.node if "_xla_compile_id" not in node.attr]
    assert not [node.name for node in outside if node.op == "LeakyRelu" or node.name.startswith("up")]
    # Maps of 2 to 64 rows, not all multiples of four; a batch size twice.
    batches = (IMAGES, IMAGES[:1], IMAGES)
    expected = run(plain, {}, *batches)
    for found, wanted in zip(run(definition, filters, *batches), expected):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(expected[0]).max())


def test_small_maps_keep_their_multiplications(plain):
    assert not passes(lean(plain)[0])


def test_for_few_images_nothing_is_compiled(shallow_frozen, plain, small_halves):
    assert passes(lean(plain, images=100)[0]) and not passes(lean(plain, images=99)[0])
    compiled = []
    for options in ({}, {"images": 100}):
        with networks.load(shallow_frozen, **options) as network:
            graph = network._predictor._session.graph
            compiled.append("XlaClusterOutput" in {op.type for op in graph.get_operations()})
    assert compiled == [False, True]


@pytest.mark.parametrize("end", ["up4_convB/LeakyRelu", "up4_convB/BiasAdd", "up4_convB/Conv2D", "up3_convA/BiasAdd"])
def test_the_end_may_be_any_of_the_replaced(plain, small_halves, end):
    definition, filters = lean(plain, end)
    assert end.split("/")[0] in set().union(*passes(definition).values())
    [expected] = run(tf.graph_util.extract_sub_graph(plain, [end]), {}, IMAGES, output=end)
    [found] = run(definition, filters, IMAGES, output=end)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_a_tensor_that_others_read_stays(small_halves):
    """The sum with the bias has two readers, so that its activation cannot be inside."""
    one = [1, 1, 1, 1]
    random = np.random.RandomState(0)
    kernel = random.normal(0, 0.2, (3, 3, 3, 4)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, (None, 13, 7, 3), name="input_1")
        y = tf.nn.bias_add(tf.nn.conv2d(images, kernel, one, "SAME"), np.arange(4, dtype=np.float32))
        tf.add_n([tf.nn.leaky_relu(y, 0.3), tf.nn.relu(y)], name="end")
    plain = graph.as_graph_def()
    definition, filters = lean(plain, "end")
    assert len(passes(definition)) == 2 and "LeakyRelu" in [node.op for node in definition.node]
    pictures = IMAGES[:, :13, :7]
    [expected], [found] = (run(*parts, pictures, output="end") for parts in ((plain, {}), (definition, filters)))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_maps_of_unknown_size_keep_their_multiplications(small_halves):
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, (None, None, None, 3), name="input_1")
        kernel = tf.ones([3, 3, 3, 4])
        tf.nn.conv2d(images, kernel, [1, 1, 1, 1], "SAME", name="end")
    assert not passes(lean(graph.as_graph_def(), "end")[0])


def test_an_unfolded_graph_runs_as_written(frozen, shallow_frozen):
    ends = ("input_1", OUTPUT)
    assert not lean_graph.applies(predictors._read_graph(frozen), ends)
    assert lean_graph.applies(predictors._read_graph(shallow_frozen), ends)
    assert not lean_graph.applies(predictors._read_graph(shallow_frozen), ("input_1", "depth"))
    assert not lean_graph.applies(predictors._read_graph(shallow_frozen), ("conv1/relu", OUTPUT))


def test_the_predictor_takes_the_lean_form_unless_told_otherwise(checkpoint, tmp_path):
    path = str(tmp_path / "model.pb")
    freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path)
    images = IMAGES[:2, :32, :64]
    with predictors.load_frozen(path) as fast, predictors.load_frozen(path, as_written=True) as plain:
        kinds = [{op.type for op in p._session.graph.get_operations()} for p in (fast, plain)]
        np.testing.assert_allclose(fast.run(images), plain.run(images), rtol=1e-5, atol=1e-5)
    assert "Maximum" in kinds[0] and "Maximum" not in kinds[1]


def test_large_maps_are_normalised_by_onednn(shallow_frozen, onednn, monkeypatch):
    # The first dense block's maps are of 8x16 pixels here, the next of 4x8.
    monkeypatch.setattr(lean_graph, "_MANY", 100)
    kinds = collections.Counter(node.op for node in lean(predictors._read_graph(shallow_frozen))[0].node)
    assert (kinds["FusedBatchNormV3"], kinds["Maximum"]) == ((2, 6) if onednn else (0, 8))


def foreign(kind):
    """The GraphDef of another program's network, of 64 channels and one at the end."""
    random = np.random.RandomState(0)

    def filters(*shape):
        return tf.constant(random.normal(0, 0.05, shape).astype(np.float32))

    one = [1, 1, 1, 1]
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, (None, 32, 32, 3), name="images")
        x = tf.nn.relu(tf.nn.conv2d(images, filters(3, 3, 3, 64), one, "SAME"))
        kernel = filters(3, 3, 64, 64)
        with tf.control_dependencies([x] if kind == "control edge" else []):
            y = tf.nn.conv2d(x, kernel, one, "SAME", name="wide")
        if kind == "two branches":
            y = tf.add_n(
                [tf.nn.bias_add(y, tf.ones([64])), tf.nn.bias_add(tf.nn.conv2d(x, kernel, one, "SAME"), tf.ones([64]))]
            )
        if kind == "colocated":
            with tf.colocate_with(y):
                y = tf.identity(y)
        y = tf.nn.relu(y)
        if kind == "explicit padding":
            y = tf.nn.relu(tf.nn.bias_add(y * np.full(64, 2, np.float32), np.full(64, -0.1, np.float32)))
            y = tf.nn.conv2d(y, filters(1, 1, 64, 64), one, [[0, 0], [1, 1], [1, 1], [0, 0]])
        if kind == "halves":
            head = tf.cast(filters(3, 3, 64, 1), tf.float16)
            y = tf.cast(tf.nn.conv2d(tf.cast(y, tf.float16), head, one, "SAME"), tf.float32)
        else:
            y = tf.nn.conv2d(y, filters(3, 3, 64, 1), one, "SAME")
        y = tf.identity(y, name="depth")
        if kind == "read before the end":
            tf.nn.relu(tf.nn.bias_add(y, tf.ones([1])), name="more")
        return graph.as_graph_def()


@pytest.mark.parametrize(
    "kind",
    [
        "no bias",
        "two branches",
        "control edge",
        "colocated",
        "explicit padding",
        "halves",
        "read before the end",
    ],
)
@pytest.mark.parametrize("limit", [winograd._MANY, 1])
def test_networks_of_others_give_what_they_say(tmp_path, monkeypatch, limit, kind):
    monkeypatch.setattr(winograd, "_MANY", limit)
    path = str(tmp_path / "other.pb")
    with open(path, "wb") as stream:
        stream.write(foreign(kind).SerializeToString())
    images = IMAGES[:2, :32, :32]
    found = []
    for as_written in (True, False):
        with predictors.load_frozen(path, "images", "depth", as_written, 1000) as predictor:
            found.append(predictor.run(images))
    assert found[0].shape == found[1].shape
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5, atol=1e-5 * np.abs(found[0]).max())
