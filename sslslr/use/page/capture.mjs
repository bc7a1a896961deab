// From a video file or the webcam to frames of keypoints, [{time in seconds, joints}].

import { pictureOf, showsHand } from "./estimate.mjs";

const RATE = 15; // pictures a second: a sign has some thirty
const MOST_SECONDS = 30; // of a video that are read
const LOWERED = 0.7; // seconds without a hand that end a recording
const ENOUGH = 20; // frames that make a second look unnecessary
const FIRST = 1.8; // seconds after the sign's end until which more pictures are looked at for the first answer
const COARSE = 4; // a second look takes one of so many pictures first, to find where hands are
const ROOM = 0.3; // seconds before and after that it looks at closely

const once = (target, event) =>
  new Promise((resolve, reject) => {
    target.addEventListener(event, resolve, { once: true });
    target.addEventListener("error", () => reject(new Error("This browser cannot play the file.")), { once: true });
  });
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Frames of a video file. progress(done, of) is told; cancelled() ends it with null. */
export async function framesOfVideo(file, estimator, progress, cancelled) {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  video.src = URL.createObjectURL(file);
  try {
    await once(video, "loadeddata");
    if (!Number.isFinite(video.duration)) {
      video.currentTime = 1e9; // recordings of browsers state no length until one looks for their end
      await once(video, "seeked");
    }
    const seconds = Math.min(video.duration, MOST_SECONDS);
    const count = Math.max(1, Math.floor(seconds * RATE));
    await estimator.reset();
    const frames = [];
    for (let i = 0; i < count; i++) {
      if (cancelled()) return null;
      const time = Math.min((i + 0.5) / RATE, Math.max(0, video.duration - 0.01));
      video.currentTime = time;
      await once(video, "seeked");
      const { joints } = await estimator.look(await pictureOf(video), 1 / RATE);
      frames.push({ time, joints });
      progress(i + 1, count);
    }
    return { frames, aspect: video.videoWidth / video.videoHeight, cut: video.duration > MOST_SECONDS };
  } finally {
    URL.revokeObjectURL(video.src);
  }
}

/** A sentence for what getUserMedia refused with. */
export function whyNoWebcam(error) {
  if (error.name === "NotAllowedError") return "The browser was not allowed to use the webcam. Allow it and try again.";
  if (error.name === "NotFoundError") return "No webcam was found on this device.";
  if (error.name === "NotReadableError") return "The webcam is in use by another program.";
  return `The webcam cannot be used (${error.message}).`;
}

export async function openWebcam(video) {
  if (!navigator.mediaDevices) {
    throw new Error("The webcam needs an address that the browser trusts: https, or localhost.");
  }
  const wanted = { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" };
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
  await video.play();
}

export function closeWebcam(video) {
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
}

/** `count` of the times `some` that lie furthest from `known` and from each other, in order. */
export function widest(some, known, count) {
  const chosen = [];
  const left = new Set(some);
  while (chosen.length < count && left.size) {
    const gap = (time) => Math.min(...known.concat(chosen).map((other) => Math.abs(other - time)));
    const next = [...left].reduce((best, time) => (gap(time) > gap(best) ? time : best));
    left.delete(next);
    chosen.push(next);
  }
  return chosen.sort((a, b) => a - b);
}

/**
 * Record from the webcam and look at pictures meanwhile, always the newest.
 *
 * It ends after `seconds`, when stopped() says so, or when hands were seen and are down again. A slow device
 * looks into the widest gaps then, until `FIRST`.
 * {frames, aspect, ended, again}: what was seen by then, and when the sign ended; again(progress, cancelled)
 * looks for the hands in the whole recording and then closely at these pictures; it is null where enough were
 * looked at.
 */
export async function record(video, estimator, seconds, stopped) {
  await estimator.reset();
  const pictures = [];
  const frames = [];
  const began = performance.now();
  const now = () => (performance.now() - began) / 1000;
  let over = false;
  let lowered = false;
  let handAt = null;
  let spent = 0; // milliseconds of looking

  async function watch() {
    let last = -1;
    while (!over) {
      if (last === pictures.length - 1) {
        await pause(5);
        continue;
      }
      last = pictures.length - 1;
      const { image, time } = pictures[last];
      const { joints, took } = await estimator.look(await createImageBitmap(image), time - (frames.at(-1)?.time ?? 0));
      frames.push({ time, joints });
      spent += took;
      if (showsHand(joints)) handAt = time;
      else if (handAt !== null && time - handAt >= LOWERED) over = lowered = true;
    }
  }

  const watching = watch();
  while (!over && now() < seconds && !stopped()) {
    const time = now();
    pictures.push({ time, image: await pictureOf(video) });
    await pause(Math.max(0, 1000 * (time + 1 / RATE - now())));
  }
  over = true;
  const ended = lowered ? began + 1000 * handAt : performance.now();
  await watching;
  const aspect = video.videoWidth / video.videoHeight;
  const left = () => 1000 * FIRST - (performance.now() - ended);

  async function fill() {
    const known = frames.map(({ time }) => time);
    const shown = frames.filter(({ joints }) => showsHand(joints)).map(({ time }) => time);
    const from = shown.length ? shown[0] - ROOM : 0;
    const to = shown.length ? shown.at(-1) + ROOM : seconds;
    const inside = pictures.filter(({ time }) => time >= from && time <= to && !known.includes(time));
    const count = Math.floor((left() * frames.length) / spent);
    const chosen = widest(inside.map(({ time }) => time), known, Math.min(count, ENOUGH - frames.length));
    for (const { image, time } of pictures.filter((picture) => chosen.includes(picture.time))) {
      if (left() < 0) break;
      const { joints } = await estimator.look(await createImageBitmap(image), 1 / RATE);
      frames.push({ time, joints });
    }
    frames.sort((a, b) => a.time - b.time);
  }

  async function looked(some, progress, cancelled) {
    await estimator.reset();
    const all = [];
    for (const { image, time } of some) {
      if (cancelled()) return null;
      const step = time - (all.at(-1)?.time ?? 0);
      const { joints } = await estimator.look(await createImageBitmap(image), step);
      all.push({ time, joints });
      progress(all.length, some.length);
    }
    return all;
  }

  async function again(progress, cancelled) {
    const some = pictures.filter((_, i) => i % COARSE === 0);
    const coarse = await looked(some, (done, of) => progress(done, 2 * of), cancelled);
    const times = coarse?.filter(({ joints }) => showsHand(joints)).map(({ time }) => time);
    if (!times?.length) return coarse;
    const near = pictures.filter(({ time }) => time >= times[0] - ROOM && time <= times.at(-1) + ROOM);
    return looked(near, (done, of) => progress(of + done, 2 * of), cancelled);
  }

  if (frames.length) await fill();
  const whole = frames.length >= Math.min(ENOUGH, pictures.length);
  if (whole) pictures.forEach(({ image }) => image.close());
  return { frames, aspect, ended, again: whole ? null : again, recorded: pictures.length };
}
