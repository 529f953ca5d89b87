import type { Matrix, Tensor, Vector } from '../../../tensor.js'
import type { Library } from '../../library.js'

type Float = Tensor<'float32'>
type Ops = Pick<
  Library,
  | 'add'
  | 'bmm'
  | 'cat'
  | 'linear'
  | 'mul'
  | 'sigmoid'
  | 'softmax'
  | 'split'
  | 'squeeze'
  | 'sub'
  | 'sum'
  | 'tanh'
  | 'unsqueeze'
>

export interface DecoderWeights {
  /** [H, H] */
  wQuery: Matrix
  /** [H] */
  v: Vector
  /** [3H, 2H] and [3H]: gates r, z, n. */
  wIh: Matrix
  bIh: Vector
  /** [3H, H] and [3H] */
  wHh: Matrix
  bHh: Vector
}

export interface DecoderInputs {
  /** [B, H] */
  x: Matrix
  /** [B, T, H] */
  keys: Float
  values: Tensor<'float32', 3>
}

function hasRank<R extends number>(x: Float, rank: R): x is Tensor<'float32', R> {
  return x.shape.length === rank
}

/** The same tensor with its rank in the type. */
function ranked<R extends number>(x: Float, rank: R): Tensor<'float32', R> {
  if (!hasRank(x, rank)) throw new Error(`wanted ${rank} dimensions, got [${x.shape.join(', ')}]`)
  return x
}

/**
 * A decoder's step composed of ops: additive attention with the state h (Bahdanau et al. 2015), then a GRU cell that reads the
 * input and the context.
 *
 * @param h [B, H]
 * @returns the next h
 */
export function decoderStep(ops: Ops, weights: DecoderWeights, inputs: DecoderInputs, h: Matrix): Matrix {
  const { add, bmm, cat, linear, mul, sigmoid, softmax, split, squeeze, sub, sum, tanh, unsqueeze } = ops
  const { wQuery, v, wIh, bIh, wHh, bHh } = weights
  const { x, keys, values } = inputs
  const query = unsqueeze(linear(h, wQuery), 1)
  const scores = sum(mul(v, tanh(add(query, keys))), { dim: -1 })
  const attention = unsqueeze(softmax(scores, { dim: -1 }), 1)
  const context = squeeze(bmm(ranked(attention, 3), values), 1)

  const H = wQuery.shape[0]
  const [xR, xZ, xN] = split(linear(ranked(cat([x, context], 1), 2), wIh, bIh), H, 1)
  const [hR, hZ, hN] = split(linear(h, wHh, bHh), H, 1)
  const r = sigmoid(add(xR!, hR!))
  const z = sigmoid(add(xZ!, hZ!))
  const n = tanh(add(xN!, mul(r, hN!)))
  return ranked(add(n, mul(z, sub(h, n))), 2)
}
