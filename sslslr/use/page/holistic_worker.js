// MediaPipe Holistic in a worker, so that the page stays responsive while it looks at a frame.
// A classic worker: MediaPipe loads its parts with scripts. Its own worker path is incomplete, so this
// gives it the little of a window that it asks for: canvases and script elements.
"use strict";

self.window = self;
self.document = {
  addEventListener() {},
  body: {
    appendChild(element) {
      try {
        importScripts(element.src);
        element.listeners.load();
      } catch (error) {
        failure = error;
        element.listeners.error();
      }
    },
  },
  createElement(tag) {
    if (tag === "canvas") return Object.assign(new OffscreenCanvas(1, 1), { style: {} });
    const listeners = {};
    return {
      listeners,
      setAttribute(name, value) {
        this[name] = value;
      },
      addEventListener(name, listener) {
        listeners[name] = listener;
      },
    };
  },
};

let holistic = null;
let found = null;
let failure = null;

async function start({ folder, complexity }) {
  importScripts(`${folder}holistic.js`);
  holistic = new Holistic({ locateFile: (name) => folder + name });
  holistic.setOptions({
    modelComplexity: complexity,
    useCpuInference: true, // in software WebGL the other path gives no frame
    smoothLandmarks: true,
    minDetectionConfidence: 0.5,
    minTrackingConfidence: 0.5,
  });
  holistic.onResults((results) => (found = results));
  await holistic.initialize();
  if (failure) throw failure;
  const blank = new OffscreenCanvas(64, 64);
  blank.getContext("2d").fillRect(0, 0, 64, 64);
  await holistic.send({ image: blank.transferToImageBitmap() }, 0); // loads the models
  holistic.reset();
  return {};
}

async function look({ image, time }) {
  const began = performance.now();
  await holistic.send({ image }, time);
  image.close();
  const { poseLandmarks, leftHandLandmarks, rightHandLandmarks } = found;
  return { poseLandmarks, leftHandLandmarks, rightHandLandmarks, took: performance.now() - began };
}

async function reset() {
  holistic.reset();
  return {};
}

const TASKS = { start, look, reset };
let queue = Promise.resolve();

self.onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      self.postMessage({ number: data.number, answer: await TASKS[data.task](data) });
    } catch (error) {
      self.postMessage({ number: data.number, error: String(error?.message ?? error) });
    }
  });
};
