"""Loads a logistic regression of cscopilot (logistic.json) as a python_function of MLflow."""

import json

import numpy as np


class Model:
    """The regression: what was learned from the training rows, and nothing else."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.model = json.load(file)

    def margins(self, frame):
        """Log odds of the rows, before calibration."""
        columns = np.column_stack([np.asarray(frame[name], dtype=float) for name in self.model["features"]])
        linear = self.model["linear"]
        margins = np.full(len(columns), linear["intercept"], dtype=float)
        for source, coefficient in zip(self.model["inputs"], linear["coefficients"]):
            (kind, how), = source.items()
            x = columns[:, how["feature"]]
            if kind == "value":
                x = np.clip(np.where(np.isnan(x), how["median"], x), how["low"], how["high"])
                if how["log"]:
                    x = np.sign(x) * np.log1p(np.abs(x))
            elif kind == "missing":
                x = np.isnan(x).astype(float)
            else:
                raise ValueError(f"an input of kind {kind!r} is not known to this loader")
            margins += coefficient * (x - how["mean"]) / how["deviation"]
        return margins

    def predict(self, frame, params=None):
        """Probabilities before calibration, or margins with params={"output_margin": True}."""
        margins = self.margins(frame)
        return margins if (params or {}).get("output_margin") else 1.0 / (1.0 + np.exp(-margins))


def _load_pyfunc(path):
    return Model(path)
