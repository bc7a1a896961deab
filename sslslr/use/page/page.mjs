// The page: ways to ask, answers, the dictionary.

import { showAnswers, signCard } from "./cards.mjs";
import { closeWebcam, framesOfVideo, openWebcam, record, whyNoWebcam } from "./capture.mjs";
import { Dictionary } from "./dictionary.mjs";
import { clipAtRate, Estimator, pictureOf, showsHand } from "./estimate.mjs";
import { clipOf, readNpy } from "./formats.mjs";
import { allMove, moveAll, Player } from "./skeleton.mjs";
import { begin, by, fail, onScreen, say, working } from "./status.mjs";

const AT_ONCE = 24; // signs of the dictionary that are shown, and added by "Show more"
const LARGEST = 5e6; // bytes of a keypoint file: a minute of video in double precision
const FEW = 8; // pictures with a hand below which no answer is sure
const OFTEN = 0.4; // seconds between two answers while one signs
const estimator = new Estimator();
let dictionary = null;

/** Why an answer is not sure, or "" where it is; `hands` pictures show a hand; `first`: a second look follows. */
function doubt(answers, hands, first) {
  if (hands < FEW || first) return `Only ${hands} ${hands === 1 ? "picture shows" : "pictures show"} a hand.`;
  return dictionary.isSure(answers) ? "" : "No sign of the dictionary is near enough to be trusted.";
}

/** Show the six nearest of a clip. `more` says what follows. */
function answer(clip, what, { more = "", hands = Infinity } = {}) {
  const answers = dictionary.find(dictionary.embed(clip));
  const why = doubt(answers, hands, more !== "");
  const query = new Player("what was seen");
  by("query").replaceChildren(by("query").firstElementChild, query.element);
  query.show(clip);
  by("query").hidden = false;
  showAnswers(by("cards"), dictionary, answers, lookUpSign);
  by("result").hidden = false;
  by("verdict").className = why ? "unsure" : "";
  by("verdict").textContent = why
    ? `Not sure. ${why}${more && " A closer look follows."} The nearest all the same:`
    : "The nearest signs of the dictionary:";
  const names = answers.map(({ gloss, similarity }, i) => `${i + 1} ${gloss} (${similarity.toFixed(2)})`);
  say(`${what}${more}`, ` ${why ? `Not sure. ${why} Nearest all the same` : "Nearest"}: ${names.join(", ")}.`);
  return answers;
}

/** Show the six nearest of what was seen so far, while one still signs. It is not read aloud: it changes too fast. */
function answerSoFar(clip, hands) {
  const answers = dictionary.find(dictionary.embed(clip));
  showAnswers(by("cards"), dictionary, answers, lookUpSign);
  by("query").hidden = true;
  by("result").hidden = false;
  by("verdict").className = "unsure";
  by("verdict").textContent = `So far, by ${hands} pictures with a hand:`;
}

const handsIn = (frames) => frames.filter(({ joints }) => showsHand(joints)).length;

function show() {
  by("answers").scrollIntoView({ block: "start" });
  by("answers").focus({ preventScroll: true });
}

async function lookUpSign(index) {
  const { gloss, clip_id: id } = dictionary.clips[index];
  const cancelled = begin(`Looking up ${gloss}…`);
  try {
    const clip = await dictionary.clip(index);
    if (cancelled()) return;
    answer(clip, `The dictionary's ${gloss} (${id}).`);
    show();
  } catch (error) {
    fail(error, cancelled);
  }
}

async function lookUpKeypoints(file) {
  const cancelled = begin(`Reading ${file.name}…`);
  try {
    if (file.size > LARGEST) throw new Error("A file of one sign has less than 5 MB. Cut it, or save it as float16.");
    if (!by("aspect").value || !by("aspect").checkValidity()) {
      throw new Error("Give the width of its pictures, divided by their height, as a number from 0.2 to 5.");
    }
    const clip = clipOf(readNpy(await file.arrayBuffer()));
    if (cancelled()) return;
    answer({ ...clip, aspect: Number(by("aspect").value), fps: dictionary.fps }, `${file.name}.`);
    show();
  } catch (error) {
    fail(new Error(`${file.name}: ${error.message}`), cancelled);
  }
}

function clipOfFrames({ frames, aspect }) {
  return { ...clipAtRate(frames, dictionary.fps), fps: dictionary.fps, aspect };
}

async function lookUpVideo(file) {
  const cancelled = begin(`Reading ${file.name}. The first time, MediaPipe is loaded from this folder…`);
  working(true);
  try {
    await estimator.ready(dictionary.complexity);
    const progress = (done, of) => {
      working.at(done / of, `picture ${done} of ${of}`);
      if (done === 1) say(`${file.name}: looking at ${of} pictures…`);
    };
    const seen = await framesOfVideo(file, estimator, progress, cancelled);
    if (cancelled()) return;
    working(false);
    const what = `${file.name}${seen.cut ? ", its first 30 seconds" : ""}.`;
    answer(clipOfFrames(seen), what, { hands: handsIn(seen.frames) });
    show();
  } catch (error) {
    fail(new Error(`${file.name}: ${error.message}`), cancelled);
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const camera = { on: false, starting: false, recording: false, stop: false };

async function startWebcam() {
  if (camera.starting) return;
  const cancelled = begin("Starting the webcam. The browser may ask for it…");
  camera.starting = true;
  try {
    await openWebcam(by("camera"));
    camera.on = true;
    document.body.classList.add("camera");
    by("record").textContent = "Sign now";
    say("The webcam is on. Loading MediaPipe from this folder, some 30 MB…");
    await estimator.ready(dictionary.complexity);
    for (let i = 0; i < 2; i++) await estimator.look(await pictureOf(by("camera")), 0.1); // the first is slow
    if (cancelled()) return;
    say("Ready. Press “Sign now”: a countdown of three seconds follows.");
    onScreen();
  } catch (error) {
    stopWebcam();
    fail(error instanceof DOMException ? new Error(whyNoWebcam(error)) : error, cancelled);
  } finally {
    camera.starting = false;
  }
}

function stopWebcam() {
  camera.on = false;
  document.body.classList.remove("camera");
  closeWebcam(by("camera"));
  by("record").textContent = "Start the webcam";
}

async function signNow() {
  const cancelled = begin("Get ready. Three seconds.");
  const soFar = answersSoFar();
  try {
    const seen = await recorded(soFar, cancelled);
    if (cancelled()) return;
    if (!seen) say("Stopped.");
    else if (!seen.frames.length) throw new Error("No picture came from the webcam.");
    else await lastAnswer(seen, soFar.moments, cancelled);
  } catch (error) {
    fail(error, cancelled);
  }
}

/** What `record` has after a countdown; null where somebody pressed Stop before its end. */
async function recorded(soFar, cancelled) {
  const stopped = () => camera.stop || cancelled();
  camera.recording = true;
  camera.stop = false;
  by("record").textContent = "Stop";
  by("camera").scrollIntoView({ block: "nearest" }); // to see oneself; browsers stop a video out of sight
  try {
    await estimator.ready(dictionary.complexity);
    for (const left of [3, 2, 1]) {
      by("countdown").textContent = left;
      await pause(1000);
      if (stopped()) return null;
    }
    by("countdown").textContent = "";
    say("Sign now.");
    document.body.classList.add("recording");
    return await record(by("camera"), estimator, Number(by("seconds").value), stopped, soFar);
  } finally {
    camera.recording = false;
    by("countdown").textContent = "";
    document.body.classList.remove("recording");
    if (camera.on) by("record").textContent = "Sign again";
  }
}

/** A function that shows answers while one signs; its `moments` are when it showed one. */
function answersSoFar() {
  const moments = [];
  let aspect = 0;
  const show = (frames) => {
    const hands = handsIn(frames);
    const due = performance.now() - (moments.at(-1) ?? -Infinity) >= 1000 * OFTEN;
    // A picture without a hand changes nothing, but for the first one: the sign may have ended.
    const told = showsHand(frames.at(-1).joints) ? due : frames.length > 1 && showsHand(frames.at(-2).joints);
    if (hands < 2 || !told) return;
    try {
      aspect ||= by("camera").videoWidth / by("camera").videoHeight;
      answerSoFar(clipOfFrames({ frames: frames.slice(), aspect }), hands);
      moments.push(performance.now());
    } catch {
      // Too little was seen; more pictures follow.
    }
  };
  return Object.assign(show, { moments });
}

/** Answer by the pictures that were looked at while one signed; on a slow device look at more, and answer again. */
async function lastAnswer(seen, moments, cancelled) {
  let shown = false;
  const attempt = (frames, more) => {
    try {
      answer(clipOfFrames({ ...seen, frames }), "What you signed.", { more, hands: handsIn(frames) });
      moments.push(performance.now());
      if (!shown) show();
      shown = true;
    } catch (error) {
      if (!more) throw error; // the second look may find the hands
    }
  };
  attempt(seen.frames, seen.again ? ` At first sight, ${seen.frames.length} of ${seen.recorded} pictures.` : "");
  let { frames } = seen;
  if (seen.again) {
    working(true);
    const before = shown ? by("status").firstChild.textContent : "No hand yet.";
    say(`${before} Looking at the recording again, picture by picture…`);
    frames = await seen.again((share, done, of) => working.at(share, `picture ${done} of ${of}`), cancelled);
    if (cancelled()) return;
    working(false);
    attempt(frames, "");
  }
  measure(frames, seen.began, moments);
}

/** How long after the sign's end, the last picture with a hand, the first answer came: for tests and the curious. */
function measure(frames, began, moments) {
  const last = frames.findLast(({ joints }) => showsHand(joints));
  const start = began + 1000 * last.time;
  const end = moments.find((moment) => moment >= start);
  if (end) performance.measure("first answer", { start, end });
}

function nameStill() {
  by("still").textContent = allMove ? "Stop all skeletons" : "Let all skeletons move";
}

/** End a recording, or a look at pictures; where neither goes on, nothing happens. */
function stop() {
  if (camera.recording) camera.stop = true;
  if (by("cancel").hidden) return;
  begin("Stopped.");
  by("answers").focus(); // the button that was pressed is gone
}

function chooseWay() {
  const way = document.querySelector("[name=way]:checked").value;
  for (const panel of document.querySelectorAll(".panel")) panel.hidden = panel.dataset.way !== way;
  if (way !== "webcam" && camera.on) {
    if (camera.recording) begin("Stopped.");
    stopWebcam();
  }
}

function browse() {
  const plain = (text) => text.normalize("NFC").toLocaleLowerCase(); // é may be one character or two
  const wanted = plain(by("filter").value.trim());
  const order = dictionary.clips.map((_, i) => i).sort((a, b) => compare(dictionary.clips[a], dictionary.clips[b]));
  const found = order.filter((i) => plain(dictionary.clips[i].gloss).includes(wanted));
  by("count").textContent = `${found.length} of ${dictionary.clips.length} clips`;
  by("signs").replaceChildren();
  const more = () => {
    const next = found.slice(by("signs").children.length).slice(0, AT_ONCE);
    by("signs").append(...next.map((i) => signCard(dictionary, i, lookUpSign)));
    by("more").hidden = by("signs").children.length >= found.length;
    return next.length;
  };
  more();
  by("more").onclick = () => {
    const first = by("signs").children.length;
    more();
    by("signs").children[first]?.querySelector("button").focus();
  };
}

function compare(a, b) {
  return a.gloss.localeCompare(b.gloss) || a.clip_id.localeCompare(b.clip_id);
}

function describe() {
  const { name, language, clips, made, licence, complexity } = dictionary;
  const glosses = new Set(clips.map(({ gloss }) => gloss)).size;
  const signers = new Set(clips.map(({ signer }) => signer).filter(Boolean)).size;
  by("about").textContent =
    `Dictionary ${name}${language ? ` (${language})` : ""}: ${glosses} glosses, ${clips.length} clips` +
    (signers ? ` by ${signers} signer${signers > 1 ? "s" : ""}.` : ".");
  by("made").textContent = `${made} Licence of the clips: ${licence ?? "not stated"}.`;
  const hasVideo = complexity !== null;
  for (const part of document.querySelectorAll(".with-video")) part.hidden = !hasVideo;
  for (const part of document.querySelectorAll(".no-video")) part.hidden = hasVideo;
  if (!hasVideo) document.querySelector("[value=sign]").checked = true;
  const options = clips.map((clip, i) => [clip, i]).sort(([a], [b]) => compare(a, b));
  const several = (gloss) => clips.filter((clip) => clip.gloss === gloss).length > 1;
  by("sign").append(
    ...options.map(([clip, i]) => new Option(several(clip.gloss) ? `${clip.gloss} (${clip.clip_id})` : clip.gloss, i)),
  );
}

async function open() {
  try {
    dictionary = await Dictionary.load();
  } catch (error) {
    by("about").className = "warning";
    by("about").textContent = `The dictionary cannot be read. ${error.message}`;
    if (location.protocol === "file:") {
      by("about").textContent = "Open this folder through a server: python -m http.server, then localhost:8000.";
    }
    return;
  }
  describe();
  nameStill();
  chooseWay();
  browse();
  for (const way of document.querySelectorAll("[name=way]")) way.addEventListener("change", chooseWay);
  by("filter").addEventListener("input", browse);
  by("look-up").addEventListener("click", () => lookUpSign(Number(by("sign").value)));
  for (const id of ["keypoint-file", "aspect"]) {
    by(id).addEventListener("change", () => by("keypoint-file").files[0] && lookUpKeypoints(by("keypoint-file").files[0]));
  }
  by("video-file").addEventListener("change", ({ target }) => target.files[0] && lookUpVideo(target.files[0]));
  for (const id of ["keypoint-file", "video-file"]) {
    // So that the same file, mended, can be chosen again.
    by(id).addEventListener("click", ({ target }) => (target.value = ""));
  }
  by("cancel").addEventListener("click", stop);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && stop());
  by("record").addEventListener("click", () => {
    if (camera.recording) stop();
    else if (camera.on) signNow();
    else startWebcam();
  });
  by("still").addEventListener("click", () => {
    moveAll(!allMove);
    nameStill();
  });
  document.documentElement.dataset.ready = "yes";
}

open();
