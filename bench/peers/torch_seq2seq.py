"""A translation model in PyTorch: training steps and translations, whenever the parent process asks for them.

    python3 torch_seq2seq.py '{"batches": "sets.json", "parameters": "a.safetensors", "threads": 2, …}'

The configuration is a `TranslationConfig` of src/bench/translation/workload.ts, with the ids of the marks. Says {"ready"}; then
answers each line with one JSON object, as src/bench/translation/ours.ts does. WAY is `tutorial` or `tuned`: see seq2seq.py.

    check WAY SET FORCING S    {"losses", "norms"} of S training steps, one for each of the first batches of the set, from the
                               initial parameters, without dropout
    time WAY SET               {"seconds"} of a training step for each batch of the set
    translate WAY MODEL BEAMS BATCH STEPS END
                               {"seconds", "words"} of translating the sources, BATCH of them at a time. MODEL is `initial`, with
                               the initial parameters, or `trained`, by the steps that were timed; END is a mark, or `none`, and
                               then each sentence gets STEPS words. WAY is `tuned`

Batches are padded beforehand, outside the measurement. Denormal numbers are flushed to 0. The parent sets the environment, as for
torch_step.py.
"""

import json
import random
import struct
import sys
import time

import numpy as np
import torch
from torch.nn.utils import clip_grad_norm_

from seq2seq import Tuned, Tutorial, load_parameters

WAYS = {"tutorial": Tutorial, "tuned": Tuned}


def main():
    config = json.loads(sys.argv[1])
    # Before the threads begin: they take it over.
    torch.set_flush_denormal(True)
    torch.set_num_threads(config["threads"])
    session = Session(config)
    answer(ready=True)
    for line in sys.stdin:
        command, way, name, *numbers = line.split()
        if command == "check":
            answer(**session.check(way, name, float(numbers[0]), int(numbers[1])))
        elif command == "time":
            answer(**session.time(way, name))
        else:
            *sizes, end = numbers
            answer(**session.translate(way, name, *map(int, sizes), None if end == "none" else int(end)))


class Training:
    """A model with the initial parameters, and its training step."""

    def __init__(self, config, way, dropout, forcing):
        layers = config["layers"]
        sizes = [config["sourceVocabularySize"], config["targetVocabularySize"]]
        sizes += [layers["embeddingDim"], layers["hiddenSize"]]
        self.model = WAYS[way](*sizes, dropout, config["marks"]["padding"])
        load_parameters(self.model, read_safetensors(config["parameters"]))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config["lr"])
        self.clip, self.forcing = config["clip"], forcing
        self.random = random.Random(1)

    def step(self, batch, steps, check=lambda loss, gradients: None):
        forced = [self.random.random() < self.forcing for _ in range(steps)]
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.model.loss(batch, forced)
        loss.backward()
        check(loss, [parameter.grad for parameter in self.model.parameters()])
        clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return loss.item()


class Session:
    def __init__(self, config):
        self.config = config
        with open(config["batches"]) as file:
            sentences = json.load(file)
        self.sets, self.sources = sentences["sets"], sentences["sources"]
        self.timed, self.initial, self.batches = {}, {}, {}

    def batches_of(self, model, way, name):
        """Padded, each with the longest target's number of steps."""
        if (way, name) not in self.batches:
            self.batches[way, name] = [
                (model.collate(batch["source"], batch["target"]), max(map(len, batch["target"])) - 1)
                for batch in self.sets[name]
            ]
        return self.batches[way, name]

    def check(self, way, name, forcing, steps):
        training = Training(self.config, way, 0, forcing)
        batches = self.batches_of(training.model, way, name)
        losses, norms = [], []

        def check(loss, gradients):
            losses.append(loss.item())
            # PyTorch's own norm of float32 numbers is off by up to 1e-3.
            norms.append(sum(gradient.double().square().sum() for gradient in gradients).sqrt().item())

        for batch in batches[:steps]:
            training.step(*batch, check)
        return {"losses": losses, "norms": norms}

    def time(self, way, name):
        if way not in self.timed:
            dropout = self.config["layers"]["dropout"]
            self.timed[way] = Training(self.config, way, dropout, self.config["teacherForcing"])
        training = self.timed[way]
        batches = self.batches_of(training.model, way, name)
        start = time.perf_counter()
        for batch in batches:
            training.step(*batch)
        return {"seconds": time.perf_counter() - start}

    def translate(self, way, name, beams, batch, steps, end):
        if name == "initial" and way not in self.initial:
            self.initial[way] = Training(self.config, way, 0, 0)
        model = (self.initial if name == "initial" else self.timed)[way].model
        begin = self.config["marks"]["begin"]
        model.eval()
        start = time.perf_counter()
        words = []
        for at in range(0, len(self.sources), batch):
            words += model.translate(self.sources[at : at + batch], begin, end, steps, beams)
        seconds = time.perf_counter() - start
        model.train()
        return {"seconds": seconds, "words": words}


def read_safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
        data = file.read()
    found = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        numbers = np.frombuffer(data[start:end], dtype=np.float32).copy()
        found[name] = torch.from_numpy(numbers).reshape(entry["shape"])
    return found


def answer(**fields):
    print(json.dumps(fields), flush=True)


main()
