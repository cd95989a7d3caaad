"""GLB files as the specification of glTF 2.0 has them; read back without a library."""

import io
import json
import struct

import numpy as np
import pytest
from densedepth.imaging import camera
from densedepth.inference import meshes
from PIL import Image

CAMERA = camera.Intrinsics(50, 60, 15.5, 9.5, "given")


def read(path):
    """(document, {name: array}, image) of a GLB file."""
    data = path.read_bytes()
    magic, version, length = struct.unpack("<4sII", data[:12])
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack("<I4s", data[12:20])
    assert kind == b"JSON" and size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    rest = data[20 + size :]
    length, kind = struct.unpack("<I4s", rest[:8])
    assert kind == b"BIN\0" and length == len(rest) - 8 == document["buffers"][0]["byteLength"]
    views = [rest[8 + v["byteOffset"] :][: v["byteLength"]] for v in document["bufferViews"]]
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    arrays = {
        "vertices": np.frombuffer(views[0], "<f4").reshape(-1, 3),
        "places": np.frombuffer(views[1], "<f4").reshape(-1, 2),
        "triangles": np.frombuffer(views[2], "<u4").reshape(-1, 3),
    }
    counts = [accessor["count"] for accessor in document["accessors"]]
    assert counts == [len(arrays["vertices"]), len(arrays["places"]), arrays["triangles"].size]
    return document, arrays, np.asarray(Image.open(io.BytesIO(views[3])))


@pytest.fixture
def scene():
    rgb = np.zeros((20, 32, 3), np.uint8)
    rgb[:, 16:] = (200, 100, 50)
    metres = np.full((20, 32), 2, np.float32)
    metres[:, 16:] = 4
    return rgb, metres


def test_the_surface_lies_where_the_pixels_see_it(scene, tmp_path):
    rgb, metres = scene
    meshes.write_glb(str(tmp_path / "a.glb"), rgb, metres, CAMERA, 1000)
    document, arrays, image = read(tmp_path / "a.glb")
    vertices = arrays["vertices"].reshape(20, 32, 3)
    assert image.shape == rgb.shape and document["asset"]["extras"]["intrinsics"] == "given"
    np.testing.assert_allclose(vertices[..., 2], -metres)
    # y is up and x to the right; the camera looks along -z.
    np.testing.assert_allclose(vertices[0, 0], [-15.5 / 50 * 2, 9.5 / 60 * 2, -2], rtol=1e-6)
    np.testing.assert_allclose(vertices[19, 31], [15.5 / 50 * 4, -9.5 / 60 * 4, -4], rtol=1e-6)
    bounds = document["accessors"][0]
    np.testing.assert_allclose([bounds["min"], bounds["max"]], [vertices.min((0, 1)), vertices.max((0, 1))])
    np.testing.assert_allclose(arrays["places"][[0, -1]], [[0.5 / 32, 0.5 / 20], [31.5 / 32, 19.5 / 20]], rtol=1e-6)


def test_triangles_face_the_camera_and_join_nothing_over_a_step(scene, tmp_path):
    meshes.write_glb(str(tmp_path / "a.glb"), *scene, intrinsics=CAMERA, most=1000)
    _, arrays, _ = read(tmp_path / "a.glb")
    # Between columns 15 and 16 there is a step from 2 to 4 m.
    assert len(arrays["triangles"]) == 2 * 19 * 30
    a, b, c = (arrays["vertices"][arrays["triangles"][:, corner]] for corner in range(3))
    normals = np.cross(b - a, c - a)
    assert (normals[:, 2] > 0).all()
    assert np.ptp(arrays["vertices"][arrays["triangles"]][..., 2], axis=1).max() == 0


@pytest.mark.parametrize("most, vertices", [(640, 640), (639, 160), (1, 1)])
def test_large_images_are_thinned(scene, most, vertices):
    found, _, triangles = meshes.surface(scene[1], CAMERA, most)
    assert len(found) == vertices and (triangles < vertices).all()
