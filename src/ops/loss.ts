import { isRecorded, record } from '../autograd.js'
import { anySize, checkInteger, checkNumber, checkOptions, checkTensor, type OptionNames } from '../check.js'
import { applyFunction } from '../elements.js'
import { badArgument } from '../errors.js'
import { native } from '../native.js'
import { empty, type Matrix, type Scalar, type Tensor, tensor } from '../tensor.js'

/** A class for each row [N]; checked by the call. */
export type Labels = Tensor<'int32', 1> | Int32Array | readonly number[]

/** What the loss counts, and how. */
export interface CrossEntropyOptions {
  /** The mean over the rows (default), or their sum. */
  reduction?: 'mean' | 'sum'
  /** What a class counts [C], a constant; the mean then divides by the sum of the labels' weights. Default ones. */
  weight?: Tensor<'float32', 1> | null
  /** Rows with this label count for nothing, in the mean neither; default −100, as in PyTorch. */
  ignoreIndex?: number
  /** s, from 0 to 1: the label's share of the target is 1 − s + s/C, every other class's s/C; default 0. */
  labelSmoothing?: number
}

const names: OptionNames<CrossEntropyOptions> = {
  reduction: true,
  weight: true,
  ignoreIndex: true,
  labelSmoothing: true,
}
const forwardNames: OptionNames<CrossEntropyOptions & { train?: boolean }> = { ...names, train: true }

const IGNORED = -100

/** @param ignoreIndex as it was given: only who names it reads of it. */
function checkLabels(labels: ArrayLike<number>, classes: number, ignoreIndex: number | undefined): void {
  const ignored = ignoreIndex ?? IGNORED
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n]!
    if (label === ignored || (Number.isInteger(label) && label >= 0 && label < classes)) continue
    const range = `an integer from 0 to ${classes - 1}`
    const wanted = ignoreIndex === undefined ? range : `${range} or ignoreIndex ${ignoreIndex}`
    throw badArgument('crossEntropy', `labels[${n}]`, wanted, label, 'ERR_OUT_OF_RANGE')
  }
}

/**
 * `crossEntropy` without a tape, and what its gradient needs.
 *
 * @param logits [N, C]
 * @param labels [N], each from 0 to C - 1 or `ignoreIndex`
 * @returns `loss`, a tensor of no dimensions, and `saved`, for `crossEntropyBackward`; null with `train: false`.
 * @throws PackedRnnError as `crossEntropy`.
 */
export function crossEntropyForward(
  logits: Matrix,
  labels: Labels,
  options: CrossEntropyOptions & { train?: boolean } = {},
): { loss: Scalar; saved: Matrix | null } {
  const op = 'crossEntropy'
  checkOptions(op, options, forwardNames)
  const { reduction = 'mean', weight = null, labelSmoothing = 0, train = true } = options
  const { ignoreIndex = IGNORED } = options
  checkTensor(op, 'logits', logits, { dtype: 'float32', shape: [anySize, anySize] })
  const [rows, classes] = logits.shape
  const { device } = logits
  if (rows === 0 || classes === 0) {
    throw badArgument(op, 'logits', 'at least one row and one class', logits.shape, 'ERR_SHAPE')
  }
  if (reduction !== 'mean' && reduction !== 'sum')
    throw badArgument(op, 'reduction', "'mean' or 'sum'", reduction)
  if (weight !== null) checkTensor(op, 'weight', weight, { dtype: 'float32', shape: [classes], device })
  checkInteger(op, 'ignoreIndex', ignoreIndex, -(2 ** 31))
  checkNumber(op, 'labelSmoothing', labelSmoothing, 0, 1)
  if ('dtype' in labels) {
    checkTensor(op, 'labels', labels, { dtype: 'int32', shape: [rows], device })
  } else if (labels.length !== rows) {
    throw badArgument(op, 'labels', `${rows} labels`, labels.length, 'ERR_SHAPE')
  }
  const host = 'dtype' in labels ? labels.host : labels
  if (host !== null) checkLabels(host, classes, options.ignoreIndex)
  const given = 'dtype' in labels ? labels : tensor(Int32Array.from(labels), [rows], { device })
  const loss = empty<0>(device, [])
  const saved = train ? empty<2>(device, [rows, classes]) : null
  native.crossEntropy(device.queue, {
    rows,
    classes,
    mean: reduction === 'mean',
    normalized: false,
    ignoreIndex,
    labelSmoothing,
    logits: logits.buffer,
    labels: given.buffer,
    weight: weight?.buffer ?? null,
    loss: loss.buffer,
    losses: null,
    gradient: saved?.buffer ?? null,
  })
  if (given !== labels) given.dispose()
  return { loss, saved }
}

/**
 * The gradient in the logits, dLoss · (softmax · Σ target − target) over what the mean divides by; 0 in ignored rows.
 *
 * @param saved [N, C], of `crossEntropyForward`
 * @param dLoss of no dimensions.
 * @returns dLogits [N, C]
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
 */
export function crossEntropyBackward(saved: Matrix, dLoss: Tensor<'float32'>): Matrix {
  checkTensor('crossEntropyBackward', 'saved', saved, { dtype: 'float32', shape: [anySize, anySize] })
  checkTensor('crossEntropyBackward', 'dLoss', dLoss, { dtype: 'float32', shape: [], device: saved.device })
  return applyFunction<2>('mul', saved.device, saved.shape, saved, dLoss)
}

/**
 * Softmax cross entropy, −log softmax(logits)[label], computed as log Σ exp(z − max z) − (z[label] − max z). With the
 * options it is −Σ_c target_c · log softmax(logits)_c, target_c = weight_c · (s/C + (1 − s) · [c = label]), as in
 * torch.nn.functional.cross_entropy.
 *
 * The mean over nothing, all labels ignored, is 0/0 = NaN as in PyTorch; its gradient is 0, so a step on such a batch
 * changes no parameter.
 *
 * @param logits [N, C], at least one row and one class.
 * @param labels [N], each from 0 to C - 1 or `ignoreIndex`
 * @returns a tensor of no dimensions, in nats.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED; ERR_OUT_OF_RANGE for a label outside, an
 * `ignoreIndex` that is no 32-bit integer or a `labelSmoothing` outside [0, 1]; ERR_INVALID_ARGUMENT for another
 * `reduction` or an unknown option.
 */
export function crossEntropy(logits: Matrix, labels: Labels, options: CrossEntropyOptions = {}): Scalar {
  checkOptions('crossEntropy', options, names)
  const { loss, saved } = crossEntropyForward(logits, labels, { ...options, train: isRecorded([logits]) })
  record('crossEntropy', [logits], [loss], keeper => {
    const gradient = saved && keeper.own(saved)
    return ([dLoss]) => [dLoss && gradient ? crossEntropyBackward(gradient, dLoss) : null]
  })
  return loss
}
