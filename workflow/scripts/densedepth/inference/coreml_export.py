"""A frozen graph as a Core ML program, by coremltools.

Only Apple's systems run it, so it is converted and not compared.
"""

from typing import Any, Sequence

from ..errors import PipelineError


def write(definition: Any, size: Sequence[int], tensors: Sequence[str], path: str) -> None:
    """Write the GraphDef, for one image of `size` (height, width), as the package (a folder) `path`; float32.

    tensors: the names of its input and output. Raises PipelineError where coremltools is not installed.
    """
    try:
        import coremltools
    except ImportError:
        raise PipelineError(
            "coremltools is not installed here; `make exports` installs it, then use .venv/tf2/bin/python"
        ) from None
    read, made = (name.split(":")[0] for name in tensors)
    # A path to the graph is taken for a SavedModel.
    program = coremltools.convert(
        definition,
        source="tensorflow",
        inputs=[coremltools.TensorType(name=read, shape=(1, *size, 3))],
        outputs=[coremltools.TensorType(name=made)],
        convert_to="mlprogram",
        minimum_deployment_target=coremltools.target.iOS15,
        compute_precision=coremltools.precision.FLOAT32,
    )
    program.save(path)
