"""DenseDepth: monocular depth estimation, from archives to deployable graphs.

Every program of `workflow/scripts` is a thin shell over this package. Files here run under Python 3.7 with
TensorFlow 1.15 and under current Python and TensorFlow alike, so they keep Python 3.7 syntax. Nothing here imports
Snakemake or argparse.
"""
