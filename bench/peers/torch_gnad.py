"""The accuracy peer: what `packed-rnn train --preset lstm64-adam` trains, in PyTorch.

    python3 torch_gnad.py --train train.csv --test test.csv --vectors de.300.vec.gz --json result.json

Prints a line per epoch and at the end one JSON object, also written to --json. One run is one sample: the
accuracy on a small test set moves by several points with the seed, so compare means over seeds. The
environment that makes it fast is in torch_step.py.
"""

import argparse
import json
import time

import torch
from torch import nn

from classifier import Classifier, adam, collate, segmented, train_step
from gnad import TOKENIZERS, UNK, read_articles, read_vectors

HIDDEN_SIZE = 64


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    train_tokens, train_categories = read_articles(options.train, options.tokenizer)
    test_tokens, test_categories = read_articles(options.test, options.tokenizer)
    words = {word for document in train_tokens + test_tokens for word in document}
    ids, rows = read_vectors(options.vectors, words)
    vectors = torch.tensor(rows)
    vectors = torch.cat([unknown_vector(options.unk, vectors), vectors])
    train_documents, test_documents = to_ids(train_tokens, ids), to_ids(test_tokens, ids)

    classes = sorted(set(train_categories))
    train_labels = torch.tensor([classes.index(category) for category in train_categories])
    test_labels = torch.tensor([classes.index(category) for category in test_categories])

    model = Classifier(vectors, nn.LSTM(vectors.shape[1], HIDDEN_SIZE), len(classes), segmented)
    optimizer = adam(model, options.lr)

    start = time.perf_counter()
    losses = []
    for epoch in range(options.epochs):
        losses.append(train_epoch(model, optimizer, train_documents, train_labels, options.batch_size))
        seconds = time.perf_counter() - start
        print(f"epoch {epoch + 1}/{options.epochs}  loss {losses[-1]:.4f}  {seconds:.1f} s", flush=True)

    predictions = predict(model, test_documents, options.batch_size)
    result = {
        "accuracy": (predictions == test_labels).double().mean().item(),
        "macroF1": macro_f1(test_labels, predictions),
        "losses": losses,
        "seconds": seconds,
        "unknownShare": (torch.cat(train_documents) == UNK).float().mean().item(),
        "options": vars(options),
        "torch": torch.__version__,
    }
    text = json.dumps(result)
    print(text)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            file.write(text + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", required=True)
    parser.add_argument("--test", required=True)
    parser.add_argument("--vectors", required=True)
    parser.add_argument("--tokenizer", choices=TOKENIZERS, default="whitespace")
    parser.add_argument("--unk", choices=["uniform", "zero", "mean"], default="uniform")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def unknown_vector(kind, vectors):
    """Row 0. `uniform` is the course notebook's [0, 1), several times as long as a real vector."""
    if kind == "uniform":
        return torch.rand(1, vectors.shape[1])
    if kind == "zero":
        return torch.zeros(1, vectors.shape[1])
    return vectors.mean(0, keepdim=True)


def to_ids(documents, ids):
    return [torch.tensor([ids.get(word, UNK) for word in document]) for document in documents]


def train_epoch(model, optimizer, documents, labels, batch_size):
    """Batches in a new random order, the last partial one included; returns the mean loss of a document."""
    model.train()
    total = 0.0
    for batch in torch.randperm(len(documents)).split(batch_size):
        batch_documents = [documents[i] for i in batch]
        total += len(batch) * train_step(model, optimizer, collate(batch_documents, labels[batch]))
    return total / len(documents)


@torch.no_grad()
def predict(model, documents, batch_size):
    model.eval()
    predictions = torch.empty(len(documents), dtype=torch.long)
    by_length = torch.argsort(torch.tensor([len(document) for document in documents]))
    for batch in by_length.split(batch_size):
        # A document's own index rides along as its label, for `collate` sorts the batch.
        for ids, lengths, places in collate([documents[i] for i in batch], batch):
            predictions[places] = model(ids, lengths).argmax(1)
    return predictions


def macro_f1(truth, predictions):
    """The mean over the classes that occur in either; a class without a hit counts 0."""
    scores = []
    for label in torch.cat([truth, predictions]).unique():
        hits = ((truth == label) & (predictions == label)).sum()
        scores.append(2 * hits / ((truth == label).sum() + (predictions == label).sum()))
    return torch.stack(scores).mean().item()


main()
