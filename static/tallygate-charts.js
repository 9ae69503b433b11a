// Draws every <figure data-chart> from its own <table>: the table is the no-script view, the screen-reader view and the CSV.
// Needs no style-src 'unsafe-inline': tooltips are built from classes in tallygate.css.
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colours = () => ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6"].map(css);
  const number = (text) => (text === "" ? null : Number(text));

  function readTable(table) {
    const heads = [...table.tHead.rows[0].cells].slice(1);
    const rows = [...table.tBodies[0].rows];
    return {
      labels: rows.map((row) => row.cells[0].firstChild.textContent.trim()),
      series: heads.map((head, i) => ({
        name: head.textContent,
        role: head.dataset.role || "",
        slot: Number(head.dataset.colour || i + 1),
        values: rows.map((row) => number(row.cells[i + 1].dataset.v ?? "")),
        texts: rows.map((row) => row.cells[i + 1].textContent),
      })),
      ahead: rows.map((row) => row.dataset.ahead !== undefined),
    };
  }

  function tooltip(data, figure) {
    return {
      trigger: "axis",
      confine: true,
      padding: 0,
      borderWidth: 0,
      backgroundColor: "transparent",
      extraCssText: "box-shadow:none",
      axisPointer: {
        z: 0,
        type: figure.dataset.chart === "lines" ? "line" : "shadow",
        lineStyle: { color: css("--line-2"), type: "solid" },
        shadowStyle: { color: css("--sunk"), opacity: 1 },
      },
      formatter(points) {
        const at = points[0].dataIndex;
        const box = document.createElement("div");
        box.className = "tip";
        const title = box.appendChild(document.createElement("strong"));
        title.textContent = data.labels[at] + (data.ahead[at] ? " · " + figure.dataset.ahead : "");
        const list = box.appendChild(document.createElement("dl"));
        for (const one of data.series) {
          if (one.values[at] === null) continue;
          const term = list.appendChild(document.createElement("dt"));
          const value = list.appendChild(document.createElement("dd"));
          if (one.role === "total") {
            term.className = value.className = "sum";
          } else {
            term.appendChild(document.createElement("span")).className = "dot k" + (one.role === "other" ? 0 : one.slot);
          }
          term.append(one.name);
          value.textContent = one.texts[at];
        }
        return box;
      },
    };
  }

  function axes(data, figure) {
    const text = { color: css("--ink-3"), fontFamily: css("--sans"), fontSize: 11 };
    return {
      xAxis: {
        type: "category",
        z: 3, // above bars of next to nothing, whose edge would wipe out the line they stand on
        data: data.labels,
        boundaryGap: figure.dataset.chart !== "lines",
        axisTick: { show: false },
        axisLine: { lineStyle: { color: css("--line-2") } },
        axisLabel: { ...text, hideOverlap: true, margin: 10 },
      },
      yAxis: {
        type: "value",
        splitNumber: 3,
        position: "right",
        axisLabel: { ...text, margin: 8, formatter: (v) => figure.dataset.unit.replace("#", v.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 6 })) },
        splitLine: { lineStyle: { color: css("--line"), width: 1 } },
      },
      grid: { left: figure.clientWidth < 760 ? 14 : 2, right: 2, top: 8, bottom: 4, containLabel: true },
    };
  }

  function bars(data, figure) {
    return data.series
      .filter((one) => one.role !== "total")
      .map((one, i) => {
        const colour = one.role === "other" ? css("--c0") : colours()[one.slot - 1];
        return {
          name: one.name,
          type: "bar",
          stack: "all",
          barCategoryGap: "28%",
          barMaxWidth: 56,
          itemStyle: { color: colour, borderColor: css("--paper"), borderWidth: 0.5 },
          emphasis: { disabled: true },
          data: one.values.map((value, at) =>
            data.ahead[at]
              ? {
                  value,
                  itemStyle: { color: colour, opacity: 0.38, decal: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1.5, 3], rotation: -Math.PI / 4, color: css("--paper") } },
                }
              : value,
          ),
          markLine:
            i === 0 && figure.dataset.line
              ? {
                  silent: true,
                  symbol: "none",
                  label: { show: false },
                  lineStyle: { color: css("--ink-3"), type: [4, 3], width: 1 },
                  data: [{ yAxis: Number(figure.dataset.line) }],
                }
              : undefined,
        };
      });
  }

  // A line needs two points; one that stands alone is drawn as a point, and equal ones inside each other.
  const alone = (values, at) => values[at] !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;

  function lines(data) {
    const dashes = ["solid", [6, 3], [2, 2]];
    return data.series
      .filter((one) => one.role !== "total")
      .map((one, i) => ({
        name: one.name,
        type: "line",
        data: one.values.map((value, at) => (alone(one.values, at) ? { value, symbol: "circle", symbolSize: 11 - 3.5 * i } : value)),
        symbol: "none",
        lineStyle: { width: 1.75, color: colours()[one.slot - 1], type: dashes[i] },
        itemStyle: { color: colours()[one.slot - 1] },
        emphasis: { disabled: true },
      }));
  }

  function draw(figure) {
    const place = figure.querySelector(".chart");
    const data = readTable(figure.querySelector("table"));
    const chart = echarts.getInstanceByDom(place) || echarts.init(place, null, { renderer: "svg" });
    const series = figure.dataset.chart === "lines" ? lines(data) : bars(data, figure);
    chart.setOption({ animation: false, aria: { enabled: true, label: { description: figure.querySelector("[aria-label]").getAttribute("aria-label") } }, tooltip: tooltip(data, figure), ...axes(data, figure), series }, true);
    return chart;
  }

  const figures = [...document.querySelectorAll("figure[data-chart]")];
  const drawAll = () => figures.forEach(draw);
  drawAll();
  // Its table was changed; not while somebody reads a value off it.
  figures.forEach((figure) => figure.addEventListener("redraw", () => figure.querySelector(".chart").matches(":hover") || draw(figure)));
  new ResizeObserver(() => figures.forEach((f) => echarts.getInstanceByDom(f.querySelector(".chart")).resize())).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  // On paper: dark on white, as wide as an upright page.
  const root = document.documentElement;
  let theme;
  const fit = (width) => figures.forEach((f) => echarts.getInstanceByDom(f.querySelector(".chart")).resize({ width }));
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    drawAll();
    fit(680);
  });
  addEventListener("afterprint", () => {
    if (theme === undefined) delete root.dataset.theme;
    else root.dataset.theme = theme;
    drawAll();
    fit("auto");
  });
})();
