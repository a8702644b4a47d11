"""Solutions of the exercises of chapter 00."""

import numpy as np


# Exercise 0.1
def break_even(r_a, d_a, r_b, d_b):
    """R_a + λ D_a = R_b + λ D_b, so λ (D_a - D_b) = R_b - R_a.

    The ratio has the same value if A and B change places. The point R[5], D[5] wins between its break-even λ with the
    point after it and that with the point before it, provided that those lie on the lower hull too.
    """
    return (r_b - r_a) / (d_a - d_b)


# Exercise 0.2
def differences(k):
    """The column put in front of the first holds the entry above, and 0 above the very first.

    The decoder adds up: first down the first column, then along each row, `np.cumsum` twice. On the red panda the
    row shrinks by 28 % at a step of 40 and by 40 % at 160, where it is a fifth of the whole file.
    """
    above = np.concatenate([[0], k[:-1, 0]])
    return np.diff(k, axis=1, prepend=above[:, None])


# Exercise 0.3
def step_for(lam):
    """The derivative, -3 / (Δ ln 2) + λ Δ / 6, is 0 where Δ² = 18 / (λ ln 2).

    Measured winners have larger steps, most of all at small λ: where nearly all integers are zero already, a coarser
    step saves less than 3 bits a pixel for each doubling, but the error grows less than fourfold too: what is zero
    cannot lose more than it has.
    """
    return np.sqrt(18 / (lam * np.log(2)))
