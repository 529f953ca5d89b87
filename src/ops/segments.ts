import { record } from '../autograd.js'
import { native, poolings } from '../native.js'
import { kernelOffsets, type PackedSequence, type Sequences } from '../packed.js'
import { empty, emptyIntegers, type Matrix, ranked } from '../tensor.js'
import { withRows } from './rows.js'

/** From the rows of each sequence to one row and back, on which pooling and the ops of sequences are built. */

/** A row of each sequence [B, C] for every token of it [N, C], without a record. @internal */
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

/** The sum of each sequence's rows, without a record. @internal */
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

/** One row for each sequence, on the tape; `name` is what the op calls its argument. @internal */
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
