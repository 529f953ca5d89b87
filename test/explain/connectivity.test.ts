import { describe, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { connectivities, connectivity, prefixes } from '../../src/explain/connectivity.js'
import { poolings } from '../../src/models/pooling.js'
import { Embedding, GRU, Linear, LSTM, Module, type RecurrentModule } from '../../src/nn/index.js'
import { crossEntropy } from '../../src/ops/loss.js'
import { type PackedSequence, packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { memory } from '../../src/tensor.js'
import { type CellName, cellReference } from '../reference/cells.js'
import { finiteDifference } from '../reference/gradient.js'
import { linearReference } from '../reference/ops.js'
import { expectClose, expectSameBits } from '../suite/compare.js'
import { data, shortClassifier } from '../training/short.js'

const [V, I, H, C] = [12, 6, 5, 4]

/** A user's model: it predicts the next token from the state after the last one. */
class Reader extends Module {
  readonly embedding: Embedding
  readonly layers: RecurrentModule
  readonly linear: Linear

  constructor(Layers: typeof LSTM | typeof GRU) {
    super({ device: device('cpu', { threads: 2 }), generator: new Generator(4) })
    const { device: on, generator } = this
    const common = { device: on, generator }
    this.embedding = this.child('embedding', new Embedding({ ...common, numEmbeddings: V, embeddingDim: I }))
    this.layers = this.child('layers', new Layers({ ...common, inputSize: I, hiddenSize: H, numLayers: 2 }))
    this.linear = this.child('linear', new Linear({ ...common, inFeatures: H, outFeatures: C }))
  }

  logits(vectors: PackedSequence) {
    return this.linear.forward(this.layers.forward(vectors).lastOutput())
  }
}

const text = Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6, 5, 3)

/** The float64 reference's logits for a text's vectors [T, I]. */
async function referenceOf(model: Reader, cell: CellName) {
  const state = await model.stateDict()
  const values = (name: string) => Float64Array.from(state.get(name)!.data)
  const weights = [0, 1].map(l => ({
    wIh: values(`layers.weight_ih_l${l}`),
    wHh: values(`layers.weight_hh_l${l}`),
    bIh: values(`layers.bias_ih_l${l}`),
    bHh: values(`layers.bias_hh_l${l}`),
  }))
  const sizes = { inputSize: I, hiddenSize: H, projSize: 0, numLayers: 2, bidirectional: false }
  const [h0, c0] = [new Float64Array(2 * H), new Float64Array(2 * H)]
  const table = values('embedding.weight')
  const vectors = Float64Array.from([...text].flatMap(id => [...table.subarray(id * I, (id + 1) * I)]))
  const logits = (x: Float64Array) => {
    const input = Array.from({ length: x.length / I }, (_, t) => [...x.subarray(t * I, (t + 1) * I)])
    const { outputs } = cellReference({ cell, inputs: [input], weights, h0, c0, ...sizes })
    const last = Float64Array.from(outputs[0]!.at(-1)!)
    return linearReference(last, values('linear.weight'), values('linear.bias'))
  }
  return { vectors, logits }
}

describe.each([
  ['lstm', LSTM],
  ['gru', GRU],
] as const)('connectivity of a model with a layer of kind %s', (cell, Layers) => {
  test.each([9, 6, 0])(
    'at position %i equals the finite difference of the largest logit for each token',
    async position => {
      using model = new Reader(Layers)
      const { vectors, logits } = await referenceOf(model, cell)
      const read = vectors.subarray(0, (position + 1) * I)
      const z = logits(read)
      const k = z.indexOf(Math.max(...z))
      const slopes = finiteDifference(x => logits(x)[k]!, read)
      const expected = Array.from({ length: position + 1 }, (_, t) =>
        Math.hypot(...slopes.subarray(t * I, (t + 1) * I)),
      )
      const found = await connectivity(model, text, position)
      expect(found.predicted).toBe(k)
      // Ten steps in float32, and a difference with ten correct digits.
      expectClose(found.strengths, expected, 3e-6)
      const powers = z.map(Math.exp)
      const total = powers.reduce((a, b) => a + b, 0)
      expectClose(
        found.probabilities,
        powers.map(power => power / total),
        1e-6,
      )
    },
  )
})

describe.each(poolings)('connectivity of a classifier that pools by %s', pooling => {
  test('equals the finite difference of the largest logit for each token', async () => {
    using model = shortClassifier('bilstm128x2-adam', { pooling })
    const ids = data.documents[0]!.slice(0, 10)
    const { predicted, strengths } = await connectivity(model, ids, 9)
    const table = (await model.stateDict()).get('embedding.weight')!.data
    const rows = Float32Array.from([...ids].flatMap(id => [...table.subarray(id * 20, (id + 1) * 20)]))
    const eps = 2 ** -6
    const moved = [eps, -eps].flatMap(by => Array.from(rows, (_, n) => rows.with(n, rows[n]! + by)))
    const packed = packSequence(moved, { inputSize: 20, device: model.embedding.weight.device })
    const logits = await model.eval().logits(packed).toArray()
    const logit = (text: number) => logits[text * 9 + predicted]!
    const slopes = Array.from(rows, (_, n) => (logit(n) - logit(rows.length + n)) / (2 * eps))
    const expected = Array.from(ids, (_, t) => Math.hypot(...slopes.slice(t * 20, (t + 1) * 20)))
    // A float32 logit has an error of 1e-7, its difference 1e-5. Where the maximum changes, the function has a kink.
    expectClose(strengths, expected, pooling === 'max' || pooling === 'concat' ? 0.05 : 2e-3)
  })
})

describe('several texts', () => {
  test.each(['lstm64-adam', 'bilstm128x2-adam'] as const)(
    '%s: each has the same bits in any batch and with any number of threads',
    async preset => {
      using model = shortClassifier(preset)
      using other = shortClassifier(preset, { threads: 1 })
      const ids = data.documents[0]!.slice(0, 12)
      const together = await connectivities(model, prefixes(ids))
      const inParts = await connectivities(other, prefixes(ids), { maxTokens: 20 })
      for (const [position, { predicted, probabilities, strengths }] of together.entries()) {
        const alone = await connectivity(model, ids, position)
        expect(alone.predicted).toBe(predicted)
        expect(strengths).toHaveLength(position + 1)
        expectSameBits(alone.strengths, strengths)
        expectSameBits(alone.probabilities, probabilities)
        expectSameBits(inParts[position]!.strengths, strengths)
      }
    },
  )

  test('an empty text has no strengths and does not change its neighbours', async () => {
    using model = shortClassifier('lstm64-adam')
    const ids = data.documents[0]!.slice(0, 5)
    const [empty, full] = await connectivities(model, [[], ids])
    expect(empty!.strengths).toHaveLength(0)
    expect(empty!.probabilities.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6)
    expect(full).toEqual(await connectivity(model, ids, 4))
    expect(await connectivities(model, [[]])).toEqual([empty])
    expect(await connectivities(model, [])).toEqual([])
  })
})

test('mode, gradients and requiresGrad are restored, and no tensor remains', async () => {
  using model = shortClassifier('bilstm64x4-adam')
  crossEntropy(model.forward(packSequence(data.documents.slice(0, 2))), [0, 1]).backward()
  const before = await Promise.all(model.parameters().map(({ grad }) => grad!.toArray()))
  await connectivity(model, data.documents[0]!, 3)
  const { tensors } = memory()
  await connectivity(model, data.documents[0]!, 7)
  expect(memory().tensors).toBe(tensors)
  expect(model.training).toBe(true)
  expect(model.lstm.training).toBe(true)
  expect(await Promise.all(model.parameters().map(({ grad }) => grad!.toArray()))).toEqual(before)
})

describe('errors', () => {
  test.each([10, -1, 1.5])('position %d of ten tokens', async position => {
    using model = new Reader(LSTM)
    await expect(connectivity(model, text, position)).rejects.toThrow(
      `connectivity: position: wanted an integer from 0 to 9, got ${position}`,
    )
  })

  test('an invalid id, and maxTokens of 0', async () => {
    using model = new Reader(LSTM)
    await expect(connectivity(model, [V], 0)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' })
    await expect(connectivities(model, [text], { maxTokens: 0 })).rejects.toThrow('maxTokens')
    expect(model.training).toBe(true)
  })

  test('an aborted signal', async () => {
    using model = new Reader(LSTM)
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(connectivities(model, [text], { signal })).rejects.toThrow('enough')
  })
})
