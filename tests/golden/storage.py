"""Writing safetensors files, drawing float32-exact inputs, and checking gradients by finite differences."""

import json
import os
import struct

import numpy
import torch

TYPES = {numpy.dtype("float32"): "F32", numpy.dtype("int64"): "I64", numpy.dtype("bool"): "BOOL"}


class Draw:
    """Random inputs as float64 tensors whose values are exactly representable in float32.

    What is computed from them in float64 is therefore the exact answer, to float64 accuracy, for the float32 inputs in the file.
    numpy's RandomState is used because its streams are frozen: the numbers do not change with the version.
    """

    def __init__(self, seed):
        self.rng = numpy.random.RandomState(seed)

    def normal(self, *shape, scale=1.0, mean=0.0):
        values = mean + scale * self.rng.standard_normal(shape)
        return torch.from_numpy(numpy.asarray(values).astype(numpy.float32).astype(numpy.float64))

    def integers(self, high, *shape):
        return torch.from_numpy(self.rng.randint(0, high, size=shape).astype(numpy.int64))


def to_array(value):
    """Tensor, number or list to an array in one of the stored types; floating point is rounded once, to float32."""
    array = value.detach().numpy() if isinstance(value, torch.Tensor) else numpy.asarray(value)
    if array.dtype == numpy.float64:
        array = array.astype(numpy.float32)
    assert array.dtype in TYPES, array.dtype
    return array


def save(path, tensors, config):
    """Writes 8 bytes of header length, the JSON header padded with spaces to a multiple of 8, and the tensors' bytes, little-endian.

    Tensors lie by falling element size and then by name, so that every one of them is aligned. The configuration is the string
    `__metadata__.config`, itself JSON.
    """
    arrays = {name: to_array(value) for name, value in tensors.items()}
    header = {"__metadata__": {"config": json.dumps(config, sort_keys=True)}}
    body = b""
    for name in sorted(arrays, key=lambda n: (-arrays[n].itemsize, n)):
        data = arrays[name].tobytes(order="C")
        header[name] = {"dtype": TYPES[arrays[name].dtype], "shape": list(arrays[name].shape),
                        "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)
    reread = load(path)
    assert reread.keys() == arrays.keys() and all(reread[n].tobytes() == arrays[n].tobytes() for n in arrays), path
    return os.path.getsize(path)


def load(path):
    """Reads a file back, independently of the order in which save() lays out the tensors."""
    with open(path, "rb") as file:
        data = file.read()
    length = struct.unpack("<Q", data[:8])[0]
    header, body, types = json.loads(data[8:8 + length]), data[8 + length:], {text: kind for kind, text in TYPES.items()}
    header.pop("__metadata__")
    return {name: numpy.frombuffer(body[slice(*e["data_offsets"])], types[e["dtype"]]).reshape(e["shape"]) for name, e in header.items()}


def check_gradients(what, loss, values, gradients, entries=4, step=1e-5, tolerance=1e-6):
    """Compares a few entries of each gradient with central differences of loss(), a function without arguments that reads `values`."""
    rng = numpy.random.RandomState(7)
    for name, value in values.items():
        flat, expected = value.detach().view(-1), gradients[name].reshape(-1)
        for i in rng.choice(flat.numel(), min(entries, flat.numel()), replace=False):
            with torch.no_grad():
                old = flat[i].item()
                flat[i] = old + step
                above = loss().item()
                flat[i] = old - step
                below = loss().item()
                flat[i] = old
            numeric, exact = (above - below) / (2 * step), expected[i].item()
            assert abs(numeric - exact) <= tolerance * max(1.0, abs(exact)), f"{what}: d {name}[{i}] = {exact}, finite difference {numeric}"


def check_close(what, a, b, tolerance=1e-12):
    error = (a - b).abs().max().item()
    assert a.shape == b.shape and error <= tolerance * max(1.0, b.abs().max().item()), f"{what}: {tuple(a.shape)} {tuple(b.shape)} differ by {error}"
