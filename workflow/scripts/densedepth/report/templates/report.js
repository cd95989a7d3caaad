// Colours the depth maps of each scene; marks and the line below follow the pointer over any of its four maps.
(function () {
  function bytes(text) {
    var raw = atob(text), out = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  function millimetres(text) {
    var b = bytes(text), out = new Uint16Array(b.length / 2);
    for (var i = 0; i < out.length; i++) out[i] = b[2 * i] + 256 * b[2 * i + 1];
    return out;
  }
  var colours = {};
  document.querySelectorAll('script[data-colours]').forEach(function (one) {
    colours[one.dataset.colours] = bytes(one.textContent.trim());
  });
  function paint(canvas, values, shown, near, far, table) {
    var context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
    for (var i = 0; i < values.length; i++) {
      var share = Math.min(1, Math.max(0, (values[i] - near) / (far - near)));
      var at = 3 * Math.min(255, Math.floor(256 * share));
      for (var c = 0; c < 3; c++) image.data[4 * i + c] = table[at + c];
      image.data[4 * i + 3] = shown[i];
    }
    context.putImageData(image, 0, 0);
  }
  // Point clouds of depth maps side by side, which turn together about the middle of the first.
  function clouds(place, names, maps, picture, data) {
    var step = Math.ceil(Math.sqrt(data.width * data.height / 20000)), turn = {x: 0, y: 0};
    var width = 440, height = Math.round(width * data.height / data.width), copy = document.createElement('canvas');
    copy.width = data.width;
    copy.height = data.height;
    copy.getContext('2d').drawImage(picture, 0, 0, data.width, data.height);
    var rgb = copy.getContext('2d').getImageData(0, 0, data.width, data.height).data;
    var depths = Array.from(maps[0]).filter(Boolean).sort(function (a, b) { return a - b; });
    var middle = depths[depths.length >> 1];
    var drawn = maps.map(function (map, n) {
      var points = [], canvas = document.createElement('canvas'), frame = document.createElement('div');
      for (var y = 0; y < data.height; y += step) for (var x = 0; x < data.width; x += step) {
        var z = map[y * data.width + x], at = 4 * (y * data.width + x);
        if (z) points.push([(x - data.camera[1]) / data.camera[0] * z, (y - data.camera[2]) / data.camera[0] * z,
          z - middle, rgb[at], rgb[at + 1], rgb[at + 2]]);
      }
      canvas.width = width;
      canvas.height = height;
      canvas.tabIndex = 0;
      canvas.setAttribute('aria-label', 'point cloud, ' + names[n]);
      frame.className = 'title';
      frame.textContent = names[n];
      frame.appendChild(canvas);
      place.appendChild(frame);
      canvas.dataset.points = points.length;
      return {canvas: canvas, points: points};
    });
    function draw() {
      var sx = Math.sin(turn.x), cx = Math.cos(turn.x), sy = Math.sin(turn.y), cy = Math.cos(turn.y);
      var focal = data.camera[0] * width / data.width, left = data.camera[1] * width / data.width;
      var top = data.camera[2] * width / data.width, dot = Math.ceil(step * width / data.width);
      drawn.forEach(function (one) {
        var context = one.canvas.getContext('2d'), image = context.createImageData(width, height);
        var nearest = new Float32Array(width * height).fill(Infinity);
        one.points.forEach(function (p) {
          var x = cy * p[0] + sy * p[2], z = cy * p[2] - sy * p[0];
          var y = cx * p[1] - sx * z, away = cx * z + sx * p[1] + middle;
          if (away < 50) return;
          var column = Math.round(left + focal * x / away), row = Math.round(top + focal * y / away);
          for (var i = row; i < row + dot; i++) for (var j = column; j < column + dot; j++) {
            var at = i * width + j;
            if (i < 0 || j < 0 || i >= height || j >= width || nearest[at] <= away) continue;
            nearest[at] = away;
            for (var c = 0; c < 3; c++) image.data[4 * at + c] = p[3 + c];
            image.data[4 * at + 3] = 255;
          }
        });
        context.putImageData(image, 0, 0);
      });
    }
    function by(x, y) {
      turn = {x: Math.max(-1.5, Math.min(1.5, turn.x + x)), y: turn.y + y};
      draw();
    }
    drawn.forEach(function (one) {
      var canvas = one.canvas, last = null;
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
        var way = {ArrowLeft: [0, 1], ArrowRight: [0, -1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
        if (!way) return;
        event.preventDefault();
        by(way[0] / 10, way[1] / 10);
      });
    });
    draw();
  }
  document.querySelectorAll('.scene').forEach(function (scene) {
    var data = JSON.parse(scene.querySelector('script').textContent);
    var truth = millimetres(data.truth), predictions = data.predictions.map(millimetres);
    // A ground truth of 0 is invalid: no colour there, and no error.
    var errors = predictions.map(function (prediction) {
      return truth.map(function (value, i) { return Math.abs(value - prediction[i]); });
    });
    var known = truth.map(function (value) { return value > 0 ? 255 : 0; });
    var all = known.map(function () { return 255; });
    var canvases = scene.querySelectorAll('canvas'), maps = scene.querySelectorAll('.map');
    paint(canvases[0], truth, known, data.near, data.far, colours.depth);
    predictions.forEach(function (prediction, n) {
      paint(canvases[1 + 2 * n], prediction, all, data.near, data.far, colours.depth);
      paint(canvases[2 + 2 * n], errors[n], known, 0, data.worst, colours.error);
    });
    var read = scene.querySelector('.read'), resting = read.textContent;
    function metres(value) { return (value / 1000).toFixed(2) + ' m'; }
    maps.forEach(function (map) {
      function follow(event) {
        var box = map.getBoundingClientRect();
        var x = Math.floor((event.clientX - box.left) / box.width * data.width);
        var y = Math.floor((event.clientY - box.top) / box.height * data.height);
        if (x < 0 || y < 0 || x >= data.width || y >= data.height) return;
        var at = y * data.width + x;
        read.textContent = (known[at] ? 'ground truth ' + metres(truth[at]) : 'no valid ground truth') +
          predictions.map(function (prediction, n) {
            var name = data.networks ? '; ' + data.networks[n] + ': ' : ', ';
            return name + 'prediction ' + metres(prediction[at]) + (known[at] ? ', error ' + metres(errors[n][at]) : '');
          }).join('');
        maps.forEach(function (other) {
          var mark = other.querySelector('.mark');
          mark.style.display = 'block';
          mark.style.left = 100 * (x + 0.5) / data.width + '%';
          mark.style.top = 100 * (y + 0.5) / data.height + '%';
        });
      }
      map.addEventListener('pointermove', follow);
      map.addEventListener('pointerdown', follow);
    });
    var box = scene.querySelector('.clouds');
    box.addEventListener('toggle', function () {
      var views = box.querySelector('.views');
      if (!box.open || views.firstChild) return;
      var names = ['ground truth'].concat(data.networks || ['prediction']);
      clouds(views, names, [truth].concat(predictions), scene.querySelector('.map img'), data);
    });
    scene.querySelector('.maps').addEventListener('pointerleave', function () {
      read.textContent = resting;
      scene.querySelectorAll('.mark').forEach(function (mark) { mark.style.display = 'none'; });
    });
  });
})();

// A click on a head of a sortable table orders its rows: by numbers where a cell begins with one, blanks last.
document.querySelectorAll('table.sortable').forEach(function (table) {
  var heads = Array.from(table.tHead.rows[0].cells), body = table.tBodies[0];
  function value(row, column) {
    var text = row.cells[column].textContent.trim(), number = parseFloat(text.replace(/^[^-+.\d]*/, ''));
    return /^[^\w]*[-+.\d]/.test(text) && !isNaN(number) ? number : text === '-' ? null : text;
  }
  function before(a, b) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a === typeof b && typeof a === 'number') return a - b;
    return String(a).localeCompare(String(b), 'en', {numeric: true});
  }
  heads.forEach(function (head, column) {
    // Pictures have no order.
    if (!Array.from(body.rows).some(function (row) { return row.cells[column].textContent.trim(); })) return;
    var button = document.createElement('button');
    button.type = 'button';
    while (head.firstChild) button.appendChild(head.firstChild);
    head.appendChild(button);
    button.addEventListener('click', function () {
      // Figures begin with the greatest, words with the first.
      var first = head.className === 'number' ? -1 : 1;
      var way = head.hasAttribute('aria-sort') ? (head.ariaSort === 'ascending' ? -1 : 1) : first;
      heads.forEach(function (other) { other.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', way > 0 ? 'ascending' : 'descending');
      Array.from(body.rows).map(function (row) { return [value(row, column), row]; }).sort(function (a, b) {
        return a[0] === null || b[0] === null ? before(a[0], b[0]) : way * before(a[0], b[0]);
      }).forEach(function (pair) { body.appendChild(pair[1]); });
    });
  });
});
