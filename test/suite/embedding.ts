import { describe, expect, test } from 'vitest'
import { native } from '../../src/native.js'
import { embedding, embeddingBackward, embeddingForward } from '../../src/ops/embedding.js'
import { packedRows } from '../../src/ops/rows.js'
import { packSequence } from '../../src/packed.js'
import { Generator } from '../../src/random.js'
import { scope } from '../../src/scope.js'
import { full, tensor } from '../../src/tensor.js'
import { embeddingReference, embeddingReferenceBackward } from '../reference/ops.js'
import { expectClose, expectSameBits } from './compare.js'
import { fixtureTensor, readFixtures } from './fixtures.js'
import { expectOpReproducible, testOp } from './op.js'
import { everywhere, type Target, type Tolerance, UNIT } from './target.js'

/** Values are copies. */
const EXACT: Tolerance = everywhere(0)
/** Sums of up to four numbers near 1. */
const FEW: Tolerance = everywhere(4 * UNIT)

export function embeddingSuite(target: Target): void {
  describe(`embedding on ${target.name}`, () => {
    testOp(target, {
      name: 'rows of a table by id, with duplicates, empty documents and unused rows',
      run: input => {
        const ids = packSequence([[2, 0, 2], [], [2, 4], []])
        return packedRows(embedding(input('table', [5, 3]), ids))
      },
      reference: value => embeddingReference(value('table'), [2, 0, 2, 2, 4], 3),
      value: EXACT,
      gradient: FEW,
    })

    test.each(readFixtures('ops.json').embedding)('PyTorch: padding_idx $paddingIdx', async fixture => {
      await scope(async () => {
        const table = fixtureTensor(target, fixture.weight, 2)
        const { paddingIdx } = fixture
        const rows = packedRows(embedding(table, packSequence([fixture.ids]), { paddingIdx }))
        rows.backward(fixtureTensor(target, fixture.dOutput, 2))
        expectSameBits(await rows.toArray(), Float32Array.from(fixture.output.data))
        expectClose(await table.grad!.toArray(), fixture.dWeight.data, FEW[target.precision])
      })
    })

    test('returns each distinct row once, with one gradient for each', async () => {
      const device = target.open()
      const table = tensor<2>(
        Array.from({ length: 8 }, (_, i) => i),
        [4, 2],
        { device },
      )
      const { output, saved } = embeddingForward(table, packSequence([[3, 1, 3], [1], [3]]))
      expect([...(await output.data.toArray())]).toEqual([2, 3, 6, 7])
      expect([...(await output.index!.index.toArray())]).toEqual([1, 0, 1, 0, 1])
      expect([...(await output.index!.starts.toArray())]).toEqual([0, 2, 5])
      expect([...(await output.index!.order.toArray())]).toEqual([1, 3, 0, 2, 4])
      const dTable = embeddingBackward(saved, tensor([1, 2, 3, 4], [2, 2], { device }))
      expect([...(await dTable.toArray())]).toEqual([0, 0, 1, 2, 0, 0, 3, 4])
    })

    test('the row of paddingIdx is read unchanged and has no gradient, also if it is the only one', async () => {
      const device = target.open()
      const table = tensor([1, 2, 3, 4], [2, 2], { device, requiresGrad: true })
      const gradientOf = async (ids: number[]) => {
        const rows = packedRows(embedding(table, packSequence([ids]), { paddingIdx: 1 }))
        expect([...(await rows.toArray())]).toEqual(ids.flatMap(id => [2 * id + 1, 2 * id + 2]))
        table.grad = null
        rows.backward(rows)
        return [...(await table.grad!.toArray())]
      }
      expect(await gradientOf([1, 0, 1])).toEqual([1, 2, 0, 0])
      expect(await gradientOf([1, 1])).toEqual([0, 0, 0, 0])
      expect(await gradientOf([0, 0])).toEqual([2, 4, 0, 0])
    })

    test('agrees with the float64 reference: 1,000 tokens of 50 words, one of them 250 times', async () => {
      const generator = new Generator(1)
      const [words, width, tokens] = [50, 137, 1000]
      const draw = (n: number) => Float32Array.from({ length: n }, () => generator.uniform(-1, 1))
      const ids = Int32Array.from({ length: tokens }, (_, n) => (n % 4 === 0 ? 7 : generator.below(words)))
      const [table, dRows] = [draw(words * width), draw(tokens * width)]
      const device = target.open()
      await scope(async () => {
        const weight = tensor<2>(table, [words, width], { device, requiresGrad: true })
        const rows = packedRows(embedding(weight, packSequence([ids])))
        rows.backward(tensor(dRows, [tokens, width], { device }))
        expectSameBits(
          await rows.toArray(),
          Float32Array.from(embeddingReference(Float64Array.from(table), ids, width)),
        )
        // About 20 roundings of partial sums, none larger than the scale of the result.
        expectClose(
          await weight.grad!.toArray(),
          embeddingReferenceBackward(Float64Array.from(dRows), ids, width, words),
          10 * UNIT,
        )
      })
    })

    test('documents without tokens', async () => {
      const device = target.open()
      const table = tensor<2>([1, 2], [1, 2], { device, requiresGrad: true })
      const output = embedding(table, packSequence([[], []]))
      expect(output.data.shape).toEqual([0, 2])
      output.data.backward(tensor(new Float32Array(0), [0, 2], { device }))
      expect(await table.grad!.toArray()).toEqual(new Float32Array(2))
    })

    test('an id outside the table is rejected by the call', () => {
      const table = tensor<2>([1, 2], [1, 2], { device: target.open() })
      expect(() => embedding(table, packSequence([[0, 1]]))).toThrow(
        'embedding: ids[1]: wanted an integer from 0 to 0, got 1',
      )
    })

    test('addRows rejects an index outside of the table, and writes nothing there', async () => {
      const device = target.open()
      const table = full([2, 3], 1, { device })
      native.addRows(device.queue, {
        ...{ rows: 2, columns: 3, destinationRows: 2 },
        source: full([2, 3], 5, { device }).buffer,
        index: tensor(Int32Array.of(1, 2), [2], { device }).buffer,
        destination: table.buffer,
      })
      await expect(table.toArray()).rejects.toThrow(
        /index\[1\].*: wanted an integer from -2147483648 to 1, got 2/,
      )
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'embedding',
        run: input => {
          const ids = Int32Array.from({ length: 3000 }, (_, n) => (n * n) % 331)
          return packedRows(embedding(input('table', [331, 33]), packSequence([ids])))
        },
      }))
  })
}
