import { record } from '../autograd.js'
import { anySize, checkInteger, checkOptions, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { PackedIds, PackedSequence } from '../packed.js'
import { RowGradient, Storage } from '../storage.js'
import { filled, type Matrix, ranked, Tensor, tensor } from '../tensor.js'
import { takeDistinctRows, takeRows } from './rows.js'

/** What the embedding ops are told. */
export interface EmbeddingOptions {
  /** The id, if any, whose row has no gradient, as in torch.nn.functional.embedding; default none. */
  paddingIdx?: number | null
}

/** What `embeddingBackward` needs. */
export interface EmbeddingSaved {
  /** [U], ascending: the table's row of each distinct row, -1 where it has no gradient. */
  rows: Tensor<'int32', 1>
  /** V */
  vocabularySize: number
}

/**
 * Rows of a table by id, without a tape: each distinct id's row once.
 *
 * @param weight [V, I]
 * @param ids each from 0 to V - 1
 * @returns `output`, indexed: distinct rows [U, I]; and `saved`, for `embeddingBackward`.
 * @throws PackedRnnError as `embedding`.
 */
export function embeddingForward(
  weight: Matrix,
  ids: PackedIds,
  options: EmbeddingOptions = {},
): { output: PackedSequence; saved: EmbeddingSaved } {
  const op = 'embedding'
  checkOptions(op, options, { paddingIdx: true })
  const { paddingIdx = null } = options
  checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [anySize, anySize] })
  if (!(ids instanceof PackedIds)) throw badArgument(op, 'ids', 'packed ids', ids)
  const [vocabularySize] = weight.shape
  const { device } = weight
  if (paddingIdx !== null) checkInteger(op, 'paddingIdx', paddingIdx, 0, vocabularySize - 1)
  const distinct = native.distinctIds(ids.ids, vocabularySize)
  if (typeof distinct === 'number') {
    const wanted = `an integer from 0 to ${vocabularySize - 1}`
    throw badArgument(op, `ids[${distinct}]`, wanted, ids.ids[distinct], 'ERR_OUT_OF_RANGE')
  }
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
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
 */
export function embeddingBackward({ rows, vocabularySize }: EmbeddingSaved, dRows: Matrix): Matrix {
  const { device } = rows
  checkTensor('embeddingBackward', 'dRows', dRows, {
    dtype: 'float32',
    shape: [rows.size, anySize],
    device,
  })
  const columns = dRows.shape[1]
  // Ascending, as a sum over the whole table goes. A loop: `filter` calls 24,000 functions in 4 ms.
  const distinct = rows.host!
  const [keptPlaces, keptIds] = [new Int32Array(rows.size), new Int32Array(rows.size)]
  let kept = 0
  for (let u = 0; u < rows.size; u++) {
    const id = distinct[u]!
    if (id < 0) continue
    keptPlaces[kept] = u
    keptIds[kept++] = id
  }
  const places = tensor(keptPlaces.subarray(0, kept), [kept], { device })
  const ids = tensor(keptIds.subarray(0, kept), [kept], { device })
  const values = takeRows<2>(dRows, places, columns, [kept, columns])
  const rest = filled<0>(device, [], 0)
  const gradient = new RowGradient(device.queue, {
    rows: kept,
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
 * each once. The values are those of PyTorch's page torch.nn.functional.embedding.
 *
 * @param weight [V, I]
 * @param ids each from 0 to V - 1
 * @returns distinct rows [U, I], and which of them each of the N tokens is.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an id or `paddingIdx` outside; ERR_INVALID_ARGUMENT for ids that are not
 * packed, or an unknown option; ERR_SHAPE, ERR_DTYPE, ERR_DISPOSED.
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
