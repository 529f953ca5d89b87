"""The peer of src/bench/device: PyTorch's nn.LSTM, which is cuDNN on a GPU, on the same numbers in the same run.

    python3 cuda_torch.py '{"device": "cuda", "precision": "tf32"}'

Protocol, one JSON object a line: it begins with its versions; each line on stdin is a command, `{"do": ...}`, answered by
its result or by {"error"}. What a command may be stands in COMMANDS below. The end of the input ends the process.

Numbers are hashes of their index (`hashed`), which src/bench/hashed.ts computes alike, so results can be compared. A layer's passes are
timed by events on a GPU; else the clock is read after the device was waited for. Nothing is measured that only prepares: batches are padded and on the device
beforehand, and what cuDNN tries out in its first call is not counted.

There are three ways through a batch of documents:

- `packed`   pack_padded_sequence, sorted: what a PyTorch user writes for sequences of several lengths
- `padded`   no lengths at all, cuDNN's fast kernels: the last state is read at each document's end. With two
             directions it computes something else: the second one begins in the padding.
- `bucketed` padded, in batches of documents of similar length. Which documents share a batch is the parent's to say.
"""

import json
import sys
import time


def answer(fields):
    print(json.dumps(fields), flush=True)


try:
    import numpy as np
    import torch
    from torch import nn
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_
    from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_sequence
except ImportError as error:
    answer({"error": f"not installed: {error}"})
    sys.exit()

INPUT_SIZE = 300


def main():
    config = json.loads(sys.argv[1])
    if config["device"] == "cuda" and not torch.cuda.is_available():
        answer({"error": "it is installed and sees no CUDA device"})
        return
    session = Session(config["device"], config["precision"])
    answer(session.versions())
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer(COMMANDS[command.pop("do")](session, **command))
        except Exception as error:  # out of memory, for one
            session.forget()
            answer({"error": (str(error) or type(error).__name__).splitlines()[0]})


class Session:
    """What the commands share: the device, the layers of one shape, or the models of one workload, by mode."""

    def __init__(self, device, precision):
        self.device = torch.device(device)
        self.precision = precision
        tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        self.layers, self.trainings, self.vectors = {}, {}, None
        self.rows = {}  # the hashed rows of a shape, for both modes

    def versions(self):
        cuda = self.device.type == "cuda"
        return {
            "torch": torch.__version__,
            "cuda": torch.version.cuda if cuda else None,
            "cudnn": torch.backends.cudnn.version() if cuda else None,
            "device": torch.cuda.get_device_name(self.device) if cuda else "cpu",
        }

    def forget(self):
        self.layers, self.trainings, self.rows = {}, {}, {}
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def synchronize(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def clock(self):
        self.synchronize()
        return time.perf_counter()

    def mark(self):
        """A point in the order of what was issued."""
        if self.device.type != "cuda":
            return self.clock()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds_between(self, start, end):
        if self.device.type != "cuda":
            return end - start
        self.synchronize()
        return start.elapsed_time(end) / 1000

    def read(self, value):
        """Begins to copy a number to the host, behind what was issued. Returns what waits for it, and for nothing later."""
        if self.device.type != "cuda":
            return value.item
        host = torch.empty((), pin_memory=True)
        host.copy_(value, non_blocking=True)
        event = torch.cuda.Event()
        event.record()

        def wait():
            event.synchronize()
            return host.item()

        return wait

    def arithmetic(self):
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.precision == "bfloat16")


def hashed(count, scale=1.0, first=0):
    """See src/bench/hashed.ts."""
    bits = np.arange(first, first + count, dtype=np.uint32)
    bits ^= bits >> 16
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> 13
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> 16
    return ((bits >> 8).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)) * np.float32(scale)


class Layer:
    """One layer, one direction, H = I, over B sequences of T rows each."""

    def __init__(self, session, mode, H, B, T):
        self.session, self.mode, self.shape = session, mode, (T, B, H)
        device = session.device
        self.lstm = nn.LSTM(H, H).to(device)
        scale, first = 2 / H**0.5, 0
        with torch.no_grad():
            for parameter in self.lstm.parameters():  # wIh, wHh, bIh, bHh
                values = hashed(parameter.numel(), scale, first)
                parameter.copy_(torch.from_numpy(values).reshape(parameter.shape))
                first += parameter.numel()

        def rows(first):  # hashed as [B, T, H], used as [T, B, H]
            if first not in session.rows:
                hashes = torch.from_numpy(hashed(B * T * H, 2, first)).to(device)
                session.rows[first] = hashes.reshape(B, T, H).transpose(0, 1).contiguous()
            return session.rows[first]

        self.x, self.d_output = rows(0), rows(1 << 20)
        if mode == "packed":
            # Of equal lengths, time-major rows are packed rows.
            self.x, self.d_output = self.x.reshape(T * B, H), self.d_output.reshape(T * B, H)
            self.sizes = torch.full((T,), B)
        self.x = self.x.detach().clone().requires_grad_()

    def forward(self):
        with self.session.arithmetic():
            if self.mode == "packed":
                return self.lstm(PackedSequence(self.x, self.sizes))[0].data
            return self.lstm(self.x)[0]

    def backward(self, output):
        return torch.autograd.grad(output, [self.x, *self.lstm.parameters()], self.d_output.to(output.dtype))

    def sample(self):
        """Both ends of the output and of the input's gradient, and the first rows of the weights' gradients."""
        output = self.forward()
        d_x, d_ih, d_hh, *_ = self.backward(output)
        T, B, H = self.shape
        output, d_x = output.reshape(T, B, H), d_x.reshape(T, B, H)
        return {
            "output": output[T - 1, [0, B - 1]].flatten().tolist(),
            "dInput": d_x[0, [0, B - 1]].flatten().tolist(),
            "dWIh": d_ih[0].tolist(),
            "dWHh": d_hh[0].tolist(),
        }

    def round(self, calls):
        mark = self.session.mark
        self.forward()  # so that the device is busy at the first mark
        start = mark()
        outputs = [self.forward() for _ in range(calls)]
        middle = mark()
        for output in outputs:
            self.backward(output)
        end = mark()
        between = self.session.seconds_between
        return {"forward": between(start, middle) / calls, "backward": between(middle, end) / calls}


class Classifier(nn.Module):
    """Word vectors, an LSTM, and a linear layer on the last states of its last layer."""

    def __init__(self, vectors, frozen, hidden_size, num_layers, bidirectional, classes, mode):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=frozen)
        self.lstm = nn.LSTM(INPUT_SIZE, hidden_size, num_layers, bidirectional=bidirectional)
        self.classifier = nn.Linear((2 if bidirectional else 1) * hidden_size, classes)
        self.mode = mode

    def forward(self, ids, lengths):
        """ids [T, B] on the device, padded, the longest document first; lengths [B] on the host."""
        x = self.embedding(ids)
        if self.mode == "packed":
            _, (h, _) = self.lstm(pack_padded_sequence(x, lengths))
            last = h[-2:] if self.lstm.bidirectional else h[-1:]
            return self.classifier(last.transpose(0, 1).flatten(1))
        output, (h, _) = self.lstm(x)
        H = self.lstm.hidden_size
        ends = output[(lengths - 1).to(ids.device), torch.arange(len(lengths), device=ids.device), :H]
        return self.classifier(torch.cat([ends, h[-1]], 1) if self.lstm.bidirectional else ends)


class Training:
    """A workload: the model, its optimiser and its batches. `spec` is a row of src/bench/device/workload.ts."""

    def __init__(self, session, mode, spec, folder):
        self.session, self.clip = session, spec["clip"]
        device = session.device
        if session.vectors is None:
            session.vectors = torch.from_numpy(hashed(spec["vocabularySize"] * INPUT_SIZE).reshape(-1, INPUT_SIZE))
        vectors = session.vectors.to(device, copy=True)
        shape = spec["hiddenSize"], spec["numLayers"], spec["bidirectional"], spec["classes"]
        # Bucketed batches are padded ones of other documents.
        self.model = Classifier(vectors, not spec["tuneEmbedding"], *shape, "packed" if mode == "packed" else "padded")
        self.model.to(device)
        with open(f"{folder}/parameters.json", encoding="utf-8") as file:
            given = json.load(file)
        state = self.model.state_dict()
        for name, numbers in given.items():
            state[name].copy_(torch.tensor(numbers).reshape(state[name].shape))
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        rule = spec["optimizer"]
        if rule["kind"] == "sgd":
            self.optimizer = torch.optim.SGD(trained, lr=rule["lr"], momentum=rule["momentum"])
        else:
            fused = {"fused": True} if device.type == "cuda" else {}
            self.optimizer = torch.optim.Adam(trained, lr=rule["lr"], **fused)
        ids = torch.from_numpy(np.fromfile(f"{folder}/ids.i32", dtype=np.int32)).long()
        labels = torch.from_numpy(np.fromfile(f"{folder}/labels.i32", dtype=np.int32)).long()
        lengths = np.fromfile(f"{folder}/lengths.i32", dtype=np.int32).tolist()
        self.documents = ids.split(lengths)
        with open(f"{folder}/{'bucketed' if mode == 'bucketed' else 'shuffled'}.json", encoding="utf-8") as file:
            self.epochs = [[self.collate(batch, labels) for batch in epoch] for epoch in json.load(file)]

    def collate(self, batch, labels):
        batch = sorted(batch, key=lambda i: -len(self.documents[i]))
        lengths = torch.tensor([len(self.documents[i]) for i in batch])
        device = self.session.device
        return pad_sequence([self.documents[i] for i in batch]).to(device), lengths, labels[batch].to(device)

    def step(self, batch):
        ids, lengths, labels = batch
        self.optimizer.zero_grad(set_to_none=True)
        with self.session.arithmetic():
            loss = cross_entropy(self.model(ids, lengths), labels)
        loss.backward()
        clip_grad_norm_(self.model.lstm.parameters(), self.clip)
        self.optimizer.step()
        return loss.detach()

    def losses(self, steps):
        return {"losses": [self.step(batch).item() for batch in self.epochs[0][:steps]]}

    def epoch(self, number, seconds):
        clock = self.session.clock
        batches = self.epochs[number % len(self.epochs)]
        start, done, losses = clock(), 0, []
        for batch in batches:
            losses.append(self.session.read(self.step(batch)))
            done += 1
            # As src/bench/device/epochs.ts does: a loss is awaited a few steps later, so that the device is never ahead by more.
            if done > 3:
                losses[done - 4]()
            if time.perf_counter() - start > seconds:
                break
        for loss in losses[-3:]:
            loss()
        return {"steps": done, "of": len(batches), "seconds": clock() - start}


def make_layer(session, mode, H, B, T):
    if any(layer.shape != (T, B, H) for layer in session.layers.values()) or session.trainings:
        session.forget()
    session.layers[mode] = Layer(session, mode, H, B, T)
    return session.layers[mode].sample()


def make_training(session, mode, spec, folder):
    if mode in session.trainings or session.layers:
        session.forget()
    session.trainings[mode] = Training(session, mode, spec, folder)
    return {"ready": True}


COMMANDS = {
    "layer": make_layer,
    "round": lambda session, mode, calls: session.layers[mode].round(calls),
    "workload": make_training,
    "losses": lambda session, mode, steps: session.trainings[mode].losses(steps),
    "epoch": lambda session, mode, number, seconds: session.trainings[mode].epoch(number, seconds),
}


main()
