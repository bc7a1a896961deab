// Uses the page in a frame as a person would, and reports to the test's server what it read there.
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(what, test, seconds = 600) {
  for (const end = Date.now() + 1000 * seconds; Date.now() < end; await wait(100)) {
    const found = await test();
    if (found) return found;
  }
  throw new Error(`timed out: ${what}`);
}

async function drive() {
  const { width, file, keypoints, aspect } = await (await fetch("ask.json")).json();
  const frame = document.querySelector("iframe");
  frame.style.width = `${width}px`;
  frame.src = "index.html";
  const page = await until("the page", () =>
    frame.contentDocument?.documentElement?.dataset.ready && frame.contentDocument,
  );
  const by = (id) => page.getElementById(id);
  const window = frame.contentWindow;
  const said = () => by("status").textContent;
  const read = () => ({
    said: said(),
    sure: by("verdict").className === "",
    cards: [...page.querySelectorAll("#cards .card")].map((card) => [
      card.dataset.gloss,
      Number(/-?[\d.]+/.exec(card.querySelector(".similarity").textContent)[0]),
    ]),
  });
  const scroll = () => page.documentElement.scrollWidth;
  const choose = (way) => page.querySelector(`[value=${way}]`).click();
  const give = async (id, name) => {
    const files = new DataTransfer();
    files.items.add(new File([await (await fetch(name)).blob()], name));
    by(id).files = files.files;
    by(id).dispatchEvent(new Event("change"));
  };
  const found = { first: page.body.innerText, scroll: [scroll()] };

  choose("sign");
  by("sign").selectedIndex = 0;
  found.chosen = by("sign").selectedOptions[0].textContent;
  by("look-up").click();
  found.sign = await until("a sign", () => page.querySelector("#cards .card") && read());
  await until("a drawn skeleton", () => drawn(page.querySelector("#cards canvas")), 20);
  found.focused = page.activeElement.id;

  choose("keypoints");
  by("aspect").value = aspect;
  await give("keypoint-file", keypoints);
  found.keypoints = await until("keypoints", () => said().startsWith(keypoints) && read());

  const before = said();
  by("aspect").value = 3;
  by("aspect").dispatchEvent(new Event("change"));
  found.wider = await until("keypoints of another width", () => said() !== before && said().startsWith(keypoints) && read());
  await give("keypoint-file", "ask.json");
  found.refused = await until("a refusal", () => said().startsWith("ask.json: ") && { said: said(), hidden: by("result").hidden });

  choose("video");
  await give("video-file", file);
  found.video = await until("a video", () => said().startsWith(`${file}.`) && by("progress").hidden && read());

  choose("webcam");
  by("seconds").value = "6";
  by("record").click();
  await until("the webcam", () => said().startsWith("Ready"));
  // The film runs round and round; the countdown begins where its signer waits.
  await until("the signer at work", () => !waits(by("camera")), 60);
  await until("the signer waiting", () => waits(by("camera")), 60);
  by("record").click();
  // A machine on which a look takes seconds sees no hand twice while one signs: then the second look answers first.
  const early = () => by("verdict").textContent.startsWith("So far");
  await until("an answer, or a second look", () => early() || !by("looking").hidden || said().startsWith("What you signed."));
  found.soFar = early() && read();
  found.atFirst = await until("a first answer", () => said().startsWith("What you signed.") && read());
  found.firstAnswer = await until(
    "the last answer",
    () => by("progress").hidden && window.performance.getEntriesByName("first answer")[0]?.duration,
  );
  found.webcam = read();
  found.scroll.push(scroll());
  return found;
}

/** Whether the film for a webcam shows the mark of waiting: left of two squares in its corner the lighter one. */
function waits(video) {
  const context = Object.assign(document.createElement("canvas"), { width: 480, height: 270 }).getContext("2d");
  context.drawImage(video, 0, 0, 480, 270);
  const light = (x) => context.getImageData(x, 8, 1, 1).data[1];
  return light(8) > light(24);
}

function drawn(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((value) => value > 0);
}

drive()
  .catch((error) => ({ error: String(error), said: document.querySelector("iframe").contentDocument?.getElementById("status")?.textContent }))
  .then((found) => fetch("found", { method: "POST", body: JSON.stringify(found) }));
