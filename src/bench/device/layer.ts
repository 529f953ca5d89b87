import type { Device } from '../../device.js'
import { lstmBackward, lstmForward } from '../../ops/recurrent.js'
import { PackedSequence, Sequences } from '../../packed.js'
import { scope } from '../../scope.js'
import { tensor } from '../../tensor.js'
import { checkClose, toleranceOf } from '../close.js'
import { hashed } from '../hashed.js'
import { type ReferenceLayer, referenceLayer } from './reference.js'

/** One LSTM layer of one direction with as many inputs as units: created, checked and timed. */

/** Arrays by the names of `referenceLayer`. */
type Numbers = Record<string, ArrayLike<number>>

/** Seconds per pass. */
export interface Passes {
  forward: number
  backward: number
}

/** Numbers by `hashed`, as in bench/peers/cuda_torch.py: rows uniform on ±1, weights on ±1/√H. */
export class Layer {
  readonly #device: Device
  readonly #hiddenSize: number
  readonly #x: PackedSequence
  readonly #dOutput: ReturnType<typeof rowsOn>
  readonly #weights: ReturnType<typeof weightsOn>

  constructor(device: Device, hiddenSize: number, lengths: readonly number[]) {
    this.#device = device
    this.#hiddenSize = hiddenSize
    const sequences = new Sequences(lengths)
    this.#x = new PackedSequence(rowsOn(device, sequences.rows, hiddenSize, X), sequences)
    this.#dOutput = rowsOn(device, sequences.rows, hiddenSize, D_OUTPUT)
    this.#weights = weightsOn(device, hiddenSize)
  }

  #forward() {
    return lstmForward(this.#x, [this.#weights], { hiddenSize: this.#hiddenSize })
  }

  /** All results of a forward and a backward pass, on the host. */
  numbers(): Promise<Record<string, Float32Array>> {
    return scope(async () => {
      const { output, hN, cN, saved } = this.#forward()
      const { dInput, dWeights } = lstmBackward(saved, { dOutput: this.#dOutput })
      const { wIh, wHh, bIh } = dWeights[0]!
      const found = { output: output.data, hN, cN, dInput, wIh, wHh, bIh }
      const numbers: Record<string, Float32Array> = {}
      for (const [name, value] of Object.entries(found)) numbers[name] = await value!.toArray()
      return numbers
    })
  }

  /** Seconds per call by the device's clock, for `calls` passes in a row on a busy device. */
  round(calls: number): Promise<Passes> {
    return scope(async () => {
      this.#forward()
      const start = this.#device.mark()
      const results = Array.from({ length: calls }, () => this.#forward())
      const middle = this.#device.mark()
      for (const { saved } of results) lstmBackward(saved, { dOutput: this.#dOutput })
      const end = this.#device.mark()
      await this.#device.synchronize()
      const [forward, backward] = [await start.secondsUntil(middle), await middle.secondsUntil(end)]
      return { forward: forward / calls, backward: backward / calls }
    })
  }

  dispose(): void {
    for (const held of [this.#x, this.#dOutput, ...Object.values(this.#weights)]) held.dispose()
  }
}

/** The indices of the first hashed number of the rows and of their gradient. */
const X = 0
const D_OUTPUT = 1 << 20

function hashedRows(rows: number, H: number, first: number): Float32Array {
  return hashed(rows * H, { scale: 2, first })
}

function rowsOn(device: Device, rows: number, H: number, first: number) {
  return tensor<2>(hashedRows(rows, H, first), [rows, H], { device })
}

function hashedWeights(H: number) {
  const scale = 2 / Math.sqrt(H)
  let first = 0
  const next = (count: number) => {
    first += count
    return hashed(count, { scale, first: first - count })
  }
  return { wIh: next(4 * H * H), wHh: next(4 * H * H), bIh: next(4 * H), bHh: next(4 * H) }
}

function weightsOn(device: Device, H: number) {
  const { wIh, wHh, bIh, bHh } = hashedWeights(H)
  return {
    wIh: tensor<2>(wIh, [4 * H, H], { device }),
    wHh: tensor<2>(wHh, [4 * H, H], { device }),
    bIh: tensor<1>(bIh, [4 * H], { device }),
    bHh: tensor<1>(bHh, [4 * H], { device }),
  }
}

export async function numbersOn(device: Device, H: number, lengths: readonly number[]) {
  const layer = new Layer(device, H, lengths)
  try {
    return await layer.numbers()
  } finally {
    layer.dispose()
  }
}

/**
 * Compares two short sequences with the float64 reference.
 * @returns the largest relative error
 * @throws Error (rejects) if an error is above the tolerance
 */
export async function checkAgainstReference(device: Device, H: number): Promise<number> {
  const lengths = H > 256 ? [3, 1] : [12, 5]
  const rows = lengths.reduce((sum, length) => sum + length, 0)
  const weights: ReferenceLayer = hashedWeights(H)
  const [x, dOutput] = [hashedRows(rows, H, X), hashedRows(rows, H, D_OUTPUT)]
  const expected: Numbers = { ...referenceLayer(weights, H, lengths, x, dOutput) }
  const found = await numbersOn(device, H, lengths)
  return checkClose(found, expected, toleranceOf(device.precision), `H ${H}, float64 reference`)
}

/** The maximum work of the CPU for a check. */
const CHECKED_FLOPS = 1e10

/**
 * Compares a point with another device, over as many steps as that can compute in reasonable time, and the bits of two runs.
 * @returns the largest relative error
 * @throws Error (rejects) if an error is above the tolerance, or if bits differ
 */
export async function checkAgainst(
  device: Device,
  other: Device,
  { H, B, T }: Record<'H' | 'B' | 'T', number>,
): Promise<number> {
  const length = Math.max(1, Math.min(T, Math.floor(CHECKED_FLOPS / (48 * H * H * B))))
  const lengths = new Array<number>(B).fill(length)
  const [found, again] = [await numbersOn(device, H, lengths), await numbersOn(device, H, lengths)]
  const about = `H ${H}, B ${B}, T ${length}, ${other.name}`
  for (const [name, values] of Object.entries(found)) {
    if (Buffer.compare(bytesOf(values), bytesOf(again[name]!)) !== 0) {
      throw new Error(`${about}: ${name}: two runs differ`)
    }
  }
  return checkClose(found, await numbersOn(other, H, lengths), toleranceOf(device.precision), about)
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
