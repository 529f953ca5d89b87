import { describe, expect, test } from 'vitest'
import { gru, lstm, rnn } from '../../src/ops/recurrent.js'
import type { LstmWeights } from '../../src/ops/recurrentOptions.js'
import type { RecurrentResult } from '../../src/ops/recurrentResult.js'
import { PackedSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { type Tensor, zeros } from '../../src/tensor.js'
import { type CellCase, type CellName, type CellOutputGradients, gatesOf } from '../reference/cells.js'
import { G2, G4toG6 } from '../reference/golden.js'
import {
  type CellProblem,
  type CellSizes,
  cellProductNumbers,
  cellReferenceNumbers,
  drawCellProblem,
} from './cellProblem.js'
import { expectAllClose, expectClose, expectReproducible, type Numbers } from './compare.js'
import { type CellFixture, readFixtures } from './fixtures.js'
import { splitRows } from './lstmProblem.js'
import { testDifferences } from './op.js'
import { AT_THE_KINK, products, type Target, type Tolerance, UNIT } from './target.js'

/** The other cells: GRU in both forms, Elman layers, and the LSTM with a projection. */

/** The tolerance of the LSTM, see recurrent.ts. */
const RECURRENT: Tolerance = products(1e-5)
/** The tolerance of the LSTM's small cases: paths of 24 cells, each with an error of about 4 units. */
const SMALL: Tolerance = products(32 * UNIT)

export function cellsSuite(target: Target): void {
  describe(`GRU, Elman and projected LSTM on ${target.name}`, () => {
    describe('golden results', () => known(target))
    describe('on the tape, two layers and directions', () => onTape(target))
    describe.each<CellName>(['gru', 'resetFirstGru', 'tanh', 'relu', 'lstm'])('%s', cell => {
      againstReference(target, cell)
      if (cell !== 'relu') saturating(target, cell)
    })
  })
}

const zeroGradients = (layer: CellCase): CellOutputGradients => ({
  dOutput: layer.inputs.map(input => input.map(() => new Array<number>(layer.hiddenSize).fill(0))),
  dHN: new Float64Array(layer.h0.length),
  dCN: new Float64Array(layer.c0.length),
})

function known(target: Target): void {
  test('G2: the final state of a GRU', async () => {
    const problem = { layer: G2.layer, gradients: zeroGradients(G2.layer), absent: [] }
    const { hN } = await cellProductNumbers(target.open(), problem)
    expectClose(hN!, G2.hN, SMALL[target.precision], 'hN')
  })
  test.each(G4toG6)('$name', async ({ layer, gradients }) => {
    const problem = { layer, gradients, absent: [] }
    // test/reference shows that the reference reproduces the golden sums and norms of these cases.
    const found = await cellProductNumbers(target.open(), problem)
    expectAllClose(found, cellReferenceNumbers(problem), SMALL[target.precision])
  })
  for (const fixture of readFixtures('cells.json').cases) {
    test(`PyTorch: ${fixture.name}`, async ({ skip }) => {
      if (fixture.cell === 'relu' && target.precision !== 'float32') skip(AT_THE_KINK)
      const { problem, expected } = fromFixture(fixture)
      expectAllClose(await cellProductNumbers(target.open(), problem), expected, SMALL[target.precision])
    })
  }
}

/** Large enough to divide among threads. */
const ONE_TOKEN = {
  lengths: Array.from({ length: 40 }, (_, b) => (b % 7 === 3 ? 0 : 1)),
  inputSize: 8,
  hiddenSize: 150,
  bidirectional: true,
}

function againstReference(target: Target, cell: CellName): void {
  const check = async (sizes: CellSizes, seed: number) => {
    const problem = drawCellProblem(cell, sizes, seed)
    const found = await cellProductNumbers(target.open(), problem)
    expectAllClose(found, cellReferenceNumbers(problem), RECURRENT[target.precision])
  }
  // More sequences than run in lock step, some of them empty, unsorted.
  const many = Array.from({ length: 38 }, (_, b) => (b * 11) % 10)
  test.each<[string, CellSizes]>([
    ['one unit', { lengths: [3, 0, 5], inputSize: 1, hiddenSize: 1, projSize: 0 }],
    ['many sequences', { lengths: many, inputSize: 6, hiddenSize: 33, projSize: 17, bidirectional: true }],
    [
      'three layers',
      { lengths: [4, 0, 6], inputSize: 5, hiddenSize: 20, projSize: 3, numLayers: 3, bidirectional: true },
    ],
    ['whole vectors', { lengths: [9, 4, 7], inputSize: 30, hiddenSize: 64, projSize: 48 }],
    [
      'only empty sequences',
      { lengths: [0, 0], inputSize: 3, hiddenSize: 6, projSize: 2, bidirectional: true },
    ],
    ['200 steps', { lengths: [200, 3], inputSize: 8, hiddenSize: 24, projSize: 10 }],
    ['one token each', { ...ONE_TOKEN, projSize: 0 }],
    ['one token each, projected', { ...ONE_TOKEN, projSize: 70 }],
  ])('the float64 reference: %s', (_, sizes) => check(sizes, 1))
  test.each(Array.from({ length: 12 }, (_, seed) => seed))('drawn sizes, seed %i', seed => {
    const generator = new Generator(seed, 2)
    const hiddenSize = 2 + generator.below(39)
    return check(
      {
        lengths: Array.from({ length: 1 + generator.below(16) }, () => Math.max(0, generator.below(9) - 2)),
        inputSize: 1 + generator.below(12),
        hiddenSize,
        projSize: 1 + generator.below(hiddenSize - 1),
        numLayers: 1 + generator.below(3),
        bidirectional: generator.below(2) === 1,
      },
      seed,
    )
  })

  test('two runs, and one and two threads, give the same bits', async () => {
    const sizes = {
      lengths: many,
      inputSize: 6,
      hiddenSize: 18,
      projSize: 7,
      numLayers: 2,
      bidirectional: true,
    }
    const problem = drawCellProblem(cell, sizes, 3)
    await expectReproducible(target, device => cellProductNumbers(device, problem))
  })

  test('threads that share the units of one long sequence give the bits of one thread', async () => {
    const sizes = { lengths: [0, 11], inputSize: 6, hiddenSize: 150, projSize: 70 }
    await expectReproducible(target, device => cellProductNumbers(device, drawCellProblem(cell, sizes, 3)))
  })

  test('threads that share the units of sequences of one token give the bits of one thread', async () => {
    const problem = drawCellProblem(cell, { ...ONE_TOKEN, projSize: 0 }, 3)
    await expectReproducible(target, device => cellProductNumbers(device, problem))
  })
}

/** relu does not saturate. */
function saturating(target: Target, cell: CellName): void {
  const sizes = { lengths: [5, 1, 0, 8], inputSize: 3, hiddenSize: 18, projSize: 0, bidirectional: true }
  const only = (numbers: Numbers<Float64Array>, names: readonly string[]) =>
    Object.fromEntries(Object.entries(numbers).filter(([name]) => names.includes(name)))

  test('saturates without NaN for inputs of ±1e4', async () => {
    const problem = drawCellProblem(cell, sizes, 1)
    problem.layer.inputs = problem.layer.inputs.map(rows => rows.map(row => row.map(x => Math.sign(x) * 1e4)))
    const found = await cellProductNumbers(target.open(), problem)
    expect(Object.keys(found).filter(name => !found[name]!.every(Number.isFinite))).toEqual([])
    // If terms up to 1e4 cancel, an operand rounded to fewer bits leaves no correct digit.
    if (target.precision !== 'float32') return
    // Their rounding error is 1e-3, also if they cancel to less. The gradient of a saturated gate has no correct digit in
    // float32.
    expectAllClose(found, only(cellReferenceNumbers(problem), ['output', 'hN', 'cN']), 1e-3)
  })

  test.each([Infinity, -Infinity])('saturates without NaN for an input of %d', async infinite => {
    const problem = drawCellProblem(cell, sizes, 1)
    problem.layer.inputs[0]![2]![1] = infinite
    const found = await cellProductNumbers(target.open(), problem)
    // Gradients of input weights are 0 · ∞, which is NaN.
    const names = Object.keys(found).filter(name => !name.endsWith('wIh'))
    expect(names.filter(name => !found[name]!.every(Number.isFinite))).toEqual([])
    expectAllClose(found, only(cellReferenceNumbers(problem), names), RECURRENT[target.precision])
  })
}

/** Each parameter affects all of about 100 results, as for the LSTM. */
const DIFFERENCES = 1e-4

function onTape(target: Target): void {
  const sequences = new Sequences([2, 0, 3, 1])
  const [H, P] = [3, 2]
  type Run = (
    x: PackedSequence,
    weights: LstmWeights[],
    h0: States,
    c0: States,
  ) => RecurrentResult & { cN?: States }
  const options = { hiddenSize: H, numLayers: 2, bidirectional: true }
  const runs: [string, number, number, Run][] = [
    ['gru', 3, 0, (x, weights, h0) => gru(x, weights, { ...options, h0 })],
    ['gru, reset first', 3, 0, (x, weights, h0) => gru(x, weights, { ...options, h0, resetAfter: false })],
    ['rnn', 1, 0, (x, weights, h0) => rnn(x, weights, { ...options, h0 })],
    ['rnn, relu', 1, 0, (x, weights, h0) => rnn(x, weights, { ...options, h0, nonlinearity: 'relu' })],
    ['lstm, projected', 4, P, (x, weights, h0, c0) => lstm(x, weights, { ...options, h0, c0, projSize: P })],
  ]
  for (const [name, gates, projSize, run] of runs) {
    const R = projSize || H
    testDifferences(target, {
      name,
      differences: DIFFERENCES,
      // relu has a kink at 0, which a difference must not straddle, so all numbers are positive. The comparison with the
      // reference covers negative ones.
      ...(name === 'rnn, relu' && { draw: (generator: Generator) => generator.uniform(0, 0.5) }),
      run: input => {
        const weights = [2, 2, 2 * R, 2 * R].map((inputs, place) => ({
          wIh: input<2>(`wIh ${place}`, [gates * H, inputs]),
          wHh: input<2>(`wHh ${place}`, [gates * H, R]),
          bIh: input<1>(`bIh ${place}`, [gates * H]),
          bHh: input<1>(`bHh ${place}`, [gates * H]),
          ...(projSize > 0 && { wHr: input<2>(`wHr ${place}`, [projSize, H]) }),
        }))
        const x = new PackedSequence(input('x', [6, 2]), sequences)
        const c0 = projSize > 0 ? input<3>('c0', [4, 4, H]) : zeros<3>([4, 4, H])
        const { output, hN, cN } = run(x, weights, input('h0', [4, 4, R]), c0)
        return cN ? [output.data, hN, cN] : [output.data, hN]
      },
    })
  }
}

type States = Tensor<'float32', 3>

function fromFixture(fixture: CellFixture): {
  problem: CellProblem
  expected: Record<string, readonly number[]>
} {
  const { inputSize, hiddenSize: H, numLayers, bidirectional, bias, projSize, lengths } = fixture
  const cell: CellName = fixture.cell
  const suffixes = bidirectional ? ['', '_reverse'] : ['']
  const [R, D] = [projSize > 0 ? projSize : H, suffixes.length]
  const places = Array.from({ length: numLayers }, (_, l) => suffixes.map(suffix => `l${l}${suffix}`)).flat()
  const names = places.map(place => ({
    wIh: `weight_ih_${place}`,
    wHh: `weight_hh_${place}`,
    ...(bias && { bIh: `bias_ih_${place}`, bHh: `bias_hh_${place}` }),
    ...(projSize > 0 && { wHr: `weight_hr_${place}` }),
  }))
  const parameter = (name: string) => Float64Array.from(fixture.parameters[name]!.data)
  const none = new Float64Array(gatesOf[cell] * H)
  const states = numLayers * D * lengths.length
  const layer: CellCase = {
    ...{ cell, inputSize, hiddenSize: H, projSize, numLayers, bidirectional },
    inputs: splitRows(fixture.input.data, lengths, inputSize),
    weights: names.map(({ wIh, wHh, bIh, bHh, wHr }) => ({
      wIh: parameter(wIh),
      wHh: parameter(wHh),
      bIh: bIh ? parameter(bIh) : none,
      bHh: bHh ? parameter(bHh) : none,
      ...(wHr && { wHr: parameter(wHr) }),
    })),
    h0: Float64Array.from(fixture.h0.data),
    c0: fixture.c0 ? Float64Array.from(fixture.c0.data) : new Float64Array(states * H),
  }
  const gradients = {
    dOutput: splitRows(
      fixture.output.data.map((_, n) => Math.sin(1 + n)),
      lengths,
      D * R,
    ),
    dHN: Float64Array.from(fixture.hN.data, (_, n) => Math.cos(n)),
    dCN: Float64Array.from({ length: states * H }, (_, n) => (fixture.c0 ? Math.cos(2 + n) : 0)),
  }
  const { output, hN, cN, dInput, dH0, dC0 } = fixture
  const expected: Record<string, readonly number[]> = {}
  for (const [name, value] of Object.entries({ output, hN, cN, dInput, dH0, dC0 })) {
    if (value) expected[name] = value.data
  }
  names.forEach((parts, place) => {
    for (const [name, key] of Object.entries(parts)) {
      expected[`dWeights[${place}].${name}`] = fixture.dParameters[key]!.data
    }
  })
  return { problem: { layer, gradients, absent: [] }, expected }
}
