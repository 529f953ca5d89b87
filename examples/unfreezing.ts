// Fine-tuning as in ULMFiT (Howard and Ruder 2018): the last layers learn first, then more are unfrozen, each group with a smaller
// rate than the one above it, on a slanted triangular schedule.
//
//   npx tsc -p examples && node build/examples/unfreezing.js
import * as rnn from 'packed-rnn'

const { nn, optim } = rnn

class Model extends nn.Module {
  readonly embedding = new nn.Embedding({ numEmbeddings: 8, embeddingDim: 12 })
  readonly lstm = new nn.LSTM({ inputSize: 12, hiddenSize: 24 })
  readonly head = new nn.Linear({ inFeatures: 24, outFeatures: 8 })
  forward(ids: rnn.PackedIds): rnn.Matrix {
    return this.head.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
  }
}

rnn.manualSeed(3)
const model = new Model()
const groups = [model.embedding, model.lstm, model.head]
const adam = new optim.Adam(
  groups.map((group, i) => ({ parameters: group.parameters(), lr: 0.02 / 2.6 ** (groups.length - 1 - i) })),
  { lr: 0.02 },
)
const scheduler = new optim.Scheduler(adam, optim.slantedTriangular({ steps: 90 }))

/** Sequences whose label is the first token, moved on by `shift`. */
function task(shift: number) {
  const generator = new rnn.Generator(shift)
  const sequences = Array.from({ length: 96 }, () => Array.from({ length: 5 }, () => generator.below(8)))
  return { ids: rnn.packSequence(sequences), labels: sequences.map(([first]) => (first! + shift) % 8) }
}

async function train({ ids, labels }: ReturnType<typeof task>, steps: number): Promise<string> {
  let last = ''
  for (let step = 0; step < steps; step++) {
    const loss = rnn.scope(() => {
      const mean = rnn.crossEntropy(model.forward(ids), labels)
      mean.backward()
      adam.step()
      model.zeroGrad()
      return mean
    })
    last = (await loss.item()).toFixed(4)
    loss.dispose()
    scheduler.step()
  }
  return last
}

const tuned = task(1)
model.freeze()
for (const [unfrozen, group] of [...groups].reverse().entries()) {
  group.unfreeze()
  const before = await Promise.all(groups.map(each => each.parameters()[0]!.toArray()))
  const loss = await train(tuned, 30)
  const after = await Promise.all(groups.map(each => each.parameters()[0]!.toArray()))
  const moved = before.map((values, i) => values.some((value, n) => value !== after[i]![n]))
  console.log(`groups trained ${unfrozen + 1}  moved ${moved.map(Number).join(' ')}  loss ${loss}`)
}
