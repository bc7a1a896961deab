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

/** The card of one answer, its rank and its similarity not yet filled in. */
function answerCard(dictionary, { gloss, index }, look) {
  const card = cardOf(dictionary, index, gloss, [["Look this one up", look]]);
  const nearness = element("p", "similarity");
  const bar = element("span", "bar");
  bar.setAttribute("aria-hidden", "true");
  bar.append(element("span"));
  nearness.append(element("span", "number"), bar);
  card.querySelector(".gloss").before(element("span", "rank"));
  card.querySelector(".gloss").after(nearness);
  card.dataset.gloss = gloss;
  card.dataset.index = index;
  return card;
}

/** Show answers in `list`. The cards of clips that stand there already stay, so that their skeletons move on. */
export function showAnswers(list, dictionary, answers, look) {
  const there = new Map([...list.children].map((card) => [Number(card.dataset.index), card]));
  list.replaceChildren(
    ...answers.map((found, i) => {
      const card = there.get(found.index) ?? answerCard(dictionary, found, look);
      card.querySelector(".rank").textContent = String(i + 1);
      card.querySelector(".number").textContent = `similarity ${found.similarity.toFixed(2)}`;
      card.querySelector(".bar span").style.width = `${Math.round(100 * Math.max(0, found.similarity))}%`;
      return card;
    }),
  );
}

export function signCard(dictionary, index, look) {
  return cardOf(dictionary, index, dictionary.clips[index].gloss, [["Look this one up", look]]);
}
