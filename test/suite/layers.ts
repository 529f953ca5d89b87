import { describe, expect, test } from 'vitest'
import type { Device } from '../../src/device.js'
import * as nn from '../../src/nn/index.js'
import { dropoutForward } from '../../src/ops/dropout.js'
import { add } from '../../src/ops/elementwise.js'
import { bceWithLogits, crossEntropy, mseLoss, nllLoss } from '../../src/ops/loss.js'
import { batchNorm, layerNorm } from '../../src/ops/norms.js'
import { sum } from '../../src/ops/reduce.js'
import { logSoftmax } from '../../src/ops/softmax.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { type Float, type Shape, type StateEntry, sizeOf, tensor } from '../../src/tensor.js'
import { expectAllSameBits, expectClose, expectSameBits, type Numbers } from './compare.js'
import { type Input, testOp } from './op.js'
import { products, type Target, UNIT } from './target.js'

/** Cells, losses and the layers that are not recurrent, compared with the ops, the float64 reference and each other. */
export function layersSuite(target: Target): void {
  describe(`layers on ${target.name}`, () => {
    cells(target)
    linear(target)
    convolution(target)
    norms(target)
    masks(target)
    losses(target)
  })
}

function drawn<R extends number>(device: Device, shape: Shape<R>, seed = 1) {
  const generator = new Generator(seed)
  const values = Float32Array.from({ length: sizeOf(shape) }, () => generator.uniform(-1, 1))
  return tensor<R>(values, shape, { device })
}

type CellOf = { name: string; layer: nn.RecurrentModule; cell: nn.LSTMCell | nn.GRUCell | nn.RNNCell }

function cellsOf(device: Device): CellOf[] {
  const options = { inputSize: 3, hiddenSize: 18, device, generator: new Generator(1) }
  return [
    { name: 'LSTM', layer: new nn.LSTM(options), cell: new nn.LSTMCell(options) },
    { name: 'GRU', layer: new nn.GRU(options), cell: new nn.GRUCell(options) },
    {
      name: 'GRU that resets first',
      layer: new nn.GRU({ ...options, resetAfter: false }),
      cell: new nn.GRUCell({ ...options, resetAfter: false }),
    },
    { name: 'RNN', layer: new nn.RNN(options), cell: new nn.RNNCell(options) },
    {
      name: 'RNN of relu',
      layer: new nn.RNN({ ...options, nonlinearity: 'relu' }),
      cell: new nn.RNNCell({ ...options, nonlinearity: 'relu' }),
    },
  ]
}

function cells(target: Target): void {
  test('a cell, step by step, has the same values and gradients as its layer, bit for bit', async () => {
    const device = target.open()
    for (const { name, layer, cell } of cellsOf(device)) {
      const state = new Map<string, StateEntry>()
      for (const [key, entry] of await layer.stateDict()) state.set(key.replace('_l0', ''), entry)
      cell.loadStateDict(state)
      const values = drawn<3>(device, [3, 2, 3]) // [T, B, I]
      const whole = layer.forward(values)
      sum(whole.output).backward()
      const numbers = await values.toArray()
      let carried: nn.RecurrentState<2> | null = null
      const outputs: nn.RecurrentState<2>[] = []
      for (let t = 0; t < 3; t++) {
        carried = cell.forward(tensor<2>(numbers.slice(6 * t, 6 * t + 6), [2, 3], { device }), carried)
        outputs.push(carried)
      }
      const rows = await Promise.all(outputs.map(({ h }) => h.toArray()))
      expectSameBits(Float32Array.from(rows.flatMap(row => [...row])), await whole.output.toArray(), name)
      if (carried instanceof nn.LstmState && whole instanceof nn.LstmOutput) {
        expectSameBits(await carried.c.toArray(), await whole.cN.toArray(), `${name} c`)
      }
      outputs
        .map(({ h }): Float => sum(h))
        .reduce(add)
        .backward()
      for (const [key, { grad }] of layer.namedParameters()) {
        const own = cell.namedParameters().find(([each]) => each === key.replace('_l0', ''))![1]
        const [found, expected] = [await own.grad!.toArray(), await grad!.toArray()]
        expectClose(found, expected, products(1e-5)[target.precision], `${name} d ${key}`)
      }
    }
  })

  test('a missing state is zeros', async () => {
    const device = target.open()
    using cell = new nn.LSTMCell({ inputSize: 3, hiddenSize: 4, device, generator: new Generator(1) })
    const zeros = tensor<2>(new Float32Array(8), [2, 4], { device })
    const x = drawn<2>(device, [2, 3])
    const [without, given] = [cell.forward(x), cell.forward(x, { h: zeros, c: zeros })]
    expectSameBits(await without.h.toArray(), await given.h.toArray())
    expectSameBits(await without.c.toArray(), await given.c.toArray())
  })

  test('detach ends the history, and without it the history continues', () => {
    const device = target.open()
    using lstm = new nn.LSTM({ inputSize: 3, hiddenSize: 4, device })
    let state: nn.LstmState | null = null
    let output: PackedSequence
    const x = packSequence([new Float32Array(6)], { inputSize: 3, device })
    ;({ output, state } = lstm.forward(x, state))
    expect(state.h.node).not.toBe(null)
    state = state.detach()
    expect([state.h.node, state.c.node]).toEqual([null, null])
    ;({ output, state } = lstm.forward(x, state))
    expect(output.sequences.rows).toBe(2)
  })
}

function linear(target: Target): void {
  test('Linear of any rank and of packed rows has the same bits as of a matrix', async () => {
    const device = target.open()
    using layer = new nn.Linear({ inFeatures: 4, outFeatures: 3, device, generator: new Generator(1) })
    const rows = drawn<2>(device, [6, 4])
    const expected = await layer.forward(rows).toArray()
    const values = await rows.toArray()
    const cube = layer.forward(tensor<3>(values, [2, 3, 4], { device }))
    expect(cube.shape).toEqual([2, 3, 3])
    expectSameBits(await cube.toArray(), expected)
    const packed = layer.forward(new PackedSequence(rows, new Sequences([2, 0, 4])))
    expect([...packed.sequences.lengths()]).toEqual([2, 0, 4])
    expectSameBits(await packed.data.toArray(), expected)
    const single = layer.forward(tensor<1>(values.slice(0, 4), [4], { device }))
    expect(single.shape).toEqual([3])
  })
}

const LENGTHS = [5, 1, 0, 3]

/** Computes in float64, sequence by sequence: y[t, o] = b[o] + Σ w[o, c, k] x[t + k · d − before, c]. */
function convolved(
  x: Float64Array,
  weight: Float64Array,
  bias: Float64Array,
  sizes: { I: number; O: number; k: number; dilation: number; before: number; after: number },
): Float64Array {
  const { I, O, k, dilation, before, after } = sizes
  const rows: number[] = []
  let first = 0
  for (const length of LENGTHS) {
    const steps = Math.max(0, length + before + after - dilation * (k - 1))
    for (let t = 0; t < steps; t++) {
      for (let o = 0; o < O; o++) {
        let y = bias[o]!
        for (let tap = 0; tap < k; tap++) {
          const at = t + tap * dilation - before
          if (at < 0 || at >= length) continue
          for (let c = 0; c < I; c++) y += weight[(o * I + c) * k + tap]! * x[(first + at) * I + c]!
        }
        rows.push(y)
      }
    }
    first += length
  }
  return Float64Array.from(rows)
}

function convolution(target: Target): void {
  const I = 3
  const O = 2
  const cases = [
    { name: 'causal', padding: 'causal', k: 3, dilation: 2, before: 4, after: 0 },
    { name: 'same', padding: 'same', k: 3, dilation: 1, before: 1, after: 1 },
    { name: 'same, an even kernel', padding: 'same', k: 4, dilation: 1, before: 1, after: 2 },
    { name: 'no padding', padding: 0, k: 3, dilation: 1, before: 0, after: 0 },
    { name: 'one zero on both sides', padding: 1, k: 2, dilation: 2, before: 1, after: 1 },
  ] as const
  for (const { name, padding, k, dilation, before, after } of cases) {
    testOp(target, {
      name: `Conv1d, ${name}`,
      run: (input: Input) => {
        const weight = input<3>('weight', [O, I, k])
        const conv = new nn.Conv1d({
          ...{ inChannels: I, outChannels: O, kernelSize: k, dilation, padding },
          device: weight.device,
        })
        conv.dispose()
        conv.weight = weight
        conv.bias = input<1>('bias', [O])
        const rows = LENGTHS.reduce((total, length) => total + length, 0)
        return conv.forward(new PackedSequence(input<2>('x', [rows, I]), new Sequences(LENGTHS))).data
      },
      reference: value =>
        convolved(value('x'), value('weight'), value('bias'), { I, O, k, dilation, before, after }),
      value: products(8 * UNIT),
      gradient: products(16 * UNIT),
    })
  }

  test('Conv1d of [N, C, L] has the same bits as of packed sequences of one length', async () => {
    const device = target.open()
    const options = { inChannels: 3, outChannels: 2, kernelSize: 3, padding: 1, device }
    using conv = new nn.Conv1d({ ...options, generator: new Generator(1) })
    const rows = drawn<2>(device, [8, 3]) // two sequences of four
    const values = await rows.toArray()
    const channelsFirst = Float32Array.from(values, (_, n) => {
      const [b, c, t] = [Math.floor(n / 12), Math.floor(n / 4) % 3, n % 4]
      return values[(b * 4 + t) * 3 + c]!
    })
    const packed = await conv.forward(new PackedSequence(rows, new Sequences([4, 4]))).data.toArray()
    const y = conv.forward(tensor<3>(channelsFirst, [2, 3, 4], { device }))
    expect(y.shape).toEqual([2, 2, 4])
    const found = await y.toArray()
    const expected = Float32Array.from(found, (_, n) => {
      const [b, o, t] = [Math.floor(n / 8), Math.floor(n / 4) % 2, n % 4]
      return packed[(b * 4 + t) * 2 + o]!
    })
    expectSameBits(found, expected)
    expect(conv.forward(tensor<3>(new Float32Array(0), [0, 3, 4], { device })).shape).toEqual([0, 2, 0])
  })
}

function norms(target: Target): void {
  test('LayerNorm is initially the op without weight and bias, and trains both', async () => {
    const device = target.open()
    using norm = new nn.LayerNorm({ normalizedShape: 5, device })
    const x = drawn<2>(device, [4, 5])
    const y = norm.forward(x)
    expectClose(await y.toArray(), await layerNorm(x).toArray(), 4 * UNIT)
    sum(y).backward()
    expect(norm.namedParameters().map(([name]) => name)).toEqual(['weight', 'bias'])
    expect([...(await norm.bias!.grad!.toArray())]).toEqual([4, 4, 4, 4, 4])
    using plain = new nn.LayerNorm({ normalizedShape: 5, elementwiseAffine: false, device })
    expect(plain.parameters()).toEqual([])
  })

  test('BatchNorm1d uses batch statistics in training and running statistics in evaluation', async () => {
    const device = target.open()
    using norm = new nn.BatchNorm1d({ numFeatures: 2, momentum: 0.25, device })
    const x = drawn<2>(device, [6, 2])
    const values = await x.toArray()
    const columns = [0, 1].map(c => [...values].filter((_, n) => n % 2 === c))
    const means = columns.map(column => column.reduce((a, b) => a + b) / 6)
    const variances = columns.map((column, c) => column.reduce((s, v) => s + (v - means[c]!) ** 2, 0) / 5)
    const trained = await norm.forward(x).toArray()
    expectClose(trained, await batchNorm(x, { training: true }).toArray(), 8 * UNIT)
    const state = await norm.stateDict()
    expect([...state.keys()]).toEqual([
      'weight',
      'bias',
      'running_mean',
      'running_var',
      'num_batches_tracked',
    ])
    const moved = (start: number, to: number) => 0.75 * start + 0.25 * to
    expectClose(
      state.get('running_mean')!.data,
      means.map(mean => moved(0, mean)),
      8 * UNIT,
    )
    expectClose(
      state.get('running_var')!.data,
      variances.map(variance => moved(1, variance)),
      8 * UNIT,
    )
    expect([...state.get('num_batches_tracked')!.data]).toEqual([1])
    norm.eval()
    const [mean, variance] = [state.get('running_mean')!.data, state.get('running_var')!.data]
    const expected = values.map((v, n) => (v - mean[n % 2]!) / Math.sqrt(variance[n % 2]! + 1e-5))
    expectClose(await norm.forward(x).toArray(), expected, 8 * UNIT)
    expect([...(await norm.stateDict()).get('num_batches_tracked')!.data]).toEqual([1])
  })

  test('BatchNorm1d of [N, C, L] and of packed rows normalizes over all rows', async () => {
    const device = target.open()
    using norm = new nn.BatchNorm1d({ numFeatures: 2, trackRunningStats: false, device })
    const rows = drawn<2>(device, [4, 2])
    const values = await rows.toArray()
    const expected = await norm.forward(rows).toArray()
    const packed = norm.forward(new PackedSequence(rows, new Sequences([1, 3])))
    expectSameBits(await packed.data.toArray(), expected)
    const swap = (from: Float32Array) =>
      from.map((_, n) => from[Math.floor(n / 4) * 4 + (n % 2) * 2 + (Math.floor(n / 2) % 2)]!)
    const cube = norm.forward(tensor<3>(swap(values), [2, 2, 2], { device }))
    expectSameBits(await cube.toArray(), swap(expected))
  })
}

function masks(target: Target): void {
  test('LockedDropout has one mask for each sequence, in every form', async () => {
    const device = target.open()
    using locked = new nn.LockedDropout({ p: 0.5, device, generator: new Generator(1) })
    const [C, T] = [64, 3]
    const ones = new Float32Array(2 * T * C).fill(1)
    const x = new PackedSequence(tensor<2>(ones, [2 * T, C], { device }), new Sequences([T, T]))
    const row = async (of: Promise<Float32Array>, n: number) => (await of).slice(n * C, n * C + C)
    const packed = locked.forward(x).data.toArray()
    expectSameBits(await row(packed, 1), await row(packed, 0))
    expectSameBits(await row(packed, 5), await row(packed, 3))
    expect(await row(packed, 3)).not.toEqual(await row(packed, 0))
    expect([...new Set(await packed)].sort()).toEqual([0, 2])
    const padded = locked.forward(tensor<3>(ones, [T, 2, C], { device })).toArray()
    expectSameBits(await row(padded, 2), await row(padded, 0))
    expect(await row(padded, 1)).not.toEqual(await row(padded, 0))
    expect(locked.masks.step).toBe(2)
    locked.eval()
    expect(locked.forward(x)).toBe(x)
  })

  test('EmbeddingDropout drops all occurrences of a word', async () => {
    const device = target.open()
    const table = new nn.Embedding({
      numEmbeddings: 40,
      embeddingDim: 2,
      device,
      generator: new Generator(1),
    })
    using words = new nn.EmbeddingDropout(table, { p: 0.5, generator: new Generator(2) })
    const ids = Array.from({ length: 40 }, (_, i) => i)
    const rows = words.forward(packSequence([ids, ids]))
    const kept = await rows.data.toArray()
    const given = await table.forward(packSequence([ids])).data.toArray()
    let dropped = 0
    for (let n = 0; n < 40; n++) {
      const word = kept.slice(2 * n, 2 * n + 2)
      if (word.every(value => value === 0)) dropped++
      else expectSameBits(word, Float32Array.from([given[2 * n]! * 2, given[2 * n + 1]! * 2]))
    }
    expect(dropped).toBeGreaterThan(8)
    expect(dropped).toBeLessThan(32)
    words.eval()
    expect(words.forward(packSequence([ids])).data.shape).toEqual([40, 2])
  })

  test.each([false, true])(
    'WeightDrop, variational %s, equals the layer with dropped weights',
    async variational => {
      const device = target.open()
      const options = { inputSize: 3, hiddenSize: 8, device, generator: new Generator(1) }
      using lstm = new nn.LSTM(options)
      using other = new nn.LSTM(options)
      const drop = new nn.WeightDrop(lstm, { p: 0.5, variational, generator: new Generator(2) })
      const place = { seed: drop.masks.seed, step: 0, stream: 0 }
      const maskShape = variational ? [32, 1] : [32, 8]
      const ones = tensor<number>(new Float32Array(sizeOf(maskShape)).fill(1), maskShape, { device })
      const mask = await dropoutForward(ones, 0.5, place).toArray()
      const ofElement = (n: number) => mask[variational ? Math.floor(n / 8) : n]!
      const state = await lstm.stateDict()
      const recurrent = state.get('weight_hh_l0')!
      state.set('weight_hh_l0', { ...recurrent, data: recurrent.data.map((w, n) => w * ofElement(n)) })
      other.loadStateDict(state)
      const x = new PackedSequence(drawn<2>(device, [5, 3]), new Sequences([2, 3]))
      const numbers = async ({ output }: nn.LstmOutput): Promise<Numbers> => {
        const values = await output.data.toArray()
        sum(output.data).backward()
        return { output: values }
      }
      expectAllSameBits(await numbers(drop.forward(x)), await numbers(other.forward(x)))
      const [raw, masked] = [lstm, other].map(({ weights }) => weights[0]!.wHh.grad!.toArray())
      const expected = (await masked!).map((gradient, n) => gradient * ofElement(n))
      // Products with 0 may be −0.
      expectClose(await raw!, expected, 0, 'd weight_hh_l0')
      // Each call has another mask.
      const next = await drop.forward(x).output.data.toArray()
      expect(next).not.toEqual(await other.forward(x).output.data.toArray())
      expect(drop.masks.step).toBe(2)
      drop.eval()
      expectSameBits(await drop.forward(x).output.data.toArray(), await lstm.forward(x).output.data.toArray())
    },
  )
}

function losses(target: Target): void {
  test('loss modules equal their functions', async () => {
    const device = target.open()
    const logits = drawn<2>(device, [3, 4])
    const targets = tensor([0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0, 0], [3, 4], { device })
    const labels = [0, 3, 1]
    const weight = tensor([1, 2, 3, 4], [4], { device })
    const pairs = [
      [
        new nn.CrossEntropyLoss({ weight, labelSmoothing: 0.1 }).forward(logits, labels),
        crossEntropy(logits, labels, { weight, labelSmoothing: 0.1 }),
      ],
      [
        new nn.NLLLoss({ reduction: 'sum' }).forward(logSoftmax(logits), labels),
        nllLoss(logSoftmax(logits), labels, { reduction: 'sum' }),
      ],
      [new nn.MSELoss().forward(logits, targets), mseLoss(logits, targets)],
      [
        new nn.BCEWithLogitsLoss({ reduction: 'none' }).forward(logits, targets),
        bceWithLogits(logits, targets, { reduction: 'none' }),
      ],
    ] as const
    for (const [found, expected] of pairs) expectSameBits(await found.toArray(), await expected.toArray())
    expect(new nn.CrossEntropyLoss({ weight }).namedBuffers()).toEqual([['weight', weight]])
  })
}
