"""The chain rule in small numbers: every gradient of a 2-2-2 network for one image, derived and tried.

Lesson *backward* begins with it; the same lines for many images and any network are the lesson's rules.
"""

from __future__ import annotations

import numpy as np

from nnlite.lessons.forward import Array, cross_entropy, layer, relu, softmax

X, LABEL = np.array([[1.0, 2.0]]), np.array([1])
W1, B1 = np.array([[1.0, -1.0], [0.5, 0.0]]), np.zeros(2)
W2, B2 = np.array([[0.5, 0.0], [1.0, -1.0]]), np.zeros(2)
Y = np.array([[0.0, 1.0]])  # the label as the probabilities that should come out
NUDGE = 0.001


def loss_of(w1: Array, w2: Array) -> float:
    """Go forward with these weights."""
    return cross_entropy(softmax(layer(relu(layer(X, w1, B1)), w2, B2)), LABEL)


def chain_rule() -> tuple[Array, Array]:
    """Print the forward pass, where dz = p - y comes from, and how the other lines pass it on.

    Returns
    -------
    (dW1, dW2) : float64 array (2, 2), float64 array (2, 2)
    """
    print("1. Small numbers first: one image of 2 pixels, 2 units, 2 classes\n")
    z1 = layer(X, W1, B1)
    h = relu(z1)
    z2 = layer(h, W2, B2)
    p = softmax(z2)
    print(f"  x    = {write(X):26} W1 = {write(W1)}, b1 = 0")
    print(f"  z1   = x W1 + b1   = {write(z1):12} W2 = {write(W2)}, b2 = 0")
    print(f"  h    = max(z1, 0)  = {write(h):12} the first unit speaks, the second is silent")
    print(f"  z2   = h W2 + b2   = {write(z2)}\n  p    = softmax(z2) = {write(p)}")
    print(f"  loss = -log p[1]   = {cross_entropy(p, LABEL):<12.3f} the label is 1; p says 0")

    print("\n2. dz: how far does the loss move, for a small move of z? The last line first\n")
    print("  p[j] = exp(z[j]) / S, S = exp(z[0]) + exp(z[1]), so -log p[1] = log S - z[1].")
    print("  log S moves by exp(z[j]) / S, which is p[j]: log by 1 / S, S by exp(z[j]).")
    print("  -z[1] moves by -1 for z[1], not at all for z[0]: by -y[j], with y = (0, 1).")
    dz2 = p - Y
    print(f"\n      dz = p - y = {write(p)} - {write(Y)} = {write(dz2)}\n")
    moved = cross_entropy(softmax(z2 + np.array([[NUDGE, 0]])), LABEL) - cross_entropy(p, LABEL)
    print(f"  Try it: z2[0] up by {NUDGE}, and the loss goes up by {moved:.6f}.")
    print("  Of n images the loss is the mean, so each counts 1/n: dz = (p - y) / n.")

    print("\n3. The chain rule: a moves b, b moves the loss; then a moves it by the product\n")
    dw2, dh = h.T @ dz2, dz2 @ W2.T
    print("  z2 = h W2 + b2     W2[i, j] moves z2[j] by h[i], and the loss by h[i] dz2[j]:")
    print(f"                         dW2 = h' dz2 = {write(dw2)}")
    print("                     b2[j] moves z2[j] by 1, so db2 = dz2")
    print("                     h[i] moves every z2[j] by W2[i, j]; the ways add up:")
    print(f"                         dh = dz2 W2' = {write(dh)}")
    dz1 = dh * (z1 > 0)
    print("  h = max(z1, 0)     z1[i] moves h[i] by 1 above zero, not at all below:")
    print(f"                         dz1 = {write(dz1)}")
    dw1 = X.T @ dz1
    print("  z1 = x W1 + b1     as for z2, with x for h:")
    print(f"                         dW1 = x' dz1 = {write(dw1)}, db1 = dz1")
    print("                     nobody needs dx: an image does not learn")
    print(f"\n  (W' is W with rows and columns swapped.) Try two of them, {NUDGE} up:\n")
    up = np.zeros((2, 2))
    up[1, 0] = NUDGE
    print(f"  by W1[1, 0] the loss moves by {loss_of(W1 + up, W2) - loss_of(W1, W2):+.6f}; dW1 says {dw1[1, 0]:+.3f}")
    print(f"  by W2[0, 1] the loss moves by {loss_of(W1, W2 + up.T) - loss_of(W1, W2):+.6f}; dW2 says {dw2[0, 1]:+.3f}")
    return dw1, dw2


def write(array: Array) -> str:
    """Write a row in brackets, or a matrix as its rows, without needless digits.

    Examples
    --------
    >>> write(np.array([[0.5, 2 / 3], [0, 1]]))
    '((0.5, 0.667), (0, 1))'
    """
    rows = ["(" + ", ".join(f"{float(f'{number:.3f}'):g}" for number in row) + ")" for row in array]
    return rows[0] if len(rows) == 1 else f"({', '.join(rows)})"
