import { anySize, checkInteger, checkOptions, checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { linear } from '../ops/linear.js'
import { unfold } from '../ops/sequences.js'
import { permute, reshape } from '../ops/shape.js'
import { PackedSequence, Sequences } from '../packed.js'
import { ranked, type Tensor, type Vector } from '../tensor.js'
import { Module, type ModuleOptions, moduleNames } from './module.js'

/** Options of `Conv1d`. */
export interface Conv1dOptions extends ModuleOptions {
  /** The columns of x. */
  inChannels: number
  /** The columns of y. */
  outChannels: number
  /** k, the size of the kernel in tokens. */
  kernelSize: number
  /** The distance between the tokens that the kernel reads; default 1. */
  dilation?: number
  /**
   * Zeros added around each sequence: a number for both sides; `'same'`, so that y is as long as x; or `'causal'`, all of them
   * before the sequence, so that y at t depends only on x up to t. Default 0.
   */
  padding?: number | 'same' | 'causal'
  /** Whether the layer has a bias; default true. */
  bias?: boolean
}

/**
 * A convolution over time with stride 1, as torch.nn.Conv1d. Each sequence of a packed batch is convolved separately, and nothing
 * is padded to the longest. `weight` [out, in, k] and `bias` [out] are initialized from U(−1/√(in · k), 1/√(in · k)).
 *
 * @example
 * ```ts
 * import { nn, packSequence, randn } from 'packed-rnn'
 *
 * const conv = new nn.Conv1d({ inChannels: 4, outChannels: 8, kernelSize: 3 })
 * console.log(conv.forward(randn([2, 4, 10])).shape) // [2, 8, 8]
 * const causal = new nn.Conv1d({ inChannels: 4, outChannels: 8, kernelSize: 3, padding: 'causal' })
 * const rows = packSequence([new Float32Array(20), new Float32Array(4)], { inputSize: 4 })
 * console.log(causal.forward(rows).sequences.lengths()) // Int32Array(2) [5, 1]
 * ```
 */
export class Conv1d extends Module {
  readonly kernelSize: number
  readonly dilation: number
  readonly padding: number | 'same' | 'causal'
  /** [out, in, k] */
  weight: Tensor<'float32', 3>
  /** [out] */
  bias: Vector | null

  /** @throws PackedRnnError if a size is below 1, the padding is invalid, or an option is unknown. */
  constructor(options: Conv1dOptions) {
    const op = 'nn.Conv1d'
    checkOptions(op, options, {
      ...moduleNames,
      inChannels: true,
      outChannels: true,
      kernelSize: true,
      dilation: true,
      padding: true,
      bias: true,
    })
    super(options)
    const { inChannels, outChannels, kernelSize, dilation = 1, padding = 0, bias = true } = options
    checkInteger(op, 'inChannels', inChannels, 1)
    checkInteger(op, 'outChannels', outChannels, 1)
    checkInteger(op, 'kernelSize', kernelSize, 1)
    checkInteger(op, 'dilation', dilation, 1)
    if (typeof padding === 'number') checkInteger(op, 'padding', padding, 0)
    else if (padding !== 'same' && padding !== 'causal') {
      throw badArgument(op, 'padding', "an integer, 'same' or 'causal'", padding)
    }
    this.kernelSize = kernelSize
    this.dilation = dilation
    this.padding = padding
    const bound = 1 / Math.sqrt(inChannels * kernelSize)
    this.weight = this.uniform<3>('weight', [outChannels, inChannels, kernelSize], bound)
    this.bias = bias ? this.uniform<1>('bias', [outChannels], bound) : null
  }

  /**
   * Applies the convolution.
   *
   * @param x packed rows [N, in], or [N, in, L] as in PyTorch.
   * @returns packed rows [N, out], or [N, out, L'] with L' = L + total padding − dilation · (k − 1).
   * @throws PackedRnnError if x has the wrong number of channels or is on another device.
   */
  forward<X extends PackedSequence | Tensor<'float32', 3>>(x: X): X
  forward(x: PackedSequence | Tensor<'float32', 3>): PackedSequence | Tensor<'float32', 3> {
    const op = 'nn.Conv1d'
    const [outChannels, inChannels] = this.weight.shape
    if (x instanceof PackedSequence) {
      if (x.width === inChannels) return this.#convolve(x)
      throw badArgument(op, 'x', `rows of ${inChannels} numbers`, x.width, 'ERR_SHAPE')
    }
    checkTensor(op, 'x', x, { dtype: 'float32', shape: [anySize, inChannels, anySize], device: this.device })
    const [N, , L] = x.shape
    using channelsLast = permute(x, [0, 2, 1])
    using rows = reshape(channelsLast, [N * L, inChannels])
    using y = this.#convolve(new PackedSequence(rows, new Sequences(new Int32Array(N).fill(L))))
    using apart = reshape(y.data, [N, N === 0 ? 0 : y.sequences.rows / N, outChannels])
    return ranked(permute(apart, [0, 2, 1]), 3)
  }

  #convolve(x: PackedSequence): PackedSequence {
    const { kernelSize, dilation, padding, bias } = this
    const [outChannels, inChannels] = this.weight.shape
    using windows = unfold(x, { kernelSize, dilation, padding })
    using taps = permute(this.weight, [0, 2, 1])
    using matrix = reshape(taps, [outChannels, kernelSize * inChannels])
    return new PackedSequence(linear(windows.data, matrix, bias), windows.sequences)
  }
}
