"""From the training archive to TFRecord files; their form is that of `records`."""

import contextlib
import os

import numpy

from . import files, runtime
from .archives import Archive, size_text
from .errors import PipelineError
from .pool import Progress, ordered
from .records import shard_names, side_name

FORMAT = 1


def convert(archive_path, out, shards=1, seed=0, workers=1):
    """Write the pairs of the archive's training csv as TFRecords, shuffled by `seed`; returns the side file's content.

    The records, in the order of the shards, are the same sequence whatever `shards`; the bytes do not depend on
    `workers`. Files take their final names when all are complete, the side file last. Raises PipelineError with row
    and member for what `archives.Archive` refuses, and for images of more than one size.
    """
    if not 0 <= seed < 2**32:
        raise PipelineError("seed {}: a whole number from 0 to 4294967295 belongs there".format(seed))
    with Archive(archive_path) as archive:
        rows = archive.rows()
    if shards > len(rows):
        raise PipelineError(
            "{} shards for the {} pairs of {}; at most one a pair".format(shards, len(rows), archive_path)
        )
    order = numpy.random.RandomState(seed).permutation(len(rows))
    names = shard_names(out, shards)
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    parts = [
        (archive_path, [rows[i] for i in part], _temporary(name))
        for part, name in zip(numpy.array_split(order, shards), names)
    ]
    print("{} pairs to {} shards by {} workers".format(len(rows), shards, min(workers, shards)), flush=True)
    try:
        results = list(ordered(_write_shard, parts, min(workers, shards), Progress(len(rows), "pairs")))
        size = _common_size(archive_path, results)
        with contextlib.suppress(FileNotFoundError):
            os.remove(side_name(out))
        for (_, _, temporary), name in zip(parts, names):
            files.replace(temporary, name)
    finally:
        for _, _, temporary in parts:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
    side = {
        "format": FORMAT,
        "records": len(rows),
        "shards": [os.path.basename(name) for name in names],
        "shard_records": [len(part) for _, part, _ in parts],
        "sha256": {os.path.basename(name): result["sha256"] for name, result in zip(names, results)},
        "rgb_size": list(size),
        "seed": seed,
        "archive": {
            "path": archive_path,
            "size_bytes": os.path.getsize(archive_path),
            "rows": len(rows),
            "sha256": files.sha256(archive_path),
        },
        "runtime": runtime.describe(),
    }
    files.write_json(side_name(out), side)
    return side


def _temporary(name):
    folder, base = os.path.split(os.path.abspath(name))
    return files.temporary(os.path.join(folder, "." + base))


def _common_size(archive_path, results):
    first = results[0]
    for other in results[1:]:
        _same_size(archive_path, first["size"], first["row"], other["size"], other["row"])
    return first["size"]


def _same_size(archive_path, size, row, other_size, other_row):
    if size != other_size:
        raise PipelineError(
            "{}: images of more than one size: row {} ({}) is {}, row {} ({}) is {}".format(
                archive_path,
                *(row.number, row.rgb, size_text(size), other_row.number, other_row.rgb, size_text(other_size)),
            )
        )


def _write_shard(part, tick):
    from .tf import tf

    archive_path, rows, path = part
    size = None
    try:
        with Archive(archive_path) as archive, tf.python_io.TFRecordWriter(path) as writer:
            for row in rows:
                rgb, depth, row_size = archive.pair(row)
                size = size or row_size
                _same_size(archive_path, size, rows[0], row_size, row)
                features = {"data_x": rgb, "data_y": depth, "name": row.rgb.encode("utf-8")}
                writer.write(_example(tf, features))
                tick(1)
    except tf.errors.OpError as error:
        raise PipelineError("{}: cannot be written ({})".format(path, str(error.message).split("\n")[0])) from None
    return {"size": size, "row": rows[0], "sha256": files.sha256(path)}


def _example(tf, features):
    """A serialized tf.train.Example of single byte strings; keys in order, so that equal input gives equal bytes."""
    example = tf.train.Example()
    for name, value in features.items():
        example.features.feature[name].bytes_list.value.append(value)
    return example.SerializeToString(deterministic=True)
