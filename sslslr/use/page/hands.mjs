// What the inputs of a clip share, as sslslr/encoders/inputs/_hands.py: hands, palms, what is missing.

import { N_JOINTS } from "./formats.mjs";

const SMALLEST = 1e-4;
const JOINTS = 21;
const MIDDLE_MCP = 9;
const LEFT_SHOULDER = 53;
const RIGHT_SHOULDER = 54;

/** The hands of one preprocessed clip {keypoints (T, 75, 2), frames, length}. */
export class Hands {
  constructor(clip, mirrored, fill) {
    const { frames, length } = clip;
    this.frames = frames;
    this.length = length;
    this.mirrored = mirrored;
    this.keypoints = clip.keypoints.slice();
    this.keypoints.fill(0, length * N_JOINTS * 2);
    this.seen = new Uint8Array(2 * frames);
    for (let t = 0; t < length; t++) {
      for (const hand of [0, 1]) this.seen[2 * t + hand] = this.#handIsNotZero(t, hand);
    }
    if (fill) this.#fill();
    this.#measure(fill);
  }

  /** x (axis 0) or y (axis 1) of joint `joint` (0 to 20) of a hand. */
  at(t, hand, joint, axis) {
    return this.keypoints[(t * N_JOINTS + hand * JOINTS + joint) * 2 + axis];
  }

  /** A joint relative to its wrist, in palms. */
  local(t, hand, joint, axis) {
    return this.locals[((t * 2 + hand) * JOINTS + joint) * 2 + axis];
  }

  /** -1 for the x of a mirrored left hand. */
  sign(hand, axis) {
    return this.mirrored && hand === 0 && axis === 0 ? -1 : 1;
  }

  both() {
    return this.there[0] && this.there[1] ? 1 : 0;
  }

  /** {origin, unit, known}: shoulders' midpoint and distance, means over the clip; 0 and 1 without shoulders. */
  bodyFrame() {
    let width = 0;
    const centre = [0, 0];
    const seen = [0, 0];
    for (let t = 0; t < this.length; t++) {
      const left = this.#joint(t, LEFT_SHOULDER);
      const right = this.#joint(t, RIGHT_SHOULDER);
      width += Math.hypot(left[0] - right[0], left[1] - right[1]) / this.length;
      for (const axis of [0, 1]) centre[axis] += (left[axis] + right[axis]) / 2 / this.length;
      seen[0] += Math.abs(left[0]) + Math.abs(left[1]);
      seen[1] += Math.abs(right[0]) + Math.abs(right[1]);
    }
    const known = seen[0] > 0 && seen[1] > 0 && width > SMALLEST;
    return known ? { origin: centre, unit: width, known } : { origin: [0, 0], unit: 1, known };
  }

  /** values[t] - values[t - lag] of (T, count) at the middle of the two; zero beyond the clip. */
  change(values, count, lag = 1) {
    const out = new Float64Array(values.length);
    const before = lag - Math.floor(lag / 2);
    for (let t = lag; t < this.length; t++) {
      const to = (t - lag + before) * count;
      for (let i = 0; i < count; i++) out[to + i] = values[t * count + i] - values[(t - lag) * count + i];
    }
    return out;
  }

  #joint(t, joint) {
    const i = (t * N_JOINTS + joint) * 2;
    return [this.keypoints[i], this.keypoints[i + 1]];
  }

  #handIsNotZero(t, hand) {
    const first = (t * N_JOINTS + hand * JOINTS) * 2;
    return this.keypoints.subarray(first, first + 2 * JOINTS).some((x) => x !== 0) ? 1 : 0;
  }

  /** Interpolate each hand over the frames that do not show it; the ends are held. */
  #fill() {
    for (const hand of [0, 1]) {
      const shown = [];
      for (let t = 0; t < this.length; t++) if (this.seen[2 * t + hand]) shown.push(t);
      if (!shown.length) continue;
      let next = 0;
      for (let t = 0; t < this.length; t++) {
        while (next < shown.length && shown[next] < t) next++;
        if (shown[next] === t) continue;
        const late = shown[Math.min(next, shown.length - 1)];
        const early = next > 0 ? shown[next - 1] : late;
        const weight = late > early ? Math.min(1, (t - early) / (late - early)) : 0;
        for (let i = 0; i < 2 * JOINTS; i++) {
          const at = (time) => (time * N_JOINTS + hand * JOINTS) * 2 + i;
          const [a, b] = [this.keypoints[at(early)], this.keypoints[at(late)]];
          this.keypoints[at(t)] = a + weight * (b - a);
        }
      }
    }
  }

  #measure(fill) {
    const { frames, length } = this;
    this.locals = new Float64Array(frames * 2 * JOINTS * 2);
    this.there = [false, false];
    const own = [0, 0];
    for (const hand of [0, 1]) {
      const present = Array.from({ length: JOINTS }, (_, joint) => {
        for (let t = 0; t < length; t++) {
          if (this.at(t, hand, joint, 0) !== 0 || this.at(t, hand, joint, 1) !== 0) return true;
        }
        return false;
      });
      let sum = 0;
      let count = 0;
      for (let t = 0; t < length; t++) {
        for (let joint = 0; joint < JOINTS; joint++) {
          for (const axis of [0, 1]) {
            const x = present[joint] ? this.at(t, hand, joint, axis) - this.at(t, hand, 0, axis) : 0;
            this.locals[((t * 2 + hand) * JOINTS + joint) * 2 + axis] = x;
          }
        }
        if (fill && !this.seen[2 * t + hand]) continue;
        sum += Math.hypot(this.local(t, hand, MIDDLE_MCP, 0), this.local(t, hand, MIDDLE_MCP, 1));
        count++;
      }
      own[hand] = sum / Math.max(fill ? count : length, 1);
      this.there[hand] = own[hand] > SMALLEST;
      for (let t = 0; t < length; t++) {
        for (let i = 0; i < 2 * JOINTS; i++) {
          const at = (t * 2 + hand) * JOINTS * 2 + i;
          this.locals[at] = this.there[hand] ? (this.locals[at] / own[hand]) * this.sign(hand, i % 2) : 0;
        }
      }
    }
    const known = own.filter((_, hand) => this.there[hand]);
    this.clipPalm = Math.max(known.reduce((sum, x) => sum + x, 0) / Math.max(known.length, 1), SMALLEST);
  }
}
