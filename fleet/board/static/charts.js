"use strict";
// Charts of the tables on the page: each column with data-series is drawn, so chart and table cannot differ.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const TONES = { soft: "soft", warn: "warn", ink: "ink" };
  const plots = new Map();

  function read(table) {
    const heads = [...table.tHead.rows[0].cells], rows = [...table.tBodies[0].rows];
    const number = (cell) => (cell.dataset.n === "" ? null : Number(cell.dataset.n));
    return {
      labels: rows.map((row) => row.dataset.at || row.cells[0].textContent.trim()),
      quality: rows.map((row) => row.dataset.quality),
      series: heads.flatMap((head, at) => head.dataset.series
        ? [{ kind: head.dataset.series, tone: TONES[head.dataset.tone] || "accent", values: rows.map((row) => number(row.cells[at])) }] : []),
    };
  }

  function draw(place) {
    const told = read(document.getElementById(place.dataset.chart));
    const old = plots.get(place);
    if (old) old.destroy();
    place.textContent = "";
    const bars = told.series.filter((one) => one.kind === "bar");
    const ink = colour("soft"), paper = window.innerWidth > 1500 ? 1.35 : 1;
    const sides = bars.length > 1 ? [-1, 1] : [0];
    const styles = told.series.map((one) => {
      const base = { points: { show: false }, spanGaps: false };
      if (one.kind === "bar") {
        const at = sides[bars.indexOf(one)];
        return { ...base, fill: colour(one.tone), stroke: colour(one.tone), width: 0, paths: uPlot.paths.bars({ size: [at ? 0.36 : 0.56, 64], align: at, radius: 0.12 }) };
      }
      if (one.kind === "line") return { ...base, stroke: colour(one.tone), width: 3 * paper, points: { show: true, size: 8, fill: colour(one.tone), width: 0 } };
      return { ...base, stroke: "transparent", width: 0 };
    });
    const high = told.series.findIndex((one) => one.kind === "high"), low = told.series.findIndex((one) => one.kind === "low");
    const bands = high < 0 || low < 0 ? [] : [{ series: [high + 1, low + 1], fill: colour("warn") + "26" }];

    function shade(plot) {
      const { ctx, bbox } = plot;
      ctx.save();
      told.quality.forEach((quality, at) => {
        if (quality === "good") return;
        const left = plot.valToPos(at - 0.5, "x", true), right = plot.valToPos(at + 0.5, "x", true);
        ctx.fillStyle = quality === "part" ? colour("warn-wash") : colour("line");
        ctx.globalAlpha = quality === "part" ? 1 : 0.45;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      });
      ctx.restore();
    }

    const font = `${Math.round(14 * paper)}px system-ui, "Noto Sans", "DejaVu Sans", sans-serif`;
    const count = told.labels.length, fits = Math.max(1, Math.ceil((count * 52 * paper) / Math.max(place.clientWidth - 60, 1)));
    plots.set(place, new uPlot({
      width: place.clientWidth, height: Math.round(Math.min(420, Math.max(240, place.clientWidth * 0.3))),
      legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false, range: () => [-0.6, count - 0.4] }, y: { range: (_, bottom, top) => [0, Math.max(5, (top || 0) * 1.12)] } },
      axes: [
        { stroke: ink, font, size: 36 * paper, grid: { show: false }, ticks: { show: false }, splits: () => told.labels.map((_, at) => at).filter((at) => at % fits === 0), values: (_, splits) => splits.map((at) => told.labels[at]) },
        { stroke: ink, font, size: 56 * paper, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] },
      ],
      series: [{}, ...styles], bands, hooks: { drawClear: [shade] },
    }, [told.labels.map((_, at) => at), ...told.series.map((one) => one.values)], place));
  }

  const watcher = new ResizeObserver((seen) => seen.forEach(({ target }) => {
    const plot = plots.get(target);
    if (plot && Math.abs(plot.width - target.clientWidth) > 4) draw(target);
  }));
  function drawAll() {
    for (const place of plots.keys()) if (!place.isConnected) plots.delete(place);
    document.querySelectorAll("[data-chart]").forEach((place) => { draw(place); watcher.observe(place); });
  }
  drawAll();
  document.addEventListener("htmx:afterSettle", drawAll);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
})();
