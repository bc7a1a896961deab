// Pictures to keypoints: MediaPipe Holistic's landmarks as the package's 75 joints.

import { N_JOINTS } from "./formats.mjs";

const HAND = 21;
const BODY = 42;
const CONFIDENCE = 0.5; // body joints below it are missing, as for `sslslr pose extract`
const FOLDER = "holistic/";
const SIDE = 640; // pixels; larger pictures are made smaller first

/** (75, 2) of one frame: left hand, right hand, body; NaN for what was not found. */
export function jointsOf({ poseLandmarks, leftHandLandmarks, rightHandLandmarks }) {
  const joints = new Float32Array(N_JOINTS * 2).fill(NaN);
  const set = (joint, { x, y }) => joints.set([x, y], 2 * joint);
  leftHandLandmarks?.forEach((point, i) => set(i, point));
  rightHandLandmarks?.forEach((point, i) => set(HAND + i, point));
  poseLandmarks?.forEach((point, i) => point.visibility >= CONFIDENCE && set(BODY + i, point));
  return joints;
}

export const showsHand = (joints) => Number.isFinite(joints[0]) || Number.isFinite(joints[2 * HAND]);

/**
 * A clip {frames, keypoints} at a constant rate from frames [{time in seconds, joints}] at any times.
 * Between two frames that both have a joint it is interpolated; else the nearer frame decides.
 */
export function clipAtRate(frames, fps) {
  const first = frames[0].time;
  const count = Math.max(1, Math.round((frames.at(-1).time - first) * fps) + 1);
  const keypoints = new Float32Array(count * N_JOINTS * 2);
  let before = 0;
  for (let t = 0; t < count; t++) {
    const time = first + t / fps;
    while (before + 1 < frames.length && frames[before + 1].time <= time + 1e-9) before++;
    const [a, b] = [frames[before], frames[Math.min(before + 1, frames.length - 1)]];
    const weight = b.time > a.time ? Math.min(1, (time - a.time) / (b.time - a.time)) : 0;
    const nearer = weight < 0.5 ? a : b;
    for (let i = 0; i < N_JOINTS * 2; i++) {
      const between = weight < 1e-6 ? a.joints[i] : a.joints[i] + weight * (b.joints[i] - a.joints[i]);
      keypoints[t * N_JOINTS * 2 + i] = Number.isNaN(between) ? nearer.joints[i] : between;
    }
  }
  return { frames: count, keypoints };
}

/** MediaPipe in its worker. `look` answers with joints and the milliseconds that it took. */
export class Estimator {
  #worker = null;
  #waiting = new Map();
  #number = 0;
  #ready = null;
  #clock = 0;

  /** Load MediaPipe once; a second call waits for the first. After a failure it is tried anew. */
  ready(complexity) {
    this.#ready ??= this.#start(complexity).catch((error) => {
      this.#ready = null;
      this.#worker.terminate();
      throw error;
    });
    return this.#ready;
  }

  async #start(complexity) {
    this.#worker = new Worker("holistic_worker.js");
    this.#worker.onmessage = ({ data }) => {
      const [resolve, reject] = this.#waiting.get(data.number);
      this.#waiting.delete(data.number);
      if (data.error) reject(new Error(data.error));
      else resolve(data.answer);
    };
    this.#worker.onerror = (event) => {
      for (const [, reject] of this.#waiting.values()) reject(new Error(event.message || "MediaPipe stopped."));
      this.#waiting.clear();
    };
    await this.#ask("start", { folder: new URL(FOLDER, location.href).href, complexity });
  }

  #ask(task, values = {}, transfer = []) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#number, [resolve, reject]);
      this.#worker.postMessage({ ...values, task, number: this.#number }, transfer);
    });
  }

  /** A new clip begins: forget the person that was followed. */
  reset() {
    return this.#ask("reset");
  }

  /** {joints, took} of one picture (an ImageBitmap, which is used up), `step` seconds after the one before. */
  async look(image, step) {
    this.#clock += Math.max(1, Math.round(1000 * step));
    const answer = await this.#ask("look", { image, time: this.#clock }, [image]);
    return { joints: jointsOf(answer), took: answer.took };
  }
}

/** The picture that a video element shows, no side longer than `SIDE`. */
export function pictureOf(video) {
  const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  return createImageBitmap(video, {
    resizeWidth: Math.round(video.videoWidth * scale),
    resizeHeight: Math.round(video.videoHeight * scale),
  });
}
