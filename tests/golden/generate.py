"""Generates the golden values in this folder with PyTorch.

What     layer-*.safetensors   every linear parametrization alone: output, gradients, merged dense matrix     (layers.py)
         op-*.safetensors      softmax, norms, activations, cross entropy, attention, rotary positions        (ops.py)
         model-*.safetensors   small transformers: logits, all gradients, parameters after AdamW steps        (transformer.py)
         README.md describes names, shapes and conventions.
Run      apt-get install --no-install-recommends python3-torch python3-numpy     (Debian 12)
         /usr/bin/python3 tests/golden/generate.py            writes the files next to this script
         /usr/bin/python3 tests/golden/generate.py --verify   compares with the committed files, byte for byte, and writes nothing
Versions made with Python 3.11.2, PyTorch 1.13.0a0 (Debian 1.13.1+dfsg-4), numpy 1.24.2, on x86-64.

All arithmetic is float64 on inputs that are exact in float32; results are rounded to float32 once, when they are written. Each file is
checked while it is made: structured layers against a second formulation, a hand-written backward and the merged matrix; every gradient
against finite differences.
"""

import filecmp
import os
import sys
import tempfile

sys.dont_write_bytecode = True

import numpy
import torch

import layers
import ops
import transformer
from storage import save

FOLDER = os.path.dirname(os.path.abspath(__file__))
LIMIT = 1_500_000


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    print(f"Python {sys.version.split()[0]}, PyTorch {torch.__version__}, numpy {numpy.__version__}")
    verify = sys.argv[1:] == ["--verify"]
    if sys.argv[1:] and not verify:
        sys.exit("usage: generate.py [--verify]")

    with tempfile.TemporaryDirectory() as scratch:
        total, names = 0, []
        for module in (layers, ops, transformer):
            for name, tensors, config in module.files():
                names.append(name + ".safetensors")
                total += save(os.path.join(scratch, names[-1]), tensors, config)
        assert len(set(names)) == len(names)
        print(f"{len(names)} files, {total} bytes")
        assert total < LIMIT, f"the files together must stay under {LIMIT} bytes"

        committed = sorted(name for name in os.listdir(FOLDER) if name.endswith(".safetensors"))
        if verify:
            _, different, missing = filecmp.cmpfiles(scratch, FOLDER, names, shallow=False)
            stale = sorted(set(committed) - set(names))
            if different or missing or stale:
                sys.exit(f"different: {different}; missing: {missing}; not generated any more: {stale}")
            print("identical")
            return
        for name in committed:
            os.remove(os.path.join(FOLDER, name))
        for name in names:
            with open(os.path.join(scratch, name), "rb") as source, open(os.path.join(FOLDER, name), "wb") as target:
                target.write(source.read())


main()
