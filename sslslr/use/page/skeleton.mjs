// A moving skeleton on a canvas, with a button that stops it. Only what is on the screen moves.

import { N_JOINTS } from "./formats.mjs";

const LEFT_SHOULDER = 53;
const RIGHT_SHOULDER = 54;
const PAUSE = 0.5; // seconds that the last frame stands before the clip begins again

function handEdges(first) {
  const edges = [[0, 1], [0, 5], [0, 17], [5, 9], [9, 13], [13, 17]];
  for (const root of [1, 5, 9, 13, 17]) for (let i = 0; i < 3; i++) edges.push([root + i, root + i + 1]);
  return edges.map(([a, b]) => [first + a, first + b]);
}

const BODY_EDGES = [
  [11, 12], [11, 13], [13, 15], [12, 14], [14, 16], [11, 23], [12, 24], [23, 24], [7, 3], [3, 2], [2, 1], [1, 0],
  [0, 4], [4, 5], [5, 6], [6, 8], [9, 10],
].map(([a, b]) => [42 + a, 42 + b]);

const PARTS = [
  ["--body", BODY_EDGES, 3],
  ["--left-hand", handEdges(0), 2.5],
  ["--right-hand", handEdges(21), 2.5],
];

const playing = new Set();

/** Whether skeletons move, but for those that somebody stopped. */
export let allMove = !matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Let all skeletons move, or stand; those that come later too. */
export function moveAll(moving) {
  allMove = moving;
  for (const element of document.querySelectorAll(".player")) players.get(element).setMoving(moving);
}

/** A figure that plays one clip. `show` gives it the clip; `name` is said by its button. */
export class Player {
  constructor(name) {
    this.element = document.createElement("div");
    this.element.className = "player";
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Moving skeleton: ${name}`);
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "pause";
    this.button.addEventListener("click", () => this.setMoving(!this.moving));
    this.element.append(this.canvas, this.button);
    this.name = name;
    this.began = performance.now();
    this.setMoving(allMove);
    visible.observe(this.element);
    players.set(this.element, this);
  }

  show(clip) {
    this.clip = clip;
    this.box = boxOf(clip);
    this.draw(this.moving ? 0 : middleOf(clip));
  }

  /** Ask for the clip only once it is on the screen. */
  showLater(load) {
    this.load = load;
  }

  setMoving(moving) {
    this.moving = moving;
    this.button.textContent = moving ? "❚❚" : "▶\uFE0E";
    this.button.setAttribute("aria-label", `${moving ? "Stop" : "Play"} the skeleton of ${this.name}`);
    if (moving && playing.has(this)) requestAnimationFrame(tick);
  }

  step(now) {
    if (!this.clip || !this.moving) return;
    const { frames, fps } = this.clip;
    const time = ((now - this.began) / 1000) % (frames / fps + PAUSE);
    this.draw(Math.min(frames - 1, Math.floor(time * fps)));
  }

  draw(frame) {
    const { canvas, clip, box } = this;
    const size = canvas.clientWidth * devicePixelRatio;
    if (!size || !clip) return;
    if (canvas.width !== Math.round(size)) canvas.width = canvas.height = Math.round(size);
    this.frame = frame;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.lineCap = "round";
    const at = (joint) => {
      const i = (frame * N_JOINTS + joint) * 2;
      const [x, y] = [clip.keypoints[i] * (clip.aspect ?? 1), clip.keypoints[i + 1]];
      return [((x - box.x) / box.side) * canvas.width, ((y - box.y) / box.side) * canvas.height];
    };
    for (const [colour, edges, width] of PARTS) {
      context.strokeStyle = style.getPropertyValue(colour);
      context.lineWidth = (width * canvas.width) / 260;
      context.beginPath();
      for (const [a, b] of edges) {
        const [from, to] = [at(a), at(b)];
        if (Number.isFinite(from[0] + from[1] + to[0] + to[1])) {
          context.moveTo(...from);
          context.lineTo(...to);
        }
      }
      context.stroke();
    }
  }
}

const players = new WeakMap();
const visible = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const player = players.get(target);
    if (!isIntersecting) {
      playing.delete(player);
      continue;
    }
    playing.add(player);
    if (player.load) {
      player.load().then((clip) => player.show(clip), () => player.element.classList.add("missing"));
      player.load = null;
    } else if (player.clip) player.draw(player.frame ?? middleOf(player.clip));
    requestAnimationFrame(tick);
  }
}, { rootMargin: "100px" });

let due = 0;
function tick(now) {
  if (now < due) return;
  due = now + 1;
  let moving = false;
  for (const player of playing) {
    if (!player.element.isConnected) playing.delete(player);
    player.step(now);
    moving ||= player.moving;
  }
  if (moving) requestAnimationFrame(tick);
}

/** The frame in the middle of those that show a hand: what stands still says most there. */
function middleOf({ frames, keypoints }) {
  const shown = Array.from({ length: frames }, (_, t) => t).filter((t) =>
    [0, 21].some((joint) => Number.isFinite(keypoints[(t * N_JOINTS + joint) * 2])),
  );
  return shown[Math.floor(shown.length / 2)] ?? 0;
}

/** The square {x, y, side} to draw: the signing space about the shoulders, wider where hands leave it. */
function boxOf({ frames, keypoints, aspect = 1 }) {
  const point = (t, joint) => {
    const i = (t * N_JOINTS + joint) * 2;
    return [keypoints[i] * aspect, keypoints[i + 1]];
  };
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  const include = ([x, y]) => {
    if (!Number.isFinite(x + y)) return;
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  };
  for (let t = 0; t < frames; t++) {
    for (let joint = 0; joint < 42 + 11; joint++) include(point(t, joint)); // hands and head
    const [a, b] = [point(t, LEFT_SHOULDER), point(t, RIGHT_SHOULDER)];
    const width = Math.hypot(a[0] - b[0], a[1] - b[1]);
    if (!Number.isFinite(width)) continue;
    const [x, y] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    include([x - width, y - width]);
    include([x + width, y + 1.3 * width]);
  }
  const side = Math.max(right - left, bottom - top, 1e-3) * 1.08;
  return { x: (left + right - side) / 2, y: (top + bottom - side) / 2, side };
}
