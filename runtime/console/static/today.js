"use strict";
// Footfall by hour: bars for in and out, hours that were not well seen shaded. The table below has the same figures.
(async () => {
  const place = document.getElementById("footfall"), HOUR = 3600;
  const answer = await fetch("/today/footfall.json");
  if (!answer.ok) return;
  const told = await answer.json();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const until = told.begin.length ? told.begin[0] + Math.max(12, told.begin.length) * HOUR : HOUR;

  function shade(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    told.begin.forEach((begin, at) => {
      if (told.quality[at] === "good") return;
      const left = plot.valToPos(begin, "x", true), right = plot.valToPos(begin + HOUR, "x", true);
      ctx.fillStyle = told.quality[at] === "degraded" ? colour("--warn-wash") : colour("--line");
      ctx.globalAlpha = told.quality[at] === "degraded" ? 1 : 0.45;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    });
    ctx.restore();
  }

  let plot = null;
  function draw() {
    if (plot) plot.destroy();
    place.textContent = "";
    const bars = (align) => uPlot.paths.bars({ size: [0.34, 26], align });
    const ink = colour("--soft"), grid = { stroke: colour("--line"), width: 1 };
    plot = new uPlot({
      width: place.clientWidth, height: 240, legend: { show: false }, cursor: { show: false },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), told.timezone),
      scales: { x: { time: true, range: () => [told.begin[0] || 0, until] }, y: { range: (_, low, high) => [0, Math.max(5, high * 1.15)] } },
      axes: [
        { stroke: ink, grid: { show: false }, values: "{HH}:{mm}", space: 60 },
        { stroke: ink, grid, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
      ],
      series: [{}, { fill: colour("--accent"), stroke: colour("--accent"), width: 0, paths: bars(-1), points: { show: false } },
        { fill: ink, stroke: ink, width: 0, paths: bars(1), points: { show: false } }],
      hooks: { drawClear: [shade] },
    }, [told.begin.map((begin) => begin + HOUR / 2), told.in, told.out], place);
  }
  draw();
  new ResizeObserver(() => { if (plot && Math.abs(plot.width - place.clientWidth) > 4) draw(); }).observe(place);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
})();
