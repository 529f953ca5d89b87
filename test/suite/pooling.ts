import { describe, expect, expectTypeOf, test } from 'vitest'
import { concatColumns } from '../../src/ops/columns.js'
import { multiply } from '../../src/ops/elementwise.js'
import { embedding } from '../../src/ops/embedding.js'
import { maxPool, meanPool } from '../../src/ops/pooling.js'
import { reshape } from '../../src/ops/shape.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import type { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { type Tensor, tensor } from '../../src/tensor.js'
import { embeddingReference } from '../reference/ops.js'
import { concatColumnsReference, maxPoolReference, meanPoolReference } from '../reference/pooling.js'
import { expectClose } from './compare.js'
import { expectOpReproducible, testOp } from './op.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** Numbers are copied, in both directions. */
const EXACT: Tolerance = everywhere(0)
/** The reference gradient of a copy is a finite difference. */
const COPIED: Tolerance = everywhere(1e-9)
/** A sum of a few terms and a quotient. */
const FEW: Tolerance = everywhere(8 * UNIT)

const LENGTHS = [2, 0, 5, 1, 0]
/** Numbers are at least a quarter apart, more than the step of a finite difference. No column has equal numbers. */
const apart = (generator: Generator) => generator.below(4096) / 4 - 512

export function poolingSuite(target: Target): void {
  describe(`pooling on ${target.name}`, () => {
    const sequences = new Sequences(LENGTHS)
    const packed = (data: Tensor<'float32', 2>) => new PackedSequence(data, sequences)

    testOp(target, {
      name: 'maxPool',
      run: input => maxPool(packed(input('rows', [8, 19]))),
      draw: apart,
      reference: value => maxPoolReference(value('rows'), LENGTHS, 19),
      value: EXACT,
      // Finite differences of numbers up to 512 have fewer digits. A wrong index would be an error of 1.
      gradient: everywhere(1e-7),
    })
    testOp(target, {
      name: 'meanPool',
      run: input => meanPool(packed(input('rows', [8, 19]))),
      reference: value => meanPoolReference(value('rows'), LENGTHS, 19),
      value: FEW,
      gradient: FEW,
    })
    testOp(target, {
      name: 'meanPool of indexed rows',
      run: input => meanPool(embedding(input('table', [3, 2]), packSequence([[2, 0, 2], [], [0]]))),
      reference: value =>
        meanPoolReference(embeddingReference(value('table'), [2, 0, 2, 0], 2), [3, 0, 1], 2),
      value: FEW,
      gradient: FEW,
    })
    testOp(target, {
      name: 'concatColumns',
      run: input => concatColumns(input('a', [3, 2]), input('b', [3, 17]), input('c', [3, 1])),
      reference: value => concatColumnsReference([value('a'), value('b'), value('c')], 3),
      value: EXACT,
      gradient: COPIED,
    })
    testOp(target, {
      name: 'concatColumns of a matrix and itself',
      run: input => {
        const a = input<2>('a', [2, 3])
        return concatColumns(a, a)
      },
      reference: value => concatColumnsReference([value('a'), value('a')], 2),
      value: EXACT,
      gradient: FEW,
    })
    testOp(target, {
      name: 'reshape',
      run: input => {
        const x = input('x', [4, 3])
        return [reshape(x, [2, 1, 6]), multiply(reshape(x, [12]), reshape(x, [12]))]
      },
      reference: value => [value('x'), value('x').map(x => x * x)],
      value: FEW,
      gradient: FEW,
    })

    test('the first of equal numbers has the gradient, and NaN counts as the largest', async () => {
      await scope(async () => {
        const values = [1, 3, NaN, 3, 1, 5, 3, 2, NaN]
        const rows = tensor(values, [3, 3], { device: target.open(), requiresGrad: true })
        const pooled = maxPool(new PackedSequence(rows, new Sequences([3])))
        pooled.backward(tensor([1, 2, 3], [1, 3], { device: target.open() }))
        expect([...(await pooled.toArray())]).toEqual([3, 3, NaN])
        expect([...(await rows.grad!.toArray())]).toEqual([0, 2, 3, 1, 0, 0, 0, 0, 0])
      })
    })

    test('maxima below 0, and -∞', async () => {
      const device = target.open()
      const rows = packSequence([Float32Array.of(-2, -1, -3), Float32Array.of(-Infinity)], {
        inputSize: 1,
        device,
      })
      expect([...(await maxPool(rows).toArray())]).toEqual([-1, -Infinity])
    })

    test('batches without tokens', async () => {
      const device = target.open()
      for (const pool of [maxPool, meanPool]) {
        const rows = tensor(new Float32Array(0), [0, 2], { device, requiresGrad: true })
        const pooled = pool(new PackedSequence(rows, new Sequences([0, 0])))
        expect([...(await pooled.toArray())]).toEqual([0, 0, 0, 0])
        pooled.backward(pooled)
        expect(rows.grad!.shape).toEqual([0, 2])
        expect(pool(new PackedSequence(rows, new Sequences([]))).shape).toEqual([0, 2])
      }
      const none = tensor(new Float32Array(0), [2, 0], { device })
      expect(concatColumns(none, none).shape).toEqual([2, 0])
    })

    test('the mean of many rows', async () => {
      const x = Float32Array.from({ length: 50_000 }, (_, n) => Math.sin(n) + 1)
      const rows = packSequence([x], { inputSize: 1, device: target.open() })
      const expected = meanPoolReference(Float64Array.from(x), [x.length], 1)
      // Chains of 256 additions, most of whose roundings cancel.
      expectClose(await meanPool(rows).toArray(), expected, 32 * UNIT)
    })

    test('reshape shares the memory, and its type has the rank', async () => {
      const device = target.open()
      const x = tensor([1, 2, 3, 4], [2, 2], { device })
      // Waits for the upload, which would otherwise allocate its memory later.
      await device.synchronize()
      const before = device.memory().held
      const y = reshape(x, [1, 4, 1])
      expectTypeOf(y).toEqualTypeOf<Tensor<'float32', 3>>()
      expect(device.memory().held).toBe(before)
      x.dispose()
      expect([...(await y.toArray())]).toEqual([1, 2, 3, 4])
      y.dispose()
      expect(await reshape(tensor([7], [1, 1], { device }), []).item()).toBe(7)
    })

    test('a gradient through reshape does not share memory with another one', async () => {
      await scope(async () => {
        const device = target.open()
        const x = tensor([1, 2], [2], { device, requiresGrad: true })
        const given = tensor([3, 4], [1, 2], { device })
        reshape(x, [1, 2]).backward(given)
        expect(x.grad!.shape).toEqual([2])
        expect(x.grad!.storage).not.toBe(given.storage)
      })
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'pooling',
        run: input => {
          const many = new Sequences(Array.from({ length: 60 }, (_, b) => (b * 37) % 201))
          const rows = new PackedSequence(input('rows', [many.rows, 45]), many)
          return concatColumns(maxPool(rows), meanPool(rows))
        },
      }))
  })
}
