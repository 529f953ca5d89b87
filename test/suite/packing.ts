import { describe, expect, test } from 'vitest'
import { fromTimeMajor, packPaddedSequence, padPackedSequence, toTimeMajor } from '../../src/ops/packing.js'
import { lastHidden, lastOutput } from '../../src/ops/pooling.js'
import { packedRows } from '../../src/ops/rows.js'
import { PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { scope } from '../../src/scope.js'
import { type Tensor, tensor } from '../../src/tensor.js'
import { expectSameBits } from './compare.js'
import { fixtureTensor, readFixtures } from './fixtures.js'
import { expectOpReproducible, type ReferencedOp, testOp } from './op.js'
import { everywhere, type Target, type Tolerance } from './target.js'

/** Rows are copied, in both directions. */
const EXACT: Tolerance = everywhere(0)

/** An op that copies rows of `x`: row i of its result is row `rows[i]` of x, or zeros for -1. */
function copying(
  name: string,
  width: number,
  rows: readonly number[],
  run: ReferencedOp['run'],
): ReferencedOp {
  const reference: ReferencedOp['reference'] = value => {
    const x = value('x')
    return Float64Array.from(
      rows.flatMap(row => Array.from({ length: width }, (_, i) => (row < 0 ? 0 : x[row * width + i]!))),
    )
  }
  return { name, run, reference, value: EXACT, gradient: everywhere(1e-9) }
}

export function packingSuite(target: Target): void {
  describe(`packing on ${target.name}`, () => {
    const lengths = [2, 0, 3, 1]
    const sequences = new Sequences(lengths)
    const packed = (data: Tensor<'float32', 2>) => new PackedSequence(data, sequences)

    testOp(
      target,
      copying('packPaddedSequence, batch first', 5, [0, 1, 8, 9, 10, 12], input => {
        const options = { batchFirst: true, enforceSorted: false }
        return packPaddedSequence(input('x', [4, 4, 5]), lengths, options).data
      }),
    )
    testOp(
      target,
      copying('packPaddedSequence, time first', 2, [0, 4, 2, 6, 10, 3], input => {
        return packPaddedSequence(input('x', [3, 4, 2]), lengths, { enforceSorted: false }).data
      }),
    )
    testOp(
      target,
      copying('padPackedSequence, batch first', 3, [0, 1, -1, -1, -1, -1, 2, 3, 4, 5, -1, -1], input => {
        return padPackedSequence(packed(input('x', [6, 3])), { batchFirst: true }).output
      }),
    )
    testOp(
      target,
      copying('padPackedSequence, time first', 1, [0, -1, 2, 5, 1, -1, 3, -1, -1, -1, 4, -1], input => {
        return padPackedSequence(packed(input('x', [6, 1]))).output
      }),
    )
    const full = new Sequences([2, 1, 3])
    testOp(
      target,
      copying('toTimeMajor', 3, [3, 0, 2, 4, 1, 5], input => {
        return toTimeMajor(new PackedSequence(input('x', [6, 3]), full)).data
      }),
    )
    testOp(
      target,
      copying('fromTimeMajor', 3, [1, 4, 2, 0, 3, 5], input => {
        return fromTimeMajor({
          data: input('x', [6, 3]),
          batchSizes: [3, 2, 1],
          sortedIndices: [2, 0, 1],
        }).data
      }),
    )
    testOp(
      target,
      copying('lastHidden of two directions', 3, [8, 12, 9, 13, 10, 14, 11, 15], input => {
        return lastHidden(input('x', [4, 4, 3]), 2)
      }),
    )
    testOp(
      target,
      copying('lastHidden of one direction', 3, [4, 5], input => lastHidden(input('x', [3, 2, 3]), 1)),
    )
    testOp(
      target,
      copying('lastOutput', 3, [1, -1, 4, 5], input => lastOutput(packed(input('x', [6, 3])))),
    )

    test.each(readFixtures('packed.json').cases)('PyTorch: lengths $lengths', async fixture => {
      await scope(async () => {
        const x = new PackedSequence(fixtureTensor(target, fixture.input, 2), new Sequences(fixture.lengths))
        const timeMajor = toTimeMajor(x)
        expectSameBits(await timeMajor.data.toArray(), Float32Array.from(fixture.data.data))
        expect([...timeMajor.batchSizes]).toEqual(fixture.batchSizes)
        expect([...timeMajor.sortedIndices]).toEqual(fixture.sortedIndices)
        expect([...timeMajor.unsortedIndices]).toEqual(fixture.unsortedIndices)
        const back = fromTimeMajor(timeMajor)
        expect([...back.sequences.lengths()]).toEqual(fixture.lengths)
        expectSameBits(await back.data.toArray(), await x.data.toArray(), 'back from time-major')

        for (const { batchFirst, paddingValue, totalLength, output } of fixture.padded) {
          const options = { batchFirst, paddingValue, ...(totalLength === null ? {} : { totalLength }) }
          const padded = padPackedSequence(x, options)
          expect(padded.output.shape).toEqual(output.shape)
          expectSameBits(await padded.output.toArray(), Float32Array.from(output.data))
          expect([...padded.lengths]).toEqual(fixture.lengths)
          const again = packPaddedSequence(padded.output, padded.lengths, {
            batchFirst,
            enforceSorted: false,
          })
          expectSameBits(await again.data.toArray(), await x.data.toArray(), 'back from padding')
        }
      })
    })

    test('time-major rows without sortedIndices keep their order', async () => {
      const data = tensor<2>([1, 2, 3], [3, 1], { device: target.open() })
      const { sequences: found } = fromTimeMajor({ data, batchSizes: [2, 1], sortedIndices: null })
      expect([...found.lengths()]).toEqual([2, 1])
    })

    test('padding is never read and has no gradient', async () => {
      await scope(async () => {
        const values = [1, NaN, NaN, 2, NaN, NaN, 3, 4, Infinity]
        const padded = tensor<3>(values, [3, 3, 1], { device: target.open(), requiresGrad: true })
        const { data } = packPaddedSequence(padded, [1, 1, 2], { batchFirst: true, enforceSorted: false })
        expect([...(await data.toArray())]).toEqual([1, 2, 3, 4])
        data.backward(data)
        expect([...(await padded.grad!.toArray())]).toEqual([1, 0, 0, 2, 0, 0, 3, 4, 0])
      })
    })

    test('batches without tokens', async () => {
      const device = target.open()
      const none = packPaddedSequence(tensor<3>(new Float32Array(6), [1, 2, 3], { device }), [0, 0])
      expect(none.data.shape).toEqual([0, 3])
      expect(padPackedSequence(none).output.shape).toEqual([0, 2, 3])
      const padded = padPackedSequence(none, { totalLength: 1, paddingValue: 4 }).output
      expect([...(await padded.toArray())]).toEqual([4, 4, 4, 4, 4, 4])
      expect([...(await lastOutput(none).toArray())]).toEqual([0, 0, 0, 0, 0, 0])
    })

    test('arguments that do not fit are rejected by the call', () => {
      const device = target.open()
      const x = tensor<3>(new Float32Array(6), [3, 2, 1], { device })
      expect(() => packPaddedSequence(x, [1, 2])).toThrow(
        'packPaddedSequence: lengths: wanted lengths that do not increase',
      )
      expect(() => packPaddedSequence(x, [4, 2])).toThrow('lengths[0]: wanted an integer from 0 to 3, got 4')
      expect(() => packPaddedSequence(x, [2, -1])).toThrow('lengths[1]: wanted an integer from 0 to 3')
      expect(() => packPaddedSequence(x, [2])).toThrow('lengths: wanted 2 lengths, got 1')
      const some = packSequence([new Float32Array(2), new Float32Array(0)], { inputSize: 1, device })
      expect(() => toTimeMajor(some)).toThrow('toTimeMajor: sequence 1: wanted at least one token, got none')
      expect(() => padPackedSequence(some, { totalLength: 1 })).toThrow('totalLength')
      const { data } = some
      expect(() => fromTimeMajor({ data, batchSizes: [1, 2] })).toThrow(
        'batchSizes: wanted sizes that do not increase',
      )
      expect(() => fromTimeMajor({ data, batchSizes: [1] })).toThrow('data: wanted 1 rows')
      expect(() => fromTimeMajor({ data, batchSizes: [2], sortedIndices: [0, 0] })).toThrow('a permutation')
    })

    test('the same bits with any number of threads where there is work for them', () =>
      expectOpReproducible(target, {
        name: 'pad and pack',
        run: input => {
          const many = new Sequences(Array.from({ length: 40 }, (_, b) => (b * 7) % 23))
          const x = new PackedSequence(input('x', [many.rows, 17]), many)
          const { output, lengths: found } = padPackedSequence(x)
          return packedRows(packPaddedSequence(output, found, { enforceSorted: false }))
        },
      }))
  })
}
