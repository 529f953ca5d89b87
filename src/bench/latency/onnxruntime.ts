// onnxruntime-node: a session of one LSTM operator. Its calls are asynchronous and each needs the previous call's states, so
// each token is awaited. See process.ts.
import { createRequire } from 'node:module'
import { onnxCell } from '../peers/onnx.js'
import { cellInputs, cellWeights } from './numbers.js'
import { answerStreams } from './process.js'

/** The part of the package that is used here. */
interface Tensor {
  data: Float32Array
}
interface Library {
  Tensor: new (type: 'float32', data: Float32Array, dims: number[]) => Tensor
  InferenceSession: {
    create(
      model: Uint8Array,
      options: Record<string, unknown>,
    ): Promise<{ run(feeds: Record<string, Tensor>): Promise<{ hN: Tensor; cN: Tensor }> }>
  }
}

const config: { library: string; threads: number } = JSON.parse(process.argv[2]!)
const library: Library = createRequire(import.meta.url)(config.library)

await answerStreams(async (H, B) => {
  const session = await library.InferenceSession.create(onnxCell(H, cellWeights(H)), {
    intraOpNumThreads: config.threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  })
  const inputs = cellInputs(H, B).map(data => new library.Tensor('float32', data, [1, B, H]))
  return {
    read: async tokens => {
      let h = new library.Tensor('float32', new Float32Array(B * H), [1, B, H])
      let c = h
      const start = performance.now()
      for (let t = 0; t < tokens; t++) {
        const { hN, cN } = await session.run({ x: inputs[t % inputs.length]!, h, c })
        h = hN
        c = cN
      }
      return { h: h.data, seconds: (performance.now() - start) / 1000 }
    },
  }
})
