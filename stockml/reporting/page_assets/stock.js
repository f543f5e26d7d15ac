// One stock: the prediction in words, the chart of past and coming ones, why, and its signals over time.

const isPattern = (name) => /^pattern_\d+$/.test(name);
const meaning = (name) => (isPattern(name) ? data.meanings.pattern : (own(data.meanings, name) ?? ""));
const hitOrMiss = (error) => (error < data.accurate_below_pct ? "a hit" : "a miss");
const shownSessions = () => Number(document.querySelector("#range input:checked").value);
const money = (stock, value) => `${price(value)}${stock.currency ? " " + stock.currency : ""}`;

function story(stock) {
  const last = stock.made.length - 1;
  const change = stock.change[last];
  const verb = Math.abs(change) < 0.005 ? "stay where it is" : `${change > 0 ? "rise" : "fall"} by ${percent(Math.abs(change))}`;
  const moves = stock.moves ? ` It moves about ${stock.moves.toFixed(1)} % a session${stock.results ? `; ${stock.results}` : ""}.` : "";
  const score = own(own(data.records, stock.horizon)?.stocks ?? {}, stock.symbol);
  const past = score
    ? ` Of ${plural(score.n, "verified prediction")} of this stock ${score.hits} were accurate (${share(score.hit)}; naive: ${share(score.naive_hit)}), with a mean error of ${percent(score.error)} (naive: ${percent(score.naive_error)}).`
    : " None of its predictions is verified yet.";
  return (
    `Expected to ${verb} in ${plural(stock.horizon, "session")}, from ${money(stock, stock.close[last])} on ${dayText(stock.made[last])} ` +
    `to ${money(stock, stock.predicted[last])} at the close of ${dayText(stock.target[last])}; with a probability of 80 % between ` +
    `${price(stock.low[last])} and ${price(stock.high[last])}${otherRanges(stock)}. Confidence ${share(stock.confidence[last])} that the error stays below 5 %.${moves}${past}`
  );
}

// The ranges beside the one of 80 %, which every prediction has.
function otherRanges(stock) {
  const told = stock.ranges.filter(([part]) => part !== 0.8).map(([part, low, high]) => `of ${Math.round(part * 100)} % between ${price(low)} and ${price(high)}`);
  return told.length ? ` (${told.join(", ")})` : "";
}

// ---- the chart of prices ----

// Known closes, from the days predictions were made on and the days they were settled on, oldest first.
function knownCloses(stock) {
  const closes = new Map();
  stock.target.forEach((day, at) => stock.actual[at] !== null && closes.set(day, stock.actual[at]));
  stock.made.forEach((day, at) => closes.set(day, stock.close[at]));
  return [...closes].sort(([one], [other]) => one - other);
}

// Closes before the first prediction, as many as the sessions chosen leave room for, up to the one it was made from.
function earlierCloses(stock) {
  const room = shownSessions() - stock.made.length;
  if (room <= 0 || !stock.before.day.length) return [];
  const days = stock.before.day.map((day, at) => [day, stock.before.close[at]]).slice(-room);
  return [...days, [stock.made[0], stock.close[0]]];
}

// The ranges open with the square root of time, as chance makes prices wander; the widest comes first.
function fan(stock) {
  const last = stock.made.length - 1;
  const { day, price: path } = stock.ahead;
  const open = (edge) => path.map((value, at) => value + (edge - stock.predicted[last]) * Math.sqrt((at + 1) / path.length));
  const start = [stock.made[last], stock.close[last]];
  const along = (values) => [start, ...values.map((value, at) => [day[at], value])];
  const ranges = [...stock.ranges].reverse().map(([part, low, high]) => ({ part, low: along(open(low)), high: along(open(high)) }));
  return { ranges, path: along(path) };
}

function priceChart(stock) {
  const host = byId("price-chart");
  const last = stock.made.length - 1;
  const first = Math.max(0, last + 1 - shownSessions());
  const earlier = earlierCloses(stock);
  const from = earlier.length ? earlier[0][0] : stock.made[first], to = stock.target[last];
  const closes = knownCloses(stock).filter(([day]) => day >= from);
  const picked = stock.made.map((_, at) => at).filter((at) => at >= first);
  const ahead = fan(stock);
  const values = [...closes, ...earlier, ...ahead.ranges.flatMap((range) => [...range.low, ...range.high])].map(([, value]) => value).concat(picked.map((at) => stock.predicted[at]));
  const low = Math.min(...values), high = Math.max(...values), pad = (high - low || high) * 0.05;
  const widest = price(high).length;
  const chart = frame(host, {
    label: `${stock.symbol}: closes, past predictions as hits and misses, and the path ahead with its ranges of 50, 80 and 95 %.${earlierText(earlier)} The left and right arrow keys walk through the predictions; the table further down holds them all.`,
    height: host.clientWidth < 560 ? 300 : 380,
    x: { from: from - 0.5, to: to + Math.max(0.5, (to - from) * 0.01), ticks: dayTicks },
    y: { from: Math.max(0, low - pad), to: high + pad, text: (value, digits) => value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }), room: 14 + 7.2 * Math.max(widest, 4) },
  });
  chart.svg.append(shape("text", { x: chart.left + 6, y: chart.top + 8 }, stock.currency));
  const place = ([day, value]) => [chart.atX(day), chart.atY(value)];
  const add = (name, attributes) => chart.svg.append(shape(name, attributes));
  for (const { part, low: under, high: over } of ahead.ranges) {
    add("path", { class: part > 0.8 ? "fan wide" : "fan", d: `${line([...under, ...[...over].reverse()].map(place))}Z` });
    if (part === 0.8) add("path", { class: "edge", d: line(under.map(place)) + line(over.map(place)) });
  }
  add("path", { class: "now", d: `M${chart.atX(stock.made[last])} ${chart.top}V${chart.bottom}` });
  if (earlier.length) {
    add("path", { class: "close before", d: line(earlier.map(place)) });
    add("path", { class: "now", d: `M${chart.atX(stock.made[0])} ${chart.top}V${chart.bottom}` });
  }
  add("path", { class: "close", d: line(closes.map(place)) });
  add("path", { class: "ahead", d: line(ahead.path.map(place)) });
  const size = picked.length > 125 ? 2.6 : 3.7;
  for (const at of picked) mark(stock, at, place, add, size);
  chart.svg.append(shape("g", { class: "cursor-marks" }));
  walk(chart.svg, picked.map((at) => chart.atX(stock.target[at])), picked.length - 1, (index) => pointAt(stock, picked[index], chart, place));
}

function earlierText(earlier) {
  if (!earlier.length) return "";
  const [[firstDay, firstClose], [lastDay, lastClose]] = [earlier[0], earlier[earlier.length - 1]];
  return ` Before the first prediction it went from ${price(firstClose)} on ${dayText(firstDay)} to ${price(lastClose)} on ${dayText(lastDay)}.`;
}

function mark(stock, at, place, add, size) {
  const [x, y] = place([stock.target[at], stock.predicted[at]]);
  const isNewest = at === stock.made.length - 1;
  if (stock.error[at] === null) {
    add("path", { class: isNewest ? "goal" : "open", d: diamond(x, y, isNewest ? 6 : 4.5) });
    return;
  }
  const actual = place([stock.target[at], stock.actual[at]]);
  add("path", { class: "stem", d: line([[x, y], actual]) });
  if (hitOrMiss(stock.error[at]) === "a hit") add("circle", { class: "hit", cx: x, cy: y, r: size });
  else add("path", { class: "miss", d: cross(x, y, size) });
}

function pointAt(stock, at, chart, place) {
  const made = place([stock.made[at], stock.close[at]]), goal = place([stock.target[at], stock.predicted[at]]);
  const ends = [stock.low[at], stock.high[at]].map((value) => place([stock.target[at], value])[1]);
  const whisker = `M${goal[0] - 5} ${ends[0]}h10M${goal[0] - 5} ${ends[1]}h10M${goal[0]} ${ends[0]}V${ends[1]}`;
  chart.svg.querySelector(".cursor-marks").replaceChildren(
    shape("path", { class: "cursor soft", d: line([made, goal]) }),
    shape("path", { class: "cursor", d: whisker }),
    shape("circle", { class: "cursor", cx: goal[0], cy: goal[1], r: 7 }),
  );
  byId("price-readout").textContent = told(stock, at);
}

function told(stock, at) {
  const start =
    `Made from ${dayText(stock.made[at])} for ${dayText(stock.target[at])}: ${price(stock.predicted[at])} (${signed(stock.change[at])}), ` +
    `80 % ${price(stock.low[at])} to ${price(stock.high[at])}, confidence ${share(stock.confidence[at])}, ${stock.regimes[at]}. `;
  if (stock.error[at] === null) return `${start}Not known yet.`;
  const actual = stock.actual[at] === null ? "" : `It came to ${price(stock.actual[at])}: ${hitOrMiss(stock.error[at])}, error ${percent(stock.error[at])} (naive: ${percent(stock.naive_error[at])}).`;
  return start + actual;
}

function historyTable(stock) {
  const rows = stock.made.map((_, at) => at).reverse().map((at) => {
    const known = stock.error[at] !== null;
    return [
      dayCell(stock.made[at]), dayCell(stock.target[at]),
      figure(price(stock.close[at])), figure(price(stock.predicted[at])), figure(`${price(stock.low[at])} – ${price(stock.high[at])}`),
      figure(share(stock.confidence[at])), figure(known ? price(stock.actual[at]) : "–"),
      figure(known ? percent(stock.error[at]) : "–"), figure(known ? percent(stock.naive_error[at]) : "–"),
      known ? (hitOrMiss(stock.error[at]) === "a hit" ? { text: "● hit", kind: "hit" } : { text: "✕ miss", kind: "miss" }) : "not known yet",
    ];
  });
  const table = element("table", { class: "data" });
  fillTable(table, ["Made from", "Target", ">Close", ">Predicted", ">80 % interval", ">Confidence", ">Actual", ">Error", ">Naive", "Outcome"], rows);
  byId("history").querySelector(".scroll").replaceChildren(table);
}

// ---- why ----

function whyTable(stock) {
  const farthest = Math.max(...stock.why.map(([, , , adds]) => Math.abs(adds)), 0.01);
  const body = element("tbody");
  for (const [name, opinion, learned, adds] of stock.why) {
    const row = element("tr", adds ? {} : { class: "silent" });
    row.append(element("th", { scope: "row" }, name, element("span", {}, meaning(name))));
    row.append(element("td", { class: "number" }, `${signed(opinion).replace(" ", "\u00a0")} ×\u00a0${minus(learned.toFixed(2))}`));
    row.append(element("td", { class: "bar number" }, bar(adds, farthest), signed(adds, 3)));
    body.append(row);
  }
  const last = stock.made.length - 1;
  const total = element("tr", {}, element("th", { scope: "row", colspan: "2" }, `Expected change, at magnitude ${stock.magnitude.toFixed(2)}`));
  total.append(element("td", { class: "number" }, signed(stock.change[last], 3)));
  const head = tableRow(["Signal", { text: "Forecast × weight", kind: "number" }, { text: "Adds", kind: "number" }], "th");
  byId("why").replaceChildren(element("thead", {}, head), body, element("tfoot", {}, total));
}

function bar(value, farthest) {
  const end = (value / farthest) * 48;
  const svg = shape("svg", { viewBox: "-50 0 100 14", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(shape("path", { class: "zero", d: "M0 0V14" }));
  svg.append(shape("path", { class: value >= 0 ? "rise" : "fall", d: `M0 3H${end}V11H0Z` }));
  return svg;
}

// ---- signals over time ----

const MEASURES = {
  weight: "Weights in the prediction of each day, as bars from zero: above it speaks for a rise, below it for a fall; none where a signal did not count. One scale for all.",
  learned: "Each signal's learned weight: 1 takes its forecast in full, 0 not at all, below 0 reverses it. Shown where the signal counted.",
};

function signalCharts(stock) {
  const measure = document.querySelector("#measure input:checked").value;
  const first = Math.max(0, stock.made.length - shownSessions());
  const columns = Object.entries(stock.signals).map(([name, column]) => [name, column[measure].slice(first)]);
  const all = columns.flatMap(([, values]) => values);
  const bounds = [Math.min(0, ...all), Math.max(0, ...all, 0.01)];
  byId("measure-note").textContent = columns.length ? MEASURES[measure] : "No signal has counted yet.";
  const figures = columns.filter(([, values]) => values.some(Boolean)).map(([name, values]) => [isPattern(name), signalFigure(name, values, bounds, measure)]);
  const patterns = figures.filter(([isOne]) => isOne).map(([, node]) => node);
  byId("signals").replaceChildren(...figures.filter(([isOne]) => !isOne).map(([, node]) => node));
  byId("patterns").hidden = !patterns.length;
  byId("patterns").querySelector("summary").textContent = `Patterns (${patterns.length}): each speaks on the days that show its shape`;
  byId("patterns").querySelector("div").replaceChildren(...patterns);
}

function signalFigure(name, values, bounds, measure) {
  const latest = values[values.length - 1];
  const text = latest ? minus(latest.toFixed(measure === "weight" ? 4 : 2)) : "silent today";
  const chart = smallChart(values, bounds, measure, `${name}: ${measure} over ${plural(values.length, "session")}, now ${text}`);
  return element("figure", {}, element("h4", {}, name, element("span", {}, text)), chart, element("p", {}, isPattern(name) ? "" : meaning(name)));
}

function smallChart(values, [low, high], measure, label) {
  const height = 64, at = scale([low, high], [height - 3, 3]), step = 240 / values.length;
  const svg = shape("svg", { viewBox: `0 0 240 ${height}`, height, width: "100%", preserveAspectRatio: "none", role: "img", "aria-label": label });
  svg.append(shape("path", { class: "axis", d: `M0 ${at(0)}H240`, "vector-effect": "non-scaling-stroke" }));
  const bars = { rise: "", fall: "" };
  values.forEach((value, index) => {
    if (!value) return;
    const x = (index * step).toFixed(2), wide = (step * (measure === "weight" ? 0.85 : 1)).toFixed(2);
    const [top, bottom] = measure === "weight" ? [at(value), at(0)] : [at(value) - 1.5, at(value) + 1.5];
    bars[value > 0 ? "rise" : "fall"] += `M${x} ${top.toFixed(1)}h${wide}V${bottom.toFixed(1)}h-${wide}Z`;
  });
  for (const [kind, d] of Object.entries(bars)) if (d) svg.append(shape("path", { class: kind, d }));
  return svg;
}

// ---- choosing ----

let chosen = null;

function show(key) {
  chosen = own(data.stocks, key);
  byId("pick").value = key;
  const several = Object.values(data.stocks).some((stock) => stock.horizon !== chosen.horizon);
  byId("stock-name").textContent = several ? `${chosen.symbol}, ${plural(chosen.horizon, "session")} ahead` : chosen.symbol;
  byId("story").textContent = story(chosen);
  for (const row of byId("predictions").tBodies[0].rows) row.classList.toggle("chosen", row.dataset.key === key);
  priceChart(chosen);
  whyTable(chosen);
  signalCharts(chosen);
  if (byId("history").open) historyTable(chosen);
}

function step(by) {
  const options = byId("pick").options;
  const to = (byId("pick").selectedIndex + by + options.length) % options.length;
  location.hash = `#stock/${encodeURIComponent(options[to].value)}`;
}

function fromAddress() {
  const match = location.hash.match(/^#stock\/(.+)$/);
  const key = match ? decodeURIComponent(match[1]) : null;
  if (key === null || !own(data.stocks, key)) return;
  show(key);
  if (!byId("stock").contains(document.activeElement)) byId("stock-name").focus({ preventScroll: true });
  byId("stock").scrollIntoView();
}

function startStock() {
  const redraw = () => chosen && (priceChart(chosen), signalCharts(chosen));
  byId("pick").addEventListener("change", (event) => (location.hash = `#stock/${encodeURIComponent(event.target.value)}`));
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("range").addEventListener("change", redraw);
  byId("measure").addEventListener("change", () => signalCharts(chosen));
  byId("history").addEventListener("toggle", () => byId("history").open && historyTable(chosen));
  window.addEventListener("hashchange", fromAddress);
  if (matchMedia("(max-width: 48rem)").matches) document.querySelector("#range input[value='30']").checked = true;
  show(byId("pick").value);
  fromAddress();
  drawn(byId("price-chart"), () => priceChart(chosen));
}
