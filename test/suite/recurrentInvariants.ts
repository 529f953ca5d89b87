import { describe, expect, test } from 'vitest'
import { packPaddedSequence, padPackedSequence } from '../../src/ops/packing.js'
import { lstm, lstmBackward, lstmForward } from '../../src/ops/recurrent.js'
import { scope } from '../../src/scope.js'
import { tensor } from '../../src/tensor.js'
import { packRows } from '../reference/lstm.js'
import {
  expectAllClose,
  expectAllSameBits,
  expectClose,
  expectReproducible,
  expectSameBits,
  type Numbers,
} from './compare.js'
import {
  drawProblem,
  lstmArguments,
  lstmGradients,
  type Problem,
  productNumbers,
  splitRows,
} from './lstmProblem.js'
import { everywhere, type Target, type Tolerance } from './target.js'

/** Properties that hold for all numbers. If the same bits are promised, bits are compared, without a tolerance. */

/** Gradients of weights that are summed over 50 tokens in another order: each sum differs by a dozen roundings. */
const REORDERED: Tolerance = everywhere(1e-6)

/** More sequences than run in lock step, some of them empty. */
const SIZES = {
  lengths: [4, 0, 7, 1, 2, 9, 4, 3, 3, 3, 0, 5, 6, 2, 8],
  inputSize: 6,
  hiddenSize: 18,
  numLayers: 2,
  bidirectional: true,
}

export function lstmInvariants(target: Target): void {
  describe('the composition of a batch', () => neighbours(target))
  describe('invariants', () => {
    bothDirections(target)
    padding(target)
    forwardAlone(target)
    reproducible(target)
  })
}

/** Selects sequences of states [places, B, H], in the given order. */
function pickStates<A extends Float32Array | Float64Array>(
  states: A,
  { lstm }: Problem,
  order: readonly number[],
): number[] {
  const { inputs, hiddenSize } = lstm
  return lstm.weights.flatMap((_, place) =>
    order.flatMap(b => {
      const at = (place * inputs.length + b) * hiddenSize
      return [...states.subarray(at, at + hiddenSize)]
    }),
  )
}

/** Selects the rows of sequences from packed [N, *]. */
function pickRows(rows: Float32Array, { lstm }: Problem, order: readonly number[]): number[] {
  const lengths = lstm.inputs.map(input => input.length)
  const split = splitRows(rows, lengths, rows.length / lstm.inputs.flat().length)
  return order.flatMap(b => split[b]!.flat())
}

/** Returns the problem for some of its sequences, in the given order. */
function pick(problem: Problem, order: readonly number[]): Problem {
  const { lstm, gradients } = problem
  const states = (values: Float64Array) => Float64Array.from(pickStates(values, problem, order))
  const rows = (values: number[][][]) => order.map(b => values[b]!)
  return {
    ...problem,
    lstm: { ...lstm, inputs: rows(lstm.inputs), h0: states(lstm.h0!), c0: states(lstm.c0!) },
    gradients: {
      dOutput: rows(gradients.dOutput!),
      dHN: states(gradients.dHN!),
      dCN: states(gradients.dCN!),
    },
  }
}

/** Selects the results that belong to single sequences. */
function pickNumbers(numbers: Numbers, problem: Problem, order: readonly number[]): Numbers {
  const picked: Numbers = {}
  for (const name of ['output', 'dInput'])
    picked[name] = Float32Array.from(pickRows(numbers[name]!, problem, order))
  for (const name of ['hN', 'cN', 'dH0', 'dC0'])
    picked[name] = Float32Array.from(pickStates(numbers[name]!, problem, order))
  return picked
}

function neighbours(target: Target): void {
  const problem = drawProblem(SIZES, 1)
  const all = SIZES.lengths.map((_, b) => b)
  const check = async (order: readonly number[]) => {
    const device = target.open()
    const together = await productNumbers(device, problem)
    const picked = await productNumbers(device, pick(problem, order))
    const expected = pickNumbers(together, problem, order)
    for (const name of ['output', 'hN', 'cN']) expectSameBits(picked[name]!, expected[name]!, name)
    expectAllClose(picked, expected, REORDERED[target.precision])
    return { together, picked }
  }

  test('one sequence at a time has the same bits, and the gradients add up', async () => {
    const sums: Record<string, Float64Array> = {}
    let whole: Numbers = {}
    for (const b of all) {
      const { together, picked } = await check([b])
      for (const [name, values] of Object.entries(picked)) {
        if (!name.startsWith('dWeights')) continue
        sums[name] = (sums[name] ?? new Float64Array(values.length)).map((sum, i) => sum + values[i]!)
      }
      whole = together
    }
    expect(Object.keys(sums)).toHaveLength(4 * problem.lstm.weights.length)
    expectAllClose(whole, sums, REORDERED[target.precision])
  })

  test('another order of the batch has the same bits in that order', async () => {
    const { together, picked } = await check(all.map((_, i) => (i * 7 + 3) % all.length))
    const ofWeights = Object.entries(together).filter(([name]) => name.startsWith('dWeights'))
    expectAllClose(picked, Object.fromEntries(ofWeights), REORDERED[target.precision])
  })

  test('the initial state of an empty sequence is its final state and affects nothing else', async () => {
    const problem = drawProblem(SIZES, 1)
    const { lstm } = problem
    const finite = await productNumbers(target.open(), problem)
    const empty = SIZES.lengths.indexOf(0)
    lstm.weights.forEach((_, place) => {
      const at = (place * SIZES.lengths.length + empty) * SIZES.hiddenSize
      lstm.h0!.fill(Infinity, at, at + SIZES.hiddenSize)
    })
    const { hN, ...found } = await productNumbers(target.open(), problem)
    const { hN: _, ...expected } = finite
    expectAllSameBits(found, expected)
    expect(hN).toContain(Infinity)
  })

  test('a result does not depend on other sequences, also not on a copy of the same sequence', async () => {
    await check([5, 2, 5, 1, 9])
    await check([...all, ...all, ...all])
  })
}

function bothDirections(target: Target): void {
  test('two directions equal a forward run and a run over the reversed sequences', async () => {
    const device = target.open()
    const problem = drawProblem({ ...SIZES, numLayers: 1 }, 1)
    const { lstm: both, gradients } = problem
    const H = both.hiddenSize
    const half = (values: Float64Array, d: number) => {
      const size = values.length / 2
      return values.slice(d * size, (d + 1) * size)
    }
    const turn = (rows: number[][], d: number) => (d === 0 ? rows : rows.toReversed())
    const found = await productNumbers(device, problem)
    const dInputs: Float64Array[] = []
    for (const d of [0, 1]) {
      const dOutput = gradients.dOutput!.map(rows => turn(rows, d).map(row => row.slice(d * H, (d + 1) * H)))
      const one = await productNumbers(device, {
        ...problem,
        lstm: {
          ...both,
          bidirectional: false,
          inputs: both.inputs.map(rows => turn(rows, d)),
          weights: [both.weights[d]!],
          h0: half(both.h0!, d),
          c0: half(both.c0!, d),
        },
        gradients: { dOutput, dHN: half(gradients.dHN!, d), dCN: half(gradients.dCN!, d) },
      })
      const back = (rows: Float32Array, width: number) =>
        packRows(splitRows(rows, SIZES.lengths, width).map(sequence => turn(sequence, d)))
      const output = found.output!.filter((_, i) => Math.floor((i % (2 * H)) / H) === d)
      expectSameBits(output, Float32Array.from(back(one.output!, H)), `output of direction ${d}`)
      for (const name of ['hN', 'cN', 'dH0', 'dC0']) {
        const size = one[name]!.length
        expectSameBits(found[name]!.slice(d * size, (d + 1) * size), one[name]!, `${name} of direction ${d}`)
      }
      for (const name of ['wIh', 'wHh', 'bIh', 'bHh']) {
        const [mine, theirs] = [found[`dWeights[${d}].${name}`]!, one[`dWeights[0].${name}`]!]
        expectClose(mine, theirs, REORDERED[target.precision], `${name} of direction ${d}`)
      }
      dInputs.push(back(one.dInput!, SIZES.inputSize))
    }
    const sum = dInputs[0]!.map((value, i) => value + dInputs[1]![i]!)
    expectClose(found.dInput!, sum, REORDERED[target.precision], 'dInput')
  })
}

function padding(target: Target): void {
  test('padding has no effect and no gradient', async () => {
    const device = target.open()
    const [lengths, T] = [[3, 0, 5, 1], 6]
    const problem = drawProblem({ ...SIZES, lengths, numLayers: 1 }, 1)
    const run = (filling: number) =>
      scope(async () => {
        const inside = (i: number) => Math.floor(i / 6) % T < lengths[Math.floor(i / 6 / T)]!
        const values = Float32Array.from({ length: 4 * T * 6 }, (_, i) => (inside(i) ? Math.sin(i) : filling))
        const padded = tensor<3>(values, [4, T, 6], { device, requiresGrad: true })
        const { weights, options } = lstmArguments(device, problem)
        const x = packPaddedSequence(padded, lengths, { batchFirst: true, enforceSorted: false })
        const result = lstm(x, weights, options)
        const { output } = padPackedSequence(result.output, { batchFirst: true, totalLength: T })
        output.backward(output)
        const dPadded = await padded.grad!.toArray()
        expect(dPadded.some(d => d !== 0)).toBe(true)
        expect(dPadded.every((d, i) => inside(i) || d === 0)).toBe(true)
        return { output: await output.toArray(), dPadded }
      })
    const expected = await run(0)
    expectAllSameBits(await run(NaN), expected)
    expectAllSameBits(await run(1e30), expected)
  })
}

function forwardAlone(target: Target): void {
  test.each([0, 0.5])('train: false with dropout %d has the same bits and saves nothing', async dropout => {
    const device = target.open()
    const problem = drawProblem(SIZES, 1)
    const { x, weights, options } = lstmArguments(device, problem)
    const masked = { dropout, mask: { seed: 3, step: 1 } }
    const { output, hN, cN, saved } = lstmForward(x, weights, { ...options, ...masked, train: false })
    expect(saved).toBeNull()
    const expected = await productNumbers(device, problem, masked)
    expectSameBits(await output.data.toArray(), expected.output!, 'output')
    expectSameBits(await hN.toArray(), expected.hN!, 'hN')
    expectSameBits(await cN.toArray(), expected.cN!, 'cN')
  })

  test('dropout 0 equals no dropout', async () => {
    const device = target.open()
    const problem = drawProblem(SIZES, 1)
    const expected = await productNumbers(device, problem)
    expectAllSameBits(
      await productNumbers(device, problem, { dropout: 0, mask: { seed: 1, step: 1 } }),
      expected,
    )
  })

  test('skipping the gradient of the input does not change the others', async () => {
    const device = target.open()
    const problem = drawProblem(SIZES, 1)
    const { x, weights, options } = lstmArguments(device, problem)
    const { saved } = lstmForward(x, weights, options)
    const { dInput, dWeights, dH0 } = lstmBackward(saved, lstmGradients(device, problem), { input: false })
    expect(dInput).toBeNull()
    const expected = await productNumbers(device, problem)
    expectSameBits(await dH0.toArray(), expected.dH0!, 'dH0')
    for (const [place, { wIh, wHh }] of dWeights.entries()) {
      expectSameBits(await wIh.toArray(), expected[`dWeights[${place}].wIh`]!, 'dWIh')
      expectSameBits(await wHh.toArray(), expected[`dWeights[${place}].wHh`]!, 'dWHh')
    }
  })
}

function reproducible(target: Target): void {
  const MANY = Array.from({ length: 70 }, (_, b) => (b * 13) % 17)
  test.each([
    { name: 'many sequences', lengths: MANY },
    { name: 'one sequence', lengths: [40] },
    { name: 'two sequences', lengths: [30, 31] },
  ])('the same bits twice and with 1, 2 and 3 threads: $name', ({ lengths }) =>
    expectReproducible(target, device =>
      productNumbers(device, drawProblem({ ...SIZES, hiddenSize: 33, lengths }, 1), {
        dropout: 0.5,
        mask: { seed: 1, step: 2 },
      }),
    ),
  )

  // With fewer sequences than threads, the threads share the units of a large layer.
  test.each([
    { name: 'one direction', lengths: [9], bidirectional: false },
    { name: 'two directions', lengths: [0, 6], bidirectional: true },
    { name: 'two sequences', lengths: [4, 7], bidirectional: false },
  ])('the same bits with 1, 2 and 3 threads that share units: $name', ({ lengths, bidirectional }) =>
    expectReproducible(target, device =>
      productNumbers(device, drawProblem({ ...SIZES, hiddenSize: 150, lengths, bidirectional }, 1)),
    ),
  )
}
