"""Sessions that run a graph as it is: what TensorFlow's passes over a graph take is more than a short test's steps do.

The programs have the passes that they ask for in the tests of the workflow, where they run as users run them.
"""

from densedepth.tf import tf


def use():
    """Make every later session of this process one, but for those whose settings name passes themselves."""
    if hasattr(tf.Session.__init__, "plain"):
        return
    make = tf.Session.__init__

    def make_plain(self, target="", graph=None, config=None):
        plain = tf.ConfigProto()
        if config is not None:
            plain.CopyFrom(config)
        rewriting = plain.graph_options.rewrite_options
        if not rewriting.ByteSize():
            rewriting.disable_meta_optimizer = True
        make(self, target, graph, plain)

    make_plain.plain = True
    tf.Session.__init__ = make_plain
