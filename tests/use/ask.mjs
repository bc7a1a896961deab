// node ask.mjs PAGE INPUT: what the page at PAGE answers, as JSON. INPUT is a JSON file of
// {clips: [numbers of dictionary clips], files: [.npy], landmarks: MediaPipe's of one frame, frames, fps}.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [page, input] = process.argv.slice(2);
const bytes = (path) => {
  const file = readFileSync(path);
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
};
globalThis.fetch = async (name) => new Response(bytes(join(page, name)));
const load = (name) => import(pathToFileURL(join(page, name)).href);
const { Dictionary } = await load("dictionary.mjs");
const { clipOf, readNpy } = await load("formats.mjs");
const { clipAtRate, jointsOf } = await load("estimate.mjs");
const { ENCODERS } = await load("encoder.mjs");
const { INPUTS } = await load("inputs.mjs");

const asked = JSON.parse(readFileSync(input, "utf8"));
const dictionary = await Dictionary.load();
const ask = (clip) => {
  const answers = dictionary.find(dictionary.embed(clip));
  return { answers, sure: dictionary.isSure(answers) };
};
const why = (work) => {
  try {
    return work();
  } catch (error) {
    return { error: error.message };
  }
};
const plain = (numbers) => [...numbers].map((x) => (Number.isNaN(x) ? null : x));
const frames = asked.frames.map(([time, x]) => ({ time, joints: new Float32Array(150).fill(x ?? NaN) }));
console.log(
  JSON.stringify({
    encoders: Object.keys(ENCODERS).sort(),
    inputs: Object.keys(INPUTS).sort(),
    clips: await Promise.all(asked.clips.map(async (number) => ask(await dictionary.clip(number)))),
    files: asked.files.map((file) => why(() => ask(clipOf(readNpy(bytes(file)))))),
    joints: plain(jointsOf(asked.landmarks)),
    steady: clipAtRate(frames, asked.fps).keypoints.filter((_, i) => i % 150 === 0).reduce((all, x) => [...all, Number.isNaN(x) ? null : x], []),
  }),
);
