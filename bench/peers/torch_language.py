"""A language model in PyTorch: training steps and generated words, whenever the parent process asks for them.

    python3 torch_language.py config.json

The file has the configuration of bench/language/workload.js. Says {"ready"}; then answers each line with one JSON object, as
bench/language/ours.js does. `check` reads the masks that our process wrote. The model is awd-lstm-lm's: an LSTM for each layer, whose
recurrent weights are dropped before each window; without that dropout, one LSTM of all layers. Denormal numbers are flushed to 0.
"""

import json
import resource
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        layers = config["layers"]
        self.tied = layers.get("tied", False)
        self.dropout = {kind: layers.get("dropout", {}).get(kind, 0) for kind in ("words", "input", "hidden", "output", "weights")}
        V, E, H, L = config["vocabularySize"], layers["embeddingDim"], layers["hiddenSize"], layers["numLayers"]
        self.encoder = nn.Embedding(V, E)
        widths = [E] + [H] * (L - 1) + [E if self.tied else H]
        self.apart = any(self.dropout.values())
        if self.apart:
            self.rnns = nn.ModuleList(nn.LSTM(widths[k], widths[k + 1]) for k in range(L))
        else:
            self.rnns = nn.ModuleList([nn.LSTM(E, H, L)])
        self.decoder = nn.Linear(widths[-1], V)
        if self.tied:
            self.decoder.weight = self.encoder.weight

    def forward(self, ids, state, masks):
        """ids [T, B]. Returns the last layer's states, with and without dropout, and the state."""
        if not self.apart:
            output, state = self.rnns[0](self.encoder(ids), state)
            return output, output, state
        words = masks("words", (self.encoder.weight.shape[0], 1))
        weight = self.encoder.weight if words is None else self.encoder.weight * words
        x = F.embedding(ids, weight)
        x = dropped(x, masks("input", x.shape[1:]))
        states = []
        for k, rnn in enumerate(self.rnns):
            flat = [rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, rnn.bias_hh_l0]
            flat[1] = dropped(flat[1], masks(f"weights.{k}", flat[1].shape))
            hx = state[k] if state is not None else tuple(x.new_zeros(1, x.shape[1], rnn.hidden_size) for _ in "hc")
            output, h, c = torch._VF.lstm(x, hx, flat, True, 1, 0.0, self.training, False, False)
            states.append((h, c))
            last = k == len(self.rnns) - 1
            x = dropped(output, masks("output" if last else f"hidden.{k}", output.shape[1:]))
        return x, output, states


def clip_exactly(parameters, most):
    """As clip_grad_norm_, whose float32 norm of millions of numbers is off by up to 1e-3 in PyTorch 1.13."""
    norm = sum(parameter.grad.double().square().sum() for parameter in parameters).sqrt().item()
    for parameter in parameters:
        parameter.grad.mul_(min(1, most / (norm + 1e-6)))


def dropped(x, mask):
    return x if mask is None else x * mask


class Session:
    def __init__(self, config):
        self.config = config
        self.model = Model(config)
        self.training, self.initial = None, None
        B = config["batchSize"]
        text = torch.tensor(config["text"])
        length = len(text) // B
        self.streams = text[: length * B].view(B, length).t().contiguous()
        self.window_at, self.state = 0, None

    def load(self, model):
        numbers = read_safetensors(self.config["parameters"])
        names = {"embedding.weight": "encoder.weight", "output.weight": "decoder.weight", "output.bias": "decoder.bias"}
        found = {}
        for name, values in numbers.items():
            if name.startswith("rnns."):
                _, layer, _, parameter = name.split(".")
                name = f"rnns.{layer}.{parameter}" if model.apart else f"rnns.0.{parameter[:-1]}{layer}"
            found[names.get(name, name)] = values
        if model.tied:
            found["decoder.weight"] = found["encoder.weight"]
        model.load_state_dict(found)
        return model

    def begin(self, rate):
        self.rate = rate
        if self.training is None:
            self.load(self.model)
            config = self.config
            self.training = torch.optim.SGD(
                self.model.parameters(), lr=rate, weight_decay=config["weightDecay"]
            )

    def random_mask(self, kind, shape):
        p = self.model.dropout[kind.split(".")[0]]
        return None if p == 0 else torch.empty(shape).bernoulli_(1 - p).div_(1 - p)

    def step(self, length, masks, clip=clip_grad_norm_):
        """A training step on the next window of `length` tokens."""
        config, model, optimizer = self.config, self.model, self.training
        at = self.window_at
        ids, targets = self.streams[at : at + length], self.streams[at + 1 : at + 1 + length]
        self.window_at += length
        optimizer.zero_grad(set_to_none=True)
        features, undropped, state = model(ids, self.state, masks)
        self.state = (
            [tuple(part.detach() for part in layer) for layer in state]
            if model.apart
            else tuple(part.detach() for part in state)
        )
        logits = model.decoder(features.flatten(0, 1))
        raw = F.cross_entropy(logits, targets.flatten())
        loss = raw
        if config["activation"] > 0:
            loss = loss + config["activation"] * features.pow(2).mean()
        if config["temporal"] > 0:
            loss = loss + config["temporal"] * (undropped[1:] - undropped[:-1]).pow(2).mean()
        # A sum over the tokens of a stream, and a mean over streams.
        (loss * length if config["reduction"] == "streams" else loss).backward()
        clip(list(model.parameters()), config["clip"])
        scale = length / config["window"] if config["variable"] else 1
        for group in optimizer.param_groups:
            group["lr"] = self.rate * scale
        optimizer.step()
        return loss.item() * (length if config["reduction"] == "streams" else 1)

    def check(self, length):
        self.begin(self.config["checkedLr"])
        masks = read_safetensors(self.config["masks"]) if self.model.apart else {}
        return {"loss": self.step(length, lambda kind, _: masks.get(kind), clip_exactly)}

    def time(self, lengths):
        self.begin(self.config["lr"])
        start = time.perf_counter()
        for length in lengths:
            self.step(length, self.random_mask)
        return {"seconds": time.perf_counter() - start, "tokens": sum(lengths) * self.config["batchSize"]}

    def untrained(self):
        if self.initial is None:
            self.initial = self.load(Model(self.config)).eval()
        return self.initial

    @torch.no_grad()
    def generate(self, words):
        model = self.untrained()
        start = time.perf_counter()
        found, state, last = [], None, torch.zeros(1, 1, dtype=torch.long)
        for _ in range(words):
            features, _, state = model(last, state, lambda *_: None)
            last = model.decoder(features[-1]).argmax(1, keepdim=True)
            found.append(last.item())
        return {"seconds": time.perf_counter() - start, "words": found}

    @torch.no_grad()
    def beam(self, beams, top_k, words):
        """fast.ai's beam_search, without its last draw: the best text."""
        model = self.untrained()
        start = time.perf_counter()
        nodes, state = torch.zeros(1, 0, dtype=torch.long), None
        scores, last = torch.zeros(1), torch.zeros(1, 1, dtype=torch.long)
        for _ in range(words):
            features, _, state = model(last, state, lambda *_: None)
            values, indices = torch.log_softmax(model.decoder(features[-1]), 1).topk(top_k, 1)
            scores, chosen = (scores.unsqueeze(1) - values).flatten().topk(min(beams, values.numel()), largest=False)
            parents, places = chosen // top_k, chosen % top_k
            last = indices[parents, places].unsqueeze(0)
            nodes = torch.cat([nodes[parents], last.t()], 1)
            parts = state if model.apart else [state]
            parts = [tuple(part[:, parents] for part in layer) for layer in parts]
            state = parts if model.apart else parts[0]
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "words": nodes[0].tolist(), "logProbability": -scores[0].item()}


def read_safetensors(file):
    with open(file, "rb") as content:
        (length,) = struct.unpack("<Q", content.read(8))
        header = json.loads(content.read(length))
        numbers = np.frombuffer(content.read(), np.uint8)
    header.pop("__metadata__", None)
    found = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = numbers[begin:end].view(np.float32).copy()
        found[name] = torch.from_numpy(values).view(entry["shape"])
    return found


def answer(**values):
    print(json.dumps(values), flush=True)


def main():
    with open(sys.argv[1]) as file:
        config = json.load(file)
    # Before the threads begin: they take it over.
    torch.set_flush_denormal(True)
    torch.set_num_threads(config["threads"])
    session = Session(config)
    answer(ready=True)
    for line in sys.stdin:
        command, *numbers = line.split()
        numbers = list(map(int, numbers))
        if command == "check":
            answer(**session.check(*numbers))
        elif command == "time":
            answer(**session.time(numbers))
        elif command == "memory":
            answer(mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        else:
            answer(**getattr(session, command)(*numbers))


main()
