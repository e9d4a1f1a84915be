// The strip of pages shows where one is; numbers stay fresh; events appear as they arrive. Hidden pages ask nothing.
"use strict";

const here = document.querySelector("nav [aria-current]");
if (here) {
  const strip = here.closest("nav"); // not scrollIntoView: the tab key would go on from there
  strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.offsetWidth) / 2;
}

const main = document.querySelector("main[data-refresh]");
if (main) setInterval(() => refresh(main), 1000 * Number(main.dataset.refresh));

async function refresh(main) {
  if (document.hidden) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  main.replaceChildren(...page.querySelector("main").children);
}

const table = document.getElementById("events");
if (table) watch(table, document.getElementById("pause"), document.getElementById("told"));

function watch(rows, button, told) {
  let paused = false;
  const say = (text) => { if (told.textContent !== text) told.textContent = text; };

  async function look() {
    if (paused || document.hidden) return;
    try {
      const answer = await fetch(rows.dataset.rows, { credentials: "same-origin" });
      if (!answer.ok) return say(told.dataset.lost);
      show(await answer.text());
    } catch {
      say(told.dataset.lost);
    }
  }

  function show(html) {
    const fresh = document.createElement("tbody");
    fresh.innerHTML = html; // escaped by the server
    const last = Number(rows.dataset.last);
    const numbers = [...fresh.children].map((row) => Number(row.dataset.seq));
    const count = numbers.filter((number) => number > last).length;
    if (!count) return say(told.textContent.startsWith(told.dataset.new) ? told.textContent : told.dataset.live);
    for (const row of fresh.children) if (Number(row.dataset.seq) > last) row.classList.add("fresh");
    rows.replaceChildren(...fresh.children);
    rows.dataset.last = String(Math.max(...numbers));
    document.getElementById("nothing").hidden = true;
    say(told.dataset.new + count);
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? button.dataset.resume : button.dataset.pause;
    say(paused ? told.dataset.paused : told.dataset.live);
  });
  say(told.dataset.live);
  setInterval(look, 1000);
}
