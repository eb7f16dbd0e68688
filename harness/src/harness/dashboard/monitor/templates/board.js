"use strict";
const form = document.querySelector(".picks"), data = JSON.parse(document.getElementById("picks").textContent);
const panels = [...document.querySelectorAll("div[data-section]")], missing = document.querySelector("template[data-missing]");
const drawn = new Map([...document.querySelectorAll("template[data-key]")].map((t) => [t.dataset.section + " " + t.dataset.key, t]));
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const pick = (name) => (form.elements[name] ? form.elements[name].selectedIndex : 0);
const keyOf = (section) => data.depends[section].map(pick).join("-");
const two = (n) => String(n).padStart(2, "0");
for (const panel of panels) { // what is shown at first is held like all the rest
  const first = document.createElement("template");
  first.content.append(...[...panel.childNodes].map((n) => n.cloneNode(true)));
  drawn.set(panel.dataset.section + " " + keyOf(panel.dataset.section), first);
}
function name(windows, at) {
  const t = new Date(windows.starts[at] * 1000);
  const day = t.getUTCDate() + " " + months[t.getUTCMonth()];
  return windows.daily ? day + " " + t.getUTCFullYear() : day + " " + two(t.getUTCHours()) + ":" + two(t.getUTCMinutes());
}
function range(windows) {
  const time = (id) => (form.elements[id].value ? Date.parse(form.elements[id].value + "Z") / 1000 : null);
  const since = time("from"), until = time("to"), all = windows.starts.length;
  let first = 0, last = all - 1;
  if (since !== null) while (first < all && (windows.ends[first] > windows.starts[first] ? windows.ends[first] <= since : windows.starts[first] < since)) first++;
  if (until !== null) while (last >= 0 && windows.starts[last] > until) last--;
  return [first, last];
}
function show() {
  const windows = data.windows[pick("granularity")], [first, last] = range(windows), count = Math.max(last - first + 1, 0);
  for (const panel of panels) {
    const found = drawn.get(panel.dataset.section + " " + keyOf(panel.dataset.section)) || missing;
    panel.replaceChildren(found.content.cloneNode(true));
    for (const plot of panel.querySelectorAll(".zoom")) plot.setAttribute("viewBox", first + " 0 " + Math.max(count, 1) + " 100");
    for (const row of panel.querySelectorAll("[data-at]")) row.hidden = +row.dataset.at < first || +row.dataset.at > last;
    for (const ticks of panel.querySelectorAll(".ticks:not(.bare)")) {
      const at = count ? [...new Set([first, (first + last) >> 1, last])] : [];
      ticks.replaceChildren(...at.map((w) => Object.assign(document.createElement("span"), { textContent: name(windows, w) })));
    }
  }
  document.getElementById("said").textContent = count ? "Showing " + count + " windows, " + name(windows, first) + " to " + name(windows, last) + "." : "There is no window in this range.";
}
form.addEventListener("change", show);
form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
