"""Measurements of nnlite beside NumPy, scikit-learn, PyTorch and JAX; no part of the package. See README.md here."""
