"""Peak memory and speed of the conversion, worker by worker, beside `import tensorflow` alone.

    python benchmarks/make_archive.py --source results/sample/nyu_data.zip --out /tmp/large.zip
    python benchmarks/conversion_memory.py --archive /tmp/large.zip --out /tmp/large/x.tfrecords --workers 2

Starts dataset_tool_tf.py with the interpreter that runs this, and follows the processes in /proc (Linux). The last line
says how far the largest worker is above the import alone.
"""

import argparse
import glob
import os
import subprocess
import sys
import time

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts", "dataset_tool_tf.py")
IMPORT = "import tensorflow; print(open('/proc/self/status').read())"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--archive", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--shards", type=int, default=16)
    args = arguments.parse_args()
    status = subprocess.check_output([sys.executable, "-c", IMPORT], stderr=subprocess.DEVNULL).decode()
    alone = peak(status)
    print("import tensorflow alone: {} MB".format(alone), flush=True)
    command = [sys.executable, PROGRAM, "--input_dir", args.archive, "--out", args.out]
    command += ["--shards", str(args.shards), "--workers", str(args.workers)]
    begin = time.time()
    process = subprocess.Popen(command)
    peaks = {}
    while process.poll() is None:
        for pid in [process.pid] + children(process.pid):
            try:
                with open("/proc/{}/status".format(pid)) as stream:
                    peaks[pid] = max(peaks.get(pid, 0), peak(stream.read()))
            except (OSError, ValueError, StopIteration):
                continue
        time.sleep(0.2)
    print("{:.0f} s, exit status {}".format(time.time() - begin, process.returncode))
    for pid, megabytes in sorted(peaks.items()):
        print("{} {}: {} MB".format("parent" if pid == process.pid else "worker", pid, megabytes))
    workers = [megabytes for pid, megabytes in peaks.items() if pid != process.pid] or list(peaks.values())
    print("largest worker above the import: {} MB".format(max(workers) - alone))


def peak(status):
    """The largest resident size so far, MB, by the text of /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def children(pid):
    found = []
    for path in glob.glob("/proc/{}/task/*/children".format(pid)):
        try:
            with open(path) as stream:
                found += [int(word) for word in stream.read().split()]
        except OSError:
            continue
    return found


if __name__ == "__main__":
    main()
