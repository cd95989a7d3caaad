"""Networks from PyTorch and to it: equal depth, in PyTorch itself where `make bench` has installed it."""

import os
import subprocess

import export_torch
import import_model
import import_weights
import numpy as np
import pytest
import tiny
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.inference import networks
from densedepth.network import architecture, checkpoints, importer, torch_files, weights
from densedepth.network.model import UPSAMPLINGS, Model, model_from_dict
from densedepth.tf import tf

import torch_saved

pytestmark = pytest.mark.usefixtures("shallow")

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
PYTORCH = os.path.join(ROOT, ".venv", "bench", "bin", "python")


@pytest.fixture(scope="module")
def exported(checkpoint, shallow, tmp_path_factory):
    """The safetensors file of a shallow network."""
    path = str(tmp_path_factory.mktemp("torch") / "model.safetensors")
    assert export_torch.main(["--ckptdir", checkpoint.folder, "--out", path]) == 0
    return path


@pytest.fixture(scope="module")
def tensors(exported):
    return torch_files.read(exported)[0]


def test_a_network_goes_to_safetensors_and_back(checkpoint, exported, tmp_path):
    out = str(tmp_path / "epoch0")
    assert import_model.main(["--input", exported, "--out", out]) == 0
    back = checkpoints.find(out)
    assert (back.side["model"], back.side["size"]) == (tiny.MODEL.as_dict(), [32, 64])
    assert back.side["weights"]["kind"] == "torch" and back.side["weights"]["decided"]["width"] == "its metadata"
    values = weights.trained(back)
    for name, value in weights.trained(checkpoint).items():
        np.testing.assert_allclose(values[name], value, rtol=0, atol=1e-7 if "variance" in name else 0)
    again = str(tmp_path / "again.safetensors")
    assert export_torch.main(["--ckptdir", checkpoint.folder, "--out", again]) == 0
    assert files.sha256(again) == files.sha256(exported) == files.read_json(exported + ".json")["sha256"]
    with pytest.raises(PipelineError, match="upsampling asymmetric contradicts the file"):
        importer.read(exported, upsampling="asymmetric")
    with pytest.raises(PipelineError, match="--max_depth 80 contradicts a file of ours"):
        importer.import_model(exported, str(tmp_path / "far"), max_depth=80)


def test_a_file_of_the_original_authors_network_says_encoder_and_width(tensors, tmp_path, monkeypatch):
    # As a network that was trained on several devices saves it.
    saved = {"module." + name: value for name, value in tensors.items()}
    saved["module.encoder.original_model.classifier.weight"] = np.zeros((2, 3), np.float32)
    path = torch_saved.save(tmp_path / "x.pth", torch_saved.state_dict(saved), monkeypatch)
    found = importer.read(path)
    assert found.model == Model("densenet121", "half", "align_corners", False)
    assert importer.read(path, "half_pixel", True).decided["upsampling"] == "--upsampling"


def without_dots(name):
    return name.replace("encoder.original_model.", "")


def test_torchvisions_encoders_are_imported(checkpoint, tensors, tmp_path, monkeypatch):
    trained = weights.trained(checkpoint)
    expected = {name: value for name, value in trained.items() if architecture.in_encoder(name)}
    # The names of the published files, which have a dot more.
    saved = {without_dots(name): value for name, value in tensors.items() if "features." in name}
    for part in ("norm", "conv"):
        for number in "12":
            saved = {name.replace(part + number, "{}.{}".format(part, number)): value for name, value in saved.items()}
    saved.update({"classifier.weight": np.zeros((2, 2), np.float32), "norm.num_batches_tracked": np.array(1)})
    path = torch_saved.save(tmp_path / "densenet121.pth", torch_saved.state_dict(saved), monkeypatch, old=True)
    out = str(tmp_path / "weights")
    assert import_weights.main(["--input", path, "--encoder", "densenet121", "--out", out]) == 0
    imported = weights.load(out, tiny.MODEL)
    assert list(imported) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(imported[name], value, rtol=0, atol=1e-7 if "variance" in name else 0)
    saved["features.denseblock1.denselayer1.conv.3.weight"] = np.zeros(1, np.float32)
    path = torch_saved.save(tmp_path / "more.pth", torch_saved.state_dict(saved), monkeypatch)
    with pytest.raises(PipelineError, match=r"1 tensors are not part of the network, first features\.denseblock1"):
        weights.encoder_of(path, "densenet121")
    with pytest.raises(PipelineError, match=r"no decoder\.conv2 \(the weights of an encoder alone are for import_weig"):
        importer.read(path)


PROGRAM = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import torch
import densedepth_torch
images = torch.from_numpy(np.load(sys.argv[2])).permute(0, 3, 1, 2)
for path in sys.argv[3:]:
    network = densedepth_torch.load(path)
    output = network(images).permute(0, 2, 3, 1).detach().numpy()
    np.savez(path + ".npz", output=output, metres=network.metres(images).numpy())
    torch.save(network.state_dict(), path + ".pth")
    torch.save(dict(state_dict=network.state_dict()), path + ".old.pth", _use_new_zipfile_serialization=False)
"""


@pytest.mark.skipif(not os.path.exists(PYTORCH), reason="PyTorch is not installed; `make bench` installs it")
def test_pytorch_itself_gives_the_same_depth(checkpoint, exported, tmp_path):
    images = np.random.RandomState(0).uniform(0, 1, (2, 32, 64, 3)).astype(np.float32)
    np.save(str(tmp_path / "images.npy"), images)
    paths, outputs = [], {}
    for upsampling, mid in zip(UPSAMPLINGS, (True, False, True)):
        side = dict(checkpoint.side, model=dict(tiny.MODEL.as_dict(), upsampling=upsampling, mid_activation=mid))
        folder = str(tmp_path / upsampling)
        with tf.Graph().as_default(), tf.Session() as session:
            output = architecture.predict(tf.constant(images), model_from_dict(side["model"]))
            checkpoints.restore(session, checkpoint)
            outputs[folder] = session.run(output)
            checkpoints.write(folder, session, {key: value for key, value in side.items() if key != "files"})
        paths.append(folder + ".safetensors")
        assert export_torch.main(["--ckptdir", folder, "--out", paths[-1]]) == 0
    command = [PYTORCH, "-c", PROGRAM, str(tmp_path), str(tmp_path / "images.npy")] + paths
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()
    for path, expected in zip(paths, outputs.values()):
        theirs = np.load(path + ".npz")
        largest = np.abs(expected).max()
        assert np.abs(theirs["output"] - expected).max() < 1e-5 * largest
        assert theirs["metres"].shape == (2, 32, 64)
        for form in (".pth", ".old.pth"):
            found = importer.read(path + form)
            assert found.values.keys() == weights.trained(checkpoint).keys()
    with networks.load(checkpoint.folder) as network:
        metres = network.predict(images)
    np.testing.assert_allclose(np.load(paths[0] + ".npz")["metres"], metres, rtol=1e-5)
