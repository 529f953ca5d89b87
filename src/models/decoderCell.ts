import type { GRU, LSTM } from '../nn/index.js'
import { LstmOutput, type RecurrentOutput } from '../nn/index.js'
import { narrow } from '../ops/join.js'
import { reshape, transpose } from '../ops/shape.js'
import { PackedSequence, Sequences } from '../packed.js'
import type { Matrix, Tensor } from '../tensor.js'

/**
 * The state of a decoder, a row for each hypothesis: h and, of an LSTM, c [M, L, H]; `fed`, the vector that Luong's decoder
 * hands to its next step.
 */
export type DecoderState = {
  readonly h: Tensor<'float32', 3>
  readonly c: Tensor<'float32', 3> | null
  readonly fed: Matrix | null
}

/** One step of recurrent layers. @returns the states of the last layer [M, H], and of all layers. @internal */
export function stepOf(
  rnn: LSTM | GRU,
  x: Matrix,
  { h, c }: DecoderState,
): { output: Matrix; h: Tensor<'float32', 3>; c: Tensor<'float32', 3> | null } {
  const tokens = new PackedSequence(x, new Sequences(new Int32Array(x.shape[0]).fill(1)))
  const result: RecurrentOutput = rnn.forward(tokens, { h: swapped(h), c: c && swapped(c) })
  const cN = result instanceof LstmOutput ? swapped(result.cN) : null
  return { output: result.output.data, h: swapped(result.hN), c: cN }
}

/** Exchanges the first two dimensions; a view where one of them is 1. @internal */
export function swapped(states: Tensor<'float32', 3>): Tensor<'float32', 3> {
  const [a, b, width] = states.shape
  return a === 1 || b === 1 ? reshape(states, [b, a, width]) : transpose(states, 0, 1)
}

/** The states of the last layer [M, H]. @internal */
export function lastLayer({ h }: DecoderState): Matrix {
  const [rows, layers, width] = h.shape
  return reshape(layers === 1 ? h : narrow(h, 1, layers - 1, 1), [rows, width])
}
