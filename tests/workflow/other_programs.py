"""What euler-eval, Ultralytics, torchmetrics and scikit-image make of the depth maps in an .npz, as JSON.

    .venv/agree/bin/python tests/workflow/other_programs.py maps.npz

The file holds `truth` and `prediction` (images, height, width) in metres, 0 where there is no ground truth; `farthest`
in metres; the camera as `focal` (fx, fy) and `centre` (cx, cy) in pixels. Each program is called as its documentation
says, or by the function that its evaluation calls.
"""

import json
import sys

import numpy as np
import torch
import torchmetrics
from euler_eval.data import compute_scale_and_shift
from euler_eval.metrics import depth_edge_f1, depth_standard, normal_consistency, points3d_cloud, utils
from scipy import ndimage
from skimage.feature import canny
from ultralytics.utils.metrics import DepthMetrics


def euler_eval(truth, prediction, camera, farthest):
    """Its standard metrics in both averages, bins, normals, and clouds of at most 20,000 points, as here."""
    store = depth_standard.init_standard_depth_store()
    bins = {name: [] for name in ("near", "mid", "far")}
    angles, clouds, edges = [], [], []
    for g, p in zip(truth, prediction):
        mask = g > 0
        depth_standard.append_standard_depth_metrics(store, *depth_standard.compute_standard_depth_metrics(p, g, mask))
        places = utils.get_benchmark_depth_bins(g, 0.0, farthest)
        for name, found in bins.items():
            if (mask & places[name]).any():
                found.append(depth_standard.compute_standard_depth_metrics(p, g, mask & places[name])[0])
        angles.append(normal_consistency.compute_normal_angles(p, g, mask, intrinsics=camera, dtype=np.float64))
        points = [normal_consistency.depth_to_points(one, intrinsics=camera, dtype=np.float64)[mask] for one in (p, g)]
        clouds.append(points3d_cloud.compute_cloud_distance_metrics(*points, max_points=20000))
        edges.append(depth_edge_f1.compute_depth_edge_f1(p, g, valid_mask=mask)["f1"])
    found = depth_standard.summarize_standard_depth_store(store)
    return {
        "image_mean": found["image_mean"],
        "pixel_pool": found["pixel_pool"],
        "bins": {name: {key: np.mean([one[key] for one in all_]) for key in all_[0]} for name, all_ in bins.items()},
        "normal_mean": np.mean([one.mean() for one in angles]),
        "normals": [np.mean([(one < limit).mean() for one in angles]) for limit in (11.25, 22.5, 30)],
        "chamfer": np.mean([one["chamfer"]["distance"] for one in clouds]),
        "fscore": [np.mean([one["fscore"][key]["f1"] for one in clouds]) for key in ("tau_0_05", "tau_0_1")],
        "depth_edge_f1": np.mean(edges),
    }


def affine(truth, prediction):
    """euler-eval's metrics after its alignment of scale and shift."""
    store = depth_standard.init_standard_depth_store()
    for g, p in zip(truth, prediction):
        aligned = compute_scale_and_shift(p, g, g > 0)[0]
        depth_standard.append_standard_depth_metrics(
            store, *depth_standard.compute_standard_depth_metrics(aligned, g, g > 0)
        )
    return depth_standard.summarize_standard_depth_store(store)["image_mean"]


def ultralytics(truth, prediction, align, farthest):
    metrics = DepthMetrics(min_depth=1e-3, max_depth=farthest, align=align)
    metrics.update_stats(torch.from_numpy(prediction), torch.from_numpy(truth))
    metrics.process()
    return {key.partition("/")[2]: value for key, value in metrics.results_dict.items()}


def of_torchmetrics(truth, prediction):
    both = [torch.from_numpy(one[truth > 0].astype(np.float64)) for one in (prediction, truth)]
    return {
        "mse": float(torchmetrics.functional.mean_squared_error(*both)),
        "mae": float(torchmetrics.functional.mean_absolute_error(*both)),
        "mape": float(torchmetrics.functional.mean_absolute_percentage_error(*both)),
        "msle": float(torchmetrics.functional.mean_squared_log_error(*both)),
    }


def of_skimage(truth, prediction):
    """Depth boundary errors with scikit-image's detector, in the formula of iBims-1's evaluation script."""
    errors = []
    for g, p in zip(truth, prediction):
        maps = []
        for one in (g, p):
            unit = (one - one[g > 0].min()) / (one[g > 0].max() - one[g > 0].min())
            maps.append(canny(unit, sigma=np.sqrt(2), low_threshold=0.1, high_threshold=0.2, mask=g > 0))
        to_edge, to_found = (ndimage.distance_transform_edt(1 - one) for one in maps)
        near = maps[1] & (to_edge < 10)
        errors.append((to_edge[near].mean(), to_found[maps[0]].mean()))
    return dict(zip(("accuracy", "completeness"), np.mean(errors, axis=0)))


def main():
    with np.load(sys.argv[1]) as maps:
        truth, prediction, farthest = maps["truth"], maps["prediction"], float(maps["farthest"])
        camera = dict(zip(("fx", "fy", "cx", "cy"), map(float, (*maps["focal"], *maps["centre"]))))
    found = {
        "euler-eval": euler_eval(truth, prediction, camera, farthest),
        "euler-eval affine": affine(truth, prediction),
        "ultralytics": ultralytics(truth, prediction, "none", farthest),
        "ultralytics median": ultralytics(truth, prediction, "median", farthest),
        "torchmetrics": of_torchmetrics(truth, prediction),
        "scikit-image": of_skimage(truth.astype(np.float64), prediction.astype(np.float64)),
    }
    print(json.dumps(found, default=float))


if __name__ == "__main__":
    main()
