"""A token at a time in PyTorch: one LSTM layer of H inputs and H units, each token with the state of the one before.

    python3 torch_latency.py '{"threads": 2}'

Says {"ready"}; then answers each line with one JSON object. WAY is `LSTM` (nn.LSTM, a sequence of one token) or `LSTMCell`
(nn.LSTMCell). Numbers are those of src/bench/latency/numbers.ts. Nothing is recorded: inference mode.

    check WAY H B N    {"h"}: the state h after N tokens of the first and the last sequence, [2, H]
    stream WAY H B N   {"seconds"} of N tokens

The parent sets the environment, as for torch_step.py.
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn

INPUTS = 4


def main():
    torch.set_num_threads(json.loads(sys.argv[1])["threads"])
    cells = {}
    answer(ready=True)
    for line in sys.stdin:
        command, way, *numbers = line.split()
        H, B, tokens = map(int, numbers)
        if (way, H, B) not in cells:
            cells[way, H, B] = WAYS[way](H, B)
        h, seconds = cells[way, H, B].read(tokens)
        if command == "check":
            answer(h=h[[0, B - 1]].flatten().tolist())
        else:
            answer(seconds=seconds)


class LSTMCell:
    def __init__(self, H, B):
        self.module = self.make(H)
        first = 0
        with torch.no_grad():
            for parameter in self.module.parameters():  # w_ih, w_hh, b_ih, b_hh
                values = hashed(parameter.numel(), 2 / H**0.5, first)
                parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))
                first += parameter.numel()
        self.inputs = [torch.from_numpy(hashed(B * H, 2, t * B * H)).reshape(self.shape(B, H)) for t in range(INPUTS)]
        self.zeros = torch.zeros(self.shape(B, H))

    def make(self, H):
        return nn.LSTMCell(H, H)

    def shape(self, B, H):
        return (B, H)

    def step(self, x, state):
        return self.module(x, state)

    @torch.inference_mode()
    def read(self, tokens):
        state = self.zeros, self.zeros
        start = time.perf_counter()
        for t in range(tokens):
            state = self.step(self.inputs[t % INPUTS], state)
        return state[0].reshape(self.zeros.shape[-2:]), time.perf_counter() - start


class LSTM(LSTMCell):
    def make(self, H):
        return nn.LSTM(H, H)

    def shape(self, B, H):
        return (1, B, H)

    def step(self, x, state):
        return self.module(x, state)[1]


WAYS = {"LSTM": LSTM, "LSTMCell": LSTMCell}


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
