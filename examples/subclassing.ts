// A model as PyTorch users write it: a property that holds a module registers it. The state dict has PyTorch's names, so PyTorch
// reads the file with `load_state_dict(safetensors.torch.load_file(…))`.
//
//   npx tsc -p examples && node build/examples/subclassing.js
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { crossEntropy, manualSeed, nn, optim, type PackedIds, packIds, relu, scope } from 'packed-rnn'
import { loadStateDict, saveStateDict } from 'packed-rnn/formats'

class Tagger extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: 12, embeddingDim: 16 })
  lstm = new nn.LSTM({ inputSize: 16, hiddenSize: 24, bidirectional: true })
  layers = new nn.ModuleList([1, 2].map(() => new nn.Linear({ inFeatures: 48, outFeatures: 48 })))
  head = new nn.Linear({ inFeatures: 48, outFeatures: 2 })

  forward(ids: PackedIds) {
    let rows = this.lstm.forward(this.embedding.forward(ids)).output.data
    for (const layer of this.layers) rows = relu(layer.forward(rows))
    return this.head.forward(rows)
  }
}

// The label of a token is 1 if the token is larger than the previous one.
const lengths = Array.from({ length: 64 }, (_, i) => 3 + (i % 9))
const sequences = lengths.map((length, i) => Array.from({ length }, (_, t) => (i * 5 + t * t * 7) % 12))
const labels = sequences.flatMap(tokens => tokens.map((token, t) => Number(token > (tokens[t - 1] ?? token))))
const ids = packIds(sequences)

manualSeed(1)
const model = new Tagger()
const adam = new optim.Adam(model.parameters(), { lr: 0.01 })
for (let step = 0; step <= 60; step++)
  await scope(async () => {
    const loss = crossEntropy(model.forward(ids), labels)
    loss.backward()
    adam.step()
    adam.zeroGrad()
    if (step % 20 === 0) console.log(`step ${step}  loss ${(await loss.item()).toFixed(4)}`)
  })

const folder = mkdtempSync(`${tmpdir()}/tagger-`)
await saveStateDict(model, `${folder}/tagger.safetensors`)
const other = new Tagger()
const { missing, unexpected } = await loadStateDict(other, `${folder}/tagger.safetensors`)
rmSync(folder, { recursive: true })
console.log([...(await other.stateDict()).keys()].join(' '))
const [ours, theirs] = await Promise.all([model, other].map(each => each.forward(ids).toArray()))
const same = ours!.every((x, i) => x === theirs![i])
console.log(`missing ${missing.length}, unexpected ${unexpected.length}, same logits ${same}`)
