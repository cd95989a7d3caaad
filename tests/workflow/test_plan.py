"""What Snakemake would do, seen in dry runs; nothing is made here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, Project

SEGMENTS = [5, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]


def test_lint(project):
    assert "good condition" in project.snakemake("--lint")


def test_the_sample_goes_through_every_stage(project):
    assert project.planned() == {
        "make_sample": 1,
        "convert_records": 1,
        "train_model": 2,
        "evaluate_baseline": 1,
        "evaluate_checkpoint": 2,
        "freeze_graph": 1,
        "infer_frozen_graph": 1,
        "predict_examples": 1,
        "draw_gallery": 1,
        "write_report": 1,
        "all": 1,
    }


def test_the_recipe_of_the_port_is_a_chain_of_twelve_segments(project):
    output = project.snakemake("--dry-run", "--configfile", "config/nyu.yaml")
    starts = [0, *SEGMENTS[:-1]]
    for start, end in zip(starts, SEGMENTS):
        assert "training 1p from epoch {} to {}".format(start, end) in output
    assert output.count("training 1p from") == len(SEGMENTS)
    plan = project.planned("--configfile", "config/nyu.yaml")
    assert plan["download_file"] == 3
    assert plan["import_weights"] == 1
    assert "make_sample" not in plan


def test_with_all_results_of_the_recipe_there_is_nothing_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    import dry_run

    # By the Snakemake that is loaded already.
    monkeypatch.setattr(dry_run, "snakemake", lambda folder, *words: Project(Path(folder)).snakemake(*words))
    monkeypatch.setattr(sys, "argv", ["dry_run.py", str(tmp_path / "made"), "--rounds", "1"])
    dry_run.main()
    assert "snakemake -n all " in capsys.readouterr().out


def test_one_target_needs_no_cores_and_no_more_than_its_stages(project):
    assert project.planned("results/baseline.json") == {"make_sample": 1, "evaluate_baseline": 1}
    plan = project.planned("results/report.md")
    assert plan["write_report"] == 1 and "predict_examples" not in plan


def test_a_checkpoint_can_be_asked_for_by_its_name(project):
    assert project.planned("results/1p/checkpoints/epoch4/model.json")["train_model"] == 2


def test_files_put_there_by_hand_are_not_fetched(project):
    project.path("dataset").mkdir()
    for name in ("nyu_data.zip", "nyu_test.zip"):
        project.path("dataset").joinpath(name).write_text("by hand")
    plan = project.planned("--configfile", "config/nyu.yaml", "--forceall")
    assert plan["download_file"] == 1
    assert plan["train_model"] == len(SEGMENTS)


def test_a_run_of_another_name_has_results_of_its_own(project):
    settings = project.configure({"runs": {"second": {"devices": 1, "seed": 1}}})
    plan = project.planned(*settings)
    assert (plan["train_model"], plan["convert_records"]) == (4, 1)


def test_each_run_has_its_number_of_devices_whatever_the_cores(project):
    runs = {"2p": {"devices": 2}, "8p": {"devices": 8, "steps_per_device": True}}
    output = project.snakemake("--dry-run", "--printshellcmds", "--cores", "1", *project.configure({"runs": runs}))
    found = set(
        re.findall(r"train.py --name (\w+) .*?--devices (\d+) .*?--steps_per_device (\w+)", " ".join(output.split()))
    )
    assert found == {("1p", "1", "False"), ("2p", "2", "False"), ("8p", "8", "True")}


def test_a_network_trained_elsewhere_is_imported_and_evaluated_without_training(project):
    project.path("dataset").mkdir()
    for name in ("nyu.h5", "nyu_test.zip"):
        project.path("dataset").joinpath(name).write_text("by hand")
    settings = {"pretrained": {"nyu": "dataset/nyu.h5"}, "data": {"test_archive": "dataset/nyu_test.zip"}}
    arguments = project.configure(settings)
    plan = project.planned("results/published/nyu/evaluation/epoch0.json", *arguments)
    assert plan == {"import_published": 1, "evaluate_checkpoint": 1}
    plan = project.planned("results/published/nyu/inference/frozen.json", *arguments)
    assert plan == {"import_published": 1, "freeze_graph": 1, "infer_frozen_graph": 1}
    settings["pretrained"]["nyu"] = {"file": "dataset/nyu.h5", "size": [96, 128], "mid_activation": False}
    settings["train"] = {"weights": "published/nyu"}
    output = project.snakemake("-n", "-p", "results/1p/checkpoints/epoch4/model.json", *project.configure(settings))
    assert "--size 96 128 --mid_activation false" in output
    assert "--weights results/published/nyu/checkpoints/epoch0" in output and output.count("--weights") == 1
    assert "import_weights" not in output
    # One run goes on from what another one has trained.
    own = {"own": "results/1p/checkpoints/epoch4/model.ckpt.index"}
    runs = {"tuned": {"devices": 1, "weights": "published/own"}}
    tuned = project.configure({"pretrained": own, "runs": runs})
    plan = project.planned("results/tuned/checkpoints/epoch2/model.json", *tuned)
    assert (plan["train_model"], plan["import_published"]) == (3, 1)
    del settings["train"]
    project.configure(settings)
    # What is trained stays as it is, and no run has an epoch 0.
    assert project.planned(*arguments)["train_model"] == 2
    assert "import_published" not in project.planned(*arguments)
    assert "1p has no epoch 0" in project.snakemake("-n", "results/1p/evaluation/epoch0.json", *arguments, fails=True)


def test_a_network_trained_elsewhere_has_a_report_of_its_own(project):
    """Everything for it is fetched, nothing is trained; the report of the runs shows it once it is evaluated."""
    files = ("--configfile", "config/nyu.yaml", "config/nyu_more.yaml")
    arguments = (*files, "--config", "pretrained={'nyu': 'dataset/nyu.h5'}")
    plan = project.planned("results/published/nyu/report.md", *arguments)
    once = ("import_published", "evaluate_checkpoint", "evaluate_baseline", "report_published")
    once += ("freeze_graph", "infer_frozen_graph", "draw_gallery")
    assert plan == {"download_file": 2, **dict.fromkeys(once, 1)}
    assert "report_published" not in project.planned(*arguments)
    settings = project.configure({"pretrained": {"own": "results/1p/checkpoints/epoch4/model.ckpt.index"}})
    made = ["results/published/own/{}.json".format(name) for name in ("evaluation/epoch0", "inference/onnx")]
    made += ["results/published/own/{}.json".format(name) for name in ("inference/frozen", "gallery/gallery")]
    for shown in (False, True):
        for path in made if shown else ():
            project.path(path).parent.mkdir(parents=True, exist_ok=True)
            project.path(path).write_text("{}")
        command = project.snakemake("-n", "-p", *settings).rpartition("workflow/scripts/report.py")[2]
        assert [path in command for path in made] == [shown] * len(made)


def test_other_runtimes_are_reported_where_they_have_been_evaluated(project):
    assert "infer_onnx" not in project.planned()
    for name in ("onnx", "om"):
        figures = project.path("results/1p/inference/{}.json".format(name))
        figures.parent.mkdir(parents=True, exist_ok=True)
        figures.write_text("{}")
    output = project.snakemake("-n", "-p")
    words = " ".join(output.split())
    assert "--deployed results/1p/inference/onnx.json results/1p/inference/om.json" in words
    # What is shown is of the run as it is: it is made again with the run.
    plan = project.jobs(output)
    assert plan["infer_onnx"] == plan["score_om"] == 1


def test_what_a_call_is_asked_for_is_shown_by_what_it_makes_beside(project):
    """It is not made for them: by themselves the card and the report show what is there."""
    shown = ("results/1p/exports.md", "results/1p/export/model.onnx", "results/1p/inference/onnx.json")
    pages = ("results/1p/MODEL_CARD.md", "results/report.md")
    printed = commands(project.snakemake("-n", "-p", *shown, *pages))
    card, page = (" ".join(printed[program]) for program in ("model_card.py", "report.py"))
    assert "--exports results/1p/exports.json" in card and "model.pb.json results/1p/export/model.onnx.json" in card
    assert "--deployed results/1p/inference/onnx.json" in page
    assert not {"prove_exports", "export_onnx"} & set(project.planned(*pages))


@pytest.mark.parametrize(
    "target, settings, made",
    [
        ("inference/onnx.json", {}, ["model.onnx.json"]),
        ("demo", {}, ["model.onnx.json"]),
        ("inference/om.json", {"om": {"source": "frozen"}}, ["model.om.json"]),
        ("om/gallery", {"om": {"source": "onnx"}}, ["model.onnx.json", "model.om.json"]),
        ("export/torch/densedepth_torch.py", {}, ["torch/model.safetensors.json"]),
    ],
)
def test_the_card_names_what_is_exported_for_other_targets_of_its_call(project, target, settings, made):
    asked = ("results/1p/MODEL_CARD.md", "results/1p/{}".format(target), *project.configure(settings))
    card = " ".join(commands(project.snakemake("-n", "-p", *asked))["model_card.py"])
    assert "--export " + " ".join("results/1p/export/" + name for name in ["model.pb.json", *made]) + " --" in card


def test_without_example_pictures_there_is_no_panel(project):
    assert "predict_examples" not in project.planned(*project.configure({"data": {"examples": []}}))


def test_pictures_of_ones_own_are_a_matter_of_settings(project):
    (project.path("photos")).mkdir()
    for name in ("1.png", "2.jpg", "notes.txt"):
        project.path("photos").joinpath(name).write_text(name)
    sets = {"mine": {"input": ["photos", "results/sample/examples/1.png"], "write": ["npy"], "flip_average": False}}
    arguments = project.configure({"predictions": sets})
    output = project.snakemake("--dry-run", "--printshellcmds", "results/predictions/mine", *arguments)
    words = " ".join(output.split())
    assert "--input photos results/sample/examples/1.png --out results/predictions/mine" in words
    assert "--flip_average False --write npy" in words
    assert "predict_pictures" not in project.planned(*arguments)
    arguments = project.configure({"predictions": {"none": {"input": ["photos/*.gif"]}, "gone": {"input": ["a.png"]}}})
    output = project.snakemake("-n", "results/predictions/gone", *arguments, fails=True)
    assert "config: predictions.gone.input = a.png: no such file or folder" in output
    output = project.snakemake("-n", "results/predictions/none", *arguments, fails=True)
    assert "config: predictions.none.input photos/*.gif: matches no file" in output


def test_other_runtimes_are_targets_of_their_own(project):
    plan = project.planned("results/1p/inference/onnx.json", "results/1p/inference/om.json")
    new = {rule: plan.get(rule) for rule in ("freeze_graph", "export_onnx", "infer_onnx", "export_om", "run_om")}
    assert set(new.values()) == {1} and plan["write_batches"] == plan["score_om"] == 1
    output = project.snakemake(
        *("-n", "--printshellcmds", "results/1p/om/output"),
        *project.configure(
            {
                "om": {
                    "soc_version": "Ascend310P3",
                    "tool": "ais_bench",
                    "batch_size": 4,
                    "batches": [1, 4],
                    "uint8": True,
                }
            }
        ),
    )
    words = " ".join(output.split())
    assert "--soc_version Ascend310P3 --precision_mode force_fp16 --bs 4 --batches 1 4 --uint8" in words
    assert (
        "--tool ais_bench --device 0" in words and "--size_of results/1p/export/model.pb.json --bs 4 --uint8" in words
    )


def test_a_network_of_another_program_is_measured_on_worse_images(project):
    project.path("theirs.onnx").touch()
    entry = {"network": "theirs.onnx", "unit": "inverse", "alignment": "median", "size": [96, 128]}
    words = project.configure({"external": {"theirs": entry}})
    output = project.snakemake("-n", "-p", "results/external/theirs/robustness.json", *words)
    assert project.jobs(output) == {"make_sample": 1, "measure_external_robustness": 1}
    said = " ".join(commands(output)["measure_robustness.py"])
    assert "--network theirs.onnx --size 96 128 --unit inverse --alignment median" in said


def commands(output):
    """The shell commands that a dry run prints: {program: words}."""
    lines = [line.split() for line in output.splitlines() if "workflow/scripts/" in line and "--" in line]
    return {os.path.basename(next(word for word in line if "workflow/scripts/" in word)): line for line in lines}


def test_the_interpreter_of_the_settings_runs_tensorflow_only(project):
    printed = commands(project.snakemake("--dry-run", "--printshellcmds", "--config", "python=/opt/tf/bin/python"))
    assert printed["train.py"][0] == "/opt/tf/bin/python"
    assert printed["ckpt2pb.py"][0] == "/opt/tf/bin/python"
    assert printed["report.py"][0] != "/opt/tf/bin/python"


def test_the_runtime_decides_which_environment_is_used(project):
    for name in ("tf1", "tf2"):
        python = project.path(".venv") / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch()
    for arguments, name in ((), "tf1"), (("--config", "runtime=tf2"), "tf2"):
        printed = commands(project.snakemake("--dry-run", "--printshellcmds", *arguments))
        assert "{}/bin/python".format(name) in " ".join(printed["train.py"][:3])


def test_conda_environments_are_those_of_the_runtime(project, conda):
    for runtime in ("tf1", "tf2"):
        arguments = ("--sdm", "conda", "--config", "runtime=" + runtime)
        assert "envs/{}.yaml".format(runtime) in project.snakemake("--list-conda-envs", *arguments)
        printed = commands(project.snakemake("--dry-run", "--printshellcmds", *arguments))
        assert {words[0] for words in printed.values()} == {"python"}


def test_an_overlay_takes_a_run_away(project):
    runs = {"1p": None, "2p": {"devices": 2}}
    output = project.snakemake("--dry-run", *project.configure(dict(TINY, runs=runs)))
    assert "training 2p from epoch 0" in output and "results/1p/" not in output


def test_settings_of_the_tests_are_legal(project):
    assert project.planned(*project.configure(TINY))["train_model"] == 2


def test_ascend_is_a_matter_of_settings(project):
    """Its options reach the training alone."""
    options = {"op_compiler_cache_mode": "enable", "enable_dump": False}
    output = project.snakemake("--dry-run", "-p", *project.configure({"platform": "ascend", "npu_options": options}))
    assert "--platform ascend" in output
    assert "--npu_option enable_dump=false op_compiler_cache_mode=enable" in output
    options["loss_scale"] = "dynamic"
    output = project.snakemake("--dry-run", "-p", *project.configure({"platform": "ascend", "npu_options": options}))
    assert re.search(
        r"--npu_option loss_scale=dynamic\s+\\?\s*--npu_option enable_dump=false op_compiler_cache_mode=enable", output
    )
    assert "--npu_option" not in project.snakemake("--dry-run", "-p")
    profile = project.snakemake("--dry-run", "-p", "--workflow-profile", "profiles/ascend")
    assert "python3.7 workflow/scripts/train.py" in profile and "--platform ascend" in profile


def test_an_epoch_that_is_not_kept_is_refused_with_those_that_are(project):
    for epoch in (5, 99):
        for name in ("evaluation/epoch{}.json", "checkpoints/epoch{}/model.json"):
            output = project.snakemake("-n", "results/1p/" + name.format(epoch), fails=True)
            assert "1p has no epoch {}, only 2, 4; train.keep_epochs adds one".format(epoch) in output

    published = project.configure({"pretrained": {"own": "mine.index"}})
    output = project.snakemake("-n", "results/published/own/evaluation/epoch2.json", *published, fails=True)
    assert "published/own has no epoch 2, only 0, the network as it was imported" in output
    assert "is results/report.md" in project.snakemake("-n", "results/8p/report.md", fails=True)
    for name in ("evaluation/epoch2.json", "export/model.pb"):
        output = project.snakemake("-n", "results/8p/" + name, fails=True)
        assert "runs has no 8p, only 1p; was it in a file that --configfile names?" in output


def test_a_folder_is_no_target(project):
    for name in ("workflow", "nosuch"):
        project.snakemake("-n", name, fails=True)
        command = ["make", "-f", str(REPOSITORY / "Makefile"), name]
        run = subprocess.run(command, cwd=project.folder, stderr=subprocess.PIPE, text=True)
        assert run.returncode and "no target {}; `make help`".format(name) in run.stderr
