import { record } from '../autograd.js'
import { anySize, checkIndices, checkInteger, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { PackedIds, PackedSequence } from '../packed.js'
import { RowGradient, Storage } from '../storage.js'
import { filled, ranked, Tensor, tensor } from '../tensor.js'
import { takeDistinctRows, takeRows } from './rows.js'

type Matrix = Tensor<'float32', 2>

/** A batch's ids, once each, and where they stand; see `RowIndex`. */
interface DistinctIds {
  /** [U], in order of first use */
  ids: Int32Array
  index: Int32Array
  starts: Int32Array
  order: Int32Array
}

/** @param vocabularySize all ids are below */
function distinctIds(ids: Int32Array, vocabularySize: number): DistinctIds {
  const number = new Int32Array(vocabularySize).fill(-1)
  const found: number[] = []
  const index = new Int32Array(ids.length)
  for (let n = 0; n < ids.length; n++) {
    const id = ids[n]!
    let u = number[id]!
    if (u < 0) {
      u = found.length
      number[id] = u
      found.push(id)
    }
    index[n] = u
  }
  const starts = new Int32Array(found.length + 1)
  for (const u of index) starts[u + 1]!++
  for (let u = 0; u < found.length; u++) starts[u + 1]! += starts[u]!
  const next = starts.slice()
  const order = new Int32Array(ids.length)
  for (let n = 0; n < index.length; n++) order[next[index[n]!]!++] = n
  return { ids: Int32Array.from(found), index, starts, order }
}

export interface EmbeddingOptions {
  /** The id, if any, whose row has no gradient, as in torch.nn.functional.embedding; default none. */
  paddingIdx?: number | null
}

/** What `embeddingBackward` needs. */
export interface EmbeddingSaved {
  /** [U]: the table's row of each distinct row, -1 where it has no gradient. */
  rows: Tensor<'int32', 1>
  /** V */
  vocabularySize: number
}

/**
 * Rows of a table by id, without a tape: each distinct id's row once.
 *
 * @param weight [V, I] @param ids each from 0 to V - 1
 * @returns `output`, indexed: distinct rows [U, I]; and `saved`, for `embeddingBackward`.
 */
export function embeddingForward(
  weight: Matrix,
  ids: PackedIds,
  { paddingIdx = null }: EmbeddingOptions = {},
): { output: PackedSequence; saved: EmbeddingSaved } {
  const op = 'embedding'
  checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [anySize, anySize] })
  if (!(ids instanceof PackedIds)) throw badArgument(op, 'ids', 'packed ids', ids)
  const [vocabularySize] = weight.shape
  const { device } = weight
  checkIndices(op, 'ids', ids.ids, vocabularySize)
  if (paddingIdx !== null) checkInteger(op, 'paddingIdx', paddingIdx, 0, vocabularySize - 1)
  const distinct = distinctIds(ids.ids, vocabularySize)
  const onDevice = (values: Int32Array) => tensor(values, [values.length], { device })
  let rows = onDevice(distinct.ids)
  const data = takeDistinctRows(weight, rows)
  if (paddingIdx !== null && distinct.ids.includes(paddingIdx)) {
    rows.dispose()
    rows = onDevice(distinct.ids.map(id => (id === paddingIdx ? -1 : id)))
  }
  const index = {
    index: onDevice(distinct.index),
    starts: onDevice(distinct.starts),
    order: onDevice(distinct.order),
  }
  return { output: new PackedSequence(data, ids.sequences, index), saved: { rows, vocabularySize } }
}

/**
 * The gradient in the table, zeros but for the rows of the batch. It holds these alone for as long as nobody asks for a
 * tensor.
 *
 * @param dRows [U, I]: the gradient in each distinct row, as the recurrent ops return it
 * @returns dWeight [V, I]
 */
export function embeddingBackward({ rows, vocabularySize }: EmbeddingSaved, dRows: Matrix): Matrix {
  const { device } = rows
  checkTensor('embeddingBackward', 'dRows', dRows, {
    dtype: 'float32',
    shape: [rows.size, anySize],
    device,
  })
  const columns = dRows.shape[1]
  // Ascending, so that a sum over them has the order that it has over the table.
  const place = new Int32Array(vocabularySize).fill(-1)
  const distinct = rows.host!
  distinct.forEach((id, u) => {
    if (id >= 0) place[id] = u
  })
  const found = place.filter(u => u >= 0)
  const places = tensor(found, [found.length], { device })
  const ids = tensor(
    found.map(u => distinct[u]!),
    [found.length],
    { device },
  )
  const values = takeRows<2>(dRows, places, columns, [found.length, columns])
  const rest = filled<0>(device, [], 0)
  const gradient = new RowGradient(device.queue, {
    rows: found.length,
    columns,
    tableRows: vocabularySize,
    ids: ids.storage.retain(),
    values: values.storage.retain(),
    rest: rest.storage.retain(),
  })
  for (const part of [places, ids, values, rest]) part.dispose()
  return new Tensor(device, 'float32', [vocabularySize, columns], new Storage(gradient))
}

/**
 * Rows of a table by id. The result is indexed: it holds each distinct id's row once, and the recurrent ops project
 * each once.
 *
 * @param weight [V, I] @param ids each from 0 to V - 1
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an id or `paddingIdx` outside; ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED.
 */
export function embedding(weight: Matrix, ids: PackedIds, options: EmbeddingOptions = {}): PackedSequence {
  const { output, saved } = embeddingForward(weight, ids, options)
  record('embedding', [weight], [output.data], keeper => {
    const held = { ...saved, rows: keeper.hold(saved.rows) }
    return ([dRows]) => [dRows ? embeddingBackward(held, ranked(dRows, 2)) : null]
  })
  saved.rows.dispose()
  return output
}
