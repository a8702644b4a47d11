"""Do bytes and PSNR rise with λ on every bundled photo? python -m tests.long.monotone [--model hyperprior]

Codes each photo at 33 λ, prints a table, and exits with 1 if they do not. Takes five minutes on two cores.
"""

import argparse
import sys

import numpy as np

from nctutorial import data, load_codec, metrics
from nctutorial.codec.units import LAM_MAX, LAM_MIN

LAMS = np.geomspace(LAM_MIN, LAM_MAX, 33)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="factorized")
    codec = load_codec(parser.parse_args().model)
    print("photo                 bpp           PSNR (dB)      smallest rise from λ to λ")
    all_rise = True
    for name in data.photo_names("heldout") + data.photo_names("train"):
        image = data.photo(name)
        latent = codec.analyze(image)
        coded = [codec.code(latent, lam) for lam in LAMS]
        rates = np.array([metrics.bpp(len(c.data), image) for c in coded])
        psnrs = np.array([metrics.psnr(image, c.image) for c in coded])
        rises = (np.diff(rates) > 0).all() and (np.diff(psnrs) > 0).all()
        all_rise &= rises
        print(
            f"{name:18} {rates[0]:5.3f} .. {rates[-1]:5.3f}  {psnrs[0]:5.2f} .. {psnrs[-1]:5.2f}  "
            f"{100 * np.diff(np.log(rates)).min():+6.2f} % bytes  {np.diff(psnrs).min():+.3f} dB  "
            + ("rises" if rises else "DOES NOT RISE"),
            flush=True,
        )
    print("every photo: bytes and PSNR rise with λ" if all_rise else "NOT ON EVERY PHOTO")
    return 0 if all_rise else 1


if __name__ == "__main__":
    sys.exit(main())
