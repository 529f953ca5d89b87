// A run that stops in the middle of an epoch and resumes from its checkpoint, in another trainer, with the same bits. It has dropout,
// a schedule, two batches a step and a shuffled order.
//
//   npx tsc -p examples && node build/examples/resuming.js
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { argmax, crossEntropy, manualSeed, nn, optim, type PackedIds, packIds } from 'packed-rnn'
import { DataLoader, loadCheckpoint, saveCheckpoint, type Task, Trainer } from 'packed-rnn/training'

// The label of a number in binary digits is its last digit.
const numbers = Array.from({ length: 90 }, (_, i) => Int32Array.from((i + 4).toString(2), Number))
const collate = (some: Int32Array[]) => {
  return { ids: packIds(some), labels: some.map(digits => digits.at(-1)!) }
}
const loader = new DataLoader(numbers, { collate, batchSize: 5, shuffle: true, seed: 3 })

class Reader extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: 2, embeddingDim: 4 })
  lstm = new nn.LSTM({ inputSize: 4, hiddenSize: 8, numLayers: 2, dropout: 0.1 })
  linear = new nn.Linear({ inFeatures: 8, outFeatures: 2 })

  forward(ids: PackedIds) {
    return this.linear.forward(this.lstm.forward(this.embedding.forward(ids)).lastHidden())
  }
}

function newTrainer() {
  manualSeed(2)
  const model = new Reader()
  const task: Task<ReturnType<typeof collate>> = {
    model,
    weight: ({ labels }) => labels.length,
    step({ ids, labels }) {
      const loss = crossEntropy(model.forward(ids), labels, { reduction: 'sum' })
      return { loss, sums: {}, carry: null }
    },
    metrics: () => ({}),
    predict: async ({ ids }) => [...(await argmax(model.forward(ids), { dim: 1 }).toArray())],
  }
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 })
  const scheduler = new optim.Scheduler(optimizer, optim.cosineAnnealing({ steps: 36 }))
  return new Trainer({ model, task, optimizer, scheduler, accumulate: 2 })
}

const [whole, stopped, resumed] = [newTrainer(), newTrainer(), newTrainer()]
for await (const _ of whole.fit(loader, { epochs: 4 }));
for await (const event of stopped.fit(loader, { epochs: 4 }))
  if (event.event === 'step' && event.epoch === 3 && event.step === 2) break

const directory = mkdtempSync(`${tmpdir()}/resuming-`)
await saveCheckpoint(directory, await stopped.state(), 'any notes')
const { state } = await loadCheckpoint(directory)
rmSync(directory, { recursive: true })
resumed.restore(state)
console.log(`resumes in epoch ${state.position.epoch + 1}, after step ${state.position.step}`)
for await (const _ of resumed.fit(loader, { epochs: 4 }));
for (const { epoch, loss } of whole.history) console.log(`epoch ${epoch}  loss ${loss.toFixed(4)}`)
const bits = async ({ model }: typeof whole) => JSON.stringify([...(await model.stateDict()).values()])
console.log(`same bits: ${(await bits(resumed)) === (await bits(whole))}`) // same bits: true
