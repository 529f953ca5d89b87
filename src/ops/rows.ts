import { record } from '../autograd.js'
import { checkInteger, checkTensor } from '../check.js'
import { badArgument, PackedRnnError } from '../errors.js'
import { type NativeBuffer, native } from '../native.js'
import { PackedSequence } from '../packed.js'
import { empty, ranked, type Shape, type Tensor, tensor } from '../tensor.js'

/**
 * Rows by index. Packing, padding, and taking single states are all this; so is giving an indexed sequence a row for
 * each token.
 */

/** Row i of the result, of `columns` numbers, is row `index[i]` of the source, or `fill` where that is -1. @internal */
export function takeRows<R extends number>(
  source: Tensor<'float32'>,
  index: Tensor<'int32', 1>,
  columns: number,
  shape: Shape<R>,
  fill = 0,
): Tensor<'float32', R> {
  return gather(source, source.buffer, index, columns, shape, fill)
}

/** The rows of a table with these ids, each once: what an optimiser put off is done for them alone. @internal */
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
 * An index of that many rows, all of them none; an int32 has to count them.
 * @throws PackedRnnError ERR_OUT_OF_RANGE, ERR_OUT_OF_MEMORY. @internal
 */
export function emptyIndex(op: string, rows: number): Int32Array {
  checkInteger(op, 'rows of the result', rows, 0)
  try {
    return new Int32Array(rows).fill(-1)
  } catch (cause) {
    throw new PackedRnnError('ERR_OUT_OF_MEMORY', `${op}: no memory for an index of ${rows} rows`, { cause })
  }
}

/** Row u of the result is the sum of the rows where distinct row u stands. @internal */
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
 * Takes rows by a host index that takes each row at most once: the gradient then takes them back. On the tape.
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

/** That a packed sequence is one, and not disposed. @internal */
export function checkPacked(op: string, name: string, x: PackedSequence): void {
  if (!(x instanceof PackedSequence)) throw badArgument(op, name, 'a packed sequence', x)
  checkTensor(op, `${name}.data`, x.data, { dtype: 'float32' })
  for (const part of ['index', 'starts', 'order'] as const) {
    if (x.index !== null) checkTensor(op, `${name}.index.${part}`, x.index[part], { dtype: 'int32' })
  }
}

/**
 * The rows [N, I] of a packed sequence, one for each token, also where they are indexed. Where they are not, they are its
 * own `data`.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for something else, ERR_DISPOSED; both name `op`.
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

/** What `f` makes of a batch's rows, which go if they were made for it. @internal */
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
