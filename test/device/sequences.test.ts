import { expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { maxPool, meanPool } from '../../src/ops/pooling.js'
import { PackedIds, PackedSequence, packSequence, Sequences } from '../../src/packed.js'
import { thrownBy } from './own.js'
import { untyped } from './refuses.js'

const cpu = device('cpu', { threads: 1 })

/** Kernels follow the offsets without a check: what they follow must be what was checked. */

test('offsets cannot be changed or replaced', () => {
  const sequences = new Sequences([2, 0, 1])
  const { offsets } = sequences
  expect(offsets).toEqual([0, 2, 2, 3])
  expect(Reflect.set(offsets, 1, 1_000_000)).toBe(false)
  expect(Reflect.set(sequences, 'offsets', Int32Array.of(0, 1_000_000))).toBe(false)
  expect(Reflect.defineProperty(sequences, 'rows', { value: 1_000_000 })).toBe(false)
  expect(sequences.offsets).toEqual([0, 2, 2, 3])
  expect([sequences.rows, sequences.batchSize]).toEqual([3, 3])
})

test('an op reads the offsets that were checked, whatever the caller changes before or after the call', async () => {
  using x = packSequence([Float32Array.of(1, 3), Float32Array.of(5)], { inputSize: 1, device: cpu })
  x.data.requiresGrad = true
  Reflect.set(x.sequences.offsets, 2, 2 ** 30)
  Reflect.set(x, 'sequences', new Sequences([2 ** 30]))
  const pooled = [maxPool(x), meanPool(x)]
  Reflect.set(x.sequences.offsets, 1, 2 ** 30)
  expect(await Promise.all(pooled.map(each => each.toArray()))).toEqual([
    Float32Array.of(3, 5),
    Float32Array.of(2, 5),
  ])
})

test('lengths are read only once', () => {
  const lengths = Int32Array.of(2, 1)
  const sequences = new Sequences(lengths)
  lengths.fill(9)
  expect(sequences.offsets).toEqual([0, 2, 3])
  const ids = new PackedIds([[1, 2], [3]])
  expect(Reflect.set(ids, 'sequences', new Sequences([2 ** 30]))).toBe(false)
})

test('a packed sequence rejects an object that only looks like Sequences', () => {
  const alike = { offsets: Int32Array.of(0, 2 ** 30), rows: 3, batchSize: 1 }
  const { data } = packSequence([new Float32Array(3)], { inputSize: 1, device: cpu })
  for (const given of [alike, Object.create(Sequences.prototype)]) {
    expect(thrownBy(() => new PackedSequence(data, untyped(given)))).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringMatching(/^PackedSequence: sequences: wanted Sequences, got /),
    })
  }
})
