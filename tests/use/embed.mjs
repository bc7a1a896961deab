// node embed.mjs FOLDER: features of FOLDER/0.npy, 1.npy, ... by the page's own code, one JSON array a line.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, page] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(join(page, name)).href);
const { clipOf, readNpy, readSafetensors } = await load("formats.mjs");
const { preprocess } = await load("preprocess.mjs");
const { buildEncoder } = await load("encoder.mjs");

const bytes = (name) => {
  const file = readFileSync(join(folder, name));
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
};
const settings = JSON.parse(readFileSync(join(folder, "page.json"), "utf8"));
const encode = buildEncoder(settings.encoder, readSafetensors(bytes("encoder.safetensors")));
for (const [i, aspect] of settings.aspects.entries()) {
  const clip = clipOf(readNpy(bytes(`${i}.npy`)));
  console.log(JSON.stringify([...encode(preprocess(clip, settings.preprocess, settings.joints, aspect))]));
}
