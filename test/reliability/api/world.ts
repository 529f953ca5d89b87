import { inspect, isDeepStrictEqual } from 'node:util'
import { type Device, device } from '../../../src/device.js'
import { type ErrorCode, PackedRnnError } from '../../../src/errors.js'
import { sizeOf, Tensor, tensor } from '../../../src/tensor.js'
import type { Hostile } from './hostile.js'

/** Every code, so that the compiler reports one that is missing here. */
const CODES: Record<ErrorCode, true> = {
  ERR_INVALID_ARGUMENT: true,
  ERR_SHAPE: true,
  ERR_DTYPE: true,
  ERR_DEVICE: true,
  ERR_OUT_OF_RANGE: true,
  ERR_DISPOSED: true,
  ERR_GRAPH_FREED: true,
  ERR_MODIFIED: true,
  ERR_NO_GRADIENT: true,
  ERR_DEVICE_UNAVAILABLE: true,
  ERR_DEVICE_LOST: true,
  ERR_OUT_OF_MEMORY: true,
  ERR_OP_FAILED: true,
  ERR_NON_FINITE: true,
  ERR_FILE_FORMAT: true,
  ERR_UNKNOWN_LABEL: true,
  ERR_EMPTY: true,
  ERR_CUDA_NO_LIBRARY: true,
  ERR_CUDA_WRONG_STAMP: true,
  ERR_CUDA_NO_DRIVER: true,
  ERR_CUDA_DRIVER_TOO_OLD: true,
  ERR_CUDA_NO_DEVICE: true,
  ERR_CUDA_DEVICE_TOO_OLD: true,
  ERR_CUDA_DEVICE_UNSUPPORTED: true,
}

/** That an error is one of the package's, with a code that is known. */
export function checkError(error: unknown): PackedRnnError {
  if (error instanceof PackedRnnError && error.code in CODES && error.message.length > 0) return error
  throw error
}

/** Whether a read failed because an op before it had an index out of range: CUDA finds that at the next wait, whatever it is for. */
function ofAnother(read: unknown): boolean {
  return ON_CUDA && read instanceof PackedRnnError && / of an earlier op(:| is)/.test(read.message)
}

/** All devices are of one kind. */
export const ON_CUDA = process.env.PACKED_RNN_FUZZ_DEVICE === 'cuda'

function open(way: 1 | 2, memoryLimit: number): Device {
  const path = ({ 1: 'auto', 2: 'stepwise' } as const)[way]
  return ON_CUDA
    ? device('cuda', { precision: 'float32', path, memoryLimit })
    : device('cpu', { threads: way, memoryLimit })
}

/** Two with enough memory, and one with so little that ops fail. */
export const [ROOMY, OTHER, NARROW] = [open(1, 2 ** 27), open(2, 2 ** 27), open(1, 2 ** 13)] as const
export const DEVICES: readonly Device[] = [ROOMY, OTHER, NARROW]

type Float = Tensor<'float32'>
/** What a tensor holds, or the error that its `await` ended in. */
type Read = Float32Array | Int32Array | PackedRnnError

/** What JavaScript may pass where the types ask for something else. */
export const untyped = <T>(value: unknown) => value as T

/** How often a call returned, and how often it threw. */
export type Tally = Map<string, { answered: number; refused: number }>

/**
 * The tensors of a sequence of calls, live and disposed, and what is still to be compared with the reference. Whatever can
 * be is compared: what an op read is known by its own `toArray`, so that errors do not add up.
 */
export class World {
  readonly hostile: Hostile
  readonly tensors: Tensor[] = []
  /** Modules, optimisers, packed sequences: whatever else holds memory. */
  readonly others: { dispose(): void }[] = []
  readonly #tally: Tally
  readonly #pending: Promise<void>[] = []
  #reads = new WeakMap<Tensor, Promise<Read>>()
  /** Each sequence of calls uses one device, except for arguments that are wrong on purpose. */
  readonly device: Device

  constructor(hostile: Hostile, tally: Tally) {
    this.hostile = hostile
    this.#tally = tally
    this.device = hostile.oneOf([ROOMY, ROOMY, OTHER, NARROW])
  }

  /** Returns the result of a call, or null if it throws. */
  attempt<T>(name: string, call: () => T): T | null {
    const count = this.#count(name)
    try {
      const result = call()
      if (result instanceof Promise) this.later(() => result)
      count.answered++
      return result
    } catch (error) {
      checkError(error)
      count.refused++
      return null
    }
  }

  /** Returns the awaited result of a call, or null if it rejects. */
  async answer<T>(name: string, call: () => Promise<T>): Promise<T | null> {
    const count = this.#count(name)
    try {
      const answer = await call()
      count.answered++
      return answer
    } catch (error) {
      checkError(error)
      count.refused++
      return null
    }
  }

  /** The same, to be awaited before the sequence ends, and what is to be looked at in its answer. */
  attemptLater<T>(name: string, call: () => Promise<T>, look: (answer: T) => unknown = () => {}): void {
    this.later(async () => {
      const answer = await this.answer(name, call)
      if (answer !== null) await look(answer)
    })
  }

  #count(name: string): { answered: number; refused: number } {
    const count = this.#tally.get(name) ?? { answered: 0, refused: 0 }
    this.#tally.set(name, count)
    return count
  }

  /** Something to be awaited before the sequence ends; it may be refused. */
  later(run: () => Promise<unknown>): void {
    const settled = run().then(
      () => {},
      error => {
        checkError(error)
      },
    )
    this.#pending.push(settled)
    settled.catch(() => {}) // reported by `settle`
  }

  async settle(): Promise<void> {
    // While some are awaited they may ask for others.
    while (this.#pending.length > 0) await this.#pending.shift()
  }

  keep<T extends Tensor>(made: T): T {
    this.tensors.push(made)
    return made
  }

  keepOther<T extends { dispose(): void }>(made: T): T {
    this.others.push(made)
    return made
  }

  /** What a tensor holds now, asked for at once: it may be disposed right after. */
  read(of: Tensor): Promise<Read> {
    let read = this.#reads.get(of)
    if (read === undefined) {
      read = of.toArray().catch(checkError)
      this.#reads.set(of, read)
    }
    return read
  }

  /** Something was changed in place: what was read of any tensor, of which it may be a view, is old. */
  changed(): void {
    this.#reads = new WeakMap()
  }

  /** A float tensor of this shape, one of the pool where there is one; now and then anything else. */
  float<R extends number>(shape: readonly number[], on = this.device): Tensor<'float32', R> {
    const { hostile } = this
    if (hostile.once(25)) return untyped(this.anything())
    const fits = this.tensors.filter(
      each =>
        each.dtype === 'float32' &&
        !each.disposed &&
        each.device === on &&
        each.shape.length === shape.length &&
        each.shape.every((n, i) => n === shape[i]),
    )
    if (fits.length > 0 && !hostile.once(3)) return untyped(hostile.oneOf(fits))
    const size = sizeOf(shape)
    // An invalid shape makes the call throw.
    const values = hostile.values(size >= 0 && size < 2 ** 16 ? size : 0)
    const made = tensor(values, shape, { device: on, requiresGrad: hostile.once(2) })
    return untyped(this.keep(made))
  }

  /** Some float tensor. */
  some(): Float {
    const live = this.tensors.filter(each => each.dtype === 'float32' && !each.disposed)
    if (live.length > 0 && !this.hostile.once(4)) return untyped(this.hostile.oneOf(live))
    return this.float(this.hostile.shape())
  }

  /** A tensor of any dtype, shape and device, live or not, or another value. */
  anything(): unknown {
    const { hostile } = this
    if (this.tensors.length > 0 && !hostile.once(4)) return hostile.oneOf(this.tensors)
    if (hostile.once(2)) return hostile.oneOf([null, undefined, 3, 'x', {}, []])
    return this.keep(tensor(new Int32Array(hostile.below(5)), undefined, { device: hostile.oneOf(DEVICES) }))
  }

  /**
   * Compares outputs with what `reference` makes of the inputs' values in float64.
   * @param exact where values of any size are compared, element by element; else only moderate ones are, relatively to the
   * largest of them all.
   */
  compare(
    name: string,
    outputs: readonly (Tensor | null)[],
    inputs: readonly Tensor[],
    reference: (...values: Float64Array[]) => readonly (ArrayLike<number> | null)[],
    { tolerance = 2e-5, exact = false } = {},
  ): void {
    // In float64 what is large takes minutes, and so do billions of rows of no numbers.
    if (outputs.some(each => each?.shape.some(n => n > 1e5) || (each?.size ?? 0) > 1e5)) return
    const given = inputs.map(each => this.read(each))
    const made = outputs.map(each => each && this.read(each))
    this.later(async () => {
      // A read that failed for another op's index says nothing about these tensors.
      if ((await Promise.all([...given, ...made])).some(ofAnother)) return
      const values: Float64Array[] = []
      const failures: PackedRnnError[] = []
      let onlyNothing = true
      for (const [i, read] of (await Promise.all(given)).entries()) {
        if (read instanceof PackedRnnError) {
          failures.push(read)
          onlyNothing &&= inputs[i]!.size === 0
        } else values.push(Float64Array.from(read, flushed))
      }
      const expected = failures.length > 0 ? [] : reference(...values)
      let scale = 1
      for (const each of values) scale *= each.reduce((most, x) => Math.max(most, Math.abs(x)), 1)
      for (const [i, read] of made.entries()) {
        const got = await read
        if (got === null) continue
        if (got instanceof PackedRnnError) {
          if (failures.length > 0 || got.code === 'ERR_OUT_OF_MEMORY') continue
          throw new Error(`${name}: output ${i} failed without a reason: ${got.message}`)
        }
        // Of nothing, nothing is read.
        if (failures.length > 0 && (got.length === 0 || onlyNothing)) continue
        if (failures.length > 0) throw new Error(`${name}: output ${i} is there, and an input is not`)
        const wanted = expected[i]
        if (wanted == null) continue
        if (got.length !== wanted.length) {
          throw new Error(`${name}: output ${i}: wanted ${wanted.length} numbers, got ${got.length}`)
        }
        if (exact || scale < 1e4)
          compareNumbers(`${name}: output ${i}`, got, wanted, tolerance, exact ? 0 : scale)
      }
    })
  }

  /** Frees everything. */
  dispose(): void {
    for (const each of [...this.others, ...this.tensors]) {
      if (each instanceof Tensor) each.grad?.dispose()
      each.dispose()
    }
  }
}

/** Largest and smallest number that float32 holds to its full precision, some roundings off. */
const [HUGE, TINY] = [3.4e38, 1.2e-38]

/** Every device takes a denormal number for 0. */
const flushed = (value: number) => (Math.abs(value) < 2 ** -126 ? 0 : value)

function compareNumbers(
  name: string,
  got: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
  scale: number,
): void {
  for (let i = 0; i < wanted.length; i++) {
    const [g, w] = [got[i]!, wanted[i]!]
    if (Number.isNaN(w) ? Number.isNaN(g) : g === w) continue
    // Near the ends of float32 an element may round to infinity, or to zero.
    if (Math.abs(w) > HUGE && (Math.abs(g) > HUGE / 2 || g === w)) continue
    if (Math.abs(g - w) <= tolerance * Math.max(scale, Math.abs(w)) + TINY) continue
    throw new Error(`${name}[${i}]: wanted ${w}, got ${g}`)
  }
}

/** Of what has no tensors in it. */
export function expectSame(name: string, got: unknown, wanted: unknown): void {
  if (isDeepStrictEqual(got, wanted)) return
  throw new Error(`${name}: wanted ${inspect(wanted, { depth: 4 })}, got ${inspect(got, { depth: 4 })}`)
}
