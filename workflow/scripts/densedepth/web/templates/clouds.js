// Point clouds of depth maps of one view, a canvas each, which turn together under pointer, finger and arrow keys.
// show({width, height, depths, rgba, camera, points}): maps of any unit, 0 for no point; the colours of their pixels; the
// camera's [focal length, column, row of its centre] in pixels; about how many points. They turn about the middle depth
// of the first map, and begin turned by `start`, in radians; without it, as the camera sees them.
window.pointClouds = function (canvases, start) {
  const turn = Object.assign({x: 0, y: 0}, start);
  let scene = null;
  function pointsOf(depth, step) {
    const {width, height, rgba, camera} = scene, colours = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height);
    const places = [], shades = [];
    for (let y = 0; y < height; y += step) for (let x = 0; x < width; x += step) {
      const at = y * width + x, z = depth[at];
      if (!z) continue;
      places.push((x - camera[1]) / camera[0] * z, (y - camera[2]) / camera[0] * z, z - scene.middle);
      shades.push(colours[at]);
    }
    return {places: Float32Array.from(places), shades: Uint32Array.from(shades)};
  }
  function draw() {
    const {width, height, camera, middle} = scene;
    const sx = Math.sin(turn.x), cx = Math.cos(turn.x), sy = Math.sin(turn.y), cy = Math.cos(turn.y);
    canvases.forEach(function (canvas, n) {
      // The view fits into the canvas, in its middle.
      const wide = canvas.width, high = canvas.height, scale = Math.min(wide / width, high / height);
      const focal = camera[0] * scale;
      const left = (wide - scale * width) / 2 + camera[1] * scale, top = (high - scale * height) / 2 + camera[2] * scale;
      const dot = Math.ceil(scene.step * scale), {places, shades} = scene.clouds[n];
      const context = canvas.getContext('2d'), image = context.createImageData(wide, high);
      const pixels = new Uint32Array(image.data.buffer), nearest = new Float32Array(wide * high).fill(Infinity);
      for (let p = 0; p < shades.length; p++) {
        const px = places[3 * p], py = places[3 * p + 1], pz = places[3 * p + 2];
        const z = cy * pz - sy * px, away = cx * z + sx * py + middle;
        // Behind the eye, or so near that it would hide all else.
        if (away < middle / 50) continue;
        const column = Math.round(left + focal * (cy * px + sy * pz) / away);
        const row = Math.round(top + focal * (cx * py - sx * z) / away);
        for (let i = Math.max(0, row); i < Math.min(high, row + dot); i++) {
          for (let j = Math.max(0, column); j < Math.min(wide, column + dot); j++) {
            const at = i * wide + j;
            if (nearest[at] <= away) continue;
            nearest[at] = away;
            pixels[at] = shades[p];
          }
        }
      }
      context.putImageData(image, 0, 0);
    });
  }
  function by(x, y) {
    turn.x = Math.max(-1.5, Math.min(1.5, turn.x + x));
    turn.y += y;
    if (scene) draw();
  }
  canvases.forEach(function (canvas) {
    let last = null;
    canvas.tabIndex = 0;
    canvas.addEventListener('pointerdown', function (event) {
      last = event;
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointermove', function (event) {
      if (!last) return;
      by((event.clientY - last.clientY) / 200, (last.clientX - event.clientX) / 200);
      last = event;
    });
    ['pointerup', 'pointercancel'].forEach(function (name) {
      canvas.addEventListener(name, function () { last = null; });
    });
    canvas.addEventListener('dblclick', function () { by(-turn.x, -turn.y); });
    canvas.addEventListener('keydown', function (event) {
      const way = {ArrowLeft: [0, 1], ArrowRight: [0, -1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
      if (!way) return;
      event.preventDefault();
      by(way[0] / 10, way[1] / 10);
    });
  });
  return {
    show: function (given) {
      const depths = Float32Array.from(given.depths[0]).filter(Boolean).sort();
      scene = Object.assign({middle: depths[depths.length >> 1] || 1}, given);
      scene.step = Math.ceil(Math.sqrt(given.width * given.height / given.points));
      scene.clouds = given.depths.map(function (depth) { return pointsOf(depth, scene.step); });
      canvases.forEach(function (canvas, n) { canvas.dataset.points = scene.clouds[n].shades.length; });
      draw();
    }
  };
};
