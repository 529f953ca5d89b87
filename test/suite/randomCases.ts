import { describe, test } from 'vitest'
import type { Device } from '../../src/device.js'
import { dropoutForward } from '../../src/ops/dropout.js'
import { embedding } from '../../src/ops/embedding.js'
import { packSequence, Sequences } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor } from '../../src/tensor.js'
import { type CellName, gatesOf } from '../reference/cells.js'
import { embeddingReferenceBackward } from '../reference/ops.js'
import {
  type CellProblem,
  type CellSizes,
  cellProductNumbers,
  cellReferenceNumbers,
  drawCellProblem,
} from './cellProblem.js'
import { expectAllClose } from './compare.js'
import { products, type Target, type Tolerance } from './target.js'

/**
 * Compares recurrent layers of random sizes with the float64 reference. A seed determines a case, whose name lists what was
 * drawn: `vitest -t 'seed 17:'` runs it again.
 */

/** The tolerance of the chosen sizes, see recurrent.ts. */
const RECURRENT: Tolerance = products(1e-5)

/** A case runs on one of the targets, which differ in their path. */
export function randomCasesSuite(targets: readonly [Target, ...Target[]], count: number): void {
  const cases = Array.from({ length: count }, (_, seed) => drawCase(seed, targets))
  describe('random cases', () => {
    // Not test.each, which truncates long names.
    for (const drawn of cases) {
      const { seed, target, cell, sizes, words, dropout } = drawn
      test(`seed ${seed}: ${nameOf(drawn)}`, async () => {
        const device = target.open()
        const problem = drawCellProblem(cell, sizes, seed)
        const mask = { seed, step: 3 }
        const changes = dropout > 0 ? { dropout, mask } : {}
        if (dropout > 0) problem.layer.interlayerMasks = await interlayerMasks(device, problem, dropout, mask)
        const table = words > 0 ? new WordTable(problem, words, seed) : null
        const expected = cellReferenceNumbers(problem)
        const found = await scope(() =>
          cellProductNumbers(device, problem, table ? { ...changes, x: table.rows(device) } : changes),
        )
        if (table) expected.dInput = table.ofDistinct(expected.dInput!)
        expectAllClose(found, expected, RECURRENT[target.precision], leastScale(problem, words > 0))
      })
    }
  })
}

/**
 * Drawn numbers and results are near 1. Small arrays may be smaller by chance, with the same errors. The errors of sums over
 * N tokens grow with √N, and the sums may cancel.
 */
function leastScale({ layer }: CellProblem, indexed: boolean): (name: string) => number {
  const ofTokens = Math.sqrt(layer.inputs.flat().length) / 4
  return name => (name.startsWith('dWeights') || (indexed && name === 'dInput') ? ofTokens : 1 / 4)
}

interface Case {
  seed: number
  target: Target
  cell: CellName
  sizes: CellSizes
  /** The rows of the table that tokens share; 0 if each token has its own row. */
  words: number
  dropout: number
}

const CELLS: readonly CellName[] = ['lstm', 'lstm', 'gru', 'resetFirstGru', 'tanh', 'relu']

/** The maximum of multiplications in a forward pass, of most cases and of one in ten. A thousand cases take under half an hour. */
const WORK = [2e6, 2e7] as const

function drawCase(seed: number, targets: readonly [Target, ...Target[]]): Case {
  const generator = new Generator(seed, 3)
  const chance = (n = 2) => generator.below(n) === 0
  const pick = <T>(values: readonly [T, ...T[]] | readonly T[]): T => values[generator.below(values.length)]!
  const cell = pick(CELLS)
  // Small more often than large.
  const hiddenSize = 1 + generator.below(pick([17, 33, 64, 64, 128, 160]))
  const projSize = cell === 'lstm' && hiddenSize > 1 && chance(3) ? 1 + generator.below(hiddenSize - 1) : 0
  const inputSize = 1 + generator.below(pick([4, 20, 70]))
  const [numLayers, bidirectional] = [pick([1, 2]), chance()]
  const [D, R] = [bidirectional ? 2 : 1, projSize || hiddenSize]
  const B = 1 + generator.below(pick([4, 33]))
  const inputs = inputSize + R + (numLayers === 2 ? (D + 1) * R : 0)
  const longest = WORK[chance(10) ? 1 : 0] / (B * D * gatesOf[cell] * hiddenSize * inputs)
  const lengths = Array.from({ length: B }, () => generator.below(1 + Math.ceil(Math.min(longest, 40))))
  const absent = (['bias', 'h0', 'c0'] as const).filter(() => chance(4))
  const words = chance(3) ? 1 + generator.below(12) : 0
  const dropout = numLayers === 2 && chance() ? pick([0.1, 0.5]) : 0
  const sizes: CellSizes = { lengths, inputSize, hiddenSize, projSize, numLayers, bidirectional, absent }
  return { seed, target: pick(targets), cell, sizes, words, dropout }
}

function nameOf({ target, cell, sizes, words, dropout }: Case): string {
  const { lengths, inputSize, hiddenSize, projSize, numLayers = 1, bidirectional, absent = [] } = sizes
  const tokens = lengths.reduce((sum, length) => sum + length, 0)
  return [
    cell,
    `${numLayers} ${numLayers === 1 ? 'layer' : 'layers'}`,
    ...(bidirectional ? ['both directions'] : []),
    `${inputSize} to ${hiddenSize} units`,
    ...(projSize > 0 ? [`projected to ${projSize}`] : []),
    `${tokens} tokens in ${lengths.length}`,
    ...(absent.length > 0 ? [`no ${absent.join(', ')}`] : []),
    ...(words > 0 ? [`of ${words} words`] : []),
    ...(dropout > 0 ? [`dropout ${dropout}`] : []),
    `on ${target.name}`,
  ].join(', ')
}

/** The dropout masks between layers. The dropout suite shows that they are Philox's. */
async function interlayerMasks(
  device: Device,
  { layer }: CellProblem,
  p: number,
  mask: { seed: number; step: number },
): Promise<NonNullable<CellProblem['layer']['interlayerMasks']>> {
  const sequences = new Sequences(layer.inputs.map(input => input.length))
  const directions = layer.bidirectional ? 2 : 1
  const units = directions * (layer.projSize || layer.hiddenSize)
  const masks = await scope(() =>
    Promise.all(
      Array.from({ length: layer.numLayers - 1 }, (_, stream) => {
        const ones = full<2>([sequences.rows, units], 1, { device })
        return dropoutForward(ones, p, { ...mask, stream, sequences, directions }).toArray()
      }),
    ),
  )
  return (l, sequence, t, unit) => masks[l]![(sequences.offsets[sequence]! + t) * units + unit]!
}

/** Tokens with rows of a table, which replace the problem's inputs. */
class WordTable {
  readonly #table: number[][]
  readonly #ids: number[][]

  constructor({ layer }: CellProblem, words: number, seed: number) {
    const generator = new Generator(seed, 4)
    this.#table = Array.from({ length: words }, () =>
      Array.from({ length: layer.inputSize }, () => Math.fround(generator.uniform(-1, 1))),
    )
    this.#ids = layer.inputs.map(input => input.map(() => generator.below(words)))
    layer.inputs = this.#ids.map(document => document.map(id => this.#table[id]!))
  }

  rows(device: Device) {
    const shape = [this.#table.length, this.#table[0]!.length] as const
    const weight = tensor<2>(Float32Array.from(this.#table.flat()), shape, { device })
    return embedding(weight, packSequence(this.#ids))
  }

  /** Converts the gradient of all rows to that of the distinct rows, in the order of the table. */
  ofDistinct(dRows: Float64Array): Float64Array {
    const ids = this.#ids.flat()
    const width = this.#table[0]!.length
    const dTable = embeddingReferenceBackward(dRows, ids, width, this.#table.length)
    const distinct = [...new Set(ids)].sort((a, b) => a - b)
    return Float64Array.from(distinct.flatMap(id => [...dTable.subarray(id * width, (id + 1) * width)]))
  }
}
