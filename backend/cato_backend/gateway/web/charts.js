// Small charts as inline SVG.
import { svg } from "./dom.js";

const WIDTH = 300, HEIGHT = 48;

/** Return bars of requests by slice: what met its target below, what missed it above. */
export function bars(label, wanted, met) {
  const most = Math.max(1, ...wanted);
  const step = WIDTH / wanted.length;
  const rect = (index, count, below, tone) => svg("rect", {
    class: tone,
    x: (index * step).toFixed(2),
    y: (HEIGHT * (1 - (below + count) / most)).toFixed(2),
    width: (step * 0.8).toFixed(2),
    height: (HEIGHT * count / most).toFixed(2),
  });
  const drawn = wanted.flatMap((all, index) => [
    met[index] ? rect(index, met[index], 0, "bar-met") : null,
    all - met[index] ? rect(index, all - met[index], met[index], "bar-missed") : null,
  ]);
  return svg("svg", {
    class: "bars", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label,
    preserveAspectRatio: "none",
  }, svg("line", { class: "axis", x1: 0, x2: WIDTH, y1: HEIGHT, y2: HEIGHT }), ...drawn);
}

/** Return a bar that is filled to `share`, 0 to 1. */
export function meter(label, share) {
  const filled = Math.max(0, Math.min(1, share)) * 100;
  const tone = share >= 0.9 ? "bar-missed" : "bar-met";
  return svg("svg", {
    class: "meter", viewBox: "0 0 100 6", role: "img", "aria-label": label, preserveAspectRatio: "none",
  }, svg("rect", { class: "track", width: 100, height: 6 }),
  svg("rect", { class: tone, width: filled.toFixed(1), height: 6 }));
}
