// What a script adds to a page that works without one: filters that apply at once, tips at the marks, a period chosen by
// dragging over a trend, and `/` for the search. Nothing is drawn and nothing is counted here.
"use strict";

document.documentElement.classList.add("js");

// Pages are fetched and put in place of this one, so that neither scroll nor focus is lost.
let latest = 0;
let shown = location.search;
async function show(address, { push = true } = {}) {
  const turn = ++latest;
  document.body.setAttribute("aria-busy", "true");
  let answer;
  try {
    answer = await fetch(address, { headers: { accept: "text/html" } });
  } catch {
    location.assign(address);
    return;
  }
  const text = await answer.text();
  if (turn !== latest) return;
  const next = new DOMParser().parseFromString(text, "text/html");
  if (!answer.ok || !next.querySelector("main") || !samePage(answer.url)) {
    location.assign(address);
    return;
  }
  const focused = document.activeElement && document.activeElement.id;
  if (push) history.pushState(null, "", address);
  shown = location.search;
  document.title = next.title;
  document.body.replaceWith(next.body);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  const anchor = new URL(address, location.href).hash.slice(1);
  if (anchor) document.getElementById(anchor)?.scrollIntoView({ block: "nearest" });
}

function samePage(address) {
  return new URL(address, location.href).pathname === location.pathname;
}

// A way within the page is one through its history, too.
addEventListener("popstate", () => {
  if (location.search !== shown) show(location.href, { push: false });
});

addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const address = new URL(link.getAttribute("href"), location.href);
  if (address.origin !== location.origin || !samePage(address) || address.search === location.search) return;
  event.preventDefault();
  show(address.href);
});

function addressOf(form) {
  const query = new URLSearchParams(new FormData(form));
  for (const [name, value] of [...query]) if (value === "") query.delete(name, value);
  return new URL(`?${query}`, location.href).href;
}

addEventListener("submit", (event) => {
  if (event.target.method !== "get" || !samePage(event.target.action)) return;
  event.preventDefault();
  show(addressOf(event.target));
});

addEventListener("change", (event) => {
  const form = event.target.form;
  if (!form?.matches(".filters")) return;
  if (event.target.name === "period") for (const name of ["from", "to"]) if (form.elements[name]) form.elements[name].value = "";
  // A period by its dates has both of them.
  if (event.target.type === "date" && !(form.elements.from.value && form.elements.to.value)) return;
  show(addressOf(form));
});

addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.target.closest("input, select, textarea")) {
    const search = document.querySelector("input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
  if (event.key === "Escape") hush();
});

// The text of a mark. Browsers show it late and small; taken out of the title it is shown once.
let tip = null;
function hush() {
  tip?.remove();
  tip = null;
}

addEventListener("pointermove", (event) => {
  const mark = event.target.closest?.("svg a, svg rect, svg circle");
  const title = mark?.querySelector("title");
  if (title) {
    title.parentElement.dataset.tip = title.textContent;
    title.remove();
  }
  const text = mark?.dataset.tip ?? mark?.querySelector("[data-tip]")?.dataset.tip;
  if (!text) return hush();
  if (!tip?.isConnected) {
    tip = document.createElement("div");
    tip.className = "tip";
    tip.setAttribute("aria-hidden", "true");
    document.body.append(tip);
  }
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, event.clientX - box.width / 2), innerWidth - box.width - 8);
  const above = event.clientY - box.height - 14;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 4 ? above : event.clientY + 20}px`;
});

// Dragging over a trend chooses its period: the first and the last column that were touched.
let drag = null;
addEventListener("pointerdown", (event) => {
  const plot = event.target.closest?.(".plot[data-zoom]");
  if (plot && event.button === 0 && event.pointerType === "mouse") drag = { plot, x: event.clientX };
});

addEventListener("pointermove", (event) => {
  if (!drag || Math.abs(event.clientX - drag.x) < 6) return;
  drag.moved = true;
  const box = drag.plot.getBoundingClientRect();
  if (!drag.area) {
    drag.area = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    drag.area.setAttribute("class", "zoom");
    drag.area.setAttribute("height", drag.plot.getAttribute("height"));
    drag.plot.append(drag.area);
  }
  drag.area.setAttribute("x", Math.max(0, Math.min(event.clientX, drag.x) - box.left));
  drag.area.setAttribute("width", Math.abs(event.clientX - drag.x));
});

addEventListener("pointerup", (event) => {
  if (!drag?.moved) return void (drag = null);
  const [left, right] = [drag.x, event.clientX].sort((one, other) => one - other);
  const columns = [...drag.plot.querySelectorAll(".column")].filter((column) => {
    const box = column.getBoundingClientRect();
    return box.right > left && box.left < right;
  });
  drag.area.remove();
  drag = null;
  // The click that follows is the end of the drag, not a wish to see records.
  addEventListener("click", (click) => { click.preventDefault(); click.stopPropagation(); }, { capture: true, once: true });
  setTimeout(() => dispatchEvent(new MouseEvent("click")));
  if (!columns.length) return;
  const query = new URLSearchParams(location.search);
  query.delete("period");
  query.set("from", columns[0].dataset.from);
  query.set("to", columns.at(-1).dataset.to);
  show(new URL(`?${query}`, location.href).href);
});

addEventListener("dragstart", (event) => {
  if (event.target.closest?.(".plot")) event.preventDefault();
});
