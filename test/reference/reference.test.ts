import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { G1, G3, G7, G7Asgd, G8, G9 } from './golden.js'
import { finiteDifference } from './gradient.js'
import {
  type LstmCase,
  type LstmOutputGradients,
  type LstmResult,
  type LstmWeights,
  lstmReference,
  lstmReferenceBackward,
  packRows,
} from './lstm.js'
import {
  clipGradNormReference,
  crossEntropyReference,
  embeddingReference,
  embeddingReferenceBackward,
  linearReference,
  linearReferenceBackward,
} from './ops.js'
import { asgdReference, optimizerReference } from './optimizers.js'

import { concatColumnsReference, maxPoolReference, meanPoolReference } from './pooling.js'

/** What eight printed decimals allow. */
const PRINTED = 1e-8
/** What central differences of these small sums allow. */
const DIFFERENCES = 1e-7

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length)
  const errors = Array.from(actual, (value, k) => Math.abs(value - expected[k]!))
  // Not `max < tolerance`, so that a NaN fails.
  expect(errors.filter(error => !(error <= tolerance))).toEqual([])
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((total, value, k) => total + value * b[k]!, 0)
}

function norm(...parts: Float64Array[]): number {
  return Math.sqrt(parts.reduce((total, part) => total + dot(part, part), 0))
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0)
}

/** Numbers of no pattern from -0.9 to 0.9, the same for the same seed. */
function scatter(length: number, seed: number): Float64Array {
  return Float64Array.from({ length }, (_, n) => 0.9 * Math.sin(37.7 * n + 11.3 * seed + 0.01 * n * n))
}

function inner(result: LstmResult, gradients: Required<LstmOutputGradients>): number {
  return (
    dot(packRows(result.outputs), packRows(gradients.dOutput)) +
    dot(result.hN, gradients.dHN) +
    dot(result.cN, gradients.dCN)
  )
}

describe('LSTM', () => {
  test('G1: the final state of one layer', () => {
    const { outputs, hN, cN } = lstmReference(G1.lstm)
    expectClose(hN, G1.hN, PRINTED)
    expectClose(cN, G1.cN, PRINTED)
    expectClose(outputs[0]!.at(-1)!, G1.hN, PRINTED)
  })

  test('G3: two bidirectional layers, forward', () => {
    const result = lstmReference(G3.lstm)
    const output = packRows(result.outputs)
    expectClose(
      [inner(result, G3.gradients), sum(output), dot(output, output), sum(result.hN), sum(result.cN)],
      [G3.loss, G3.sumOutput, G3.sumSquaredOutput, G3.sumHN, G3.sumCN],
      PRINTED,
    )
    expectClose(result.outputs[0]![1]!, G3.output01, PRINTED)
  })

  test('G3: two bidirectional layers, backward', () => {
    const { dInput, dWeights, dH0, dC0 } = lstmReferenceBackward(
      G3.lstm,
      lstmReference(G3.lstm),
      G3.gradients,
    )
    const rows = packRows(dInput)
    const parts = dWeights.flatMap(({ wIh, wHh, bIh, bHh }) => [wIh, wHh, bIh, bHh])
    expectClose(
      [sum(rows), norm(rows), norm(dH0), norm(dC0), norm(...parts)],
      [G3.sumDInput, G3.normDInput, G3.normDH0, G3.normDC0, G3.normDWeights],
      PRINTED,
    )
    expectClose(dInput[0]![0]!, G3.dInput00, PRINTED)
    expectClose(
      dWeights.flatMap(({ wIh, wHh, bIh, bHh }) => [wIh, wHh, bIh, bHh].map(part => norm(part))),
      G3.normsByPlace.flatMap(({ wIh, wHh, bias }) => [wIh, wHh, bias, bias]),
      PRINTED,
    )
  })

  test('an empty sequence passes its state through, forward and backward', () => {
    const lstm: LstmCase = { ...G1.lstm, inputs: [[]], h0: scatter(3, 1), c0: scatter(3, 2) }
    const result = lstmReference(lstm)
    expect(result.outputs).toEqual([[]])
    expect(result.hN).toEqual(lstm.h0)
    expect(result.cN).toEqual(lstm.c0)
    const gradients = { dHN: scatter(3, 3), dCN: scatter(3, 4) }
    const { dInput, dH0, dC0 } = lstmReferenceBackward(lstm, result, gradients)
    expect(dInput).toEqual([[]])
    expect(dH0).toEqual(gradients.dHN)
    expect(dC0).toEqual(gradients.dCN)
  })

  test('gradients match finite differences over random shapes', () => {
    const shapes = fc.record({
      lengths: fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }),
      inputSize: fc.integer({ min: 1, max: 3 }),
      hiddenSize: fc.integer({ min: 1, max: 2 }),
      numLayers: fc.integer({ min: 1, max: 2 }),
      bidirectional: fc.boolean(),
      dropout: fc.boolean(),
      seed: fc.nat(99),
    })
    fc.assert(fc.property(shapes, checkLstmGradients), { seed: 1, numRuns: 40 })
  })
})

interface Shapes {
  lengths: number[]
  inputSize: number
  hiddenSize: number
  numLayers: number
  bidirectional: boolean
  dropout: boolean
  seed: number
}

/** Every argument of the LSTM as one vector, so that one finite difference covers them all. */
function checkLstmGradients({ lengths, dropout, seed, ...sizes }: Shapes): void {
  const { inputSize, hiddenSize, numLayers, bidirectional } = sizes
  const directions = bidirectional ? 2 : 1
  const places = numLayers * directions
  const states = places * lengths.length * hiddenSize
  const widthOf = (place: number) => (place < directions ? inputSize : directions * hiddenSize)
  const mask = (...place: number[]) => [0, 2][place.reduce((a, b) => a + b) % 2]!

  const unpack = (x: Float64Array): LstmCase => {
    let position = 0
    const take = (length: number) => {
      position += length
      return x.slice(position - length, position)
    }
    const inputs = lengths.map(length => Array.from({ length }, () => [...take(inputSize)]))
    const weights = Array.from({ length: places }, (_, place): LstmWeights => {
      return {
        wIh: take(4 * hiddenSize * widthOf(place)),
        wHh: take(4 * hiddenSize * hiddenSize),
        bIh: take(4 * hiddenSize),
        bHh: take(4 * hiddenSize),
      }
    })
    const lstm = { ...sizes, inputs, weights, h0: take(states), c0: take(states) }
    return dropout ? { ...lstm, interlayerMasks: mask } : lstm
  }

  const tokens = sum(Float64Array.from(lengths))
  const perPlace = (place: number) => 4 * hiddenSize * (widthOf(place) + hiddenSize + 2)
  const weightCount = Array.from({ length: places }, (_, place) => perPlace(place)).reduce((a, b) => a + b)
  const x = scatter(tokens * inputSize + weightCount + 2 * states, seed)
  const gradients = {
    dOutput: lengths.map((length, b) =>
      Array.from({ length }, (_, t) => [...scatter(directions * hiddenSize, b + 3 * t + seed)]),
    ),
    dHN: scatter(states, seed + 1),
    dCN: scatter(states, seed + 2),
  }

  const lstm = unpack(x)
  const { dInput, dWeights, dH0, dC0 } = lstmReferenceBackward(lstm, lstmReference(lstm), gradients)
  const dWeightRows = dWeights.flatMap(({ wIh, wHh, bIh, bHh }) => [...wIh, ...wHh, ...bIh, ...bHh])
  const expected = finiteDifference(moved => inner(lstmReference(unpack(moved)), gradients), x)
  expectClose([...packRows(dInput), ...dWeightRows, ...dH0, ...dC0], expected, DIFFERENCES)
}

describe('ops', () => {
  test('embedding: rows by id, gradients summed by id', () => {
    const table = scatter(4 * 3, 1)
    const ids = [2, 0, 2, 2]
    const weights = scatter(ids.length * 3, 2)
    expect([...embeddingReference(table, ids, 3).subarray(0, 6)]).toEqual([
      ...table.subarray(6, 9),
      ...table.subarray(0, 3),
    ])
    const expected = finiteDifference(moved => dot(embeddingReference(moved, ids, 3), weights), table)
    expectClose(embeddingReferenceBackward(weights, ids, 3, 4), expected, DIFFERENCES)
  })

  test('linear: gradients match finite differences', () => {
    const [x, weight, bias] = [scatter(4 * 3, 1), scatter(2 * 3, 2), scatter(2, 3)]
    const weights = scatter(4 * 2, 4)
    const { dX, dWeight, dBias } = linearReferenceBackward(x, weight, bias, weights)
    const loss = (...args: [Float64Array, Float64Array, Float64Array]) =>
      dot(linearReference(...args), weights)
    expectClose(
      dX,
      finiteDifference(moved => loss(moved, weight, bias), x),
      DIFFERENCES,
    )
    expectClose(
      dWeight,
      finiteDifference(moved => loss(x, moved, bias), weight),
      DIFFERENCES,
    )
    expectClose(
      dBias,
      finiteDifference(moved => loss(x, weight, moved), bias),
      DIFFERENCES,
    )
  })

  test('G8: cross entropy', () => {
    const { loss, dLogits } = crossEntropyReference(Float64Array.from(G8.logits), G8.labels)
    expectClose([loss], [G8.loss], PRINTED)
    expectClose(dLogits, G8.dLogits, PRINTED)
  })

  test.each([
    { reduction: 'sum' as const },
    { weight: Float64Array.of(1, 0.5, 3) },
    { ignoreIndex: 1 },
    { labelSmoothing: 0.2, weight: Float64Array.of(1, 0.5, 3) },
  ])('cross entropy %o: gradients match finite differences', options => {
    const logits = scatter(4 * 3, 1)
    const labels = [0, 1, 2, 1]
    const expected = finiteDifference(moved => crossEntropyReference(moved, labels, options).loss, logits)
    expectClose(crossEntropyReference(logits, labels, options).dLogits, expected, DIFFERENCES)
  })

  test.each(G7.runs)('G7: $name', run => {
    const p = Float64Array.from(G7.start)
    const step = optimizerReference(run, p)
    for (const gradient of G7.gradients) step(Float64Array.from(gradient))
    expectClose(p, run.parameter, PRINTED)
  })

  test('G7: ASGD', () => {
    const p = Float64Array.from(G7Asgd.start)
    const step = asgdReference(p, G7Asgd.options)
    G7Asgd.gradients.forEach((gradient, i) => {
      step(Float64Array.from(gradient))
      if (i === 2) expectClose(step.average, G7Asgd.average3, PRINTED)
    })
    expectClose(step.average, G7Asgd.average5, PRINTED)
    expectClose(p, G7Asgd.parameter5, PRINTED)
  })

  test('G9: clipping by the total norm', () => {
    const gradients = G9.gradients.map(gradient => Float64Array.from(gradient))
    expect(clipGradNormReference(gradients, G9.maxNorm)).toBe(G9.norm)
    expectClose(
      gradients.flatMap(gradient => [...gradient]),
      G9.clipped.flat(),
      PRINTED,
    )
  })
})

test('pooling and columns match hand-computed values: sequences of 2, 0 and 1 rows', () => {
  const rows = Float64Array.of(1, -2, 3, -4, -5, 6)
  expect([...maxPoolReference(rows, [2, 0, 1], 2)]).toEqual([3, -2, 0, 0, -5, 6])
  expect([...meanPoolReference(rows, [2, 0, 1], 2)]).toEqual([2, -3, 0, 0, -5, 6])
  const parts = [Float64Array.of(1, 2), Float64Array.of(3, 4, 5, 6)]
  expect([...concatColumnsReference(parts, 2)]).toEqual([1, 3, 4, 2, 5, 6])
})
