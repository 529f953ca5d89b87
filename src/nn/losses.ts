import { checkOptions } from '../check.js'
import {
  type BceWithLogitsOptions,
  bceWithLogits,
  type CrossEntropyOptions,
  crossEntropy,
  type Labels,
  type MseLossOptions,
  mseLoss,
  type NllLossOptions,
  nllLoss,
} from '../ops/loss.js'
import type { Float, Vector } from '../tensor.js'
import { Module } from './module.js'
import { buffer } from './parameter.js'

/**
 * The loss of `crossEntropy` as a module, as torch.nn.CrossEntropyLoss. The class weights are a buffer.
 *
 * @example
 * ```ts
 * import { nn, zeros } from 'packed-rnn'
 *
 * const loss = new nn.CrossEntropyLoss({ labelSmoothing: 0.1 })
 * const value = await loss.forward(zeros([2, 4]), [0, 3]).item()
 * console.log(value.toFixed(4)) // 1.3863
 * ```
 */
export class CrossEntropyLoss extends Module {
  /** The weights of the classes [C], or null. */
  weight: Vector | null
  readonly #options: CrossEntropyOptions

  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: CrossEntropyOptions = {}) {
    const known = { reduction: true, weight: true, ignoreIndex: true, labelSmoothing: true } as const
    checkOptions('nn.CrossEntropyLoss', options, known)
    super(deviceOf(options.weight))
    this.weight = options.weight ? buffer(options.weight) : null
    this.#options = options
  }

  /** @param logits [N, C], or any shape that `crossEntropy` takes. @returns the loss, reduced as the options say. */
  forward(logits: Float, labels: Labels): Float {
    return crossEntropy(logits, labels, { ...this.#options, weight: this.weight })
  }
}

/**
 * The loss of `nllLoss` as a module, as torch.nn.NLLLoss. The class weights are a buffer.
 *
 * @example
 * ```ts
 * import { logSoftmax, nn, zeros } from 'packed-rnn'
 *
 * const loss = new nn.NLLLoss({ reduction: 'sum' })
 * const value = await loss.forward(logSoftmax(zeros([2, 4])), [0, 3]).item()
 * console.log(value.toFixed(4)) // 2.7726
 * ```
 */
export class NLLLoss extends Module {
  /** The weights of the classes [C], or null. */
  weight: Vector | null
  readonly #options: NllLossOptions

  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: NllLossOptions = {}) {
    checkOptions('nn.NLLLoss', options, { reduction: true, weight: true, ignoreIndex: true })
    super(deviceOf(options.weight))
    this.weight = options.weight ? buffer(options.weight) : null
    this.#options = options
  }

  /** @param logProbabilities [N, C], or any shape that `nllLoss` takes. @returns the loss, reduced as the options say. */
  forward(logProbabilities: Float, labels: Labels): Float {
    return nllLoss(logProbabilities, labels, { ...this.#options, weight: this.weight })
  }
}

/**
 * The loss of `mseLoss` as a module, as torch.nn.MSELoss.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const loss = new nn.MSELoss()
 * console.log(await loss.forward(tensor([1, 2]), tensor([1, 4])).item()) // 2
 * ```
 */
export class MSELoss extends Module {
  readonly #options: MseLossOptions

  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: MseLossOptions = {}) {
    checkOptions('nn.MSELoss', options, { reduction: true })
    super()
    this.#options = options
  }

  /** @param x any shape. @param target the same shape. @returns the loss, reduced as the options say. */
  forward(x: Float, target: Float): Float {
    return mseLoss(x, target, this.#options)
  }
}

/**
 * The loss of `bceWithLogits` as a module, as torch.nn.BCEWithLogitsLoss.
 *
 * @example
 * ```ts
 * import { nn, tensor } from 'packed-rnn'
 *
 * const loss = new nn.BCEWithLogitsLoss()
 * console.log((await loss.forward(tensor([0, 0]), tensor([0, 1])).item()).toFixed(4)) // 0.6931
 * ```
 */
export class BCEWithLogitsLoss extends Module {
  readonly #options: BceWithLogitsOptions

  /** @throws PackedRnnError if an option is unknown. */
  constructor(options: BceWithLogitsOptions = {}) {
    checkOptions('nn.BCEWithLogitsLoss', options, { reduction: true, weight: true, posWeight: true })
    super()
    this.#options = options
  }

  /** @param logits any shape. @param target the same shape, from 0 to 1. @returns the loss, reduced as the options say. */
  forward(logits: Float, target: Float): Float {
    return bceWithLogits(logits, target, this.#options)
  }
}

function deviceOf(weight: Vector | null | undefined) {
  return weight == null ? {} : { device: weight.device }
}
