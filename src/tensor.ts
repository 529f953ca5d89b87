import { checkList, checkNumber, checkOptions, checkTensor, type OptionNames } from './check.js'
import { type Device, deviceOr } from './device.js'
import { badArgument, PackedRnnError } from './errors.js'
import { fromNative, type NativeBuffer, native } from './native.js'
import { outlive, Scoped } from './scope.js'
import { Storage, unborn } from './storage.js'

/** The type of a tensor's elements: numbers, or ids and labels. */
export type DType = 'float32' | 'int32'
/** The array that holds a tensor's values on the host. */
export type ArrayOf<D extends DType> = D extends 'float32' ? Float32Array : Int32Array

/** A shape of known rank: `Shape<2>` is `readonly [number, number]`. */
export type Shape<R extends number = number> = readonly number[] & Ranks[R]
// An index rather than a condition: so a Tensor<D, 2> is a Tensor<D> also where the rank is a type parameter.
/** How long a shape of each rank is; a rank that is not known says nothing. */
export interface Ranks {
  [rank: number]: unknown
  0: readonly []
  1: readonly [number]
  2: readonly [number, number]
  3: readonly [number, number, number]
  4: readonly [number, number, number, number]
}

/** A float32 tensor's values on the host, row-major, as state dicts hold them: as many numbers as `shape` says. */
export interface StateEntry {
  shape: readonly number[]
  data: Float32Array
}

/** That values may become those of a tensor of this shape. @internal */
export function checkEntry(
  op: string,
  name: string,
  { shape, data }: StateEntry,
  wanted: readonly number[],
): void {
  if (!(data instanceof Float32Array)) throw badArgument(op, name, 'a Float32Array', data, 'ERR_DTYPE')
  const same = shape.length === wanted.length && shape.every((n, i) => n === wanted[i])
  if (!same || data.length !== sizeOf(wanted)) {
    throw badArgument(op, name, `shape [${wanted.join(', ')}]`, shape, 'ERR_SHAPE')
  }
}

/**
 * How a tensor came about, as far as a gradient needs it; made by `record` in autograd.ts.
 * @internal
 */
export interface TapeNode {
  /** Runs the tape back from one output of this node: gradients are added up in `grad`. */
  backpropagate(output: object, gradient: Tensor<'float32'>): void
  /** Lets go of what is held for a way back that nobody will go. */
  discard(): void
}

let live = 0

/** Numbers of any rank. */
export type Float = Tensor<'float32'>
/** A number. */
export type Scalar = Tensor<'float32', 0>
/** A row of numbers. */
export type Vector = Tensor<'float32', 1>
/** Rows of numbers. */
export type Matrix = Tensor<'float32', 2>

/**
 * An n-dimensional array on a device, row-major. `Tensor<'float32', 2>` has two dimensions.
 *
 * A tensor holds device memory until it is disposed: by `dispose()`, by `using`, by the `scope` it was made in, or at
 * the latest when it is garbage. Ops that were issued before may still read it.
 */
export class Tensor<D extends DType = DType, R extends number = number> extends Scoped {
  readonly dtype: D
  readonly shape: Shape<R>
  /** Number of elements: the product of the shape, 1 of no dimensions. */
  readonly size: number
  /** Whether `backward()` leaves a gradient in `grad`. True for the parameters of modules. */
  requiresGrad = false
  /** The gradient that `backward()` added up, of this tensor's shape. Nothing else disposes it. */
  grad: Tensor<'float32'> | null = null
  /** @internal */
  node: TapeNode | null = null
  /** The values as they were given, for tensors of integers: ids and labels are checked on the host. @internal */
  readonly host: ArrayOf<D> | null
  #device: Device
  #storage: Storage | null

  /** @internal Use `tensor`, `zeros` or an op. */
  constructor(device: Device, dtype: D, shape: Shape<R>, storage: Storage, host: ArrayOf<D> | null = null) {
    super()
    this.#device = device
    this.dtype = dtype
    this.shape = shape
    this.size = sizeOf(shape)
    this.host = host
    this.#storage = storage
    live++
  }

  /** Where the values live. */
  get device(): Device {
    return this.#device
  }

  /** Whether the memory was let go: every op refuses this tensor with ERR_DISPOSED. */
  get disposed(): boolean {
    return this.#storage === null
  }

  /** @internal */
  get storage(): Storage {
    if (this.#storage === null)
      throw new PackedRnnError('ERR_DISPOSED', 'wanted a tensor, got a disposed one')
    return this.#storage
  }

  /** @internal */
  get buffer(): NativeBuffer {
    return this.storage.buffer
  }

  /** Other values, in memory of their own: a tape that holds the old ones keeps them. @internal */
  assign(values: ArrayOf<D>): void {
    const storage = new Storage(native.upload(this.device.queue, values))
    this.storage.release()
    this.#storage = storage
  }

  /** Moves these values to a device: the tensor stays the same object. Whatever reads the old memory keeps it. @internal */
  move(device: Device, values: ArrayOf<D>): void {
    const storage = new Storage(native.upload(device.queue, values))
    this.storage.release()
    this.#storage = storage
    this.#device = device
  }

  /**
   * The same values without their history: a gradient stops here. Shares the memory; to be disposed like any other.
   * @throws PackedRnnError ERR_DISPOSED.
   */
  detach(): Tensor<D, R> {
    return this.alias()
  }

  /** Another handle on the same memory, in a shape of as many elements, with no history. @internal */
  as<Q extends number>(shape: Shape<Q>): Tensor<D, Q> {
    return new Tensor(this.device, this.dtype, shape, this.storage.retain(), this.host)
  }

  /** Takes the memory of another tensor of its shape for its own: a tape that holds the old one keeps that. @internal */
  become(other: Tensor<D>): void {
    const storage = other.storage.retain()
    this.storage.release()
    this.#storage = storage
  }

  /** Another handle on the same memory, with no history. @internal */
  alias(): Tensor<D, R> {
    return new Tensor(this.device, this.dtype, this.shape, this.storage.retain(), this.host)
  }

  /**
   * The values, row-major, when all that computes them has run.
   * @returns a new array of `size` numbers.
   * @throws PackedRnnError (rejects) ERR_DISPOSED; or with the error of the op that failed to compute them:
   * ERR_OUT_OF_MEMORY, ERR_OP_FAILED, ERR_OUT_OF_RANGE, ERR_NON_FINITE, ERR_DEVICE_LOST.
   */
  async toArray(): Promise<ArrayOf<D>> {
    checkTensor('toArray', 'tensor', this, this)
    // Asked for before the first await, so that disposing right after the call is safe.
    const values = readValues(this.device, this.buffer, this.dtype)
    try {
      return await values
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * The value of a tensor with one element.
   * @throws PackedRnnError (rejects) ERR_SHAPE for any other; else as `toArray`.
   */
  async item(): Promise<number> {
    if (this.size !== 1) throw badArgument('item', 'tensor', 'one element', this.shape, 'ERR_SHAPE')
    const values = await this.toArray()
    return values[0]!
  }

  /**
   * Adds the gradient of this tensor to `grad` of every tensor that requires one and that this one was computed from.
   * The tape is freed on the way.
   *
   * @param gradient of something in this tensor, same shape; for a single element the default is 1.
   * @throws PackedRnnError ERR_GRAPH_FREED the second time, ERR_MODIFIED where a parameter was changed in between,
   * ERR_NO_GRADIENT where nothing that it was computed from requires a gradient; ERR_SHAPE, ERR_DTYPE, ERR_DEVICE and
   * ERR_DISPOSED for another `gradient`, or a `grad` that was put there. A refusal leaves tape and gradients as they were.
   */
  backward(gradient?: Tensor<'float32'>): void {
    if (this.node === null) {
      throw new PackedRnnError(
        'ERR_NO_GRADIENT',
        'backward: nothing that this tensor was computed from requires a gradient',
      )
    }
    const { shape, device } = this
    if (gradient !== undefined) {
      checkTensor<'float32', number>('backward', 'gradient', gradient, { dtype: 'float32', shape, device })
    } else if (this.size !== 1) {
      const wanted = `a tensor of shape [${shape.join(', ')}]`
      throw badArgument('backward', 'gradient', wanted, gradient, 'ERR_SHAPE')
    }
    const seed = gradient ?? filled<number>(device, shape, 1)
    try {
      this.node.backpropagate(this, seed)
    } finally {
      if (gradient === undefined) seed.dispose()
    }
  }

  /** Lets go of the device memory. Harmless twice. */
  override dispose(): void {
    if (this.#storage === null) return
    this.#storage.release()
    this.#storage = null
    live--
    outlive(this)
  }

  /** `dispose`, at the end of the block of a `using`. */
  [Symbol.dispose](): void {
    this.dispose()
  }
}

function readValues<D extends DType>(device: Device, buffer: NativeBuffer, dtype: D): Promise<ArrayOf<D>>
function readValues(device: Device, buffer: NativeBuffer, dtype: DType): Promise<Float32Array | Int32Array> {
  return dtype === 'int32'
    ? native.download(device.queue, buffer, true)
    : native.download(device.queue, buffer, false)
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1)
}

/** @internal */
export function checkShape(op: string, shape: readonly number[]): void {
  checkList(op, 'shape', shape, 'sizes')
  let [size, wide] = [1, 1]
  let whole = true
  for (const n of shape) {
    whole &&= Number.isInteger(n) && n >= 0
    size *= n
    wide *= n === 0 ? 1 : n
  }
  if (!whole) throw badArgument(op, 'shape', 'non-negative integers', shape, 'ERR_SHAPE')
  // Also of nothing, parts of the shape are counted.
  if (size >= 2 ** 40 || wide >= 2 ** 53) {
    throw badArgument(op, 'shape', 'fewer than 2^40 elements', shape, 'ERR_SHAPE')
  }
}

/** Where a new tensor is, and whether it is a leaf that gradients are wanted for. */
export interface FloatOptions {
  /** Default `device()`. */
  device?: Device
  /** Default false. */
  requiresGrad?: boolean
}

/** @internal */
export const floatNames: OptionNames<FloatOptions> = { device: true, requiresGrad: true }

/**
 * A tensor of given values, copied before the call returns.
 *
 * @param data a Float32Array (float32), an Int32Array (int32) or numbers (float32), row-major.
 * @param shape the default is one dimension.
 * @throws PackedRnnError ERR_SHAPE where the number of values is not the product of the shape, or the shape is not one;
 * ERR_DEVICE for a `device` that is none; ERR_INVALID_ARGUMENT for an unknown option.
 */
export function tensor<const S extends Shape = readonly [number]>(
  data: Int32Array,
  shape?: S,
  options?: { device?: Device },
): Tensor<'int32', S['length']>
export function tensor<const S extends Shape = readonly [number]>(
  data: Float32Array | readonly number[],
  shape?: S,
  options?: FloatOptions,
): Tensor<'float32', S['length']>
export function tensor<R extends number>(
  data: Int32Array,
  shape: Shape<R>,
  options?: { device?: Device },
): Tensor<'int32', R>
export function tensor<R extends number>(
  data: Float32Array | readonly number[],
  shape: Shape<R>,
  options?: FloatOptions,
): Tensor<'float32', R>
export function tensor(
  data: Float32Array | Int32Array | readonly number[],
  shape: readonly number[] = [data.length],
  options: FloatOptions = {},
): Tensor {
  checkOptions('tensor', options, floatNames)
  checkShape('tensor', shape)
  if (data.length !== sizeOf(shape)) {
    throw badArgument(
      'tensor',
      'data',
      `${sizeOf(shape)} values for shape [${shape.join(', ')}]`,
      data.length,
      'ERR_SHAPE',
    )
  }
  const device = deviceOr(options.device, 'tensor')
  if (data instanceof Int32Array) {
    return new Tensor(
      device,
      'int32',
      [...shape],
      new Storage(native.upload(device.queue, data)),
      data.slice(),
    )
  }
  const values = data instanceof Float32Array ? data : Float32Array.from(data)
  const made = new Tensor(device, 'float32', [...shape], new Storage(native.upload(device.queue, values)))
  made.requiresGrad = options.requiresGrad ?? false
  return made
}

function hasRank<D extends DType, R extends number>(x: Tensor<D>, rank: R): x is Tensor<D, R> {
  return x.shape.length === rank
}

/** The same tensor with its rank in its type. @internal */
export function ranked<D extends DType, R extends number>(x: Tensor<D>, rank: R): Tensor<D, R> {
  if (!hasRank(x, rank)) throw badArgument('ranked', 'tensor', `${rank} dimensions`, x.shape, 'ERR_SHAPE')
  return x
}

/** Memory for an op's result: it holds anything until the op has run. @internal */
export function empty<R extends number>(device: Device, shape: Shape<R>): Tensor<'float32', R> {
  checkShape('empty', shape)
  return new Tensor(device, 'float32', shape, new Storage(unborn()))
}

/** Memory for what ops update in place, zeros the first time. @internal */
export function unset(device: Device, shape: Shape): Tensor<'float32'> {
  return new Tensor(device, 'float32', shape, new Storage(native.allocate(device.queue, 4 * sizeOf(shape))))
}

/** Memory for an int32 result. @internal */
export function emptyIntegers<R extends number>(device: Device, shape: Shape<R>): Tensor<'int32', R> {
  checkShape('empty', shape)
  return new Tensor(device, 'int32', shape, new Storage(unborn()))
}

/** @internal */
export function filled<R extends number>(
  device: Device,
  shape: Shape<R>,
  value: number,
): Tensor<'float32', R> {
  const out = empty(device, shape)
  native.fill(device.queue, { count: out.size, value, from: null, out: out.buffer })
  return out
}

/**
 * A float32 tensor of zeros.
 * @throws PackedRnnError ERR_SHAPE where the shape is not one; ERR_DEVICE; ERR_INVALID_ARGUMENT for an unknown option.
 */
export function zeros<const S extends Shape>(shape: S, options?: FloatOptions): Tensor<'float32', S['length']>
export function zeros<R extends number>(shape: Shape<R>, options?: FloatOptions): Tensor<'float32', R>
export function zeros(shape: Shape, options: FloatOptions = {}): Tensor<'float32'> {
  return full(shape, 0, options)
}

/**
 * A float32 tensor of one value.
 * @throws PackedRnnError ERR_SHAPE, ERR_DEVICE; ERR_OUT_OF_RANGE for a value that is not finite; ERR_INVALID_ARGUMENT for an
 * unknown option.
 */
export function full<const S extends Shape>(
  shape: S,
  value: number,
  options?: FloatOptions,
): Tensor<'float32', S['length']>
export function full<R extends number>(
  shape: Shape<R>,
  value: number,
  options?: FloatOptions,
): Tensor<'float32', R>
export function full(shape: Shape, value: number, options: FloatOptions = {}): Tensor<'float32'> {
  checkOptions('full', options, floatNames)
  checkShape('full', shape)
  checkNumber('full', 'value', value, -Infinity)
  const made = filled(deviceOr(options.device, 'full'), [...shape], value)
  made.requiresGrad = options.requiresGrad ?? false
  return made
}

/** Tensors that are not disposed, over all devices; bytes are in `device.memory()`. */
export function memory(): { tensors: number } {
  return { tensors: live }
}
