/** One LSTM layer, one direction, with as many inputs as units, over B sequences of T rows: made, checked, timed. */

import { checkClose, toleranceOf } from '../../dist/bench/close.js'
import { hashed } from '../../dist/bench/hashed.js'
import { lstmBackward, lstmForward, PackedSequence, Sequences, scope, tensor } from '../../dist/index.js'

/** Numbers by src/bench/hashed.ts, as bench/peers/cuda_torch.py takes them: rows uniform on ±1, weights on ±1/√H. */
export class Layer {
  #inputs
  #device
  #shape

  constructor(device, shape) {
    const { H, lengths } = shape
    this.#device = device
    this.#shape = shape
    const rows = lengths.reduce((sum, length) => sum + length, 0)
    const on = (values, size) => tensor(values, size, { device })
    const weights = hashedWeights(H)
    this.#inputs = {
      x: new PackedSequence(on(hashedRows(rows, H, 0), [rows, H]), new Sequences(lengths)),
      dOutput: on(hashedRows(rows, H, 1 << 20), [rows, H]),
      weights: [
        {
          wIh: on(weights.wIh, [4 * H, H]),
          wHh: on(weights.wHh, [4 * H, H]),
          bIh: on(weights.bIh, [4 * H]),
          bHh: on(weights.bHh, [4 * H]),
        },
      ],
    }
  }

  forward() {
    const { x, weights } = this.#inputs
    return lstmForward(x, weights, { hiddenSize: this.#shape.H })
  }

  backward({ saved }) {
    return lstmBackward(saved, { dOutput: this.#inputs.dOutput })
  }

  /** Everything that one forward and one backward pass give, on the host. */
  numbers() {
    return scope(async () => {
      const result = this.forward()
      const { dInput, dWeights } = this.backward(result)
      const [{ wIh, wHh, bIh }] = dWeights
      const found = { output: result.output.data, hN: result.hN, cN: result.cN, dInput, wIh, wHh, bIh }
      const numbers = {}
      for (const [name, value] of Object.entries(found)) numbers[name] = await value.toArray()
      return numbers
    })
  }

  /** Seconds of a forward and of a backward pass, each of `calls` that were issued one after the other. */
  round(calls) {
    return scope(async () => {
      const now = async () => {
        await this.#device.synchronize()
        return performance.now() / 1000
      }
      const start = await now()
      const results = Array.from({ length: calls }, () => this.forward())
      const middle = await now()
      for (const result of results) this.backward(result)
      return { forward: (middle - start) / calls, backward: ((await now()) - middle) / calls }
    })
  }

  dispose() {
    const { x, dOutput, weights } = this.#inputs
    for (const held of [x, dOutput, ...Object.values(weights[0])]) held.dispose()
  }
}

function hashedRows(rows, H, first) {
  return hashed(rows * H, { scale: 2, first })
}

function hashedWeights(H) {
  const scale = 2 / Math.sqrt(H)
  let first = 0
  const next = count => {
    first += count
    return hashed(count, { scale, first: first - count })
  }
  return { wIh: next(4 * H * H), wHh: next(4 * H * H), bIh: next(4 * H), bHh: next(4 * H) }
}

async function numbersOn(device, shape) {
  const layer = new Layer(device, shape)
  try {
    return await layer.numbers()
  } finally {
    layer.dispose()
  }
}

/** Two short sequences against the float64 reference of the tests: the largest relative error. */
export async function checkAgainstReference(device, H, { lstmReference, lstmReferenceBackward, packRows }) {
  const lengths = H > 256 ? [3, 1] : [12, 5]
  const split = values => {
    const rows = Array.from(values)
    return lengths.map(length => Array.from({ length }, () => rows.splice(0, H)))
  }
  const count = lengths.reduce((sum, length) => sum + length, 0)
  const lstm = {
    ...{ inputSize: H, hiddenSize: H, numLayers: 1, bidirectional: false },
    inputs: split(hashedRows(count, H, 0)),
    weights: [
      Object.fromEntries(Object.entries(hashedWeights(H)).map(([name, w]) => [name, Float64Array.from(w)])),
    ],
  }
  const result = lstmReference(lstm)
  const gradients = { dOutput: split(hashedRows(count, H, 1 << 20)) }
  const { dInput, dWeights } = lstmReferenceBackward(lstm, result, gradients)
  const expected = {
    ...{ output: packRows(result.outputs), hN: result.hN, cN: result.cN, dInput: packRows(dInput) },
    ...{ wIh: dWeights[0].wIh, wHh: dWeights[0].wHh, bIh: dWeights[0].bIh },
  }
  const found = await numbersOn(device, { H, lengths })
  return checkClose(found, expected, toleranceOf(device.precision), `H ${H}, float64 reference`)
}

/** What the CPU may have to compute for a check. */
const CHECKED_FLOPS = 4e10

/**
 * A point against the CPU backend: the whole batch over as many steps as the CPU can be asked for, then two sequences over
 * more of them; and the bits of two runs.
 */
export async function checkPoint(device, cpu, { H, B, T }) {
  const steps = sequences => Math.max(1, Math.min(T, Math.floor(CHECKED_FLOPS / (48 * H * H * sequences))))
  const shapes = [[B, steps(B)]]
  if (B > 2 && steps(2) > steps(B)) shapes.push([2, steps(2)])
  let error = 0
  for (const [sequences, length] of shapes) {
    const shape = { H, lengths: new Array(sequences).fill(length) }
    const [found, expected] = [await numbersOn(device, shape), await numbersOn(cpu, shape)]
    const about = `H ${H}, B ${sequences}, T ${length}, ${cpu.name}`
    error = Math.max(error, checkClose(found, expected, toleranceOf(device.precision), about))
    const again = await numbersOn(device, shape)
    for (const [name, values] of Object.entries(found)) {
      if (!sameBits(values, again[name])) throw new Error(`${about}: ${name}: two runs differ`)
    }
  }
  return { error, checked: shapes.map(([sequences, length]) => ({ B: sequences, T: length })) }
}

function sameBits(a, b) {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(
    Buffer.from(b.buffer, b.byteOffset, b.byteLength),
  )
}

/** What bench/peers/cuda_torch.py tells of a layer, of ours: the ends of its results. */
export async function ownSample(device, { H, B, T }) {
  const found = await numbersOn(device, { H, lengths: new Array(B).fill(T) })
  const rowsOf = (values, t) =>
    [0, B - 1].flatMap(b => [...values.subarray((b * T + t) * H, (b * T + t + 1) * H)])
  return {
    output: rowsOf(found.output, T - 1),
    dInput: rowsOf(found.dInput, 0),
    dWIh: found.wIh.slice(0, H),
    dWHh: found.wHh.slice(0, H),
  }
}

/** Both round their operands, each in its own order. */
export function checkPeer(device, { H, B, T }, own, sample) {
  return checkClose(own, sample, 2 * toleranceOf(device.precision), `H ${H}, B ${B}, T ${T}, PyTorch`)
}
