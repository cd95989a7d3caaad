"""Small copies of data sets in their exact layouts, drawn from the rooms of the sample; no file is of the data sets.

    .venv/tf2/bin/python tests/graph/layouts.py nyu_sync FOLDER

prints the path for `data.path`. Each layout is a function of the folder and of {split: [(rgb, depth in metres)]}; those
of one data set hold the same pictures.
"""

import functools
import io
import os
import struct
import sys
import tarfile
import zipfile
import zlib

import numpy as np
from PIL import Image

SIZE = (48, 64)
COUNTS = {"train": 4, "test": 2}


@functools.lru_cache(maxsize=None)
def scenes(size=SIZE):
    """{split: [(rgb uint8 (H, W, 3), depth float32 (H, W) in metres)]}, at most 9.9 m, of rooms of the sample."""
    from densedepth.sample import render, rooms, views

    found = {}
    for split, (name, count) in enumerate(COUNTS.items()):
        found[name] = []
        for index in range(count):
            room = rooms.make_room(0, split, index)
            ((scene, camera),) = views.make_views(room, 1, 0, 10 + split, index)
            rgb, depth = render.render(scene, camera, index, *size)
            found[name].append((rgb, np.minimum(depth, 9.9).astype(np.float32)))
    return found


def encoded(array, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def jpeg(rgb):
    return encoded(rgb, "JPEG", quality=95, subsampling=0)


def eight_bits(depth):
    return encoded(np.rint(depth * 25.5).astype(np.uint8))


def sixteen_bits(depth, per_metre=1000):
    return encoded(np.rint(depth * per_metre).astype(np.uint16))


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def h5(**arrays):
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return stream.getvalue()


def in_folder(folder, files):
    """Write {name: bytes} below the folder."""
    for name, data in files.items():
        path = os.path.join(str(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
    return str(folder)


def in_zip(path, files):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with zipfile.ZipFile(str(path), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def in_tar(path, files):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with tarfile.open(str(path), "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


# MATLAB 5 files


def mat_element(kind, data, padded=True):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8 if padded else 0)


def mat_array(name, array, matlab_class=6):
    """An array of doubles (class 6), or of characters (class 4, a text)."""
    text = isinstance(array, str)
    values = np.array([ord(sign) for sign in array], "<u2") if text else np.asarray(array, "<f8")
    shape = (1, len(array)) if text else values.shape
    parts = mat_element(6, struct.pack("<II", 4 if text else matlab_class, 0))
    parts += mat_element(5, np.array(shape, "<i4").tobytes()) + mat_element(1, name.encode())
    parts += mat_element(4 if text else 9, values.tobytes(order="F") if text else values.tobytes("F"))
    return mat_element(14, parts)


def mat_cells(name, texts):
    parts = mat_element(6, struct.pack("<II", 1, 0)) + mat_element(5, struct.pack("<ii", 1, len(texts)))
    parts += mat_element(1, name.encode()) + b"".join(mat_array("", text) for text in texts)
    return mat_element(14, parts)


def mat_file(arrays):
    head = b"MATLAB 5.0 MAT-file, as of a test".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    return head + b"".join(mat_element(15, zlib.compress(array), padded=False) for array in arrays)


# NYU Depth v2


def nyu_members(pairs):
    """{name: bytes} of nyu_data.zip."""
    files, rows = {}, {"train": [], "test": []}
    for i, (rgb, depth) in enumerate(pairs["train"], 1):
        stem = "data/nyu2_train/living_room_{:04d}_out/{}".format(i, i)
        files.update({stem + ".jpg": jpeg(rgb), stem + ".png": eight_bits(depth)})
        rows["train"].append("{0}.jpg,{0}.png".format(stem))
    for i, (rgb, depth) in enumerate(pairs["test"]):
        stem = "data/nyu2_test/{:05d}_".format(i)
        files.update({stem + "colors.png": encoded(rgb), stem + "depth.png": sixteen_bits(depth)})
        rows["test"].append("{0}colors.png,{0}depth.png".format(stem))
    for split, lines in rows.items():
        files["data/nyu2_{}.csv".format(split)] = "".join(line + "\r\n" for line in lines).encode()
    return files


def nyu_zip(folder, pairs):
    return in_zip(os.path.join(str(folder), "nyu_data.zip"), nyu_members(pairs))


def nyu_zip_kaggle(folder, pairs):
    files = {"nyu_data/" + name: data for name, data in nyu_members(pairs).items()}
    return in_zip(os.path.join(str(folder), "archive.zip"), files)


def nyu_zip_without_folder(folder, pairs):
    files = {name[len("data/") :]: data for name, data in nyu_members(pairs).items()}
    return in_zip(os.path.join(str(folder), "again.zip"), files)


def nyu_zip_of_windows(folder, pairs):
    files = {name.replace("/", "\\"): data for name, data in nyu_members(pairs).items()}
    return in_zip(os.path.join(str(folder), "windows.zip"), files)


def nyu_zip_of_a_mac(folder, pairs):
    files = nyu_members(pairs)
    forks = {"__MACOSX/" + os.path.dirname(name) + "/._" + os.path.basename(name): b"fork" for name in files}
    return in_zip(os.path.join(str(folder), "mac.zip"), dict(forks, **files))


def nyu_folder(folder, pairs):
    return in_folder(os.path.join(str(folder), "nyu"), nyu_members(pairs))


def nyu_folder_kaggle(folder, pairs):
    in_folder(os.path.join(str(folder), "kaggle", "nyu_data"), nyu_members(pairs))
    return os.path.join(str(folder), "kaggle")


def nyu_mat(folder, pairs):
    import h5py

    folder = in_folder(
        os.path.join(str(folder), "labeled"),
        {"splits.mat": mat_file([mat_array("trainNdxs", [[2], [3], [5], [6]]), mat_array("testNdxs", [[1], [4]])])},
    )
    order = [("test", 0), ("train", 0), ("train", 1), ("test", 1), ("train", 2), ("train", 3)]
    chosen = [pairs[split][i] for split, i in order]
    path = os.path.join(folder, "nyu_depth_v2_labeled.mat")
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("images", data=np.stack([rgb.transpose(2, 1, 0) for rgb, _ in chosen]))
        file.create_dataset("depths", data=np.stack([depth.T for _, depth in chosen]))
        file.create_dataset("rawDepths", data=np.stack([depth.T for _, depth in chosen]))
    with open(path, "r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(128))
    return path


def nyu_png(folder, pairs):
    files = {}
    for split, name in (("train", "train"), ("test", "val")):
        for i, (rgb, depth) in enumerate(pairs[split]):
            files["images/{}/{:04d}.jpg".format(name, i)] = jpeg(rgb)
            files["depth/{}/{:04d}.png".format(name, i)] = sixteen_bits(depth)
    return in_zip(os.path.join(str(folder), "nyu-depth-png.zip"), files)


def nyu_h5_members(pairs, split):
    return {
        "living_room_{:04d}/{:05d}.h5".format(i, i + 1): h5(rgb=rgb.transpose(2, 0, 1), depth=depth)
        for i, (rgb, depth) in enumerate(pairs[split])
    }


def nyu_h5(folder, pairs):
    for split, name in (("train", "train"), ("test", "val")):
        in_folder(os.path.join(str(folder), "nyudepthv2", name), nyu_h5_members(pairs, split))
    return os.path.join(str(folder), "nyudepthv2")


def nyu_h5_tars(folder, pairs):
    folder = os.path.join(str(folder), "hub")
    train = list(nyu_h5_members(pairs, "train").items())
    in_tar(os.path.join(folder, "data", "train-000000.tar"), dict(train[:2]))
    in_tar(os.path.join(folder, "data", "train-000001.tar"), dict(train[2:]))
    in_tar(os.path.join(folder, "data", "val-000000.tar"), nyu_h5_members(pairs, "test"))
    return folder


def nyu_sync(folder, pairs):
    files, rows = {}, {"train": [], "test": []}
    for split, room in (("train", "/kitchen_0028b"), ("test", "bathroom")):
        where = room.lstrip("/") if split == "train" else "official_splits/test/" + room
        for i, (rgb, depth) in enumerate(pairs[split]):
            files["{}/rgb_{:05d}.jpg".format(where, i)] = jpeg(rgb)
            files["{}/sync_depth_{:05d}.png".format(where, i)] = sixteen_bits(depth)
            rows[split].append("{0}/rgb_{1:05d}.jpg {0}/sync_depth_{1:05d}.png 518.8579".format(room, i))
    for split, lines in rows.items():
        files["nyudepthv2_{}_files_with_gt.txt".format(split)] = "\n".join(lines).encode()
    return in_folder(os.path.join(str(folder), "sync"), files)


LAYOUTS = {
    "nyu": [
        *(nyu_zip, nyu_zip_kaggle, nyu_zip_without_folder, nyu_zip_of_windows, nyu_zip_of_a_mac),
        *(nyu_folder, nyu_folder_kaggle, nyu_mat, nyu_png, nyu_h5, nyu_h5_tars, nyu_sync),
    ],
}


def main(name, folder):
    layout = {one.__name__: one for many in LAYOUTS.values() for one in many}[name]
    print(layout(folder, scenes()))


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts"))
    main(*sys.argv[1:])
