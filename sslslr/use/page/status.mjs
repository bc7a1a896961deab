// The line that says what the page is doing, its progress, and the look-up in hand.

export const by = (id) => document.getElementById(id);
let task = 0; // the number of the look-up in hand: an older one that comes late is dropped

/** Show a line; `more` is for those who hear the page. */
export function say(text, more = "") {
  const heard = document.createElement("span");
  heard.className = "hidden";
  heard.textContent = more;
  by("status").replaceChildren(text, heard);
}

/** Show or hide how far it is: working(true), then working.at(share, "picture 3 of 40"). */
export function working(on) {
  by("progress").hidden = by("cancel").hidden = by("looking").hidden = !on;
  working.at(0, "");
}

working.at = (share, text) => {
  by("progress").value = share;
  by("looking").textContent = text;
};

/** A new look-up; `cancelled()` is true once another began or somebody pressed Stop. */
export function begin(text) {
  const number = ++task;
  working(false);
  say(text);
  onScreen();
  return () => number !== task;
}

export function fail(error, cancelled = () => false) {
  if (cancelled()) return;
  working(false);
  by("result").hidden = true; // what stands there answers another question
  say(error.message);
  onScreen();
}

/** On a phone the line stands below what one pressed. */
export function onScreen() {
  by("status").scrollIntoView({ block: "nearest" });
}
