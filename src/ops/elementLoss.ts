import { checkFloat, checkOptions, checkTensor, checkWord, type OptionNames } from '../check.js'
import { scope } from '../scope.js'
import type { Float } from '../tensor.js'
import { add, mul, neg, softplus, sub } from './elementwise.js'
import { mean, sum } from './reduce.js'

/** Losses with one target for each element. */

/** How losses are combined: their mean (the default), their sum, or not at all. */
export type LossReduction = 'mean' | 'sum' | 'none'

function reduced(op: string, losses: Float, reduction: LossReduction): Float {
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  return reduction === 'none' ? losses : reduction === 'sum' ? sum(losses) : mean(losses)
}

/** Options of `mseLoss`. */
export interface MseLossOptions {
  /** The mean, the sum or no reduction; default 'mean'. */
  reduction?: LossReduction
}
const mseNames: OptionNames<MseLossOptions> = { reduction: true }

/** Checks that a tensor has the shape of another one. */
function checkShapeOf(op: string, name: string, x: Float, of: Float): void {
  checkTensor(op, name, x, { dtype: 'float32', shape: of.shape, device: of.device })
}

/**
 * Returns (input − target)², as torch.nn.functional.mse_loss. Both arguments have gradients.
 *
 * @param target input's shape.
 * @returns the mean or the sum; without a reduction, input's shape.
 * @example
 * ```ts
 * import { mseLoss, tensor } from 'packed-rnn'
 *
 * const loss = mseLoss(tensor([1, 2, 3]), tensor([1, 0, 6]), { reduction: 'sum' })
 * console.log(await loss.item()) // 13
 * ```
 */
export function mseLoss(input: Float, target: Float, options: MseLossOptions = {}): Float {
  const op = 'mseLoss'
  checkOptions(op, options, mseNames)
  checkFloat(op, 'input', input)
  checkShapeOf(op, 'target', target, input)
  const { reduction = 'mean' } = options
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  return scope(() => {
    const distance = sub(input, target)
    return reduced(op, mul(distance, distance), reduction)
  })
}

/** Options of `bceWithLogits`. */
export interface BceWithLogitsOptions extends MseLossOptions {
  /** The weight of each element, of the logits' shape, a constant; default ones. */
  weight?: Float | null
  /** The weight of a target of 1, along the last dimension [C], a constant; default ones. */
  posWeight?: Float | null
}
const bceNames: OptionNames<BceWithLogitsOptions> = { weight: true, posWeight: true, ...mseNames }

/**
 * Returns −(posWeight · t log σ(z) + (1 − t) log(1 − σ(z))), as
 * torch.nn.functional.binary_cross_entropy_with_logits, without overflow.
 *
 * @param logits z, any shape.
 * @param targets t, the logits' shape, each from 0 to 1; a constant.
 * @returns the mean or the sum; without a reduction, the logits' shape.
 * @example
 * ```ts
 * import { bceWithLogits, tensor } from 'packed-rnn'
 *
 * const loss = bceWithLogits(tensor([0, 100]), tensor([1, 1]))
 * console.log((await loss.item()).toFixed(4)) // 0.3466
 * ```
 */
export function bceWithLogits(logits: Float, targets: Float, options: BceWithLogitsOptions = {}): Float {
  const op = 'bceWithLogits'
  checkOptions(op, options, bceNames)
  checkFloat(op, 'logits', logits)
  checkShapeOf(op, 'targets', targets, logits)
  const { reduction = 'mean', weight = null, posWeight = null } = options
  checkWord(op, 'reduction', reduction, ['mean', 'sum', 'none'])
  if (weight !== null) checkShapeOf(op, 'weight', weight, logits)
  if (posWeight !== null) {
    const { device } = logits
    checkTensor(op, 'posWeight', posWeight, {
      dtype: 'float32',
      shape: [logits.shape.at(-1) ?? 1],
      device,
    })
  }
  return scope(() => {
    const [t, w, p] = [targets.detach(), weight?.detach() ?? null, posWeight?.detach() ?? null]
    // (1 − t) z + (1 + (p − 1) t) log(1 + e⁻ᶻ)
    const counted = p === null ? 1 : add(mul(sub(p, 1), t), 1)
    const losses = add(mul(sub(1, t), logits), mul(counted, softplus(neg(logits))))
    return reduced(op, w === null ? losses : mul(losses, w), reduction)
  })
}
