import { describe, expect, it } from 'vitest'
import { PackedRnnError } from '../../src/errors.js'
import { Batches, type BatchesOptions } from '../../src/text/batches.js'

const documents = Array.from({ length: 64 }, (_, i) => new Int32Array((i * 7) % 13).fill(i))
const data = { documents, labels: Int32Array.from(documents, (_, i) => i % 9) }

const sizes = (options: BatchesOptions, epoch = 0) =>
  Array.from(new Batches(data, options).epoch(epoch), ({ labels }) => labels.length)
const ids = (options: BatchesOptions, epoch: number) =>
  Array.from(new Batches(data, options).epoch(epoch), batch => [...batch.ids.ids]).flat()

describe('Batches', () => {
  it('contain every document once, in an order given by seed and epoch', () => {
    const shuffled = { batchSize: 10, shuffleSeed: 4 }
    expect(ids(shuffled, 0)).toEqual(ids(shuffled, 0))
    expect(ids(shuffled, 0)).not.toEqual(ids(shuffled, 1))
    expect(ids(shuffled, 0).toSorted()).toEqual(ids({ batchSize: 64 }, 0).toSorted())
    expect(sizes(shuffled)).toEqual([10, 10, 10, 10, 10, 10, 4])
  })

  it('pack documents with their labels, also empty documents', () => {
    const [batch] = new Batches(data, { batchSize: 3 }).epoch(0)
    expect([...batch!.ids.sequences.offsets]).toEqual([0, 0, 7, 8])
    expect([...batch!.ids.ids]).toEqual([1, 1, 1, 1, 1, 1, 1, 2])
    expect([...batch!.labels]).toEqual([0, 1, 2])
  })

  it('report the steps and tokens of an epoch without dropped documents', () => {
    const all = documents.reduce((sum, { length }) => sum + length, 0)
    const whole = new Batches(data, { batchSize: 10 }).epoch(0)
    expect([whole.steps, whole.tokens]).toEqual([7, all])
    const left = documents.slice(60).reduce((sum, { length }) => sum + length, 0)
    const cut = new Batches(data, { batchSize: 10, dropLast: true }).epoch(0)
    expect([cut.steps, cut.tokens]).toEqual([6, all - left])
  })

  it('have a maximum number of tokens, too', () => {
    const options = { batchSize: 10, maxTokens: 40, shuffleSeed: 1 }
    const batches = [...new Batches(data, options).epoch(3)]
    expect(batches).toHaveLength(new Batches(data, options).epoch(3).steps)
    expect(Math.max(...batches.map(({ ids }) => ids.sequences.rows))).toBeLessThanOrEqual(40)
    expect(Math.max(...batches.map(({ labels }) => labels.length))).toBeLessThanOrEqual(10)
    expect(batches.reduce((sum, { labels }) => sum + labels.length, 0)).toBe(64)
  })

  it.each([
    ['no documents', { documents: [], labels: new Int32Array() }, 'ERR_EMPTY'],
    ['labels that do not fit', { documents: [new Int32Array(2)], labels: new Int32Array(2) }, 'ERR_SHAPE'],
  ])('reject %s', (_, wrong, code) => {
    expect(() => new Batches(wrong, { batchSize: 1 })).toThrow(PackedRnnError)
    expect(() => new Batches(wrong, { batchSize: 1 })).toThrow(expect.objectContaining({ code }))
  })

  it('reject dropLast if it would drop everything', () => {
    const batches = new Batches(data, { batchSize: 65, dropLast: true })
    expect(() => batches.epoch(0)).toThrow(expect.objectContaining({ code: 'ERR_EMPTY' }))
  })
})
