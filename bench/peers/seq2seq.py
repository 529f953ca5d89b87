"""A translation model in PyTorch, written in two ways: a bidirectional GRU reads the source, a GRU with additive attention
writes the target (Bahdanau et al. 2015).

- `Tutorial` is the loop that the usual tutorials on Multi30k teach. Every step of the decoder projects the whole source again,
  runs a GRU over one word, and computes logits for all sentences, also for those that have ended.
- `Tuned` is the fastest that we found. Figures are CPU time of one thread, 128 sentences of 14 words, Zen 4:
    - Keys are projected once, and the right words are embedded in one call.
    - Rows are sorted by the target's length, and sentences that have ended are dropped (`x[:n]`). In batches by length this
      changes little; in batches in random order padding would double the rows.
    - The output layer computes the logits of a step at once only where the next step reads the model's own word, and those of
      all other words in one product. Its gradients are one product too (`LogitsOf`): 2.23 s a step; with these logits on the
      tape 2.36 s, and with logits computed twice 2.38 s.
    - The encoder is two padded GRUs, the second on reversed sentences: 2.23 s; with `pack_padded_sequence` 2.33 s.
  Without gain: the projection of the right words' vectors in one product, nn.GRU for a step instead of nn.GRUCell, Adam with
  `foreach`.

Both have the same parameters and the same loss, the mean over the target's words. A batch is a list of source sentences and one
of target sentences, each with the marks of begin and end.
"""

import torch
from torch import nn
from torch.nn.functional import cross_entropy, dropout
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence


def padded(sentences, padding):
    """[T, B]"""
    return pad_sequence([torch.tensor(sentence) for sentence in sentences], padding_value=padding)


class Words(nn.Module):
    """Word vectors with dropout."""

    def __init__(self, words, size, p):
        super().__init__()
        self.embedding = nn.Embedding(words, size)
        self.p = p

    def forward(self, ids):
        return dropout(self.embedding(ids), self.p, self.training)


class Tutorial(nn.Module):
    def __init__(self, source_words, target_words, E, H, p, padding):
        super().__init__()
        self.encoder = Words(source_words, E, p)
        self.encoder.rnn = nn.GRU(E, H, bidirectional=True)
        self.bridge = nn.Linear(2 * H, H)
        self.decoder = Words(target_words, E, p)
        self.energy = nn.Linear(H + 2 * H, H, bias=False)
        self.v = nn.Linear(H, 1, bias=False)
        self.decoder.rnn = nn.GRU(E + 2 * H, H)
        self.output = nn.Linear(H + 2 * H + E, target_words)
        self.padding = padding

    def collate(self, source, target):
        """Packing wants the longest source first."""
        order = sorted(range(len(source)), key=lambda b: -len(source[b]))
        lengths = torch.tensor([len(source[b]) for b in order])
        source, target = [padded([side[b] for b in order], self.padding) for side in (source, target)]
        return source, lengths, target

    def loss(self, batch, forced):
        """`forced`: which steps read the target's word and not the most likely one."""
        source, lengths, target = batch
        packed = pack_padded_sequence(self.encoder(source), lengths)
        output, hidden = self.encoder.rnn(packed)
        encoded, _ = pad_packed_sequence(output)
        state = torch.tanh(self.bridge(torch.cat([hidden[0], hidden[1]], 1)))
        real = (source != self.padding).t()
        steps = len(target) - 1
        logits = torch.zeros(steps, target.shape[1], self.output.out_features)
        word = target[0]
        for t in range(steps):
            if t > 0:
                word = target[t] if forced[t] else logits[t - 1].argmax(1)
            logits[t], state = self.step(word, state, encoded, real)
        return cross_entropy(logits.flatten(0, 1), target[1:].flatten(), ignore_index=self.padding)

    def step(self, word, state, encoded, real):
        x = self.decoder(word.unsqueeze(0))
        values = encoded.transpose(0, 1)
        query = state.unsqueeze(1).repeat(1, len(encoded), 1)
        energy = torch.tanh(self.energy(torch.cat([query, values], 2)))
        scores = self.v(energy).squeeze(2).masked_fill(~real, -1e10)
        context = torch.bmm(torch.softmax(scores, 1).unsqueeze(1), values).transpose(0, 1)
        output, hidden = self.decoder.rnn(torch.cat([x, context], 2), state.unsqueeze(0))
        return self.output(torch.cat([output, context, x], 2).squeeze(0)), hidden.squeeze(0)


class LogitsOf(torch.autograd.Function):
    """Logits that are known already, as the result of the output layer: its gradients are computed at once."""

    @staticmethod
    def forward(ctx, features, weight, bias, logits):
        ctx.save_for_backward(features, weight)
        return logits

    @staticmethod
    def backward(ctx, gradient):
        features, weight = ctx.saved_tensors
        return gradient @ weight, gradient.t() @ features, gradient.sum(0), None


class Tuned(nn.Module):
    def __init__(self, source_words, target_words, E, H, p, padding):
        super().__init__()
        self.encoder = Words(source_words, E, p)
        self.encoder.rightward = nn.GRU(E, H)
        self.encoder.leftward = nn.GRU(E, H)
        self.bridge = nn.Linear(2 * H, H)
        self.decoder = Words(target_words, E, p)
        self.query = nn.Linear(H, H, bias=False)
        self.key = nn.Linear(2 * H, H, bias=False)
        self.v = nn.Linear(H, 1, bias=False)
        self.decoder.cell = nn.GRUCell(E + 2 * H, H)
        self.output = nn.Linear(H + 2 * H + E, target_words)
        self.padding = padding

    def collate(self, source, target):
        order = sorted(range(len(target)), key=lambda b: (-len(target[b]), -len(source[b])))
        source, target = [[side[b] for b in order] for side in (source, target)]
        target = padded(target, self.padding)
        counts = (target[1:] != self.padding).sum(1).tolist()
        words = [target[t, :count] for t, count in enumerate(counts)]
        following = torch.cat([target[t + 1, :count] for t, count in enumerate(counts)])
        return *self.read(source), words, following

    def read(self, sentences):
        """Words [S, B] with padding, lengths, the place of each word in the reversed sentence, and the mask of padding [B, S]."""
        lengths = torch.tensor([len(sentence) for sentence in sentences])
        source = padded(sentences, self.padding)
        place = torch.arange(len(source)).unsqueeze(1)
        reverse = torch.where(place < lengths, lengths - 1 - place, place)
        mask = torch.zeros(source.shape).masked_fill(place >= lengths, -torch.inf).t().contiguous()
        # Without padding no mask is added.
        return source, lengths, reverse, mask if mask.any() else None

    def encode(self, source, lengths, reverse):
        """The states [B, S, 2H] of all words, and the last ones [B, 2H] of both directions."""
        x = self.encoder(source)
        rightward, _ = self.encoder.rightward(x)
        leftward, _ = self.encoder.leftward(reordered(x, reverse))
        ends = lengths - 1, torch.arange(len(lengths))
        last = torch.cat([rightward[ends], leftward[ends]], 1)
        states = torch.cat([rightward, reordered(leftward, reverse)], 2)
        return states.transpose(0, 1).contiguous(), last

    def loss(self, batch, forced):
        source, lengths, reverse, mask, words, following = batch
        values, last = self.encode(source, lengths, reverse)
        state = torch.tanh(self.bridge(last))
        keys = self.key(values)
        v = self.v.weight[0]
        right = [word for t, word in enumerate(words) if t == 0 or forced[t]]
        right = iter(self.decoder(torch.cat(right)).split([len(word) for word in right]))
        features, logits = [], []
        for t, word in enumerate(words):
            n = len(word)
            if n < len(state):
                state, keys, values = state[:n], keys[:n], values[:n]
                mask = None if mask is None else mask[:n]
            x = next(right) if t == 0 or forced[t] else self.decoder(logits[-1][:n].argmax(1))
            scores = (self.query(state).unsqueeze(1) + keys).tanh_() @ v
            if mask is not None:
                scores = scores + mask
            context = torch.bmm(torch.softmax(scores, 1).unsqueeze(1), values).squeeze(1)
            state = self.decoder.cell(torch.cat([x, context], 1), state)
            features.append(torch.cat([state, context, x], 1))
            wanted = t + 1 < len(words) and not forced[t + 1]
            with torch.no_grad():
                logits.append(self.output(features[-1]) if wanted else None)
        with torch.no_grad():
            rest = [one for one, known in zip(features, logits) if known is None]
            rest = iter(self.output(torch.cat(rest)).split([len(one) for one in rest]))
            logits = torch.cat([next(rest) if known is None else known for known in logits])
        layer = self.output
        return cross_entropy(LogitsOf.apply(torch.cat(features), layer.weight, layer.bias, logits), following)

    @torch.inference_mode()
    def translate(self, sentences, begin, end, steps, beams):
        """The words of each sentence, the mark of the end included: the likeliest word of each step, or the likeliest of `beams`
        hypotheses, which never end: `end` is then None. The keys of a sentence are shared by its hypotheses."""
        assert beams == 1 or end is None
        source, lengths, reverse, mask = self.read(sentences)
        values, last = self.encode(source, lengths, reverse)
        keys = self.key(values).unsqueeze(1)
        mask = None if mask is None else mask.unsqueeze(1)
        v = self.v.weight[0]
        B, V = len(sentences), self.output.out_features
        state = torch.tanh(self.bridge(last)).unsqueeze(1)
        word = torch.full((B, 1), begin)
        words = torch.empty(B, 1, 0, dtype=torch.long)
        total = torch.zeros(B, 1)
        ended = torch.zeros(B, dtype=torch.bool)
        for _ in range(steps):
            x = self.decoder(word)
            scores = (self.query(state).unsqueeze(2) + keys).tanh_() @ v
            if mask is not None:
                scores = scores + mask
            context = torch.bmm(torch.softmax(scores, 2), values)
            cell = self.decoder.cell(torch.cat([x, context], 2).flatten(0, 1), state.flatten(0, 1))
            state = cell.view(B, -1, cell.shape[1])
            logits = self.output(torch.cat([state, context, x], 2))
            if beams == 1:
                word = logits.argmax(2)
            else:
                total, chosen = (total.unsqueeze(2) + torch.log_softmax(logits, 2)).flatten(1).topk(beams)
                parent, word = (chosen // V).unsqueeze(2), chosen % V
                state = state.gather(1, parent.expand(-1, -1, state.shape[2]))
                words = words.gather(1, parent.expand(-1, -1, words.shape[2]))
            words = torch.cat([words, word.unsqueeze(2)], 2)
            if end is not None:
                ended |= word[:, 0] == end
                if ended.all():
                    break
        return words[:, 0].tolist()


def reordered(x, places):
    """x [S, B, C] with row places[s, b] of sentence b at s."""
    return x.gather(0, places.unsqueeze(2).expand(-1, -1, x.shape[2]))


# Parts of a parameter's name in packed-rnn, and what they are here.
RENAMED = {
    Tutorial: {"bridge.h.": "bridge.", "decoder.attention.v.": "v."},
    Tuned: {
        "bridge.h.": "bridge.",
        "decoder.attention.": "",
        "decoder.rnn.": "decoder.cell.",
        "encoder.rnn.": "encoder.rightward.",
    },
}


@torch.no_grad()
def load_parameters(model, numbers):
    """`numbers`: tensors by their names in packed-rnn. An unknown name, a missing one or another shape throws."""
    numbers = dict(numbers)
    if isinstance(model, Tutorial):
        parts = [numbers.pop(f"decoder.attention.{part}.weight") for part in ("query", "key")]
        numbers["energy.weight"] = torch.cat(parts, 1)
    model.load_state_dict({renamed(model, name): values for name, values in numbers.items()})


def renamed(model, name):
    for theirs, here in RENAMED[type(model)].items():
        name = name.replace(theirs, here)
    if isinstance(model, Tuned) and name.endswith("_reverse"):
        return name.removesuffix("_reverse").replace(".rightward.", ".leftward.")
    return name.removesuffix("_l0") if ".cell." in name else name
