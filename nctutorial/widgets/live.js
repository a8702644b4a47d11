// The front end of LiveTraining: a button, a slider, the R-D plane and one picture.

let h, LamSlider, paint, Patience, Plane, save, show; // of the kit, common.js

async function initialize({ model }) {
  const kit = new Blob([model.get("kit")], { type: "text/javascript" });
  ({ h, LamSlider, paint, Patience, Plane, save, show } = await import(URL.createObjectURL(kit)));
}

const lossOf = ([bpp, psnr], lam) => bpp + (lam * 255 ** 2) / 10 ** (psnr / 10);

/** The points of one loss at one λ: where rate + λ MSE is the same. */
function equalLoss(loss, lam, plane) {
  const rates = Array.from({ length: 101 }, (_, i) => (plane.most * i) / 100).filter((rate) => rate < loss);
  const points = rates.map((rate) => [rate, 10 * Math.log10((255 ** 2 * lam) / (loss - rate))]);
  return points.filter(([, psnr]) => psnr >= plane.low && psnr <= plane.high);
}

function drawPlane(plane, trail, goals, lam) {
  const points = trail.map(([, , bpp, psnr]) => [bpp, psnr]);
  const now = points.at(-1);
  plane.clear([...points, ...goals]);
  plane.line(equalLoss(lossOf(now, lam), lam, plane), { class: "nct-equal" });
  plane.line(points, { class: "nct-trail" });
  for (const point of points) plane.inside.append(plane.dot(point, 1.8, { class: "nct-past" }));
  for (const [bpp, psnr] of goals) {
    plane.inside.append(h("path", { class: "nct-goal", d: `M${plane.x(bpp) - 6} ${plane.y(psnr)}h12m-6 -6v12` }));
  }
  plane.front.replaceChildren(plane.dot(now, 6.5, { class: "nct-point" }));
  plane.node.setAttribute("aria-label", "Rate-distortion plane. The model stands at " +
    `${now[0].toFixed(2)} bits per pixel and ${now[1].toFixed(1)} decibels.`);
}

function render({ model, el }) {
  const plane = new Plane("estimated rate (bpp)");
  const slider = new LamSlider(model.get("stops"));
  const button = h("button", { type: "button" });
  const canvas = h("canvas", { role: "img", "aria-label": "The picture as the model codes it now" });
  const facts = h("p", { class: "nct-facts" });
  const note = h("p", { class: "nct-note", role: "status" });
  const key = h("p", { class: "nct-note" }, "Dashed: all points of equal loss at this λ. Above it the loss is lower.",
    model.get("goals").length ? " Crosses: models trained to the end." : "");
  const root = h("section", { class: "nct-live", "aria-label": "Training with a movable λ" },
    h("div", { class: "nct-row" }, button, slider.node),
    h("div", { class: "nct-row" }, h("div", { class: "nct-left" }, plane.node, key),
      h("div", { class: "nct-side" }, canvas, facts, note)));
  const patience = new Patience((text) => (note.textContent = text));

  function showTrail() {
    const [step, , bpp, psnr] = model.get("trail").at(-1);
    drawPlane(plane, model.get("trail"), model.get("goals"), model.get("lam"));
    const loss = lossOf([bpp, psnr], model.get("lam")).toFixed(2);
    facts.textContent = `step ${step}: R ${bpp.toFixed(2)} bpp, PSNR ${psnr.toFixed(1)} dB, R + λD ${loss}`;
    facts.dataset.step = step;
    patience.end();
  }
  function showFrame() {
    const frame = model.get("frame");
    [canvas.width, canvas.height] = [frame.width, frame.height];
    paint(canvas, frame);
  }
  function showLam() {
    slider.setLam(model.get("lam"));
    showTrail();
  }
  function showRunning() {
    button.textContent = model.get("running") ? "Pause" : "Start training";
    note.textContent = model.get("note");
  }

  button.addEventListener("click", () => {
    save(model, "running", !model.get("running"));
    if (model.get("running")) patience.start();
    else patience.end();
  });
  slider.input.addEventListener("input", () => save(model, "lam", slider.lam));
  showFrame();
  showLam();
  showRunning();
  return show({ model, el }, root, { "change:trail": showTrail, "change:frame": showFrame, "change:lam": showLam,
    "change:running": showRunning, "change:note": showRunning }, () => patience.end());
}

export default { initialize, render };
