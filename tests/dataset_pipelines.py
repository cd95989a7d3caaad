"""Run the whole pipeline, to the report, by the recipe of each data set on a small copy of its exact layout.

    .venv/workflow/bin/python tests/dataset_pipelines.py /tmp/pipelines --python .venv/tf2/bin/python [kitti_eigen ...]

Copies are drawn from the rooms of the sample (tests/graph/layouts.py); the network has one layer a block and learns for
a few steps at a small size. Data sets for the test alone are scored with the network of the first other one. About a
minute of processor time each. Prints a line for each, and ends with status 1 where one failed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "workflow"))
import conftest
import yaml

RECIPES = sorted(path.stem for path in (conftest.REPOSITORY / "config/datasets").glob("*.yaml"))
# Without pairs to train on.
TESTED = ("eth3d", "ibims1")
LITTLE = {
    "data": {"shards": 2, "height": 64, "width": 96, "custom": {"test_share": 0.3}},
    "train": {"batch_size": 2, "steps": 2, "epochs": 1, "keep_epochs": [1], "log_every": 1},
    "report": {"gallery": 2},
}


def drawn(folder, python, name):
    """The path of a copy of the data set; of NYU Depth v2, the archive of DenseDepth."""
    layout = {"nyu": "nyu_zip"}.get(name, name)
    command = [python, str(conftest.REPOSITORY / "tests/graph/layouts.py"), str(folder), layout]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def settings(name, path, python, network):
    """What is laid over the recipe."""
    recipe = yaml.safe_load((conftest.REPOSITORY / "config/datasets/{}.yaml".format(name)).read_text())
    overlay = dict(LITTLE, python=python, data=dict(LITTLE["data"], path=path))
    overlay["evaluate"] = {"protocols": [one for one in recipe["evaluate"]["protocols"] if one != "bts"]}
    return dict(overlay, pretrained={"given": network}) if name in TESTED else overlay


def walk(folder, name, python, network):
    """(what Snakemake said where it failed, the report's summary in words)."""
    shutil.rmtree(folder / name, ignore_errors=True)
    project = conftest.copy(conftest.REPOSITORY, folder / name / "project")
    project.simplify()
    overlay = settings(name, drawn(folder / name / "data", python, name), python, network)
    files = ["config/datasets/{}.yaml".format(name), *project.configure(overlay)[1:]]
    target = "results/published/given/report.md" if name in TESTED else "all"
    command = project.command("--cores", "2", target, "check_data", "--configfile", *files)
    run = subprocess.run(command, cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if run.returncode:
        return run.stdout, ""
    epoch = "published/given/evaluation/epoch0" if name in TESTED else "1p/evaluation/epoch1"
    document = json.loads(project.path("results/{}.json".format(epoch)).read_text())
    report = target if name in TESTED else "results/report.md"
    words = "{} bytes of report, {} test images, protocols {}"
    protocols = " ".join(["port", *document.get("protocols", {})])
    return None, words.format(os.path.getsize(project.path(report)), document["protocol"]["images"], protocols)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the projects, which are replaced")
    parser.add_argument("names", nargs="*", default=RECIPES, help="data sets (all)")
    parser.add_argument("--python", required=True, help="interpreter of a runtime")
    args = parser.parse_intermixed_args()
    folder, python, network, failed = args.folder.resolve(), os.path.abspath(args.python), None, 0
    for name in sorted(args.names, key=TESTED.__contains__):
        if name in TESTED and network is None:
            print("{}: needs the network of another data set; name one more".format(name))
            failed = 1
            continue
        problem, words = walk(folder, name, python, network)
        print("{}: {}".format(name, "FAILED\n" + problem if problem else words), flush=True)
        failed = failed or bool(problem)
        if not problem and network is None:
            network = str(folder / name / "project/results/1p/checkpoints/epoch1/model.ckpt.index")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
