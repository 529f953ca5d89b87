"""A few ops at a time in PyTorch.

    python3 torch_ops.py '{"threads": 2, "ops": …}'

`ops` is what src/bench/latency/ops/numbers.ts describes. Says {"ready"}; then answers each line with one JSON object, as
src/bench/latency/ops/ours.ts does:

    check WORK     what it computes: {NAME: numbers, …}, of each array some
    time WORK N    {"seconds"} of doing it N times

A call returns when its result is there, so that to issue one and to compute it is the same. The parent sets the
environment, as for torch_step.py.
"""

import json
import sys
import time

import numpy as np
import torch
from torch.nn.functional import linear


def main():
    config = json.loads(sys.argv[1])
    torch.set_num_threads(config["threads"])
    ops = config["ops"]
    works = {}
    answer(ready=True)
    for line in sys.stdin:
        command, name, *times = line.split()
        if name not in works:
            works[name] = WORKS[name](ops)
        if command == "check":
            found = works[name].check()
            answer(**{array: spread(values, ops["compared"]) for array, values in found.items()})
        else:
            start = time.perf_counter()
            works[name].run(int(times[0]))
            answer(seconds=time.perf_counter() - start)


class Additions:
    def __init__(self, ops):
        self.a, self.b = tensors(ops["vectors"]).values()
        self.batch = ops["batch"]

    @torch.no_grad()
    def run(self, times):
        for _ in range(times * self.batch):
            torch.add(self.a, self.b)

    def check(self):
        return {"y": torch.add(self.a, self.b)}


class Chain:
    def __init__(self, ops):
        self.x, self.b = tensors(ops["squares"]).values()
        self.x.requires_grad_()
        self.length = ops["chain"]

    def once(self):
        self.x.grad = None
        y = self.x
        for _ in range(self.length // 2):
            y = torch.tanh(torch.add(y, self.b))
        y.sum().backward()
        return y

    def run(self, times):
        for _ in range(times):
            self.once()

    def check(self):
        y = self.once()
        return {"y": y, "gradient of x": self.x.grad}


class Decode:
    def __init__(self, ops):
        self.weights = tensors(ops["weights"])
        self.inputs = tensors(ops["inputs"])
        self.hidden = ops["hidden"]
        self.checked_steps = ops["checkedSteps"]

    def step(self, h):
        w_query, v, w_ih, b_ih, w_hh, b_hh = self.weights.values()
        x, _, keys, values = self.inputs.values()
        query = torch.unsqueeze(linear(h, w_query), 1)
        scores = torch.sum(torch.mul(v, torch.tanh(torch.add(query, keys))), -1)
        attention = torch.unsqueeze(torch.softmax(scores, -1), 1)
        context = torch.squeeze(torch.bmm(attention, values), 1)

        x_r, x_z, x_n = torch.split(linear(torch.cat([x, context], 1), w_ih, b_ih), self.hidden, 1)
        h_r, h_z, h_n = torch.split(linear(h, w_hh, b_hh), self.hidden, 1)
        r = torch.sigmoid(torch.add(x_r, h_r))
        z = torch.sigmoid(torch.add(x_z, h_z))
        n = torch.tanh(torch.add(x_n, torch.mul(r, h_n)))
        return torch.add(n, torch.mul(z, torch.sub(h, n)))

    @torch.no_grad()
    def run(self, times):
        h = self.inputs["h"]
        for _ in range(times):
            h = self.step(h)
        return h

    def check(self):
        return {"h": self.run(self.checked_steps)}


class DecodeBackward(Decode):
    def __init__(self, ops):
        super().__init__(ops)
        for weight in self.weights.values():
            weight.requires_grad_()

    def run(self, times):
        for _ in range(times):
            for weight in self.weights.values():
                weight.grad = None
            self.step(self.inputs["h"]).sum().backward()

    def check(self):
        self.run(1)
        return {f"gradient of {name}": weight.grad for name, weight in self.weights.items()}


WORKS = {
    "addIssued": Additions,
    "add": Additions,
    "chain": Chain,
    "decode": Decode,
    "decodeBackward": DecodeBackward,
}


def tensors(numbers):
    return {
        name: torch.from_numpy(hashed(int(np.prod(of["shape"])), of["scale"], int(of["first"]))).reshape(of["shape"])
        for name, of in numbers.items()
    }


def spread(values, compared):
    """As src/bench/latency/ops/numbers.ts."""
    flat = values.detach().flatten()
    count = min(compared, len(flat))
    return flat[[i * len(flat) // count for i in range(count)]].tolist()


def hashed(count, scale, first):
    """See src/bench/hashed.ts, which computes the same bits."""
    bits = np.arange(first, first + count, dtype=np.uint32)
    bits ^= bits >> 16
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> 13
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> 16
    return ((bits >> 8).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)) * np.float32(scale)


def answer(**fields):
    print(json.dumps(fields), flush=True)


main()
