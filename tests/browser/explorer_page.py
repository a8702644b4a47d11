"""The λ explorer as a reader meets it on a page."""

import numpy as np

HASH = """
(canvas) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let hash = 0;
  for (const value of data) hash = (Math.imul(hash, 31) + value) | 0;
  return `${canvas.width}x${canvas.height}:${hash}`;
}
"""
STOPS = np.geomspace(0.001, 0.06, 61)


class ExplorerPage:
    def __init__(self, page, number=0):
        self.page = page
        self.root = page.locator(".nct-explorer").nth(number)
        self.slider = self.root.locator("input[type=range]")
        self.wipe = self.root.get_by_role("slider", name="Wipe")
        self.stage = self.root.locator(".nct-stage")
        self.root.and_(page.locator("[data-frame]")).wait_for()

    def choice(self, label):
        return self.root.get_by_role("combobox", name=label)

    def bring_into_view(self):
        """Scroll until the slider stands still on the screen: JupyterLab renders cells as they come into view."""
        before, now = None, self.slider.bounding_box()
        while before != now or not 0 < now["y"] < 900:
            self.root.evaluate("(root) => root.scrollIntoView()")
            self.page.wait_for_timeout(300)
            before, now = now, self.slider.bounding_box()

    def value(self, name):
        text = self.root.locator(f"[data-value={name}]").text_content()
        return float(text.replace("\u202f", "").replace("…", "nan"))

    @property
    def lam(self):
        return float(self.root.get_attribute("data-lam"))

    def pixels(self):
        """Those of the codec's picture."""
        return self.root.locator(".nct-main").evaluate(HASH)

    def wait_until(self, script, argument=None):
        """Wait until a JavaScript function of the root element and an argument is true."""
        self.page.wait_for_function(
            f"([root, argument]) => ({script})(root, argument)", arg=[self.root.element_handle(), argument]
        )

    def wait_for_change(self, act):
        """Do something, and wait for the frame that answers it."""
        before = self.root.get_attribute("data-frame")
        act()
        self.wait_until("(root, before) => root.dataset.frame !== before", before)

    def wait_for_slider(self):
        """Until the picture of the λ where the slider stands is shown."""
        self.wait_until(
            "(root) => Math.abs(Math.log(root.dataset.lam / root.querySelector('.nct-caption').textContent)) < 7e-3"
        )

    def wait_for_rest(self):
        """Until MS-SSIM has come, for both pictures."""
        self.wait_until(
            "(root) => ![...root.querySelectorAll('.nct-table td')].some((cell) => cell.textContent === '…')"
        )
