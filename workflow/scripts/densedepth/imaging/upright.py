"""Images of any colour mode, bit depth and orientation as upright RGB.

Pillow is imported when an image is read, so that the workflow can look for files without it.
"""

from typing import TYPE_CHECKING, List, Tuple

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

_ORIENTATION = 0x0112


def upright_rgb(picture: "Image.Image") -> Tuple[np.ndarray, List[str]]:
    """(uint8 (H, W, 3), what was done to it in words) of an open image of any mode and orientation.

    Grey of 16 bits becomes 8, transparent pixels are laid over white, and it is turned as its EXIF data say. Raises
    ValueError for values that no grey has, and whatever Pillow raises on damage.
    """
    from PIL import Image

    upright, read_as = _upright(picture)
    if upright.mode.startswith("I") or upright.mode == "F":
        read_as.append("grey of more than 8 bits, 65535 is white")
        return _deep_grey(upright), read_as
    if upright.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in upright.info:
        # What colour lies under transparent pixels is chance.
        white = Image.new("RGBA", upright.size, "white")
        upright = Image.alpha_composite(white, upright.convert("RGBA"))
        read_as.append("laid over white where transparent")
    elif upright.mode != "RGB":
        read_as.append("{} as RGB".format(upright.mode))
    return np.asarray(upright.convert("RGB")), read_as


def _upright(picture):
    """(the image turned as its EXIF data say, what was done to it in words)."""
    from PIL import ImageOps

    try:
        read_as = []
        if picture.getexif().get(_ORIENTATION) in range(2, 9):
            read_as.append("turned upright as its EXIF data say")
        if picture.format == "TIFF":
            # Pillow turns these as it loads them, and some of its releases would turn them again.
            picture.load()
            return picture, read_as
        return ImageOps.exif_transpose(picture), read_as
    except (OSError, MemoryError):
        # Of the pixels, which a second attempt might leave half empty without a word.
        raise
    except Exception:
        return picture, ["taken as it lies, its EXIF data are damaged"]


def _deep_grey(picture):
    """Pillow gives grey of 16 bits as whole numbers, and would cut it off at 255."""
    values = np.asarray(picture)
    if values.dtype.kind == "f" or values.min() < 0 or values.max() > 65535:
        raise ValueError("values other than whole numbers of 0..65535; save it with 8 or 16 bits")
    grey = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
