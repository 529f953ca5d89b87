import { isRecorded, record } from '../autograd.js'
import { checkTensor } from '../check.js'
import { badArgument } from '../errors.js'
import { type LstmLayer, native } from '../native.js'
import { PackedSequence, type RowIndex } from '../packed.js'
import { empty, outlive, ranked, type Tensor } from '../tensor.js'
import { dropoutForward } from './dropout.js'
import {
  checkLstm,
  type Layer,
  type LstmOptions,
  LstmSaved,
  type LstmShape,
  type LstmWeights,
} from './recurrentInput.js'

type Matrix = Tensor<'float32', 2>
type States = Tensor<'float32', 3>

/** The arguments that the forward and the backward op of layer l share. */
function layerArguments(
  shape: LstmShape,
  weights: readonly LstmWeights[],
  l: number,
  input: Matrix,
  index: RowIndex | null,
  states: { h0: States | null; c0: States | null },
): LstmLayer {
  const { sequences, hiddenSize, directions } = shape
  const own = weights.slice(l * directions, (l + 1) * directions)
  const biases = (name: 'bIh' | 'bHh') => own.flatMap(weight => weight[name]?.buffer ?? [])
  return {
    rows: sequences.rows,
    distinctRows: input.shape[0],
    inputSize: input.shape[1],
    hiddenSize,
    directions,
    stateOffset: l * directions * sequences.batchSize * hiddenSize,
    offsets: sequences.offsets,
    x: input.buffer,
    index: index?.index.buffer ?? null,
    starts: index?.starts.buffer ?? null,
    order: index?.order.buffer ?? null,
    wIh: own.map(weight => weight.wIh.buffer),
    wHh: own.map(weight => weight.wHh.buffer),
    bIh: shape.bias ? biases('bIh') : null,
    bHh: shape.bias ? biases('bHh') : null,
    h0: states.h0?.buffer ?? null,
    c0: states.c0?.buffer ?? null,
  }
}

export interface LstmResult {
  /** The hidden state after each token: rows of D·H numbers, forward direction first. */
  output: PackedSequence
  /** The last states [L·D, B, H], row layer · D + direction; an empty sequence's are its initial ones. */
  hN: States
  cN: States
}

/**
 * A stack of LSTM layers over packed sequences (torch.nn.LSTM's equations and weights), without a tape:
 * i, f, o = σ(W x + U h + b), g = tanh(…), c = f ⊙ c + i ⊙ g, h = o ⊙ tanh(c).
 *
 * @param x rows of I numbers, one a token; or indexed, as from `embedding`: then each distinct row is projected once.
 * @param weights for each layer and direction, in the order layer · D + direction.
 * @returns `output`, `hN`, `cN` and `saved`, for one `lstmBackward`; null with `train: false`.
 * @throws PackedRnnError ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED, ERR_OUT_OF_RANGE.
 */
export function lstmForward(
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: LstmOptions & { train: false },
): LstmResult & { saved: null }
export function lstmForward(
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: LstmOptions & { train?: true },
): LstmResult & { saved: LstmSaved }
export function lstmForward(
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: LstmOptions,
): LstmResult & { saved: LstmSaved | null }
export function lstmForward(
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: LstmOptions,
): LstmResult & { saved: LstmSaved | null } {
  const shape = checkLstm(x, weights, options)
  const { sequences, hiddenSize, numLayers, directions } = shape
  const { device } = x.data
  const { train = true, dropout = 0, mask, h0 = null, c0 = null } = options
  const hN = empty<3>(device, [numLayers * directions, sequences.batchSize, hiddenSize])
  const cN = empty<3>(device, hN.shape)
  const layers: Layer[] = []
  const between: Matrix[] = []
  let input = x.data
  let index = x.index
  for (let l = 0; l < numLayers; l++) {
    const output = empty<2>(device, [sequences.rows, directions * hiddenSize])
    const size = native.lstmSavedCount(device.queue, sequences.rows, hiddenSize, directions)
    const saved = train ? outlive(empty<1>(device, [size])) : null
    native.lstmForward(device.queue, {
      ...layerArguments(shape, weights, l, input, index, { h0, c0 }),
      output: output.buffer,
      hN: hN.buffer,
      cN: cN.buffer,
      saved: saved?.buffer ?? null,
    })
    const masked = train && dropout > 0 && mask !== undefined && l < numLayers - 1
    const place = masked ? { ...mask, stream: l, sequences, directions } : null
    if (saved !== null) layers.push({ input, index, output, saved, mask: place })
    input = place === null ? output : dropoutForward(output, dropout, place)
    between.push(...new Set([output, input]))
    index = null
  }
  const saved = train ? new LstmSaved(shape, weights, h0, c0, layers, dropout) : null
  for (const tensor of between) if (tensor !== input) tensor.dispose()
  return { output: new PackedSequence(input, sequences), hN, cN, saved }
}

/** The gradients in an LSTM's results; those left out are zeros. */
export interface LstmOutputGradients {
  /** [N, D·H] */
  dOutput?: Matrix | null
  /** [L·D, B, H] */
  dHN?: States | null
  dCN?: States | null
}

export interface LstmGradients {
  /** [N, I], or for an indexed input [U, I]: a distinct row's sum over all its places. */
  dInput: Matrix | null
  /** In the order and shapes of the weights. */
  dWeights: LstmWeights[]
  /** [L·D, B, H] */
  dH0: States
  dC0: States
}

/**
 * The backward pass of `lstmForward`, by back-propagation through time over whole sequences.
 *
 * @param saved of a forward pass; it is used up.
 * @param wanted `input: false` leaves `dInput` out, as for a frozen embedding.
 * @throws PackedRnnError ERR_GRAPH_FREED for a `saved` used before; ERR_SHAPE, ERR_DTYPE, ERR_DEVICE, ERR_DISPOSED.
 */
export function lstmBackward(
  saved: LstmSaved,
  gradients: LstmOutputGradients,
  wanted: { input?: boolean } = {},
): LstmGradients {
  const op = 'lstmBackward'
  const { shape, weights, layers, h0, c0 } = saved
  const { sequences, hiddenSize, numLayers, directions } = shape
  const states = [numLayers * directions, sequences.batchSize, hiddenSize] as const
  const { dOutput = null, dHN = null, dCN = null } = gradients
  const first = layers[0]
  if (first === undefined) throw badArgument(op, 'saved', 'at least one layer', layers.length)
  const { device } = first.input
  const width = directions * hiddenSize
  if (dOutput)
    checkTensor(op, 'dOutput', dOutput, { dtype: 'float32', shape: [sequences.rows, width], device })
  if (dHN) checkTensor(op, 'dHN', dHN, { dtype: 'float32', shape: states, device })
  if (dCN) checkTensor(op, 'dCN', dCN, { dtype: 'float32', shape: states, device })
  saved.use()
  const dH0 = empty<3>(device, states)
  const dC0 = empty<3>(device, states)
  const dWeights = weights.map(({ wIh, wHh, bIh, bHh }) => ({
    wIh: empty<2>(device, wIh.shape),
    wHh: empty<2>(device, wHh.shape),
    bIh: bIh ? empty<1>(device, bIh.shape) : null,
    bHh: bHh ? empty<1>(device, bHh.shape) : null,
  }))
  let above = dOutput
  for (let l = numLayers - 1; l >= 0; l--) {
    const layer = layers[l]!
    const dX = l > 0 || wanted.input !== false ? empty<2>(device, layer.input.shape) : null
    const own = dWeights.slice(l * directions, (l + 1) * directions)
    native.lstmBackward(device.queue, {
      ...layerArguments(shape, weights, l, layer.input, layer.index, { h0, c0 }),
      output: layer.output.buffer,
      saved: layer.saved.buffer,
      dOutput: above?.buffer ?? null,
      dHN: dHN?.buffer ?? null,
      dCN: dCN?.buffer ?? null,
      dX: dX?.buffer ?? null,
      dH0: dH0.buffer,
      dC0: dC0.buffer,
      dWIh: own.map(gradient => gradient.wIh.buffer),
      dWHh: own.map(gradient => gradient.wHh.buffer),
      dBIh: shape.bias ? own.flatMap(gradient => gradient.bIh?.buffer ?? []) : null,
      dBHh: shape.bias ? own.flatMap(gradient => gradient.bHh?.buffer ?? []) : null,
    })
    if (above !== dOutput) above?.dispose()
    const place = layers[l - 1]?.mask
    above = dX && place ? dropoutForward(dX, saved.dropout, place) : dX
    if (above !== dX) dX?.dispose()
  }
  saved.dispose()
  return { dInput: above, dWeights, dH0, dC0 }
}

/** `lstmForward` on the tape. */
export function lstm(x: PackedSequence, weights: readonly LstmWeights[], options: LstmOptions): LstmResult {
  const { h0 = null, c0 = null } = options
  const flat = weights.flatMap(({ wIh, wHh, bIh, bHh }) => (bIh && bHh ? [wIh, wHh, bIh, bHh] : [wIh, wHh]))
  const inputs = [x.data, h0, c0, ...flat]
  const train = options.train !== false && isRecorded(inputs)
  const { output, hN, cN, saved } = lstmForward(x, weights, { ...options, train })
  if (saved === null) return { output, hN, cN }
  record('lstm', inputs, [output.data, hN, cN], keeper => {
    const held = keeper.own(saved)
    for (const input of inputs) if (input !== null) keeper.hold<'float32', number>(input)
    return ([dOutput, dHN, dCN], [wantsInput = false, wantsH0, wantsC0]) => {
      const given = {
        dOutput: dOutput ? ranked(dOutput, 2) : null,
        dHN: dHN ? ranked(dHN, 3) : null,
        dCN: dCN ? ranked(dCN, 3) : null,
      }
      const { dInput, dWeights, dH0, dC0 } = lstmBackward(held, given, { input: wantsInput })
      if (!wantsH0) dH0.dispose()
      if (!wantsC0) dC0.dispose()
      const ofWeights = dWeights.flatMap(({ wIh, wHh, bIh, bHh }) => [
        wIh,
        wHh,
        ...(bIh && bHh ? [bIh, bHh] : []),
      ])
      return [dInput, wantsH0 ? dH0 : null, wantsC0 ? dC0 : null, ...ofWeights]
    }
  })
  return { output, hN, cN }
}
