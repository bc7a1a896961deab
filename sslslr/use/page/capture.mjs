// From a video file or the webcam to frames of keypoints, [{time in seconds, joints}].

import { pictureOf, showsHand } from "./estimate.mjs";

const RATE = 15; // pictures a second: a sign has some thirty
const MOST_SECONDS = 30; // of a video that are read
const LOWERED = 0.7; // seconds without a hand that end a recording
const ENOUGH = 12; // pictures with a hand that make a second look unnecessary (docs/experiments.md)
const SURE = 2; // pictures with a hand before, and without one after, that end a recording
const COARSE = 4; // a second look takes one of so many pictures first, to find where hands are
const ROOM = 0.3; // seconds before and after that it looks at closely
const CLOSELY = 24; // pictures of them: more find no more (docs/experiments.md)

const once = (target, event) =>
  new Promise((resolve, reject) => {
    target.addEventListener(event, resolve, { once: true });
    target.addEventListener("error", () => reject(new Error("This browser cannot play the file.")), { once: true });
  });
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The picture at which a video stands. On a busy machine it may come later than the browser says. */
async function standing(video) {
  for (let tries = 1; ; tries++) {
    try {
      return await pictureOf(video);
    } catch (error) {
      if (tries === 40) throw error;
      await pause(50);
    }
  }
}

/** Frames of a video file. progress(done, of) is told; cancelled() ends it with null. */
export async function framesOfVideo(file, estimator, progress, cancelled) {
  const video = document.createElement("video");
  video.muted = true;
  video.preload = "auto";
  video.src = URL.createObjectURL(file);
  try {
    await once(video, "loadeddata");
    if (!video.videoWidth) throw new Error("This file holds no pictures.");
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
      const { joints } = await estimator.look(await standing(video), 1 / RATE);
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

/** At most `count` of some values, the first and the last among them. */
function evenly(some, count) {
  if (some.length <= count) return some;
  return Array.from({ length: count }, (_, i) => some[Math.round((i * (some.length - 1)) / (count - 1))]);
}

/**
 * Record from the webcam and look at pictures meanwhile, always the newest. onLook(frames, recorded) is told after each.
 *
 * It ends after `seconds`, when stopped() says so, or when hands were seen and are down again.
 * {frames, aspect, began, recorded, again}: what was seen by then, and the moment that times are counted from;
 * again(progress, cancelled) looks for the hands in the whole recording and then closely at these pictures. It is
 * null where enough were looked at, as on a fast device.
 */
export async function record(video, estimator, seconds, stopped, onLook) {
  await estimator.reset();
  const pictures = [];
  const frames = [];
  const began = performance.now();
  const now = () => (performance.now() - began) / 1000;
  let over = false;

  /** A slow device loses a hand in single pictures, so one picture alone says neither "up" nor "down". */
  function lowered() {
    const last = frames.findLastIndex(({ joints }) => showsHand(joints));
    const up = frames.filter(({ joints }) => showsHand(joints)).length >= SURE;
    return up && frames.length - 1 - last >= SURE && frames.at(-1).time - frames[last].time >= LOWERED;
  }

  async function watch() {
    let last = -1;
    while (!over) {
      if (last === pictures.length - 1) {
        await pause(5);
        continue;
      }
      last = pictures.length - 1;
      const { image, time } = pictures[last];
      const { joints } = await estimator.look(await createImageBitmap(image), time - (frames.at(-1)?.time ?? 0));
      frames.push({ time, joints });
      over ||= lowered();
      onLook(frames, pictures.length);
    }
  }

  const watching = watch();
  try {
    while (!over && now() < seconds && !stopped()) {
      const time = now();
      pictures.push({ time, image: await pictureOf(video) });
      await pause(Math.max(0, 1000 * (time + 1 / RATE - now())));
    }
  } finally {
    over = true;
    await watching;
  }
  const aspect = video.videoWidth / video.videoHeight;

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
    const coarse = await looked(some, (done, of) => progress(done / of / 2, done, of), cancelled);
    const times = coarse?.filter(({ joints }) => showsHand(joints)).map(({ time }) => time);
    // Hands that no picture of four shows may be in the others: then all are looked at.
    const near = times?.length
      ? evenly(pictures.filter(({ time }) => time >= times[0] - ROOM && time <= times.at(-1) + ROOM), CLOSELY)
      : pictures;
    const all = coarse && (await looked(near, (done, of) => progress((1 + done / of) / 2, done, of), cancelled));
    pictures.forEach(({ image }) => image.close());
    return all;
  }

  const hands = frames.filter(({ joints }) => showsHand(joints)).length;
  const whole = hands >= ENOUGH || frames.length === pictures.length;
  if (whole) pictures.forEach(({ image }) => image.close());
  return { frames, aspect, began, recorded: pictures.length, again: whole ? null : again };
}
