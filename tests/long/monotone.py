"""Do bytes and PSNR rise with λ on every bundled photo? A table, and exit code 1 if not.

python tests/long/monotone.py [WEIGHTS]
"""

import sys

import numpy as np

from nctutorial import data, load_codec, metrics
from nctutorial.codec.units import LAM_MAX, LAM_MIN

LAMS = np.geomspace(LAM_MIN, LAM_MAX, 33)


def main(model="factorized"):
    codec = load_codec(model)
    print("photo                 bpp           PSNR (dB)      least step from λ to λ")
    all_rise = True
    for name in data.photo_names("heldout") + data.photo_names("train"):
        image = data.photo(name)
        latent = codec.analyze(image)
        coded = [codec.code(latent, lam) for lam in LAMS]
        sizes = np.array([len(c.data) for c in coded])
        psnrs = np.array([metrics.psnr(image, c.image) for c in coded])
        rise = (np.diff(sizes) > 0).all() and (np.diff(psnrs) > 0).all()
        all_rise &= rise
        rates = [metrics.bpp(sizes[i], image) for i in (0, -1)]
        print(
            f"{name:18} {rates[0]:5.3f} .. {rates[1]:5.3f}  {psnrs[0]:5.2f} .. {psnrs[-1]:5.2f}  "
            f"{100 * np.diff(np.log(sizes)).min():+6.2f} % bytes  {np.diff(psnrs).min():+.3f} dB  "
            + ("rises" if rise else "DOES NOT RISE"),
            flush=True,
        )
    print("every photo: bytes and PSNR rise with λ" if all_rise else "NOT ON EVERY PHOTO")
    return 0 if all_rise else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
