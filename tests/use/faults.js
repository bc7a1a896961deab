// Gives the page what it must refuse, in a frame as narrow as a phone, and reports what it said.
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(what, test) {
  for (const end = Date.now() + 60000; Date.now() < end; await wait(50)) {
    const found = test();
    if (found) return found;
  }
  throw new Error(`timed out: ${what}`);
}

async function drive() {
  const frame = document.querySelector("iframe");
  frame.src = "index.html";
  const page = await until("the page", () =>
    frame.contentDocument?.documentElement?.dataset.ready && frame.contentDocument,
  );
  const by = (id) => page.getElementById(id);
  const keypoints = await (await fetch("query.npy")).arrayBuffer();
  const give = async (content, name) => {
    const files = new DataTransfer();
    files.items.add(new File([content], name));
    by("keypoint-file").files = files.files;
    by("keypoint-file").dispatchEvent(new Event("change"));
    return until(name, () => by("status").textContent.startsWith(name) && by("status").textContent);
  };
  page.querySelector("[value=keypoints]").click();
  const found = {};
  await give(keypoints, `${"a_long_name".repeat(8)}.npy`);
  found.scroll = page.documentElement.scrollWidth;
  by("aspect").value = "-2";
  found.aspect = await give(keypoints, "wide.npy");
  by("aspect").value = "1";
  frame.contentWindow.scrollTo(0, 0);
  frame.style.height = "400px";
  found.large = await give(new Uint8Array(6e6), "large.npy");
  const { bottom } = by("status").getBoundingClientRect();
  found.seen = bottom <= frame.contentWindow.innerHeight + 1;
  by("still").click();
  const moving = [...page.querySelectorAll(".pause")].filter(({ ariaLabel }) => ariaLabel.startsWith("Stop"));
  found.still = [moving.length, by("still").textContent];
  return found;
}

drive()
  .catch((error) => ({ error: String(error) }))
  .then((found) => fetch("found", { method: "POST", body: JSON.stringify(found) }));
