"""Ascend hosts of several ages: tables of `npu-smi info`, and the files that the installers write.

The forms of the tables and files are those of public bug reports and of the vendor's installation guides; which
versions stand together is constructed. None was recorded by this project.
"""

FIRST = """\
+-------------------------------------------------------------------------------------------+
| npu-smi 21.0.4                   Version: 21.0.4                                          |
+----------------------+---------------+----------------------------------------------------+
| NPU   Name           | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                 | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+======================+===============+====================================================+
| 0     910A           | OK            | 70.9        42                15   / 15            |
| 0                    | 0000:C1:00.0  | 0           839  / 15170      1    / 32768         |
+======================+===============+====================================================+
| 1     910A           | Warning       | 67.2        36                15   / 15            |
| 0                    | 0000:81:00.0  | 0           1274 / 15171      1    / 32768         |
+======================+===============+====================================================+
"""

A2 = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.1                   Version: 24.1.1                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B4               | OK            | 88.2        30                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          26838/ 32768         |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| 0       0                 | 19341         | python3.7                | 23472                   |
+===========================+===============+====================================================+
"""

_A3_HEAD = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 25.2.1                   Version: 25.2.1                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
"""
_A3_PAIR = """\
| {npu}     Ascend910           | OK            | 178.8       36                0    / 0             |
| 0     {first}                   | 0000:9D:00.0  | 0           0    / 0          3397 / 65536         |
+------------------------------------------------------------------------------------------------+
| {npu}     Ascend910           | OK            | -           36                0    / 0             |
| 1     {second}                   | 0000:9F:00.0  | 0           0    / 0          3186 / 65536         |
+===========================+===============+====================================================+
"""
A3 = _A3_HEAD + "".join(_A3_PAIR.format(npu=n, first=2 * n, second=2 * n + 1) for n in range(8))

CARD = """\
+--------------------------------------------------------------------------------------------------------+
| npu-smi 24.1.rc2                                 Version: 24.1.rc2                                     |
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===============================+=================+======================================================+
| 1       310P3                 | OK              | NA           59                0     / 0             |
| 0       0                     | 0000:01:00.0    | 0            1397 / 44280                            |
+-------------------------------+-----------------+------------------------------------------------------+
| 1       310P3                 | OK              | NA           59                0     / 0             |
| 1       1                     | 0000:01:00.0    | 0            1520 / 43693                            |
+===============================+=================+======================================================+
"""

TOOLKIT = """\
package_name=Ascend-cann-toolkit
version={version}
innerversion=V100R001C{series}SPC001B251
compatible_version=[V100R001C15],[V100R001C18],[V100R001C19],[V100R001C{series}]
arch=aarch64
os=linux
path={path}
"""
DRIVER = """\
Version={version}
ascendhal_version=7.35.23
Innerversion=V100R001C{series}SPC003B235
compatible_version_fw=[7.0.0,7.2.99]
package_version={version}
"""
FIRMWARE = """\
Version={version}
firmware_version=1.0
package_version=23.0.7
compatible_version_drv=[23.0.rc3,23.0.rc3.],[23.0.0,23.0.0.]
"""


def write(root, files):
    """Write {path below `root`: text}; returns `root` as text."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(root)


def old(version="5.0.4", driver="21.0.4", folder="usr/local/Ascend/ascend-toolkit/latest/arm64-linux"):
    """Files of a host before CANN 8.5."""
    base = "usr/local/Ascend/"
    return {
        folder + "/ascend_toolkit_install.info": TOOLKIT.format(version=version, series="20", path="/" + folder),
        base + "driver/version.info": DRIVER.format(version=driver, series="17"),
        base + "firmware/version.info": FIRMWARE.format(version="7.1.0.11.220"),
        base + "tfplugin/latest/ascend_tfplugin_install.info": "package_name=Ascend-cann-tfplugin\nversion=" + version,
    }


def new(version="9.1.0", driver="25.5.0", home="/usr/local/Ascend/cann"):
    """Files of a host with CANN 8.5 or later, where the installer's own file names the folder."""
    folder = home.lstrip("/")
    return {
        "etc/Ascend/ascend_cann_install.info": "Toolkit_InstallPath={}\n".format(home),
        folder + "/aarch64-linux/ascend_toolkit_install.info": TOOLKIT.format(version=version, series="26", path=home),
        "usr/local/Ascend/driver/version.info": DRIVER.format(version=driver, series="25"),
    }
