// Cards of answers and of the dictionary.

import { Player } from "./skeleton.mjs";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function cardOf(dictionary, index, title, actions) {
  const card = element("li", "card");
  const player = new Player(title);
  player.showLater(() => dictionary.clip(index));
  const { signer } = dictionary.clips[index];
  const text = element("div", "text");
  text.append(element("h3", "gloss", title));
  card.append(player.element, text);
  if (signer) text.append(element("p", "signer", `signer ${signer}`));
  for (const [label, action] of actions) {
    const button = element("button", "action", label);
    button.type = "button";
    button.setAttribute("aria-label", `${label}: ${title}`);
    button.addEventListener("click", () => action(index));
    text.append(button);
  }
  return card;
}

/** The card of answer number `rank`. */
export function answerCard(dictionary, { gloss, index, similarity }, rank, look) {
  const card = cardOf(dictionary, index, gloss, [["Look this one up", look]]);
  const nearness = element("p", "similarity", `similarity ${similarity.toFixed(2)}`);
  const bar = element("span", "bar");
  bar.setAttribute("aria-hidden", "true");
  const filled = element("span");
  filled.style.width = `${Math.round(100 * Math.max(0, similarity))}%`;
  bar.append(filled);
  nearness.append(bar);
  card.querySelector(".gloss").before(element("span", "rank", String(rank)));
  card.querySelector(".gloss").after(nearness);
  card.dataset.gloss = gloss;
  return card;
}

export function signCard(dictionary, index, look) {
  return cardOf(dictionary, index, dictionary.clips[index].gloss, [["Look this one up", look]]);
}
