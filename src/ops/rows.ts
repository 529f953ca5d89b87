import { record } from '../autograd.js'
import { checkInteger, checkTensor } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { type NativeBuffer, native } from '../native.js'
import { PackedSequence } from '../packed.js'
import { empty, ranked, type Shape, type Tensor, tensor } from '../tensor.js'

/**
 * Rows by index. Packing, padding and taking single states use these, and so does expanding an indexed
 * sequence to a row for each token.
 */

/**
 * Returns rows of `columns` numbers: row i is row `index[i]` of the source, or `fill` if that is -1.
 * @internal
 */
export function takeRows<R extends number>(
  source: Tensor<'float32'>,
  index: Tensor<'int32', 1>,
  columns: number,
  shape: Shape<R>,
  fill = 0,
): Tensor<'float32', R> {
  return gather(source, source.buffer, index, columns, shape, fill)
}

/**
 * Returns the rows of a table with these ids, each once. Steps that an optimiser deferred are applied to these
 * rows only. @internal
 */
export function takeDistinctRows(table: Tensor<'float32', 2>, ids: Tensor<'int32', 1>): Tensor<'float32', 2> {
  const width = table.shape[1]
  return gather(table, table.storage.bufferOfRows(ids.storage, ids.size), ids, width, [ids.size, width], 0)
}

function gather<R extends number>(
  source: Tensor<'float32'>,
  buffer: NativeBuffer,
  index: Tensor<'int32', 1>,
  columns: number,
  shape: Shape<R>,
  fill: number,
): Tensor<'float32', R> {
  const destination = empty<R>(source.device, shape)
  native.gatherRows(source.device.queue, {
    rows: index.size,
    columns,
    sourceRows: columns === 0 ? 0 : source.size / columns,
    fill,
    source: buffer,
    index: index.buffer,
    destination: destination.buffer,
  })
  return destination
}

/**
 * Returns an index filled with -1. The number of rows has to fit an int32.
 * @throws PackedRnnError ERR_OUT_OF_RANGE, ERR_OUT_OF_MEMORY. @internal
 */
export function emptyIndex(op: string, rows: number): Int32Array {
  checkInteger(op, 'rows of the result', rows, 0)
  try {
    return new Int32Array(rows).fill(-1)
  } catch (cause) {
    throw new PackedRnnError('ERR_OUT_OF_MEMORY', `${op}: cannot allocate an index of ${rows} rows`, {
      cause,
    })
  }
}

/** Returns for each distinct row u the sum of the rows that use it. @internal */
export function sumRows(
  source: Tensor<'float32', 2>,
  starts: Tensor<'int32', 1>,
  order: Tensor<'int32', 1>,
): Tensor<'float32', 2> {
  const [rows, columns] = [starts.size - 1, source.shape[1]]
  const destination = empty<2>(source.device, [rows, columns])
  native.sumRows(source.device.queue, {
    rows,
    columns,
    sourceRows: order.size,
    source: source.buffer,
    starts: starts.buffer,
    order: order.buffer,
    destination: destination.buffer,
  })
  return destination
}

/**
 * Takes rows by a host index that takes each row at most once, so that the gradient can take them back. On
 * the tape.
 * @internal
 */
export function selectRows<R extends number>(
  op: string,
  source: Tensor<'float32'>,
  index: Int32Array,
  columns: number,
  shape: Shape<R>,
  fill = 0,
): Tensor<'float32', R> {
  const take = <Q extends number>(from: Tensor<'float32'>, by: Int32Array, to: Shape<Q>, filling: number) => {
    const onDevice = tensor(by, [by.length], { device: from.device })
    const taken = takeRows(from, onDevice, columns, to, filling)
    onDevice.dispose()
    return taken
  }
  const result = take(source, index, shape, fill)
  record(op, [source], [result], () => {
    const back = new Int32Array(columns === 0 ? 0 : source.size / columns).fill(-1)
    index.forEach((row, i) => {
      if (row >= 0) back[row] = i
    })
    const sourceShape: Shape = source.shape
    return ([dResult]) => [dResult ? take(dResult, back, sourceShape, 0) : null]
  })
  return result
}

/** Checks for a packed sequence that is not disposed. @internal */
export function checkPacked(op: string, name: string, x: PackedSequence): void {
  if (!(x instanceof PackedSequence)) throw badArgument(op, name, 'a packed sequence', x)
  checkTensor(op, `${name}.data`, x.data, { dtype: 'float32' })
  for (const part of ['index', 'starts', 'order'] as const) {
    if (x.index !== null) checkTensor(op, `${name}.index.${part}`, x.index[part], { dtype: 'int32' })
  }
}

/**
 * Returns the rows of a packed sequence [N, I], one for each token, even if it is indexed. If it is not, they
 * are its `data` itself.
 *
 * @example
 * ```ts
 * import { embedding, packedRows, packIds, tensor } from 'packed-rnn'
 *
 * const words = embedding(tensor([10, 20, 30], [3, 1]), packIds([[2, 0], [2]]))
 * console.log(await words.data.toArray()) // Float32Array(2) [10, 30]
 * console.log(await packedRows(words).toArray()) // Float32Array(3) [30, 10, 30]
 * ```
 */
export function packedRows(x: PackedSequence, op = 'packedRows', name = 'x'): Tensor<'float32', 2> {
  checkPacked(op, name, x)
  const { data, index } = x
  if (index === null) return data
  const rows = takeRows<2>(data, index.index, x.width, [x.sequences.rows, x.width])
  record('packedRows', [data], [rows], keeper => {
    const starts = keeper.hold(index.starts)
    const order = keeper.hold(index.order)
    return ([dRows]) => [dRows ? sumRows(ranked(dRows, 2), starts, order) : null]
  })
  return rows
}

/** Calls `f` with the rows of a batch, and disposes them afterwards if they were made for it. @internal */
export function withRows<T>(
  op: string,
  x: PackedSequence,
  f: (rows: Tensor<'float32', 2>) => T,
  name = 'x',
): T {
  const rows = packedRows(x, op, name)
  try {
    return f(rows)
  } catch (error) {
    if (rows !== x.data) rows.node?.discard()
    throw error
  } finally {
    if (rows !== x.data) rows.dispose()
  }
}
