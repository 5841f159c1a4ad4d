"""Trains a model with XGBoost and times its `pred_contribs`, through the C interface of the pinned library: needs nothing but Python.

Used by `cargo xtask bench learn`; prints one JSON line.
  train LIBRARY X Y FEATURES DEPTH TREES MODEL
  contribs LIBRARY X MODEL FEATURES ROWS THREADS OUT
"""
import array
import ctypes
import json
import sys
import time

command, library, x, *rest = sys.argv[1:]
xgboost = ctypes.CDLL(library)
xgboost.XGBGetLastError.restype = ctypes.c_char_p


def call(function, *arguments):
    if getattr(xgboost, function)(*arguments) != 0:
        sys.exit(f"{function}: {xgboost.XGBGetLastError().decode()}")


def floats(path, count=None):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read(count * 4 if count else -1))
    return (ctypes.c_float * len(values)).from_buffer(values)


def matrix(values, features, threads):
    handle = ctypes.c_void_p()
    rows = ctypes.c_uint64(len(values) // features)
    call("XGDMatrixCreateFromMat_omp", values, rows, ctypes.c_uint64(features), ctypes.c_float(float("nan")), ctypes.byref(handle), threads)
    return handle


def booster(matrices, **parameters):
    handle = ctypes.c_void_p()
    call("XGBoosterCreate", (ctypes.c_void_p * len(matrices))(*matrices), ctypes.c_uint64(len(matrices)), ctypes.byref(handle))
    for name, value in parameters.items():
        call("XGBoosterSetParam", handle, name.encode(), str(value).encode())
    return handle


if command == "train":
    y, features, depth, trees, model = rest
    data, labels = matrix(floats(x), int(features), 0), floats(y)
    call("XGDMatrixSetFloatInfo", data, b"label", labels, ctypes.c_uint64(len(labels)))
    trained = booster([data], objective="binary:logistic", max_depth=depth, eta=0.1, tree_method="hist", seed=1)
    for round in range(int(trees)):
        call("XGBoosterUpdateOneIter", trained, round, data)
    call("XGBoosterSaveModel", trained, model.encode())
    print(json.dumps({"trees": int(trees)}))
else:
    model, features, rows, threads, out = rest
    data = matrix(floats(x, int(rows) * int(features)), int(features), int(threads))
    trained = booster([])
    call("XGBoosterLoadModel", trained, model.encode())
    call("XGBoosterSetParam", trained, b"nthread", threads.encode())
    length, result = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
    contributions = 4  # The option's bit.
    began, cpu = time.perf_counter(), time.process_time()
    call("XGBoosterPredict", trained, data, contributions, 0, 0, ctypes.byref(length), ctypes.byref(result))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    with open(out, "wb") as file:
        file.write(ctypes.string_at(result, length.value * 4))
    print(json.dumps({"rows": int(rows), "seconds": seconds, "cpu_seconds": cpu}))
