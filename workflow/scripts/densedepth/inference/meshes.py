"""Textured meshes from depth maps, as GLB files (glTF 2.0, binary; Khronos Group). NumPy and Pillow only."""

import io
import json
import struct
from typing import Any, Dict, List, Tuple

import numpy as np

from .. import files
from ..imaging.camera import Intrinsics, seen, stride_for

# Neighbours of which one is farther by more than this share belong to different things: no surface joins them.
_LARGEST_STEP = 0.1

_FLOAT, _UINT32 = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963


def surface(metres: np.ndarray, intrinsics: Intrinsics, most: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vertices, their places on the image, triangles) of depth (H, W): float32 (n, 3) in metres, float32 (n, 2) in
    0..1 from the image's upper left corner, uint32 (m, 3).

    x to the right, y up, z towards the camera, as glTF wants it. A vertex for every pixel, or for every n-th of every
    n-th row so that there are not more than `most`; two triangles between four of them, but over a step in depth.
    """
    height, width = metres.shape
    stride = stride_for(metres.shape, most)
    rows, columns = np.arange(0, height, stride), np.arange(0, width, stride)
    depth = metres[::stride, ::stride].astype(np.float32)
    vertices = np.empty(depth.shape + (3,), np.float32)
    right, down = seen(metres.astype(np.float32, copy=False), intrinsics, stride)
    vertices[..., 0], vertices[..., 1] = right, -down
    vertices[..., 2] = -depth
    places = np.empty(depth.shape + (2,), np.float32)
    places[..., 0] = (columns + 0.5) / width
    places[..., 1] = ((rows + 0.5) / height)[:, np.newaxis]
    number = np.arange(depth.size, dtype=np.uint32).reshape(depth.shape)
    upper_left, upper_right, lower_left, lower_right = (
        number[i : i + depth.shape[0] - 1, j : j + depth.shape[1] - 1].ravel() for i in (0, 1) for j in (0, 1)
    )
    # Counter-clockwise as the camera sees them.
    triangles = np.concatenate(
        [
            np.stack([upper_left, lower_left, upper_right], 1),
            np.stack([upper_right, lower_left, lower_right], 1),
        ]
    )
    corners = depth.ravel()[triangles]
    joined = corners.max(axis=1) <= (1 + _LARGEST_STEP) * corners.min(axis=1) if len(corners) else corners[:, 0] > 0
    return vertices.reshape(-1, 3), places.reshape(-1, 2), triangles[joined]


def write_glb(path: str, rgb: np.ndarray, metres: np.ndarray, intrinsics: Intrinsics, most: int) -> None:
    """Write the `surface` of depth (H, W), with the image `rgb` uint8 (H, W, 3) as its texture, to the GLB file."""
    from PIL import Image

    vertices, places, triangles = surface(metres, intrinsics, most)
    texture = io.BytesIO()
    Image.fromarray(rgb).save(texture, "JPEG", quality=90)
    parts = [vertices.tobytes(), places.tobytes(), triangles.astype("<u4").tobytes(), texture.getvalue()]
    views, data = _joined(parts)
    views[0]["target"] = views[1]["target"] = _ARRAY_BUFFER
    views[2]["target"] = _ELEMENT_BUFFER
    document: Dict[str, Any] = {
        "asset": {"version": "2.0", "extras": {"unit": "metres", "intrinsics": intrinsics.source}},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "indices": 2, "material": 0}]}],
        # The light is in the image already.
        "materials": [
            {
                "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0, "roughnessFactor": 1},
                "doubleSided": True,
                "extensions": {"KHR_materials_unlit": {}},
            }
        ],
        "extensionsUsed": ["KHR_materials_unlit"],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 3, "mimeType": "image/jpeg"}],
        "accessors": [
            _accessor(0, vertices, "VEC3", bounds=True),
            _accessor(1, places, "VEC2"),
            {"bufferView": 2, "componentType": _UINT32, "count": triangles.size, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": len(data)}],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


def _joined(parts: List[bytes]) -> Tuple[List[Dict[str, Any]], bytes]:
    """(views, bytes) of a buffer that holds all parts, each beginning at a multiple of four bytes."""
    views, data = [], b""
    for part in parts:
        views.append({"buffer": 0, "byteOffset": len(data), "byteLength": len(part)})
        data += part + b"\0" * (-len(part) % 4)
    return views, data


def _accessor(view, array, kind, bounds=False):
    accessor = {"bufferView": view, "componentType": _FLOAT, "count": len(array), "type": kind}
    if bounds:
        accessor.update(min=array.min(axis=0).tolist(), max=array.max(axis=0).tolist())
    return accessor
