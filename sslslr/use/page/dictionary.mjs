// The dictionary of this page: its clips, their features, and the look-up by cosine.

import { buildEncoder } from "./encoder.mjs";
import { clipOf, readNpy, readSafetensors } from "./formats.mjs";
import { partsOf } from "./preprocess.mjs";

const FOLDER = "data/";

async function fetched(name) {
  const answer = await fetch(FOLDER + name);
  if (!answer.ok) throw new Error(`${FOLDER}${name} is missing from the page's folder.`);
  return answer;
}

export class Dictionary {
  /**
   * settings: what data/dictionary.json holds. features: Float32Array (clips, width).
   * encode: from a preprocessed clip to its features.
   */
  constructor(settings, features, encode) {
    Object.assign(this, settings);
    this.width = features.length / this.clips.length;
    this.features = features;
    this.encode = encode;
    for (let i = 0; i < this.clips.length; i++) {
      this.#direction(features.subarray(i * this.width, (i + 1) * this.width));
    }
  }

  static async load() {
    const [settings, features, weights] = await Promise.all([
      fetched("dictionary.json").then((answer) => answer.json()),
      fetched("features.npy").then((answer) => answer.arrayBuffer()),
      fetched("encoder.safetensors").then((answer) => answer.arrayBuffer()),
    ]);
    return new Dictionary(settings, readNpy(features).data, buildEncoder(settings.encoder, readSafetensors(weights)));
  }

  /** The keypoints of dictionary clip `index`, fetched once. */
  async clip(index) {
    this.fetchedClips ??= new Map();
    if (!this.fetchedClips.has(index)) {
      const file = fetched(`clips/${index}.npy`).then((answer) => answer.arrayBuffer());
      this.fetchedClips.set(index, file.then((bytes) => clipOf(readNpy(bytes))));
    }
    const { fps, aspect } = this.clips[index];
    return { ...(await this.fetchedClips.get(index)), fps: fps ?? this.fps, aspect: aspect ?? 1 };
  }

  /** The direction of a clip's features; an Error says why {frames, keypoints, aspect} cannot be looked up. */
  embed(clip) {
    const seen = partsOf(clip, this.preprocess, this.parts, this.joints);
    const features = seen.map((part) => this.encode(part));
    return this.#direction(features[0].map((_, i) => features.reduce((sum, of) => sum + of[i], 0) / seen.length));
  }

  /** Features less the centre of the dictionary's, divided by their length, in place. */
  #direction(features) {
    let square = 0;
    features.forEach((x, i) => (square += (features[i] = x - this.centre[i]) ** 2));
    const length = Math.max(Math.sqrt(square), 1e-12);
    features.forEach((x, i) => (features[i] = x / length));
    return features;
  }

  /** [{gloss, index, similarity}], a gloss as near as its nearest clip, nearest first. */
  find(feature, count = 6) {
    const best = new Map();
    this.clips.forEach(({ gloss }, index) => {
      let similarity = 0;
      for (let i = 0; i < this.width; i++) similarity += feature[i] * this.features[index * this.width + i];
      if (!(best.get(gloss)?.similarity >= similarity)) best.set(gloss, { gloss, index, similarity });
    });
    return [...best.values()].sort((a, b) => b.similarity - a.similarity).slice(0, count);
  }

  isSure(answers) {
    return this.threshold === null || answers[0].similarity >= this.threshold;
  }
}
