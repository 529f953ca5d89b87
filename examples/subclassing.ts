// A model as PyTorch users write it: a property that holds a module registers it. Its state dict has PyTorch's names, so the file
// is read there by `load_state_dict(safetensors.torch.load_file(…))`.
//
//   npx tsc -p examples && node build/examples/subclassing.js
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as rnn from 'packed-rnn'
import { loadStateDict, saveStateDict } from 'packed-rnn/formats'

const { nn } = rnn

class Tagger extends nn.Module {
  readonly embedding = new nn.Embedding({ numEmbeddings: 12, embeddingDim: 16 })
  readonly lstm = new nn.LSTM({ inputSize: 16, hiddenSize: 24, bidirectional: true })
  readonly layers = new nn.ModuleList([1, 2].map(() => new nn.Linear({ inFeatures: 48, outFeatures: 48 })))
  readonly head = new nn.Linear({ inFeatures: 48, outFeatures: 2 })

  /** A row of two logits for each token. */
  forward(ids: rnn.PackedIds): rnn.Matrix {
    let rows = this.lstm.forward(this.embedding.forward(ids)).output.data
    for (const layer of this.layers) rows = rnn.relu(layer.forward(rows))
    return this.head.forward(rows)
  }
}

// Whether a token is larger than the one before it.
rnn.manualSeed(1)
const generator = new rnn.Generator(2)
const sequences = Array.from({ length: 64 }, (_, i) =>
  Array.from({ length: 3 + (i % 9) }, () => generator.below(12)),
)
const ids = rnn.packSequence(sequences)
const labels = sequences.flatMap(tokens =>
  tokens.map((token, t) => (t > 0 && token > tokens[t - 1]! ? 1 : 0)),
)

const model = new Tagger()
const adam = new rnn.optim.Adam(model.parameters(), { lr: 0.01 })
for (let step = 0; step <= 60; step++) {
  const loss = rnn.scope(() => {
    const mean = rnn.crossEntropy(model.forward(ids), labels)
    mean.backward()
    adam.step()
    model.zeroGrad()
    return mean
  })
  if (step % 20 === 0) console.log(`step ${step}  loss ${(await loss.item()).toFixed(4)}`)
  loss.dispose()
}

const folder = await mkdtemp(join(tmpdir(), 'tagger-'))
await saveStateDict(model, join(folder, 'tagger.safetensors'))
const other = new Tagger()
const { missing, unexpected } = await loadStateDict(other, join(folder, 'tagger.safetensors'))
await rm(folder, { recursive: true })
console.log([...(await other.stateDict()).keys()].join(' '))
const [ours, theirs] = await Promise.all([model, other].map(each => each.forward(ids).toArray()))
const same = ours!.every((x, i) => x === theirs![i])
console.log(`missing ${missing.length}, unexpected ${unexpected.length}, same logits ${same}`)
