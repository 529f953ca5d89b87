import { describe, expect, test } from 'vitest'
import { add, multiply, scale, tanh } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { linearBackward, linearForward } from '../../src/ops/linear.js'
import { meanPool } from '../../src/ops/pooling.js'
import { sum } from '../../src/ops/reduce.js'
import { packedRows } from '../../src/ops/rows.js'
import { clipGradNorm } from '../../src/optim/index.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { type Shape, sizeOf, type Tensor, tensor } from '../../src/tensor.js'
import type { CellName } from '../reference/cells.js'
import { type CellProblem, cellProductNumbers, drawCellProblem } from './cellProblem.js'
import { leaf, optimizerOf, rules, setGradient } from './parameter.js'
import type { Target } from './target.js'

/**
 * Denormals are zero on every device. Each case would compute other numbers with denormals: a denormal times a large number
 * is a normal number, and a normal number times a small one is a denormal.
 */
const DENORMAL = 2 ** -130
const LARGE = 2 ** 20
const SMALLEST_NORMAL = 2 ** -126

export function denormalsSuite(target: Target): void {
  describe(`denormals on ${target.name}`, () => {
    const full = <R extends number>(value: number, shape: Shape<R>) =>
      tensor<R>(new Float32Array(sizeOf(shape)).fill(value), shape, { device: target.open() })
    const expectZeros = async (results: Record<string, Tensor<'float32'> | null>) => {
      for (const [name, result] of Object.entries(results)) {
        expect(result, name).not.toBe(null)
        expectAllZero(await result!.toArray(), name)
      }
    }

    test('elementwise', () =>
      scope(async () => {
        const x = full(DENORMAL, [1000])
        await expectZeros({
          sum: add(x, x),
          product: multiply(x, full(LARGE, [1000])),
          'a product that is denormal': multiply(full(2 ** -100, [1000]), full(2 ** -30, [1000])),
          scaled: scale(x, LARGE),
          tanh: tanh(x),
          total: sum(x),
        })
        const y = add(x, full(SMALLEST_NORMAL, [1000]))
        expect(new Set(await y.toArray())).toEqual(new Set([SMALLEST_NORMAL]))
      }))

    test('JavaScript numbers keep denormals', async () => {
      await add(full(1, [1000]), full(1, [1000])).toArray()
      // JavaScript computes in float64 on the thread that issued the op.
      let smallest = 2 ** -1022
      for (let i = 0; i < 3; i++) smallest /= 2
      expect(smallest).toBe(2 ** -1025)
    })

    // A single sum, a sum in several slabs, and a sum over rows in several slices.
    test.each([
      [1, 1, 1],
      [7, 20, 43],
      [1100, 8, 5],
    ])('linear: %i rows, %i outputs, %i inputs', (rows, outputs, inputs) =>
      scope(async () => {
        const cases = { x: [DENORMAL, LARGE], weight: [LARGE, DENORMAL], product: [2 ** -100, 2 ** -50] }
        for (const [name, [ofX, ofWeight]] of Object.entries(cases)) {
          const x = full<2>(ofX!, [rows, inputs])
          const weight = full<2>(ofWeight!, [outputs, inputs])
          await expectZeros({ [name]: linearForward(x, weight, full<1>(DENORMAL, [outputs])) })
        }
        const large = [full<2>(LARGE, [rows, inputs]), full<2>(LARGE, [outputs, inputs])] as const
        const { dX, dWeight, dBias } = linearBackward(...large, full<2>(DENORMAL, [rows, outputs]))
        await expectZeros({ dX, dWeight, dBias })
      }),
    )

    test('sums of rows', () =>
      scope(async () => {
        const table = full<2>(DENORMAL, [3, 20])
        table.requiresGrad = true
        const rows = packedRows(
          embedding(table, packSequence([[0, 1, 0], [2], new Array<number>(200).fill(0)])),
        )
        rows.backward(full(DENORMAL, rows.shape))
        await expectZeros({
          dTable: table.grad,
          mean: meanPool(new PackedSequence(full<2>(DENORMAL, [40, 20]), new Sequences([40]))),
        })
      }))

    const cells: [string, CellName, number][] = [
      ['LSTM', 'lstm', 0],
      ['LSTM with a projection', 'lstm', 7],
      ['GRU', 'gru', 0],
      ['reset-first GRU', 'resetFirstGru', 0],
      ['Elman', 'tanh', 0],
    ]
    describe.each(cells)('%s', (_, cell, projSize) => {
      // One case for each width that a device may have kernels for.
      test.each([18, 60, 70])('%i units', async hiddenSize => {
        const found = await cellProductNumbers(target.open(), denormal(cell, hiddenSize, projSize))
        for (const [name, values] of Object.entries(found)) expectAllZero(values, name)
      })
    })

    test.each(rules)('an optimiser: $name', async rule => {
      const p = leaf(target.open(), new Float32Array(40))
      const optimizer = optimizerOf({ ...rule, options: { ...rule.options, lr: LARGE } }, [p])
      for (let i = 0; i < 3; i++) {
        setGradient(p, new Float32Array(40).fill(DENORMAL))
        optimizer.step()
      }
      expectAllZero(await p.toArray(), 'the parameter')
    })

    test('a norm', () =>
      scope(async () => {
        const p = leaf(target.open(), new Float32Array(1000))
        setGradient(p, new Float32Array(1000).fill(DENORMAL))
        await expectZeros({ norm: clipGradNorm([p], 1), gradient: scale(p.grad!, LARGE) })
      }))
  })
}

/** Runs forward and backward of a layer with large weights, and denormal inputs, states and gradients. */
function denormal(cell: CellName, hiddenSize: number, projSize: number): CellProblem {
  const sizes = { lengths: [3, 1, 20], inputSize: 5, hiddenSize, projSize, bidirectional: true }
  const { layer, gradients, absent } = drawCellProblem(cell, sizes, 1)
  const rowsOf = (rows: readonly (readonly number[])[]) => rows.map(row => row.map(() => DENORMAL))
  for (const { wIh, wHh, bIh, bHh, wHr } of layer.weights) {
    for (const matrix of [wIh, wHh, wHr]) matrix?.fill(LARGE)
    for (const bias of [bIh, bHh]) bias.fill(DENORMAL)
  }
  for (const states of [layer.h0, layer.c0, gradients.dHN, gradients.dCN]) states.fill(DENORMAL)
  return {
    layer: { ...layer, inputs: layer.inputs.map(rowsOf) },
    gradients: { ...gradients, dOutput: gradients.dOutput.map(rowsOf) },
    absent,
  }
}

/** Checks for zeros of either sign. */
function expectAllZero(values: Float32Array, name: string): void {
  expect([...new Set(values)].map(Math.abs), name).toEqual([0])
}
