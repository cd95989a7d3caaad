// The page: takes images, shows what the worker makes of them, saves it.
import {cloud, millimetres} from './saving.js';

const known = JSON.parse(document.getElementById('known').textContent);
const part = id => document.getElementById(id);
// Larger ones fill the memory; no camera's single image is.
const MOST_PIXELS = 100e6;
const worker = new Worker(new URL('./worker.js', import.meta.url), {type: 'module'});
// Turned a little: as the camera sees it, a cloud is nothing but the image.
const clouds = window.pointClouds([part('cloud')], {x: -0.15, y: 0.4});
const tables = Object.fromEntries(Object.entries(known.colours).map(([name, text]) =>
  [name, Uint8Array.from(atob(text), letter => letter.charCodeAt(0))]));
// What is shown; the newest image given to the worker; images that wait until the network is there; the webcam's video.
let shown = null, newest = 0, waiting = null, ready = false, video = null;

function say(text, wrong) {
  part('message').textContent = text;
  part('message').classList.toggle('wrong', Boolean(wrong));
}

// Images.

function pixelsOf(source, width, height) {
  if (width * height > MOST_PIXELS) throw new Error('more than ' + MOST_PIXELS / 1e6 + ' megapixels');
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d', {willReadFrequently: true});
  // Transparent images are laid over white.
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height).data;
}

async function take(file) {
  stopWebcam();
  say('');
  try {
    // Refuses half an image. Colour profiles are not applied, as in the training.
    const bitmap = await createImageBitmap(file, {colorSpaceConversion: 'none'});
    const {width, height} = bitmap, rgba = pixelsOf(bitmap, width, height);
    bitmap.close();
    ask({rgba, width, height, name: file.name || 'pasted.png'});
  } catch (error) {
    const large = /megapixels/.test(error.message) && error.message;
    say((file.name || 'what was pasted') + ': ' + (large || 'not a whole image that this browser can read'), true);
  }
}

function ask(image) {
  waiting = null;
  if (!ready) {
    waiting = image;
    say(image.name + ' waits for the network');
    return;
  }
  newest++;
  names.set(newest, image.name);
  if (!video) say('Computing the depth of ' + image.name);
  const {rgba, width, height} = image;
  worker.postMessage({id: newest, rgba, width, height, flip: part('flip').checked}, [rgba.buffer]);
}
const names = new Map();

// What the worker says.

worker.onmessage = function ({data}) {
  if (data.kind === 'loading') {
    part('progress').value = data.at / data.bytes;
    part('backend').textContent = 'loading, ' + (data.at / 1e6).toFixed(0) + ' of ' + (data.bytes / 1e6).toFixed(0) + ' MB';
  } else if (data.kind === 'starting') {
    part('progress').removeAttribute('value');
    part('backend').textContent = 'starting';
  } else if (data.kind === 'ready') {
    ready = true;
    part('loading').hidden = true;
    part('backend').textContent = data.backend;
    if (waiting) ask(waiting);
  } else if (data.kind === 'depth') {
    const name = names.get(data.id);
    names.delete(data.id);
    if (data.id === newest) show({...data, name});
    if (video) frame();
  } else {
    const name = names.get(data.id);
    stopWebcam();
    say((name ? name + ': ' : 'The network cannot be run: ') + data.message, true);
    if (!name) {
      part('loading').hidden = true;
      part('backend').textContent = 'does not run';
    }
  }
};
worker.onerror = function (event) {
  part('loading').hidden = true;
  part('backend').textContent = 'does not run';
  say('The network cannot be run: ' + (event.message || 'its program was not loaded'), true);
};

// The result.

function show(result) {
  shown = result;
  const {width, height, rgba, name} = result;
  part('result').hidden = false;
  if (!video) say('');
  part('title').textContent = name + ', ' + width + ' × ' + height + ' pixels';
  part('time').textContent = seconds(result.all) + ' (network ' + seconds(result.network) + ')';
  for (const id of ['photo', 'depth']) {
    part(id).width = width;
    part(id).height = height;
  }
  part('photo').getContext('2d').putImageData(new ImageData(rgba, width, height), 0, 0);
  // High images stay within the window.
  for (const map of document.querySelectorAll('.map')) map.style.maxWidth = 'calc(85vh * ' + width / height + ')';
  part('angle').placeholder = degrees(2 * Math.atan(width / 2 / nyu().fx));
  paint();
  turnable();
  follow();
}

function seconds(milliseconds) {
  return milliseconds < 995 ? milliseconds.toFixed(0) + ' ms' : (milliseconds / 1000).toFixed(1) + ' s';
}

function degrees(angle) {
  return (angle * 180 / Math.PI).toFixed(1);
}

// Nearest and farthest depth of the colours: what is typed in, else what holds 99 in 100 pixels at either end.
function ends() {
  const step = Math.ceil(shown.depth.length / 4e6);
  const sorted = shown.depth.filter((_, i) => i % step === 0).sort();
  function percentile(share) {
    const at = share * (sorted.length - 1), below = Math.floor(at);
    return sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]);
  }
  const near = part('from').value === '' ? Math.floor(2 * percentile(0.01)) / 2 : Number(part('from').value);
  const far = part('to').value === '' ? Math.ceil(2 * percentile(0.99)) / 2 : Number(part('to').value);
  return [near, far > near ? far : near + 0.5, sorted[0] < near, sorted[sorted.length - 1] > far];
}

function coloured(canvas, values, near, far) {
  const context = canvas.getContext('2d'), image = context.createImageData(canvas.width, canvas.height);
  const table = tables[part('colours').value], scale = 256 / (far - near);
  for (let i = 0; i < values.length; i++) {
    const at = 3 * Math.min(255, Math.max(0, Math.floor((values[i] - near) * scale)));
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = table[at + c];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

function paint() {
  if (!shown) return;
  const [near, far, below, above] = ends();
  coloured(part('depth'), shown.depth, near, far);
  coloured(part('bar'), Array.from({length: 256}, (_, i) => i + 0.5), 0, 256);
  part('near').textContent = (below ? '≤ ' : '') + Number(near.toFixed(2)) + ' m';
  part('far').textContent = (above ? '≥ ' : '') + Number(far.toFixed(2)) + ' m';
}

// The camera of NYU Depth v2, scaled to the longer side of the image.
function nyu() {
  const {width, height} = shown, longer = Math.max(width, height), [fx, fy, right, down] = known.camera;
  return {
    fx: fx * longer, fy: fy * longer, cx: (width - 1) / 2 + right * longer, cy: (height - 1) / 2 + down * longer,
    source: "NYU Depth v2's colour camera, scaled: an assumption"
  };
}

function camera() {
  const angle = Number(part('angle').value);
  if (!(angle > 0 && angle < 180)) return nyu();
  const focal = shown.width / 2 / Math.tan(angle * Math.PI / 360);
  const source = 'a horizontal angle of ' + angle + ' degrees';
  return {fx: focal, fy: focal, cx: (shown.width - 1) / 2, cy: (shown.height - 1) / 2, source};
}

function turnable() {
  if (!shown) return;
  const {fx, cx, cy} = camera(), {width, height, depth, rgba} = shown;
  clouds.show({width, height, depths: [depth], rgba, camera: [fx, cx, cy], points: video ? 40000 : 150000});
}

// The point whose depth is read: column, row.
let point = null;

function follow() {
  const inside = shown && point && point[0] < shown.width && point[1] < shown.height;
  for (const mark of document.querySelectorAll('.mark')) {
    mark.style.display = inside ? 'block' : 'none';
    if (!inside) continue;
    mark.style.left = 100 * (point[0] + 0.5) / shown.width + '%';
    mark.style.top = 100 * (point[1] + 0.5) / shown.height + '%';
  }
  part('read').textContent = inside ?
    shown.depth[point[1] * shown.width + point[0]].toFixed(2) + ' m at column ' + point[0] + ', row ' + point[1] :
    'Point at the image: depth in metres appears here.';
}

for (const map of document.querySelectorAll('.map')) {
  for (const kind of ['pointermove', 'pointerdown']) map.addEventListener(kind, function (event) {
    const box = map.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    point = [Math.floor(at[0] * shown.width), Math.floor(at[1] * shown.height)];
    point = point.map((value, axis) => Math.min(Math.max(value, 0), (axis ? shown.height : shown.width) - 1));
    follow();
  });
}
part('depth').addEventListener('keydown', function (event) {
  const way = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
  if (!way || !shown) return;
  event.preventDefault();
  const sides = [shown.width, shown.height], step = event.shiftKey ? 10 : 1;
  const from = point || sides.map(side => side >> 1);
  point = from.map((value, axis) => Math.min(Math.max(value + step * way[axis], 0), sides[axis] - 1));
  follow();
});

// Controls.

part('file').addEventListener('change', function (event) {
  if (event.target.files.length) take(event.target.files[0]);
  event.target.value = '';
});
document.addEventListener('paste', function (event) {
  if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
});
for (const kind of ['dragover', 'dragleave', 'drop']) document.addEventListener(kind, function (event) {
  event.preventDefault();
  document.querySelector('.drop').classList.toggle('over', kind === 'dragover');
  if (kind !== 'drop') return;
  if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  else say('What was dropped is no file: save the image first', true);
});
for (const id of ['colours', 'from', 'to']) part(id).addEventListener('input', paint);
part('angle').addEventListener('input', turnable);
part('flip').addEventListener('change', function () {
  if (shown && !video) ask({...shown, rgba: shown.rgba.slice()});
});
document.querySelector('.options').addEventListener('submit', event => event.preventDefault());

function save(content, end) {
  const link = document.createElement('a'), stem = shown.name.replace(/\.[^.]*$/, '');
  link.href = URL.createObjectURL(content);
  link.download = stem + end;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
part('save_colours').addEventListener('click', function () {
  part('depth').toBlob(content => save(content, '_colour.png'));
});
part('save_depth').addEventListener('click', async function () {
  save(await millimetres(shown.depth, shown.height, shown.width), '_depth_mm.png');
});
part('save_points').addEventListener('click', function () {
  save(cloud(shown.depth, shown.rgba, shown.height, shown.width, camera(), known.points), '_points.ply');
});

// The webcam: a frame at a time, the next one when the depth of the last is there.

function frame() {
  ask({rgba: pixelsOf(video, video.videoWidth, video.videoHeight), width: video.videoWidth, height: video.videoHeight,
    name: 'webcam.png'});
}

function stopWebcam() {
  part('webcam').setAttribute('aria-pressed', 'false');
  part('webcam').textContent = 'Use the webcam';
  if (!video) return;
  video.srcObject.getTracks().forEach(track => track.stop());
  video = null;
  say('');
}

part('webcam').addEventListener('click', async function () {
  if (video) {
    stopWebcam();
    return;
  }
  try {
    if (!navigator.mediaDevices) throw new Error('browsers give it to pages of https and of this computer alone');
    const stream = await navigator.mediaDevices.getUserMedia({video: {width: 640, height: 480}});
    const started = document.createElement('video');
    started.srcObject = stream;
    started.muted = true;
    await started.play();
    video = started;
    part('webcam').setAttribute('aria-pressed', 'true');
    part('webcam').textContent = 'Stop the webcam';
    frame();
  } catch (error) {
    say('The webcam cannot be used: ' + error.message, true);
  }
});

part('loading').hidden = false;
part('backend').textContent = 'loading';
say('');
// ?backend=wasm or ?backend=webgpu chooses; without, the worker does.
worker.postMessage({settings: {...known, backend: new URLSearchParams(location.search).get('backend')}});
