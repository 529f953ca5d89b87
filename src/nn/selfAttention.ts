import { anySize, checkInteger, checkNumber, checkOptions, checkTensor, type OptionNames } from '../check.js'
import { dotAttention } from '../ops/attention.js'
import { checkPacked } from '../ops/rows.js'
import type { PackedSequence } from '../packed.js'
import { scope } from '../scope.js'
import { Linear } from './linear.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** Options of `SelfAttention`. */
export interface SelfAttentionOptions extends ModuleOptions {
  /** Numbers in a row of x. */
  inputSize: number
  /** Numbers in projected queries and keys, A; default `inputSize`. */
  hiddenSize?: number
  /** Numbers in projected values, and in a row of the result; default `inputSize`. */
  outputSize?: number
  /** Whether there are projections; default true. Without them queries, keys and values are x itself. */
  projections?: boolean
  /** Whether the projections have biases; default true. */
  bias?: boolean
  /** Whether token i attends only to tokens 0 to i; default false. */
  causal?: boolean
  /** The factor of scores; default 1/√A. */
  scale?: number
}
const names: OptionNames<SelfAttentionOptions> = {
  ...moduleNames,
  inputSize: true,
  hiddenSize: true,
  outputSize: true,
  projections: true,
  bias: true,
  causal: true,
  scale: true,
}

/**
 * Attention of each token over the tokens of the same sequence, with one head (Vaswani et al. 2017, section 3.2.1):
 * softmax(Q Kᵀ / √A) V with Q, K and V projected from x by the linear layers `query`, `key` and `value`.
 *
 * @example
 * ```ts
 * import { nn, packSequence } from 'packed-rnn'
 *
 * const attention = new nn.SelfAttention({ inputSize: 4, hiddenSize: 8, causal: true })
 * const x = packSequence([new Float32Array(12), new Float32Array(4)], { inputSize: 4 })
 * console.log(attention.forward(x).data.shape) // [4, 4]
 * ```
 */
export class SelfAttention extends Module {
  readonly inputSize: number
  readonly causal: boolean
  readonly scale: number
  /** [A, inputSize] */
  query: Linear | null = null
  /** [A, inputSize] */
  key: Linear | null = null
  /** [outputSize, inputSize] */
  value: Linear | null = null

  /** @throws PackedRnnError if a size is below 1, or an option is unknown or needs projections. */
  constructor(options: SelfAttentionOptions) {
    const op = 'nn.SelfAttention'
    checkOptions(op, options, names)
    super(options)
    const { inputSize, projections = true, bias = true, causal = false } = options
    const { hiddenSize = inputSize, outputSize = inputSize } = options
    checkInteger(op, 'inputSize', inputSize, 1)
    const most = projections ? 2 ** 31 - 1 : inputSize
    checkInteger(op, 'hiddenSize', hiddenSize, projections ? 1 : inputSize, most)
    checkInteger(op, 'outputSize', outputSize, projections ? 1 : inputSize, most)
    const { scale = 1 / Math.sqrt(hiddenSize) } = options
    checkNumber(op, 'scale', scale, -Infinity)
    this.inputSize = inputSize
    this.causal = causal
    this.scale = scale
    if (!projections) return
    const { device, generator } = this
    const linear = (outFeatures: number) =>
      new Linear({ inFeatures: inputSize, outFeatures, bias, device, generator })
    this.query = linear(hiddenSize)
    this.key = linear(hiddenSize)
    this.value = linear(outputSize)
  }

  /**
   * @param x rows of `inputSize` numbers.
   * @returns rows of `outputSize` numbers for the same tokens.
   * @throws PackedRnnError if x has another width or is on another device.
   */
  forward(x: PackedSequence): PackedSequence {
    const op = 'nn.SelfAttention'
    checkPacked(op, 'x', x)
    const { device, inputSize, causal, scale } = this
    checkTensor(op, 'x.data', x.data, { dtype: 'float32', shape: [anySize, inputSize], device })
    return scope(() => {
      const of = (projection: Linear | null) => (projection === null ? x : projection.forward(x))
      return dotAttention(of(this.query), of(this.key), of(this.value), { causal, scale })
    })
  }
}
