/** A case's recurrent layers alone on sequences of equal length. oneDNN computes the same. */
import type { Device } from '../device.js'
import { type BenchCase, gatesOf, inputsOf } from './cases.js'
import { hashed } from './hashed.js'
import { type BenchModel, commonName, read } from './model.js'
import type { Pass } from './passes.js'

/** The index of the first hashed number of the outputs' gradients, as in bench/peers/onednn_lstm.cpp. */
const FIRST_OF_GRADIENTS = 2 ** 30

export interface EqualLengths {
  pass: Pass
  /** T */
  steps: number
  /** N */
  sequences: number
}

/**
 * The arrays that a pass returns, in order, and their lengths. They are the last states [N, D·H]; for a step also the gradients
 * of the weights, and the gradient of the input of the first and the last sequence, [2, T, I].
 */
export function equalLengthsParts(
  spec: BenchCase,
  { pass, steps, sequences }: EqualLengths,
): { name: string; count: number }[] {
  const { cell, hiddenSize: H, numLayers } = spec
  const suffixes = suffixesOf(spec)
  const states = { name: 'lastHidden', count: sequences * suffixes.length * H }
  if (pass === 'forward') return [states]
  const rows = gatesOf[cell] * H
  const gradients = Array.from({ length: numLayers }, (_, l) =>
    suffixes.flatMap(suffix => [
      { name: `weight_ih_l${l}${suffix}`, count: rows * inputsOf(spec, l) },
      { name: `weight_hh_l${l}${suffix}`, count: rows * H },
      { name: `bias_ih_l${l}${suffix}`, count: rows },
    ]),
  ).flat()
  return [states, ...gradients, { name: 'input', count: 2 * steps * inputsOf(spec, 0) }]
}

/** The arrays by name. @throws Error if the number of values is wrong. */
export function splitEqualLengths(
  spec: BenchCase,
  given: EqualLengths,
  numbers: Float32Array,
): Record<string, Float32Array> {
  const parts = equalLengthsParts(spec, given)
  const wanted = parts.reduce((total, { count }) => total + count, 0)
  if (numbers.length !== wanted) throw new Error(`wanted ${wanted} numbers, got ${numbers.length}`)
  let at = 0
  return Object.fromEntries(
    parts.map(({ name, count }) => {
      at += count
      return [name, numbers.subarray(at - count, at)]
    }),
  )
}

/** The numbers of `equalLengthsParts`, one array after the other. */
export async function computeEqualLengths(
  spec: BenchCase,
  device: Device,
  { library, recurrent, module }: BenchModel,
  given: EqualLengths,
): Promise<Float32Array> {
  const { pass, steps, sequences } = given
  const { multiply, PackedSequence, Sequences, scope, sum, tensor } = library
  const inputs = inputsOf(spec, 0)
  const width = suffixesOf(spec).length * spec.hiddenSize
  const rows = steps * sequences
  using data = tensor(hashed(rows * inputs), [rows, inputs], { device, requiresGrad: pass !== 'forward' })
  const x = new PackedSequence(data, new Sequences(new Int32Array(sequences).fill(steps)))
  const found = new Map([['lastHidden', await read(library, () => recurrent.forward(x).lastHidden())]])
  if (pass !== 'forward') {
    scope(() => {
      const { output } = recurrent.forward(x)
      // The gradient of this sum with respect to the output is the factor of the output.
      const gradient = gradientOf(given, width, spec.hiddenSize)
      sum(multiply(output.data, tensor(gradient, [rows, width], { device }))).backward()
    })
    for (const [name, parameter] of module.namedParameters()) {
      const gradient = await parameter.grad?.toArray()
      if (gradient !== undefined) found.set(commonName(name).replace('recurrent.', ''), gradient)
    }
    const dInput = (await data.grad?.toArray()) ?? new Float32Array()
    const one = steps * inputs
    found.set('input', joined([dInput.subarray(0, one), dInput.subarray(dInput.length - one)]))
    data.grad?.dispose()
    module.zeroGrad()
  }
  return joined(equalLengthsParts(spec, given).map(({ name }) => found.get(name) ?? new Float32Array()))
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const numbers = new Float32Array(parts.reduce((total, { length }) => total + length, 0))
  let at = 0
  for (const part of parts) {
    numbers.set(part, at)
    at += part.length
  }
  return numbers
}

/** [N·T, D·H]: dense, or zeros except at the last token of the first direction and the first token of the second. */
function gradientOf(
  { pass, steps, sequences }: EqualLengths,
  width: number,
  hiddenSize: number,
): Float32Array {
  const gradient = hashed(sequences * steps * width, { first: FIRST_OF_GRADIENTS })
  if (pass === 'step') return gradient
  for (let row = 0; row < sequences * steps; row++) {
    const t = row % steps
    if (t < steps - 1) gradient.fill(0, row * width, row * width + hiddenSize)
    if (t > 0) gradient.fill(0, row * width + hiddenSize, (row + 1) * width)
  }
  return gradient
}

function suffixesOf({ bidirectional }: BenchCase): string[] {
  return bidirectional ? ['', '_reverse'] : ['']
}
