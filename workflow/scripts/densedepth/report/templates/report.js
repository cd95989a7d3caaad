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
  // Point clouds of depth maps side by side.
  function clouds(place, names, maps, picture, data) {
    var copy = document.createElement('canvas');
    copy.width = data.width;
    copy.height = data.height;
    copy.getContext('2d').drawImage(picture, 0, 0, data.width, data.height);
    var canvases = names.map(function (name) {
      var canvas = document.createElement('canvas'), frame = document.createElement('div');
      canvas.width = 440;
      canvas.height = Math.round(440 * data.height / data.width);
      canvas.setAttribute('aria-label', 'point cloud, ' + name);
      frame.className = 'title';
      frame.textContent = name;
      frame.appendChild(canvas);
      place.appendChild(frame);
      return canvas;
    });
    window.pointClouds(canvases).show({
      width: data.width, height: data.height, depths: maps, camera: data.camera, points: 20000,
      rgba: copy.getContext('2d').getImageData(0, 0, data.width, data.height).data
    });
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
