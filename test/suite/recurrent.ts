import { describe, test } from 'vitest'
import { dropoutForward } from '../../src/ops/dropout.js'
import { embedding } from '../../src/ops/embedding.js'
import { lstm } from '../../src/ops/recurrent.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor } from '../../src/tensor.js'
import { embeddingReferenceBackward } from '../reference/ops.js'
import { expectAllClose, expectClose, expectSameBits } from './compare.js'
import { drawProblem, type ProblemSizes, productNumbers, referenceNumbers } from './lstmProblem.js'
import { testDifferences } from './op.js'
import { lstmInvariants } from './recurrentInvariants.js'
import { gateAccuracy, lstmGolden, lstmPyTorch } from './recurrentKnown.js'
import { products, type Target, type Tolerance } from './target.js'

/** The tolerance of float32 for up to 400 steps, relative to the largest element of each result. */
const RECURRENT: Tolerance = products(1e-5)
/**
 * Each parameter affects all 132 results: √132 · 1.8e-6 = 2e-5 at most, see op.ts; measured 1e-5. The largest gradient of
 * a parameter is at least 0.15.
 */
const DIFFERENCES = 1e-4

export function recurrentSuite(target: Target): void {
  describe(`LSTM on ${target.name}`, () => {
    lstmGolden(target)
    lstmPyTorch(target)
    if (target.precision === 'float32') gateAccuracy(target)
    describe('the float64 reference', () => againstReference(target))
    describe('on the tape, two layers and directions', () => onTape(target))
    lstmInvariants(target)
  })
}

/** 38 unsorted sequences, more than run in lock step, some of them empty. */
const MANY = Array.from({ length: 38 }, (_, b) => (b * 11) % 10)

const cases: [string, ProblemSizes][] = [
  ['one unit', { lengths: [3, 0, 5], inputSize: 1, hiddenSize: 1 }],
  ['no states, no bias', { lengths: [4, 2], inputSize: 3, hiddenSize: 7, h0: false, c0: false, bias: false }],
  ['h0 alone', { lengths: [1, 6], inputSize: 9, hiddenSize: 8, bidirectional: true, c0: false }],
  ['c0 alone', { lengths: [5, 1], inputSize: 9, hiddenSize: 15, bidirectional: true, h0: false }],
  [
    'a gradient of the outputs alone',
    { lengths: [7, 3], inputSize: 4, hiddenSize: 16, numLayers: 2, dHN: false, dCN: false },
  ],
  [
    'a gradient of hN alone',
    { lengths: [0, 3, 4], inputSize: 4, hiddenSize: 17, numLayers: 2, dOutput: false, dCN: false },
  ],
  [
    'a gradient of cN alone',
    { lengths: [2, 0, 4], inputSize: 4, hiddenSize: 9, bidirectional: true, dOutput: false, dHN: false },
  ],
  [
    'no gradient at all',
    { lengths: [2, 3], inputSize: 2, hiddenSize: 5, dOutput: false, dHN: false, dCN: false },
  ],
  [
    'only empty sequences',
    { lengths: [0, 0, 0], inputSize: 5, hiddenSize: 6, numLayers: 3, bidirectional: true },
  ],
  ['no sequences', { lengths: [], inputSize: 5, hiddenSize: 6, bidirectional: true }],
  ['one sequence', { lengths: [20], inputSize: 20, hiddenSize: 33, numLayers: 2, bidirectional: true }],
  [
    'sequences of one token',
    { lengths: Array(30).fill(1), inputSize: 6, hiddenSize: 16, bidirectional: true },
  ],
  [
    'more sequences than run in lock step',
    { lengths: MANY, inputSize: 10, hiddenSize: 33, bidirectional: true },
  ],
  [
    'the same, three layers',
    { lengths: MANY, inputSize: 5, hiddenSize: 20, numLayers: 3, bidirectional: true },
  ],
  ['whole vectors', { lengths: [9, 4, 7], inputSize: 30, hiddenSize: 64, numLayers: 2 }],
  [
    'a block of units and a rest',
    { lengths: [5, 0, 3], inputSize: 30, hiddenSize: 100, bidirectional: true, bias: false },
  ],
  ['400 steps', { lengths: [400, 3], inputSize: 20, hiddenSize: 40, bidirectional: true }],
]

/** Two layers and directions, with empty, short and long sequences. */
const DEEP = {
  lengths: [4, 0, 7, 1, 2, 9, 4, 3, 3, 3, 0, 5, 6, 2, 8],
  inputSize: 6,
  hiddenSize: 18,
  numLayers: 2,
  bidirectional: true,
}

/** Draws sizes by seed. */
function drawSizes(seed: number): ProblemSizes {
  const generator = new Generator(seed, 1)
  const chance = () => generator.below(2) === 1
  const hiddenSize = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33][generator.below(15)]!
  return {
    lengths: Array.from({ length: 1 + generator.below(16) }, () => Math.max(0, generator.below(9) - 2)),
    inputSize: 1 + generator.below(20),
    hiddenSize,
    numLayers: 1 + generator.below(3),
    bidirectional: chance(),
    bias: chance(),
    h0: chance(),
    c0: chance(),
    dOutput: chance(),
    dHN: chance(),
    dCN: chance(),
  }
}

function againstReference(target: Target): void {
  const check = async (sizes: ProblemSizes, seed: number) => {
    const problem = drawProblem(sizes, seed)
    const found = await productNumbers(target.open(), problem)
    expectAllClose(found, referenceNumbers(problem), RECURRENT[target.precision])
    // The two biases enter only as their sum.
    if (!problem.bias) return
    problem.lstm.weights.forEach((_, place) => {
      const [bIh, bHh] = [found[`dWeights[${place}].bIh`]!, found[`dWeights[${place}].bHh`]!]
      expectSameBits(bIh, bHh, 'dBIh and dBHh')
    })
  }
  test.each(cases)('%s', (_, sizes) => check(sizes, 1))
  test.each(Array.from({ length: 40 }, (_, seed) => seed))('drawn sizes, seed %i', seed =>
    check(drawSizes(seed), seed),
  )

  test('saturated gates', async () => {
    const problem = drawProblem({ lengths: [4, 6], inputSize: 5, hiddenSize: 9 }, 1)
    const { bIh } = problem.lstm.weights[0]!
    for (let gate = 0; gate < bIh.length; gate += 2) bIh[gate] = gate % 4 === 0 ? 1e4 : -1e4
    const found = await productNumbers(target.open(), problem)
    expectAllClose(found, referenceNumbers(problem), RECURRENT[target.precision])
  })

  test('dropout between layers has the masks of `dropout`', async () => {
    const device = target.open()
    const problem = drawProblem({ ...DEEP, numLayers: 3 }, 1)
    const { lstm } = problem
    const sequences = new Sequences(DEEP.lengths)
    const units = 2 * DEEP.hiddenSize
    const place = { seed: 77, step: 5 }
    const masks = await scope(() =>
      Promise.all(
        [0, 1].map(stream => {
          const ones = full<2>([sequences.rows, units], 1, { device })
          return dropoutForward(ones, 0.4, { ...place, stream, sequences, directions: 2 }).toArray()
        }),
      ),
    )
    lstm.interlayerMasks = (layer, sequence, t, unit) =>
      masks[layer]![(sequences.offsets[sequence]! + t) * units + unit]!
    const found = await productNumbers(device, problem, { dropout: 0.4, mask: place })
    expectAllClose(found, referenceNumbers(problem), RECURRENT[target.precision])
  })

  test('indexed rows', async () => {
    const device = target.open()
    const problem = drawProblem(DEEP, 1)
    // A table of 7 rows; the tokens use all of them except number 6.
    const table = drawProblem({ lengths: [7], inputSize: DEEP.inputSize, hiddenSize: 1 }, 2).lstm.inputs[0]!
    const ids = DEEP.lengths.map((length, b) => Array.from({ length }, (_, t) => (b * b + t) % 6))
    problem.lstm.inputs = ids.map(document => document.map(id => table[id]!))
    const indexed = await scope(() => {
      const weight = tensor<2>(Float32Array.from(table.flat()), [7, DEEP.inputSize], { device })
      return productNumbers(device, problem, { x: embedding(weight, packSequence(ids)) })
    })
    const materialised = await productNumbers(device, problem)
    for (const name of ['output', 'hN', 'cN']) expectSameBits(indexed[name]!, materialised[name]!, name)

    const { dInput, ...expected } = referenceNumbers(problem)
    const { dInput: dRows, ...found } = indexed
    expectAllClose(found, expected, RECURRENT[target.precision])
    // Distinct rows are in the order of the table.
    const distinct = [...new Set(ids.flat())].sort((a, b) => a - b)
    const dTable = embeddingReferenceBackward(dInput!, ids.flat(), DEEP.inputSize, 7)
    const order = distinct.flatMap(id => [...dTable.subarray(id * DEEP.inputSize, (id + 1) * DEEP.inputSize)])
    expectClose(dRows!, order, RECURRENT[target.precision], 'dInput of distinct rows')
  })
}

function onTape(target: Target): void {
  const sequences = new Sequences([2, 0, 3, 1])
  testDifferences(target, {
    name: 'lstm',
    differences: DIFFERENCES,
    run: input => {
      const weights = [2, 2, 6, 6].map((inputs, place) => ({
        wIh: input<2>(`wIh ${place}`, [12, inputs]),
        wHh: input<2>(`wHh ${place}`, [12, 3]),
        bIh: input<1>(`bIh ${place}`, [12]),
        bHh: input<1>(`bHh ${place}`, [12]),
      }))
      const { output, hN, cN } = lstm(new PackedSequence(input('x', [6, 2]), sequences), weights, {
        hiddenSize: 3,
        numLayers: 2,
        bidirectional: true,
        h0: input('h0', [4, 4, 3]),
        c0: input('c0', [4, 4, 3]),
      })
      return [output.data, hN, cN]
    },
  })
}
