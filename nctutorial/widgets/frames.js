// The front end of FrameSlider: a slider that shows one of its pictures.

let h, save, show, Slider; // of the kit, common.js

async function initialize({ model }) {
  const kit = new Blob([model.get("kit")], { type: "text/javascript" });
  ({ h, save, show, Slider } = await import(URL.createObjectURL(kit)));
}

function render({ model, el }) {
  const slider = new Slider(model.get("label"), model.get("captions"));
  const pictures = model.get("frames").map((png, i) =>
    h("img", { src: URL.createObjectURL(new Blob([png], { type: "image/png" })), alt: model.get("captions")[i] }));
  function turn() {
    slider.set(model.get("index"));
    pictures.forEach((picture, i) => (picture.hidden = i !== model.get("index")));
  }
  slider.input.addEventListener("input", () => save(model, "index", slider.position));
  turn();
  const root = h("section", { class: "nct-frames", "aria-label": model.get("label") }, slider.node, ...pictures);
  const forget = () => pictures.forEach((picture) => URL.revokeObjectURL(picture.src));
  return show({ model, el }, root, { "change:index": turn }, forget);
}

export default { initialize, render };
