import { checkTensor } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import { native, type PerDirection } from '../native.js'
import { kernelOffsets, PackedSequence, type RowIndex } from '../packed.js'
import { empty, type Matrix } from '../tensor.js'
import { dropoutForward } from './dropout.js'
import { checkRecurrent } from './recurrentCheck.js'
import type { Kind, LstmWeights, RecurrentOptions, States } from './recurrentOptions.js'
import type { LstmOutputGradients, RecurrentGradients } from './recurrentResult.js'
import { type Layer, RecurrentSaved, type RecurrentShape } from './recurrentSaved.js'

/** The passes over a stack of recurrent layers, one native op for each layer, without a tape. */

/** Returns one part of the weights of layer l, or of their gradients, for each direction. */
function perDirection(
  weights: readonly LstmWeights[],
  l: number,
  directions: number,
  part: keyof LstmWeights,
): PerDirection {
  const first = weights[l * directions]![part]?.buffer ?? null
  return directions === 1 ? [first] : [first, weights[l * 2 + 1]![part]?.buffer ?? null]
}

/** Returns the arguments that the forward and the backward op of layer l share. */
function layerArguments(
  shape: RecurrentShape,
  weights: readonly LstmWeights[],
  l: number,
  input: Matrix,
  index: RowIndex | null,
  { h0, c0 }: { h0: States | null; c0: States | null },
) {
  const { kind, sequences, hiddenSize, directions } = shape
  return {
    cell: kind.cell,
    inputSize: input.shape[1],
    hiddenSize,
    projectionSize: kind.projSize,
    directions,
    rows: sequences.rows,
    distinctRows: input.shape[0],
    layer: l,
    layers: shape.numLayers,
    sequences: kernelOffsets(sequences),
    x: input.buffer,
    index: index?.index.buffer ?? null,
    starts: index?.starts.buffer ?? null,
    order: index?.order.buffer ?? null,
    wIh: perDirection(weights, l, directions, 'wIh'),
    wHh: perDirection(weights, l, directions, 'wHh'),
    bIh: perDirection(weights, l, directions, 'bIh'),
    bHh: perDirection(weights, l, directions, 'bHh'),
    wHr: perDirection(weights, l, directions, 'wHr'),
    h0: h0?.buffer ?? null,
    c0: c0?.buffer ?? null,
  }
}

function savedCount(device: Device, { kind, hiddenSize, directions, sequences }: RecurrentShape): number {
  return native.recurrentSavedCount(
    device.queue,
    kind.cell,
    hiddenSize,
    kind.projSize,
    directions,
    sequences.rows,
  )
}

/** The result of a forward pass; `cN` is null except in an LSTM. @internal */
export interface Forward {
  output: PackedSequence
  hN: States
  cN: States | null
  saved: RecurrentSaved | null
}

/** Runs the forward pass of all layers, without recording it. @internal */
export function forward(
  kind: Kind,
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: RecurrentOptions,
): Forward {
  const shape = checkRecurrent(kind, x, weights, options)
  const { sequences, hiddenSize, stateSize, numLayers, directions } = shape
  const { device } = x.data
  const { train = true, dropout = 0, mask, h0 = null } = options
  const states = numLayers * directions
  const hN = empty<3>(device, [states, sequences.batchSize, stateSize])
  const cN = kind.name === 'lstm' ? empty<3>(device, [states, sequences.batchSize, hiddenSize]) : null
  const layers: Layer[] = []
  const between: Matrix[] = []
  let input = x.data
  let index = x.index
  for (let l = 0; l < numLayers; l++) {
    const output = empty<2>(device, [sequences.rows, directions * stateSize])
    const saved = train ? empty<1>(device, [savedCount(device, shape)]) : null
    const shared = layerArguments(shape, weights, l, input, index, { h0, c0: kind.c0 })
    const results = {
      output: output.buffer,
      hN: hN.buffer,
      cN: cN?.buffer ?? null,
      saved: saved?.buffer ?? null,
    }
    // Not a spread: copying so many fields takes longer than the call.
    native.recurrentForward(device.queue, Object.assign(shared, results))
    const masked = dropout > 0 && mask !== undefined && l < numLayers - 1
    const place = masked ? { ...mask, stream: l, sequences, directions } : null
    if (saved !== null) layers.push({ input, index, output, saved, mask: place })
    input = place === null ? output : dropoutForward(output, dropout, place)
    if (input !== output) between.push(output)
    between.push(input)
    index = null
  }
  const saved = train ? new RecurrentSaved(shape, weights, h0, layers, dropout) : null
  for (const tensor of between) if (tensor !== input) tensor.dispose()
  return { output: new PackedSequence(input, sequences), hN, cN, saved }
}

/** Runs the backward pass of all layers, from the last one down. @internal */
export function backward(
  name: Kind['name'],
  saved: RecurrentSaved,
  gradients: LstmOutputGradients,
  wanted: { input?: boolean },
): RecurrentGradients & { dWeights: LstmWeights[]; dC0: States | null } {
  const op = `${name}Backward`
  if (!(saved instanceof RecurrentSaved)) throw badArgument(op, 'saved', `saved from ${name}Forward`, saved)
  const { shape, weights, layers } = saved
  const { sequences, hiddenSize, stateSize, numLayers, directions, kind } = shape
  const { dOutput = null, dHN = null, dCN = null } = gradients
  saved.check(name)
  const { device } = layers[0]!.input
  const hShape = [numLayers * directions, sequences.batchSize, stateSize] as const
  const cShape = [numLayers * directions, sequences.batchSize, hiddenSize] as const
  if (dOutput) {
    const wantedShape = [sequences.rows, directions * stateSize]
    checkTensor(op, 'dOutput', dOutput, { dtype: 'float32', shape: wantedShape, device })
  }
  if (dHN) checkTensor(op, 'dHN', dHN, { dtype: 'float32', shape: hShape, device })
  if (dCN) checkTensor(op, 'dCN', dCN, { dtype: 'float32', shape: cShape, device })
  const dH0 = empty<3>(device, hShape)
  const dC0 = kind.name === 'lstm' ? empty<3>(device, cShape) : null
  const dWeights = weights.map(({ wIh, wHh, bIh, bHh, wHr }) => ({
    wIh: empty<2>(device, wIh.shape),
    wHh: empty<2>(device, wHh.shape),
    bIh: bIh ? empty<1>(device, bIh.shape) : null,
    bHh: bHh ? empty<1>(device, bHh.shape) : null,
    wHr: wHr ? empty<2>(device, wHr.shape) : null,
  }))
  let above = dOutput
  for (let l = numLayers - 1; l >= 0; l--) {
    const layer = layers[l]!
    const dX = l > 0 || wanted.input !== false ? empty<2>(device, layer.input.shape) : null
    const shared = layerArguments(shape, weights, l, layer.input, layer.index, saved)
    const results = {
      output: layer.output.buffer,
      saved: layer.saved.buffer,
      dOutput: above?.buffer ?? null,
      dHN: dHN?.buffer ?? null,
      dCN: dCN?.buffer ?? null,
      dX: dX?.buffer ?? null,
      dH0: dH0.buffer,
      dC0: dC0?.buffer ?? null,
      dWIh: perDirection(dWeights, l, directions, 'wIh'),
      dWHh: perDirection(dWeights, l, directions, 'wHh'),
      dBIh: perDirection(dWeights, l, directions, 'bIh'),
      dBHh: perDirection(dWeights, l, directions, 'bHh'),
      dWHr: perDirection(dWeights, l, directions, 'wHr'),
    }
    native.recurrentBackward(device.queue, Object.assign(shared, results))
    if (above !== dOutput) above?.dispose()
    const place = layers[l - 1]?.mask
    above = dX && place ? dropoutForward(dX, saved.dropout, place) : dX
    if (above !== dX) dX?.dispose()
  }
  saved.dispose()
  return { dInput: above, dWeights, dH0, dC0 }
}
