// node record.mjs PAGE INPUT: what the page's recording sees of a pretended webcam, on a clock of its own. INPUT is
// {took: seconds of a look, seconds, hands: [[from, to], ...], lost: [numbers of looks that miss a hand]} as JSON.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [page, input] = process.argv.slice(2);
const asked = JSON.parse(input);
const timers = [];
let clock = 0; // milliseconds
globalThis.setTimeout = (work, milliseconds = 0) => timers.push({ at: clock + milliseconds, work });
Object.defineProperty(globalThis, "performance", { value: { now: () => clock } });
globalThis.createImageBitmap = async (of) => ({ at: of.at ?? clock / 1000, close() {} });
const { record } = await import(pathToFileURL(join(page, "capture.mjs")).href);

let looks = 0;
const estimator = {
  reset: async () => {},
  look: ({ at }) =>
    new Promise((resolve) => {
      const seen = asked.hands.some(([from, to]) => at >= from && at < to) && !asked.lost.includes(looks);
      looks++;
      const joints = new Float32Array(150).fill(seen ? 0.5 : NaN);
      setTimeout(() => resolve({ joints, took: 1000 * asked.took }), 1000 * asked.took);
    }),
};

/** What a promise holds, once the clock has run on to it. */
async function after(promise) {
  let done = null;
  promise.then((value) => (done = { value }), (error) => (done = { error }));
  for (;;) {
    await new Promise(setImmediate);
    if (done?.error) throw done.error;
    if (done) return done.value;
    timers.sort((a, b) => a.at - b.at);
    const { at, work } = timers.shift();
    clock = Math.max(clock, at);
    work();
  }
}

const told = [];
const video = { videoWidth: 640, videoHeight: 360 };
const seen = await after(record(video, estimator, asked.seconds, () => false, (frames) => told.push(frames.length)));
const first = { ended: clock / 1000, looks, told: told.length, recorded: seen.recorded };
const all = seen.again && (await after(seen.again(() => {}, () => false)));
console.log(JSON.stringify({ ...first, again: all && all.map(({ time }) => time), after: looks - first.looks }));
