"""What is installed on Ascend hosts of several ages, and what the check says of it."""

import ascend_check
import ascend_hosts as hosts
import pytest
from densedepth import files
from densedepth.platforms import ascend_chips, ascend_versions

PACKAGES = {"python": "3.7.9", "tensorflow": "1.15.0", "npu_bridge": "1.15.0"}


@pytest.mark.parametrize(
    "table, version, devices, chip",
    [
        (hosts.FIRST, "21.0.4", [(0, "910A", "OK", 32768), (1, "910A", "Warning", 32768)], ascend_chips.A1),
        (hosts.A2, "24.1.1", [(0, "910B4", "OK", 32768)], ascend_chips.A2),
        (hosts.A3, "25.2.1", [(n, "Ascend910", "OK", 65536) for n in range(16)], ascend_chips.A3),
        (hosts.CARD, "24.1.rc2", [(1, "310P3", "OK", 44280), (1, "310P3", "OK", 43693)], ascend_chips.INFERENCE),
        ("bash: npu-smi: command not found", "", [], None),
    ],
    ids=["2021", "2024", "2025", "inference", "none"],
)
def test_tables_of_npu_smi(table, version, devices, chip):
    assert ascend_chips.parse(table) == (version, devices)
    assert ascend_chips.of_devices(ascend_chips.parse(table)[1]) == chip


@pytest.mark.parametrize(
    "name, chip",
    [
        *(
            (name, ascend_chips.A1)
            for name in ("910", "910A", "Ascend910ProB", "910B", "Ascend910PremiumA", "Ascend 910B")
        ),
        *((name, ascend_chips.A2) for name in ("A2", "910B1", "Ascend910B4", "910B4-1")),
        *((name, ascend_chips.A3) for name in ("A3", "Ascend910_9392")),
        ("Ascend950PR", ascend_chips.A5),
        ("Ascend310P3", ascend_chips.INFERENCE),
        ("H200", None),
    ],
)
def test_names_of_chips(name, chip):
    assert ascend_chips.chip(name) is chip


def report(tmp_path, tree, smi, environ=None, **packages):
    root = hosts.write(tmp_path, tree)
    found = ascend_versions.installed(root, environ or {}, smi, dict(PACKAGES, **packages))
    return {line.part: line for line in ascend_versions.check(found)}


def verdicts(lines):
    return {part: line.verdict for part, line in lines.items()}


def test_a_host_of_2021_fits_but_for_a_device(tmp_path):
    lines = report(tmp_path, hosts.old(), hosts.FIRST)
    health = lines.pop("health")
    assert health.verdict == "wrong" and health.found == "1 Warning"
    assert set(verdicts(lines).values()) == {"ok"} and len(lines) == 7
    assert "5.0.4 in" in lines["CANN"].found and "Atlas training products" in lines["devices"].found


def test_a_driver_of_another_age_is_told_with_its_source(tmp_path):
    lines = report(tmp_path, hosts.old("8.5.0", "22.0.4"), hosts.A2)
    assert lines["driver"].verdict == "wrong"
    assert "CANN 8.5.0 goes with Ascend HDK 25.5, 25.3, 25.2, 25.0 (hiascend.com" in lines["driver"].advice
    # A patch of a release that fits; and what CANN's own file names.
    assert report(tmp_path, hosts.old("8.2.RC1", "25.2.1"), hosts.A3)["driver"].verdict == "unknown"
    tree = hosts.old("8.5.0", "22.0.4")
    tree["usr/local/Ascend/driver/version.info"] = hosts.DRIVER.format(version="22.0.4", series="18")
    assert report(tmp_path, tree, hosts.A2)["driver"].verdict == "ok"


def test_the_strict_pairing_of_the_adapter(tmp_path):
    tree = dict(
        hosts.new("9.0.0"), **{"usr/local/Ascend/tfplugin/latest/ascend_tfplugin_install.info": "version=9.1.0"}
    )
    lines = report(tmp_path, tree, hosts.A3)
    assert lines["TF Adapter"].verdict == "wrong"
    assert "goes with CANN 9.1.0, 9.2.0-beta, not 9.0.0" in lines["TF Adapter"].advice
    assert "gitcode.com/cann/tensorflow" in lines["TF Adapter"].advice
    tree["usr/local/Ascend/cann/aarch64-linux/ascend_toolkit_install.info"] = "version=9.2.0-beta.2"
    assert report(tmp_path, tree, hosts.A3)["TF Adapter"].verdict == "ok"


def test_the_wheel_of_the_adapter_does_not_tell_its_version(tmp_path):
    lines = report(tmp_path, hosts.new(), hosts.A3)
    assert (lines["TF Adapter"].verdict, lines["firmware"].verdict, lines["CANN"].verdict) == ("unknown",) * 3
    assert "the one for CANN 9.1.0" in lines["TF Adapter"].advice


def test_the_wheel_is_found_by_its_folder(tmp_path):
    hosts.write(tmp_path, {"plugin/npu_bridge/__init__.py": ""})
    root = hosts.write(tmp_path / "root", hosts.new())
    for name in ("TFPLUGIN_INSTALL_PATH", "PYTHONPATH"):
        environ = {name: str(tmp_path / "plugin")}
        assert ascend_versions.installed(root, environ, "", {"python": "3.7.9"}).has_bridge


@pytest.mark.parametrize("home", ["/opt/ascend/cann-9.1.0", "/home/me/Ascend/cann"])
def test_cann_is_found_elsewhere(tmp_path, home):
    root = hosts.write(tmp_path, hosts.new(home=home))
    assert ascend_versions.installed(root, {}, "", PACKAGES).cann == "9.1.0"
    (tmp_path / "etc/Ascend/ascend_cann_install.info").unlink()
    for environ in (
        {"ASCEND_HOME_PATH": home},
        {"HOME": "/home/me"} if "home" in home else {"ASCEND_TOOLKIT_HOME": home},
    ):
        assert ascend_versions.installed(root, environ, "", PACKAGES).cann == "9.1.0"


def test_what_is_missing_is_told_with_where_to_get_it(tmp_path):
    lines = report(tmp_path, {}, "", python="3.8.10", tensorflow="2.21.0", npu_bridge="")
    lines.pop("TF Adapter")
    assert set(verdicts(lines).values()) == {"wrong", "unknown"}
    assert "3.7.5 to 3.7.11" in lines["Python"].advice and "Ascend HDK" in lines["driver"].advice
    assert "source its set_env.sh" in lines["CANN"].advice
    found = ascend_versions.installed(str(tmp_path), {}, "", {"python": "3.7.9"})
    assert "pip install -t $TFPLUGIN_INSTALL_PATH" in ascend_versions.check(found)[-1].advice


def test_firmware_outside_what_the_driver_takes(tmp_path):
    tree = hosts.old()
    tree["usr/local/Ascend/firmware/version.info"] = hosts.FIRMWARE.format(version="7.3.0.1.231")
    line = report(tmp_path, tree, hosts.FIRST)["firmware"]
    assert line.verdict == "wrong" and "the driver takes firmware 7.0.0 to 7.2.99" in line.advice


def test_cards_for_inference_do_not_train(tmp_path):
    line = report(tmp_path, hosts.old(), hosts.CARD)["devices"]
    assert line.verdict == "wrong" and "export_om.py" in line.advice


def test_every_pairing_has_a_source():
    table = files.read_json(ascend_versions.PAIRINGS)
    assert all(row["source"] and row["drivers"] for row in table["cann"]) and table["python"]["source"]
    assert all(row["source"] and row["cann"] for row in table["adapter"])


def test_versions_are_compared_by_their_parts():
    assert ascend_versions.matches("25.5.1", "25.5") and ascend_versions.matches("8.0.rc2", "8.0.RC2")
    assert not ascend_versions.matches("25.50", "25.5") and not ascend_versions.matches("8.0.RC20", "8.0.RC2")


def test_the_program(tmp_path, capsys):
    root = hosts.write(tmp_path, hosts.old())
    (tmp_path / "smi.txt").write_text(hosts.FIRST)
    assert ascend_check.main(["--root", root, "--npu_smi", str(tmp_path / "smi.txt")]) == 1
    told = capsys.readouterr()
    assert "health      wrong    1 Warning" in told.out and "driver      ok       21.0.4" in told.out
    assert "cannot be used as they are: health" in told.err
    assert ascend_check.main(["--root", str(tmp_path / "empty")]) == 1
    assert "no Ascend software and no device on this host" in capsys.readouterr().err
