// How good it has been: the learning curve beside naive, the confidence held to its word, and each stock's record.

let record = data.records[data.horizon];

function recordStory() {
  const total = record.total;
  const gain = total.naive_error - total.error;
  const beats = Math.abs(gain) < 0.005 ? "as far off as naive" : gain > 0 ? `${percent(gain)} closer than naive` : `${percent(-gain)} farther off than naive`;
  byId("record-story").textContent =
    `Of ${plural(total.n, "verified prediction")}, ${share(total.hit)} were accurate (naive: ${share(total.naive_hit)}). ` +
    `The mean error was ${percent(total.error)} against ${percent(total.naive_error)}: ${beats}. ${share(total.direction)} had the direction right; ${share(total.rose)} rose. ` +
    `The mean confidence was ${share(total.confidence)}, and ${share(total.inside)} of the outcomes lay in the 80 % interval${least()}.`;
}

// The condition in which the interval held least, of those with outcomes enough to tell.
function least() {
  const told = record.conditions.filter((row) => row.family && row.n >= data.least_told);
  if (!told.length) return "";
  const worst = told.reduce((one, other) => (other.inside < one.inside ? other : one));
  return `, least ${worst.phrase}: ${share(worst.inside)} of ${plural(worst.n, "prediction")}`;
}

function weekChart(name, ours, naive, text, label) {
  const host = byId(`${name}-chart`);
  const weeks = record.weeks;
  const values = weeks.flatMap((week) => [week[ours], week[naive]]);
  const isShare = name === "hit";
  const low = isShare ? Math.max(0, Math.min(...values) - 0.05) : 0;
  const high = isShare ? Math.min(1, Math.max(...values) + 0.05) : Math.max(...values, 0.1) * 1.08;
  const spare = Math.max(3.5, (weeks[weeks.length - 1].day - weeks[0].day) * 0.02);
  const chart = frame(host, {
    label: `${label} The left and right arrow keys walk through the weeks; the table below holds them all.`,
    height: 260,
    x: { from: weeks[0].day - spare, to: weeks[weeks.length - 1].day + spare, ticks: dayTicks },
    y: { from: low, to: high, text: (value, digits) => (isShare ? `${Math.round(value * 100)} %` : `${value.toFixed(digits)} %`), room: 48 },
  });
  const points = (key) => weeks.map((week) => [chart.atX(week.day), chart.atY(week[key])]);
  const isSparse = weeks.length <= 40;
  chart.svg.append(shape("path", { class: "naive", d: line(points(naive)) }));
  if (isSparse) for (const [x, y] of points(naive)) chart.svg.append(shape("path", { class: "naive-point", d: square(x, y, 3) }));
  chart.svg.append(shape("path", { class: "ours", d: line(points(ours)) }));
  if (isSparse) for (const [x, y] of points(ours)) chart.svg.append(shape("circle", { class: "ours", cx: x, cy: y, r: 3.8 }));
  const mark = shape("path", { class: "cursor soft" });
  chart.svg.append(mark);
  walk(chart.svg, weeks.map((week) => chart.atX(week.day)), weeks.length - 1, (at) => {
    const week = weeks[at];
    mark.setAttribute("d", `M${chart.atX(week.day)} ${chart.top}V${chart.bottom}`);
    byId(`${name}-readout`).textContent = `Week of ${dayText(week.day)}: ${text(week[ours])}, naive ${text(week[naive])}, ${plural(week.n, "prediction")}.`;
  });
}

// What each week gained on naive, as bars: above zero the predictions were closer, below it naive was.
function gainChart() {
  const host = byId("gain-chart");
  const weeks = record.weeks;
  const gains = weeks.map((week) => week.naive_error - week.error);
  const farthest = Math.max(0.02, ...gains.map(Math.abs)) * 1.1;
  const spare = Math.max(3.5, (weeks[weeks.length - 1].day - weeks[0].day) * 0.02);
  const chart = frame(host, {
    label: "Mean error of naive less that of the predictions, by week. The left and right arrow keys walk through the weeks.",
    height: 170,
    x: { from: weeks[0].day - spare, to: weeks[weeks.length - 1].day + spare, ticks: dayTicks },
    y: { from: -farthest, to: farthest, text: (value, digits) => minus(`${value.toFixed(digits)} %`), room: 58 },
  });
  const zero = chart.atY(0), wide = Math.max(1.5, Math.min(24, ((chart.right - chart.left) / weeks.length) * 0.7));
  chart.svg.append(shape("path", { class: "axis", d: `M${chart.left} ${zero}H${chart.right}` }));
  gains.forEach((gain, at) => {
    const x = chart.atX(weeks[at].day) - wide / 2;
    chart.svg.append(shape("path", { class: gain >= 0 ? "rise" : "fall", d: `M${x} ${zero}h${wide}V${chart.atY(gain)}h${-wide}Z` }));
  });
  const mark = shape("path", { class: "cursor soft" });
  chart.svg.append(mark);
  walk(chart.svg, weeks.map((week) => chart.atX(week.day)), weeks.length - 1, (at) => {
    mark.setAttribute("d", `M${chart.atX(weeks[at].day)} ${chart.top}V${chart.bottom}`);
    const word = gains[at] >= 0 ? "closer" : "farther off";
    byId("gain-readout").textContent = `Week of ${dayText(weeks[at].day)}: ${Math.abs(gains[at]).toFixed(3)} % ${word} than naive, ${plural(weeks[at].n, "prediction")}.`;
  });
}

function weeksTable() {
  const rows = [...record.weeks].reverse().map((week) => [
    dayCell(week.day), figure(String(week.n)), figure(share(week.hit)), figure(share(week.naive_hit)),
    figure(percent(week.error)), figure(percent(week.naive_error)), figure(share(week.direction)), figure(share(week.rose)), figure(share(week.confidence)),
  ]);
  fillTable(byId("weeks"), ["Week of", ">Predictions", ">Accurate", ">Naive", ">Mean error", ">Naive", ">Direction", ">Rose", ">Confidence"], rows);
}

function reliabilityChart() {
  const host = byId("reliability-chart");
  const bins = record.bins;
  const least = Math.min(...bins.flatMap((bin) => [bin.confidence, bin.low]));
  const from = Math.max(0, Math.floor(least * 10 - 0.5) / 10);
  const shareTicks = (low, high) => niceTicks(low, high, 5).ticks.map((value) => [value, `${Math.round(value * 100)} %`]);
  const chart = frame(host, {
    label: "Reliability: the confidence of the predictions against the share of them that were accurate. The left and right arrow keys walk through the points.",
    height: Math.min(360, Math.max(260, host.clientWidth * 0.72)),
    x: { from, to: 1, ticks: shareTicks },
    y: { from, to: 1, text: (value) => `${Math.round(value * 100)} %`, room: 48 },
  });
  const most = Math.max(...bins.map((bin) => bin.n));
  chart.svg.append(shape("path", { class: "naive", d: line([[chart.atX(from), chart.atY(from)], [chart.atX(1), chart.atY(1)]]) }));
  chart.svg.append(shape("text", { x: chart.left + 6, y: chart.top + 8 }, "accurate"));
  chart.svg.append(shape("text", { x: chart.right, y: chart.bottom - 7, "text-anchor": "end" }, "confidence"));
  for (const bin of bins) {
    const x = chart.atX(bin.confidence);
    chart.svg.append(shape("path", { class: "edge", d: `M${x} ${chart.atY(bin.low)}V${chart.atY(bin.high)}m-4 0h8M${x - 4} ${chart.atY(bin.low)}h8` }));
  }
  if (bins.length > 1) chart.svg.append(shape("path", { class: "edge", d: line(bins.map((bin) => [chart.atX(bin.confidence), chart.atY(bin.share)])) }));
  for (const bin of bins) {
    chart.svg.append(shape("circle", { class: "ours", cx: chart.atX(bin.confidence), cy: chart.atY(bin.share), r: 3 + 3.5 * Math.sqrt(bin.n / most) }));
  }
  const mark = shape("circle", { class: "cursor", r: 9 });
  chart.svg.append(mark);
  walk(chart.svg, bins.map((bin) => chart.atX(bin.confidence)), bins.length - 1, (at) => {
    const bin = bins[at];
    mark.setAttribute("cx", chart.atX(bin.confidence));
    mark.setAttribute("cy", chart.atY(bin.share));
    byId("reliability-readout").textContent = `${plural(bin.n, "prediction")} with a mean confidence of ${share(bin.confidence)}: ${share(bin.share)} were accurate (chance alone: ${share(bin.low)} to ${share(bin.high)}).`;
  });
}

// Groups of predictions beside naive, and a right direction beside how often the market rose; each name is { text, value }.
function scoreTable(id, head, groups) {
  const rows = groups.map(([name, score]) => {
    const apart = score.error - score.naive_error;
    const kind = Math.abs(apart) < 0.005 ? "" : apart < 0 ? "up" : "down";
    return [
      name, figure(`${signed(apart)} ${{ up: "better", down: "worse" }[kind] ?? "the same"}`, apart, kind),
      figure(`${(score.hit * 100).toFixed(1)} / ${share(score.naive_hit)}`, score.hit), figure(`${score.error.toFixed(2)} / ${percent(score.naive_error)}`, score.error),
      figure(`${(score.direction * 100).toFixed(1)} / ${share(score.rose)}`, score.direction), figure(String(score.n), score.n),
    ];
  });
  byId(id).closest(".score").hidden = !rows.length;
  fillTable(byId(id), [head, ">Against naive", ">Accurate / naive", ">Mean error / naive", ">Direction / rose", ">Verified"], rows);
}

function scoreTables() {
  const named = (text) => ({ text, value: text });
  const monthText = (month) => `${MONTHS[Number(month.slice(5)) - 1]} ${month.slice(0, 4)}`;
  const known = Object.entries(data.records).filter(([, { total }]) => total);
  scoreTable("horizons", "Horizon", known.length > 1 ? known.map(([name, { total }]) => [{ text: plural(Number(name), "session"), value: Number(name) }, total]) : []);
  scoreTable("months", "Month", Object.entries(record.months).reverse().map(([month, score]) => [{ text: monthText(month), value: month }, score]));
  scoreTable("regimes", "Regime", Object.entries(record.regimes).map(([name, score]) => [named(name || "–"), score]));
  scoreTable("stocks", "Symbol", Object.entries(record.stocks).map(([symbol, score]) => [named(symbol), score]));
}

function rangesTable() {
  const rows = record.ranges.map(({ share: promised, held, n }) => [`${Math.round(promised * 100)} %`, figure(share(held)), figure(String(n))]);
  fillTable(byId("ranges-held"), ["Range", ">Held", ">Outcomes"], rows);
  const { crps, naive_crps: naive } = record.total;
  byId("crps").textContent = crps === undefined ? "" : `CRPS ${percent(crps, 3)}, naive ${percent(naive, 3)}.`;
}

// How far the stated confidence lay from the share that was accurate.
function surety(row) {
  const apart = row.confidence - row.hit;
  const word = Math.abs(apart) < 0.0005 ? "" : apart > 0 ? " too sure" : " too modest";
  return figure(`${share(Math.abs(apart))}${word}`, apart * 100);
}

function conditionsTable() {
  byId("by-condition").hidden = !record.conditions.length;
  const rows = record.conditions.map((row) => [
    row.family ? `${row.family}: ${row.name}` : row.name, figure(String(row.n)), figure(share(row.inside)),
    figure(share(row.confidence)), figure(share(row.hit)), surety(row), figure(row.skill === null ? "–" : minus(share(row.skill))),
    figure(row.crps === null ? "–" : percent(row.crps)), figure(row.naive_crps === null ? "–" : percent(row.naive_crps)),
  ]);
  fillTable(byId("conditions"), ["Condition", ">Predictions", ">80 % range holds", ">Confidence", ">Accurate", ">Apart", ">Brier skill", ">CRPS", ">Naive’s CRPS"], rows);
}

function weekCharts() {
  weekChart("hit", "hit", "naive_hit", share, "Accuracy by week, beside naive.");
  weekChart("error", "error", "naive_error", percent, "Mean error by week, beside naive.");
  gainChart();
}

function showRecord(name) {
  record = data.records[name];
  recordStory();
  weekCharts();
  weeksTable();
  reliabilityChart();
  rangesTable();
  conditionsTable();
  scoreTables();
}

function startRecord() {
  const list = byId("horizon");
  if (list) {
    for (const name of Object.keys(data.records)) {
      list.append(element("option", { value: name }, plural(Number(name), "session")));
    }
    list.value = data.horizon;
    list.addEventListener("change", () => showRecord(list.value));
  }
  showRecord(data.horizon);
  drawn(byId("hit-chart"), weekCharts);
  drawn(byId("reliability-chart"), reliabilityChart);
}
