import { record } from '../autograd.js'
import { checkFloat } from '../check.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { native, poolings } from '../native.js'
import { checkSequences, kernelOffsets, PackedSequence, type Sequences } from '../packed.js'
import { scope } from '../scope.js'
import { empty, emptyIntegers, filled, type Matrix, ranked } from '../tensor.js'
import { LARGE } from './dims.js'
import { add, exp, log, sub } from './elementwise.js'
import { packedRows, withRows } from './rows.js'

/**
 * Reductions of each sequence's rows to one row, and the way back. The step from a row for each sequence to a
 * row for each token is always explicit, by `repeatRows`: shapes alone would be ambiguous for as many
 * sequences as tokens.
 */

/** Returns the row of its sequence [B, C] for every token [N, C], without recording it. @internal */
export function spread(values: Matrix, sequences: Sequences, mean = false): Matrix {
  const columns = values.shape[1]
  const rows = empty<2>(values.device, [sequences.rows, columns])
  native.segmentRepeat(values.device.queue, {
    mean,
    sequences: kernelOffsets(sequences),
    columns,
    values: values.buffer,
    rows: rows.buffer,
  })
  return rows
}

/** Returns the sum of each sequence's rows, without recording it. @internal */
export function gathered(rows: Matrix, sequences: Sequences): Matrix {
  const columns = rows.shape[1]
  const out = empty<2>(rows.device, [sequences.batchSize, columns])
  native.segmentReduce(rows.device.queue, {
    pooling: poolings.sum,
    sequences: kernelOffsets(sequences),
    columns,
    rows: rows.buffer,
    out: out.buffer,
    places: null,
  })
  return out
}

/** Returns one row for each sequence, on the tape; `name` is the argument's name in errors. @internal */
export function segmentReduce(
  op: string,
  name: string,
  pooling: keyof typeof poolings,
  x: PackedSequence,
): Matrix {
  return withRows(op, x, rows => reducedRows(op, pooling, x, rows), name)
}

function reducedRows(op: string, pooling: keyof typeof poolings, x: PackedSequence, rows: Matrix): Matrix {
  const { device } = rows
  const { sequences } = x
  const columns = x.width
  const shape = [sequences.batchSize, columns] as const
  const out = empty<2>(device, shape)
  const places = pooling === 'max' ? emptyIntegers<2>(device, shape) : null
  native.segmentReduce(device.queue, {
    pooling: poolings[pooling],
    sequences: kernelOffsets(sequences),
    columns,
    rows: rows.buffer,
    out: out.buffer,
    places: places?.buffer ?? null,
  })
  record(op, [rows], [out], keeper => {
    const held = places && keeper.hold(places)
    return ([dOut]) => {
      if (!dOut) return [null]
      if (held === null) return [spread(ranked(dOut, 2), sequences, pooling === 'mean')]
      const dRows = empty<2>(device, [sequences.rows, columns])
      native.segmentPlace(device.queue, {
        sequences: kernelOffsets(sequences),
        columns,
        places: held.buffer,
        values: dOut.buffer,
        rows: dRows.buffer,
      })
      return [dRows]
    }
  })
  places?.dispose()
  return out
}

/**
 * Repeats the row of each sequence for each of its tokens.
 *
 * @param x [B, C]
 * @param sequences B sequences of N tokens in total.
 * @returns rows [N, C]
 * @throws PackedRnnError ERR_SHAPE if x doesn't have a row for each sequence.
 * @example
 * ```ts
 * import { repeatRows, Sequences, tensor } from 'packed-rnn'
 *
 * const y = repeatRows(tensor([1, 2], [2, 1]), new Sequences([3, 1]))
 * console.log(await y.data.toArray(), y.sequences.offsets) // Float32Array(4) [1, 1, 1, 2] [0, 3, 4]
 * ```
 */
export function repeatRows(x: Matrix, sequences: Sequences): PackedSequence {
  const op = 'repeatRows'
  checkFloat(op, 'x', x)
  checkSequences(op, sequences)
  if (x.shape.length !== 2 || x.shape[0] !== sequences.batchSize) {
    throw badArgument(op, 'x', `shape [${sequences.batchSize}, *]`, x.shape, 'ERR_SHAPE')
  }
  const rows = spread(x, sequences)
  record(op, [x], [rows], () => ([dRows]) => [dRows ? gathered(ranked(dRows, 2), sequences) : null])
  return new PackedSequence(rows, sequences)
}

/**
 * Returns the sum of each sequence's rows [B, C]; 0 for an empty sequence.
 * @example
 * ```ts
 * import { packSequence, segmentSum } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), new Float32Array(), Float32Array.of(4)], { inputSize: 1 })
 * console.log(await segmentSum(x).toArray()) // Float32Array(3) [6, 0, 4]
 * ```
 */
export function segmentSum(x: PackedSequence): Matrix {
  return segmentReduce('segmentSum', 'x', 'sum', x)
}
/**
 * Returns the mean of each sequence's rows [B, C]; 0 for an empty sequence.
 * @example
 * ```ts
 * import { packSequence, segmentMean } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), new Float32Array(), Float32Array.of(4)], { inputSize: 1 })
 * console.log(await segmentMean(x).toArray()) // Float32Array(3) [2, 0, 4]
 * ```
 */
export function segmentMean(x: PackedSequence): Matrix {
  return segmentReduce('segmentMean', 'x', 'mean', x)
}
/**
 * Returns the largest of each sequence's rows, column by column [B, C]; 0 for an empty sequence. See
 * `maxPool`.
 * @example
 * ```ts
 * import { packSequence, segmentMax } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 3, 2), new Float32Array(), Float32Array.of(4)], { inputSize: 1 })
 * console.log(await segmentMax(x).toArray()) // Float32Array(3) [3, 0, 4]
 * ```
 */
export function segmentMax(x: PackedSequence): Matrix {
  return segmentReduce('segmentMax', 'x', 'max', x)
}

/**
 * Returns log Σ exp over each sequence's rows, column by column [B, C]; −∞ for an empty sequence.
 * @example
 * ```ts
 * import { packSequence, segmentLogsumexp } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(0, 0), new Float32Array(), Float32Array.of(4)], { inputSize: 1 })
 * const y = await segmentLogsumexp(x).toArray()
 * console.log(y[0]?.toFixed(4), y[1], y[2]) // 0.6931 -Infinity 4
 * ```
 */
export function segmentLogsumexp(x: PackedSequence): Matrix {
  return scope(() => {
    const rows = packedRows(x, 'segmentLogsumexp')
    const { sequences } = x
    const top = largest(rows, sequences)
    // Subtracting an infinity would give NaN.
    const finite = applyFunction<2>('clamp', top.device, top.shape, top, -LARGE, LARGE)
    const raised = exp(sub(rows, spread(finite, sequences)))
    return add(log(segmentSum(new PackedSequence(raised, sequences))), finite)
  })
}

function largest(rows: Matrix, sequences: Sequences): Matrix {
  const out = empty<2>(rows.device, [sequences.batchSize, rows.shape[1]])
  native.segmentReduce(rows.device.queue, {
    pooling: poolings.max,
    sequences: kernelOffsets(sequences),
    columns: rows.shape[1],
    rows: rows.buffer,
    out: out.buffer,
    places: null,
  })
  return out
}

/** Returns 1 at the first largest of each sequence's rows, column by column, and otherwise 0. @internal */
export function largestOnes(x: PackedSequence): Matrix {
  return withRows('largestOnes', x, rows => {
    const { device } = rows
    const columns = rows.shape[1]
    const shape = [x.sequences.batchSize, columns] as const
    const sizes = { sequences: kernelOffsets(x.sequences), columns }
    const [out, places, ones] = [
      empty<2>(device, shape),
      emptyIntegers<2>(device, shape),
      filled<2>(device, shape, 1),
    ]
    const found = empty<2>(device, [x.sequences.rows, columns])
    const reduced = { rows: rows.buffer, out: out.buffer, places: places.buffer }
    native.segmentReduce(device.queue, { ...sizes, pooling: poolings.max, ...reduced })
    const placed = { places: places.buffer, values: ones.buffer, rows: found.buffer }
    native.segmentPlace(device.queue, { ...sizes, ...placed })
    for (const each of [out, places, ones]) each.dispose()
    return found
  })
}

/**
 * Returns exp x / Σ exp x over each sequence's tokens, column by column.
 * @example
 * ```ts
 * import { packSequence, segmentSoftmax } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(2, 2), Float32Array.of(5)], { inputSize: 1 })
 * const y = await segmentSoftmax(x).data.toArray()
 * console.log([...y].map(value => value.toFixed(4)).join(' ')) // 0.5000 0.5000 1.0000
 * ```
 */
export function segmentSoftmax(x: PackedSequence): PackedSequence {
  const op = 'segmentSoftmax'
  return withRows(op, x, rows => new PackedSequence(softmaxOf(op, rows, x.sequences), x.sequences))
}

function softmaxOf(op: string, rows: Matrix, sequences: Sequences): Matrix {
  const columns = rows.shape[1]
  const sizes = { sequences: kernelOffsets(sequences), columns }
  const y = empty<2>(rows.device, [sequences.rows, columns])
  native.segmentSoftmax(rows.device.queue, { ...sizes, x: rows.buffer, y: y.buffer })
  record(op, [rows], [y], keeper => {
    const held = keeper.hold(y)
    return ([dY]) => {
      if (!dY) return [null]
      const dX = empty<number>(dY.device, dY.shape)
      const buffers = { y: held.buffer, dY: dY.buffer, dX: dX.buffer }
      native.segmentSoftmaxBackward(dY.device.queue, { ...sizes, ...buffers })
      return [dX]
    }
  })
  return y
}
