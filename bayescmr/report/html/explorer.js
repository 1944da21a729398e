"use strict";
/* Sliders choose an answer that was computed in advance, and redraw two charts. */
(() => {
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const at = (id) => document.getElementById(id);
  const sliders = { tokens: data.tokens.length, tolerance: data.tolerances.length, risk: data.risks.length };
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [520, 330, 60, 14, 12, 48];

  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const percentDown = (share) => `${(Math.floor(1000 * share + 1e-6) / 10).toFixed(1)} %`;
  const chance = (value) => (value > 0 && value < 0.001 ? "below 0.001" : String(Number(value.toPrecision(2))));
  const count = (value) => {
    for (const [size, sign] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "K"]]) {
      if (value >= 0.9995 * size) return `${Number((value / size).toPrecision(3))}${sign}`;
    }
    return String(value);
  };
  const say = (id, words) => { at(id).textContent = words; };

  const draw = (svg, name, attributes, words) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (words !== undefined) element.textContent = words;
    svg.appendChild(element);
  };
  const scale = (low, high, from, to) => (value) => from + ((value - low) / (high - low)) * (to - from);
  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("");
  const steps = (low, high, n) => {
    const raw = (high - low) / n;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const found = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(v);
    return found;
  };
  const countSteps = (low, high) => {
    const found = [];
    const wide = Math.log10(high / low) > 2.2;
    for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e += 1) {
      for (const m of wide ? [1] : [1, 2, 5]) {
        const v = m * 10 ** e;
        if (v >= low * 0.999 && v <= high * 1.001) found.push(v);
      }
    }
    return found;
  };

  const frame = (svg, x, y, xTicks, yTicks, xLabel, yLabel) => {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    for (const [v, words] of yTicks) {
      draw(svg, "line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(v), y2: y(v) });
      draw(svg, "text", { x: LEFT - 6, y: y(v) + 4, "text-anchor": "end" }, words);
    }
    for (const [v, words] of xTicks) {
      draw(svg, "line", { class: "axis", x1: x(v), x2: x(v), y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM + 4 });
      draw(svg, "text", { x: x(v), y: HEIGHT - BOTTOM + 17, "text-anchor": "middle" }, words);
    }
    draw(svg, "line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM });
    draw(svg, "text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, xLabel);
    const middle = (TOP + HEIGHT - BOTTOM) / 2;
    draw(svg, "text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, yLabel);
  };
  const band = (svg, xs, lower, upper) => {
    const there = xs.map((x, i) => [x, upper[i]]);
    const back = xs.map((x, i) => [x, lower[i]]).reverse();
    draw(svg, "path", { class: "band", d: `${path([...there, ...back])}Z` });
  };

  const drawCmr = (t, e, r) => {
    const svg = at("cmr-chart");
    const [low, high] = [data.tokens[0], data.tokens[data.tokens.length - 1]];
    const log = scale(Math.log(low), Math.log(high), LEFT, WIDTH - RIGHT);
    const x = (tokens) => log(Math.log(tokens));
    const y = scale(0, 1, HEIGHT - BOTTOM, TOP);
    const shares = [0, 0.2, 0.4, 0.6, 0.8, 1].map((v) => [v, String(Math.round(100 * v))]);
    frame(svg, x, y, countSteps(low, high).map((v) => [v, count(v)]), shares, "CPT tokens", "domain share (%)");
    for (const [from, to] of [[low, data.probed[0]], [data.probed[1], high]]) {
      if (to > from * 1.0001) {
        draw(svg, "rect", { class: "outside", x: x(from), width: x(to) - x(from), y: TOP, height: HEIGHT - BOTTOM - TOP });
      }
    }
    const xs = data.tokens.map(x);
    band(svg, xs, data.lower[e].map(y), data.upper[e].map(y));
    draw(svg, "path", { class: "line", d: path(xs.map((v, i) => [v, y(data.median[e][i])])) });
    const safe = data.safe[e].map((all) => all[r]);
    draw(svg, "path", { class: "safe", d: path(xs.map((v, i) => [v, y(safe[i])])) });
    draw(svg, "line", { class: "now", x1: xs[t], x2: xs[t], y1: TOP, y2: HEIGHT - BOTTOM });
    draw(svg, "circle", { class: "dot", cx: xs[t], cy: y(safe[t]), r: 5 });
  };

  const drawRise = (t, e, r) => {
    const svg = at("rise-chart");
    const [median, lower, upper] = data.rise[t];
    const allowed = data.allowed[e];
    const inside = data.ratios.map((v) => v < 0.99);
    const used = upper.filter((_, i) => inside[i]);
    const high = Math.max(1.25 * allowed, Math.min(Math.max(...used) * 1.1, 4 * allowed + 0.01));
    const low = Math.min(0, ...lower.filter((_, i) => inside[i])) * 1.05;
    const x = scale(0, 1, LEFT, WIDTH - RIGHT);
    const linear = scale(low, high, HEIGHT - BOTTOM, TOP);
    const y = (v) => linear(Math.min(Math.max(v, low), high));
    const shares = [0, 0.2, 0.4, 0.6, 0.8, 1].map((v) => [v, String(Math.round(100 * v))]);
    const rises = steps(low, high, 5).map((v) => [v, String(Number(v.toPrecision(3)))]);
    frame(svg, x, y, shares, rises, "domain share (%)", "rise (nats/token)");
    const xs = data.ratios.map(x);
    band(svg, xs, lower.map(y), upper.map(y));
    draw(svg, "path", { class: "line", d: path(xs.map((v, i) => [v, y(median[i])])) });
    draw(svg, "line", { class: "allowed", x1: LEFT, x2: WIDTH - RIGHT, y1: y(allowed), y2: y(allowed) });
    const safe = x(data.safe[e][t][r]);
    draw(svg, "line", { class: "safe", x1: safe, x2: safe, y1: TOP, y2: HEIGHT - BOTTOM });
  };

  const update = () => {
    const [t, e, r] = ["tokens", "tolerance", "risk"].map((id) => Number(at(id).value));
    say("tokens-out", data.tokens_shown[t]);
    say("tolerance-out", data.tolerances[e]);
    say("risk-out", `${Number((100 * data.risks[r]).toPrecision(3))} %`);
    at("tokens").setAttribute("aria-valuetext", `${data.tokens_shown[t]} tokens`);
    at("tolerance").setAttribute("aria-valuetext", data.tolerances[e]);
    at("risk").setAttribute("aria-valuetext", at("risk-out").textContent);
    say("safe", percentDown(data.safe[e][t][r]));
    say("median", percent(data.median[e][t]));
    say("lower", percent(data.lower[e][t]));
    say("upper", percent(data.upper[e][t]));
    say("p-none", chance(data.p_none[e][t]));
    say("p-all", chance(data.p_all[e][t]));
    drawCmr(t, e, r);
    if (data.rise) drawRise(t, e, r);
  };
  const reset = () => {
    ["tokens", "tolerance", "risk"].forEach((id, i) => { at(id).value = data.at[i]; });
    update();
  };

  for (const [id, n] of Object.entries(sliders)) {
    Object.assign(at(id), { min: 0, max: n - 1, step: 1 });
    at(id).addEventListener("input", update);
  }
  at("reset").addEventListener("click", reset);
  if (!data.rise) at("rise-figure").hidden = true;
  for (const element of document.querySelectorAll(".no-script")) element.hidden = true;
  at("explorer").hidden = false;
  reset();
})();
