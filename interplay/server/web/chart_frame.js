// Draws one Vega-Lite spec that the page sends. Runs in a frame without origin: a plain script,
// as modules are not given to frames without one. Expressions are interpreted, never compiled, and
// the loader loads nothing. Knows nothing of where specs come from.

"use strict";

(() => {
  const FONT = '-apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif';
  const THEMES = {
    light: { ink: "#1d2733", muted: "#66727f", grid: "#e9edf1", mark: "#2f6fde" },
    dark: { ink: "#e4e9ee", muted: "#97a3af", grid: "#28323c", mark: "#6fa3ff" },
  };
  const RANGE = ["#2f6fde", "#d9662b", "#2a9d6f", "#8a5cd6", "#c9992a", "#d8264c"];
  const refuse = () => Promise.reject(new Error("charts load nothing"));
  const loader = { load: refuse, sanitize: refuse, http: refuse, file: refuse };
  let view = null;

  const tell = (message) => parent.postMessage(message, "*");

  function config({ ink, muted, grid, mark }) {
    return {
      background: "transparent",
      font: FONT,
      padding: 2,
      title: { color: ink, fontSize: 14, fontWeight: 600, anchor: "start", offset: 12 },
      axis: {
        labelColor: muted,
        titleColor: muted,
        titleFontWeight: "normal",
        gridColor: grid,
        domainColor: grid,
        tickColor: grid,
        labelFontSize: 11,
      },
      axisX: { labelAngle: 0, labelOverlap: true },
      legend: { labelColor: muted, titleColor: muted },
      view: { stroke: null },
      mark: { color: mark },
      bar: { cornerRadiusEnd: 3 },
      range: { category: RANGE },
    };
  }

  function fitted(spec) {
    const isSimple = "mark" in spec || "layer" in spec;
    const size = isSimple && spec.width === undefined ? { width: "container", height: 180 } : {};
    return { ...size, autosize: { type: "fit-x", contains: "padding" }, ...spec };
  }

  async function draw({ spec, isDark }) {
    const container = document.getElementById("chart");
    const theme = config(isDark ? THEMES.dark : THEMES.light);
    const compiled = vegaLite.compile(fitted(spec), { config: theme }).spec;
    const runtime = vega.parse(compiled, null, { ast: true });
    view?.finalize();
    container.replaceChildren();
    view = new vega.View(runtime, {
      expr: vegaInterpreter.expressionInterpreter,
      loader,
      renderer: "canvas",
      logLevel: vega.Error,
    });
    await view.initialize(container).runAsync();
    tell({ type: "drawn", height: Math.ceil(container.getBoundingClientRect().height) });
  }

  addEventListener("message", (event) => {
    if (event.source !== parent) return;
    draw(event.data).catch((error) => tell({ type: "failed", message: error.message }));
  });
  tell({ type: "ready" });
})();
