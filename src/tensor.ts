import { checkNumber, checkOptions, type OptionNames } from './check.js'
import { type Device, deviceOr } from './device.js'
import { badArgument } from './errors.js'
import { native } from './native.js'
import { checkShape, type Shape, sizeOf } from './shapes.js'
import { Storage, unborn } from './storage.js'
import { filled, Tensor } from './tensorClass.js'

export { type Ranks, type Shape, type StateEntry, sizeOf } from './shapes.js'
export {
  type ArrayOf,
  type DType,
  type Float,
  type Matrix,
  memory,
  type Scalar,
  Tensor,
  type Vector,
} from './tensorClass.js'

// Not in the published types:

/** @internal */
export { checkEntry, checkShape } from './shapes.js'
/** @internal */
export { empty, filled, ranked, type TapeNode } from './tensorClass.js'

/** Where a new tensor is, and whether it requires a gradient. */
export interface FloatOptions {
  /** The device; default `device()`. */
  device?: Device
  /** Whether `backward()` adds a gradient to `grad`; default false. */
  requiresGrad?: boolean
}

/** @internal */
export const floatNames: OptionNames<FloatOptions> = { device: true, requiresGrad: true }

/**
 * Returns a tensor of the given values, which are copied before the call returns.
 *
 * @param data a Float32Array or numbers (float32), or an Int32Array (int32), row-major.
 * @param shape the default is one dimension.
 * @throws PackedRnnError ERR_SHAPE if the number of values is not the product of the shape.
 * @example
 * ```ts
 * import { tensor } from 'packed-rnn'
 *
 * const x = tensor([1, 2, 3, 4, 5, 6], [2, 3])
 * const ids = tensor(Int32Array.of(7, 8))
 * console.log(x.dtype, x.shape, ids.dtype, ids.shape) // float32 [2, 3] int32 [2]
 * console.log(await ids.toArray()) // Int32Array(2) [7, 8]
 * ```
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

/**
 * Returns a tensor of these integers. It keeps the array, without a copy, so the caller must not change it any more.
 * @internal
 */
export function integers(host: Int32Array, device: Device): Tensor<'int32', 1> {
  return new Tensor(device, 'int32', [host.length], new Storage(native.upload(device.queue, host)), host)
}

/**
 * Returns a float32 tensor of zeros.
 * @example
 * ```ts
 * import { zeros } from 'packed-rnn'
 *
 * const x = zeros([2, 2])
 * console.log(x.shape, await x.toArray()) // [2, 2] Float32Array(4) [0, 0, 0, 0]
 * ```
 */
export function zeros<const S extends Shape>(shape: S, options?: FloatOptions): Tensor<'float32', S['length']>
export function zeros<R extends number>(shape: Shape<R>, options?: FloatOptions): Tensor<'float32', R>
export function zeros(shape: Shape, options: FloatOptions = {}): Tensor<'float32'> {
  return full(shape, 0, options)
}

/**
 * Returns a float32 tensor filled with one value.
 * @throws PackedRnnError ERR_OUT_OF_RANGE if the value is not finite.
 * @example
 * ```ts
 * import { full } from 'packed-rnn'
 *
 * const x = full([3], 0.5)
 * console.log(await x.toArray()) // Float32Array(3) [0.5, 0.5, 0.5]
 * ```
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

/** Allocates memory that ops update in place: zeros the first time. @internal */
export function unset(device: Device, shape: Shape): Tensor<'float32'> {
  return new Tensor(device, 'float32', shape, new Storage(native.allocate(device.queue, 4 * sizeOf(shape))))
}

/** Allocates memory for an int32 result. @internal */
export function emptyIntegers<R extends number>(device: Device, shape: Shape<R>): Tensor<'int32', R> {
  checkShape('empty', shape)
  return new Tensor(device, 'int32', shape, new Storage(unborn()))
}
