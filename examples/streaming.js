// Sequences that arrive in pieces. The states after one piece are the initial states of the next, so each token is computed
// once and memory does not grow. The outputs have the same bits as those of the whole sequence.
//
//   node examples/streaming.js
import { memory, nn, noGrad, packSequence, scope } from 'packed-rnn'

const [B, I, H] = [3, 8, 32]
const lstm = new nn.LSTM({ inputSize: I, hiddenSize: H, numLayers: 2 }).eval()
const token = (stream, t) => Array.from({ length: I }, (_, i) => Math.sin(stream + 0.7 * t + i))
const piece = (stream, from, to) =>
  Float32Array.from(Array.from({ length: to - from }, (_, k) => token(stream, from + k)).flat())

// What had arrived of each of the three streams, at each time that we looked; the second paused once.
const arrivals = [
  [4, 1, 2],
  [7, 1, 6],
  [8, 5, 12],
  [15, 9, 13],
]

let seen = [0, 0, 0]
let state = null // zeros to begin with
const streamed = Array.from({ length: B }, () => [])
for (const arrived of arrivals) {
  const step = await scope(() =>
    noGrad(async () => {
      const x = packSequence(
        arrived.map((to, b) => piece(b, seen[b], to)),
        { inputSize: I },
      )
      const { output, state: reached } = lstm.forward(x, state)
      return { rows: await output.data.toArray(), sequences: output.sequences, state: reached }
    }),
  )
  state?.dispose()
  state = step.state // what a scope returns outlives it
  seen = arrived
  const { offsets } = step.sequences
  for (const [b, rows] of streamed.entries())
    rows.push(...step.rows.subarray(offsets[b] * H, offsets[b + 1] * H))
  console.log(`tokens ${arrived.join(', ').padEnd(10)}  tensors held ${memory().tensors}`)
}

const whole = await scope(() =>
  noGrad(() => {
    const x = packSequence(
      seen.map((length, b) => piece(b, 0, length)),
      { inputSize: I },
    )
    return lstm.forward(x).output.data.toArray()
  }),
)
const same = streamed.flat().join() === whole.join()
console.log('the same bits as at once', same)
if (!same) process.exitCode = 1
