"""The benchmark's two pictures, drawn from the numbers of the run that asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.measure import Times

FOLDER = Path(__file__).parent / "results"


def time_against_hidden(times: Mapping[int, Mapping[str, Times]]) -> str:
    """Draw the time of a step against the number of hidden units, a line for each library; return the Markdown link."""
    figure, axes = _figure()
    hidden = sorted(times)
    for key in times[hidden[0]]:
        shown = [n for n in hidden if key in times[n]]
        mid = [times[n][key].median * 1e6 for n in shown]
        low, high = ([pick(times[n][key].seconds) * 1e6 for n in shown] for pick in (min, max))
        (line,) = axes.plot(shown, mid, marker="o", linewidth=2.5 if key == "nnlite" else 1.2, label=key)
        axes.fill_between(shown, low, high, color=line.get_color(), alpha=0.15)
    axes.set(xscale="log", yscale="log", xlabel="hidden units", ylabel="microseconds a step (median; band: all rounds)")
    axes.set_xticks(hidden, [str(n) for n in hidden])
    axes.minorticks_off()
    axes.set_title("SGD step, 784-n-10, batch 64, one core")
    axes.legend(frameon=False)
    return _save(figure, "time-against-hidden.png", "time of a step against hidden units")


def roofline(peak: float, bandwidth: float, points: Sequence[tuple[str, float, float]]) -> str:
    """Draw GFLOP/s against FLOPs a byte under the measured roof; a point is (label, intensity, GFLOP/s)."""
    figure, axes = _figure()
    intensities = [2.0**k for k in range(-3, 9)]
    axes.plot(intensities, [min(peak, bandwidth * i) for i in intensities], color="black", linewidth=1)
    for k, (label, intensity, rate) in enumerate(points):
        axes.plot(intensity, rate, "o", color="tab:orange" if label.startswith("BLAS") else "tab:blue")
        axes.annotate(label, (intensity, rate), fontsize=7, xytext=(8, 6 * (-1) ** k - 2), textcoords="offset points")
    axes.set(xscale="log", yscale="log", xlabel="FLOPs executed a byte of the arrays touched", ylabel="GFLOP/s")
    axes.set_title(f"64 x 784 x 128 on one core: peak {peak:.0f} GFLOP/s, copy from memory {bandwidth:.0f} GB/s")
    return _save(figure, "roofline.png", "roofline")


def _figure():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(7, 4.5), layout="constrained")


def _save(figure, name: str, text: str) -> str:
    from matplotlib import pyplot

    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / name, dpi=120)
    pyplot.close(figure)
    return f"![{text}](results/{name})\n"
