"""The benchmark's cases in PyTorch: embedding -> recurrent layers -> Linear, and one optimiser step of it.

There are three ways to each document's last hidden state, with the same value and the same gradient:

- `packed` is what a PyTorch user writes. On the CPU its backward pass costs the longest document times all
  tokens, because every time step's slice gets a gradient as large as the whole input.
- `padded` runs over the padding and reads the output at each document's last token. What follows that token
  cannot reach it, for the layers run in one direction; with two, the second begins in the padding and the result
  is another: good for its speed alone. It gets cheaper when a batch is cut into pieces of similar length.
- `segmented` is padded up to some document's end, goes on without the documents that ended, and so on: hardly
  any padding, and no time step more than the longest document has. The fastest that we found, for one direction.

`packed_mean`, `padded_mean` and `segmented_mean` go the same ways to the mean of each document's states, which gives every
state a gradient.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import clip_grad_norm_
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

# Where more cuts no longer pay: measured on batches of 32 and of 256 articles.
SEGMENTS = 32


class Classifier(nn.Module):
    """`recurrent` is an nn.LSTM, nn.GRU or nn.RNN, `last_state` one of the functions below."""

    def __init__(self, vectors, recurrent, classes, last_state, frozen=True):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(vectors, freeze=frozen)
        self.recurrent = recurrent
        self.classifier = nn.Linear((2 if recurrent.bidirectional else 1) * recurrent.hidden_size, classes)
        self.last_state = last_state

    def forward(self, ids, lengths):
        """ids [T, B], padded, the longest document first; lengths [B]. Returns logits [B, classes]."""
        return self.classifier(self.last_state(self.recurrent, self.embedding(ids), lengths))

    def trained(self):
        return [parameter for parameter in self.parameters() if parameter.requires_grad]


def packed(recurrent, x, lengths):
    _, state = recurrent(pack_padded_sequence(x, lengths))
    h_n = state[0] if isinstance(state, tuple) else state
    return h_n[-2 if recurrent.bidirectional else -1 :].transpose(0, 1).flatten(1)


def padded(recurrent, x, lengths):
    output, _ = recurrent(x)
    H = recurrent.hidden_size
    ends = output[lengths - 1, torch.arange(len(lengths)), :H]
    return torch.cat([ends, output[0, :, H:]], 1)


def cuts(lengths):
    """Yields each segment's first time step, the one after its last, and how many documents it has."""
    # Where evenly spaced documents end; the first entry is the longest document, so the last cut is T.
    spaced = torch.linspace(0, len(lengths) - 1, min(SEGMENTS, len(lengths))).long()
    start = 0
    for end in lengths[spaced].unique().tolist():
        yield start, end, int((lengths > start).sum())
        start = end


def segments(recurrent, x, lengths):
    """Yields each segment's first time step, its output, and how many documents go on after it."""
    state = None
    for start, end, count in cuts(lengths):
        output, state = recurrent(x[start:end, :count], state)
        going_on = int((lengths > end).sum())
        yield start, output, going_on
        if isinstance(state, tuple):
            state = tuple(part[:, :going_on].contiguous() for part in state)
        else:
            state = state[:, :going_on].contiguous()


def segmented(recurrent, x, lengths):
    finished = []
    for start, output, going_on in segments(recurrent, x, lengths):
        ended = torch.arange(going_on, output.shape[1])
        finished.append(output[lengths[ended] - 1 - start, ended])
    return torch.cat(finished[::-1])


def masked_sum(output, lengths, start=0):
    """The sum of each document's states, [B, C] of [T, B, C] that begin at time step `start`."""
    inside = torch.arange(start, start + len(output)).unsqueeze(1) < lengths
    return (output * inside.unsqueeze(2)).sum(0)


def packed_mean(recurrent, x, lengths):
    output, _ = recurrent(pack_padded_sequence(x, lengths))
    document = torch.cat([torch.arange(count) for count in output.batch_sizes.tolist()])
    sums = output.data.new_zeros(len(lengths), output.data.shape[1])
    return sums.index_add(0, document, output.data) / lengths.unsqueeze(1)


def padded_mean(recurrent, x, lengths):
    output, _ = recurrent(x)
    return masked_sum(output, lengths) / lengths.unsqueeze(1)


def segmented_mean(recurrent, x, lengths):
    total = 0
    for start, output, _ in segments(recurrent, x, lengths):
        count = output.shape[1]
        part = masked_sum(output, lengths[:count], start)
        # The documents that ended before have their sum.
        total = part if start == 0 else torch.cat([total[:count] + part, total[count:]])
    return total / lengths.unsqueeze(1)


def collate(documents, labels, pieces=1):
    """A batch as padded pieces, the longest documents together and first: [(ids, lengths, labels), ...].

    documents: a list of int64 tensors; labels [B].
    """
    lengths = torch.tensor([len(document) for document in documents])
    order = torch.argsort(lengths, descending=True)
    return [
        # Time first, so that a time step is contiguous.
        (pad_sequence([documents[i] for i in part]), lengths[part], labels[part])
        for part in order.tensor_split(pieces)
    ]


def train_step(model, optimizer, batch):
    """One optimiser step over all pieces of a batch; returns the batch's mean loss before it.

    The gradient accumulates over the pieces. Each contributes its sum divided by the size of the whole batch,
    so the total is the gradient of the mean over the batch, as if it had not been cut.
    """
    size = sum(len(labels) for _, _, labels in batch)
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for ids, lengths, labels in batch:
        loss = cross_entropy(model(ids, lengths), labels, reduction="sum") / size
        loss.backward()
        total += loss.item()
    clip_grad_norm_(model.recurrent.parameters(), 1.0)
    optimizer.step()
    return total


def adam(model, lr=0.01):
    return torch.optim.Adam(model.trained(), lr=lr)
