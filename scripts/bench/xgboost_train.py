"""Trains with Python's XGBoost, on the matrix that the project's own training is given as well.

Used by `cargo xtask bench learn`; prints one JSON line.
  DMatrix|QuantileDMatrix X Y SETTING ROUNDS THREADS OUT
X and Y are files of f32, the rows of X one after the other; SETTING is the JSON of hyper-parameters; the margins of the rows are written
to OUT.
"""
import json
import sys
import time

import numpy
import xgboost

kind, x, y, setting, rounds, threads, out = sys.argv[1:]
rounds, threads = int(rounds), int(threads)
labels = numpy.fromfile(y, dtype=numpy.float32)
values = numpy.fromfile(x, dtype=numpy.float32).reshape(len(labels), -1)
parameters = {
    **json.loads(setting),
    "objective": "binary:logistic",
    "base_score": float(labels.mean(dtype=numpy.float64)),
    "tree_method": "hist",
    "nthread": threads,
    "seed": 1,
}


def peak_memory_mib():
    try:
        with open("/proc/self/status") as status:
            return next((int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM:")), None)
    except OSError:
        return None


began, cpu = time.perf_counter(), time.process_time()
if kind == "DMatrix":
    matrix = xgboost.DMatrix(values, label=labels, nthread=threads)
else:
    matrix = xgboost.QuantileDMatrix(values, label=labels, nthread=threads, max_bin=parameters["max_bin"])
matrix_seconds = time.perf_counter() - began
booster = xgboost.train(parameters, matrix, num_boost_round=rounds)
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
peak = peak_memory_mib()

margins = booster.predict(xgboost.DMatrix(values, nthread=threads), output_margin=True)
margins.astype(numpy.float32).tofile(out)
print(
    json.dumps(
        {
            "version": xgboost.__version__,
            "seconds": seconds,
            "matrix_seconds": matrix_seconds,
            "training_seconds": seconds - matrix_seconds,
            "cpu_seconds": cpu,
            "peak_memory_mib": peak,
        }
    )
)
