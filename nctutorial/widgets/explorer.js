// The front end of LambdaExplorer: one slider, two pictures, one R-D plane.
//
// live:        a move of the slider sets `lam`; the kernel answers with a new `frame`.
// precomputed: the frames lie in `stills`; a move picks one and nobody is asked.

let clamp, h, LamSlider, paint, Patience, Plane, save, show, showLam; // of the kit, common.js

async function initialize({ model }) {
  const kit = new Blob([model.get("kit")], { type: "text/javascript" });
  ({ clamp, h, LamSlider, paint, Patience, Plane, save, show, showLam } = await import(URL.createObjectURL(kit)));
}

const BLOCK = 16; // pixels per latent location
const UPLOAD_LIMIT = 100e6;
const UPLOAD_PIECE = 1 << 20; // servers cut the connection on messages over 10 MB
const BESIDE = "12 3 2 3"; // the line of a codec of ours that is not in use

const thousands = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");

/** Sends λ to the kernel, one at a time: a drag must not bury it in messages.
    state "idle": nothing is due. state "due": an answer is; of what is wanted meanwhile the newest waits in `next`. */
class Requests {
  constructor(model, patience) {
    Object.assign(this, { model, patience, state: "idle", next: null });
  }

  ask(lam) {
    this.next = lam;
    if (this.state === "idle") this.send();
  }

  send() {
    const lam = this.next;
    this.next = null;
    if (lam === null || lam === this.model.get("lam")) return; // there it stands: no answer would come
    this.state = "due";
    this.patience.start();
    save(this.model, "lam", lam);
  }

  /** An answer has come, or has been waited for long enough. */
  answered() {
    this.patience.end();
    this.state = "idle";
    this.send();
  }
}

/** Wraps an async function so that only the newest argument is worked on; what it overtakes is dropped. */
function newest(work) {
  let wanted = null;
  let busy = false;
  return async (argument) => {
    wanted = argument;
    while (wanted && !busy) {
      const now = wanted;
      [wanted, busy] = [null, true];
      await work(now).finally(() => (busy = false));
    }
  };
}

/** A wipe over the whole picture, and under it the same region of both pictures, enlarged. */
class Pictures {
  constructor() {
    Object.assign(this, { wipe: 0.5, x: 0, y: 0 }); // the wipe's share of the width, the centre of the region in pixels
    const [codec, bits] = [h("canvas", { class: "nct-main", role: "img" }), h("canvas", { class: "nct-bits" })];
    this.layers = { codec, bits, other: h("canvas") };
    this.tags = [h("span", { class: "nct-tag" }), h("span", { class: "nct-tag" })];
    this.handle = h("div", { class: "nct-wipe", role: "slider", tabindex: 0, "aria-orientation": "horizontal",
      "aria-label": "Wipe between the two pictures", "aria-valuemin": 0, "aria-valuemax": 100 });
    this.lens = h("div", { class: "nct-lens", role: "application", tabindex: 0,
      "aria-label": "Region shown enlarged below; the arrow keys move it" });
    this.stage = h("div", { class: "nct-stage" }, h("div", { class: "nct-own" }, codec, bits, this.tags[1]),
      h("div", { class: "nct-other" }, this.layers.other, this.tags[0]), this.lens, this.handle);
    this.tiles = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
    this.captions = [h("figcaption"), h("figcaption")];
    this.zoom = h("select", {}, ...[1, 2, 4, 8].map((factor) => h("option", { value: factor }, `${factor} : 1`)));
    this.zoom.value = 4;
    this.bits = h("input", { type: "checkbox" });
    const numbers = [1, 10, 100, 1000].map((bits) => h("span", {}, String(bits)));
    const tools = h("div", { class: "nct-tools" }, h("label", {}, this.bits, " where the bits go"),
      h("span", { class: "nct-legend" }, h("span", { class: "nct-colours" }, ...numbers), "bits per 16×16 block"),
      h("label", {}, "Zoom ", this.zoom));
    const figures = this.tiles.map((tile, i) => h("figure", {}, tile, this.captions[i]));
    this.node = h("div", { class: "nct-pictures" }, this.stage,
      h("div", { class: "nct-close" }, tools, h("div", { class: "nct-tiles" }, ...figures)));
    this.listen();
  }

  listen() {
    const { codec } = this.layers;
    this.drag(this.handle, this.handle, (x) => (this.wipe = x));
    this.drag(this.stage, this.lens, (x, y) => ([this.x, this.y] = [x * codec.width, y * codec.height]));
    this.keys(this.handle, (right, down, fast) => (this.wipe += (right - down) * (fast ? 0.1 : 0.02)));
    this.keys(this.lens, (right, down, fast) => {
      this.x += right * (fast ? 64 : 8);
      this.y += down * (fast ? 64 : 8);
    });
    this.zoom.addEventListener("change", () => this.layout());
    this.bits.addEventListener("change", () => this.node.classList.toggle("nct-with-bits", this.bits.checked));
  }

  drag(target, focus, move) {
    const follow = (event) => {
      if (!target.hasPointerCapture(event.pointerId)) return;
      const box = this.stage.getBoundingClientRect();
      move(clamp((event.clientX - box.left) / box.width, 0, 1), clamp((event.clientY - box.top) / box.height, 0, 1));
      this.layout();
    };
    target.addEventListener("pointermove", follow);
    target.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      event.stopPropagation();
      target.setPointerCapture(event.pointerId);
      focus.focus({ preventScroll: true });
      follow(event);
    });
  }

  keys(target, move) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
      Home: [-Infinity, 0], End: [Infinity, 0] };
    target.addEventListener("keydown", (event) => {
      if (!moves[event.key]) return;
      event.preventDefault();
      move(...moves[event.key], event.shiftKey);
      this.layout();
    });
  }

  /** Prepares for a photo of this size. Small photos are enlarged by a whole factor, tall ones limited in height. */
  resize({ width, height, focus }) {
    const { codec, other, bits } = this.layers;
    for (const canvas of [codec, other]) [canvas.width, canvas.height] = [width, height];
    [bits.width, bits.height] = [Math.ceil(width / BLOCK), Math.ceil(height / BLOCK)];
    bits.style.width = `${(100 * bits.width * BLOCK) / width}%`;
    bits.style.height = `${(100 * bits.height * BLOCK) / height}%`;
    const factor = Math.max(1, Math.floor(384 / Math.max(width, height)));
    this.stage.style.width = `min(100%, ${width * factor}px, ${((600 * width) / height).toFixed(1)}px)`;
    this.stage.style.aspectRatio = `${width} / ${height}`;
    [this.x, this.y] = focus;
    this.layout();
  }

  name(...texts) {
    texts.forEach((text, i) => {
      this.tags[i].textContent = this.captions[i].textContent = text;
      this.tiles[i].setAttribute("aria-label", `${text}, enlarged`);
    });
    this.layers.codec.setAttribute("aria-label", `Left of the wipe: ${texts[0]}. Right of it: ${texts[1]}.`);
    this.describeWipe();
  }

  describeWipe() {
    const percent = Math.round(100 * this.wipe);
    this.handle.setAttribute("aria-valuenow", percent);
    this.handle.setAttribute("aria-valuetext", `${percent} percent ${this.tags[0].textContent}`);
  }

  /** Places the wipe and the region; a canvas that shows the region has its pixels, and CSS enlarges it. */
  layout() {
    const { width, height } = this.layers.codec;
    const [w, t] = ["clientWidth", "clientHeight"].map((side) => Math.round(this.tiles[0][side] / this.zoom.value));
    for (const tile of this.tiles) [tile.width, tile.height] = [w, t];
    this.x = Math.round(clamp(this.x, Math.min(w, width) / 2, width - Math.min(w, width) / 2));
    this.y = Math.round(clamp(this.y, Math.min(t, height) / 2, height - Math.min(t, height) / 2));
    this.lens.style.left = `${(100 * this.x) / width}%`;
    this.lens.style.top = `${(100 * this.y) / height}%`;
    this.lens.style.width = `${(100 * w) / width}%`;
    this.lens.style.height = `${(100 * t) / height}%`;
    this.wipe = clamp(this.wipe, 0, 1);
    this.stage.style.setProperty("--wipe", `${100 * this.wipe}%`);
    this.describeWipe();
    this.draw();
  }

  /** Draws the region. It must not read the page's layout: a frame has no time for that. */
  draw() {
    [this.layers.other, this.layers.codec].forEach((layer, i) => {
      const { width, height } = this.tiles[i];
      this.tiles[i].getContext("2d").drawImage(layer, Math.round(width / 2) - this.x, Math.round(height / 2) - this.y);
    });
  }
}

const ROWS = [["bytes", "file (bytes)", 0], ["bpp", "measured bpp", 3], ["estimated", "estimated bpp", 3],
  ["psnr", "PSNR (dB)", 2], ["ms_ssim", "MS-SSIM", 4]];

/** A figure in words. undefined: still being measured; null: there is none. */
function written(value, digits) {
  if (value === undefined) return "…";
  if (value === null) return "–";
  return value === Infinity ? "∞" : digits ? value.toFixed(digits) : thousands(value);
}

/** The figures of both pictures, and the loss with its two terms. */
class Readout {
  constructor() {
    this.heads = [h("th", { scope: "col" }), h("th", { scope: "col" })];
    this.cells = ROWS.map(([key]) => [h("td", { "data-value": key }), h("td")]);
    const rows = ROWS.map(([, label], i) => h("tr", {}, h("th", { scope: "row" }, label), ...this.cells[i]));
    this.loss = h("p");
    this.bar = [h("span", { class: "nct-rate" }), h("span", { class: "nct-distortion" })];
    this.key = h("p", { class: "nct-key" });
    this.node = h("div", {}, h("table", { class: "nct-table" }, h("tr", {}, h("td"), ...this.heads), ...rows),
      this.loss, h("div", { class: "nct-bar", "aria-hidden": "true" }, ...this.bar), this.key);
  }

  /** columns: [label, colour, figures] of our codec's picture and of the other one. */
  show(columns) {
    columns.forEach(([label, colour, figures], i) => {
      this.heads[i].textContent = label;
      this.heads[i].style.color = colour;
      ROWS.forEach(([key, , digits], row) => (this.cells[row][i].textContent = written(figures[key], digits)));
    });
    const { lam, bpp, mse } = columns[0][2];
    const loss = bpp + lam * mse;
    this.loss.innerHTML = `<i>L</i> = <i>R</i> + <i>λD</i> = ${bpp.toFixed(3)} + ${showLam(lam)} × ${mse.toFixed(1)}
      = <b data-value="loss">${loss.toFixed(3)}</b>`;
    this.key.innerHTML = `<span class="nct-rate">■</span> rate <i>R</i> ${bpp.toFixed(3)}
      <span class="nct-distortion">■</span> distortion <i>λD</i> ${(lam * mse).toFixed(3)}`;
    [bpp, lam * mse].forEach((term, i) => (this.bar[i].style.width = `${(100 * term) / loss}%`));
  }
}

/** A select that holds a trait of the model. options: [[value, text], ...] */
function choice(model, trait, options) {
  const select = h("select", {}, ...options.map(([value, text]) => h("option", { value }, text)));
  select.value = model.get(trait);
  select.addEventListener("change", () => save(model, trait, select.value));
  return select;
}

/** Sends a file in pieces. */
async function upload(model, file) {
  const bytes = await file.arrayBuffer();
  const pieces = Math.max(1, Math.ceil(file.size / UPLOAD_PIECE));
  for (let piece = 0; piece < pieces; piece++) {
    const content = { kind: "upload", name: file.name, piece, pieces };
    model.send(content, undefined, [bytes.slice(piece * UPLOAD_PIECE, (piece + 1) * UPLOAD_PIECE)]);
  }
}

class Explorer {
  constructor(model) {
    Object.assign(this, { model, live: model.get("live"), looks: model.get("looks") });
    this.shown = null; // the frame on the screen
    this.scene = null; // the photo that the canvases are made for
    this.painted = null; // the pixels on the other picture's canvas
    this.patience = new Patience((text) => {
      this.complain(text);
      this.requests.answered(); // with what is wanted now it is tried again
    });
    this.requests = new Requests(model, this.patience);
    this.slider = new LamSlider(model.get("stops"), "← smaller file", "better picture →");
    this.pictures = new Pictures();
    this.plane = new Plane("rate (bpp)");
    this.readout = new Readout();
    this.refresh = newest((frame) => this.showFrame(frame));
    this.build();
    this.listen();
  }

  build() {
    const { model } = this;
    this.photo = h("select");
    this.file = h("input", { type: "file", accept: "image/*" });
    this.codec = choice(model, "model", model.get("models").map((name) => [name, this.label(name)]));
    const rivals = model.get("rivals").map((name) => [name, `${this.label(name)} at the same bytes`]);
    this.other = choice(model, "other", [["original", "original"], ...rivals]);
    this.error = h("p", { class: "nct-error", role: "alert", hidden: "" });
    this.note = h("p", { class: "nct-note" });
    this.status = h("p", { class: "nct-note" });
    this.spoken = h("div", { class: "nct-hidden", role: "status", "aria-live": "polite" });
    const open = h("label", { class: "nct-button" }, "Open a photo…", this.file);
    const choices = [h("label", {}, "Photo ", this.photo), open];
    if (this.codec.length > 1) choices.push(h("label", {}, "Codec ", this.codec));
    this.root = h("section", { class: "nct-explorer", "aria-label": "λ explorer" },
      h("div", { class: "nct-row" }, ...(this.live ? choices : []), h("label", {}, "Compare with ", this.other)),
      this.error, this.slider.node,
      h("div", { class: "nct-row" }, h("div", { class: "nct-left" }, this.pictures.node, this.note),
        h("div", { class: "nct-side" }, this.plane.node, this.status, this.readout.node)),
      this.spoken);
  }

  listen() {
    this.slider.input.addEventListener("input", () => {
      this.slider.set(this.slider.position);
      if (this.live) this.requests.ask(this.slider.lam);
      else this.refresh(this.frame());
    });
    this.codec.addEventListener("change", () => this.patience.start());
    this.photo.addEventListener("change", () => {
      this.opening(this.photo.selectedOptions[0].textContent);
      save(this.model, "photo", this.photo.value);
    });
    this.file.addEventListener("change", () => {
      const [file] = this.file.files;
      this.file.value = ""; // so that the same file can be chosen again
      if (file?.size > UPLOAD_LIMIT) {
        this.complain(`${file.name} has more than ${UPLOAD_LIMIT / 1e6} MB, which is all that the explorer takes.`);
      } else if (file) {
        this.opening(file.name);
        upload(this.model, file).catch(() => this.complain(`${file.name} could not be read.`));
      }
    });
    this.observer = new ResizeObserver(() => this.pictures.layout());
    this.observer.observe(this.root);
  }

  /** What to do when the kernel, or a cell, changes a trait. */
  listeners() {
    const { model } = this;
    return {
      "change:lam": () => {
        this.slider.setLam(model.get("lam"));
        if (!this.live) this.refresh(this.frame());
      },
      "change:frame": () => {
        this.requests.answered();
        this.refresh(this.frame());
      },
      "change:detail": () => this.write(),
      "change:curves": () => this.drawCurves(),
      "change:model": () => (this.codec.value = model.get("model")),
      "change:other": () => {
        this.other.value = model.get("other");
        if (!this.live) this.refresh(this.frame());
      },
      "change:photo": () => this.fillPhotos(),
      "change:error": () => {
        this.patience.end();
        this.complain(model.get("error"));
        this.note.textContent = model.get("scene").note ?? "";
      },
    };
  }

  start() {
    this.slider.setLam(this.model.get("lam"));
    this.complain(this.model.get("error"));
    this.drawCurves();
    if (this.live && !this.frame().pixels) {
      this.model.send({ kind: "wake" });
      this.patience.start();
    } else this.refresh(this.frame());
  }

  leave() {
    this.observer.disconnect();
    this.patience.end();
    clearTimeout(this.announcement);
  }

  opening(name) {
    this.complain("");
    this.note.textContent = `Opening ${name}…`;
    this.patience.start();
  }

  complain(text) {
    this.error.hidden = !text;
    this.error.textContent = text;
  }

  label(name) {
    return this.looks[name]?.label ?? name;
  }

  fillPhotos() {
    const option = (value, text) => h("option", { value }, text.replaceAll("_", " "));
    const { own } = this.model.get("scene");
    const groups = own ? [h("optgroup", { label: "your own" }, h("option", { value: "own" }, own))] : [];
    for (const [label, names] of Object.entries(this.model.get("photos"))) {
      groups.push(h("optgroup", { label }, ...names.map((name) => option(name, name))));
    }
    this.photo.replaceChildren(...groups);
    this.photo.value = this.model.get("photo");
  }

  frame() {
    return this.live ? this.model.get("frame") : this.model.get("stills")[this.slider.position];
  }

  async showFrame(frame) {
    if (!frame.pixels) return;
    const { layers } = this.pictures;
    const opened = this.model.get("scene") !== this.scene;
    if (opened) {
      this.scene = this.model.get("scene");
      this.painted = null;
      this.pictures.resize(this.scene);
      this.fillPhotos();
    }
    const name = this.model.get("other");
    const other = name === "original" ? this.scene : { type: `image/${name}`, pixels: frame.rivals[name]?.file };
    await paint(layers.codec, frame);
    await paint(layers.bits, { type: "raw", pixels: frame.bits });
    if (other.pixels && other.pixels !== this.painted) await paint(layers.other, other);
    this.painted = other.pixels;
    const switched = this.shown?.model !== frame.model;
    this.shown = frame;
    this.complain(this.model.get("error"));
    this.note.textContent = this.scene.note; // also where the photo that was opened is the one shown before
    if (opened || switched) this.drawCurves();
    else this.write();
    this.pictures.draw();
    Object.assign(this.root.dataset, { model: frame.model, lam: frame.lam, frame: frame.serial }); // for tests
  }

  /** The figures of the picture beside ours: null while they are being measured. */
  beside(name, similarity) {
    const size = this.scene.width * this.scene.height;
    if (name === "original") return { bytes: 3 * size, bpp: 24, estimated: null, psnr: Infinity, ms_ssim: 1 };
    const rival = this.shown.rivals[name];
    return rival && { ...rival, estimated: null, psnr: rival.psnr ?? Infinity, ms_ssim: similarity[name] };
  }

  /** Numbers, point and labels of the frame on the screen. */
  write() {
    if (!this.shown) return;
    const detail = this.shown.detail ?? this.model.get("detail");
    const similarity = detail.serial === this.shown.serial ? detail : {};
    const own = { ...this.shown, psnr: this.shown.psnr ?? Infinity, ms_ssim: similarity.own };
    const name = this.model.get("other");
    const other = this.beside(name, similarity);
    const rival = name === "original" ? null : other;
    const labels = [this.label(own.model), this.label(name)];
    const colours = [this.looks[own.model].colour, this.looks[name]?.colour ?? "inherit"];
    const head = rival ? `${labels[1]} q ${rival.quality}` : labels[1];
    this.readout.show([[labels[0], colours[0], own], [head, colours[1], other ?? {}]]);
    const state = rival ? `, quality ${rival.quality}` : other ? "" : ": being measured…";
    this.pictures.name(labels[1] + state, `${labels[0]}, λ = ${showLam(own.lam)}`);
    this.plane.mark([own.bpp, own.psnr], colours[0], rival && [rival.bpp, rival.psnr], colours[1]);
    const at = ({ bpp, psnr }) => `${bpp.toFixed(2)} bits per pixel and ${psnr.toFixed(1)} decibels`;
    const subject = own.model === "codec" ? "This codec" : `The ${labels[0]} codec`;
    this.plane.node.setAttribute("aria-label", `Rate-distortion plane of this photo. ${subject} stands at ${at(own)}` +
      (rival ? `, ${labels[1]} at ${at(rival)}.` : "."));
    clearTimeout(this.announcement);
    this.announcement = setTimeout(() => {
      this.spoken.textContent = `${subject}, λ ${showLam(own.lam)}: ${thousands(own.bytes)} bytes, ${at(own)}.`;
    }, 800);
  }

  /** The curves measured on this photo so far, the codec in use first, in axes that hold those of ours. */
  drawCurves() {
    const curves = this.model.get("curves");
    const inUse = this.shown?.model ?? this.model.get("model");
    const beside = this.model.get("models").filter((name) => name !== inUse);
    const names = [...this.model.get("rivals"), ...beside, inUse]; // from the bottom of the legend to its top
    const points = [inUse, ...beside].flatMap((name) => curves[name] ?? []);
    if (this.shown) points.push([this.shown.bpp, this.shown.psnr]);
    this.plane.clear(points.length < 2 ? [...points, [1.8, 21], [1.8, 39]] : points); // until the curve is measured
    const missing = names.filter((name) => !curves[name]?.length);
    names.forEach((name, row) => {
      const { colour, dashes } = this.looks[name];
      const look = { class: "nct-curve", stroke: colour, "stroke-dasharray": beside.includes(name) ? BESIDE : dashes };
      this.plane.line(curves[name] ?? [], look);
      this.plane.name(row, this.label(name) + (missing.includes(name) ? "…" : ""), look);
    });
    const state = missing.length ? "Curves are being measured" : "All curves are measured";
    this.status.textContent = `${state} on this photo.`;
    this.write();
  }
}

function render({ model, el }) {
  const explorer = new Explorer(model);
  const leave = show({ model, el }, explorer.root, explorer.listeners(), () => explorer.leave());
  explorer.start();
  return leave;
}

export default { initialize, render };
