"""Small copies of data sets in their exact layouts, drawn from the rooms of the sample; no file is of the data sets.

    .venv/tf2/bin/python tests/graph/layouts.py FOLDER nyu_sync kitti_eigen

prints the paths for `data.path`. Each layout is a function of the folder and of {split: [(rgb, depth in metres)]};
those of one data set hold the same pictures.
"""

import functools
import os
import sys

import numpy as np
from layout_files import (
    eight_bits,
    encoded,
    h5,
    in_folder,
    in_tar,
    in_zip,
    jpeg,
    mat_array,
    mat_cells,
    mat_file,
    npy,
    sixteen_bits,
)

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


# Others: in each the depth of the corner (rows 0..3, columns 0..5) is invalid, in the way of the data set.

CORNER = (slice(0, 4), slice(0, 6))


def with_corner(depth, value):
    depth = depth.copy()
    depth[CORNER] = value
    return depth


def mask(depth, high, low=0):
    return with_corner(np.full(depth.shape, high, np.uint8), low)


def kitti_files(pairs):
    files, rows = {}, {"train": [], "test": []}
    for split, day, above in (("train", "2011_09_26", "train"), ("test", "2011_10_03", "val")):
        drive = day + "_drive_0001_sync"
        for i, (rgb, depth) in enumerate(pairs[split]):
            picture = "{}/{}/image_02/data/{:010d}.png".format(day, drive, i)
            measured = "{}/proj_depth/groundtruth/image_02/{:010d}.png".format(drive, i)
            files["raw/" + picture] = encoded(rgb)
            files["data_depth_annotated/{}/{}".format(above, measured)] = sixteen_bits(with_corner(depth, 0), 256)
            rows[split].append("{} {} 721.5377".format(picture, measured))
        rows[split].append("{}/{}/image_02/data/{:010d}.png None 721.5377".format(day, drive, 99))
    for split, lines in rows.items():
        files["eigen_{}_files_with_gt.txt".format(split)] = "\n".join(lines).encode()
    return files


def kitti_eigen(folder, pairs):
    return in_folder(os.path.join(str(folder), "kitti"), kitti_files(pairs))


# A scanner in the place of the camera, whose x is the depth; a focal length of 60 pixels.
VELO_TO_CAM = b"calib_time: 15-Mar-2012\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n"
CAM_TO_CAM = b"calib_time: 09-Jan-2012\nR_rect_00: 1 0 0 0 1 0 0 0 1\nP_rect_02: 60 0 32 0 0 60 24 0 0 0 1 0\n"


def kitti_eigen_scans(folder, pairs):
    """Without improved depth of the test; each pixel has a point of the scan."""
    files = {name: data for name, data in kitti_files(pairs).items() if "/val/" not in name}
    rows = []
    for i, (_, depth) in enumerate(pairs["test"]):
        drive = "2011_10_03/2011_10_03_drive_0001_sync/"
        depth = with_corner(depth, 0).astype(np.float64)
        down, across = np.mgrid[: depth.shape[0], : depth.shape[1]] + 1.0
        points = [depth, -(across - 32) / 60 * depth, -(down - 24) / 60 * depth, np.full(depth.shape, 0.3)]
        scan = np.stack(points, axis=-1)[depth > 0].astype("<f4").tobytes()
        files["raw/{}velodyne_points/data/{:010d}.bin".format(drive, i)] = scan
        rows.append("{}image_02/data/{:010d}.png None 721.5377".format(drive, i))
    files["eigen_test_files_with_gt.txt"] = "\n".join(rows).encode()
    files.update(
        {"raw/2011_10_03/calib_velo_to_cam.txt": VELO_TO_CAM, "raw/2011_10_03/calib_cam_to_cam.txt": CAM_TO_CAM}
    )
    return in_folder(os.path.join(str(folder), "kitti_scans"), files)


def sunrgbd(folder, pairs):
    files, scenes_of = {}, {}
    for split in pairs:
        scenes_of[split] = []
        for i, (rgb, depth) in enumerate(pairs[split]):
            scene = "kv1/NYUdata/NYU{}{:04d}".format(int(split == "test"), i)
            millimetres = np.rint(with_corner(depth, 0) * 1000).astype(np.uint32)
            rotated = ((millimetres << 3 | millimetres >> 13) & 0xFFFF).astype(np.uint16)
            files["SUNRGBD/{}/image/{}.jpg".format(scene, i)] = jpeg(rgb)
            files["SUNRGBD/{}/depth_bfx/{}.png".format(scene, i)] = encoded(rotated)
            scenes_of[split].append("/n/fs/sun3d/data/SUNRGBD/{}/".format(scene))
    cells = [mat_cells("all" + split, scenes) for split, scenes in scenes_of.items()]
    files["SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"] = mat_file(cells)
    return in_folder(os.path.join(str(folder), "sunrgbd"), files)


def tum(folder, pairs):
    files = {}
    for split, name in (("train", "freiburg1_room"), ("test", "freiburg2_desk")):
        top, times = "rgbd_dataset_{}/".format(name), {"rgb": [], "depth": []}
        for i, (rgb, depth) in enumerate(pairs[split]):
            at = {"rgb": 1305031102.175304 + i / 30, "depth": 1305031102.160407 + i / 30}
            for kind, data in (("rgb", encoded(rgb)), ("depth", sixteen_bits(with_corner(depth, 0), 5000))):
                path = "{}/{:.6f}.png".format(kind, at[kind])
                files[top + path] = data
                times[kind].append("{:.6f} {}".format(at[kind], path))
        times["rgb"].append("1305031200.000000 rgb/alone.png")
        for kind, lines in times.items():
            files[top + kind + ".txt"] = "\n".join(["# color images", "# timestamp filename", *lines]).encode()
    return in_folder(os.path.join(str(folder), "tum"), files)


def diode(folder, pairs):
    files = {}
    for split, name in (("train", "train"), ("test", "val")):
        for i, (rgb, depth) in enumerate(pairs[split]):
            stem = "{}/indoors/scene_00000/scan_00000/00000_00000_indoors_000_{:03d}".format(name, i)
            files[stem + ".png"] = encoded(rgb)
            files[stem + "_depth.npy"] = npy(with_corner(depth, 3.0)[..., np.newaxis])
            files[stem + "_depth_mask.npy"] = npy(mask(depth, 1).astype(np.float64))
    return in_folder(os.path.join(str(folder), "diode"), files)


def vkitti2(folder, pairs):
    files = {}
    for split, scene in (("train", "Scene01"), ("test", "Scene20")):
        for i, (rgb, depth) in enumerate(pairs[split]):
            stem = scene + "/clone/frames/{}/Camera_0/{}_{:05d}"
            stored = np.rint(depth * 100).astype(np.uint16)
            files[stem.format("rgb", "rgb", i) + ".jpg"] = jpeg(rgb)
            files[stem.format("depth", "depth", i) + ".png"] = encoded(with_corner(stored, 65535))
    return in_folder(os.path.join(str(folder), "vkitti2"), files)


def hypersim(folder, pairs):
    files, rows = {}, ["scene_name,camera_name,frame_id,included_in_public_release,exclude_reason,split_partition_name"]
    for split, scene in (("train", "ai_001_001"), ("test", "ai_003_010")):
        for i, (rgb, depth) in enumerate(pairs[split]):
            height, width = depth.shape
            # The plane of the picture at the focal length, of 1024x768 pixels.
            x = ((np.arange(width) + 0.5) / width - 0.5) * 1024
            y = ((np.arange(height) + 0.5) / height - 0.5) * 768
            rays = np.sqrt(x[np.newaxis] ** 2 + y[:, np.newaxis] ** 2 + 886.81**2) / 886.81
            stem = scene + "/images/scene_cam_00_{}/frame.{:04d}.{}"
            distance = with_corner(depth * rays, np.nan).astype(np.float16)
            files[stem.format("final_preview", i, "tonemap.jpg")] = jpeg(rgb)
            files[stem.format("geometry_hdf5", i, "depth_meters.hdf5")] = h5(dataset=distance)
            rows.append("{},cam_00,{},True,,{}".format(scene, i, split))
    files["ai_003_010/images/scene_cam_00_final_preview/frame.0099.tonemap.jpg"] = jpeg(rgb)
    rows.append("ai_003_010,cam_00,99,False,bad,")
    files["metadata_images_split_scene_v1.csv"] = "\n".join(rows).encode()
    return in_folder(os.path.join(str(folder), "hypersim"), files)


def arkitscenes(folder, pairs):
    files = {}
    for split, name in (("train", "Training"), ("test", "Validation")):
        for i, (rgb, depth) in enumerate(pairs[split]):
            stem = "{}/4000000{}/4000000{}_frames/{{}}/4000000_{:.3f}.png".format(name, i, i, 100.5 + i)
            files[stem.format("lowres_wide")] = encoded(rgb)
            files[stem.format("lowres_depth")] = sixteen_bits(with_corner(depth, 2.5))
            files[stem.format("confidence")] = encoded(mask(depth, 2, 1))
    return in_folder(os.path.join(str(folder), "arkitscenes"), files)


def scannet(folder, pairs):
    files = {}
    for split, name in (("train", "train"), ("test", "val")):
        scenes = ["scene{:04d}_{:02d}".format(i, int(split == "test")) for i in range(len(pairs[split]))]
        for scene, (rgb, depth) in zip(scenes, pairs[split]):
            files["scans/{}/color/0.jpg".format(scene)] = jpeg(rgb)
            files["scans/{}/depth/0.png".format(scene)] = sixteen_bits(with_corner(depth, 0))
        files["scannetv2_{}.txt".format(name)] = "\n".join(scenes).encode()
    return in_folder(os.path.join(str(folder), "scannet"), files)


def eth3d(folder, pairs):
    files = {}
    for i, (rgb, depth) in enumerate(pairs["test"]):
        files["courtyard/images/dslr_images/DSC_{:04d}.JPG".format(i)] = jpeg(rgb)
        raw = with_corner(depth, np.inf).astype("<f4").tobytes()
        files["courtyard/ground_truth_depth/dslr_images/DSC_{:04d}.JPG".format(i)] = raw
    return in_folder(os.path.join(str(folder), "eth3d"), files)


def ibims1(folder, pairs):
    files = {}
    for i, (rgb, depth) in enumerate(pairs["test"]):
        files["ibims1_core_raw/rgb/office_{:02d}.png".format(i)] = encoded(rgb)
        files["ibims1_core_raw/depth/office_{:02d}.png".format(i)] = sixteen_bits(depth, 65535 / 50)
        files["ibims1_core_raw/mask_invalid/office_{:02d}.png".format(i)] = encoded(mask(depth, 1))
    return in_folder(os.path.join(str(folder), "ibims1"), files)


LAYOUTS = {
    "nyu": [
        *(nyu_zip, nyu_zip_kaggle, nyu_zip_without_folder, nyu_zip_of_windows, nyu_zip_of_a_mac),
        *(nyu_folder, nyu_folder_kaggle, nyu_mat, nyu_png, nyu_h5, nyu_h5_tars, nyu_sync),
    ],
    **{
        one.__name__: [one]
        for one in (
            *(kitti_eigen, kitti_eigen_scans, sunrgbd, tum, diode, vkitti2, hypersim, arkitscenes, scannet, eth3d),
            ibims1,
        )
    },
}


def main(folder, *names):
    layouts = {one.__name__: one for many in LAYOUTS.values() for one in many}
    for name in names:
        print(layouts[name](folder, scenes()))


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts"))
    main(*sys.argv[1:])
