import { isRecorded, record } from '../autograd.js'
import { any, checkIndices, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { applyElementwise, empty, type Tensor, tensor } from '../tensor.js'

type Matrix = Tensor<'float32', 2>
type Scalar = Tensor<'float32', 0>
type Labels = Tensor<'int32', 1> | Int32Array | readonly number[]

export interface CrossEntropyOptions {
  /** The mean over the rows (default), or their sum. */
  reduction?: 'mean' | 'sum'
}

/**
 * Softmax cross entropy, −log softmax(logits)[label], without a tape, and what its gradient needs.
 *
 * @param logits [N, C] @param labels [N], each from 0 to C - 1
 * @returns `loss`, a tensor of no dimensions, and `saved`, for `crossEntropyBackward`; null unless `train`.
 */
export function crossEntropyForward(
  logits: Matrix,
  labels: Labels,
  options: CrossEntropyOptions & { train?: boolean } = {},
): { loss: Scalar; saved: Matrix | null } {
  const op = 'crossEntropy'
  const { reduction = 'mean', train = true } = options
  checkTensor(op, 'logits', logits, { dtype: 'float32', shape: [any, any] })
  const [rows, classes] = logits.shape
  const { device } = logits
  if (rows === 0) throw badArgument(op, 'logits', 'at least one row', logits.shape, 'ERR_SHAPE')
  if (reduction !== 'mean' && reduction !== 'sum')
    throw badArgument(op, 'reduction', "'mean' or 'sum'", reduction)
  const host = 'dtype' in labels ? labels.host : labels
  if (host !== null) checkIndices(op, 'labels', host, classes)
  if (!('dtype' in labels) && labels.length !== rows) {
    throw badArgument(op, 'labels', `${rows} labels`, labels.length, 'ERR_SHAPE')
  }
  const given = 'dtype' in labels ? labels : tensor(Int32Array.from(labels), [rows], { device })
  checkTensor(op, 'labels', given, { dtype: 'int32', shape: [rows], device })
  const loss = empty<0>(device, [])
  const saved = train ? empty<2>(device, [rows, classes]) : null
  native.crossEntropy(device.queue, {
    rows,
    classes,
    mean: reduction === 'mean',
    logits: logits.buffer,
    labels: given.buffer,
    loss: loss.buffer,
    gradient: saved?.buffer ?? null,
  })
  if (given !== labels) given.dispose()
  return { loss, saved }
}

/** The gradient in the logits: (softmax − one-hot) · dLoss, divided by N for the mean. @param dLoss one element. */
export function crossEntropyBackward(saved: Matrix, dLoss: Tensor<'float32'>): Matrix {
  checkTensor('crossEntropyBackward', 'saved', saved, { dtype: 'float32', shape: [any, any] })
  checkTensor('crossEntropyBackward', 'dLoss', dLoss, { dtype: 'float32', shape: [], device: saved.device })
  return applyElementwise('scale', saved, dLoss)
}

/**
 * Softmax cross entropy, −log softmax(logits)[label], computed as log Σ exp(z − max z) − (z[label] − max z).
 *
 * @param logits [N, C] @param labels [N], each from 0 to C - 1
 * @returns a tensor of no dimensions.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED; ERR_OUT_OF_RANGE for a label outside.
 */
export function crossEntropy(logits: Matrix, labels: Labels, options: CrossEntropyOptions = {}): Scalar {
  const { loss, saved } = crossEntropyForward(logits, labels, { ...options, train: isRecorded([logits]) })
  record('crossEntropy', [logits], [loss], keeper => {
    const gradient = saved && keeper.own(saved)
    return ([dLoss]) => [dLoss && gradient ? crossEntropyBackward(gradient, dLoss) : null]
  })
  return loss
}
