"""What OpenDP says ρ-zCDP is worth: ε at δ, by its own combinator.

Run with ``pip install opendp==0.16.0``; prints the JSON stored beside this file.
"""

import json
import math

import opendp.prelude as dp

dp.enable_features("contrib")

found = []
for rho in (1e-4, 0.003, 0.02, 0.1, 0.4, 1.0, 2.5, 10.0):
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    gaussian = dp.m.make_gaussian(*space, scale=math.sqrt(1 / (2 * rho)))
    profile = dp.c.make_zCDP_to_approxDP(gaussian).map(1.0)
    for delta in (1e-3, 1e-6, 1e-10):
        exact = gaussian.map(1.0)
        found.append({"rho": exact, "delta": delta, "epsilon": profile.epsilon(delta)})
print(json.dumps({"opendp": "0.16.0", "conversions": found}, indent=1))
