// From images to the network's input, and from its output to metres: what imaging/depth.py, imaging/resize.py and
// inference/forward.py do, in the same order and to float32 between the axes. Sizes are [height, width].

// Python's round: halves to even.
function rounded(value) {
  const below = Math.floor(value), rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2) ? below + 1 : below;
}

// Where an image lies in the network's input: as large as its aspect ratio allows, in the middle.
export function place(image, size) {
  const scale = Math.min(size[0] / image[0], size[1] / image[1]);
  const [height, width] = image.map((old, axis) => Math.min(Math.max(1, rounded(scale * old)), size[axis]));
  return {height, width, top: (size[0] - height) >> 1, left: (size[1] - width) >> 1};
}

function neighbours(centre, length) {
  const at = Math.min(Math.max(centre, 0), length - 1), before = Math.floor(at);
  return [before, Math.min(before + 1, length - 1), at - before];
}

// Of which old pixels each of `count` new ones is made, as [[index, weight], ...]: the mean over the area that it
// covers, or bilinear where that is less than a pixel.
function parts(length, count) {
  const scale = length / count;
  return Array.from({length: count}, function (_, i) {
    if (scale < 1) {
      const [before, after, share] = neighbours((i + 0.5) * scale - 0.5, length);
      return [[before, Math.fround(1 - share)], [after, Math.fround(share)]];
    }
    const begin = i * scale, end = begin + scale, found = [];
    for (let old = Math.floor(begin + 1e-9); old < end - 1e-9; old++) {
      const covered = Math.min(end, old + 1) - Math.max(begin, old);
      found.push([Math.min(old, length - 1), Math.fround(Math.max(covered, 0) / scale)]);
    }
    return found;
  });
}

// RGBA of 0..255 as float32 RGB of another size, rows first.
function resized(rgba, [height, width], [newHeight, newWidth]) {
  const rows = new Float32Array(newHeight * width * 3), out = new Float32Array(newHeight * newWidth * 3);
  parts(height, newHeight).forEach(function (taken, row) {
    for (const [old, weight] of taken) {
      for (let x = 0, from = 4 * old * width, to = 3 * row * width; x < width; x++, from += 4, to += 3) {
        rows[to] += weight * rgba[from];
        rows[to + 1] += weight * rgba[from + 1];
        rows[to + 2] += weight * rgba[from + 2];
      }
    }
  });
  parts(width, newWidth).forEach(function (taken, column) {
    for (const [old, weight] of taken) {
      for (let y = 0, from = 3 * old, to = 3 * column; y < newHeight; y++, from += 3 * width, to += 3 * newWidth) {
        for (let c = 0; c < 3; c++) out[to + c] += weight * rows[from + c];
      }
    }
  });
  return out;
}

// The network's input, float32 RGB in 0..1, with the image at `where`; the rest repeats its border pixels.
export function networkInput(rgba, image, where, size) {
  const small = resized(rgba, image, [where.height, where.width]), out = new Float32Array(size[0] * size[1] * 3);
  for (let y = 0, to = 0; y < size[0]; y++) {
    const row = Math.min(Math.max(y - where.top, 0), where.height - 1);
    for (let x = 0; x < size[1]; x++) {
      const column = Math.min(Math.max(x - where.left, 0), where.width - 1), from = 3 * (row * where.width + column);
      for (let c = 0; c < 3; c++) out[to++] = Math.min(small[from + c] / 255, 1);
    }
  }
  return out;
}

export function mirrored(input, [height, width], channels) {
  const out = new Float32Array(input.length);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < channels; c++) {
    out[(y * width + x) * channels + c] = input[(y * width + width - 1 - x) * channels + c];
  }
  return out;
}

// Metres of the output: 10 / output within the limits. Below zero is nearest, zero farthest; NaN stays NaN.
export function metres(output, limits) {
  return Float64Array.from(output, value => Math.min(Math.max(10 / (value + 0), limits[0]), limits[1]));
}

// The part of the depth map (of shape `cells`) that shows the image, bilinear, at the image's size: float32.
export function takenOut(map, cells, where, size, image) {
  const steps = [[where.top, where.height], [where.left, where.width]].map(([start, length], axis) =>
    Array.from({length: image[axis]}, (_, i) =>
      neighbours((start + (i + 0.5) * (length / image[axis])) * (cells[axis] / size[axis]) - 0.5, cells[axis])));
  const wide = new Float32Array(cells[0] * image[1]), out = new Float32Array(image[0] * image[1]);
  steps[1].forEach(function ([before, after, share], x) {
    const second = Math.fround(share);
    for (let y = 0; y < cells[0]; y++) {
      wide[y * image[1] + x] = map[y * cells[1] + before] * (1 - second) + map[y * cells[1] + after] * second;
    }
  });
  steps[0].forEach(function ([before, after, share], y) {
    const second = Math.fround(share);
    for (let x = 0; x < image[1]; x++) {
      out[y * image[1] + x] = wide[before * image[1] + x] * (1 - second) + wide[after * image[1] + x] * second;
    }
  });
  return out;
}
