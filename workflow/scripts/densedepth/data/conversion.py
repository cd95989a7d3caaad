"""Conversion of training pairs (an archive or a list of custom pairs) to TFRecord files, as `records` reads them."""

import contextlib
import functools
import glob
import hashlib
import os
import shutil
from typing import Any, Dict

import numpy

from .. import files, metadata, progress, runtime
from ..errors import PipelineError
from ..metadata import COUNT, SHA256, Null, Number
from ..pool import Workers
from . import records, unfiltered_png, validation_list
from .sources import kept_open
from .train_archive import Row, size_text

FORMAT = 1
# The metadata of a finished shard of an interrupted call.
_SHARD = {
    "stamp": object,
    "records": COUNT,
    "size_bytes": COUNT,
    "size": Null((Number(1, 65536, whole=True), Number(1, 65536, whole=True))),
    "first": Null([object]),
    "faults": [{"row": COUNT, "rgb": str, "problem": str}],
    "sha256": SHA256,
}


def convert(
    source_path: str,
    out: str,
    shards: int = 1,
    seed: int = 0,
    workers: int = 1,
    check: bool = False,
    skip: int = 0,
    left_out: str = "",
    depth_png: str = unfiltered_png.GIVEN,
) -> Dict[str, Any]:
    """Write the training pairs of the source as TFRecords, shuffled by `seed`; returns the metadata file's content.

    source_path: see `sources.open_source`. The records, in the order of the shards, are the same sequence whatever
    `shards`; the bytes do not depend on `workers`. Files take their final names when all are complete, the metadata
    file last. Finished shards wait in a folder `.NAME.partial` beside `out`; after an interruption the next call with
    the same source and arguments takes over those whose files have not changed since. `check` decodes every image. Up
    to `skip` faulty pairs are left out and listed in the metadata file; one more, or any with `skip` 0, raises
    PipelineError with row and member, as images of more than one size always do. left_out: the list of validation pairs
    of an archive (see `validation_list`), which become no records. depth_png: one of `unfiltered_png.FORMS`; where the
    depth is stored in another form than the source has it, every image is decoded, as by `check`.
    """
    if not 0 <= seed < 2**32:
        raise PipelineError("seed {}: expected an integer from 0 to 4294967295".format(seed))
    # The workers open the source while it is read here: a large archive's directory takes half a second.
    with Workers(min(workers, shards), functools.partial(kept_open, source_path)) as pool:
        try:
            return _convert(source_path, out, shards, seed, pool, check, skip, left_out, depth_png)
        finally:
            kept_open.cache_clear()


def _convert(source_path, out, shards, seed, pool, check, skip, left_out, depth_png):
    sets = kept_open(source_path).sets
    of_sets = [_source(path, shards, seed, skip, left_out) for _, _, path in sets]
    parts, states = ([one for of_set in of_sets for one in of_set[place]] for place in (0, 1))
    paths = [path for _, _, path in sets for _ in range(shards)]
    unit, identity = of_sets[0][2:]
    count, shards = sum(map(len, parts)), len(parts)
    if pool.count > 1:
        # The workers alone need it from here on.
        kept_open.cache_clear()
    names = records.shard_names(out, shards)
    folder = os.path.dirname(os.path.abspath(out))
    os.makedirs(folder, exist_ok=True)
    partial = os.path.join(folder, ".{}.partial".format(os.path.basename(out)))
    with files.lock(os.path.join(partial, "lock"), "converting to this file"):
        _remove_leftovers(names + [records.side_name(out)])
        # What finished shards must have been made from to be taken over, as JSON.
        stamp = [FORMAT, os.path.abspath(source_path), count, shards, seed, check]
        stamp += [files.sha256(left_out)] if left_out else []
        stamp += [depth_png] if depth_png != unfiltered_png.GIVEN else []
        tasks = [
            (path, part, os.path.join(partial, os.path.basename(name)), stamp + [state], check, skip, depth_png)
            for path, part, state, name in zip(paths, parts, states, names)
        ]
        done = [_finished(task) for task in tasks]
        print(
            "{} pairs to {} shards by {} workers{}".format(
                count,
                shards,
                pool.count,
                "; {} shards are there from an interrupted call".format(sum(map(bool, done))) if any(done) else "",
            ),
            flush=True,
        )
        results = _write_missing(tasks, done, pool, skip)
        size = _common_size(source_path, results)
        with contextlib.suppress(FileNotFoundError):
            os.remove(records.side_name(out))
        for task, name in zip(tasks, names):
            # Their bytes are on the disk already; the metadata file brings the folder there.
            os.replace(task[2], name)
        side = {
            "rgb_size": list(size),
            "seed": seed,
            "depth_unit": unit,
            "depth_png": depth_png,
            "archive": dict(identity, path=source_path, size_bytes=os.path.getsize(source_path), rows=count),
            **_written(names, results),
            **_sets(sets, [result["records"] for result in results]),
        }
        files.write_json(records.side_name(out), side)
        shutil.rmtree(partial, ignore_errors=True)
    return side


def _written(names, results):
    """What the metadata file says of the shards."""
    return {
        "format": FORMAT,
        "records": sum(result["records"] for result in results),
        "shards": [os.path.basename(name) for name in names],
        "shard_records": [result["records"] for result in results],
        "sha256": {os.path.basename(name): result["sha256"] for name, result in zip(names, results)},
        "skipped": sorted((fault for result in results for fault in result["faults"]), key=lambda f: f["row"]),
        "runtime": runtime.describe(),
    }


def _sets(sets, counts):
    """What the metadata file says of the sets of a mixture, whose records lie in as many shards each."""
    each = len(counts) // len(sets)
    found = [
        {"name": name, "weight": weight, "records": sum(counts[place * each : (place + 1) * each])}
        for place, (name, weight, _) in enumerate(sets)
    ]
    return {"sets": found} if len(sets) > 1 else {}


def _source(source_path, shards, seed, skip, left_out):
    """([rows of each shard], [state of each shard's files], unit, identity) of the source."""
    source = kept_open(source_path)
    rows = source.rows(check_members=not skip)
    if left_out:
        validates = set(validation_list.read(left_out))
        rows = [row for row in rows if row not in validates]
    if shards > len(rows):
        raise PipelineError(
            "{} shards for the {} pairs of {}; at most one a pair: lower --shards (data.shards)".format(
                shards, len(rows), source_path
            )
        )
    order = numpy.random.RandomState(seed).permutation(len(rows))
    parts = [[rows[i] for i in part] for part in numpy.array_split(order, shards)]
    return parts, [source.state(part) for part in parts], source.unit, source.identity()


def _remove_leftovers(names):
    """Remove temporary files of calls that were killed; the lock is held, so none of them is in use."""
    for name in names:
        folder, name = os.path.split(name)
        for path in glob.glob(os.path.join(glob.escape(folder), ".{}.tmp-*".format(glob.escape(name)))):
            os.remove(path)


def _finished(task):
    """The result of a shard that an earlier call has finished, else None; what is left of it is removed."""
    path, stamp = task[2], task[3]
    with contextlib.suppress(PipelineError):
        found = metadata.read(path + ".json", _SHARD)
        if found["stamp"] == stamp and os.path.isfile(path) and os.path.getsize(path) == found["size_bytes"]:
            return found
    for leftover in glob.glob(glob.escape(path) + "*") + glob.glob(
        os.path.join(glob.escape(os.path.dirname(path)), ".{}*".format(glob.escape(os.path.basename(path))))
    ):
        os.remove(leftover)
    return None


def _write_missing(tasks, done, pool, skip):
    """The results of all shards, in order; those that are not `done` are written."""
    missing = [task for task, result in zip(tasks, done) if result is None]
    pairs = sum(len(task[1]) for task in missing)
    faults = sum(len(result["faults"]) for result in done if result)
    results = []
    written = pool.ordered(_write_shard, missing, progress.Progress(pairs, "pairs"))
    for result in done:
        if result is None:
            result = next(written)
            faults += len(result["faults"])
        if faults > skip:
            raise PipelineError(_too_many(skip, result["faults"][-1]["problem"]))
        results.append(result)
    return results


def _too_many(skip, problem):
    return "more than {} faulty pairs, among them: {}".format(skip, problem)


def _common_size(source_path, results):
    results = [result for result in results if result["records"]]
    if not results:
        raise PipelineError("{}: no pair can be used".format(source_path))
    first = results[0]
    for other in results[1:]:
        _same_size(source_path, first, other["size"], Row(*other["first"]))
    return first["size"]


def _same_size(source_path, first, size, row):
    if list(size) != list(first["size"]):
        known = Row(*first["first"])
        raise PipelineError(
            "{}: images of more than one size: row {} ({}) is {}, row {} ({}) is {}".format(
                source_path,
                *(known.number, known.rgb, size_text(first["size"]), row.number, row.rgb, size_text(size)),
            )
        )


def _write_shard(task, tick):
    source_path, rows, path, stamp, check, skip, depth_png = task
    os.makedirs(os.path.dirname(path), exist_ok=True)
    source = kept_open(source_path)
    try:
        with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
            result = _write_pairs(stream, source, rows, check, skip, depth_png, tick)
    except OSError as error:
        raise PipelineError("{}: cannot be written ({})".format(path, error.strerror or error)) from None
    result["stamp"] = stamp
    files.write_json(path + ".json", result)
    return result


def _write_pairs(stream, source, rows, check, skip, depth_png, tick):
    result: Dict[str, Any] = {"records": 0, "size": None, "first": None, "size_bytes": 0, "faults": []}
    digest = hashlib.sha256()
    for row in rows:
        try:
            rgb, depth, size = _pair(source, row, check, depth_png)
        except PipelineError as error:
            if len(result["faults"]) == skip:
                raise PipelineError(_too_many(skip, error) if skip else str(error)) from None
            progress.line("left out: {}".format(error))
            result["faults"].append({"row": row.number, "rgb": row.rgb, "problem": str(error)})
        else:
            if not result["records"]:
                result.update(size=list(size), first=list(row))
            _same_size(source.path, result, size, row)
            record = records.framed(_example(rgb, depth, row.rgb, source.unit))
            digest.update(record)
            stream.write(record)
            result["size_bytes"] += len(record)
            result["records"] += 1
        tick(1)
    result["sha256"] = digest.hexdigest()
    return result


def _pair(source, row, check, depth_png):
    """As `source.pair`, with the depth in the form `depth_png`."""
    if depth_png == unfiltered_png.GIVEN:
        return source.pair(row, check)
    rgb, depth, size = source.pair(row, True)
    return rgb, unfiltered_png.recoded(depth), size


def _example(rgb, depth, name, unit):
    features = {"data_x": rgb, "data_y": depth, "name": name.encode("utf-8")}
    if unit is not None:
        features["depth_unit"] = unit
    return records.example(features)
