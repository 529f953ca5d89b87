import { describe, expect, test } from 'vitest'
import { embedding } from '../../src/ops/embedding.js'
import { PackedIds, PackedSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { tensor } from '../../src/tensor.js'
import type { CellName } from '../reference/cells.js'
import { type CellProblem, cellProductNumbers, cellReferenceNumbers, drawCellProblem } from './cellProblem.js'
import { expectAllClose, expectAllSameBits, expectReproducible } from './compare.js'
import { products, type Target, type Tolerance } from './target.js'

/**
 * Gradients that become exactly 0 during a backward pass. A device may skip the rest; the bits must be the same.
 *
 * For comparison, a run that cannot skip has the smallest normal number as the gradient of the output where each walk ends.
 * It is not 0, but becomes 0 when it is multiplied by a gate.
 */
const SMALLEST = 2 ** -126

const TOLERANCE: Tolerance = products(1e-5)
const LENGTHS = [90, 1, 0, 7, 150, 2, 110, 95, 3, 130, 5, 100, 80, 99, 120]

// No sequence may end while its gradient is about to vanish, because the smallest number would still matter there.
/** A gradient of only the final states, and recurrent weights so small that it vanishes within some dozen tokens. */
function vanishing(
  cell: CellName,
  changes: { bidirectional?: boolean; numLayers?: number; projSize?: number },
) {
  const sizes = { lengths: LENGTHS, inputSize: 5, hiddenSize: 18, projSize: 0, ...changes }
  const problem = drawCellProblem(cell, sizes, 3)
  for (const { wHh } of problem.layer.weights) {
    for (let i = 0; i < wHh.length; i++) wHh[i] = Math.fround(wHh[i]! / 16)
  }
  // Forget gates, and the update gates of a GRU, that are nearly closed.
  const shift = cell === 'lstm' ? -2 : cell === 'relu' ? 0 : -3
  const first = cell === 'tanh' ? 0 : 18
  if (cell !== 'tanh') {
    for (const { bIh } of problem.layer.weights) {
      for (let u = first; u < first + 18; u++) bIh[u] = Math.fround(bIh[u]! + shift)
    }
  }
  const { dOutput } = problem.gradients
  return {
    ...problem,
    gradients: { ...problem.gradients, dOutput: dOutput.map(rows => rows.map(zerosLike)) },
  }
}
const zerosLike = (row: readonly number[]) => row.map(() => 0)

/** The same, with a gradient that is not 0 where each walk ends. */
function walkedToTheEnd(problem: CellProblem): CellProblem {
  const { layer, gradients } = problem
  const width = layer.projSize > 0 ? layer.projSize : layer.hiddenSize
  const dOutput = gradients.dOutput.map(rows =>
    rows.map((row, t) => row.map((_, i) => ((i < width ? t === 0 : t === rows.length - 1) ? SMALLEST : 0))),
  )
  return { ...problem, gradients: { ...gradients, dOutput } }
}

export function vanishedSuite(target: Target): void {
  describe(`vanished gradients on ${target.name}`, () => {
    const cells: [string, CellName, number][] = [
      ['LSTM', 'lstm', 0],
      ['LSTM with a projection', 'lstm', 7],
      ['GRU', 'gru', 0],
      ['reset-first GRU', 'resetFirstGru', 0],
      ['Elman', 'tanh', 0],
    ]
    describe.each(cells)('%s', (_, cell, projSize) => {
      test.each([false, true])(
        'skipping has the same bits as computing, bidirectional: %s',
        async bidirectional => {
          const problem = vanishing(cell, { projSize, bidirectional })
          const found = await cellProductNumbers(target.open(), problem)
          expectAllSameBits(found, await cellProductNumbers(target.open(), walkedToTheEnd(problem)))
          expectAllClose(found, cellReferenceNumbers(problem), TOLERANCE[target.precision])
          // The gradient did vanish: half of the input's gradients are 0.
          const zeros = found.dInput!.filter(v => v === 0).length
          if (!bidirectional) expect(zeros).toBeGreaterThan(found.dInput!.length / 2)
        },
      )

      test('skipping has the same bits as computing, for indexed rows', async () => {
        const device = target.open()
        const problem = vanishing(cell, { projSize })
        const ids = indexed()
        const table = Float32Array.from({ length: 5 * WORDS }, (_, i) => Math.sin(i))
        const run = (which: CellProblem) => {
          const x = embedding(tensor(table, [WORDS, 5], { device }), ids)
          return cellProductNumbers(device, which, { x: new PackedSequence(x.data, x.sequences, x.index) })
        }
        expectAllSameBits(await run(problem), await run(walkedToTheEnd(problem)))
      })

      test('two layers agree with the reference', async () => {
        const problem = vanishing(cell, { projSize, numLayers: 2, bidirectional: true })
        const found = await cellProductNumbers(target.open(), problem)
        expectAllClose(found, cellReferenceNumbers(problem), TOLERANCE[target.precision])
      })

      // If a device lists rows in pairs, each pair has a row without a gradient and one with.
      test('sequences of two tokens, most of them without a gradient', async () => {
        const sizes = { lengths: Array<number>(20).fill(2), inputSize: 5, hiddenSize: 18, projSize }
        const problem = drawCellProblem(cell, sizes, 4)
        const { dOutput, dHN, dCN } = problem.gradients
        dHN.fill(0, dHN.length / 20)
        dCN.fill(0, dCN.length / 20)
        const gradients = { dHN, dCN, dOutput: dOutput.map(rows => rows.map(zerosLike)) }
        const found = await cellProductNumbers(target.open(), { ...problem, gradients })
        expectAllClose(found, cellReferenceNumbers({ ...problem, gradients }), TOLERANCE[target.precision])
      })

      test('any number of threads has the same bits', () =>
        expectReproducible(target, device => cellProductNumbers(device, vanishing(cell, { projSize }))))

      test.each([
        ['wIh', Number.NaN],
        ['wHh', Number.POSITIVE_INFINITY],
        ['h0', Number.NEGATIVE_INFINITY],
        ['x', Number.POSITIVE_INFINITY],
      ])('a number in %s that is %d turns it off', async (where, bad) => {
        const problem = vanishing(cell, { projSize })
        const { layer } = problem
        if (where === 'h0') layer.h0[0] = bad
        else if (where === 'x') layer.inputs[0]![1]![2] = bad
        else if (where === 'wIh') layer.weights[0]!.wIh[3] = bad
        else layer.weights[0]!.wHh[3] = bad
        const found = await cellProductNumbers(target.open(), problem)
        const all = await cellProductNumbers(target.open(), walkedToTheEnd(problem))
        for (const [name, values] of Object.entries(found)) {
          expect(
            [...values].map(v => Number.isNaN(v)),
            name,
          ).toEqual([...all[name]!].map(v => Number.isNaN(v)))
        }
      })
    })
  })
}

const WORDS = 40

/** Documents of the lengths above, with words that occur up to hundreds of times. */
function indexed(): PackedIds {
  const generator = new Generator(5)
  const word = () => Math.floor(WORDS * generator.uniform(0, 1) ** 3)
  return new PackedIds(LENGTHS.map(length => Int32Array.from({ length }, word)))
}
