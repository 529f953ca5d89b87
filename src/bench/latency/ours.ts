// The package's own part: nn.LSTM without a tape. See process.ts.
import { openLibrary } from '../library.js'
import { cellInputs, cellWeights } from './numbers.js'
import { answerStreams } from './process.js'

const config: { library: string; threads: number } = JSON.parse(process.argv[2]!)
const {
  device: openDevice,
  nn,
  noGrad,
  PackedSequence,
  Sequences,
  tensor,
  zeros,
} = await openLibrary(config.library)
const device = openDevice('cpu', { threads: config.threads })

await answerStreams(async (H, B) => {
  const lstm = new nn.LSTM({ inputSize: H, hiddenSize: H, device })
  const { wIh, wHh, bIh, bHh } = cellWeights(H)
  const numbers = [wIh, wHh, bIh, bHh]
  lstm.loadStateDict(
    new Map([...lstm.namedParameters()].map(([name, { shape }], i) => [name, { shape, data: numbers[i]! }])),
  )
  const sequences = new Sequences(new Int32Array(B).fill(1))
  const inputs = cellInputs(H, B).map(data => new PackedSequence(tensor(data, [B, H], { device }), sequences))
  return {
    read: (tokens, awaited) =>
      noGrad(async () => {
        let h = zeros([1, B, H], { device })
        let c = zeros([1, B, H], { device })
        await device.synchronize()
        const start = performance.now()
        for (let t = 0; t < tokens; t++) {
          const { output, hN, cN } = lstm.forward(inputs[t % inputs.length]!, { h0: h, c0: c })
          for (const old of [output, h, c]) old.dispose()
          h = hN
          c = cN
          if (awaited) await h.toArray()
        }
        const found = await h.toArray()
        const seconds = (performance.now() - start) / 1000
        for (const state of [h, c]) state.dispose()
        return { h: found, seconds }
      }),
  }
})
