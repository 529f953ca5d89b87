import { record } from '../autograd.js'
import { anySize, checkInteger, checkOptions, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { agreedIndex, PackedIds, PackedSequence } from '../packed.js'
import { RowGradient, Storage } from '../storage.js'
import { filled, integers, type Matrix, ranked, Tensor } from '../tensor.js'
import { takeDistinctRows, takeRows } from './rows.js'

/** Options of the embedding ops. */
export interface EmbeddingOptions {
  /** The id whose row has no gradient, as in torch.nn.functional.embedding; default none. */
  paddingIdx?: number | null
}

/** What `embeddingBackward` needs. */
export interface EmbeddingSaved {
  /** [U], ascending: for each distinct row its row in the table, or -1 if it has no gradient. */
  rows: Tensor<'int32', 1>
  /** V, the rows of the table. */
  vocabularySize: number
}

/**
 * `embedding` without a tape.
 *
 * @param weight [V, I]
 * @param ids each from 0 to V - 1.
 * @returns `output`, indexed: distinct rows [U, I]; and `saved`, for `embeddingBackward`.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if an id or `paddingIdx` is outside [0, V).
 * @example
 * ```ts
 * import { embeddingForward, packIds, tensor } from 'packed-rnn'
 *
 * const table = tensor([0, 0, 1, 1, 2, 2], [3, 2])
 * const { output, saved } = embeddingForward(table, packIds([[2, 0], [2]]))
 * console.log(output.data.shape, await output.data.toArray()) // [2, 2] Float32Array(4) [0, 0, 2, 2]
 * console.log(await saved.rows.toArray(), saved.vocabularySize) // Int32Array(2) [0, 2] 3
 * ```
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
  const onDevice = (values: Int32Array) => integers(values, device)
  let rows = onDevice(distinct.ids)
  const data = takeDistinctRows(weight, rows)
  if (paddingIdx !== null && distinct.ids.includes(paddingIdx)) {
    rows.dispose()
    rows = onDevice(distinct.ids.map(id => (id === paddingIdx ? -1 : id)))
  }
  const index = agreedIndex({
    index: onDevice(distinct.index),
    starts: onDevice(distinct.starts),
    order: onDevice(distinct.order),
  })
  return { output: new PackedSequence(data, ids.sequences, index), saved: { rows, vocabularySize } }
}

/**
 * The backward pass of `embeddingForward`: returns the gradient of the table. It is 0 except in the rows of
 * the batch, and stores only those until its values are read.
 *
 * @param dRows [U, I]: the gradient of each distinct row, as the recurrent ops return it.
 * @returns dWeight [V, I]
 * @example
 * ```ts
 * import { embeddingBackward, embeddingForward, full, packIds, zeros } from 'packed-rnn'
 *
 * const { saved } = embeddingForward(zeros([3, 2]), packIds([[2, 0], [2]]))
 * const dWeight = embeddingBackward(saved, full([2, 2], 1))
 * console.log(await dWeight.toArray()) // Float32Array(6) [1, 1, 0, 0, 1, 1]
 * ```
 */
export function embeddingBackward({ rows, vocabularySize }: EmbeddingSaved, dRows: Matrix): Matrix {
  const { device } = rows
  checkTensor('embeddingBackward', 'dRows', dRows, {
    dtype: 'float32',
    shape: [rows.size, anySize],
    device,
  })
  const columns = dRows.shape[1]
  // Ascending, in the order of a sum over the whole table. A loop, because `filter` takes 4 ms for 24,000 ids.
  const distinct = rows.host!
  const [keptPlaces, keptIds] = [new Int32Array(rows.size), new Int32Array(rows.size)]
  let kept = 0
  for (let u = 0; u < rows.size; u++) {
    const id = distinct[u]!
    if (id < 0) continue
    keptPlaces[kept] = u
    keptIds[kept++] = id
  }
  const places = integers(keptPlaces.subarray(0, kept), device)
  const ids = integers(keptIds.subarray(0, kept), device)
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
 * Returns rows of a table by id. The result is indexed: it holds the row of each distinct id once, and the
 * recurrent ops project each row once. The values are those of PyTorch's page torch.nn.functional.embedding.
 *
 * @param weight [V, I]
 * @param ids each from 0 to V - 1.
 * @returns distinct rows [U, I], and which of them each of the N tokens is.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if an id or `paddingIdx` is outside [0, V).
 * @example
 * ```ts
 * import { embedding, packedRows, packIds, tensor } from 'packed-rnn'
 *
 * const table = tensor([0, 0, 1, 1, 2, 2], [3, 2], { requiresGrad: true })
 * const words = embedding(table, packIds([[2, 0], [2]]))
 * console.log(words.data.shape, words.sequences.offsets) // [2, 2] [0, 2, 3]
 * console.log(await packedRows(words).toArray()) // Float32Array(6) [2, 2, 0, 0, 2, 2]
 * ```
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
