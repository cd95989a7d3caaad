import os

import numpy as np
import pytest
from densedepth import memory
from densedepth.errors import PipelineError
from densedepth.inference import filter_variables, predictors
from densedepth.tf import tf

pytestmark = pytest.mark.usefixtures("shallow", "small_too")


@pytest.fixture
def small_too(monkeypatch):
    """Filters of any size as variables: those of a shallow network are small."""
    monkeypatch.setattr(filter_variables, "_LARGE", 1)


def test_a_loaded_network_holds_its_filters_outside_the_graph(shallow_frozen):
    with predictors.load_frozen(shallow_frozen) as network:
        nodes = network._session.graph.as_graph_def().node
    constants = sum(node.attr["value"].ByteSize() for node in nodes if node.op == "Const")
    # What the graph holds, the session, its optimizer and what it runs hold again.
    assert constants < 0.05 * os.path.getsize(shallow_frozen)


@pytest.mark.skipif(tf.__version__.startswith("1."), reason="has no convolutions by oneDNN")
def test_convolutions_keep_their_filters_in_the_layout_of_onednn(shallow_frozen):
    with predictors.load_frozen(shallow_frozen) as network:
        nodes = network._session.graph.as_graph_def().node
    held = {node.name for node in nodes if node.op == "ReadVariableOp"}
    readers = [node for node in nodes if node.input[1:2] and node.input[1] in held and "Backprop" not in node.op]
    assert {node.op for node in readers} == {"_MklNativeConv2D", "_MklNativeFusedConv2D"}
    assert all(node.attr["is_filter_const"].b for node in readers)


def test_without_onednn_the_results_are_the_same(shallow_frozen, monkeypatch):
    images = np.random.RandomState(0).uniform(0, 1, (1, 32, 64, 3))
    with predictors.load_frozen(shallow_frozen) as network:
        expected = network.run(images)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    with predictors.load_frozen(shallow_frozen) as network:
        kinds = {op.type for op in network._session.graph.get_operations()}
        np.testing.assert_allclose(network.run(images), expected, rtol=1e-5)
    assert not [kind for kind in kinds if kind.startswith("_Mkl")]


@pytest.mark.parametrize("images, onednn, expected", [(1000, "1", 1), (1, "1", 0), (1000, "0", 0)])
def test_a_program_of_many_images_keeps_little_memory_where_that_costs_no_time(
    shallow_frozen, monkeypatch, images, onednn, expected
):
    calls = []
    monkeypatch.setattr(memory, "keep_little", lambda: calls.append(1))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    with predictors.load_frozen(shallow_frozen, images=images):
        pass
    assert len(calls) == (0 if tf.__version__.startswith("1.") else expected)


def test_what_may_be_the_input_is_no_filter(shallow_frozen):
    with pytest.raises(PipelineError, match=r"no input tensor image:0; .* may be: input_1:0$"):
        predictors.load_frozen(shallow_frozen, "image:0")


def test_small_constants_and_those_that_other_operations_read_stay(monkeypatch):
    monkeypatch.undo()

    def taken_out(read=False, size=128):
        with tf.Graph().as_default() as graph:
            kernel = tf.constant(np.ones((3, 3, size, 64), np.float32), name="kernel")
            tf.nn.conv2d(tf.placeholder(tf.float32, (None, 8, 8, size)), kernel, [1, 1, 1, 1], "SAME")
            if read:
                tf.reduce_sum(kernel)
        return set(filter_variables.take_out(graph.as_graph_def())[1])

    assert (taken_out(), taken_out(read=True), taken_out(size=3)) == ({"kernel"}, set(), set())
