// Fine-tuning as in ULMFiT (Howard and Ruder 2018): the last layer is trained first, and then more layers are unfrozen. Each group
// has a smaller rate than the one above it. The rates follow a slanted triangular schedule.
//
//   npx tsc -p examples && node build/examples/unfreezing.js
import { crossEntropy, manualSeed, nn, optim, type PackedIds, packIds, scope } from 'packed-rnn'

class Model extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: 8, embeddingDim: 12 })
  lstm = new nn.LSTM({ inputSize: 12, hiddenSize: 24 })
  head = new nn.Linear({ inFeatures: 24, outFeatures: 8 })

  forward(ids: PackedIds) {
    return this.head.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
  }
}

// The label of a sequence is its first token plus 1.
const sequences = Array.from({ length: 96 }, (_, i) => [0, 1, 2, 3, 4].map(t => (i * (t + 3) + t * t) % 8))
const labels = sequences.map(([first]) => (first! + 1) % 8)
const ids = packIds(sequences)

manualSeed(3)
const model = new Model()
const groups = [model.embedding, model.lstm, model.head]
const rates = groups.map((group, i) => ({ parameters: group.parameters(), lr: 0.02 / 2.6 ** (2 - i) }))
const adam = new optim.Adam(rates)
const scheduler = new optim.Scheduler(adam, optim.slantedTriangular({ steps: 90 }))
const firsts = () => Promise.all(groups.map(group => group.parameters()[0]!.toArray()))

model.freeze()
for (const [i, group] of [...groups].reverse().entries()) {
  group.unfreeze()
  const before = await firsts()
  let last = 0
  for (let step = 0; step < 30; step++)
    last = await scope(async () => {
      const loss = crossEntropy(model.forward(ids), labels)
      loss.backward()
      adam.step()
      adam.zeroGrad()
      scheduler.step()
      return loss.item()
    })
  const after = await firsts()
  const moved = before.map((values, g) => Number(values.some((value, n) => value !== after[g]![n])))
  console.log(`groups trained ${i + 1}  moved ${moved.join(' ')}  loss ${last.toFixed(4)}`)
}
