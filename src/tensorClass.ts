import { checkInstance, checkTensor } from './check.js'
import { Device } from './device.js'
import { badArgument, PackedRnnError } from './errors.js'
import { fromNative, type NativeBuffer, native } from './native.js'
import { outlive, Scoped } from './scope.js'
import { checkShape, type Shape, sizeOf } from './shapes.js'
import { Storage, unborn } from './storage.js'

/** The type of a tensor's elements: float32 for numbers, int32 for ids, labels and indices. */
export type DType = 'float32' | 'int32'
/** The array that holds a tensor's values on the host. */
export type ArrayOf<D extends DType> = D extends 'float32' ? Float32Array : Int32Array

/**
 * The op that computed a tensor, as recorded on the tape; made by `record` in autograd.ts.
 * @internal
 */
export interface TapeNode {
  /** Runs the tape backwards from one output of this node, adding up gradients in `grad`. */
  backpropagate(output: object, gradient: Tensor<'float32'>): void
  /** Releases what is kept for a backward pass that won't run. */
  discard(): void
}

let live = 0

/** A float32 tensor of any rank. */
export type Float = Tensor<'float32'>
/** A single float32 number: no dimensions. */
export type Scalar = Tensor<'float32', 0>
/** A row of float32 numbers: one dimension. */
export type Vector = Tensor<'float32', 1>
/** Rows of float32 numbers: two dimensions. */
export type Matrix = Tensor<'float32', 2>

/**
 * An n-dimensional array on a device, row-major. `Tensor<'float32', 2>` has two dimensions.
 *
 * A tensor holds device memory until it is disposed: by `dispose()`, by `using`, by the `scope` it was made
 * in, or at the latest by garbage collection. Ops issued before that may still read it. Make tensors with
 * `tensor`, `zeros`, `full` or an op.
 *
 * @example
 * ```ts
 * import { Tensor, tensor } from 'packed-rnn'
 *
 * using x = tensor([1, 2, 3, 4], [2, 2], { requiresGrad: true })
 * console.log(x instanceof Tensor, x.dtype, x.shape, x.size) // true float32 [2, 2] 4
 * console.log(await x.toArray()) // Float32Array(4) [1, 2, 3, 4]
 * console.log(x.requiresGrad, x.grad, x.disposed) // true null false
 * using copy = await x.to(x.device)
 * console.log(copy.requiresGrad, copy.shape) // false [2, 2]
 * ```
 */
export class Tensor<D extends DType = DType, R extends number = number> extends Scoped {
  readonly dtype: D
  readonly shape: Shape<R>
  /** Number of elements: the product of the shape, 1 for no dimensions. */
  readonly size: number
  /** Whether `backward()` adds a gradient to `grad`. True for the parameters of modules. */
  requiresGrad = false
  /** The gradient added up by `backward()`, of this tensor's shape. Disposing this tensor doesn't dispose it. */
  grad: Tensor<'float32'> | null = null
  /** @internal */
  node: TapeNode | null = null
  /**
   * The values given to `tensor`, for integers: ids and labels are checked on the host. Null for results of
   * ops. @internal
   */
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

  /** Whether the memory was released. Every op throws ERR_DISPOSED for such a tensor. */
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

  /** Replaces the values, in new memory: a tape that holds the old memory keeps it. @internal */
  assign(values: ArrayOf<D>): void {
    const storage = new Storage(native.upload(this.device.queue, values))
    this.storage.release()
    this.#storage = storage
  }

  /** Exchanges the memory of two tensors of the same shape and device. A tape that holds the memory keeps it. @internal */
  exchange(other: Tensor<D>): void {
    const storage = this.storage
    this.#storage = other.storage
    other.#storage = storage
  }

  /** Moves these values to a device: the tensor stays the same object. Whatever reads the old memory keeps it. @internal */
  move(device: Device, values: ArrayOf<D>): void {
    const storage = new Storage(native.upload(device.queue, values))
    this.storage.release()
    this.#storage = storage
    this.#device = device
  }

  /**
   * Returns the same values without their history: gradients stop here. The result shares the memory and has
   * to be disposed, too.
   */
  detach(): Tensor<D, R> {
    return this.alias()
  }

  /**
   * Resolves with a copy of these values on a device, without their history.
   * @throws PackedRnnError (rejects) ERR_INVALID_ARGUMENT if it is not a device; the error of the op that failed to compute
   * the values.
   */
  async to(device: Device): Promise<Tensor<D, R>> {
    checkInstance('Tensor.to', 'device', device, Device)
    const values = await this.toArray()
    const storage = new Storage(native.upload(device.queue, values))
    return new Tensor(device, this.dtype, this.shape, storage, this.host)
  }

  /** Returns another handle on the same memory, without history, in a shape with as many elements. @internal */
  as<Q extends number>(shape: Shape<Q>): Tensor<D, Q> {
    return new Tensor(this.device, this.dtype, shape, this.storage.retain(), this.host)
  }

  /**
   * Takes over the memory of another tensor of the same shape: a tape that holds the old memory keeps it.
   * @internal
   */
  become(other: Tensor<D>): void {
    const storage = other.storage.retain()
    this.storage.release()
    this.#storage = storage
  }

  /** Returns another handle on the same memory, without history. @internal */
  alias(): Tensor<D, R> {
    return new Tensor(this.device, this.dtype, this.shape, this.storage.retain(), this.host)
  }

  /**
   * Resolves with the values, row-major, once everything that computes them has run.
   * @returns a new array of `size` numbers.
   * @throws (rejects) the error of the op that failed to compute them.
   */
  async toArray(): Promise<ArrayOf<D>> {
    checkTensor('toArray', 'tensor', this, this)
    // The download is issued before the first await, so that disposing right after the call is safe.
    const values = readValues(this.device, this.buffer, this.dtype)
    try {
      return await values
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * Resolves with the value of a tensor with one element.
   * @throws PackedRnnError (rejects) ERR_SHAPE for any other size; otherwise as `toArray`.
   */
  async item(): Promise<number> {
    if (this.size !== 1) throw badArgument('item', 'tensor', 'one element', this.shape, 'ERR_SHAPE')
    const values = await this.toArray()
    return values[0]!
  }

  /**
   * Adds the gradient of this tensor to `grad` of every tensor that it was computed from and that requires a
   * gradient. Frees the tape.
   *
   * @param gradient the gradient of this tensor, of the same shape; the default for a single element is 1.
   * @throws PackedRnnError ERR_GRAPH_FREED if the tape was freed before; ERR_MODIFIED if a parameter changed
   * since the forward pass; ERR_NO_GRADIENT if this tensor was not computed from one that requires a
   * gradient. These errors leave the tape and all gradients unchanged.
   */
  backward(gradient?: Tensor<'float32'>): void {
    if (this.node === null) {
      throw new PackedRnnError(
        'ERR_NO_GRADIENT',
        'backward: this tensor was not computed from any tensor that requires a gradient',
      )
    }
    const { shape, device } = this
    if (gradient !== undefined) {
      checkTensor('backward', 'gradient', gradient, { dtype: 'float32', shape, device })
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

  /** Releases the device memory. A second call does nothing. */
  override dispose(): void {
    if (this.#storage === null) return
    this.#storage.release()
    this.#storage = null
    live--
    outlive(this)
  }

  /** Calls `dispose`, at the end of the block of a `using`. */
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

function hasRank<D extends DType, R extends number>(x: Tensor<D>, rank: R): x is Tensor<D, R> {
  return x.shape.length === rank
}

/** Returns the same tensor with its rank in its type. @internal */
export function ranked<D extends DType, R extends number>(x: Tensor<D>, rank: R): Tensor<D, R> {
  if (!hasRank(x, rank)) throw badArgument('ranked', 'tensor', `${rank} dimensions`, x.shape, 'ERR_SHAPE')
  return x
}

/** Allocates memory for the result of an op. The contents are undefined until the op has run. @internal */
export function empty<R extends number>(device: Device, shape: Shape<R>): Tensor<'float32', R> {
  checkShape('empty', shape)
  return new Tensor(device, 'float32', shape, new Storage(unborn()))
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
 * Returns the number of tensors that are not disposed, on all devices. `device.memory()` counts bytes.
 * @example
 * ```ts
 * import { memory, tensor } from 'packed-rnn'
 *
 * const before = memory().tensors
 * const x = tensor([1, 2, 3])
 * console.log(memory().tensors - before) // 1
 * x.dispose()
 * console.log(memory().tensors - before) // 0
 * ```
 */
export function memory(): { tensors: number } {
  return { tensors: live }
}
