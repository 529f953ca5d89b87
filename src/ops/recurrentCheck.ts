import { checkInteger, checkNumber, checkOptions, checkTensor, isTensorOf } from '../check.js'
import type { Device } from '../device.js'
import { badArgument } from '../errors.js'
import type { PackedSequence } from '../packed.js'
import type { Kind, LstmWeights, RecurrentOptions } from './recurrentOptions.js'
import type { RecurrentShape } from './recurrentSaved.js'
import { checkPacked } from './rows.js'

/** Checks the arguments of forward passes over recurrent layers. */

/**
 * Checks that a weight has the given shape, or that it is absent if the shape is null. `without` is what the
 * message wants in that case.
 */
function checkWeight(
  op: string,
  weights: readonly LstmWeights[],
  i: number,
  name: keyof LstmWeights,
  shape: readonly number[] | null,
  device: Device,
  without: string,
): void {
  const value = weights[i]![name]
  if (shape === null && value == null) return
  if (shape !== null && isTensorOf(value, { dtype: 'float32', shape, device })) return
  const argument = `weights[${i}].${name}`
  if (shape === null) throw badArgument(op, argument, without, value)
  if (value == null) throw badArgument(op, argument, `shape [${shape.join(', ')}]`, value, 'ERR_SHAPE')
  checkTensor(op, argument, value, { dtype: 'float32', shape, device })
}

/** @internal */
export function checkRecurrent(
  kind: Kind,
  x: PackedSequence,
  weights: readonly LstmWeights[],
  options: RecurrentOptions,
): RecurrentShape {
  const op = `${kind.name}Forward`
  checkPacked(op, 'x', x)
  const { hiddenSize, numLayers = 1, bidirectional = false, dropout = 0, mask, h0 } = options
  const { gates, projSize, c0 } = kind
  checkInteger(op, 'hiddenSize', hiddenSize, 1, 2 ** 24)
  checkInteger(op, 'numLayers', numLayers, 1, 512)
  checkNumber(op, 'dropout', dropout, 0, 1)
  if (dropout > 0 && numLayers > 1 && mask === undefined) {
    throw badArgument(op, 'mask', 'a seed and a step, because of dropout', mask)
  }
  // Checked before the first layer runs; the dropout op would throw after it.
  if (mask !== undefined) {
    checkOptions(op, mask, { seed: true, step: true }, 'options.mask')
    checkInteger(op, 'mask.seed', mask.seed, 0, Number.MAX_SAFE_INTEGER)
    checkInteger(op, 'mask.step', mask.step, 0, 2 ** 32 - 1)
  }
  const directions = bidirectional ? 2 : 1
  const stateSize = projSize > 0 ? projSize : hiddenSize
  const { device } = x.data
  const { sequences, width: inputSize } = x
  if (weights.length !== numLayers * directions) {
    throw badArgument(
      op,
      'weights',
      `${numLayers * directions} entries, one for each layer and direction`,
      weights.length,
      'ERR_SHAPE',
    )
  }
  const bias = weights[0]?.bIh != null
  const rows = gates * hiddenSize
  for (let i = 0; i < weights.length; i++) {
    const inputs = i < directions ? inputSize : directions * stateSize
    const check = (name: keyof LstmWeights, shape: readonly number[] | null, without = '') =>
      checkWeight(op, weights, i, name, shape, device, without)
    check('wIh', [rows, inputs])
    check('wHh', [rows, stateSize])
    check('bIh', bias ? [rows] : null, 'no bias, as weights[0] has none')
    check('bHh', bias ? [rows] : null, 'no bias, as weights[0] has none')
    check('wHr', projSize > 0 ? [projSize, hiddenSize] : null, 'no projection without projSize')
  }
  const states = numLayers * directions
  if (h0 != null) {
    checkTensor(op, 'h0', h0, { dtype: 'float32', shape: [states, sequences.batchSize, stateSize], device })
  }
  if (c0 != null) {
    checkTensor(op, 'c0', c0, { dtype: 'float32', shape: [states, sequences.batchSize, hiddenSize], device })
  }
  return { kind, sequences, inputSize, hiddenSize, stateSize, numLayers, directions, bias }
}
