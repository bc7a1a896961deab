// What an encoder is told of each frame, as the files of sslslr/encoders/inputs/ compute it.
// An input is {perHand, width, values}: values (T, 2, width) of each hand, or (T, width) of the frame.

import { Hands } from "./hands.mjs";

const TIPS = [4, 8, 12, 16, 20];
const BASES = [2, 5, 9, 13, 17];
const PARENTS = [0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19];
const THUMB_MEETS = [5, 6, 9, 10, 13, 17];
const POINTS = [...TIPS, 0, 9];
const ARM_JOINTS = [0, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
const BODY = 42;
const LARGEST = 5;

const soft = ([x, y], softness) => {
  const length = Math.hypot(x, y) + softness;
  return [x / length, y / length];
};
const axes = (value) => [value(0), value(1)];

/** An input of each hand from what `write(t, hand)` lists for it. */
function ofHands(hands, write) {
  return collected(hands, true, (t) => [...write(t, 0), ...write(t, 1)]);
}

function ofFrame(hands, write) {
  return collected(hands, false, write);
}

function collected(hands, perHand, write) {
  const rows = Array.from({ length: hands.length }, (_, t) => write(t));
  const count = rows[0].length;
  const values = new Float64Array(hands.frames * count);
  rows.forEach((row, t) => values.set(row, t * count));
  return { perHand, width: perHand ? count / 2 : count, values };
}

const local = (hands, t, hand, joint) => axes((axis) => hands.local(t, hand, joint, axis));
const minus = (a, b) => [a[0] - b[0], a[1] - b[1]];

function bone(hands, t, hand, joint) {
  return soft(minus(local(hands, t, hand, joint), local(hands, t, hand, PARENTS[joint])), 0.05);
}

const range = (first, end) => Array.from({ length: end - first }, (_, i) => first + i);
const allJoints = range(0, 21);

/** Keypoints as (T, 75, 2), each frame through `write`. */
const slice = (values, t, count) => values.subarray(t * count, (t + 1) * count);

export const INPUTS = {
  position: (hands) => ofFrame(hands, (t) => slice(hands.keypoints, t, 150)),

  velocity: (hands) => {
    const change = hands.change(hands.keypoints, 150);
    return ofFrame(hands, (t) => slice(change, t, 150));
  },

  hand_shape: (hands) => ofHands(hands, (t, hand) => allJoints.flatMap((j) => local(hands, t, hand, j))),

  hand_motion: (hands) => {
    const change = hands.change(hands.locals, 84);
    return ofHands(hands, (t, hand) => {
      const moved = change.subarray(t * 84 + hand * 42 + 2, t * 84 + hand * 42 + 42); // all but the wrist
      const speeds = range(0, 20).map((j) => Math.tanh(4 * Math.hypot(moved[2 * j], moved[2 * j + 1])));
      return [...moved.map((x) => 2 * x), ...speeds];
    });
  },

  joint_angles: (hands) =>
    ofHands(hands, (t, hand) => {
      const bones = range(1, 21).map((joint) => bone(hands, t, hand, joint));
      const pairs = range(0, 20).filter((i) => i % 4 < 3).map((i) => [bones[i], bones[i + 1]]);
      return [
        ...pairs.map(([a, b]) => a[0] * b[0] + a[1] * b[1]),
        ...pairs.map(([a, b]) => a[0] * b[1] - a[1] * b[0]),
      ];
    }),

  bones: (hands) => ofHands(hands, (t, hand) => range(1, 21).flatMap((j) => bone(hands, t, hand, j))),

  fingertip_distances: (hands) =>
    ofHands(hands, (t, hand) => {
      const [tips, bases] = [TIPS, BASES].map((joints) => joints.map((j) => local(hands, t, hand, j)));
      const vectors = [];
      for (let i = 0; i < 5; i++) for (let j = i + 1; j < 5; j++) vectors.push(minus(tips[i], tips[j]));
      vectors.push(...tips, ...tips.map((tip, i) => minus(tip, bases[i])));
      vectors.push(...THUMB_MEETS.map((j) => minus(tips[0], local(hands, t, hand, j))));
      return vectors.map(([x, y]) => Math.hypot(x, y));
    }),

  palm: (hands) =>
    ofHands(hands, (t, hand) => {
      const [index, middle, pinky] = [5, 9, 17].map((j) => local(hands, t, hand, j));
      const side = index[0] * pinky[1] - index[1] * pinky[0];
      return [...soft(middle, 0.05), Math.hypot(...middle), side];
    }),

  presence: (hands) => ofHands(hands, (t, hand) => [hands.seen[2 * t + hand]]),

  wrist_motion: (hands) => {
    const centre = [0, 0];
    let count = 0;
    for (let t = 0; t < hands.length; t++) {
      for (const hand of [0, 1]) {
        if (!hands.seen[2 * t + hand] || !hands.there[hand]) continue;
        for (const axis of [0, 1]) centre[axis] += hands.at(t, hand, 0, axis);
        count++;
      }
    }
    const path = new Float64Array(hands.frames * 4);
    for (let i = 0; i < hands.length * 4; i++) {
      const [t, hand, axis] = [i >> 2, (i >> 1) & 1, i & 1];
      const from = centre[axis] / Math.max(count, 1);
      if (!hands.there[hand]) continue;
      path[i] = (hands.sign(hand, axis) * (hands.at(t, hand, 0, axis) - from)) / hands.clipPalm;
    }
    const step = hands.change(path, 4);
    const lags = [Math.max(1, hands.frames >> 3), Math.max(2, hands.frames >> 2)];
    const jumps = lags.map((lag) => hands.change(path, 4, lag));
    return ofHands(hands, (t, hand) => {
      const pick = (values) => axes((axis) => values[t * 4 + hand * 2 + axis]);
      const now = pick(step);
      return [
        ...pick(path).map((x) => x / 2),
        ...now.map((x) => 2 * x),
        ...soft(now, 0.05),
        ...jumps.flatMap((jump) => [...pick(jump).map((x) => x / 2), ...soft(pick(jump), 0.3)]),
      ];
    });
  },

  wrist_place: (hands) => {
    const { origin, unit } = hands.bodyFrame();
    return ofHands(hands, (t, hand) => {
      if (!hands.there[hand]) return new Array(14).fill(0);
      const place = axes((axis) => (hands.sign(hand, axis) * (hands.at(t, hand, 0, axis) - origin[axis])) / unit);
      const angles = place.flatMap((x) => [6 * x, 12 * x, 24 * x]);
      return [...place.map((x) => 4 * x), ...angles.map(Math.sin), ...angles.map(Math.cos)];
    });
  },

  between_hands: (hands) => {
    const both = hands.both();
    const palm = hands.clipPalm;
    const point = (t, hand, joint) => axes((axis) => hands.at(t, hand, joint, axis) / palm);
    return ofFrame(hands, (t) => {
      const apart = (joint) => minus(point(t, 1, joint), point(t, 0, joint)).map((x) => x * both);
      const wrists = apart(0);
      const distance = Math.hypot(...wrists);
      const near = POINTS.flatMap((i) =>
        POINTS.map((j) => both * Math.exp(-Math.hypot(...minus(point(t, 1, i), point(t, 0, j))))),
      );
      return [
        ...[0, 8, 9].flatMap((joint) => apart(joint).map((x) => x / 2)),
        distance / 2,
        hands.seen[2 * t] && hands.seen[2 * t + 1] ? 1 : 0,
        ...hands.there.map(Number),
        ...near,
        ...soft(wrists, 0.3),
        both * Math.exp(-distance / 2),
      ];
    });
  },

  arms: (hands) => {
    const { origin, unit, known } = hands.bodyFrame();
    const joint = (t, j) => axes((axis) => hands.keypoints[(t * 75 + BODY + j) * 2 + axis]);
    const seen = ARM_JOINTS.map((j) => range(0, hands.length).some((t) => joint(t, j).some((x) => x !== 0)));
    return ofFrame(hands, (t) => {
      const placed = ARM_JOINTS.flatMap((j, i) =>
        seen[i] && known ? minus(joint(t, j), origin).map((x) => x / unit) : [0, 0],
      );
      const near = [0, 1].map((hand) => {
        if (!hands.there[hand] || !seen[0] || !known) return [0, 0];
        return minus(axes((axis) => hands.at(t, hand, 0, axis)), joint(t, 0)).map((x) => x / unit);
      });
      return [...placed, ...near.flat(), ...near.map((v) => Math.hypot(...v))];
    });
  },
};

/** The named inputs of a clip; standardised where `scales` {mean, deviation} is given. */
export function inputsOf(clip, names, { mirrored, fill, scales = null }) {
  const hands = new Hands(clip, mirrored, fill);
  const parts = names.map((name) => INPUTS[name](hands));
  if (!scales) return parts;
  let first = 0;
  for (const part of parts) {
    const { width, values, perHand } = part;
    const row = perHand ? 2 * width : width;
    for (let i = 0; i < values.length; i++) {
      const t = Math.floor(i / row);
      const shown = t < hands.length && (!perHand || hands.there[Math.floor((i % row) / width)]);
      const at = first + (i % width);
      const x = (values[i] - scales.mean[at]) / scales.deviation[at];
      values[i] = shown ? Math.min(LARGEST, Math.max(-LARGEST, x)) : 0;
    }
    first += width;
  }
  return parts;
}
