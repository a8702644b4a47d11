# %% [markdown]
# # 05 · A prior that learns
#
# *The rate is what the decoder failed to expect. So teach it what to expect.*

# %% [markdown]
# ## In this chapter
#
# **Goal.** The codec of chapter 04 expects every latent to be standard normal, and pays for being wrong in every
# channel. We measure how much, find that it is exactly a Kullback-Leibler divergence, and build the prior of Ballé et al. (2018):
# a density of any shape for each channel, made of a small network that can only increase. Then encoder, decoder and prior
# learn together.
#
# **You will be able to**
#
# - split a rate into entropy and divergence, per channel, and check both against the length of a byte string;
# - explain why the probability of a symbol is a difference of two values of a cumulative, and why that one formula serves training and coding;
# - build a network whose output increases with its input, and turn it into a density;
# - train a codec end to end at several λ, and steer λ by hand while it trains.
#
# **Needs** chapters 00 to 03; 04 helps. **Time** about 75 minutes.
#
# ### Notation
#
# | symbol | meaning | in code |
# |---|---|---|
# | $y$, $\tilde y$, $k$ | latent, noisy latent, and the integer symbol $k = \lfloor y \rceil$ that is coded | `y`, `y_tilde`, `k` |
# | $p_c(k)$ | the probability that the prior gives to symbol $k$ in channel $c$ | `pmf[c]` |
# | $h_c(k)$ | the share of symbols that really are $k$: the histogram | `histogram[c]` |
# | $H(h)$, $\mathrm{KL}(h \,\|\, p)$ | entropy of the histogram; divergence of the prior from it; in bits | `entropy`, `kl` |
# | $F_c$ | cumulative of the prior's density: increasing from 0 to 1 | `torch.sigmoid(logits)` |
# | $R$, $D$, λ | bits per pixel, mean squared error on 0..255, $L = R + \lambda D$ | `bpp`, `mse`, `lam` |
#
# *Estimated* rates are sums of $-\log_2 p$; *measured* ones count bytes.

# %%
import copy
import math

import constriction
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from checks import ch05 as check
from matplotlib.figure import Figure
from torch import nn

from nctutorial import classical, data, live, metrics, plotting, priors, toys, widgets

plotting.style()
crops = toys.crops()
image = data.photo("red_panda")
photo = data.to_tensor(image)
pixels = photo.numel() // 3

# %% [markdown]
# ## 1 · What a wrong prior costs
#
# Here is the codec of chapter 04 again: `toys.Codec`, trained on $R + \lambda D$ at λ = 0.01, with a standard normal prior for every
# latent. The prior enters the loss only as `cost`, the bits of each latent, so that we can put other priors in its place later.


# %%
def normal_cost(y):
    """Bits of each latent under the standard normal prior. y: (B, 32, h, w). Returns the same shape."""
    return (y.square() / 2 + math.log(2 * math.pi) / 2) / math.log(2)


def rd_loss(codec, cost, x, lam):
    """Chapter 03's relaxed loss, in bits per pixel."""
    y = codec.encode(x)
    y_tilde = y + torch.rand(y.shape) - 0.5
    mse = 255**2 * (codec.decode(y_tilde) - x).square().mean()
    return cost(y_tilde).sum() / (x.numel() / 3) + lam * mse


# %% [markdown]
# The filters learn at the usual speed. The gains, and later the prior, have further to go, and get a larger step.


# %%
def groups(codec, prior=None):
    fast = [codec.log_gain, codec.log_inverse_gain, *(prior.parameters() if prior else ())]
    filters = [*codec.analysis.parameters(), *codec.synthesis.parameters()]
    return [{"params": filters, "lr": 1e-3}, {"params": fast, "lr": 2e-2}]


torch.manual_seed(0)
codec = toys.Codec()
_ = toys.fit(groups(codec), lambda x: rd_loss(codec, normal_cost, x, 0.01), crops, steps=250, batch=8)

# %% [markdown]
# Now the integers that would go into the file of our photo: 32 rows, one for each channel. For each row we count how often each
# integer occurs.

# %%
with torch.no_grad():
    y = codec.encode(photo)
k = y.round()[0].flatten(1).numpy().astype(int)  # (32 channels, locations)
limit = 40
values = np.arange(-limit, limit + 1)
histogram = np.stack([np.bincount(row + limit, minlength=len(values)) for row in k]) / k.shape[1]
assert np.abs(k).max() < limit and np.allclose(histogram.sum(1), 1)

# %% [markdown]
# What does the prior say about them? A density is not a probability, but at the integers a standard normal density comes very
# close: its values there sum to 1 up to five parts in a billion. (Chapter 03 told us to expect that: a density that is
# smooth over a width of 1 is nearly a histogram already.)
#
# One practical limit: no coder can work with a probability of 0, and real coders have a smallest probability that they can express. So we
# give every symbol at least $10^{-6}$; the dearest then costs 20 bits, and everything below can be checked against bytes.

# %%
# NBVAL_CHECK_OUTPUT
normal = np.exp(-(values**2) / 2) / math.sqrt(2 * math.pi)
print(f"sum over the integers: 1 + {normal.sum() - 1:.1e}")
normal = np.maximum(normal, 1e-6)
for value in (0, 1, 2, 3, 6):
    print(f"symbol {value}: probability {normal[limit + value]:.1e}, cost {-np.log2(normal[limit + value]):5.2f} bits")
assert abs(normal.sum() - 1) < 1e-4

# %% [markdown]
# Look at the first cost. **A zero costs 1.33 bits, and nothing is cheaper.** There are 32 latents for every 8x8 = 64 pixels, so whatever
# the picture is, this codec cannot go below $1.33 \cdot 32 / 64 = 0.66$ bpp. Chapter 00's JPEG would have drawn half a photo with
# that. Try a picture with nothing in it:

# %%
# NBVAL_CHECK_OUTPUT
with torch.no_grad():
    grey = codec.encode(torch.full((1, 3, 64, 64), 0.5)).round()
print(f"a grey square: {normal_cost(grey).sum().item() / 64**2:.2f} bpp (estimated)")
assert normal_cost(grey).sum().item() / 64**2 > 0.66

# %% [markdown]
# ### Cross-entropy, entropy, divergence
#
# A row of $n$ symbols contains $n\,h(k)$ copies of $k$, and each costs $-\log_2 p(k)$ bits. The bits of a symbol, on average:
#
# $$ \underbrace{-\sum_k h(k) \log_2 p(k)}_{\text{cross-entropy: the rate}}
#  = \underbrace{-\sum_k h(k) \log_2 h(k)}_{H(h)\text{: entropy}}
#  \;+\; \underbrace{\sum_k h(k) \log_2 \frac{h(k)}{p(k)}}_{\mathrm{KL}(h\,\|\,p)\;\ge\;0}. $$
#
# (Add and subtract $\sum h \log_2 h$.) The entropy belongs to the symbols. No prior that treats the symbols of a channel as independent and alike can get
# below it. The divergence belongs to the prior: it is what we pay for expecting the wrong thing.


# %%
def cross_entropy(pmf):
    """Bits of a symbol on average, in each channel. pmf: (81,) or (32, 81). Returns (32,)."""
    return -(histogram * np.log2(pmf)).sum(1)


entropy = -(histogram * np.log2(np.where(histogram > 0, histogram, 1))).sum(1)
kl = (histogram * np.log2(np.where(histogram > 0, histogram, 1) / normal)).sum(1)
assert np.allclose(cross_entropy(normal), entropy + kl, rtol=1e-12) and kl.min() > 0

# %% [markdown]
# The figure shows both parts for each channel. **Guess** before you look: in which channel does the standard normal prior lose most,
# one with very wide or one with very narrow values?

# %%
figure, ax = plt.subplots(figsize=(9, 2.8), layout="constrained")
ax.bar(range(32), entropy, color=plotting.BLUE, label="entropy of the symbols")
ax.bar(range(32), kl, bottom=entropy, color=plotting.ORANGE, label="divergence: the prior is wrong")
ax.set(xlabel="channel", ylabel="bits per symbol")
ax.legend()
plt.show()

# %% [markdown]
# The wide one, by far: channel 0 carries the mean colour of each block and does not fit into a bell of width 1. But all
# the others lose as well. In total, over all channels and in bits per pixel:

# %%
# NBVAL_CHECK_OUTPUT
locations = k.shape[1]
for name, part in (("estimated rate", entropy + kl), ("entropy", entropy), ("divergence", kl)):
    print(f"{name:15}: about {part.sum() * locations / pixels:.1f} bpp")
print("more than a quarter of the rate is divergence:", kl.sum() > (entropy + kl).sum() / 4)
assert kl.sum() > (entropy + kl).sum() / 4

# %% [markdown]
# ### In bytes
#
# Is the divergence real, or only arithmetic? Code the symbols twice with a real range coder, once under the standard normal prior
# and once under the histogram, and compare the lengths. (How a range coder works is chapter 06.)


# %%
def coded(k, pmf):
    """Range-code each row of k under its row of pmf, and check that it can be decoded. Returns bytes."""
    models = [constriction.stream.model.Categorical(p.astype(np.float64), perfect=False) for p in pmf]
    encoder = constriction.stream.queue.RangeEncoder()
    for row, model in zip(k, models, strict=True):
        encoder.encode((row + pmf.shape[1] // 2).astype(np.int32), model)
    words = encoder.get_compressed()
    decoder = constriction.stream.queue.RangeDecoder(words)
    for row, model in zip(k, models, strict=True):
        assert np.array_equal(decoder.decode(model, len(row)) - pmf.shape[1] // 2, row)
    return words.astype("<u4").tobytes()


# %% [markdown]
# The difference of the two files against the divergence:

# %%
# NBVAL_CHECK_OUTPUT
files = [coded(k, pmf) for pmf in (np.tile(normal, (32, 1)), histogram)]
saved, divergence = len(files[0]) - len(files[1]), kl.sum() * locations / 8
print(f"standard normal: about {len(files[0]) / 1000:.0f} kB, histogram: about {len(files[1]) / 1000:.0f} kB")
print(f"bytes saved = divergence, to 0.5 %: {abs(saved / divergence - 1) < 0.005}")
assert abs(saved / divergence - 1) < 0.005

# %% [markdown]
# So there is something to gain, and its amount is known: a better prior can save up to the divergence, and not one bit more.
#
# Why not simply send the histogram along, as chapter 00 did? For a photo of this size one can, and the tables cost little. But a small picture
# cannot afford them, and, worse, **a histogram has no gradient**. The encoder is to learn *which symbols are cheap*, and a table of
# counts does not tell it what would happen if a latent moved a little. We want a prior that is part of the model: known to both sides before
# the file comes, and differentiable.

# %% [markdown]
# ## 2 · One formula for training and for coding
#
# A prior is needed twice, at different arguments. In training it has to give a density to the noisy $\tilde y$, any real number; in the file it has to
# give probabilities to integers, which must sum to 1. Both come from one function.
#
# Let $f$ be any density and $F(y) = \int_{-\infty}^y f$ its cumulative. Define
#
# $$ p(v) = F(v + \tfrac12) - F(v - \tfrac12). $$
#
# - **At integers it is a pmf.** The sum telescopes: $\sum_k p(k) = \sum_k \big[F(k + \tfrac12) - F(k - \tfrac12)\big] = F(\infty) - F(-\infty) = 1$.
# - **At real numbers it is a density.** If $y$ has density $f$ then $y + u$ has density $\int_{v-1/2}^{v+1/2} f = p(v)$; that was chapter 03.
#
# So the noisy latents of training and the integers of the file are priced by the same $p$, whatever $F$ is. All that is left is to choose a
# family of functions $F$ that increase from 0 to 1.
#
# ### Two numbers for each channel
#
# The simplest: a logistic sigmoid with a location $m_c$ and a scale $s_c$ for each channel, $F_c(y) = \mathrm{sigmoid}\big((y - m_c)/s_c\big)$.


# %%
class LogisticPrior(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.location = nn.Parameter(torch.zeros(channels, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(channels, 1, 1))

    def likelihood(self, y):
        """p(y) in each channel. y: (C, 1, N). Returns the same shape."""
        upper, lower = ((y + half - self.location) / self.log_scale.exp() for half in (0.5, -0.5))
        return (torch.sigmoid(upper) - torch.sigmoid(lower)).clamp_min(1e-9)


# %% [markdown]
# How are $m$ and $s$ found? By minimising the rate. The average of $-\log_2 p(\tilde y)$ over many latents is a cross-entropy, and what can be
# minimised in it is the divergence; so gradient descent on the rate fits the density to the data. We freeze the codec
# and fit the prior to the noisy latents of the training crops. Our photo stays out of it.

# %%
with torch.no_grad():
    training = codec.encode(crops).transpose(0, 1).flatten(1)[:, None]  # (32, 1, N)


def fit_prior(prior, steps=300, every=None):
    """Minimise the bits of the training latents, 1024 noisy ones of each channel at a time."""

    def rate(batch):
        y_tilde = batch.permute(1, 2, 0) + torch.rand(32, 1, len(batch)) - 0.5
        return -torch.log2(prior.likelihood(y_tilde)).mean()

    toys.fit(prior.parameters(), rate, training.permute(2, 0, 1), steps, batch=1024, lr=2e-2, every=every)


# %% [markdown]
# And this is what the fitted prior expects, as a table over the integers:


# %%
def pmf_of(prior, limit=limit):
    """The prior's probabilities of -limit to limit, at least 1e-6 each: (32, 2 limit + 1)."""
    integers = torch.arange(-limit, limit + 1.0).expand(32, 1, -1)
    with torch.no_grad():
        return np.maximum(prior.likelihood(integers)[:, 0].double().numpy(), 1e-6)


logistic = LogisticPrior(32)
fit_prior(logistic)
logistic_kl = cross_entropy(pmf_of(logistic)) - entropy

# %%
# NBVAL_CHECK_OUTPUT
print("every channel's pmf sums to 1:", np.allclose(pmf_of(logistic).sum(1), 1, atol=1e-3))
print("two numbers a channel remove more than half of the divergence:", logistic_kl.sum() < kl.sum() / 2)
assert np.allclose(pmf_of(logistic).sum(1), 1, atol=1e-3) and logistic_kl.sum() < kl.sum() / 2

# %% [markdown]
# Two numbers a channel do most of the work. What is left is shape: real latents have sharper peaks and heavier tails than a logistic
# density, and some lean to one side.

# %% [markdown]
# ## 3 · Any increasing curve
#
# Ballé et al. (2018) build $F$ from a small network, with one trick: **every layer can only increase**. A composition of increasing functions
# increases, so the whole network does, whatever values its parameters have.
#
# A layer takes a column of numbers and does two things.
#
# 1. $x \mapsto \mathrm{softplus}(H)\,x + b$. All entries of $\mathrm{softplus}(H) = \log(1 + e^H)$ are positive, so each output increases with each input.
# 2. $x \mapsto x + \tanh(a) \tanh(x)$, element by element. Its slope is $1 + \tanh(a)\,(1 - \tanh^2 x)$. Since $|\tanh a| < 1$ and
#    $0 < 1 - \tanh^2 x \le 1$, the slope is positive. Where $a > 0$ the curve is steeper around 0, where $a < 0$ flatter.
#
# The widths are 1, 3, 3, 3, 1: one number goes in, three run in parallel, one comes out. The last layer has no step 2; a sigmoid takes its output
# to (0, 1). First the smallest version, one channel and random parameters:


# %%
def layer(x, weight, bias, a):
    """One increasing layer. x: (inputs, N); weight: (outputs, inputs); bias, a: (outputs, 1)."""
    x = F.softplus(weight) @ x + bias
    return x + torch.tanh(a) * torch.tanh(x)


torch.manual_seed(4)
x = torch.linspace(-8, 8, 1001)[None]
for outputs, inputs in ((3, 1), (3, 3), (1, 3)):
    x = layer(x, torch.randn(outputs, inputs), 2 * torch.randn(outputs, 1), 2 * torch.randn(outputs, 1))
assert (x.diff() > 0).all()

# %% [markdown]
# It increases. The figure shows what such networks can look like: six of them with random parameters, each as a cumulative $F$ on the
# left and as a density $f = F'$ on the right. **Before you look**: can a density made like this have two peaks? Can it lean to one side?

# %%
torch.manual_seed(12)
random = priors.FactorizedPrior(6, scale=3)
with torch.no_grad():
    for group, size in ((random.weights, 0.5), (random.biases, 1.5), (random.factors, 3)):
        for parameter in group:
            parameter += size * torch.randn_like(parameter)
grid = torch.linspace(-12, 12, 1201)
cumulative = torch.sigmoid(random.logits(grid.expand(6, 1, -1)))[:, 0].detach()
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
left.plot(grid, cumulative.T)
right.plot(grid[:-1], cumulative.diff().T / 0.02)
left.set(xlabel="$y$", ylabel="cumulative $F(y)$")
right.set(xlabel="$y$", ylabel="density $f(y)$")
plt.show()

# %% [markdown]
# Both. (The figure used the package's version, so as not to spoil the next cell.) Here is the whole prior, for $C$ channels at once. Each
# channel has its own little network: 43 numbers each.


# %%
class LearnedPrior(nn.Module):
    def __init__(self, channels, widths=(1, 3, 3, 3, 1)):
        super().__init__()
        shapes = list(zip(widths[1:], widths, strict=False))  # (outputs, inputs) of each layer
        self.weights = nn.ParameterList(torch.zeros(channels, *shape) for shape in shapes)
        self.biases = nn.ParameterList(torch.rand(channels, n, 1) - 0.5 for n, _ in shapes)
        self.factors = nn.ParameterList(torch.zeros(channels, n, 1) for n, _ in shapes[:-1])

    def logits(self, y):
        """The network before its sigmoid. y: (C, 1, N). Returns the same shape."""
        for weight, bias, a in zip(self.weights, self.biases, [*self.factors, None], strict=True):
            y = F.softplus(weight) @ y + bias
            y = y if a is None else y + torch.tanh(a) * torch.tanh(y)
        return y

    def likelihood(self, y):
        return torch.sigmoid(self.logits(y + 0.5)) - torch.sigmoid(self.logits(y - 0.5))


# %%
# NBVAL_CHECK_OUTPUT
print(sum(p.numel() for p in LearnedPrior(1).parameters()), "numbers a channel")
assert sum(p.numel() for p in LearnedPrior(1).parameters()) == 43

# %% [markdown]
# ### A trap in the upper tail
#
# The formula is right and the code is not. In single precision, sigmoid(20) rounds to exactly 1. Far out on the right both terms are 1, their difference is
# 0, and its logarithm is $-\infty$. On the left there is no such trouble, since numbers near 0 are stored to full relative precision.
#
# The cure uses the symmetry $\mathrm{sigmoid}(-x) = 1 - \mathrm{sigmoid}(x)$: where the interval lies right of the middle, flip both signs and
# subtract the other way round.

# %%
# NBVAL_CHECK_OUTPUT
upper, lower = torch.tensor(21.0), torch.tensor(20.0)
naive = torch.sigmoid(upper) - torch.sigmoid(lower)
flipped = torch.sigmoid(-lower) - torch.sigmoid(-upper)
exact = 1 / (1 + math.exp(20)) - 1 / (1 + math.exp(21))
print(f"naive {naive:.3g}, flipped {flipped:.4g}, exact {exact:.4g}")
assert naive == 0 and math.isclose(flipped, exact, rel_tol=1e-5)


# %%
class CarefulPrior(LearnedPrior):
    def likelihood(self, y):
        """p(y), accurate in both tails, and never below 1e-9. y: (C, 1, N). Returns the same shape."""
        lower, upper = self.logits(y - 0.5), self.logits(y + 0.5)
        sign = -torch.sign(lower + upper).detach()  # -1 where the interval lies in the upper half
        return (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs().clamp_min(1e-9)


# %% [markdown]
# This is `priors.FactorizedPrior` of the package. To see it, copy the package's parameters into ours, with some noise on them so that no
# special case hides a difference, and compare at real numbers, far into both tails.

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(5)
package, ours = priors.FactorizedPrior(32, scale=3), CarefulPrior(32)
with torch.no_grad():
    for parameter in package.parameters():
        parameter += 0.3 * torch.randn_like(parameter)
ours.load_state_dict(package.state_dict())
v = torch.linspace(-60, 60, 997).expand(32, 1, -1)
print("same logits:", torch.equal(ours.logits(v), package.logits(v)))
print("same likelihoods:", torch.equal(ours.likelihood(v), package.likelihood(v)))
assert torch.equal(ours.logits(v), package.logits(v)) and torch.equal(ours.likelihood(v), package.likelihood(v))

# %% [markdown]
# The package adds one more thing, a start. `FactorizedPrior(channels, scale)` chooses the weights so that all densities begin about `scale` wide:
# a prior that starts much too narrow sees the floor of 1e-9, and no gradient, at most of its data.

# %% [markdown]
# ## 4 · Watch it learn
#
# Fit it as we fitted the logistic prior, and keep its table every few steps.

# %%
torch.manual_seed(0)
learned = priors.FactorizedPrior(32, scale=3)
moments = (0, 10, 20, 40, 70, 100, 150, 200, 300)
tables = {0: pmf_of(learned)}
fit_prior(learned, every=lambda step: tables.update({step: pmf_of(learned)} if step in moments else {}))


# %% [markdown]
# The slider goes through the training. Each panel is one channel: in grey the histogram of the photo's symbols, in blue the learned pmf, in
# orange, dashed, the standard normal prior. The heights are on a logarithmic scale, because a rare symbol matters as much as its bits.
#
# **Predict first.** Which part of the histogram will the prior fit first, the peak or the tails? And will it end up on the histogram exactly? (It
# was fitted to other photos.)


# %%
def draw(step):
    figure = Figure(figsize=(9, 2.6), dpi=80, layout="constrained")
    for ax, c in zip(figure.subplots(1, 3), (0, 6, 26), strict=True):
        ax.bar(values, histogram[c], width=0.9, color="#c4ccd4")
        ax.semilogy(values, normal, "--", color=plotting.ORANGE)
        ax.semilogy(values, tables[step][c], ".-", color=plotting.BLUE)
        ax.set(xlim=(-15, 12), ylim=(1e-5, 1.5), xlabel=f"symbol $k$, channel {c}")
        bits = [-(histogram[c] * np.log2(pmf)).sum() for pmf in (tables[step][c], normal)]
        ax.set_title(f"{bits[0]:.2f} bits (normal: {bits[1]:.2f})", fontsize=10)
    return figure


widgets.FrameSlider(draw, moments, "training step")

# %% [markdown]
# The peak first: most symbols lie there, and each votes in the average. The tails follow, as far as there is data in them. In the end the blue
# curve follows the *crops'* histogram, which is close to that of our photo but not the same.
#
# What is it worth? All four priors on the photo, which none of them has seen (the last one has, of course).

# %%
candidates = {"standard normal": np.tile(normal, (32, 1)), "logistic": pmf_of(logistic), "learned": pmf_of(learned)}
rates = {name: cross_entropy(pmf).sum() * locations / pixels for name, pmf in candidates.items()}
rates["histogram of the photo itself"] = entropy.sum() * locations / pixels
sizes = {name: len(coded(k, pmf)) for name, pmf in candidates.items()}

# %%
# NBVAL_CHECK_OUTPUT
for name, bpp in rates.items():
    print(f"{name:30}: {bpp:.1f} bpp (estimated)")
ordered = list(rates.values())
print("each better than the one above it:", all(np.diff(ordered) < 0))
print("learned within 8 % of the photo's own entropy:", rates["learned"] < 1.08 * entropy.sum() * locations / pixels)
assert all(np.diff(ordered) < 0) and rates["learned"] < 1.08 * ordered[-1]

# %% [markdown]
# And the claim of section 1, for the learned prior: the bits saved are the difference of two divergences,
#
# $$ \text{bits saved} = \mathrm{KL}(h \,\|\, p_{\text{normal}}) - \mathrm{KL}(h \,\|\, p_{\text{learned}}), $$
#
# since the entropy cancels. In bytes of real files:

# %%
# NBVAL_CHECK_OUTPUT
learned_kl = cross_entropy(pmf_of(learned)) - entropy
predicted = (kl - learned_kl).sum() * locations / 8
saved = sizes["standard normal"] - sizes["learned"]
print("bytes saved = difference of divergences, to 0.5 %:", abs(saved / predicted - 1) < 0.005)
print("that is more than a quarter of the file:", saved > sizes["standard normal"] / 4)
assert abs(saved / predicted - 1) < 0.005 and saved > sizes["standard normal"] / 4

# %% [markdown]
# ## 5 · Everything learns together
#
# So far the prior adapted to a codec that had been trained for another prior. That codec squeezed all channels towards a width of 1, because
# everything else was expensive. Now all three parts learn together, and the codec may do as it likes: make channel 0 as wide as it needs to be, and let go of a
# channel that is not worth its bits. In the loss, only the cost changes:


# %%
def prior_cost(prior):
    """cost(y) for rd_loss: bits of each latent under a prior of the package."""

    def cost(y):
        by_channel = y.transpose(0, 1).flatten(1)[:, None]  # (32, 1, B h w)
        return -torch.log2(prior.likelihood(by_channel))

    return cost


# %% [markdown]
# We train six codecs: three λ, and at each λ one with the fixed standard normal prior and one with a learned prior. All six start from the same
# parameters (the DCT of chapter 01, with gains of 1), see the same crops in the same order, and take 200 steps.

# %%
start = toys.Codec().state_dict()


def train(lam, learn):
    """Train a codec from the common start. Returns it and its prior, or None for the fixed one."""
    torch.manual_seed(0)
    codec, prior = toys.Codec(), priors.FactorizedPrior(32, scale=3) if learn else None
    codec.load_state_dict(start)
    cost = prior_cost(prior) if learn else normal_cost
    toys.fit(groups(codec, prior), lambda x: rd_loss(codec, cost, x, lam), crops, steps=200, batch=8)
    return codec, prior


# %% [markdown]
# Each is then measured on our photo: round, code to bytes, decode.


# %%
@torch.no_grad()
def measure(codec, prior):
    """(measured bpp, PSNR in dB) on the photo."""
    y_hat = codec.encode(photo).round()
    k = y_hat[0].flatten(1).numpy().astype(int)
    limit = np.abs(k).max() + 1
    fixed = np.exp(-(np.arange(-limit, limit + 1) ** 2) / 2)
    pmf = pmf_of(prior, limit) if prior else np.tile(np.maximum(fixed / math.sqrt(2 * math.pi), 1e-6), (32, 1))
    return metrics.bpp(len(coded(k, pmf)), image), metrics.psnr(image, data.to_uint8(codec.decode(y_hat)))


lams = (0.002, 0.007, 0.025)
models = {learn: [train(lam, learn) for lam in lams] for learn in (False, True)}
points = {learn: [measure(*model) for model in models[learn]] for learn in models}

# %% [markdown]
# The figure shows the six points on the R-D plane of chapter 00, with JPEG on the same photo beside them. Lines join points of
# the same prior. **Guess**: at which end will the learned prior help most, at small files or at large ones?

# %%
curves = {"fixed standard normal prior": points[False], "learned prior": points[True]}
ax = plotting.rd_plane(curves, plt.figure(figsize=(6.4, 4)).gca())
jpeg = [point for point in classical.rd_curve("jpeg", image) if 0.25 < point[0] < 1.4]
ax.plot(*zip(*jpeg, strict=True), "--", color="#8c959f", linewidth=1.2, label="JPEG")
for learn, style in ((False, (6, -12)), (True, (6, -12))):
    for lam, point in zip(lams, points[learn], strict=True):
        ax.annotate(f"λ = {lam}", point, style, textcoords="offset points", fontsize=8)
ax.set_xlabel("measured rate (bpp)")
ax.legend()
plt.show()

# %% [markdown]
# At every λ the learned prior's point lies to the left of the fixed one's **and** above it: fewer bytes and a better picture at once. It helps
# most at small files, where most symbols are 0 and the fixed prior still charges 1.33 bits for each.

# %%
# NBVAL_CHECK_OUTPUT
for lam, fixed, free in zip(lams, points[False], points[True], strict=True):
    print(f"λ = {lam}: fewer bytes and a better picture:", free[0] < fixed[0] and free[1] > fixed[1])
    assert free[0] < 0.85 * fixed[0] and free[1] > fixed[1] + 0.5
print("at λ = 0.002, less than half the bytes:", points[True][0][0] < points[False][0][0] / 2)
assert points[True][0][0] < points[False][0][0] / 2 and np.diff(points[True], axis=0).min() > 0

# %% [markdown]
# This toy, trained for a few seconds, is not as good as JPEG: its latents are still those of small 8x8 blocks, coded independently of their
# neighbours. Chapter 07's codec is larger, sees further, has trained for hours, and lies well above that line.
#
# ### Where did the bits go?
#
# Look at the bits of a symbol in each channel at λ = 0.002. The learned prior buys what it needs in a few channels; the others have
# been switched off, and a channel that is always 0 costs almost nothing when everybody expects a 0.

# %%
spent = {}
with torch.no_grad():
    for learn, (codec, prior) in ((learn, models[learn][0]) for learn in models):
        y_hat = codec.encode(photo).round()
        cost = prior_cost(prior)(y_hat) if learn else normal_cost(y_hat)[0].flatten(1)
        spent[learn] = cost.reshape(32, -1).mean(1).numpy()
figure, ax = plt.subplots(figsize=(9, 2.6), layout="constrained")
ax.bar(np.arange(32) - 0.2, spent[False], 0.4, color=plotting.ORANGE, label="fixed prior")
ax.bar(np.arange(32) + 0.2, spent[True], 0.4, color=plotting.BLUE, label="learned prior")
ax.set(xlabel="channel", ylabel="bits per symbol (estimated)")
ax.legend()
plt.show()

# %%
# NBVAL_CHECK_OUTPUT
print("channel 0: more bits with the learned prior:", bool(spent[True][0] > spent[False][0]))
print("at least 5 channels cost less than 0.2 bits a symbol:", bool((spent[True] < 0.2).sum() >= 5))
print("with the fixed prior, every channel costs at least 1.32:", bool(spent[False].min() > 1.32))
assert spent[True][0] > spent[False][0] and (spent[True] < 0.2).sum() >= 5 and spent[False].min() > 1.32

# %% [markdown]
# That is how rate and transform talk to each other: the prior tells the encoder what is cheap, the encoder makes its latents so, and the
# prior learns that they are. Nobody told the codec how many channels to use.

# %% [markdown]
# ## 6 · Your hand on λ
#
# Until now λ was fixed before training. Here you can move it **while** the codec of λ = 0.007 goes on training, and watch its point
# move on the R-D plane. The widget needs two functions: one step of training at a given λ, and a measurement, here on the animal's head.

# %%
codec, prior = copy.deepcopy(models[True][1])
adam = torch.optim.Adam(groups(codec, prior))
dice = torch.Generator().manual_seed(1)
head = photo[:, :, 96:320, 256:576]


def step(lam):
    x = crops[torch.randint(len(crops), (8,), generator=dice)]
    loss = rd_loss(codec, prior_cost(prior), x, lam)
    adam.zero_grad()
    loss.backward()
    adam.step()


@torch.no_grad()
def look(codec=codec, prior=prior):
    """(estimated bpp, PSNR, picture) of the head, with rounding."""
    y_hat = codec.encode(head).round()
    x_hat = data.to_uint8(codec.decode(y_hat))
    bpp = prior_cost(prior)(y_hat).sum().item() / (head.numel() / 3)
    return bpp, metrics.psnr(data.to_uint8(head), x_hat), x_hat


# %% [markdown]
# The crosses mark the three codecs of section 5 on the same piece of photo. The dashed line joins all points with the loss that the codec has now, at the λ of
# the slider: training tries to leave it upwards. The run below moves λ to 0.03, then to 0.0015, then back to 0.007, with 100 steps each, always the same. Then it is your turn:
# press *Start training*, drag λ, pause. Interrupting the kernel or running the cell again stops it too.
#
# **Predict first.** λ jumps up. Does the point go straight to its new place, or does the rate run ahead of the quality? And when λ comes back to where it
# was, does the point?

# %%
torch.manual_seed(0)
steered = live.LiveTraining(step, look, lam=0.007, goals=[look(*model)[:2] for model in models[True]])
steered.run(0.03, 100)
steered.run(0.0015, 100)
steered.run(0.007, 100)
steered

# %% [markdown]
# When λ rises, the rate runs ahead: for the first ten steps or so there are more bits and no better picture, then the quality follows.
# When λ falls, both go down together. And when λ comes back, so does the point, nearly: λ selects a point, the way there matters little.

# %%
# NBVAL_CHECK_OUTPUT
at = {int(step): (bpp, psnr) for step, _, bpp, psnr in steered.trail}
up, down, back = at[100], at[200], at[300]
print("λ up: more bits, a better picture:", up[0] > 1.2 * at[0][0] and up[1] > at[0][1] + 0.3)
print("λ down: fewer bits, a worse picture:", down[0] < 0.7 * up[0] and down[1] < up[1] - 1)
print("back again, to 15 % and 0.5 dB:", abs(back[0] / at[0][0] - 1) < 0.15 and abs(back[1] - at[0][1]) < 0.5)
assert up[0] > 1.2 * at[0][0] and up[1] > at[0][1] + 0.3 and down[0] < 0.7 * up[0] and down[1] < up[1] - 1
assert abs(back[0] / at[0][0] - 1) < 0.15 and abs(back[1] - at[0][1]) < 0.5

# %% [markdown]
# Notice what this suggests: the filters hardly change between two λ, it is mostly the gains. Chapter 07's codec makes use of it. One set of weights,
# and gains that are a function of λ, so that a slider needs no training at all.

# %% [markdown]
# ## Exercises

# %% [markdown]
# ### Exercise 5.1 · The floor
#
# With the standard normal prior no picture can cost less than a certain rate. Write it as a function of the number of channels and of
# the stride (8 in our codec). What is the floor with 64 channels? With the 320 channels at stride 16 of chapter 07's codec? Why is it no objection to those numbers that their codec
# has a learned prior?


# %%
def floor_bpp(channels, stride):
    """The smallest estimated rate, in bits per pixel, under a standard normal prior for each latent."""
    return ...  # your code


# %% [markdown]
# <details><summary>Hint</summary>The cheapest symbol is 0. How many latents are there for each pixel?</details>

# %%
# NBVAL_CHECK_OUTPUT
check.ex_5_1(floor_bpp)

# %% [markdown]
# ### Exercise 5.2 · A mixture
#
# Another family of increasing functions from 0 to 1: a weighted mean of several sigmoids, $F(y) = \sum_j \pi_j\, \mathrm{sigmoid}\big((y - m_j)/s_j\big)$, with
# $\pi_j > 0$ and $\sum_j \pi_j = 1$. Write its pmf at the integers. It has to sum to 1 over all integers, and must stay positive 30 scales out on *both* sides, in single precision.


# %%
def mixture_pmf(k, weights, locations, scales):
    """P(k) of a mixture of logistic densities. k: (N,) float32; the others (J,), weights sum to 1. Returns (N,)."""
    return ...  # your code


# %% [markdown]
# <details><summary>Hint</summary>Compute each component's difference of sigmoids first, with the flip of section 3 (the sign of the upper plus the lower
# argument decides), and take the weighted sum of the differences, not the difference of the sums.</details>

# %%
# NBVAL_CHECK_OUTPUT
check.ex_5_2(mixture_pmf)

# %% [markdown]
# ### Exercise 5.3 · Where does a table end?
#
# A coder's table must stop somewhere. The package stops where the cumulative reaches a small probability, and one minus it. Write a function that finds the $y$
# with $F(y) = p$ for any increasing $F$, to within $10^{-6}$. The widths of the densities are not known in advance: a quantile may lie at 0.01 or at 10,000.


# %%
def quantile(cumulative, probability):
    """The y with cumulative(y) = probability. cumulative: float -> float, increasing from 0 to 1. Returns a float."""
    return ...  # your code


# %% [markdown]
# <details><summary>Hint</summary>First double an interval around 0 until it holds the answer; then halve it. How many halvings bring 20,000 down to
# a millionth?</details>

# %%
# NBVAL_CHECK_OUTPUT
check.ex_5_3(quantile)

# %% [markdown]
# ## In practice
#
# - The same network is `EntropyBottleneck` in CompressAI and `NoisyDeepFactorized` in TensorFlow Compression, there with hidden widths 3, 3 and 3 as here. Both have to learn the
#   ends of the tables too; TensorFlow Compression's and CompressAI's first versions trained them with a loss of their own. Exercise 5.3 needs none.
# - Codecs with side information (chapter 08) give each *latent* its own density, a Gaussian convolved with the box: $p(k) = \Phi\big(\frac{k + 1/2 - \mu}{\sigma}\big) - \Phi\big(\frac{k - 1/2 - \mu}{\sigma}\big)$.
#   The side information itself is coded with a learned prior as in this chapter.
# - Before a file is written, the float densities are turned into integer tables, the same on every machine. Chapter 06 shows what happens otherwise.
# - A prior learned on one kind of pictures is wrong for another, and the divergence says how wrong. Screenshots, cartoons and X-rays deserve priors of their own.

# %% [markdown]
# ## Summary
#
# - Rate = entropy + divergence. The entropy belongs to the symbols, the divergence to the prior; measured files differ by exactly the difference of their divergences.
# - A standard normal prior charges at least 1.33 bits for a latent, hence 0.66 bpp for any picture at all.
# - $p(v) = F(v + \frac12) - F(v - \frac12)$ is a density for noisy latents and a pmf for rounded ones, whatever the increasing function $F$.
# - Positive weights and $x + \tanh(a)\tanh(x)$ make a network that only increases: the learned factorised prior. Compute it with the sign flip.
# - Trained end to end it dominates the fixed prior at every λ, because the codec can make latents of unequal width and switch channels off.
# - What it cannot do is look at the neighbours: each location is priced alone. That is chapter 08.

# %% [markdown]
# ## References
#
# - J. Ballé, V. Laparra, E. Simoncelli. *End-to-end optimized image compression.* ICLR 2017. arXiv:1611.01704
# - J. Ballé, D. Minnen, S. Singh, S. J. Hwang, N. Johnston. *Variational image compression with a scale hyperprior.* ICLR 2018. arXiv:1802.01436 (the prior: appendix 6.1)
# - J. Bégaint, F. Racapé, S. Feltman, A. Pushparaja. *CompressAI: a PyTorch library and evaluation platform for end-to-end compression research.* 2020. arXiv:2011.03029
# - Y. Hu, W. Yang, Z. Ma, J. Liu. *Learning end-to-end lossy image compression: a benchmark.* IEEE TPAMI 2021. arXiv:2002.03711
# - S. Kullback, R. Leibler. *On information and sufficiency.* Annals of Mathematical Statistics 22(1), 1951. doi:10.1214/aoms/1177729694
# - D. Minnen, J. Ballé, G. Toderici. *Joint autoregressive and hierarchical priors for learned image compression.* NeurIPS 2018. arXiv:1809.02736
# - C. Shannon. *A mathematical theory of communication.* Bell System Technical Journal 27, 1948. doi:10.1002/j.1538-7305.1948.tb01338.x
