"""The speed peer: training steps of workload A in PyTorch, one whenever the parent process asks for it.

    python3 torch_step.py '{"csv": "articles.csv", "threads": 2, "path": "segmented", "pieces": 1}'

The configuration is JSON in the first argument:

    csv         GNAD articles; the first `articles` of them are the batch, split at white space
    articles    default 256
    threads     default 1
    path        "segmented" (default, the fastest), "padded" or "packed": see classifier.py
    pieces      padded pieces that the batch is cut into, default 1; "padded" is at its best with 4
    parameters  a JSON file {name: flat list} with the state dict's names (lstm.weight_ih_l0, ...,
                classifier.bias); names that it leaves out keep PyTorch's initial values

Protocol, one JSON object a line. After one warm step: {"ready", "tokens", "distinct", "classes", "loss"},
`loss` being the loss at the initial parameters. Then each line `step` on stdin is answered by one whole step,
{"seconds", "loss"}: embedding, forward, loss, backward, clipping, Adam. Every step moves the parameters on,
so the parent can compare a whole row of losses. Ids are padded beforehand, outside the measurement, to
PyTorch's advantage. The end of the input ends the process.

No word vectors are read: time does not depend on them, and a table that both sides compute (`hashed_vectors`)
lets the losses be compared. Words are numbered from 1 by first appearance, classes in code-point order.

The environment is the parent's to set, for much of it is read before the first line of Python:

    MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=20000000000 MALLOC_TOP_PAD_=268435456
                                 or the kernel maps and zeroes every large tensor anew: half as fast
    ATEN_CPU_CAPABILITY=avx512   where the CPU has it (PyTorch stops at AVX2 by itself); little difference
    OMP_NUM_THREADS=<threads> OMP_PROC_BIND=true
                                 the threads spin between the small ops: with two of them a busy neighbour
                                 costs a factor of ten, so measure two threads on an idle machine only
    OPENBLAS_CORETYPE            unset: on a Zen 4, SkylakeX and Zen were no faster than what OpenBLAS chose

Debian's python3-torch brings the reference BLAS, ten times slower: install libopenblas0-openmp.
"""

import json
import sys
import time

import numpy as np
import torch

import classifier
from classifier import Classifier, adam, collate, train_step
from gnad import read_articles

INPUT_SIZE = 300
HIDDEN_SIZE = 64
PATHS = {path.__name__: path for path in (classifier.segmented, classifier.padded, classifier.packed)}


def main():
    config = {"articles": 256, "threads": 1, "path": "segmented", "pieces": 1, "parameters": None}
    config.update(json.loads(sys.argv[1]))
    torch.set_num_threads(config["threads"])
    torch.manual_seed(1)

    tokens, categories = read_articles(config["csv"], "whitespace")
    tokens, categories = tokens[: config["articles"]], categories[: config["articles"]]
    ids = {}
    documents = [torch.tensor([ids.setdefault(word, len(ids) + 1) for word in words]) for words in tokens]
    classes = sorted(set(categories))
    labels = torch.tensor([classes.index(category) for category in categories])
    batch = collate(documents, labels, config["pieces"])

    model = Classifier(hashed_vectors(len(ids) + 1), HIDDEN_SIZE, len(classes), PATHS[config["path"]])
    if config["parameters"]:
        load_parameters(model, config["parameters"])
    optimizer = adam(model)

    loss = train_step(model, optimizer, batch)
    count = sum(len(document) for document in documents)
    answer(ready=True, tokens=count, distinct=len(ids), classes=len(classes), loss=loss)
    for line in sys.stdin:
        if line.strip() != "step":
            raise ValueError(f"expected `step`, got {line!r}")
        start = time.perf_counter()
        loss = train_step(model, optimizer, batch)
        answer(seconds=time.perf_counter() - start, loss=loss)


def hashed_vectors(rows):
    """Uniform numbers in [-0.5, 0.5) that another language gets bit for bit: a hash of the element's index.

    The hash is MurmurHash3's finalizer; its upper 24 bits make the number, which float32 holds exactly.
    """
    bits = np.arange(rows * INPUT_SIZE, dtype=np.uint32)
    bits ^= bits >> 16
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> 13
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> 16
    numbers = (bits >> 8).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)
    return torch.from_numpy(numbers.reshape(rows, INPUT_SIZE))


def load_parameters(model, path):
    with open(path, encoding="utf-8") as file:
        given = json.load(file)
    parameters = model.state_dict()
    with torch.no_grad():
        for name, numbers in given.items():
            # The state dict's tensors share memory with the model; an unknown name or a wrong length throws.
            parameters[name].copy_(torch.tensor(numbers).reshape(parameters[name].shape))


def answer(**fields):
    print(json.dumps(fields), flush=True)


main()
