// Encoders of the package in plain JavaScript, one clip at a time: sslslr/encoders/ is the original.
// Tokens are rows of one Float32Array; weights are those of encoder.safetensors, by their names there.

import { inputsOf } from "./inputs.mjs";

const PARTS = { mean: 1, halves: 2, thirds: 3 };

/** The function from a preprocessed clip {keypoints, frames, length} to its features (Float32Array). */
export function buildEncoder({ variant, options }, weights) {
  if (!(variant in ENCODERS)) throw new Error(`This page cannot run the encoder ${variant}.`);
  return (clip) => ENCODERS[variant](clip, options, new Weights(weights));
}

class Weights {
  constructor(tensors) {
    this.tensors = tensors;
  }

  /** Those whose names begin with `prefix`, without it. */
  below(prefix) {
    const names = Object.keys(this.tensors).filter((name) => name.startsWith(prefix));
    return new Weights(Object.fromEntries(names.map((name) => [name.slice(prefix.length), this.tensors[name]])));
  }

  get(name) {
    if (!(name in this.tensors)) throw new Error(`The encoder's file lacks ${name}.`);
    return this.tensors[name].data;
  }

  /** rows (n, inputs) times the layer `name`, (n, outputs). */
  linear(name, rows) {
    const [outputs, inputs] = this.tensors[`${name}.weight`].shape;
    const weight = this.get(`${name}.weight`);
    const bias = this.get(`${name}.bias`);
    const n = rows.length / inputs;
    const out = new Float32Array(n * outputs);
    for (let o = 0; o < outputs; o++) {
      const column = weight.subarray(o * inputs, (o + 1) * inputs);
      for (let r = 0; r < n; r++) {
        const from = r * inputs;
        let sum = bias[o];
        for (let i = 0; i < inputs; i++) sum += rows[from + i] * column[i];
        out[r * outputs + o] = sum;
      }
    }
    return out;
  }

  norm(name, rows) {
    const [scale, shift] = [this.get(`${name}.weight`), this.get(`${name}.bias`)];
    const width = scale.length;
    const out = new Float32Array(rows.length);
    for (let first = 0; first < rows.length; first += width) {
      let mean = 0;
      let variance = 0;
      for (let i = 0; i < width; i++) mean += rows[first + i] / width;
      for (let i = 0; i < width; i++) variance += (rows[first + i] - mean) ** 2 / width;
      const size = Math.sqrt(variance + 1e-5);
      for (let i = 0; i < width; i++) out[first + i] = ((rows[first + i] - mean) / size) * scale[i] + shift[i];
    }
    return out;
  }

  /** mean and deviation of standardised inputs, or null. */
  scales() {
    if (!("inputs.mean" in this.tensors)) return null;
    return { mean: this.get("inputs.mean"), deviation: this.get("inputs.deviation") };
  }
}

/** x Phi(x), Phi the normal distribution: the exact form that torch's GELU has. */
export function gelu(x) {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * z);
  // Complementary error function, error below 1.2e-7: Press et al., Numerical Recipes, section 6.2.
  const terms = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223,
    0.17087277,
  ];
  let sum = 0;
  for (let i = terms.length - 1; i >= 0; i--) sum = sum * t + terms[i];
  const tail = (t * Math.exp(-z * z + sum)) / 2;
  return x * (x >= 0 ? 1 - tail : tail);
}

function add(a, b) {
  return a.map((x, i) => x + b[i]);
}

function block(weights, name, tokens, width, heads) {
  const mixed = attention(weights.linear(`${name}.qkv`, weights.norm(`${name}.norm_attention`, tokens)), width, heads);
  const attended = add(tokens, weights.linear(`${name}.out`, mixed));
  const hidden = weights.linear(`${name}.mlp.0`, weights.norm(`${name}.norm_mlp`, attended)).map(gelu);
  return add(attended, weights.linear(`${name}.mlp.3`, hidden));
}

/** Softmax attention over rows of queries, keys and values (n, 3 width). */
function attention(qkv, width, heads) {
  const n = qkv.length / (3 * width);
  const size = width / heads;
  const out = new Float32Array(n * width);
  const scores = new Float64Array(n);
  for (let head = 0; head < heads; head++) {
    for (let r = 0; r < n; r++) {
      const query = r * 3 * width + head * size;
      let largest = -Infinity;
      for (let c = 0; c < n; c++) {
        const key = c * 3 * width + width + head * size;
        let sum = 0;
        for (let i = 0; i < size; i++) sum += qkv[query + i] * qkv[key + i];
        scores[c] = sum / Math.sqrt(size);
        largest = Math.max(largest, scores[c]);
      }
      let total = 0;
      for (let c = 0; c < n; c++) total += scores[c] = Math.exp(scores[c] - largest);
      for (let c = 0; c < n; c++) {
        const value = c * 3 * width + 2 * width + head * size;
        const share = scores[c] / total;
        for (let i = 0; i < size; i++) out[r * width + head * size + i] += share * qkv[value + i];
      }
    }
  }
  return out;
}

/** Sines and cosines added to tokens (n, width) in place. */
function addPositions(tokens, width) {
  for (let i = 0; i < tokens.length; i++) {
    const [time, channel] = [Math.floor(i / width), i % width];
    const angle = time * Math.exp((channel - (channel % 2)) * (-Math.log(10000) / width));
    tokens[i] += channel % 2 ? Math.cos(angle) : Math.sin(angle);
  }
}

/** One vector from tokens (n, width): sslslr/encoders/_readout.py. */
export function readOut(tokens, width, pooling) {
  const n = tokens.length / width;
  if (pooling === "mean_max_deviation") {
    const mean = meanOf(tokens, width, 0, n);
    const largest = new Float32Array(width).fill(-Infinity);
    const variance = new Float64Array(width);
    for (let i = 0; i < tokens.length; i++) {
      largest[i % width] = Math.max(largest[i % width], tokens[i]);
      variance[i % width] += (tokens[i] - mean[i % width]) ** 2 / n;
    }
    return Float32Array.from([...mean, ...largest, ...variance.map((x) => Math.sqrt(x + 1e-4))]);
  }
  const parts = PARTS[pooling];
  const means = Array.from({ length: parts }, (_, p) =>
    meanOf(tokens, width, Math.floor((p * n) / parts), Math.ceil(((p + 1) * n) / parts)),
  );
  return Float32Array.from(means.flatMap((mean) => [...mean]));
}

function meanOf(tokens, width, first, end) {
  const mean = new Float64Array(width);
  for (let i = first * width; i < end * width; i++) mean[i % width] += tokens[i] / (end - first);
  return mean;
}

/** Rows (length, all values) of parts, those of hands flattened, left hand first. */
function flattened(parts, length) {
  const widths = parts.map(({ perHand, width }) => (perHand ? 2 * width : width));
  const total = widths.reduce((sum, x) => sum + x, 0);
  const rows = new Float32Array(length * total);
  let first = 0;
  parts.forEach(({ values }, i) => {
    for (let t = 0; t < length; t++) {
      rows.set(values.subarray(t * widths[i], (t + 1) * widths[i]), t * total + first);
    }
    first += widths[i];
  });
  return rows;
}

/** (length * 2, all values of a hand), left hand first in each frame. */
function rowsOfHands(parts, length) {
  const total = parts.reduce((sum, part) => sum + part.width, 0);
  const rows = new Float32Array(length * 2 * total);
  let first = 0;
  for (const { width, values } of parts) {
    for (let r = 0; r < 2 * length; r++) {
      rows.set(values.subarray(r * width, (r + 1) * width), r * total + first);
    }
    first += width;
  }
  return rows;
}

/** Rows (n, a) and (n, b) side by side. */
function beside(n, ...parts) {
  const widths = parts.map((part) => part.length / n);
  const total = widths.reduce((sum, x) => sum + x, 0);
  const out = new Float32Array(n * total);
  let first = 0;
  parts.forEach((part, p) => {
    for (let r = 0; r < n; r++) out.set(part.subarray(r * widths[p], (r + 1) * widths[p]), r * total + first);
    first += widths[p];
  });
  return out;
}

function twoHands(clip, options, weights) {
  const { width, heads, merge, depth, pooling } = options;
  const n = clip.length;
  const parts = inputsOf(clip, options.inputs, { mirrored: true, fill: true, scales: weights.scales() });
  const stem = weights.linear("hand.0", rowsOfHands(parts.filter((part) => part.perHand), n));
  const hands = weights.linear("hand.3", weights.norm("hand.1", stem).map(gelu));
  const ofFrame = parts.filter((part) => !part.perHand);
  const all = ofFrame.length ? beside(n, hands, flattened(ofFrame, n)) : hands;
  const frames = weights.linear("join", all);
  const count = Math.ceil(n / merge);
  const padded = new Float32Array(count * merge * width);
  padded.set(frames);
  let tokens = weights.linear("shorten", padded);
  addPositions(tokens, width);
  const features = [];
  for (let i = 0; i < depth; i++) {
    tokens = block(weights, `blocks.${i}`, tokens, width, heads);
    if (i >= depth - Math.min(options.layers, depth)) {
      features.push(...readOut(weights.norm("norm", tokens), width, pooling));
    }
  }
  return Float32Array.from(features);
}

function transformer(clip, options, weights) {
  const { width, heads, depth, pooling } = options;
  const scales = options.standardise ? weights.scales() : null;
  const parts = inputsOf(clip, options.inputs, { mirrored: false, fill: options.standardise, scales });
  const frames = weights.linear("embed", flattened(parts, clip.length));
  addPositions(frames, width);
  let tokens = new Float32Array(width + frames.length);
  tokens.set(weights.get("class_token"));
  tokens.set(frames, width);
  for (let i = 0; i < depth; i++) tokens = block(weights, `blocks.${i}`, tokens, width, heads);
  tokens = weights.norm("norm", tokens);
  return pooling === "class_token" ? tokens.slice(0, width) : readOut(tokens.slice(width), width, pooling);
}

function handFeatures(clip, options) {
  const parts = inputsOf(clip, options.inputs, { mirrored: true, fill: true });
  const rows = flattened(parts, clip.length);
  const width = rows.length / clip.length;
  const summary = readOut(rows, width, "mean_max_deviation");
  const smallest = readOut(rows.map((x) => -x), width, "mean_max_deviation").subarray(width, 2 * width);
  return Float32Array.from([
    ...readOut(rows, width, "thirds"),
    ...summary.subarray(2 * width),
    ...summary.subarray(width, 2 * width),
    ...smallest.map((x) => -x),
  ]);
}

function committee(clip, { members, member: { variant, ...options } }, weights) {
  const each = Array.from({ length: members }, (_, i) => weights.below(`members.${i}.`));
  return Float32Array.from(each.flatMap((own) => [...ENCODERS[variant](clip, options, own)]));
}

// `raw` has no weights: the preprocessed keypoints themselves.
export const ENCODERS = {
  two_hands: twoHands,
  transformer,
  hand_geometry: transformer,
  committee,
  hand_features: handFeatures,
  raw: (clip) => Float32Array.from(clip.keypoints),
};
