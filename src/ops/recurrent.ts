import { isRecorded, record } from '../autograd.js'
import { checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import type { PackedSequence } from '../packed.js'
import { ranked, type Tensor } from '../tensor.js'
import {
  type GruOptions,
  gruKind,
  type Kind,
  type LstmOptions,
  type LstmWeights,
  lstmKind,
  type RecurrentOptions,
  type RecurrentWeights,
  type RnnOptions,
  rnnKind,
  type States,
} from './recurrentOptions.js'
import { backward, type Forward, forward } from './recurrentPass.js'
import type {
  LstmGradients,
  LstmOutputGradients,
  LstmResult,
  RecurrentGradients,
  RecurrentOutputGradients,
  RecurrentResult,
  SavedIf,
} from './recurrentResult.js'
import type { RecurrentSaved } from './recurrentSaved.js'
import { checkPacked } from './rows.js'

/** Runs a forward pass on the tape. */
function recorded(
  kind: Kind,
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: RecurrentOptions,
): Forward {
  const { h0 = null } = options
  checkPacked(`${kind.name}Forward`, 'x', x)
  const inputs = [x.data, h0, kind.c0, ...weights.flatMap(partsOf)]
  const train = options.train !== false && isRecorded(inputs)
  const result = forward(kind, x, weights, { ...options, train })
  const { output, hN, cN, saved } = result
  if (saved === null) return result
  record(kind.name, inputs, cN === null ? [output.data, hN] : [output.data, hN, cN], keeper => {
    const held = keeper.own(saved)
    for (const input of inputs) if (input !== null) keeper.hold<'float32', number>(input)
    return ([dOutput, dHN, dCN], [wantsInput = false, wantsH0, wantsC0]) => {
      const given = {
        dOutput: dOutput ? ranked(dOutput, 2) : null,
        dHN: dHN ? ranked(dHN, 3) : null,
        dCN: dCN ? ranked(dCN, 3) : null,
      }
      const { dInput, dWeights, dH0, dC0 } = backward(kind.name, held, given, { input: wantsInput })
      if (!wantsH0) dH0.dispose()
      if (!wantsC0) dC0?.dispose()
      return [dInput, wantsH0 ? dH0 : null, wantsC0 ? dC0 : null, ...dWeights.flatMap(partsOf)]
    }
  })
  return result
}

function partsOf({ wIh, wHh, bIh, bHh, wHr }: LstmWeights): Tensor<'float32'>[] {
  return [wIh, wHh, bIh ?? [], bHh ?? [], wHr ?? []].flat()
}

/** Narrows the type of `saved` to the one that the option `train` implies. */
function savedIf<T extends boolean | undefined>(saved: RecurrentSaved | null): SavedIf<T> {
  return saved as SavedIf<T>
}

function withC(cN: States | null): States {
  if (cN === null) throw badArgument('lstm', 'cN', 'cell states', cN)
  return cN
}

/**
 * Runs a stack of LSTM layers over packed sequences, without a tape. For each token, from the previous states h and c:
 *
 * i, f, o = σ(W x + b + U h + b'), g = tanh(W x + b + U h + b'), c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c).
 *
 * W, b, U and b' are the gate's rows of wIh, bIh, wHh and bHh. With `projSize`, h = wHr (o ⊙ tanh(c)).
 *
 * Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000 and the projection of Sak et al.
 * 2014. Equations, weights and gate order are those of PyTorch's page torch.nn.LSTM.
 *
 * B is the number of sequences, N of tokens, I of numbers in a row of x, L of layers, D of directions (2 if
 * `bidirectional`, else 1) and H of units. R is the size of h: H, or P if `projSize` is P. All tensors are float32.
 *
 * @param x rows [N, I], one for each token; or indexed rows, as `embedding` returns: U distinct rows [U, I],
 * each of which is projected once.
 * @param weights L · D entries; the one for layer l in direction d is at l · D + d. Each has wIh [4H, I],
 * wHh [4H, R], optionally bIh and bHh [4H], and wHr [P, H] with `projSize`. The gates are stacked in the
 * order i, f, g, o. From the second layer on, I is D · R.
 * @param options `hiddenSize` H; `numLayers`, `bidirectional` and `projSize`; the initial states `h0`
 * [L · D, B, R] and `c0` [L · D, B, H], default zeros; `dropout`, a probability, and its `mask`;
 * `train: false` saves nothing for a backward pass.
 * @returns `output`, rows [N, D · R]; `hN` [L · D, B, R] and `cN` [L · D, B, H], the final states, which are
 * the initial states for an empty sequence; and `saved`, for one `lstmBackward`, or null with `train: false`.
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for dropout without a mask, biases in only some layers, or wHr
 * without `projSize`. Errors on the device, such as ERR_OUT_OF_MEMORY, reject the `await` of the results.
 * @example
 * ```ts
 * import { full, lstmForward, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const weights = [{ wIh: full([8, 1], 0.5), wHh: full([8, 2], 0.25) }]
 * const { output, hN, cN } = lstmForward(x, weights, { hiddenSize: 2 })
 * console.log(output.data.shape, hN.shape, cN.shape) // [4, 2] [1, 2, 2] [1, 2, 2]
 * console.log((await output.data.toArray())[0]?.toFixed(3)) // 0.174
 * ```
 */
export function lstmForward<const T extends boolean | undefined = undefined>(
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: LstmOptions & { train?: T },
): LstmResult & { saved: SavedIf<T> } {
  const { output, hN, cN, saved } = forward(lstmKind(options), x, weights, options)
  return { output, hN, cN: withC(cN), saved: savedIf(saved) }
}

/**
 * Runs the backward pass of `lstmForward`: back-propagation through time (Werbos 1990) over whole sequences,
 * without truncation. `lstmForward` explains the letters.
 *
 * @param saved the `saved` of a forward pass. It can be used once, because the gradients of the gates
 * overwrite the gates.
 * @param gradients the gradients of the results: dOutput [N, D · R], dHN [L · D, B, R], dCN [L · D, B, H];
 * default zeros.
 * @param wanted `input: false` skips `dInput`, for example below a frozen embedding.
 * @returns `dInput` [N, I], or [U, I] for indexed rows; `dWeights`, in the order and shapes of the weights,
 * summed over all tokens; `dH0` [L · D, B, R] and `dC0` [L · D, B, H].
 * @throws PackedRnnError ERR_GRAPH_FREED if `saved` was used before or disposed.
 * @example
 * ```ts
 * import { full, lstmBackward, lstmForward, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const weights = [{ wIh: full([8, 1], 0.5), wHh: full([8, 2], 0.25) }]
 * const { saved } = lstmForward(x, weights, { hiddenSize: 2 })
 * const { dInput, dWeights, dH0 } = lstmBackward(saved, { dHN: full([1, 2, 2], 1) })
 * console.log(dInput?.shape, dWeights[0]?.wHh.shape, dH0.shape) // [4, 1] [8, 2] [1, 2, 2]
 * ```
 */
export function lstmBackward(
  saved: RecurrentSaved,
  gradients: LstmOutputGradients,
  wanted: { input?: boolean } = {},
): LstmGradients {
  checkOptions('lstmBackward', gradients, { dOutput: true, dHN: true, dCN: true }, 'gradients')
  checkOptions('lstmBackward', wanted, { input: true }, 'wanted')
  const { dC0, ...rest } = backward('lstm', saved, gradients, wanted)
  return { ...rest, dC0: withC(dC0) }
}

/**
 * Runs `lstmForward` on the tape: `backward()` adds the gradients of x, the weights and the initial states.
 * @example
 * ```ts
 * import { full, lstm, packSequence, sum } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const wIh = full([8, 1], 0.5, { requiresGrad: true })
 * const { output, hN } = lstm(x, [{ wIh, wHh: full([8, 2], 0.25) }], { hiddenSize: 2 })
 * sum(hN).backward()
 * console.log(output.data.shape, wIh.grad?.shape) // [4, 2] [8, 1]
 * ```
 */
export function lstm(x: PackedSequence, weights: readonly LstmWeights[], options: LstmOptions): LstmResult {
  const { output, hN, cN } = recorded(lstmKind(options), x, weights, options)
  return { output, hN, cN: withC(cN) }
}

/**
 * Runs a stack of GRU layers over packed sequences, without a tape. For each token, from the previous state h:
 *
 * r, z = σ(W x + b + U h + b'), n = tanh(W x + b + r ⊙ (U h + b')), h = (1 − z) ⊙ n + z ⊙ h.
 *
 * Cho et al. 2014, in the form of PyTorch's page torch.nn.GRU, which applies the reset gate after the product.
 * `resetAfter: false` is the paper's form.
 *
 * @param x rows [N, I], one for each token; or indexed rows. `lstmForward` explains the letters; R is H.
 * @param weights L · D entries; the one for layer l in direction d is at l · D + d. Each has wIh [3H, I],
 * wHh [3H, H], and optionally bIh and bHh [3H]. The gates are stacked in the order r, z, n. From the second
 * layer on, I is D · H.
 * @param options the options of `lstmForward` without `c0` and `projSize`; and `resetAfter`.
 * @returns `output`, rows [N, D · H]; `hN` [L · D, B, H]; and `saved`, for one `gruBackward`, or null with
 * `train: false`.
 * @throws PackedRnnError in the same cases as `lstmForward`.
 * @example
 * ```ts
 * import { full, gruForward, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const weights = [{ wIh: full([6, 1], 0.5), wHh: full([6, 2], 0.25) }]
 * const { output, hN } = gruForward(x, weights, { hiddenSize: 2, train: false })
 * console.log(output.data.shape, hN.shape) // [4, 2] [1, 2, 2]
 * console.log((await output.data.toArray())[0]?.toFixed(3)) // 0.174
 * ```
 */
export function gruForward<const T extends boolean | undefined = undefined>(
  x: PackedSequence,
  weights: readonly RecurrentWeights[],
  options: GruOptions & { train?: T },
): RecurrentResult & { saved: SavedIf<T> } {
  const { output, hN, saved } = forward(gruKind(options), x, weights, options)
  return { output, hN, saved: savedIf(saved) }
}

/**
 * Runs the backward pass of `gruForward`. It works as `lstmBackward`, without cell states.
 * @returns `dInput` [N, I], or [U, I] for indexed rows; `dWeights`, in the shapes of the weights; `dH0`
 * [L · D, B, H].
 * @throws PackedRnnError ERR_GRAPH_FREED if `saved` was used before or disposed.
 * @example
 * ```ts
 * import { full, gruBackward, gruForward, packSequence } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const weights = [{ wIh: full([6, 1], 0.5), wHh: full([6, 2], 0.25) }]
 * const { saved } = gruForward(x, weights, { hiddenSize: 2 })
 * const { dInput, dWeights } = gruBackward(saved, { dOutput: full([4, 2], 1) })
 * console.log(dInput?.shape, dWeights[0]?.wIh.shape) // [4, 1] [6, 1]
 * ```
 */
export function gruBackward(
  saved: RecurrentSaved,
  gradients: RecurrentOutputGradients,
  wanted: { input?: boolean } = {},
): RecurrentGradients {
  checkOptions('gruBackward', gradients, { dOutput: true, dHN: true }, 'gradients')
  checkOptions('gruBackward', wanted, { input: true }, 'wanted')
  const { dInput, dWeights, dH0 } = backward('gru', saved, gradients, wanted)
  return { dInput, dWeights, dH0 }
}

/**
 * Runs `gruForward` on the tape: `backward()` adds the gradients of x, the weights and the initial states.
 * @example
 * ```ts
 * import { full, gru, packSequence, sum } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const wIh = full([6, 1], 0.5, { requiresGrad: true })
 * const { output, hN } = gru(x, [{ wIh, wHh: full([6, 2], 0.25) }], { hiddenSize: 2 })
 * sum(hN).backward()
 * console.log(output.data.shape, wIh.grad?.shape) // [4, 2] [6, 1]
 * ```
 */
export function gru(
  x: PackedSequence,
  weights: readonly RecurrentWeights[],
  options: GruOptions,
): RecurrentResult {
  const { output, hN } = recorded(gruKind(options), x, weights, options)
  return { output, hN }
}

/**
 * Runs a stack of Elman layers over packed sequences, without a tape. For each token, from the previous state h:
 *
 * h = φ(W x + b + U h + b'), φ = tanh or relu.
 *
 * Elman 1990, as on PyTorch's page torch.nn.RNN.
 *
 * @param x rows [N, I], one for each token; or indexed rows. `lstmForward` explains the letters; R is H.
 * @param weights L · D entries; the one for layer l in direction d is at l · D + d. Each has wIh [H, I],
 * wHh [H, H], and optionally bIh and bHh [H]. From the second layer on, I is D · H.
 * @param options the options of `lstmForward` without `c0` and `projSize`; and `nonlinearity`.
 * @returns `output`, rows [N, D · H]; `hN` [L · D, B, H]; and `saved`, for one `rnnBackward`, or null with
 * `train: false`.
 * @throws PackedRnnError in the same cases as `lstmForward`.
 * @example
 * ```ts
 * import { full, packSequence, rnnForward } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const weights = [{ wIh: full([1, 1], 1), wHh: full([1, 1], 1) }]
 * const { output, hN } = rnnForward(x, weights, { hiddenSize: 1, nonlinearity: 'relu' })
 * console.log(await output.data.toArray(), await hN.toArray()) // Float32Array(4) [1, 3, 6, 4] Float32Array(2) [6, 4]
 * ```
 */
export function rnnForward<const T extends boolean | undefined = undefined>(
  x: PackedSequence,
  weights: readonly RecurrentWeights[],
  options: RnnOptions & { train?: T },
): RecurrentResult & { saved: SavedIf<T> } {
  const { output, hN, saved } = forward(rnnKind(options), x, weights, options)
  return { output, hN, saved: savedIf(saved) }
}

/**
 * Runs the backward pass of `rnnForward`. It works as `lstmBackward`, without cell states.
 * @returns `dInput` [N, I], or [U, I] for indexed rows; `dWeights`, in the shapes of the weights; `dH0`
 * [L · D, B, H].
 * @throws PackedRnnError ERR_GRAPH_FREED if `saved` was used before or disposed.
 * @example
 * ```ts
 * import { full, packSequence, rnnBackward, rnnForward } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const weights = [{ wIh: full([1, 1], 1), wHh: full([1, 1], 1) }]
 * const { saved } = rnnForward(x, weights, { hiddenSize: 1, nonlinearity: 'relu' })
 * const { dInput, dWeights } = rnnBackward(saved, { dHN: full([1, 2, 1], 1) })
 * console.log(await dInput?.toArray(), await dWeights[0]?.wIh.toArray()) // Float32Array(4) [1, 1, 1, 1] Float32Array(1) [10]
 * ```
 */
export function rnnBackward(
  saved: RecurrentSaved,
  gradients: RecurrentOutputGradients,
  wanted: { input?: boolean } = {},
): RecurrentGradients {
  checkOptions('rnnBackward', gradients, { dOutput: true, dHN: true }, 'gradients')
  checkOptions('rnnBackward', wanted, { input: true }, 'wanted')
  const { dInput, dWeights, dH0 } = backward('rnn', saved, gradients, wanted)
  return { dInput, dWeights, dH0 }
}

/**
 * Runs `rnnForward` on the tape: `backward()` adds the gradients of x, the weights and the initial states.
 * @example
 * ```ts
 * import { full, packSequence, rnn, sum } from 'packed-rnn'
 *
 * const x = packSequence([Float32Array.of(1, 2, 3), Float32Array.of(4)], { inputSize: 1 })
 * const wIh = full([1, 1], 1, { requiresGrad: true })
 * const options = { hiddenSize: 1, nonlinearity: 'relu' } as const
 * const { hN } = rnn(x, [{ wIh, wHh: full([1, 1], 1) }], options)
 * sum(hN).backward()
 * console.log(await hN.toArray(), await wIh.grad?.toArray()) // Float32Array(2) [6, 4] Float32Array(1) [10]
 * ```
 */
export function rnn(
  x: PackedSequence,
  weights: readonly RecurrentWeights[],
  options: RnnOptions,
): RecurrentResult {
  const { output, hN } = recorded(rnnKind(options), x, weights, options)
  return { output, hN }
}
