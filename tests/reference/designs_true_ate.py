"""Integrate the average treatment effects of designs that have no effect in plain figures.

Paper 1: three binary covariates are summed, three Gaussian ones integrated by
Gauss-Hermite quadrature; 40, 80 and 120 nodes per dimension agree to 1e-8,
6e-13. Nonlinear: the same with two Gaussian covariates. Skewed cost: frailty is
independent of the rest, so its factor is the moment generating function
exp(b**2 / 2), and the other two covariates are summed.
Needs numpy and scipy. Run: python tests/reference/designs_true_ate.py
Output (numpy 2.4.6, scipy 1.17.1):
paper1 40 0.41846761449862796
paper1 80 0.41846761594154475
paper1 120 0.4184676159421402
nonlinear_binary (effect, bias) 80 0.21721785857996168 0.24929917974733262
nonlinear_binary (effect, bias) 160 0.21721778149930993 0.24929947516067552
nonlinear_binary (effect, bias) 240 0.21721778140379128 0.24929947551065068
nonlinear_binary (effect, bias) 320 0.21721778140372705 0.2492994755106881
skewed_cost -1.1049278701398235
"""

import itertools
from math import exp

import numpy as np
from scipy.special import expit


def hermite(n_nodes):
    nodes, weights = np.polynomial.hermite_e.hermegauss(n_nodes)
    return nodes, weights / weights.sum()


def paper1(n_nodes):
    nodes, weights = hermite(n_nodes)
    w4, w5, noise = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    density = np.einsum("i,j,k->ijk", weights, weights, weights)
    w6 = 0.5 * w4 + 0.5 * w5 + noise
    total = 0.0
    for w1, w2, w3 in itertools.product((0, 1), repeat=3):
        p3 = 0.3 + 0.175 * (w1 + w2)
        effect = 2 + 0.5 * np.sin(w1) + 0.3 * np.log(abs(w2) + 1) - 0.2 * w3**2
        effect = effect + 0.1 * np.exp(w4) - 0.3 * np.tanh(w5) + 0.2 * np.cos(w6)
        baseline = -0.5 + 0.5 * w1 + w2 - w3 + 0.2 * w4 - 0.3 * w5 + 0.1 * w6
        cate = expit(baseline + effect) - expit(baseline)
        total += 0.25 * (p3 if w3 else 1 - p3) * (density * cate).sum()
    return float(total)


def nonlinear_binary(n_nodes):
    """Give the effect, and what the crude difference adds to it."""
    nodes, weights = hermite(n_nodes)
    w4, w5 = np.meshgrid(nodes, nodes, indexing="ij")
    density = np.outer(weights, weights)
    means = {"y1": 0.0, "y0": 0.0, "a": 0.0, "ay1": 0.0, "cy0": 0.0}
    for w1, w2, w3 in itertools.product((0, 1), repeat=3):
        s = np.sin(2 * w4) + (1 if w1 + w2 == 1 else -1)
        g = expit(s)
        q1, q0 = (expit(-0.5 + (1 + 0.5 * w3) * a + 1.1 * s + 0.5 * np.sin(2 * w5)) for a in (1, 0))
        parts = {"y1": q1, "y0": q0, "a": g, "ay1": g * q1, "cy0": (1 - g) * q0}
        for name, values in parts.items():
            means[name] += 0.125 * float((density * values).sum())
    effect = means["y1"] - means["y0"]
    crude = means["ay1"] / means["a"] - means["cy0"] / (1 - means["a"])
    return effect, crude - effect


def skewed_cost():
    total = 0.0
    severities = ((0, 0.5), (1, 0.3), (2, 0.2))
    for female, (severity, share) in itertools.product((0, 1), severities):
        arms = [
            exp(
                1
                + 0.3 * female
                + 0.3 * severity
                - a * (0.5 - 0.2 * female)
                + (0.4 + 0.1 * severity + 0.2 * a) ** 2 / 2
            )
            for a in (0, 1)
        ]
        total += 0.5 * share * exp(0.3**2 / 2) * (arms[1] - arms[0])
    return total


if __name__ == "__main__":
    for n_nodes in (40, 80, 120):
        print("paper1", n_nodes, paper1(n_nodes))
    for n_nodes in (80, 160, 240, 320):
        print("nonlinear_binary (effect, bias)", n_nodes, *nonlinear_binary(n_nodes))
    print("skewed_cost", skewed_cost())
