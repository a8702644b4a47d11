// The kit: what the front ends of all widgets share. Each of them gets this file as the text of the trait `kit`.

const SVG = new Set(["svg", "g", "path", "text", "circle", "line"]);

export const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
export const showLam = (lam) => lam.toPrecision(3);

/** An element of HTML or SVG with these attributes and children. */
export function h(tag, attributes = {}, ...children) {
  const node = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const views = new WeakMap(); // model -> how many views show it

/** Puts a widget on the page: its root, with the palette as CSS properties. listeners: of the model, by event.
    Returns the function that takes it away again; the kernel is told when the last view of a model has gone. */
export function show({ model, el }, root, listeners, leave = () => {}) {
  for (const [name, colour] of Object.entries(model.get("palette"))) root.style.setProperty(`--${name}`, colour);
  root.classList.add("nct");
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has other uses for plain keys
  });
  el.replaceChildren(root);
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  views.set(model, (views.get(model) ?? 0) + 1);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    leave();
    views.set(model, views.get(model) - 1);
    if (!views.get(model)) model.send({ kind: "gone" }); // its cell was run again, or the page was closed
  };
}

export function save(model, key, value) {
  model.set(key, value);
  model.save_changes();
}

/** Complains when the kernel takes longer than some seconds for an answer. */
export class Patience {
  constructor(complain) {
    this.complain = () => complain("No answer from the kernel yet: it is busy, or this page has none.");
  }

  start() {
    this.end();
    this.timer = setTimeout(this.complain, 8000);
  }

  end() {
    clearTimeout(this.timer);
  }
}

/** Paints { type, pixels } onto a canvas of its size: raw RGB bytes, or a file of a type that the browser knows. */
export async function paint(canvas, { type, pixels }) {
  const context = canvas.getContext("2d");
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  if (type !== "raw") {
    context.drawImage(await createImageBitmap(new Blob([bytes], { type }), { colorSpaceConversion: "none" }), 0, 0);
    return;
  }
  if (canvas.image?.width !== canvas.width || canvas.image.height !== canvas.height) {
    canvas.image = context.createImageData(canvas.width, canvas.height); // kept: a drag would leave much to collect
  }
  const image = canvas.image;
  const rgba = new Uint32Array(image.data.buffer); // little-endian: A B G R
  for (let i = 0, j = 0; i < rgba.length; i++, j += 3) {
    rgba[i] = 0xff000000 | (bytes[j + 2] << 16) | (bytes[j + 1] << 8) | bytes[j];
  }
  context.putImageData(image, 0, 0);
}

/** A slider with a caption for each position. marks: [[position, text], ...] below it; ends: where each way leads. */
export class Slider {
  constructor(label, captions, marks = [], ends = []) {
    const id = `nct-${Math.random().toString(36).slice(2)}`; // another one on the page has another
    const last = captions.length - 1;
    this.captions = captions;
    this.input = h("input", { type: "range", id, min: 0, max: last, "aria-describedby": `${id}-ends` });
    this.caption = h("span", { class: "nct-caption" });
    const below = marks.map(([, text]) => h("span", {}, text));
    below.forEach((mark, i) => (mark.style.left = `${(100 * marks[i][0]) / last}%`));
    this.node = h("div", { class: "nct-slider" }, h("label", { for: id }, label), this.caption,
      h("div", { class: "nct-track" }, this.input, h("div", { class: "nct-marks", "aria-hidden": "true" }, ...below),
        h("div", { class: "nct-ends", id: `${id}-ends` }, ...ends.map((end) => h("span", {}, end)))));
  }

  get position() {
    return Number(this.input.value);
  }

  set(position, caption = this.captions[position]) {
    this.input.value = position;
    this.caption.textContent = caption;
    this.input.setAttribute("aria-valuetext", caption);
  }
}

/** A slider for λ, logarithmic, that halts at `stops`. λ may stand between two of them. */
export class LamSlider extends Slider {
  constructor(stops, ...ends) {
    const place = (lam) => ((stops.length - 1) * Math.log(lam / stops[0])) / Math.log(stops.at(-1) / stops[0]);
    const marks = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05].map((lam) => [place(lam), String(lam)]);
    super(h("span", {}, h("i", {}, "λ"), " ="), stops.map(showLam), marks, ends);
    Object.assign(this, { stops, place });
  }

  get lam() {
    return this.stops[this.position];
  }

  setLam(lam) {
    this.set(this.place(lam), showLam(lam));
  }
}

const BOX = { width: 400, height: 300, left: 44, right: 390, top: 12, bottom: 260 };

/** A round number of which about `count` make the span. */
function roundStep(span, count) {
  const power = 10 ** Math.floor(Math.log10(span / count));
  return power * [1, 2, 5, 10].find((m) => m * power >= (span / count) * 0.999);
}

/** PSNR over rate. `clear` draws the axes; `inside` is what they hold, `front` what lies on top and stays. */
export class Plane {
  constructor(rate) {
    this.rate = rate;
    this.back = h("g");
    this.inside = h("svg", { x: BOX.left, y: BOX.top, width: BOX.right - BOX.left, height: BOX.bottom - BOX.top,
      viewBox: [BOX.left, BOX.top, BOX.right - BOX.left, BOX.bottom - BOX.top].join(" "), "aria-hidden": "true" });
    this.front = h("g");
    this.node = h("svg", { class: "nct-plane", viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img" },
      this.back, this.inside, this.front);
  }

  x(bpp) {
    return BOX.left + (bpp / this.most) * (BOX.right - BOX.left);
  }

  y(psnr) {
    return BOX.bottom - ((psnr - this.low) / (this.high - this.low)) * (BOX.bottom - BOX.top);
  }

  /** Axes on round numbers, so that they seldom move, around all [bpp, PSNR]. */
  clear(points) {
    const known = points.filter(([, psnr]) => Number.isFinite(psnr));
    const psnrs = known.map(([, psnr]) => psnr);
    const most = 1.05 * Math.max(...known.map(([bpp]) => bpp));
    const [stepX, stepY] = [roundStep(most, 5), roundStep(Math.max(...psnrs) - Math.min(...psnrs) + 2, 6)];
    this.most = stepX * Math.ceil(most / stepX);
    this.low = stepY * Math.floor((Math.min(...psnrs) - 0.5) / stepY);
    this.high = stepY * Math.ceil((Math.max(...psnrs) + 0.5) / stepY);
    this.back.replaceChildren();
    this.inside.replaceChildren();
    for (let bpp = 0; bpp <= this.most * 1.0001; bpp += stepX) {
      const x = this.x(bpp);
      this.back.append(h("path", { class: "nct-grid", d: `M${x} ${BOX.top}V${BOX.bottom}` }),
        h("text", { x, y: BOX.bottom + 15, "text-anchor": "middle" }, String(+bpp.toFixed(4))));
    }
    for (let psnr = this.low; psnr <= this.high * 1.0001; psnr += stepY) {
      const y = this.y(psnr);
      this.back.append(h("path", { class: "nct-grid", d: `M${BOX.left} ${y}H${BOX.right}` }),
        h("text", { x: BOX.left - 6, y: y + 4, "text-anchor": "end" }, String(+psnr.toFixed(4))));
    }
    const middle = { x: (BOX.left + BOX.right) / 2, y: (BOX.top + BOX.bottom) / 2 };
    this.back.append(h("path", { class: "nct-axis", d: `M${BOX.left} ${BOX.top}V${BOX.bottom}H${BOX.right}` }),
      h("text", { x: middle.x, y: BOX.height - 7, "text-anchor": "middle" }, this.rate),
      h("text", { transform: `translate(12 ${middle.y}) rotate(-90)`, "text-anchor": "middle" }, "PSNR (dB)"));
  }

  /** A line through [bpp, PSNR] points, inside the axes. */
  line(points, attributes) {
    const places = points.map(([bpp, psnr]) => `${this.x(bpp).toFixed(1)} ${this.y(psnr).toFixed(1)}`);
    if (places.length) this.inside.append(h("path", { d: `M${places.join("L")}`, ...attributes }));
  }

  /** A dot at [bpp, PSNR]; one that lies outside is drawn on the edge. */
  dot([bpp, psnr], r, attributes) {
    const at = { cx: clamp(this.x(bpp), BOX.left, BOX.right), cy: clamp(this.y(psnr), BOX.top, BOX.bottom) };
    return h("circle", { ...at, r, ...attributes });
  }

  /** The point where a picture of ours stands, with its way to the axes, and that of a rival if there is one. */
  mark(point, colour, rival, rivalColour) {
    const dot = this.dot(point, 6, { class: "nct-point", fill: colour });
    const d = `M${dot.getAttribute("cx")} ${BOX.bottom}V${dot.getAttribute("cy")}H${BOX.left}`;
    this.front.replaceChildren(h("path", { class: "nct-drop", stroke: colour, d }), dot);
    if (rival) dot.before(this.dot(rival, 5, { class: "nct-rival", stroke: rivalColour }));
  }

  /** One row of the legend, the lowest is 0: bottom right, where no curve goes. */
  name(row, label, attributes) {
    const y = BOX.bottom - 14 - 16 * row;
    this.back.append(h("path", { d: `M${BOX.right - 116} ${y - 4}h32`, ...attributes }),
      h("text", { x: BOX.right - 78, y, fill: attributes.stroke }, label));
  }
}
