"""The speed of training and inference, and when it is comparable."""

from result_files import RUNTIME, Results, row_of, rows_of


def test_performance_stands_beside_the_port_with_what_makes_it_comparable(sample):
    text = sample.make()
    v100 = row_of(text, "Performance", "reference port, GPU")
    assert v100[1:] == ["V100-SXM2", "densenet169, half", "480x640", "4", "1", "not stated", "235", "17.0", "reference"]
    assert row_of(text, "Performance", "reference port, Ascend 910")[7:9] == ["185", "21.6"]
    own = [row for row in rows_of(text, "Performance") if row[0] == "1p"]
    network = "densenet169, half"
    assert own[0] == ["1p", "x86_64 machine", network, "96x128", "4", "1", "float32", "1502", "2.66", "no"]
    where = ["1p", "frozen graph", "x86_64 machine", "96x128"]
    # Results of earlier versions have no percentiles.
    assert own[1] == where + ["1", "96", "50.0", "-", "-", "-", "20.00", "10.00"]
    times = {"p50": 49.0, "p90": 52.04, "p99": 61.25, "max": 90.0}
    sample.edit(sample.flags["frozen"][0], lambda frozen: frozen["speed"].update(batch_ms=times))
    own = [row for row in rows_of(sample.make(), "Performance") if row[0] == "1p"]
    assert own[1] == where + ["1", "96", "50.0", "49.0", "52.0", "61.2", "20.00", "10.00"]


def test_run_of_the_reference_shape_is_comparable_and_one_without_timing_is_not(sample):
    for path in sample.flags["checkpoint"]:
        sample.edit(path, lambda side: side.update(size=[480, 640]))
    assert next(row for row in rows_of(sample.make(), "Performance") if row[0] == "1p")[-1] == "yes"
    for path in sample.flags["checkpoint"]:
        sample.edit(path, lambda side: side.update(performance={"batch_size": 4, "world_size": 1, "timed_steps": 0}))
    assert next(row for row in rows_of(sample.make(), "Performance") if row[0] == "1p")[-3:] == ["-", "-", "no"]


def speed(devices, images_per_second):
    return {
        "format": 1,
        "model": {"encoder": "densenet169"},
        "size": [96, 128],
        "runtime": RUNTIME,
        "performance": {
            "device": "x86_64 CPU",
            "precision": "float32",
            "batch_size": 4,
            "world_size": devices,
            "timed_steps": 27,
            "step_ms": 4000 * devices / images_per_second,
            "images_per_second": images_per_second,
            "images_per_second_per_device": images_per_second / devices,
            "peak_memory_mb": 2000.4,
        },
    }


def test_measured_speeds_tell_how_they_scale(tmp_path):
    sample = Results(tmp_path, runs=("1p", "8p"))
    sample.flags["performance"] = []
    sample.add("performance", "results/1p/performance.json", speed(1, 8.0))
    eight = speed(8, 48.0)
    eight["performance"]["scaling_efficiency"] = 0.75
    sample.add("performance", "results/8p/performance.json", eight)
    rows = {row[0]: row[4:] for row in rows_of(sample.make(), "Performance") if row[-1].endswith("MB")}
    assert rows["1p"] == ["1", "27", "500", "8.00", "8.00", "-", "2000 MB"]
    assert rows["8p"] == ["8", "27", "667", "48.00", "6.00", "75 %", "2000 MB"]


def test_steps_left_out_by_loss_scaling_are_counted(sample):
    assert "left out" not in sample.make()
    for path, count in zip(sample.flags["checkpoint"], (3, 2)):
        sample.edit(path, lambda side, count=count: side["performance"].update(skipped_steps=count))
    assert "Loss scaling left out 5 of the 180 steps of run 1p." in sample.make()
