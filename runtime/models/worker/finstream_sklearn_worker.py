#!/usr/bin/python3
"""Answers for one scikit-learn model: rows of features in, numbers out.

usage: finstream_sklearn_worker.py MODEL HASH OUTPUT NULLS

Started by a node for each model of kind sklearn. It reads MODEL (a pickle, plain or by joblib) if its bytes have the
XXH3 HASH, and only then unpickles it: a pickle is code, and what is run is what the card names. OUTPUT is `probability`
(predict_proba) or `number` (predict), NULLS is `pass` or `skip`. Frames on standard input and output: a length of four
bytes (big-endian), then a msgpack map. The first frame out says {hash, features, columns, outputs, library}, or
{failed}. Then each request {id, columns, values} is answered by {id, outputs} or {id, error}; values and outputs are
the bytes of little-endian doubles, row after row. It ends when its standard input does. Whatever a model prints goes to
standard error, which the node logs.
"""

import os

# Before numpy is loaded: one thread, so that sums are made in one order.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[_name] = "1"

import io
import struct
import sys

MAX_FRAME_BYTES = 8 << 20


def own_streams():
    """The frames' streams for ourselves; what others print goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr  # which keeps nothing back
    return requests, answers


def send(answers, packer, what):
    body = packer(what, use_bin_type=True)
    answers.write(struct.pack(">I", len(body)) + body)
    answers.flush()


def receive(requests):
    """The bytes of the next request, or None at the end."""
    header = requests.read(4)
    if len(header) < 4:
        return None
    (length,) = struct.unpack(">I", header)
    if length > MAX_FRAME_BYTES:
        raise SystemExit(f"a request of {length} bytes: {MAX_FRAME_BYTES} are the most")
    body = requests.read(length)
    return body if len(body) == length else None


class Model:
    def __init__(self, path, wanted_hash, output, nulls):
        import warnings

        import joblib
        import numpy
        import sklearn
        import xxhash

        # Rows come without names; that they are in the right order is checked once, by the node.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        self.numpy = numpy
        with open(path, "rb") as file:
            content = file.read()
        self.hash = xxhash.xxh3_64_hexdigest(content)
        if self.hash != wanted_hash:
            raise ValueError(f"the file's hash is {self.hash}, its card says {wanted_hash}")
        self.estimator = joblib.load(io.BytesIO(content))
        self.library = f"scikit-learn {sklearn.__version__}"
        compute = getattr(self.estimator, "predict_proba" if output == "probability" else "predict", None)
        if compute is None:
            raise ValueError(f"a {type(self.estimator).__name__} has no output {output}")
        self.compute = compute
        self.features = [str(name) for name in getattr(self.estimator, "feature_names_in_", [])]
        self.columns = int(self.estimator.n_features_in_)
        # What can only be known by trying.
        self.outputs = self.predict(numpy.zeros((1, self.columns))).shape[1]
        if nulls == "pass":
            self.predict(numpy.full((1, self.columns), numpy.nan))

    def predict(self, rows):
        output = self.numpy.asarray(self.compute(rows), dtype="<f8")
        return output.reshape(len(rows), -1)

    def answer(self, request):
        rows = self.numpy.frombuffer(request["values"], dtype="<f8").reshape(-1, request["columns"])
        return self.predict(rows).tobytes()


def main():
    requests, answers = own_streams()
    import msgpack

    try:
        model = Model(*sys.argv[1:5])
        hello = {"hash": model.hash, "features": model.features, "columns": model.columns, "outputs": model.outputs,
                 "library": model.library}
    except Exception as problem:  # a pickle can raise anything
        send(answers, msgpack.packb, {"failed": f"{type(problem).__name__}: {problem}"[:4000]})
        return 1
    send(answers, msgpack.packb, hello)
    while (body := receive(requests)) is not None:
        request = msgpack.unpackb(body)
        try:
            answer = {"id": request["id"], "outputs": model.answer(request)}
        except Exception as problem:  # and so can a model
            answer = {"id": request["id"], "error": f"{type(problem).__name__}: {problem}"[:4000]}
        send(answers, msgpack.packb, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
