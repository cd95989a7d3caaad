// The network, beside the page: loads it, and answers each image with its depth in metres.
import {metres, mirrored, networkInput, place, takenOut} from './depth.js';

let ort, session, settings, size, batch;

// The file, with its bytes so far told on the way.
async function fetched(name, bytes) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(name + ': the server answers ' + answer.status);
  const content = new Uint8Array(bytes), reader = answer.body.getReader();
  let at = 0;
  for (;;) {
    const {done, value} = await reader.read();
    if (done) break;
    if (at + value.length > bytes) throw new Error(name + ': is larger than it was made; write the demo again');
    content.set(value, at);
    at += value.length;
    postMessage({kind: 'loading', at, bytes});
  }
  if (at < bytes) throw new Error(name + ': only ' + at + ' of ' + bytes + ' bytes came');
  return content;
}

// Whether to try WebGPU: where it is asked for, or where there is a GPU and not its stand-in on the processor, which is
// many times slower than WebAssembly.
async function gpuWanted(backend) {
  if (backend) return backend === 'webgpu';
  try {
    const adapter = navigator.gpu && await navigator.gpu.requestAdapter();
    return Boolean(adapter) && !(adapter.info || adapter).isFallbackAdapter;
  } catch {
    return false;
  }
}

async function start(model, gpu) {
  ort = await import(gpu ? './ort.webgpu.min.mjs' : './ort.wasm.min.mjs');
  ort.env.logLevel = 'error';
  ort.env.wasm.wasmPaths = new URL('./', import.meta.url).href;
  // Half of the logical processors of a larger machine: two on one core gain nothing.
  const cores = navigator.hardwareConcurrency || 1;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, cores > 4 ? cores >> 1 : cores) : 1;
  session = await ort.InferenceSession.create(model, {executionProviders: [gpu ? 'webgpu' : 'wasm']});
  const shape = session.inputMetadata[0].shape;
  batch = typeof shape[0] === 'number' && shape[0] > 0 ? shape[0] : 1;
  size = settings.size;
  // Compiles what the GPU runs, and tells at once where it cannot.
  await outputs([new Float32Array(size[0] * size[1] * 3)]);
  const threads = ort.env.wasm.numThreads;
  return gpu ? 'WebGPU' : 'WebAssembly, ' + threads + (threads > 1 ? ' threads' : ' thread');
}

// The network's outputs {data, cells} for inputs of one image each; a fixed batch is filled up with the last.
async function outputs(inputs) {
  const found = [], pixels = size[0] * size[1] * 3;
  for (let first = 0; first < inputs.length; first += batch) {
    const content = new Float32Array(batch * pixels);
    for (let i = 0; i < batch; i++) content.set(inputs[Math.min(first + i, inputs.length - 1)], i * pixels);
    const tensor = new ort.Tensor('float32', content, [batch, size[0], size[1], 3]);
    const result = (await session.run({[session.inputNames[0]]: tensor}))[session.outputNames[0]];
    const cells = result.dims.slice(1, 3), length = cells[0] * cells[1];
    for (let i = 0; i < batch && first + i < inputs.length; i++) {
      found.push({data: result.data.slice(i * length, (i + 1) * length), cells});
    }
    result.dispose();
  }
  return found;
}

async function depthOf({rgba, height, width, flip}) {
  const image = [height, width], where = place(image, size), begun = performance.now();
  const input = networkInput(rgba, image, where, size), ready = performance.now();
  const [plain, other] = await outputs(flip ? [input, mirrored(input, size, 3)] : [input]);
  const ran = performance.now(), map = metres(plain.data, settings.limits), cells = plain.cells;
  if (other) {
    const second = metres(mirrored(other.data, cells, 1), settings.limits);
    for (let i = 0; i < map.length; i++) map[i] = (map[i] + second[i]) / 2;
  }
  if (map.some(Number.isNaN)) throw new Error("the network's output for it is not a number");
  const depth = takenOut(map, cells, where, size, image);
  return {depth, rgba, height, width, network: ran - ready, all: performance.now() - begun};
}

onmessage = async function ({data}) {
  try {
    if (data.settings) {
      settings = data.settings;
      const model = await fetched(settings.file, settings.bytes);
      postMessage({kind: 'starting'});
      let backend = null;
      if (await gpuWanted(settings.backend)) {
        backend = await start(model, true).catch(function (error) {
          console.warn('WebGPU does not run this network: ' + error.message);
        });
      }
      postMessage({kind: 'ready', backend: backend || await start(model, false)});
    } else {
      const result = await depthOf(data);
      postMessage({kind: 'depth', id: data.id, ...result}, [result.depth.buffer, result.rgba.buffer]);
    }
  } catch (error) {
    postMessage({kind: 'error', id: data.id, message: error.message || String(error)});
  }
};
