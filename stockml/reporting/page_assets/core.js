// What every part of the page uses: the data, elements, numbers in words, scales, axes, and a cursor to walk along a chart.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
// Every object has a "constructor"; a stock may be called that as well.
const own = (object, name) => (Object.hasOwn(object, name) ? object[name] : undefined);

// ---- elements; every text goes in as text, never as markup ----

function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// ---- numbers and days in words ----

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function price(value) {
  if (Math.abs(value) >= 10) return value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return value.toLocaleString("en-US", { maximumSignificantDigits: 5, useGrouping: false });
}

function minus(text) {
  return text.replace("-", "−");
}

function signed(value, digits = 2) {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? (0).toFixed(digits) + " %" : minus((value > 0 ? "+" : "") + text + " %");
}

const percent = (value, digits = 2) => value.toFixed(digits) + " %";
const share = (value) => (value * 100).toFixed(1) + " %";
const plural = (count, noun) => `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

function dateOf(day) {
  return new Date(day * 86400000);
}

function dayText(day) {
  const date = dateOf(day);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
}

// ---- scales ----

function scale([from, to], [start, end]) {
  const factor = (end - start) / (to - from || 1);
  return (value) => start + (value - from) * factor;
}

function niceTicks(from, to, wanted) {
  const rough = (to - from || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999);
  const ticks = [];
  for (let number = Math.ceil(from / step - 1e-9); number * step <= to + step * 1e-6; number += 1) ticks.push(number * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (/2\.5|25/.test(String(step)) && step < 10 ? 1 : 0)) };
}

// Days, Mondays, firsts of months or of years: as many as there is room for.
function dayTicks(from, to, room) {
  const wanted = Math.max(2, Math.floor(room / 75));
  const weeks = (to - from) / 7;
  if (to - from <= wanted * 2) {
    const every = to - from <= wanted ? 1 : 2;
    const days = Array.from({ length: Math.floor((to - Math.ceil(from)) / every) + 1 }, (_, at) => Math.ceil(from) + at * every);
    return days.map((day) => [day, `${dateOf(day).getUTCDate()} ${MONTHS[dateOf(day).getUTCMonth()]}`]);
  }
  if (weeks <= wanted * 4) {
    const step = 7 * Math.max(1, Math.ceil(weeks / wanted));
    const ticks = [];
    for (let day = Math.ceil((from + 3) / 7) * 7 - 3; day <= to; day += step) ticks.push(day);
    return ticks.map((day) => [day, `${dateOf(day).getUTCDate()} ${MONTHS[dateOf(day).getUTCMonth()]}`]);
  }
  const step = [1, 2, 3, 6, 12, 24, 60].find((months) => weeks / 4.35 / months <= wanted) ?? 120;
  const ticks = [];
  const last = dateOf(to);
  for (let month = dateOf(from).getUTCFullYear() * 12; month <= last.getUTCFullYear() * 12 + last.getUTCMonth(); month += step) {
    const day = Date.UTC(Math.floor(month / 12), month % 12, 1) / 86400000;
    if (day >= from && day <= to) ticks.push([day, month % 12 === 0 || step >= 12 ? String(Math.floor(month / 12)) : MONTHS[month % 12]]);
  }
  return ticks;
}

// ---- charts ----

// An empty chart with its axes; `x` and `y` are { from, to, text, ticks }, `text` writes a value at a tick.
function frame(host, { label, height, x, y }) {
  const width = Math.max(240, host.clientWidth);
  const left = y.room ?? 52, right = 14, top = 10, bottom = 26;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
  const atX = scale([x.from, x.to], [left, width - right]);
  const atY = scale([y.from, y.to], [height - bottom, top]);
  const { ticks, digits } = niceTicks(y.from, y.to, Math.max(4, Math.floor(height / 55)));
  for (const value of ticks) {
    const at = atY(value);
    svg.append(shape("path", { class: "grid", d: `M${left} ${at}H${width - right}` }));
    svg.append(shape("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, y.text(value, digits)));
  }
  for (const [value, text] of x.ticks(x.from, x.to, width - left - right)) {
    const at = atX(value);
    svg.append(shape("path", { class: "axis", d: `M${at} ${height - bottom}v4` }));
    const isLast = at > width - right - 12;
    svg.append(shape("text", { x: isLast ? width : at, y: height - 8, "text-anchor": isLast ? "end" : "middle" }, text));
  }
  svg.append(shape("path", { class: "axis", d: `M${left} ${height - bottom}H${width - right}` }));
  host.replaceChildren(svg);
  return { svg, atX, atY, left, right: width - right, top, bottom: height - bottom };
}

function line(points) {
  return points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
}

function cross(x, y, size) {
  return `M${x - size} ${y - size}L${x + size} ${y + size}M${x + size} ${y - size}L${x - size} ${y + size}`;
}

function diamond(x, y, size) {
  return `M${x} ${y - size}L${x + size} ${y}L${x} ${y + size}L${x - size} ${y}Z`;
}

function square(x, y, size) {
  return `M${x - size} ${y - size}h${2 * size}v${2 * size}h${-2 * size}Z`;
}

// Lets a pointer, a finger or the arrow keys walk along places on the x axis; `show(index)` tells what is there.
function walk(svg, places, start, show) {
  if (!places.length) return;
  let here = start;
  const move = (to) => {
    here = Math.max(0, Math.min(places.length - 1, to));
    show(here);
  };
  const nearest = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    move(places.reduce((best, place, at) => (Math.abs(place - x) <= Math.abs(places[best] - x) ? at : best), 0));
  };
  svg.setAttribute("tabindex", "0");
  svg.addEventListener("pointermove", nearest);
  svg.addEventListener("pointerdown", nearest);
  svg.addEventListener("keydown", (event) => {
    const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: places.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  move(here);
}

// Draws now, and again whenever the host's width changes.
function drawn(host, draw) {
  let width = 0;
  new ResizeObserver(() => {
    if (host.clientWidth === width || !host.clientWidth) return;
    width = host.clientWidth;
    draw();
  }).observe(host);
}

// ---- tables ----

// A row of cells; a cell is a text, or { text, value, kind } with a number to sort by and a class.
function tableRow(cells, tag = "td") {
  const row = element("tr");
  cells.forEach((cell, at) => {
    const { text, value, kind } = typeof cell === "object" ? cell : { text: cell };
    const node = element(tag === "td" && at === 0 ? "th" : tag, kind ? { class: kind } : {}, text);
    if (node.tagName === "TH") node.setAttribute("scope", tag === "th" ? "col" : "row");
    if (value !== undefined) node.setAttribute("data-value", value ?? "");
    row.append(node);
  });
  return row;
}

const dayCell = (day) => ({ text: dayText(day), value: dateOf(day).toISOString().slice(0, 10) });
const figure = (text, value, kind = "") => ({ text, value, kind: `number ${kind}`.trim() });

function fillTable(table, head, rows) {
  const body = element("tbody", {}, ...rows.map((cells) => tableRow(cells)));
  table.replaceChildren(element("thead", {}, tableRow(head.map((name) => (name.startsWith(">") ? { text: name.slice(1), kind: "number" } : name)), "th")), body);
  if (table.hasAttribute("data-sortable")) makeSortable(table);
}
