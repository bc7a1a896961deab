// Files that the page reads: safetensors and .npy; half-precision numbers.

const HALF_SCRATCH = new DataView(new ArrayBuffer(4));

/** The number of a float16's 16 bits. */
export function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** x as a clip store would keep it, in float16 (ties to even, as numpy rounds). */
export function roundedToHalf(x) {
  if (!Number.isFinite(x) || x === 0) return x;
  HALF_SCRATCH.setFloat32(0, x);
  const single = HALF_SCRATCH.getFloat32(0);
  const exponent = Math.max(((HALF_SCRATCH.getUint32(0) >> 23) & 255) - 127, -14);
  const step = 2 ** (exponent - 10);
  const steps = single / step;
  let nearest = Math.round(steps);
  if (Math.abs(steps - Math.trunc(steps)) === 0.5) nearest = 2 * Math.round(steps / 2);
  const rounded = nearest * step;
  return Math.abs(rounded) > 65504 ? Math.sign(x) * Infinity : rounded;
}

/** {name: {shape, data}} of a safetensors file; numbers as Float32Array. */
export function readSafetensors(buffer) {
  const view = new DataView(buffer);
  const size = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [first, end] = entry.data_offsets;
    const bytes = buffer.slice(8 + size + first, 8 + size + end);
    tensors[name] = { shape: entry.shape, data: numbers(bytes, entry.dtype, name) };
  }
  return tensors;
}

function numbers(bytes, type, name) {
  if (type === "F32") return new Float32Array(bytes);
  if (type === "F64") return Float32Array.from(new Float64Array(bytes));
  if (type === "F16") return Float32Array.from(new Uint16Array(bytes), fromHalf);
  if (type === "BOOL" || type === "U8") return Float32Array.from(new Uint8Array(bytes));
  if (type === "I64") return Float32Array.from(new BigInt64Array(bytes), Number);
  throw new Error(`${name} has values of the type ${type}, which this page does not read.`);
}

const NPY_TYPES = {
  f2: [2, (view, at) => fromHalf(view.getUint16(at, true))],
  f4: [4, (view, at) => view.getFloat32(at, true)],
  f8: [8, (view, at) => view.getFloat64(at, true)],
};

/** {shape, data} of a .npy file of floating-point numbers in C order; data as Float32Array. */
export function readNpy(buffer) {
  const bytes = new Uint8Array(buffer);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY") {
    throw new Error("This is no .npy file: it does not begin as numpy writes them.");
  }
  const view = new DataView(buffer);
  const wide = bytes[6] > 1;
  const begin = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(bytes.subarray(begin, begin + length));
  const type = /'descr':\s*'[<|=]?(\w+)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].split(",").filter((n) => n.trim()).map(Number);
  if (!(type in NPY_TYPES) || !shape) {
    throw new Error("The numbers of this .npy file are not float16, float32 or float64.");
  }
  if (/'fortran_order':\s*True/.test(header)) {
    throw new Error("This .npy file is in Fortran's order. Save it with numpy.ascontiguousarray.");
  }
  const [size, read] = NPY_TYPES[type];
  const count = shape.reduce((product, n) => product * n, 1);
  if (buffer.byteLength < begin + length + count * size) throw new Error("This .npy file is cut off.");
  const data = Float32Array.from({ length: count }, (_, i) => read(view, begin + length + i * size));
  return { shape, data };
}

export const N_JOINTS = 75;

/** A clip {frames, keypoints: Float32Array (frames, 75, 2)} from (frames, 75 or 42, 2) numbers. */
export function clipOf({ shape, data }) {
  const [frames, joints, axes] = shape;
  if (shape.length !== 3 || axes !== 2 || (joints !== N_JOINTS && joints !== 42)) {
    throw new Error(
      `The array has the shape (${shape.join(", ")}). The page reads (frames, 75, 2): left hand 21, ` +
        "right hand 21, MediaPipe's body 33; or (frames, 42, 2), the hands alone.",
    );
  }
  if (frames < 1) throw new Error("The array holds no frame.");
  const keypoints = new Float32Array(frames * N_JOINTS * 2).fill(NaN);
  for (let t = 0; t < frames; t++) {
    keypoints.set(data.subarray(t * joints * 2, (t + 1) * joints * 2), t * N_JOINTS * 2);
  }
  let largest = 0;
  for (const x of keypoints) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  if (largest > 4) {
    throw new Error(
      `Its coordinates reach ${largest.toFixed(0)}. The page reads x and y as shares of the picture's ` +
        "width and height, from 0 to 1. Divide by the width and the height.",
    );
  }
  return { frames, keypoints };
}
