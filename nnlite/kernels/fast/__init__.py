"""Everything that is only there for speed: explicit SIMD, rows of nonzero pixels, fused updates, the compiled loop.

Each kernel computes what a plain one in `nnlite.kernels` does, has the same dense count, and names the form it
replaces. From the ground up: `target` (the processor), `simd` (lanes), `panels` (layout of the parameters), `rows`
(layout of the images), `first_layer` and `matmul` (products), `activation`, `loss`, `update`, then `network` and
`optimizers` (what a run holds), `step`, `loop`.
"""
