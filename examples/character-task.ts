// A character language model as a task of its own for `training.Trainer`: streams of a text, and an LSTM whose states go on from
// window to window.
//
//   npx tsc -p examples && node build/examples/character-task.js
import * as rnn from 'packed-rnn'
import * as training from 'packed-rnn/training'

const { nn, optim } = rnn
const line = 'the cat sat on the mat and looked at the rat. the rat sat on the hat and looked at the cat. '
const characters = [...new Set(line)].sort()
const ids = Int32Array.from(line.repeat(24), character => characters.indexOf(character))

// A window of T characters of each of B streams, and the ones that come next.
const [B, T] = [16, 12]
const length = Math.floor((ids.length - 1) / B)
const rows = (at: number) => Array.from({ length: B }, (_, b) => ids.subarray(b * length + at).subarray(0, T))
const windows = Array.from({ length: Math.floor(length / T) }, (_, i) => {
  return { read: rows(i * T), next: rows(i * T + 1).flatMap(row => [...row]) }
})
type Window = (typeof windows)[number]

rnn.manualSeed(1)
class CharacterModel extends nn.Module {
  embedding = new nn.Embedding({ numEmbeddings: characters.length, embeddingDim: 16 })
  lstm = new nn.LSTM({ inputSize: 16, hiddenSize: 48 })
  linear = new nn.Linear({ inFeatures: 48, outFeatures: characters.length })

  forward({ read }: Window, before: States | null) {
    const { output, state } = this.lstm.forward(this.embedding.forward(rnn.packSequence(read)), before)
    return { logits: this.linear.forward(output.data), states: { h: state.h, c: state.c } }
  }
}
const model = new CharacterModel()

type States = { h: rnn.Tensor<'float32', 3>; c: rnn.Tensor<'float32', 3> }
const task: training.Task<Window, States, number> = {
  model,
  weight: ({ next }) => next.length,
  step(window, before) {
    const { logits, states } = model.forward(window, before)
    const loss = rnn.crossEntropy(logits, window.next, { reduction: 'sum' })
    return { loss, sums: {}, carry: states }
  },
  metrics: ({ loss, weight }) => ({ perplexity: Math.exp(loss / weight) }),
  predict: async window => [...(await rnn.argmax(model.forward(window, null).logits, { dim: 1 }).toArray())],
}

const loader = new training.DataLoader(windows, { collate: ([window]) => window!, batchSize: 1 })
const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 })
const trainer = new training.Trainer({ model, task, optimizer })
for await (const event of trainer.fit(loader, { epochs: 12 })) {
  if (event.event === 'epoch' && event.record.epoch % 3 === 0)
    console.log(`epoch ${event.record.epoch}  perplexity ${event.record.metrics.perplexity!.toFixed(4)}`)
}
let next = ''
for await (const id of training.predict(task, windows.slice(0, 1))) next += characters[id]
console.log(`next: ${next.slice(0, T)}`)
