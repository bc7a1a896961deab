// One clip as sslslr/data/preprocess.py prepares it: trim, fill gaps, normalise, fit to T frames.
// Keypoints are (frames, 75, 2) in one array, NaN = missing.

import { N_JOINTS, roundedToHalf } from "./formats.mjs";

const HAND = 21;
const LEFT_WRIST = 0;
const RIGHT_WRIST = 21;
const MIDDLE_MCP = 9;
const LEFT_SHOULDER = 53;
const RIGHT_SHOULDER = 54;
const PICTURE_CENTRE = [0.5, 0.6];
const SMALLEST_UNIT = 1e-3;

/**
 * {keypoints: Float64Array (T, 75, 2) with zeros for what is missing, frames: T, length}.
 *
 * settings: {variant, frames, fit, gaps} as `preprocess` of a study; joints: the numbers of those that the
 * encoder was given, or null for all; aspect: width / height of the picture.
 */
export function preprocess(clip, settings, joints = null, aspect = 1) {
  const used = new Set(joints ?? Array.from({ length: N_JOINTS }, (_, j) => j));
  const points = Float64Array.from(clip.keypoints, roundedToHalf);
  for (let i = 0; i < clip.frames * N_JOINTS; i++) {
    if (!used.has(i % N_JOINTS)) points[2 * i] = points[2 * i + 1] = NaN;
  }
  if (settings.variant === "as_released") return asReleased(points, clip.frames, settings);
  for (let i = 0; i < points.length; i += 2) {
    const found = Number.isFinite(points[i]) && Number.isFinite(points[i + 1]);
    points[i] = found ? Math.fround(points[i] * Math.fround(aspect)) : NaN;
    if (!found) points[i + 1] = NaN;
  }
  const trimmed = trimToHands(points);
  const frames = trimmed.length / (2 * N_JOINTS);
  const hidden = hiddenHands(trimmed, frames);
  const filled = fillGaps(trimmed, frames);
  const normalised = normalise(filled, frames, settings.variant === "picture", aspect);
  if (settings.gaps === "keep") {
    for (let t = 0; t < frames; t++) {
      for (const hand of [0, 1]) {
        if (hidden[2 * t + hand]) {
          const first = (t * N_JOINTS + hand * HAND) * 2;
          normalised.fill(NaN, first, first + 2 * HAND);
        }
      }
    }
  }
  return fit(normalised, frames, settings.frames, settings.fit);
}

/** The whole clip, and parts of it stretched to parts.frames that begin at parts.starts; all as `preprocess`. */
export function partsOf(clip, settings, parts, joints) {
  const { frames } = settings;
  const aspect = clip.aspect ?? 1;
  const whole = preprocess(clip, settings, joints, aspect);
  if (!parts.starts.length) return [whole];
  const { keypoints } = preprocess(clip, { ...settings, frames: parts.frames }, joints, aspect);
  const value = 2 * N_JOINTS;
  const cut = (start) => keypoints.slice(start * value, (start + frames) * value);
  return [whole, ...parts.starts.map((start) => ({ keypoints: cut(start), frames, length: frames }))];
}

function asReleased(points, frames, settings) {
  const seen = [false, false];
  for (let i = 0; i < frames * N_JOINTS; i++) {
    const joint = i % N_JOINTS;
    if (joint < 2 * HAND && Number.isFinite(points[2 * i] + points[2 * i + 1])) {
      seen[Math.floor(joint / HAND)] = true;
    }
  }
  if (!seen[0] || !seen[1]) throw new Error("One hand is not seen in any frame, and this encoder needs both.");
  return fit(points, frames, settings.frames, "truncate");
}

function handSeen(points, t, hand) {
  for (let j = 0; j < HAND; j++) {
    if (Number.isFinite(points[(t * N_JOINTS + hand * HAND + j) * 2])) return true;
  }
  return false;
}

function trimToHands(points) {
  const frames = points.length / (2 * N_JOINTS);
  const shown = Array.from({ length: frames }, (_, t) => handSeen(points, t, 0) || handSeen(points, t, 1));
  const first = shown.indexOf(true);
  if (first < 0) throw new Error("No hand was found in any frame.");
  return points.slice(first * 2 * N_JOINTS, (shown.lastIndexOf(true) + 1) * 2 * N_JOINTS);
}

function hiddenHands(points, frames) {
  return Uint8Array.from({ length: 2 * frames }, (_, i) => !handSeen(points, i >> 1, i & 1));
}

/** Linear interpolation over time, joint by joint; before the first and after the last sighting it is held. */
function fillGaps(points, frames) {
  const filled = points.slice();
  for (let j = 0; j < N_JOINTS; j++) {
    const at = (t) => (t * N_JOINTS + j) * 2;
    let before = -1;
    for (let t = 0; t < frames; t++) {
      if (Number.isFinite(points[at(t)])) {
        before = t;
        continue;
      }
      let after = t + 1;
      while (after < frames && !Number.isFinite(points[at(after)])) after++;
      const late = after < frames ? after : before;
      const early = before >= 0 ? before : after;
      if (early >= frames || late < 0) break; // never seen
      for (; t < Math.min(after, frames); t++) {
        const weight = early < late ? (t - early) / (late - early) : 0;
        for (const axis of [0, 1]) {
          const a = points[at(early) + axis];
          filled[at(t) + axis] = a + weight * (points[at(late) + axis] - a);
        }
      }
      t = after - 1;
    }
  }
  return filled;
}

function normalise(filled, frames, picture, aspect) {
  const point = (t, j) => [filled[(t * N_JOINTS + j) * 2], filled[(t * N_JOINTS + j) * 2 + 1]];
  const meanOverClip = (value) => {
    let sum = 0;
    for (let t = 0; t < frames; t++) sum += value(t);
    return sum / frames;
  };
  const apart = (t, a, b) => Math.hypot(point(t, a)[0] - point(t, b)[0], point(t, a)[1] - point(t, b)[1]);
  const shoulders = [0, 1].map((axis) =>
    meanOverClip((t) => (point(t, LEFT_SHOULDER)[axis] + point(t, RIGHT_SHOULDER)[axis]) / 2),
  );
  const width = meanOverClip((t) => apart(t, LEFT_SHOULDER, RIGHT_SHOULDER));
  const wrists = [LEFT_WRIST, RIGHT_WRIST];
  const between = [0, 1].map((axis) => nanMean(wrists.map((j) => meanOverClip((t) => point(t, j)[axis]))));
  const spread = Math.sqrt(
    nanMean(
      wrists.map((j) =>
        meanOverClip((t) => (point(t, j)[0] - between[0]) ** 2 + (point(t, j)[1] - between[1]) ** 2),
      ),
    ),
  );
  const palm = nanMean(wrists.map((j) => meanOverClip((t) => apart(t, j, j + MIDDLE_MCP))));
  const hasShoulders = width > SMALLEST_UNIT;
  const scale = hasShoulders ? width : nanMax(spread, palm);
  if (!(scale > SMALLEST_UNIT)) {
    throw new Error("Its size cannot be measured: shoulders, wrists and palms have no length.");
  }
  let origin = (hasShoulders ? shoulders : between).map((x) => (Number.isFinite(x) ? x : 0));
  let unit = scale;
  const shouldersThere = Number.isFinite(filled[LEFT_SHOULDER * 2] + filled[RIGHT_SHOULDER * 2]);
  if (picture && !shouldersThere) {
    origin = [PICTURE_CENTRE[0] * aspect, PICTURE_CENTRE[1]];
    unit = 1;
  }
  return filled.map((x, i) => (x - origin[i % 2]) / unit);
}

function nanMean(values) {
  const known = values.filter(Number.isFinite);
  return known.length ? known.reduce((sum, x) => sum + x, 0) / known.length : NaN;
}

function nanMax(a, b) {
  return Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b);
}

function fit(points, frames, wanted, how) {
  const keypoints = new Float64Array(wanted * N_JOINTS * 2);
  const value = 2 * N_JOINTS;
  const length = how === "truncate" ? Math.min(frames, wanted) : wanted;
  for (let t = 0; t < length; t++) {
    const position = how === "truncate" ? t : (t * (frames - 1)) / Math.max(wanted - 1, 1);
    const low = Math.floor(position);
    const high = Math.min(low + 1, frames - 1);
    const weight = position - low;
    for (let i = 0; i < value; i++) {
      const a = points[low * value + i];
      const b = points[high * value + i];
      let x = weight === 0 ? a : a + weight * (b - a);
      if (weight > 0 && Number.isNaN(x)) x = Number.isNaN(a) ? b : a;
      keypoints[t * value + i] = Number.isNaN(x) ? 0 : x;
    }
  }
  return { keypoints, frames: wanted, length };
}
