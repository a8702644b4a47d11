# %% [markdown]
# # 02 · Quantisation
#
# *Where the loss happens, and where the gradients die.*

# %% [markdown]
# ## In this chapter
#
# **Goal.** Chapter 01 learned an encoder and a decoder, but its latents were real numbers, and a file holds integers.
# Between the two stands one small operation, rounding. It is the only place in a codec where information is lost on
# purpose, and the only place through which no gradient passes.
#
# **You will be able to**
#
# - predict the error and the rate of a uniform quantiser from its step, and say when the prediction fails;
# - show that the gradient of `round` is exactly 0, and say where its slope has gone;
# - write the straight-through estimator and soft rounding from memory, and say what is wrong with each;
# - measure what a codec gains when it is trained with the rounding in place.
#
# **Needs** chapters 00 and 01; derivatives and a little probability. **Time** about 50 minutes.
#
# ### Notation
#
# | symbol | meaning | in code |
# |---|---|---|
# | $v$, $\Delta$ | a real number, the quantiser's step | `v`, `step` |
# | $k = \lfloor v/\Delta \rceil$, $\hat v = k\Delta$ | the integer that is transmitted, the number that the decoder sees | `k`, `v_hat` |
# | $e = \hat v - v$ | the rounding error | `e` |
# | $y$, $\hat y = \lfloor y \rceil$ | latent, rounded latent ($\Delta = 1$) | `y`, `y_hat` |
# | $D$ | mean squared error on the 0..255 scale | `mse` |
# | $H$ | entropy of the integers, in bits each: an *estimated* rate | `bits` |
#
# $\lfloor \cdot \rceil$ is rounding to the nearest integer. *Measured* rates are lengths of byte strings, as in chapter 00.

# %%
import copy

import constriction
import matplotlib.pyplot as plt
import numpy as np
import torch
from checks import ch02 as check
from matplotlib.figure import Figure

from nctutorial import data, layers, metrics, plotting, toys, widgets

plotting.style()

# %% [markdown]
# ## 1 · One rounding
#
# A uniform quantiser divides by the step, rounds, and multiplies back. The integer in the middle is what goes into the
# file. The decoder knows the step, so the integer is all that it needs.

# %%
# NBVAL_CHECK_OUTPUT
v = np.array([-1.7, -0.2, 0.3, 2.6, 3.1])
step = 2.0
k = np.round(v / step).astype(int)
print("sent     ", k)
print("decoded  ", k * step)
print("error    ", (k * step - v).round(1))

# %% [markdown]
# No error is larger than half a step. The same on a photo: take the brightness $Y$ of each pixel of our red panda (the
# weighted sum of R, G and B that JPEG uses) and quantise it with a step of 64.

# %%
# NBVAL_CHECK_OUTPUT
def quantize(v, step):
    """The numbers that a decoder sees after rounding to multiples of `step`."""
    return np.round(v / step) * step


photo = data.photo("red_panda")
Y = photo @ np.array([0.299, 0.587, 0.114])
coarse = quantize(Y, 64)
print(f"{len(np.unique(Y.round(3)))} different values before, {np.unique(coarse)} after")
assert np.abs(coarse - Y).max() <= 32

# %% [markdown]
# Five values remain. The picture shows, from left to right, a piece of the photo, the same piece after rounding, and
# the error. Look at the error: you can still see the animal in it, so at this step the error is no mere noise.

# %%
piece = np.s_[120:280, 300:520]
figure, axes = plt.subplots(1, 3, figsize=(11, 2.9), layout="constrained")
planes = {"brightness Y": Y, "step 64": coarse, "error + 128": coarse - Y + 128}
for ax, (title, plane) in zip(axes, planes.items(), strict=True):
    ax.imshow(plane[piece], cmap="gray", vmin=0, vmax=255)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ## 2 · How large is the error?
#
# Write $p$ for the density of $v$. Cell $k$ of the quantiser is the interval of length $\Delta$ around $k\Delta$, and in
# it the error is $k\Delta - v$. So the mean squared error is, exactly,
#
# $$ D = \sum_k \int_{k\Delta-\Delta/2}^{k\Delta+\Delta/2} p(v)\,(k\Delta - v)^2\,dv. $$
#
# **The one assumption**: the steps are so fine that $p$ hardly changes within a cell. Then $p(v) \approx p(k\Delta)$ comes
# out of the integral, and with $e = k\Delta - v$ what is left is the same integral in each cell:
#
# $$ D \approx \sum_k p(k\Delta) \int_{-\Delta/2}^{\Delta/2} e^2\,de
#      = \sum_k p(k\Delta)\,\Big[\tfrac{e^3}{3}\Big]_{-\Delta/2}^{\Delta/2}
#      = \sum_k p(k\Delta)\,\tfrac{\Delta^3}{12}. $$
#
# One factor $\Delta$ belongs to the probability of the cell, $P_k \approx p(k\Delta)\,\Delta$, and probabilities sum to 1:
#
# $$ D \approx \frac{\Delta^2}{12} \sum_k P_k = \frac{\Delta^2}{12}. $$
#
# Nothing about the photo is left in the formula. Does a real photo obey it?

# %%
# NBVAL_CHECK_OUTPUT
e = quantize(Y, 8) - Y
print(f"mean {e.mean():.2f}, mean square {np.square(e).mean():.2f}, theory {8**2 / 12:.2f}")
assert abs(e.mean()) < 0.05 and abs(np.square(e).mean() / (8**2 / 12) - 1) < 0.05

# %% [markdown]
# It does, to 3 %. Behind this stands the assumption that the error is spread evenly over its cell, and unrelated to the
# value itself. That too can be looked at: ten bins should hold a tenth of the errors each, and the correlation with
# $Y$ should be near 0.

# %%
# NBVAL_CHECK_OUTPUT
share = np.histogram(e, bins=10, range=(-4, 4))[0] / e.size
print("share in each tenth of the cell:", share.round(2))
print(f"correlation with Y: {abs(np.corrcoef(e.ravel(), Y.ravel())[0, 1]):.2f}")
assert share.min() > 0.08 and share.max() < 0.13

# %% [markdown]
# Hold on to this picture, an error that is **uniform on $(-\Delta/2, \Delta/2)$, with variance $\Delta^2/12$, and does not
# care about the value**. The next chapter builds a whole training method on it.
#
# ### Where it breaks: coarse steps
#
# A codec does not quantise pixels. It quantises the output of a transform: in chapter 00, the coefficients of the
# 8x8 DCT. Put the 64 coefficients of each block into 64 rows, one for each frequency.

# %%
# NBVAL_CHECK_OUTPUT
c = toys.block_dct(Y - 128).reshape(-1, 64).T  # (64 frequencies, blocks)
print("shape", c.shape)
print(f"mean square: pixels {np.square(Y - 128).mean():.0f}, coefficients {np.square(c).mean():.0f}")
assert np.isclose(np.square(c).mean(), np.square(Y - 128).mean())

# %% [markdown]
# The transform is orthonormal, so it keeps mean squares: an error made in the coefficients is the same mean squared
# error in the pixels. If $\Delta^2/12$ held for both, they would have the same $D$ at the same step.
#
# **Before you run the next cell, guess**: most DCT coefficients of a photo are close to 0. Take a step much larger than
# they are. Is their error larger or smaller than $\Delta^2/12$?

# %%
# NBVAL_CHECK_OUTPUT
print("step   D / (step^2/12):  pixels  coefficients")
ratio = {}
for step in (0.25, 1, 4, 16, 64, 256):
    ratio[step] = [np.square(quantize(v, step) - v).mean() / (step**2 / 12) for v in (Y, c)]
    print(f"{step:6}                   {ratio[step][0]:5.2f}  {ratio[step][1]:5.2f}")
assert abs(ratio[0.25][1] - 1) < 0.02 and ratio[16][1] < 0.6 and ratio[256][1] < 0.1

# %% [markdown]
# Smaller, and by far. A coefficient that is rounded to 0 loses only itself: its error is $-v$, and if $|v|$ is much less
# than half a step, that is much less than the $\Delta/\sqrt{12}$ of the formula. The assumption has failed. The density of the
# coefficients has a sharp peak at 0, and within the cell around 0 it is anything but flat.
#
# The pixels are spread over the whole range, so for them the law holds until the step is a quarter of that range; at 256 only
# two values are left, and the ratio can go either way.
#
# ### Where it breaks: steps finer than the data
#
# There is a second failure, at the other end. The red channel of the file holds integers. Round integers to even
# numbers: half of them are hit exactly, the other half are off by exactly 1.

# %%
# NBVAL_CHECK_OUTPUT
red = photo[..., 0].astype(float)
e = quantize(red, 2) - red
print(f"errors {np.unique(e)}, mean square {np.square(e).mean():.2f}, theory {2**2 / 12:.2f}")
assert 0.49 < np.square(e).mean() < 0.52

# %% [markdown]
# The errors are far from uniform on $(-1, 1)$, and 0.5 is half as much again as 0.33. Numbers that already lie on a grid
# feel a step that is near that grid. Exercise 2.1 finds the right law for them.

# %% [markdown]
# ### See it
#
# Move the step yourself. Each frame quantises all DCT coefficients with one step and transforms back. On the left is the
# result; on the right, in blue, the histogram of the coefficients' errors in units of the step, against the flat line of the
# theory in orange. The title compares the measured PSNR with $10\log_{10}(255^2 \cdot 12/\Delta^2)$.
#
# **Predict first.** At a step of 64 the theory says 22.8 dB. Will the photo be better or worse than that? And where will the
# histogram rise above the flat line: in the middle, or at the ends?

# %%
def draw(step):
    c_hat = quantize(c, step)
    plane = toys.block_idct(c_hat.T.reshape(64, 96, 8, 8)) + 128
    figure = Figure(figsize=(8.4, 3.1), dpi=72, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1))
    left.imshow(plane[piece], cmap="gray", vmin=0, vmax=255)
    left.set(xticks=[], yticks=[])
    psnr = 10 * np.log10(255**2 / np.square(c_hat - c).mean())
    left.set_title(f"measured {psnr:.1f} dB, theory {10 * np.log10(255**2 * 12 / step**2):.1f} dB")
    right.hist(((c_hat - c) / step).ravel(), bins=41, range=(-0.5, 0.5), density=True, color=plotting.BLUE)
    right.plot([-0.5, 0.5], [1, 1], color=plotting.ORANGE)
    right.set(xlabel="error / step", ylabel="density", ylim=(0, 8))
    return figure


widgets.FrameSlider(draw, [1, 4, 8, 16, 32, 64, 128], "step Δ")

# %% [markdown]
# At a step of 1 the histogram is nearly flat and the theory is right. From 8 on a peak grows in the middle: those are the
# coefficients that were small and became 0. They cost little distortion, and as section 3 shows, next to no bits. At 64 the
# photo is 6.7 dB better than the theory says.

# %%
# NBVAL_CHECK_OUTPUT
measured = 10 * np.log10(255**2 / np.square(quantize(c, 64) - c).mean())
theory = 10 * np.log10(255**2 * 12 / 64**2)
print(f"step 64: measured {measured:.1f} dB, theory {theory:.1f} dB, {np.mean(np.round(c / 64) == 0):.0%} are zeros")
assert 6 < measured - theory < 7.5

# %% [markdown]
# ## 3 · Six decibels a bit
#
# A finer step costs bits. How many? An ideal coder spends $H = -\sum_k P_k \log_2 P_k$ bits on each integer. Under the
# assumption of section 2, $P_k \approx p(k\Delta)\,\Delta$, so
#
# $$ H \approx -\sum_k p(k\Delta)\,\Delta\,\log_2\big(p(k\Delta)\,\Delta\big). $$
#
# The logarithm of the product is a sum of two terms:
#
# $$ H \approx -\sum_k p(k\Delta)\,\log_2 p(k\Delta)\;\Delta \;-\; \log_2 \Delta \sum_k p(k\Delta)\,\Delta. $$
#
# The first sum is the rectangle rule for the integral $h = -\int p(v) \log_2 p(v)\,dv$, the *differential entropy* of $v$. The
# second is the sum of the probabilities, 1. So
#
# $$ H \approx h - \log_2 \Delta. $$
#
# Now halve the step. $\log_2$ says: **one more bit for each number**. $\Delta^2/12$ says: a quarter of the error, which
# is $10 \log_{10} 4 = 6.02$ **dB** more. For a bell curve of standard deviation 1, $h = \tfrac12\log_2(2\pi e) = 2.05$ bits, and a
# hundred thousand numbers drawn from it agree:

# %%
# NBVAL_CHECK_OUTPUT
def entropy(k):
    """Bits per integer that an ideal coder needs when it knows the histogram of k. k: (N,) integers."""
    p = np.unique(k, return_counts=True)[1] / len(k)
    return -np.sum(p * np.log2(p))


v = np.random.default_rng(0).normal(size=100_000)
for step in (1, 1 / 2, 1 / 4, 1 / 8):
    bits, theory = entropy(np.round(v / step)), 0.5 * np.log2(2 * np.pi * np.e) - np.log2(step)
    print(f"step 1/{1 / step:.0f}: {bits:.2f} bits, theory {theory:.2f}")
    assert abs(bits - theory) < 0.07

# %% [markdown]
# On the photo, do the same with the pixels and with the DCT coefficients, each frequency under its own histogram. We want two numbers for each
# halving of the step: how many bits it cost, and how many dB it bought.

# %%
def rate_and_psnr(v, steps):
    """(steps, 2): bits per number and dB. v: (rows, numbers), each row coded under its own histogram."""
    bits = [np.mean([entropy(row) for row in np.round(v / step)]) for step in steps]
    mse = [np.square(quantize(v, step) - v).mean() for step in steps]
    return np.stack([bits, 10 * np.log10(255**2 / np.array(mse))], axis=1)


steps = 2.0 ** np.arange(7, -1, -1)
pixels, coefficients = rate_and_psnr(Y.reshape(1, -1), steps), rate_and_psnr(c, steps)

# %%
# NBVAL_CHECK_OUTPUT
print("halving        pixels            coefficients")
for i, (p, q) in enumerate(zip(np.diff(pixels, axis=0), np.diff(coefficients, axis=0), strict=True)):
    name = f"{steps[i]:.0f} -> {steps[i + 1]:.0f}"
    print(f"{name:10}  {p[0]:.2f} bit {p[1]:.1f} dB    {q[0]:.2f} bit {q[1]:.1f} dB")

# %% [markdown]
# For the pixels every line says much the same: nearly one bit, nearly 6 dB. The coefficients begin far from that and
# only come near it at the bottom, at qualities above 55 dB that nobody can see. At the top a halving costs a fifth of a bit and buys
# 3 dB. Most coefficients are 0 before and after: they pay nothing, and all that they lose is themselves. Only the few that are awake
# pay their bit.

# %%
# NBVAL_CHECK_OUTPUT
cost, gain = np.diff(coefficients, axis=0).T
print(f"dB per bit: {gain[0] / cost[0]:.0f} from step 128 to 64, {gain[-1] / cost[-1]:.1f} from step 2 to 1")
print(f"at step 1 the coefficients take {pixels[-1, 0] - coefficients[-1, 0]:.1f} bits fewer than the pixels")
assert abs(gain[-1] / cost[-1] - 6.02) < 0.3 and gain[0] / cost[0] > 12

# %% [markdown]
# The figure draws both curves. The grey lines have the slope of 6.02 dB a bit. The pixels follow one all the way; the
# coefficients bend away to the left, which is where codecs work, at 0.1 to 2 bits per pixel.

# %%
figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (bits, psnr), label, marker in zip((pixels.T, coefficients.T), ("pixels", "DCT coefficients"), "so", strict=True):
    ax.plot(bits, bits * 6.02 + psnr[-1] - 6.02 * bits[-1], color="0.75", linewidth=1)
    ax.plot(bits, psnr, marker=marker, label=label)
ax.set(xlabel="entropy (bits per number, estimated)", ylabel="PSNR of Y (dB)")
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# Two lessons. The transform saves 3.3 bits a pixel at equal quality: that is the distance between the grey lines. And at low rates no
# simple formula tells what a step costs. There one has to measure, or learn.
#
# So far $H$ is an estimate. Let chapter 00's coder turn the integers into bytes, tables included, and back:

# %%
# NBVAL_CHECK_OUTPUT
k = np.round(c / 16).astype(np.int64)
stream = toys.encode_static(k)
estimated, measured = np.mean([entropy(row) for row in k]), 8 * len(stream) / k.size
print(f"step 16: estimated {estimated:.2f} bits per pixel, measured {measured:.2f}")
assert np.array_equal(toys.decode_static(stream), k) and 0 < measured - estimated < 0.1

# %% [markdown]
# ## 4 · The gradient of rounding is exactly zero
#
# Now let a network make the numbers. Its parameters learn by gradient descent, and the chain rule sends the gradient of the
# loss from the decoder through $\hat y = \lfloor y \rceil$ into the encoder. Ask PyTorch what passes:

# %%
# NBVAL_CHECK_OUTPUT
y = torch.tensor([-1.7, -0.2, 0.3, 1.49, 2.6], requires_grad=True)
y.round().sum().backward()
print(y.grad)
assert (y.grad == 0).all()

# %% [markdown]
# PyTorch is right. `round` is a staircase. On a tread it is constant, so its derivative is 0; at the jumps it has no
# derivative. Zero almost everywhere, then, and this is no matter of precision: it is exactly 0.
#
# Yet a staircase climbs. On average it rises by 1 each time $y$ grows by 1. Where has that slope gone? Take finite differences
# $\big(\lfloor y+h \rceil - \lfloor y-h \rceil\big)/2h$ at a million random places:

# %%
# NBVAL_CHECK_OUTPUT
y, h = np.random.default_rng(0).uniform(-8, 8, 1_000_000), 0.005
slope = (np.round(y + h) - np.round(y - h)) / (2 * h)
print(f"0 at {np.mean(slope == 0):.0%} of the places, {slope.max():.0f} at the others; mean {slope.mean():.2f}")
assert abs(np.mean(slope == 0) - (1 - 2 * h)) < 0.001 and abs(slope.mean() - 1) < 0.03

# %% [markdown]
# The average slope is 1, as it must be, but all of it sits within $h$ of the jumps, and as $h \to 0$ it shrinks to points
# that a derivative never sees. Keep that in mind: **the information is there, at the jumps; the derivative looks in the wrong
# places.** The cures that follow differ in how they spread the slope back over the cell.
#
# What does a zero mean for the codec? Put a rounding between the autoencoder's halves and send one photo crop
# through:

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
net = toys.Autoencoder()
crops = toys.crops()
x = crops[:4]
loss = (net.synthesis(net.analysis(x).round()) - x).square().mean()
loss.backward()
for name in ("analysis", "synthesis"):
    total = sum(p.grad.abs().sum().item() for p in getattr(net, name).parameters())
    print(f"{name:9}: gradient {'exactly 0' if total == 0 else 'not 0'}")
    assert (total == 0) == (name == "analysis")

# %% [markdown]
# The decoder learns; the encoder gets exactly nothing and stays as it was initialised, for ever. And there is no small
# number to scale up here: $0 \times 10^6 = 0$.

# %% [markdown]
# ## 5 · Straight through
#
# The boldest cure: round on the way forward, and on the way back pretend that nothing happened. It is called the
# *straight-through estimator* (Bengio, Léonard and Courville 2013; for codecs, Theis et al. 2017). One line does it. `detach()`
# gives a tensor its value but hides it from the derivative, so in $y + (\lfloor y \rceil - y)$ the value is $\lfloor y \rceil$, and
# the derivative is that of the first $y$ alone, 1.

# %%
# NBVAL_CHECK_OUTPUT
def ste_round(y):
    """round(y) forward, the identity backward."""
    return y + (y.round() - y).detach()


y = torch.tensor([-1.7, -0.2, 0.3, 1.49, 2.6], requires_grad=True)
ste_round(y).sum().backward()
print(ste_round(y).detach().numpy(), y.grad.numpy())
assert torch.equal(ste_round(y), layers.ste_round(y)), "the package has the same function"

# %% [markdown]
# It works, and it is wrong: this is not the gradient of anything. A small example shows it. One number $y$ is rounded, and the
# decoder wants 0.3, so the loss is $(\lfloor y \rceil - 0.3)^2$. Of the integers 0 is best, with a loss of 0.09, and every $y$ in
# $(-\tfrac12, \tfrac12)$ reaches it. Start at $y = 0$, in the middle of the best cell.
#
# **Guess**: where does gradient descent with the straight-through gradient go?

# %%
# NBVAL_CHECK_OUTPUT
y, path = torch.tensor(0.0, requires_grad=True), []
for _ in range(60):
    (gradient,) = torch.autograd.grad((ste_round(y) - 0.3) ** 2, y)
    y = (y - 0.05 * gradient).detach().requires_grad_()
    path.append((y.item(), y.round().item()))
print("y        ", [f"{value:.2f}" for value, _ in path[-8:]])
print("rounded  ", [f"{value:.0f}" for _, value in path[-8:]])
print(f"mean of the rounded values: {np.mean([k for _, k in path[-40:]]):.1f}")
assert all(abs(value - 0.5) < 0.08 for value, _ in path[-20:]) and {k for _, k in path[-20:]} == {0, 1}

# %% [markdown]
# It leaves the best cell, walks to the border at ½ and stays there, flipping between 0 and 1. At $\hat y = 0$ the reported slope
# is $2(0 - 0.3) < 0$: go up. At $\hat y = 1$ it is $2(1 - 0.3) > 0$: go down. Neither sees that the true loss would not change
# by moving within the cell. There is method in it: the integers that $y$ visits are 0.3 on average, just what the decoder asked for. But a
# file holds one integer, not an average. In a codec, a latent that rests on a border is a coin that falls differently for each slight change of
# the photo.
#
# In return, the network sees in training exactly what it will see in use. The forward pass of straight-through has **no
# gap** between training and test; only its gradient is false.

# %% [markdown]
# ## 6 · Soft rounding
#
# A gentler cure replaces the staircase by a smooth curve that can be made as steep as one likes. Agustsson and Theis (2020)
# use one hyperbolic tangent for each cell:
#
# $$ s_\alpha(y) = m + \frac{\tanh(\alpha\,(y - m))}{2\tanh(\alpha/2)}, \qquad m = \lfloor y \rfloor + \tfrac12 . $$
#
# $m$ is the middle of the unit interval that $y$ lies in, so $y - m$ runs from $-\tfrac12$ to $\tfrac12$, and the
# denominator scales the tangent so that it runs over the same range. The pieces meet at the integers.

# %%
# NBVAL_CHECK_OUTPUT
def soft_round(y, alpha):
    """Agustsson and Theis (2020), section 4.1: the identity for alpha -> 0, round for alpha -> infinity."""
    middle = torch.floor(y) + 0.5
    return middle + torch.tanh(alpha * (y - middle)) / (2 * np.tanh(alpha / 2))


y = torch.tensor([0.0, 0.2, 0.4, 0.49, 0.5, 0.6, 1.0])
for alpha in (0.01, 4, 100):
    print(f"alpha {alpha:6}: {soft_round(y, alpha).numpy().round(2)}")

# %% [markdown]
# Integers and halves stay where they are, at any $\alpha$. In between, small $\alpha$ leaves $y$ alone and large $\alpha$ rounds.
#
# Now the slope. With $r = y - m$ the derivative is $s'_\alpha = \alpha \big/ \big(2\tanh(\alpha/2)\cosh^2(\alpha r)\big)$. It is positive
# everywhere, largest at the jump $r = 0$, smallest at the integers. And because $s_\alpha$ climbs by exactly 1 from one integer to the next, **its mean
# over a cell is 1 whatever $\alpha$ is**: the slope that section 4 found at the jumps has been spread out.

# %%
# NBVAL_CHECK_OUTPUT
y = ((torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000).requires_grad_()
print("alpha  slope at the jump  at the integers   mean  mean square")
for alpha in (1, 4, 12, 36):
    (s,) = torch.autograd.grad(soft_round(y, alpha).sum(), y)
    print(f"{alpha:5} {s.max():18.2f} {s.min():16.1e} {s.mean():6.2f} {s.square().mean():12.2f}")
    assert abs(s.mean() - 1) < 1e-6
    assert abs(s.max() - alpha / (2 * np.tanh(alpha / 2))) < 1e-3

# %% [markdown]
# The table is the whole dilemma. With small $\alpha$ the gradient is tame, but the curve is not rounding. With large $\alpha$ it is
# rounding, but the gradient is near 0 for most latents and huge for a few: its mean stays 1 while its mean square grows like $\alpha/3$.
# Hence **annealing**: begin with small $\alpha$, and raise it while training.
#
# The figure shows the curve (left) and its slope (right) for three values of $\alpha$. Straight-through, in the same picture, is the staircase on the left
# with the flat slope 1 on the right, which is why it is false and tame at once.

# %%
y = torch.linspace(-1.499, 1.499, 2000, requires_grad=True)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3), layout="constrained")
for alpha, line in ((1, ":"), (4, "--"), (12, "-")):
    s = soft_round(y, alpha)
    left.plot(y.detach(), s.detach(), line, label=f"α = {alpha}")
    right.plot(y.detach(), torch.autograd.grad(s.sum(), y)[0], line)
left.plot(y.detach(), y.detach().round(), color="0.6", linewidth=1, label="round")
left.set(xlabel="y", ylabel="soft_round(y)")
left.legend()
right.set(xlabel="y", ylabel="slope")
plt.show()

# %% [markdown]
# One more property matters, and it is easy to overlook. $s_\alpha$ is strictly increasing, so it can be **undone**: from $s_\alpha(y)$ the decoder can
# compute $y$ exactly (exercise 2.3 does). Soft rounding by itself destroys no information at all. A network may learn to read the
# little that is left between the integers, and then real rounding takes it away. Section 7 measures this gap.

# %% [markdown]
# ## 7 · Rounding afterwards, or from the start
#
# Now the experiment that the chapter is for. To look at rounding alone, the rate must not move, so we fix it: **each latent
# gets five levels**, -2 to 2. Such a file holds $\log_2 5 = 2.32$ bits for each latent, whatever a network does; with 32
# latents for a block of 8x8 pixels that is
#
# $$ R = \frac{32 \cdot \log_2 5}{64} = 1.16 \text{ bits per pixel}. $$
#
# (A price on bits, which lets latents be cheap or dear, comes back in chapter 03.) Start from chapter 01's autoencoder,
# trained for a moment with no rounding at all.

# %% tags=["nbval-ignore-output"]
def distortion(x_hat, x):
    return 255**2 * (x_hat - x).square().mean()


torch.manual_seed(0)
start = toys.Autoencoder()
_ = toys.fit(start.parameters(), lambda x: distortion(start(x), x), crops, steps=80)

# %% [markdown]
# Its latents have any size they like. To give each channel five levels, measure the channel's mean and spread on the training
# crops once, and press it into $(-2.5, 2.5)$ by a tangent: $b = 2.5 \tanh\!\big(1.4\,(y - \text{mean}) / (2.5\,\text{std})\big)$.
# Rounding $b$ can then give nothing but -2, -1, 0, 1, 2. The decoder scales back by the same constants.

# %%
with torch.no_grad():
    y = start.analysis(crops)
MEAN, STD = y.mean((0, 2, 3), keepdim=True), y.std((0, 2, 3), keepdim=True) / 1.4


def bounded(net, x):
    """Latents in (-2.5, 2.5)."""
    return 2.5 * torch.tanh((net.analysis(x) - MEAN) / STD / 2.5)


def decode(net, b):
    return net.synthesis(b * STD + MEAN)


# %% [markdown]
# Four ways to go on from this start, equal in everything (steps, crops, learning rate) but in what training does with the
# bounded latents $b$:
#
# | name | in training | in use |
# |---|---|---|
# | afterwards | nothing | round |
# | plain round | `b.round()`, gradient 0: only the decoder learns | round |
# | straight-through | `ste_round(b)` | round |
# | soft | `soft_round(b, alpha)`, $\alpha$ raised from 4 to 40 | round |
#
# **Predict**: which order will they end in, and how far apart?

# %%
def train(rounding, watch=None, steps=220):
    """A copy of `start`, trained with rounding(b, t) in the middle, t rising to 1. Every 20 steps: watch(net, t)."""
    net = copy.deepcopy(start)
    t = iter(np.arange(1, steps + 1) / steps)

    def loss(x):
        return distortion(decode(net, rounding(bounded(net, x), next(t))), x)

    every = None if watch is None else lambda step: step % 20 or watch(net, step / steps)
    toys.fit(net.parameters(), loss, crops, steps, every=every)
    return net


nets = {
    "afterwards": train(lambda b, t: b),
    "plain round": train(lambda b, t: b.round()),
    "straight-through": train(lambda b, t: ste_round(b)),
}

# %% [markdown]
# Soft rounding raises $\alpha$ as $4 \cdot 10^{t}$. While it trains we look at the red panda twice every 20 steps: through soft rounding,
# as training sees it, and through real rounding, as a user would.

# %%
x = data.to_tensor(photo)


@torch.no_grad()
def psnr(net, rounding):
    """PSNR of the red panda in dB."""
    return metrics.psnr(photo, data.to_uint8(decode(net, rounding(bounded(net, x)))))


def annealed(b, t):
    return soft_round(b, 4 * 10**t)


seen = []


def watch(net, t):
    seen.append((4 * 10**t, psnr(net, lambda b: annealed(b, t)), psnr(net, torch.round)))


nets["soft"] = train(annealed, watch)

# %% [markdown]
# Now all four are used as a codec must use them: with real rounding, on a photo that none of them has seen.

# %%
# NBVAL_CHECK_OUTPUT
quality = {name: psnr(net, torch.round) for name, net in nets.items()}
for name, value in quality.items():
    print(f"{name:17} {value:.0f} dB")
print(f"'afterwards' without rounding: {psnr(nets['afterwards'], lambda b: b):.0f} dB")
assert quality["plain round"] > quality["afterwards"] + 1.5
assert min(quality["straight-through"], quality["soft"]) > quality["plain round"] + 0.8

# %% [markdown]
# Read it from the bottom. Without rounding, the network that was trained without it reaches 29 dB; rounding takes more than 7 dB away. Its
# encoder has put fine detail into the fractions, because nobody told it not to.
#
# With plain `round`, the decoder at least learns what to expect, and saves 2 to 3 dB. The encoder could not help: its gradient is 0. Give
# it a gradient, however false or approximate, and another 1 to 2 dB come back. The order is the same on each of the six held-out photos:

# %%
# NBVAL_CHECK_OUTPUT
def psnr_of(name, net):
    image = data.photo(name)
    with torch.no_grad():
        x_hat = decode(net, bounded(net, data.to_tensor(image)).round())
    return metrics.psnr(image, data.to_uint8(x_hat))


for name in data.photo_names():
    after, plain, ste, soft = [psnr_of(name, net) for net in nets.values()]
    assert after + 0.3 < plain and plain + 0.5 < min(ste, soft), name
    print(f"{name:16} afterwards < plain round < straight-through and soft")

# %% [markdown]
# Between straight-through and soft rounding this experiment sees no winner; the two differ by less than half a decibel. The same piece of
# the photo, from left to right: the original, rounded afterwards, trained with plain rounding, straight-through, soft.

# %%
figure, axes = plt.subplots(1, 5, figsize=(13, 2.2), dpi=75, layout="constrained")
axes[0].imshow(photo[piece])
axes[0].set_title("original")
for ax, (name, net) in zip(axes[1:], nets.items(), strict=True):
    with torch.no_grad():
        ax.imshow(data.to_uint8(decode(net, bounded(net, x).round()))[piece])
    ax.set_title(f"{name}, {quality[name]:.0f} dB")
for ax in axes:
    ax.set(xticks=[], yticks=[])
plt.show()

# %% [markdown]
# ### The price of softness
#
# Section 6 warned that soft rounding can be undone. Here is what came of it. The figure shows the red panda during the soft training, at the
# $\alpha$ of the moment: in orange as the training saw it, in blue with real rounding.

# %%
alpha, soft, hard = np.array(seen).T
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
ax.semilogx(alpha, soft, "--s", color=plotting.ORANGE, label="through soft_round (training)")
ax.semilogx(alpha, hard, "-o", color=plotting.BLUE, label="through round (use)")
ax.set(xlabel="α, rising while it trains", ylabel="PSNR (dB)")
ax.set_xticks([5, 10, 20, 40], ["5", "10", "20", "40"])
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# NBVAL_CHECK_OUTPUT
gap = soft - hard
print(f"gap at α = {alpha[0]:.0f}: {gap[0]:.1f} dB; at α = {alpha[-1]:.0f}: {gap[-1]:.1f} dB")
assert gap[0] > 1.5 and 0 < gap[-1] < 0.6

# %% [markdown]
# At small $\alpha$ the training believes in a picture nearly 3 dB better than any user will see: the network hides information between the
# integers. Annealing squeezes it out, and the gap all but closes. It can't be closed altogether, and straight-through, which has none, pays with a false
# gradient instead. Is there a third way, with no false gradient and nothing hidden between the integers? That is chapter 03.

# %% [markdown]
# ### When rounding afterwards is enough
#
# Did we need training? A finer step would also have helped. Take the network that was trained without rounding and give its
# bounded latents more than five levels:

# %%
# NBVAL_CHECK_OUTPUT
finer = {}
for levels in (5, 7, 9, 11, 17, 65):
    step = 5 / levels  # b lies in (-2.5, 2.5)
    value = psnr(nets["afterwards"], lambda b, step=step: (b / step).round() * step)
    finer[levels] = 32 * np.log2(levels) / 64, value
    print(f"{levels:2} levels: {finer[levels][0]:.2f} bpp, {value:.0f} dB")
assert finer[65][1] > psnr(nets["afterwards"], lambda b: b) - 0.3
assert finer[9][1] < quality["straight-through"] < finer[17][1]

# %% [markdown]
# With 65 levels the rounding is so fine that it costs next to nothing: no cure is needed where there is no disease. But it is
# 3 bpp. To reach what straight-through reaches with 5 levels, rounding afterwards needs about 10. In the figure, the line is rounding afterwards with 5, 7, 9,
# 11, 17 and 65 levels; the points are the networks that were trained with rounding.

# %%
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.plot(*np.array(list(finer.values())).T, "-o", color=plotting.BLACK, label="rounded afterwards")
for name, marker in (("plain round", "s"), ("straight-through", "^"), ("soft", "v")):
    ax.plot(finer[5][0], quality[name], marker, markersize=9, label=name)
ax.set(xlabel="rate (bpp, all levels equally long)", ylabel="PSNR (dB)")
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# At last, bytes. Five equally likely levels for each latent, through constriction, and back:

# %%
# NBVAL_CHECK_OUTPUT
five = constriction.stream.model.Uniform(5)
with torch.no_grad():
    k = bounded(nets["straight-through"], x).round().numpy().astype(np.int32).ravel()
coder = constriction.stream.queue.RangeEncoder()
coder.encode(k + 2, five)
stream = coder.get_compressed()
print(f"measured {metrics.bpp(stream.nbytes, photo):.3f} bpp, estimated {finer[5][0]:.3f}")
assert np.array_equal(constriction.stream.queue.RangeDecoder(stream).decode(five, k.size) - 2, k)

# %% [markdown]
# Is 26 dB at 1.16 bpp good? No. Chapter 00's JPEG-like codec does far better, for it spends its bits where they are needed: zeros cost it almost
# nothing, while here a latent that is always 0 costs as much as a busy one. Five levels for all was a means to look at rounding alone.
# A good codec rounds **and** prices what it rounds to, and then the network must learn from both. Chapter 03 puts the price back.

# %% [markdown]
# ## Exercises
#
# ### Exercise 2.1 · The law for integers
#
# Section 2 found that integers rounded to even numbers have a mean square error of 0.5, not $2^2/12$. Write the right law: the mean square error of
# rounding integers to multiples of an integer step, when all integers are equally frequent. Then compare it with $\Delta^2/12$ for steps of 3, 8 and 64, and say
# in a sentence why the two agree in the end.

# %%
def integer_error(step):
    """Mean square error of rounding equally frequent integers to multiples of step, an int >= 1. Returns a float."""
    return ...  # your code


# %%
# NBVAL_CHECK_OUTPUT
check.ex_2_1(integer_error)

# %% [markdown]
# <details><summary>Hint</summary>List the errors of one cell, for a step of 5 and for a step of 4. With an odd step no integer is halfway; with an even step exactly one is, and it is off by
# step/2 whichever way it goes. The sum of the squares 1² + 2² + ... + n² is n(n + 1)(2n + 1)/6.</details>
#
# ### Exercise 2.2 · How far from Shannon?
#
# No code for numbers drawn from a normal distribution of variance 1 can reach a mean square error $D$ with fewer than
# $R(D) = \tfrac12 \log_2 (1/D)$ bits each. Rounding with a step and coding the integers ideally takes $H$ bits. Compute the difference $H - R(D)$ for a given
# step. Plot it: what does it tend to for fine steps, and in dB? (Gish and Pierce 1968 found that number, and that no other scalar quantiser does better there.)

# %%
import numpy as np


def gap_to_shannon(step):
    """Bits that rounding N(0, 1) to multiples of step takes above R(D), D being its own error. Returns a float."""
    return ...  # your code


# %%
# NBVAL_CHECK_OUTPUT
check.ex_2_2(gap_to_shannon)

# %% [markdown]
# <details><summary>Hint</summary>P(k) is a difference of two values of scipy.stats.norm.cdf. For D, put many v on a fine grid, weight them by norm.pdf, and average the squared rounding error; the formula
# Δ²/12 is not good enough at coarse steps. A million random numbers will also do.</details>
#
# ### Exercise 2.3 · Nothing is lost
#
# Write the inverse of `soft_round`. It proves the warning of section 6: whatever $\alpha$ is, a decoder could get all of $y$ back.
# Afterwards, try your inverse in float32 with $\alpha = 40$ on $y = 0.1$. What protects us from the network's finding this in practice?

# %%
import torch


def soft_round_inverse(s, alpha):
    """The y with soft_round(y, alpha) = s. s: tensor of any shape, alpha > 0. Returns the same shape."""
    return ...  # your code


# %%
# NBVAL_CHECK_OUTPUT
check.ex_2_3(soft_round_inverse)

# %% [markdown]
# <details><summary>Hint</summary>s lies in the same unit interval as y, so the middle is the same. Solve s = middle + tanh(alpha r) / (2 tanh(alpha / 2)) for r; torch.atanh exists.</details>
#
# ### Exercise 2.4 · A dead zone
#
# Rounding to the nearest integer has the least error. But a number just above $\tfrac12$ would be cheaper as a 0, at hardly more error. Move each border
# outwards by `delta` steps: 0 takes all $|v| < (\tfrac12 + \delta)\Delta$, and the integer $k > 0$ takes what lies from
# $(k - \tfrac12 + \delta)\Delta$ to $(k + \tfrac12 + \delta)\Delta$, likewise below 0. Then quantise this chapter's DCT coefficients with
# $\Delta = 16$: how many bits does $\delta = 0.15$ save, how much PSNR does it cost, and is that better or worse than a coarser step?

# %%
import numpy as np


def deadzone(v, step, delta):
    """Integers k, borders moved outwards by delta steps. v: array; 0 <= delta < 1/2. Returns ints, shaped as v."""
    return ...  # your code


# %%
# NBVAL_CHECK_OUTPUT
check.ex_2_4(deadzone)

# %% [markdown]
# <details><summary>Hint</summary>Work with |v| and give the sign back at the end. Rounding is floor(... + 1/2); what becomes of the 1/2? Mind that a magnitude must not become negative.</details>

# %% [markdown]
# ## In practice
#
# - JPEG has one step for each of the 64 frequencies, in a table inside the file; a quality setting scales that table. Newer codecs have one step for a block, and
#   change it from block to block.
# - Encoders do not round to the nearest integer. They use dead zones (exercise 2.4), or try several integers and keep those with the smallest
#   $R + \lambda D$, which is called rate-distortion optimised quantisation. The decoder need not know.
# - The codec that ships with this course learns a step and a dead zone for each latent channel; chapter 07 lets you move the step by λ.
# - Levels without an entropy coder, as in section 7, are used where latents are to become tokens for another network (Mentzer et al. 2023). Compression wants
#   a price on bits.
# - Soft rounding in the paper is used together with noise; chapter 03 brings the noise.

# %% [markdown]
# ## Summary
#
# - Rounding is the one lossy step. A step of $\Delta$ costs $\Delta^2/12$, and one bit more for each number buys 6.02 dB, **if** the density is flat within a cell.
#   On DCT coefficients at the rates of real codecs it is not: the error is smaller than the law says, and a bit buys far more.
# - The gradient of `round` is exactly 0: the encoder would never learn. The slope is there, on average 1, but it sits at the jumps.
# - Straight-through: true forward, false backward. Soft rounding: a true gradient of a function that is not rounding, and that can be undone; annealing closes the gap.
# - With few levels, training with rounding in place is worth 4 dB over rounding afterwards. With many levels it is worth nothing.
#
# **Next**: chapter 03 replaces rounding by noise: a true gradient, and nothing to hide in.

# %% [markdown]
# ## References
#
# - W. R. Bennett (1948). Spectra of quantized signals. *Bell System Technical Journal* 27(3), 446-472. [doi:10.1002/j.1538-7305.1948.tb01340.x](https://doi.org/10.1002/j.1538-7305.1948.tb01340.x). Δ²/12.
# - H. Gish and J. N. Pierce (1968). Asymptotically efficient quantizing. *IEEE Transactions on Information Theory* 14(5), 676-683. [doi:10.1109/TIT.1968.1054193](https://doi.org/10.1109/TIT.1968.1054193).
# - R. M. Gray and D. L. Neuhoff (1998). Quantization. *IEEE Transactions on Information Theory* 44(6), 2325-2383. [doi:10.1109/18.720541](https://doi.org/10.1109/18.720541). The history, and all of the theory.
# - Y. Bengio, N. Léonard and A. Courville (2013). Estimating or propagating gradients through stochastic neurons for conditional computation. [arXiv:1308.3432](https://arxiv.org/abs/1308.3432). Straight-through.
# - L. Theis, W. Shi, A. Cunningham and F. Huszár (2017). Lossy image compression with compressive autoencoders. [arXiv:1703.00395](https://arxiv.org/abs/1703.00395). Straight-through in a codec.
# - E. Agustsson and L. Theis (2020). Universally quantized neural compression. [arXiv:2006.09952](https://arxiv.org/abs/2006.09952). Soft rounding.
# - F. Mentzer, D. Minnen, E. Agustsson and M. Tschannen (2023). Finite scalar quantization: VQ-VAE made simple. [arXiv:2309.15505](https://arxiv.org/abs/2309.15505). Bounded latents and few levels, as in section 7.
