"""Independent references for the derivatives of small networks.

`problem` holds a network with its data, `taylor` differentiates scalar functions at 50 digits, `jets` carries whole
second-order Taylor polynomials in all parameters through the network, `autodiff` asks jax, `compare` judges.
None of them imports the compiled core or uses the block formulas it is built on.

`networks` is no reference: it draws networks that several tests share, with the library itself.
"""
