// Files of a depth map: 16-bit PNG in millimetres and a point cloud as binary PLY, as predict.py writes them.

const CRC = Uint32Array.from({length: 256}, function (_, n) {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function chunk(kind, content) {
  const out = new Uint8Array(12 + content.length), view = new DataView(out.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) out[4 + i] = kind.charCodeAt(i);
  out.set(content, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < 8 + content.length; i++) crc = CRC[(crc ^ out[i]) & 255] ^ (crc >>> 8);
  view.setUint32(8 + content.length, ~crc);
  return out;
}

// Grey of 16 bits, millimetres.
export async function millimetres(depth, height, width) {
  const head = new DataView(new ArrayBuffer(13)), rows = new DataView(new ArrayBuffer(height * (1 + 2 * width)));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint16(8, 0x1000);
  for (let y = 0, to = 0; y < height; y++) {
    // Each row begins with its filter, none.
    rows.setUint8(to++, 0);
    for (let x = 0; x < width; x++, to += 2) {
      rows.setUint16(to, Math.min(65535, Math.round(1000 * depth[y * width + x])));
    }
  }
  const packed = new Blob([rows.buffer]).stream().pipeThrough(new CompressionStream('deflate'));
  const content = new Uint8Array(await new Response(packed).arrayBuffer());
  const sign = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
  const parts = [sign, chunk('IHDR', new Uint8Array(head.buffer)), chunk('IDAT', content), chunk('IEND', new Uint8Array())];
  return new Blob(parts, {type: 'image/png'});
}

// camera: {fx, fy, cx, cy, source} in pixels, the centre of the first being 0. most: of more pixels, every n-th of every
// n-th row.
export function cloud(depth, rgba, height, width, camera, most) {
  let stride = 1;
  while (Math.ceil(height / stride) * Math.ceil(width / stride) > most) stride++;
  const count = Math.ceil(height / stride) * Math.ceil(width / stride);
  const head = 'ply\nformat binary_little_endian 1.0\n' +
    'comment metres; x to the right, y down, z away from the camera\n' +
    'comment ' + ['fx', 'fy', 'cx', 'cy'].map(name => name + ' ' + camera[name].toFixed(3)).join(' ') + ' pixels\n' +
    'comment intrinsics: ' + camera.source + '\nelement vertex ' + count + '\n' +
    ['x', 'y', 'z'].map(name => 'property float ' + name + '\n').join('') +
    ['red', 'green', 'blue'].map(name => 'property uchar ' + name + '\n').join('') + 'end_header\n';
  const points = new DataView(new ArrayBuffer(15 * count));
  let to = 0;
  for (let y = 0; y < height; y += stride) for (let x = 0; x < width; x += stride) {
    const at = y * width + x, z = depth[at];
    points.setFloat32(to, (x - camera.cx) / camera.fx * z, true);
    points.setFloat32(to + 4, (y - camera.cy) / camera.fy * z, true);
    points.setFloat32(to + 8, z, true);
    for (let c = 0; c < 3; c++) points.setUint8(to + 12 + c, rgba[4 * at + c]);
    to += 15;
  }
  return new Blob([head, points.buffer], {type: 'application/octet-stream'});
}
