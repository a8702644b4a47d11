// The front end of nctutorial.explorer: one slider, two pictures, one R-D plane. No imports, no network.
//
// live:        a slider move sets `lam`; the kernel answers with a new `frame`.
// precomputed: the frames lie in `stills`; a slider move picks one and nobody is asked.

const NAMES = { // "codec" is one of the reader's own
  codec: "this codec", factorized: "factorised", hyperprior: "hyperprior", original: "original", jpeg: "JPEG", webp: "WebP",
};
const COLOURS = { // Okabe-Ito, green and purple darkened for text
  codec: "#0072b2", factorized: "#0072b2", hyperprior: "#8f3b76", jpeg: "#d55e00", webp: "#007a5a",
};
const DASHES = { jpeg: "7 4", webp: "2 3" }; // the codec in use has none
const BESIDE = "12 3 2 3"; // and the one that is not in use this
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const BLOCK = 16; // pixels per latent location
const BITS_DECADES = 3; // the bits map's colour scale runs from 1 to 10^3 bits
const UPLOAD_LIMIT = 100e6;
const UPLOAD_PART = 1 << 20; // servers cut the connection on messages over 10 MB

const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const thousands = (n) => String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const showLam = (lam) => lam.toPrecision(3);
const complete = (curves, names) => names.every((name) => curves[name]?.length);
/** A codec as the subject of a sentence. */
const title = (name) => (name === "codec" ? "This codec" : `The ${NAMES[name]} codec`);
const words = (name) => name.replaceAll("_", " ");

function h(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "text", "circle", "line", "rect", "title"].includes(tag);
  const node = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

/** Wraps an async function so that only the newest argument is worked on; what it overtakes is dropped. */
function newest(work) {
  let wanted = null;
  let busy = false;
  return async (...args) => {
    wanted = args;
    if (busy) return;
    busy = true;
    try {
      while (wanted) {
        const now = wanted;
        wanted = null;
        await work(...now);
      }
    } finally {
      busy = false;
    }
  };
}

// ------------------------------------------------------------------------------------------------ pixels

const bytesOf = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

let reused = null;

function scratch(width, height) {
  if (reused?.width !== width || reused.height !== height) reused = new ImageData(width, height);
  return reused;
}

/** Paints raw RGB bytes, or a file of any type that the browser knows, onto a canvas of the photo's size. */
async function paint(canvas, pixels, type) {
  const context = canvas.getContext("2d");
  if (type !== "raw") {
    const file = new Blob([bytesOf(pixels)], { type });
    context.drawImage(await createImageBitmap(file, { colorSpaceConversion: "none" }), 0, 0);
    return;
  }
  const rgb = bytesOf(pixels);
  const image = scratch(canvas.width, canvas.height);
  const rgba = new Uint32Array(image.data.buffer); // little-endian: A B G R
  for (let i = 0, j = 0; i < rgba.length; i++, j += 3) {
    rgba[i] = 0xff000000 | (rgb[j + 2] << 16) | (rgb[j + 1] << 8) | rgb[j];
  }
  context.putImageData(image, 0, 0);
}

function viridis(t) {
  const x = clamp(t, 0, 1) * (VIRIDIS.length - 1);
  const i = Math.min(Math.floor(x), VIRIDIS.length - 2);
  return VIRIDIS[i].map((low, k) => low + (x - i) * (VIRIDIS[i + 1][k] - low));
}

/** One pixel per block, coloured by log10 of its bits. `bits` is a view on float32 values, row by row. */
function paintBits(canvas, bits) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < canvas.width * canvas.height; i++) {
    const value = Math.max(bits.getFloat32(4 * i, true), 1);
    image.data.set([...viridis(Math.log10(value) / BITS_DECADES), 255], 4 * i);
  }
  context.putImageData(image, 0, 0);
}

// ------------------------------------------------------------------------------------------------ the R-D plane

const PLANE = { width: 400, height: 300, left: 44, right: 10, top: 12, bottom: 40 };

function niceStep(span, count) {
  const raw = span / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  return power * [1, 2, 5, 10].find((m) => m * power >= raw * 0.999);
}

/** PSNR over rate: the curves measured on this photo and the point where the slider stands. */
function createPlane() {
  const svg = h("svg", { class: "nct-plane", viewBox: `0 0 ${PLANE.width} ${PLANE.height}`, role: "img" });
  const background = h("g");
  const marker = h("g");
  svg.append(background, marker);
  let axes = { x: [0, 2], y: [20, 40] };
  const px = (bpp) => PLANE.left + ((bpp - axes.x[0]) / (axes.x[1] - axes.x[0])) * (PLANE.width - PLANE.left - PLANE.right);
  const py = (psnr) =>
    PLANE.height - PLANE.bottom - ((psnr - axes.y[0]) / (axes.y[1] - axes.y[0])) * (PLANE.height - PLANE.top - PLANE.bottom);
  /** Axes that hold our codecs' curves and the point where the slider stands. */
  function fit(points) {
    const usual = points.length < 2 ? [[1.8, 21], [1.8, 39]] : []; // until the curve is measured
    const known = [...points, ...usual].filter(([, psnr]) => Number.isFinite(psnr));
    const [rates, psnrs] = [known.map((p) => p[0]), known.map((p) => p[1])];
    axes = {
      x: [0, Math.max(...rates) * 1.12],
      y: [5 * Math.floor((Math.min(...psnrs) - 1) / 5), 5 * Math.ceil((Math.max(...psnrs) + 0.5) / 5)],
    };
  }

  /** names: the codec in use, the others of ours, and the classical ones. */
  function drawCurves(curves, names, frame) {
    const ours = names.filter((name) => !(name in DASHES));
    fit([...ours.flatMap((name) => curves[name] ?? []), ...(frame ? [[frame.bpp, frame.psnr]] : [])]);
    background.replaceChildren();
    const [x0, x1, y0, y1] = [px(axes.x[0]), px(axes.x[1]), py(axes.y[0]), py(axes.y[1])];
    const stepX = niceStep(axes.x[1], 5);
    for (let x = 0; x <= axes.x[1] * 1.0001; x += stepX) {
      background.append(
        h("line", { class: "nct-grid", x1: px(x), x2: px(x), y1: y0, y2: y1 }),
        h("text", { x: px(x), y: y0 + 15, "text-anchor": "middle" }, String(+x.toFixed(4))),
      );
    }
    const stepY = niceStep(axes.y[1] - axes.y[0], 6);
    for (let y = axes.y[0]; y <= axes.y[1] * 1.0001; y += stepY) {
      background.append(
        h("line", { class: "nct-grid", x1: x0, x2: x1, y1: py(y), y2: py(y) }),
        h("text", { x: x0 - 6, y: py(y) + 4, "text-anchor": "end" }, String(+y.toFixed(4))),
      );
    }
    background.append(
      h("path", { class: "nct-axis", d: `M${x0} ${y1}V${y0}H${x1}` }),
      h("text", { x: (x0 + x1) / 2, y: PLANE.height - 7, "text-anchor": "middle" }, "rate (bpp)"),
      h("text", { transform: `translate(12 ${(y0 + y1) / 2}) rotate(-90)`, "text-anchor": "middle" }, "PSNR (dB)"),
    );
    const box = { x: x0, y: y1, width: x1 - x0, height: y0 - y1 };
    const clip = h("svg", { ...box, viewBox: Object.values(box).join(" "), "aria-hidden": "true" }); // a nested svg clips what it holds
    background.append(clip);
    const pending = !complete(curves, names);
    names.forEach((name, row) => {
      const points = curves[name] ?? [];
      const d = points.map(([bpp, psnr], i) => `${i ? "L" : "M"}${px(bpp).toFixed(1)} ${py(psnr).toFixed(1)}`).join("");
      const dashes = DASHES[name] ?? (row ? BESIDE : "");
      const look = { stroke: COLOURS[name], "stroke-dasharray": dashes, class: "nct-curve" };
      if (d) clip.append(h("path", { d, ...look }));
      const y = y0 + 2 - 16 * (names.length - row); // the legend, bottom right, where no curve goes
      const text = NAMES[name] + (pending && !points.length ? "…" : "");
      background.append(
        h("path", { d: `M${x1 - 116} ${y - 4}h32`, ...look }),
        h("text", { x: x1 - 78, y, fill: COLOURS[name], class: row ? "" : "nct-in-use" }, text),
      );
    });
  }

  function drawPoint(frame, rivalName, rival) {
    marker.replaceChildren();
    const x = clamp(px(frame.bpp), PLANE.left, PLANE.width - PLANE.right);
    const y = clamp(py(frame.psnr), PLANE.top, PLANE.height - PLANE.bottom);
    const colour = COLOURS[frame.codec];
    marker.append(h("path", { class: "nct-drop", stroke: colour, d: `M${x} ${PLANE.height - PLANE.bottom}V${y}H${PLANE.left}` }));
    if (rival && rival.bpp <= axes.x[1] && rival.psnr >= axes.y[0] && rival.psnr <= axes.y[1]) {
      const look = { cx: px(rival.bpp), cy: py(rival.psnr), r: 5, stroke: COLOURS[rivalName], class: "nct-rival" };
      marker.append(h("circle", look));
    }
    marker.append(h("circle", { cx: x, cy: y, r: 6, fill: colour, class: "nct-point" }));
    svg.setAttribute(
      "aria-label",
      `Rate-distortion plane of this photo. ${title(frame.codec)} stands at ${frame.bpp.toFixed(2)} bits per pixel and ` +
        `${frame.psnr.toFixed(1)} decibels` +
        (rival ? `, ${NAMES[rivalName]} at ${rival.bpp.toFixed(2)} and ${rival.psnr.toFixed(1)}.` : "."),
    );
  }

  return { svg, drawCurves, drawPoint };
}

// ------------------------------------------------------------------------------------------------ the pictures

/** A wipe over the whole picture, and under it the same region of both pictures, enlarged. */
function createPictures() {
  const layers = { codec: h("canvas"), other: h("canvas"), bits: h("canvas") };
  const main = h("canvas", { class: "nct-main", role: "img" });
  const tags = [h("span", { class: "nct-tag" }), h("span", { class: "nct-tag nct-right" })];
  const handle = h("div", {
    class: "nct-wipe", role: "slider", tabindex: 0, "aria-orientation": "horizontal",
    "aria-label": "Wipe between the two pictures", "aria-valuemin": 0, "aria-valuemax": 100,
  });
  const lens = h("div", {
    class: "nct-lens", role: "application", tabindex: 0,
    "aria-label": "Region shown enlarged below; the arrow keys move it",
  });
  const stage = h("div", { class: "nct-stage" }, main, ...tags, lens, handle);
  const tiles = [h("canvas", { role: "img" }), h("canvas", { role: "img" })];
  const captions = [h("figcaption"), h("figcaption")];
  const zoom = h("select");
  for (const factor of [1, 2, 4, 8]) zoom.append(h("option", { value: factor }, `${factor} : 1`));
  zoom.value = 4;
  const figures = tiles.map((tile, i) => h("figure", {}, tile, captions[i]));
  const tools = h("div", { class: "nct-tools" }, h("label", {}, "Zoom ", zoom));
  const node = h("div", { class: "nct-pictures" }, stage,
    h("div", { class: "nct-close" }, tools, h("div", { class: "nct-tiles" }, ...figures)));
  const state = { wipe: 0.5, x: 0, y: 0, tile: [1, 1], bits: false };

  function layout() {
    if (!main.width || !stage.clientWidth) return;
    const scale = stage.clientWidth / main.width; // CSS pixels per picture pixel
    for (const tile of tiles) {
      const ratio = window.devicePixelRatio || 1;
      const [w, t] = [Math.round(tile.clientWidth * ratio), Math.round(tile.clientHeight * ratio)];
      if (tile.width !== w || tile.height !== t) [tile.width, tile.height] = [w, t];
    }
    state.tile = [tiles[0].clientWidth, tiles[0].clientHeight];
    const factor = Number(zoom.value);
    const [w, t] = [Math.min(state.tile[0] / factor, main.width), Math.min(state.tile[1] / factor, main.height)];
    state.x = Math.round(clamp(state.x, w / 2, main.width - w / 2));
    state.y = Math.round(clamp(state.y, t / 2, main.height - t / 2));
    const place = { left: state.x - w / 2, top: state.y - t / 2, width: w, height: t };
    for (const [key, value] of Object.entries(place)) lens.style[key] = `${value * scale}px`;
    handle.style.left = `${100 * state.wipe}%`;
    describeWipe();
    tags[0].style.maxWidth = `calc(${100 * state.wipe}% - 12px)`;
    tags[1].style.maxWidth = `calc(${100 - 100 * state.wipe}% - 12px)`;
    tags[0].hidden = state.wipe < 0.08;
    tags[1].hidden = state.wipe > 0.92;
  }

  function describeWipe() {
    const percent = Math.round(100 * state.wipe);
    handle.setAttribute("aria-valuenow", percent);
    handle.setAttribute("aria-valuetext", `${percent} percent ${tags[0].textContent}`);
  }

  /** Draws all three canvases. It must not read the page's layout: a frame has no time for that. */
  function draw() {
    if (!main.width) return;
    const context = main.getContext("2d");
    const x = Math.round(state.wipe * main.width);
    context.drawImage(layers.codec, 0, 0);
    if (state.bits) {
      context.imageSmoothingEnabled = false;
      context.globalCompositeOperation = "saturation"; // the map alone brings colour
      context.fillStyle = "#808080";
      context.fillRect(0, 0, main.width, main.height);
      context.globalCompositeOperation = "source-over";
      context.globalAlpha = 0.75;
      context.drawImage(layers.bits, 0, 0, layers.bits.width * BLOCK, layers.bits.height * BLOCK);
      context.globalAlpha = 1;
    }
    if (x > 0) context.drawImage(layers.other, 0, 0, x, main.height, 0, 0, x, main.height);
    const factor = Number(zoom.value);
    [layers.other, layers.codec].forEach((layer, i) => {
      const tile = tiles[i];
      const [w, t] = [state.tile[0] / factor, state.tile[1] / factor];
      const pen = tile.getContext("2d");
      pen.imageSmoothingEnabled = false;
      pen.clearRect(0, 0, tile.width, tile.height);
      pen.drawImage(layer, state.x - w / 2, state.y - t / 2, w, t, 0, 0, tile.width, tile.height);
    });
  }

  /** Prepares for a photo of this size. Small photos are enlarged by a whole factor, tall ones limited in height. */
  function resize(width, height, focus) {
    for (const canvas of [main, layers.codec, layers.other]) [canvas.width, canvas.height] = [width, height];
    [layers.bits.width, layers.bits.height] = [Math.ceil(width / BLOCK), Math.ceil(height / BLOCK)];
    const factor = Math.max(1, Math.floor(384 / Math.max(width, height)));
    stage.style.width = `min(100%, ${width * factor}px, ${((600 * width) / height).toFixed(1)}px)`;
    stage.style.aspectRatio = `${width} / ${height}`;
    [state.x, state.y] = focus;
    layout();
  }

  function update() {
    layout();
    draw();
  }

  function name(otherText, codecText) {
    const texts = [otherText, codecText];
    texts.forEach((text, i) => {
      tags[i].textContent = captions[i].textContent = text;
      tiles[i].setAttribute("aria-label", `${text}, enlarged`);
    });
    main.setAttribute("aria-label", `Left of the wipe: ${otherText}. Right of it: ${codecText}.`);
    describeWipe();
  }

  function drag(target, move) {
    target.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      event.stopPropagation();
      target.setPointerCapture(event.pointerId);
      (target === stage ? lens : target).focus({ preventScroll: true });
      const follow = (e) => {
        const box = stage.getBoundingClientRect();
        move(clamp((e.clientX - box.left) / box.width, 0, 1), clamp((e.clientY - box.top) / box.height, 0, 1));
        update();
      };
      const stop = () => {
        target.removeEventListener("pointermove", follow);
        target.removeEventListener("lostpointercapture", stop);
      };
      target.addEventListener("pointermove", follow);
      target.addEventListener("lostpointercapture", stop);
      follow(event);
    });
  }
  drag(handle, (x) => (state.wipe = x));
  drag(stage, (x, y) => ([state.x, state.y] = [x * main.width, y * main.height]));

  function keys(target, act) {
    target.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!act(event.key, step, event.shiftKey)) return;
      event.preventDefault();
      update();
    });
  }
  keys(handle, (key, step, fast) => {
    if (step) state.wipe = clamp(state.wipe + (step[0] - step[1]) * (fast ? 0.1 : 0.02), 0, 1);
    else if (key === "Home" || key === "End") state.wipe = key === "Home" ? 0 : 1;
    else return false;
    return true;
  });
  keys(lens, (key, step, fast) => {
    if (!step) return false;
    [state.x, state.y] = [state.x + step[0] * (fast ? 64 : 8), state.y + step[1] * (fast ? 64 : 8)];
    return true;
  });
  zoom.addEventListener("change", update);

  return { node, tools, state, layers, resize, name, draw, update };
}

// ------------------------------------------------------------------------------------------------ the read-out

function createReadout() {
  const cells = {};
  const table = h("table", { class: "nct-table" });
  const head = { codec: h("th", { scope: "col" }), other: h("th", { scope: "col" }) };
  table.append(h("tr", {}, h("td"), head.codec, head.other));
  const rows = [["bytes", "file (bytes)"], ["bpp", "measured bpp"], ["estimated", "estimated bpp"], ["psnr", "PSNR (dB)"],
    ["ms_ssim", "MS-SSIM"]];
  for (const [key, label] of rows) {
    cells[key] = [h("td", { "data-value": key }), h("td")];
    table.append(h("tr", {}, h("th", { scope: "row" }, label), ...cells[key]));
  }
  const loss = h("p", { class: "nct-loss" });
  const parts = [h("span", { style: "background:#0072b2" }), h("span", { style: "background:#e69f00" })];
  const bar = h("div", { class: "nct-bar", "aria-hidden": "true" }, ...parts);
  const key = h("p", { class: "nct-key" });
  const node = h("div", {}, table, loss, bar, key);

  function show(frame, msSsim, name, rival) {
    head.codec.textContent = NAMES[frame.codec];
    head.codec.style.color = COLOURS[frame.codec];
    head.other.style.color = COLOURS[name] ?? "inherit";
    head.other.textContent = rival?.quality === undefined ? NAMES[name] : `${NAMES[name]} q ${rival.quality}`;
    const write = (key, i, text) => (cells[key][i].textContent = text);
    const number = (value, digits) => (value == null ? "…" : value === Infinity ? "∞" : value.toFixed(digits));
    [[frame, msSsim], [rival, rival?.ms_ssim]].forEach(([x, similarity], i) => {
      write("bytes", i, x ? thousands(x.bytes) : "…");
      write("bpp", i, number(x?.bpp, 3));
      write("estimated", i, x && x.estimated === undefined ? "–" : number(x?.estimated, 3));
      write("psnr", i, number(x?.psnr, 2));
      write("ms_ssim", i, number(similarity, 4));
    });
    const distortion = frame.lam * frame.mse;
    const total = frame.bpp + distortion;
    loss.innerHTML = `<i>L</i> = <i>R</i> + <i>λD</i> = ${frame.bpp.toFixed(3)} + ${showLam(frame.lam)} × ${frame.mse.toFixed(1)}
      = <b data-value="loss">${total.toFixed(3)}</b>`;
    key.innerHTML = `<span style="color:#0072b2">■</span> rate <i>R</i> ${frame.bpp.toFixed(3)}
      <span style="color:#e69f00">■</span> distortion <i>λD</i> ${distortion.toFixed(3)}`;
    parts[0].style.width = `${(100 * frame.bpp) / total}%`;
    parts[1].style.width = `${(100 * distortion) / total}%`;
  }

  return { node, show };
}

// ------------------------------------------------------------------------------------------------ the widget

const watched = new WeakMap(); // model -> how many views show it

function createControls(model, live) {
  const id = `nct-${Math.random().toString(36).slice(2)}`; // another explorer on the page has another
  const stops = model.get("stops");
  const [low, high] = [stops[0], stops.at(-1)];
  const steps = (live ? stops : model.get("stills")).length - 1;
  const slider = h("input", {
    type: "range", id, min: 0, max: steps, step: live ? "any" : 1, "aria-describedby": `${id}-help`,
  });
  function at(lam) {
    const position = (steps * Math.log(lam / low)) / Math.log(high / low);
    const stop = Math.round(position);
    return Math.abs(position - stop) < 1e-6 ? stop : position;
  }
  const lamAt = (value) => (live && stops[value]) || low * (high / low) ** (value / steps);
  const ticks = h("div", { class: "nct-ticks", "aria-hidden": "true" });
  for (const lam of [0.001, 0.002, 0.005, 0.01, 0.02, 0.05].filter((lam) => lam >= low && lam <= high)) {
    const tick = h("span", {}, String(lam));
    tick.style.left = `${(100 * at(lam)) / steps}%`;
    ticks.append(tick);
  }
  const value = h("span", { class: "nct-lam" });
  const node = h("div", { class: "nct-slider" },
    h("label", { for: id }, h("i", {}, "λ")), value,
    h("div", { class: "nct-track" }, slider, ticks,
      h("div", { class: "nct-ends", id: `${id}-help` }, h("span", {}, "← smaller file"), h("span", {}, "better picture →"))));

  slider.addEventListener("keydown", (event) => {
    const page = Math.ceil(steps / 8);
    const fine = event.shiftKey && live ? 1 / 8 : 1;
    const move = { ArrowRight: fine, ArrowUp: fine, ArrowLeft: -fine, ArrowDown: -fine, PageUp: page, PageDown: -page,
      Home: -steps, End: steps }[event.key];
    if (!move || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const to = Number(slider.value) + move;
    slider.value = clamp(Math.abs(move) < 1 ? to : move > 0 ? Math.floor(to) : Math.ceil(to), 0, steps); // from stop to stop
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  });

  function show(lam) {
    value.textContent = `= ${showLam(lam)}`;
    slider.setAttribute("aria-valuetext", `λ = ${showLam(lam)}`);
  }
  const lamNear = (value) => lamAt(Math.round(value));
  return { node, slider, show, at, lamAt, lamNear };
}

function createPhotoChoice(model, complain, opening) {
  const select = h("select");
  const file = h("input", { type: "file", accept: "image/*" });
  const open = h("label", { class: "nct-button" }, "Open a photo…", file);

  function fill() {
    const own = model.get("scene").own;
    const groups = Object.entries(model.get("photos")).map(([title, names]) =>
      h("optgroup", { label: title }, ...names.map((name) => h("option", { value: name }, words(name)))));
    if (own) groups.unshift(h("optgroup", { label: "your own" }, h("option", { value: "own" }, own)));
    select.replaceChildren(...groups);
    select.value = model.get("photo");
  }

  function send(photo) {
    if (photo.size > UPLOAD_LIMIT) {
      complain(`${photo.name} has ${thousands(photo.size / 1e6)} MB; the explorer takes up to ${UPLOAD_LIMIT / 1e6} MB.`);
      return;
    }
    opening(photo.name);
    photo.arrayBuffer().then((buffer) => {
      const parts = Math.max(1, Math.ceil(buffer.byteLength / UPLOAD_PART));
      for (let part = 0; part < parts; part++) {
        const piece = buffer.slice(part * UPLOAD_PART, (part + 1) * UPLOAD_PART);
        model.send({ kind: "upload", name: photo.name, part, parts }, undefined, [piece]);
      }
    }, () => complain(`${photo.name} could not be read.`));
  }

  select.addEventListener("change", () => {
    opening(select.selectedOptions[0].textContent);
    model.set("photo", select.value);
    model.save_changes();
  });
  file.addEventListener("change", () => {
    if (file.files.length) send(file.files[0]);
    file.value = ""; // so that the same file can be chosen again
  });
  return { parts: [h("label", {}, "Photo ", select), open], fill };
}

function render({ model, el }) {
  const live = model.get("live");
  const complaint = h("p", { class: "nct-error", role: "alert", hidden: "" });
  const complain = (text) => {
    complaint.hidden = !text;
    complaint.textContent = text;
  };
  const controls = createControls(model, live);
  const choice = createPhotoChoice(model, complain, (name) => {
    complain("");
    note.textContent = `Opening ${name}…`;
    expectAnswer();
  });
  const pictures = createPictures();
  const readout = createReadout();
  const plane = createPlane();

  const codec = h("select");
  for (const name of model.get("codecs")) codec.append(h("option", { value: name }, NAMES[name]));
  const codecChoice = live && codec.length > 1 ? [h("label", {}, "Codec ", codec)] : [];
  const compare = h("select");
  for (const [value, text] of [["original", "original"], ["jpeg", "JPEG at the same bytes"], ["webp", "WebP at the same bytes"]]) {
    compare.append(h("option", { value }, text));
  }
  const bitsOn = h("input", { type: "checkbox" });
  const legend = h("span", { class: "nct-legend", hidden: "" },
    h("span", { class: "nct-colours" }, ...[1, 10, 100, 1000].map((bits) => h("span", {}, String(bits)))), "bits per 16×16 block");
  pictures.tools.prepend(h("label", {}, bitsOn, " where the bits go"), legend);
  const note = h("p", { class: "nct-note" });
  const status = h("p", { class: "nct-note" });
  const spoken = h("div", { class: "nct-hidden", role: "status", "aria-live": "polite" });
  const root = h("section", { class: "nct-explorer", "aria-label": "λ explorer" },
    h("div", { class: "nct-bar-top" }, ...(live ? choice.parts : []), ...codecChoice, h("label", {}, "Compare with ", compare)),
    complaint, controls.node,
    h("div", { class: "nct-body" },
      h("div", { class: "nct-left" }, pictures.node, note),
      h("div", { class: "nct-side" }, plane.svg, status, readout.node)),
    spoken);
  el.replaceChildren(root);

  let shown = null; // the frame on the screen
  let scene = null;
  let painted = null; // what lies on the other picture's canvas
  let announce = 0;
  let waiting = 0;
  let dragged = false; // the thumb is held
  let asked = null; // the λ that was sent last
  let due = false; // an answer to it
  let wanted = null; // the λ to be sent after it

  const frameNow = () => (live ? model.get("frame") : model.get("stills")[Math.round(Number(controls.slider.value))]);

  function rivalOf(frame) {
    const name = model.get("other");
    const rival = frame.rivals[name];
    if (rival) return { ...rival, psnr: rival.psnr ?? Infinity, ms_ssim: detailOf(frame)[name] };
    if (name !== "original") return null; // not measured yet
    return { bytes: 3 * scene.width * scene.height, bpp: 24, psnr: Infinity, ms_ssim: 1 };
  }

  function detailOf(frame) {
    const detail = frame.detail ?? model.get("detail");
    return frame.detail || detail.serial === frame.serial ? detail : {};
  }

  /** Numbers, plane and labels of the frame on the screen. */
  function write() {
    if (!shown) return;
    const name = model.get("other");
    const rival = rivalOf(shown);
    readout.show(shown, detailOf(shown).own, name, rival);
    plane.drawPoint(shown, name, name === "original" ? null : rival);
    const quality = name === "original" ? "" : rival ? `, quality ${rival.quality}` : ": being measured…";
    pictures.name(`${NAMES[name]}${quality}`, `${NAMES[shown.codec]}, λ = ${showLam(shown.lam)}`);
    clearTimeout(announce);
    announce = setTimeout(() => {
      spoken.textContent = `${title(shown.codec)}, λ ${showLam(shown.lam)}: ${thousands(shown.bytes)} bytes, ` +
        `${shown.bpp.toFixed(2)} bits per pixel, PSNR ${shown.psnr.toFixed(1)} decibels.`;
    }, 800);
  }

  const showFrame = newest(async (frame) => {
    if (!frame?.pixels) return;
    const opened = model.get("scene") !== scene;
    if (opened) showScene();
    const name = model.get("other");
    const rival = frame.rivals[name];
    const { layers } = pictures;
    await paint(layers.codec, frame.pixels, frame.type);
    const [source, type] = name === "original" ? [scene.pixels, scene.type] : [rival?.file, `image/${name}`];
    if (source && source !== painted) await paint(layers.other, source, type);
    painted = source;
    const switched = shown?.codec !== frame.codec;
    shown = { ...frame, psnr: frame.psnr ?? Infinity };
    if (!due) clearTimeout(waiting);
    complain(model.get("error"));
    note.textContent = scene.note; // also where the photo that was opened is the one shown before
    if (opened || switched) showCurves();
    else write();
    drawPictures();
    root.dataset.codec = frame.codec;
    root.dataset.lam = frame.lam; // for tests and the latency benchmark: what the screen shows
    root.dataset.frame = frame.serial;
  });

  function drawPictures() {
    pictures.state.bits = bitsOn.checked && shown;
    if (pictures.state.bits) paintBits(pictures.layers.bits, shown.bits);
    pictures.draw();
  }

  function showScene() {
    scene = model.get("scene");
    pictures.resize(scene.width, scene.height, scene.focus);
    painted = null;
    choice.fill();
  }

  function showCurves() {
    const curves = model.get("curves");
    const inUse = shown?.codec ?? model.get("codec");
    const names = [inUse, ...model.get("codecs").filter((name) => name !== inUse), "webp", "jpeg"];
    plane.drawCurves(curves, names, shown);
    status.textContent = !complete(curves, names) ? "Curves are being measured on this photo…" : "All curves are measured on this photo.";
    write();
  }

  const refresh = () => showFrame(frameNow());

  function expectAnswer() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      complain("No answer from the kernel yet: it is busy, or this page has none.");
      answered(); // with what is wanted now it is tried again
    }, 8000);
  }

  const same = (a, b) => Math.abs(Math.log(a / b)) < 1e-9; // the kernel rounds λ at the ends of the slider

  /** Sends λ to the kernel, or, while an answer is due, remembers it: a drag must not bury the kernel in messages. */
  function ask(lam, atOnce = !due) {
    wanted = atOnce ? null : lam;
    if (!atOnce) return;
    if (same(lam, model.get("lam"))) return; // there it stands: no answer would come
    due = true;
    asked = lam;
    model.set("lam", lam);
    model.save_changes();
    expectAnswer();
  }

  function answered() {
    const lam = wanted;
    due = false;
    wanted = null;
    if (lam !== null) ask(lam);
  }

  /** A thumb in motion goes from stop to stop, where the kernel may have the picture ready; it rests where it is let go. */
  function move(atOnce) {
    const value = Number(controls.slider.value);
    const lam = dragged ? controls.lamNear(value) : controls.lamAt(value);
    controls.show(lam);
    if (live) ask(lam, atOnce);
    else refresh();
  }
  const hold = (held) => () => {
    dragged = held;
    if (!held) move(true);
  };
  controls.slider.addEventListener("input", () => move());
  controls.slider.addEventListener("pointerdown", hold(true));
  for (const end of ["change", "pointerup", "pointercancel"]) controls.slider.addEventListener(end, hold(false));
  codec.addEventListener("change", () => {
    model.set("codec", codec.value);
    model.save_changes();
    expectAnswer();
  });
  compare.addEventListener("change", () => {
    model.set("other", compare.value);
    model.save_changes();
  });
  bitsOn.addEventListener("change", () => {
    legend.hidden = !bitsOn.checked;
    drawPictures();
  });

  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // JupyterLab has other uses for plain keys
  });

  function showLamFromModel() {
    const lam = model.get("lam");
    if (lam === asked) return; // our own echo: leave the thumb alone
    asked = null;
    controls.slider.value = controls.at(lam);
    controls.show(lam);
    if (!live) refresh();
  }
  const listeners = {
    "change:lam": showLamFromModel,
    "change:frame": () => {
      const overtaken = !same(model.get("frame").asked, model.get("lam")); // leave the processor to the one being made
      answered();
      if (!overtaken) refresh();
    },
    "change:detail": write,
    "change:curves": showCurves,
    "change:codec": () => (codec.value = model.get("codec")),
    "change:other": () => {
      compare.value = model.get("other");
      if (!live) refresh();
    },
    "change:error": () => {
      clearTimeout(waiting);
      complain(model.get("error"));
      note.textContent = model.get("scene").note ?? "";
    },
    "change:photo": () => choice.fill(),
  };
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  const observer = new ResizeObserver(() => pictures.update());
  observer.observe(root);

  controls.slider.value = controls.at(model.get("lam"));
  controls.show(live ? model.get("lam") : controls.lamAt(Number(controls.slider.value)));
  codec.value = model.get("codec");
  compare.value = model.get("other");
  complain(model.get("error"));
  showCurves();
  watched.set(model, (watched.get(model) ?? 0) + 1);
  if (live && !model.get("frame").pixels) {
    model.send({ kind: "wake" });
    expectAnswer();
  } else refresh();

  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    observer.disconnect();
    clearTimeout(announce);
    clearTimeout(waiting);
    watched.set(model, watched.get(model) - 1);
    if (live && watched.get(model) === 0) model.send({ kind: "sleep" }); // the last view is gone: free the photo
  };
}

/** The precomputed widget in a page of its own. `text`: its state as JSON, with bytes as {base64: "..."}. */
function standAlone(text, el) {
  const state = JSON.parse(text, (_, value) =>
    value?.base64 === undefined ? value : new DataView(Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)).buffer));
  const listeners = {};
  const model = { // stands in for the Jupyter model: there is no kernel, so nobody answers
    get: (key) => state[key],
    set: (key, value) => {
      state[key] = value;
      listeners[`change:${key}`]?.();
    },
    on: (event, listener) => (listeners[event] = listener),
    save_changes() {}, off() {}, send() {},
  };
  render({ model, el });
}

export default { render, standAlone };
