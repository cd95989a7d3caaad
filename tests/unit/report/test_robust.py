"""The figures on worse images, where `snakemake results/<run>/robustness.json` has measured them."""

from result_files import rows_of


def curve(first, last, correlation):
    step = (last - first) / 9
    parts = [{"disagreement": 0.01 * part, "error": first + part * step} for part in range(10)]
    return {"pixels": 4000, "parts": parts, "rank_correlation": correlation}


def document():
    jpeg = [
        {"severity": severity, "amount": 30 - severity, "rel_truth": 0.2 + 0.1 * severity} for severity in (1, 2, 4)
    ]
    return {
        "test_data": {"images": 32},
        "clean": {"rel_truth": 0.2},
        "corruptions": {"jpeg": {"unit": "quality", "severities": jpeg}},
        "disagreement": {"flip": curve(0.1, 0.4, 0.35), "scale": curve(0.05, 0.5, None)},
    }


def test_without_any_the_page_does_not_speak_of_them(sample):
    assert "Worse images" not in sample.make()


def test_severities_and_disagreement(sample):
    sample.flags["robustness"] = []
    sample.add("robustness", "results/1p/robustness.json", document())
    rows = [row for row in rows_of(sample.make(), "Worse images") if not row[0].startswith("-")]
    assert rows[1] == ["`jpeg`", "0.2000", "0.3000", "0.4000", "-", "0.6000", "-"]
    assert [row[:4] for row in rows[3:]] == [
        ["1p", "the mirrored image", "0.35", "0.1000"],
        ["1p", "the image at 0.75 and 1.25 times its size", "-", "0.0500"],
    ]
    assert rows[3][-1] == "0.4000" and rows[2][-1] == "10"
