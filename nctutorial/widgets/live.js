// The front end of nctutorial.live: a button, a slider, the R-D plane and one picture. No imports, no network.

const BOX = { width: 460, height: 320, left: 46, right: 12, top: 12, bottom: 42 };
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const showLam = (lam) => lam.toPrecision(2);

function h(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "text", "circle", "line"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Rate and PSNR: where the model has been, where it is, and the line on which its loss is what it is now. */
function createPlane() {
  const node = h("svg", { class: "nct-live-plane", viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img" });
  const axes = { x: [0, 1], y: [15, 25] };
  const px = (bpp) => BOX.left + ((bpp - axes.x[0]) / (axes.x[1] - axes.x[0])) * (BOX.width - BOX.left - BOX.right);
  const py = (psnr) =>
    BOX.height - BOX.bottom - ((psnr - axes.y[0]) / (axes.y[1] - axes.y[0])) * (BOX.height - BOX.top - BOX.bottom);
  const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("");

  /** Limits that hold all points, on round numbers, so that they seldom move. */
  function fit(points) {
    const rates = points.map((p) => p[0]);
    const psnrs = points.map((p) => p[1]);
    axes.x = [0, 0.25 * Math.ceil((Math.max(...rates) * 1.15) / 0.25)];
    axes.y = [2 * Math.floor((Math.min(...psnrs) - 0.5) / 2), 2 * Math.ceil((Math.max(...psnrs) + 1) / 2)];
  }

  function drawAxes() {
    const stepX = axes.x[1] > 2 ? 0.5 : axes.x[1] > 1 ? 0.25 : 0.1;
    const stepY = axes.y[1] - axes.y[0] > 12 ? 5 : 2;
    for (let x = 0; x <= axes.x[1] * 1.0001; x += stepX) {
      node.append(h("line", { class: "nct-live-grid", x1: px(x), x2: px(x), y1: py(axes.y[0]), y2: py(axes.y[1]) }),
        h("text", { x: px(x), y: py(axes.y[0]) + 16, "text-anchor": "middle" }, String(+x.toFixed(2))));
    }
    for (let y = stepY * Math.ceil(axes.y[0] / stepY); y <= axes.y[1]; y += stepY) {
      node.append(h("line", { class: "nct-live-grid", x1: px(0), x2: px(axes.x[1]), y1: py(y), y2: py(y) }),
        h("text", { x: px(0) - 6, y: py(y) + 4, "text-anchor": "end" }, String(y)));
    }
    const middle = (py(axes.y[0]) + py(axes.y[1])) / 2;
    node.append(h("text", { x: px(axes.x[1] / 2), y: BOX.height - 8, "text-anchor": "middle" }, "estimated rate (bpp)"),
      h("text", { transform: `translate(13 ${middle}) rotate(-90)`, "text-anchor": "middle" }, "PSNR (dB)"));
  }

  /** The points with the loss that the model has now, at the λ of the slider: (bpp, PSNR) pairs. */
  function level([bpp, psnr], lam) {
    const loss = bpp + (lam * 255 ** 2) / 10 ** (psnr / 10);
    const points = [];
    for (let i = 0; i <= 100; i++) {
      const rate = (axes.x[1] * i) / 100;
      const value = rate < loss ? 10 * Math.log10((255 ** 2 * lam) / (loss - rate)) : Infinity;
      if (value >= axes.y[0] && value <= axes.y[1]) points.push([rate, value]);
    }
    return { loss, points };
  }

  function draw(trail, goals, lam) {
    const points = trail.map(([, , bpp, psnr]) => [bpp, psnr]);
    const now = points[points.length - 1];
    node.replaceChildren();
    fit([...points, ...goals]);
    drawAxes();
    const { loss, points: equal } = level(now, lam);
    if (equal.length > 1) node.append(h("path", { class: "nct-live-level", d: path(equal) }));
    node.append(h("path", { class: "nct-live-trail", d: path(points) }));
    for (const [x, y] of points) node.append(h("circle", { class: "nct-live-past", cx: px(x), cy: py(y), r: 1.8 }));
    for (const [x, y] of goals) {
      node.append(h("path", { class: "nct-live-goal", d: `M${px(x) - 6} ${py(y)}h12M${px(x)} ${py(y) - 6}v12` }));
    }
    node.append(h("circle", { class: "nct-live-point", cx: px(now[0]), cy: py(now[1]), r: 6.5 }));
    node.setAttribute("aria-label", `Rate-distortion plane. The model stands at ${now[0].toFixed(2)} bits per pixel ` +
      `and ${now[1].toFixed(1)} decibels.`);
    return loss;
  }
  return { node, draw };
}

function createSlider([low, high]) {
  const steps = 100;
  const slider = h("input", { type: "range", min: 0, max: steps, step: "any" });
  const output = h("output");
  const ticks = h("span", { class: "nct-live-ticks", "aria-hidden": "true" });
  const at = (lam) => (steps * Math.log(lam / low)) / Math.log(high / low);
  for (const lam of [0.001, 0.003, 0.01, 0.03].filter((lam) => lam >= low && lam <= high)) {
    const tick = h("span", {}, String(lam));
    tick.style.left = `${at(lam)}%`;
    ticks.append(tick);
  }
  const node = h("label", {}, h("i", {}, "λ"), h("span", { class: "nct-live-track" }, slider, ticks), output);
  slider.addEventListener("keydown", (event) => {
    event.stopPropagation(); // JupyterLab would swallow the arrow keys
    const move = { ArrowRight: 2, ArrowUp: 2, ArrowLeft: -2, ArrowDown: -2, PageUp: 12, PageDown: -12 }[event.key];
    if (!move) return;
    event.preventDefault();
    slider.value = clamp(Number(slider.value) + move, 0, steps);
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const lam = () => clamp(low * (high / low) ** (Number(slider.value) / steps), low, high);
  const write = () => {
    output.textContent = `= ${showLam(lam())}`;
    slider.setAttribute("aria-valuetext", `λ = ${showLam(lam())}`);
  };
  const set = (value) => {
    if (Math.abs(Math.log(value / lam())) > 1e-6) slider.value = at(value);
    write();
  };
  return { node, slider, lam, write, set };
}

const watched = new WeakMap(); // model -> how many views show it

function render({ model, el }) {
  const plane = createPlane();
  const control = createSlider(model.get("lam_range"));
  const button = h("button", { type: "button" });
  const canvas = h("canvas", { role: "img", "aria-label": "The picture as the model codes it now" });
  const facts = h("p", { class: "nct-live-facts" });
  const note = h("p", { class: "nct-live-note", role: "status" });
  const key = h("p", { class: "nct-live-key" }, "Dashed: all points of equal loss at this λ. Above it the loss is lower.",
    model.get("goals").length ? " Crosses: models trained to the end." : "");
  el.replaceChildren(h("section", { class: "nct-live", "aria-label": "Training with a movable λ" },
    h("div", { class: "nct-live-controls" }, button, control.node),
    h("div", { class: "nct-live-body" }, h("div", { class: "nct-live-left" }, plane.node, key),
      h("div", { class: "nct-live-right" }, canvas, facts, note))));

  function drawPlane() {
    const trail = model.get("trail");
    if (!trail.length) return;
    const loss = plane.draw(trail, model.get("goals"), control.lam());
    const [step, , bpp, psnr] = trail[trail.length - 1];
    facts.textContent = `step ${step}: R ${bpp.toFixed(2)} bpp, PSNR ${psnr.toFixed(1)} dB, R + λD ${loss.toFixed(2)}`;
    facts.dataset.step = step;
  }

  function paint() {
    const { height, width, pixels } = model.get("frame");
    if (!pixels) return;
    [canvas.width, canvas.height] = [width, height];
    const rgb = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    const image = new ImageData(width, height);
    for (let i = 0, j = 0; j < rgb.length; i += 4, j += 3) image.data.set([rgb[j], rgb[j + 1], rgb[j + 2], 255], i);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  function showRunning() {
    button.textContent = model.get("running") ? "Pause" : "Start training";
    note.textContent = model.get("note");
  }
  const showLamFromModel = () => {
    control.set(model.get("lam"));
    drawPlane();
  };

  let waiting = 0;
  button.addEventListener("click", () => {
    model.set("running", !model.get("running"));
    model.save_changes();
    showRunning();
    clearTimeout(waiting);
    const before = model.get("trail");
    waiting = setTimeout(() => {
      if (model.get("running") && model.get("trail") === before) {
        note.textContent = "No answer yet: the kernel is busy, or this page has none.";
      }
    }, 5000);
  });
  control.slider.addEventListener("input", () => {
    control.write();
    drawPlane();
    model.set("lam", control.lam());
    model.save_changes();
  });

  const listeners = { "change:trail": drawPlane, "change:frame": paint, "change:lam": showLamFromModel,
    "change:running": showRunning, "change:note": showRunning };
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  watched.set(model, (watched.get(model) ?? 0) + 1);
  showLamFromModel();
  paint();
  showRunning();

  return () => {
    clearTimeout(waiting);
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    watched.set(model, watched.get(model) - 1);
    if (!watched.get(model)) model.send({ kind: "gone" }); // its cell was run again, or the page was closed
  };
}

export default { render };
