"""The speed peer: a case's forward passes and training steps in PyTorch, one whenever the parent process asks for it.

    python3 torch_step.py '{"folder": "batch", "parameters": "a.safetensors", "threads": 2, ...}'

The configuration is JSON in the first argument, a `Setting` of src/bench/context.ts with the case as `spec`:

    folder      ids.i32, lengths.i32, labels.i32: the batch
    parameters  safetensors with the state dict's names, but the word vectors, which both sides compute: `hashed`
    spec        cell ("lstm", "gru", "rnn"), hiddenSize, numLayers, bidirectional, tuneEmbedding, optimizer.lr
    words, classes, threads
    precision   "float32" or "bfloat16": the latter is of the recurrent layers' parameters, inputs and outputs
    few         {"documents": n}: the packed step is of the first n alone, for it is quadratic

Protocol: first {"ready"}, then each line on stdin is answered by one JSON object. PATH is a function of classifier.py.

    forward PATH POOLING    {"seconds"} of embedding, layers, classifier, without gradients
    step PATH POOLING       {"seconds", "loss"} of a whole step: embedding, forward, loss, backward, clipping, Adam
    rows PATH               {"forward", "step"}: rows of these batches, padding included
    losses PATH POOLING S   {"losses"} of S steps of the few documents, from the initial parameters

POOLING says what the classifier reads: "final", the last states, or "mean" of all states, which gives each of them a gradient.
Denormal numbers are flushed to 0: gradients that vanish would make them, and a CPU takes a hundred times as long for each.

Ids are padded beforehand, outside the measurement, to PyTorch's advantage. The end of the input ends the process.

The environment is the parent's to set, for much of it is read before the first line of Python:

    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=268435456
                                 or the kernel maps and zeroes every large tensor anew: half as fast
    ATEN_CPU_CAPABILITY=avx512   where the CPU has it (PyTorch stops at AVX2 by itself); little difference
    OMP_NUM_THREADS=<threads> OMP_PROC_BIND=true
                                 the threads spin between the small ops: with two of them a busy neighbour
                                 costs a factor of ten, so measure two threads on an idle machine only
    OPENBLAS_CORETYPE, OPENBLAS_L2_SIZE
                                 unset: on a Zen 4, SkylakeX and Zen were no faster than what OpenBLAS chose

Debian's python3-torch brings the reference BLAS, ten times slower: install libopenblas0-openmp.
"""

import json
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

import classifier
from classifier import Classifier, adam, collate, train_step

INPUT_SIZE = 300
CELLS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
PATHS = {
    "segmented": {"final": classifier.segmented, "mean": classifier.segmented_mean},
    "padded": {"final": classifier.padded, "mean": classifier.padded_mean},
    "packed": {"final": classifier.packed, "mean": classifier.packed_mean},
}
# Pieces that the padded batch is cut into: it is at its best with four.
PIECES = {"segmented": 1, "padded": 4, "packed": 1}


def main():
    config = json.loads(sys.argv[1])
    # Before the threads begin: they take it over.
    torch.set_flush_denormal(True)
    torch.set_num_threads(config["threads"])
    session = Session(config)
    answer(ready=True)
    commands = {"forward": session.forward, "step": session.step, "rows": session.rows, "losses": session.losses}
    for line in sys.stdin:
        name, *arguments = line.split()
        answer(**commands[name](*arguments))


class Session:
    def __init__(self, config):
        self.config = config
        lengths = np.fromfile(f"{config['folder']}/lengths.i32", dtype=np.int32).tolist()
        ids = torch.from_numpy(np.fromfile(f"{config['folder']}/ids.i32", dtype=np.int32)).long()
        self.documents = list(ids.split(lengths))
        self.labels = torch.from_numpy(np.fromfile(f"{config['folder']}/labels.i32", dtype=np.int32)).long()
        self.batches, self.models = {}, {}

    def batch(self, path, few):
        if (path, few) not in self.batches:
            count = self.config["few"]["documents"] if few else len(self.documents)
            self.batches[path, few] = collate(
                self.documents[:count], self.labels[:count], min(PIECES[path], count)
            )
        return self.batches[path, few]

    def model(self, path, pooling):
        """Of this path and pooling alone, and its optimiser."""
        if (path, pooling) not in self.models:
            spec = self.config["spec"]
            recurrent = CELLS[spec["cell"]](
                INPUT_SIZE, spec["hiddenSize"], spec["numLayers"], bidirectional=spec["bidirectional"]
            )
            vectors = torch.from_numpy(hashed(self.config["words"] * INPUT_SIZE).reshape(-1, INPUT_SIZE))
            frozen = not spec["tuneEmbedding"]
            model = Classifier(vectors, recurrent, self.config["classes"], PATHS[path][pooling], frozen)
            load_parameters(model, self.config["parameters"])
            if self.config["precision"] == "bfloat16":
                model.recurrent = InBfloat16(model.recurrent)
            self.models[path, pooling] = model, adam(model, spec["optimizer"]["lr"])
        return self.models[path, pooling]

    @torch.no_grad()
    def forward(self, path, pooling):
        model, _ = self.model(path, pooling)
        pieces = self.batch(path, few=False)
        start = time.perf_counter()
        for ids, lengths, _ in pieces:
            model(ids, lengths)
        return {"seconds": time.perf_counter() - start}

    def step(self, path, pooling):
        model, optimizer = self.model(path, pooling)
        batch = self.batch(path, few=path == "packed")
        start = time.perf_counter()
        loss = train_step(model, optimizer, batch)
        return {"seconds": time.perf_counter() - start, "loss": loss}

    def rows(self, path):
        few = path == "packed"
        return {name: count_rows(path, self.batch(path, few and name == "step")) for name in ("forward", "step")}

    def losses(self, path, pooling, steps):
        model, optimizer = self.model(path, pooling)
        losses = [train_step(model, optimizer, self.batch(path, few=True)) for _ in range(int(steps))]
        # What is timed later begins anew.
        del self.models[path, pooling]
        return {"losses": losses}


class InBfloat16(nn.Module):
    """Recurrent layers in bfloat16, between others in float32."""

    def __init__(self, layers):
        super().__init__()
        self.layers = layers.bfloat16()
        self.hidden_size, self.bidirectional = layers.hidden_size, layers.bidirectional

    def forward(self, x, state=None):
        if isinstance(x, PackedSequence):
            output, state = self.layers(PackedSequence(x.data.bfloat16(), *x[1:]), state)
            # The last states are what the classifier reads.
            state = tuple(part.float() for part in state) if isinstance(state, tuple) else state.float()
            return PackedSequence(output.data.float(), *output[1:]), state
        output, state = self.layers(x.bfloat16(), state)
        return output.float(), state


def count_rows(path, batch):
    if path == "packed":
        return sum(int(lengths.sum()) for _, lengths, _ in batch)
    if path == "padded":
        return sum(ids.numel() for ids, _, _ in batch)
    return sum((end - start) * count for _, lengths, _ in batch for start, end, count in classifier.cuts(lengths))


def hashed(count):
    """Uniform numbers in [-0.5, 0.5): see src/bench/hashed.ts, which computes the same bits."""
    bits = np.arange(count, dtype=np.uint32)
    bits ^= bits >> 16
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> 13
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> 16
    return (bits >> 8).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)


@torch.no_grad()
def load_parameters(model, path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    state = model.state_dict()
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        numbers = np.frombuffer(data[start:end], dtype=np.float32).copy()
        # The state dict's tensors share memory with the model; an unknown name or a wrong length throws.
        state[name].copy_(torch.from_numpy(numbers).reshape(state[name].shape))


def answer(**fields):
    print(json.dumps(fields), flush=True)


main()
