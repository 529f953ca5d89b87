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
  type RecurrentSaved,
  type RecurrentWeights,
  type RnnOptions,
  rnnKind,
  type States,
} from './recurrentInput.js'
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
import { checkPacked } from './rows.js'

/** A forward pass on the tape. */
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

/** The type of `saved` says whether a backward pass was asked for, which is the default. */
function savedIf<T extends boolean | undefined>(saved: RecurrentSaved | null): SavedIf<T> {
  return saved as SavedIf<T>
}

function withC(cN: States | null): States {
  if (cN === null) throw badArgument('lstm', 'cN', 'cell states', cN)
  return cN
}

/**
 * A stack of LSTM layers over packed sequences, without a tape. For each token, from the states before it:
 *
 * i, f, o = σ(W x + b + U h + b'), g = tanh(W x + b + U h + b'), c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c), where W, b, U and b'
 * are the gate's rows of wIh, bIh, wHh and bHh; with `projSize` h = wHr (o ⊙ tanh(c)).
 *
 * Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000 and the projection of Sak et al. 2014; the
 * equations, weights and gate order of PyTorch's page torch.nn.LSTM.
 *
 * B sequences with N tokens in all, I numbers a token, L layers, D directions (2 if `bidirectional`), H units, and R
 * numbers in h: H, or P where `projSize` is P. All are float32. Time is counted in tokens.
 *
 * @param x rows [N, I], one a token; or indexed, distinct rows [U, I] as from `embedding`: each is projected once.
 * @param weights L · D of them, of layer l in direction d at l · D + d: wIh [4H, I], wHh [4H, R], bIh and bHh [4H] or
 * none, wHr [P, H] with `projSize`; gates i, f, g, o below each other. I is D · R from the second layer on.
 * @param options `hiddenSize` H; `numLayers`, `bidirectional`, `projSize`; h0 [L · D, B, R] and c0 [L · D, B, H], default
 * zeros; `dropout`, a probability, with its `mask`; `train: false` saves nothing.
 * @returns `output`, rows [N, D · R]; `hN` [L · D, B, R] and `cN` [L · D, B, H], the states after each sequence's last
 * token, its initial ones where it is empty; and `saved`, for one `lstmBackward`, null with `train: false`.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE or ERR_DISPOSED for a tensor that does not fit;
 * ERR_OUT_OF_RANGE for a size or a probability outside its range; ERR_INVALID_ARGUMENT for dropout without a mask,
 * biases of some layers alone, wHr without `projSize`, an unknown option, or something that is no tensor. Nothing was
 * computed then.
 * What fails later, as ERR_OUT_OF_MEMORY, rejects the `await` of the results.
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
 * The backward pass of `lstmForward`, by back-propagation through time (Werbos 1990) over whole sequences: nothing is
 * truncated. Letters as there.
 *
 * @param saved of a forward pass; it is used up, because the gates' gradients take the gates' place.
 * @param gradients of the loss in the results: dOutput [N, D · R], dHN [L · D, B, R], dCN [L · D, B, H]; zeros for those
 * left out.
 * @param wanted `input: false` leaves `dInput` out, as for a frozen embedding.
 * @returns `dInput` [N, I], or [U, I] of an indexed x; `dWeights`, in the order and shapes of the weights, summed over
 * all tokens; `dH0` [L · D, B, R], `dC0` [L · D, B, H].
 * @throws PackedRnnError ERR_GRAPH_FREED for a `saved` used before or disposed; ERR_INVALID_ARGUMENT for one of another
 * op, or an unknown name in `gradients` or `wanted`; ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED for a gradient that
 * does not fit.
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
 * `lstmForward` on the tape: `backward()` of what is computed from its results gives gradients in x, weights and states.
 * @throws PackedRnnError as `lstmForward`.
 */
export function lstm(x: PackedSequence, weights: readonly LstmWeights[], options: LstmOptions): LstmResult {
  const { output, hN, cN } = recorded(lstmKind(options), x, weights, options)
  return { output, hN, cN: withC(cN) }
}

/**
 * A stack of GRU layers over packed sequences, without a tape. For each token, from the state before it:
 *
 * r, z = σ(W x + b + U h + b'), n = tanh(W x + b + r ⊙ (U h + b')), h = (1 − z) ⊙ n + z ⊙ h.
 *
 * Cho et al. 2014, in the form of PyTorch's page torch.nn.GRU, where the reset gate acts after the product;
 * `resetAfter: false` is the paper's.
 *
 * @param x rows [N, I], one a token; or indexed. Letters as in `lstmForward`; R is H.
 * @param weights L · D of them, of layer l in direction d at l · D + d: wIh [3H, I], wHh [3H, H], bIh and bHh [3H] or
 * none; gates r, z, n below each other. I is D · H from the second layer on.
 * @param options as of `lstmForward`, with h0 [L · D, B, H] alone; `resetAfter`.
 * @returns `output`, rows [N, D · H]; `hN` [L · D, B, H]; and `saved`, for one `gruBackward`, null with `train: false`.
 * @throws PackedRnnError as `lstmForward`.
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
 * The backward pass of `gruForward`: `lstmBackward` without cell states.
 * @returns `dInput` [N, I], or [U, I] of an indexed x; `dWeights`, as the weights; `dH0` [L · D, B, H].
 * @throws PackedRnnError as `lstmBackward`.
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

/** `gruForward` on the tape. @throws PackedRnnError as `lstmForward`. */
export function gru(
  x: PackedSequence,
  weights: readonly RecurrentWeights[],
  options: GruOptions,
): RecurrentResult {
  const { output, hN } = recorded(gruKind(options), x, weights, options)
  return { output, hN }
}

/**
 * A stack of Elman layers over packed sequences, without a tape. For each token, from the state before it:
 *
 * h = φ(W x + b + U h + b'), φ = tanh or relu.
 *
 * Elman 1990, as on PyTorch's page torch.nn.RNN.
 *
 * @param x rows [N, I], one a token; or indexed. Letters as in `lstmForward`; R is H.
 * @param weights L · D of them, of layer l in direction d at l · D + d: wIh [H, I], wHh [H, H], bIh and bHh [H] or none.
 * I is D · H from the second layer on.
 * @param options as of `lstmForward`, with h0 [L · D, B, H] alone; `nonlinearity`.
 * @returns `output`, rows [N, D · H]; `hN` [L · D, B, H]; and `saved`, for one `rnnBackward`, null with `train: false`.
 * @throws PackedRnnError as `lstmForward`; ERR_INVALID_ARGUMENT for another nonlinearity.
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
 * The backward pass of `rnnForward`: `lstmBackward` without cell states.
 * @returns `dInput` [N, I], or [U, I] of an indexed x; `dWeights`, as the weights; `dH0` [L · D, B, H].
 * @throws PackedRnnError as `lstmBackward`.
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

/** `rnnForward` on the tape. @throws PackedRnnError as `rnnForward`. */
export function rnn(
  x: PackedSequence,
  weights: readonly RecurrentWeights[],
  options: RnnOptions,
): RecurrentResult {
  const { output, hN } = recorded(rnnKind(options), x, weights, options)
  return { output, hN }
}
