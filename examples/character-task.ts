// A language model of characters as a task for `Trainer`: a text is read as parallel streams, and an LSTM's states are carried from
// window to window.
//
//   npx tsc -p examples && node build/examples/character-task.js
import { argmax, crossEntropy, manualSeed, nn, optim, packIds, type Tensor } from 'packed-rnn'
import { DataLoader, predict, type Task, Trainer } from 'packed-rnn/training'

const line = 'the cat sat on the mat and looked at the rat. the rat sat on the hat and looked at the cat. '
const characters = [...new Set(line)].sort()
const ids = Int32Array.from(line.repeat(24), character => characters.indexOf(character))

// Windows of T characters of each of B streams, and the characters that come next.
const [B, T] = [16, 12]
const length = Math.floor((ids.length - 1) / B)
const rows = (at: number) => Array.from({ length: B }, (_, b) => ids.subarray(b * length + at).subarray(0, T))
const windows = Array.from({ length: Math.floor(length / T) }, (_, i) => {
  return { read: rows(i * T), next: rows(i * T + 1).flatMap(row => [...row]) }
})

type States = { h: Tensor<'float32', 3>; c: Tensor<'float32', 3> }
class CharacterModel extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: characters.length, embeddingDim: 16 })
  lstm = new nn.LSTM({ inputSize: 16, hiddenSize: 48 })
  linear = new nn.Linear({ inFeatures: 48, outFeatures: characters.length })

  forward(read: Int32Array[], states: States | null) {
    const { output, state } = this.lstm.forward(this.embedding.forward(packIds(read)), states)
    return { logits: this.linear.forward(output.data), states: { ...state } }
  }
}

manualSeed(1)
const model = new CharacterModel()
const task: Task<(typeof windows)[number], States, number> = {
  model,
  weight: ({ next }) => next.length,
  step({ read, next }, carry) {
    const { logits, states } = model.forward(read, carry)
    return { loss: crossEntropy(logits, next, { reduction: 'sum' }), sums: {}, carry: states }
  },
  metrics: ({ loss, weight }) => ({ perplexity: Math.exp(loss / weight) }),
  predict: async ({ read }) => [...(await argmax(model.forward(read, null).logits, { dim: 1 }).toArray())],
}

const loader = new DataLoader(windows, { collate: ([window]) => window!, batchSize: 1 })
const trainer = new Trainer({ model, task, optimizer: new optim.Adam(model.parameters(), { lr: 0.02 }) })
for await (const event of trainer.fit(loader, { epochs: 12 }))
  if (event.event === 'epoch' && event.record.epoch % 3 === 0)
    console.log(`epoch ${event.record.epoch}  perplexity ${event.record.metrics.perplexity!.toFixed(4)}`)
let next = ''
for await (const id of predict(task, windows.slice(0, 1))) next += characters[id]
console.log(`next: ${next.slice(0, T)}`)
