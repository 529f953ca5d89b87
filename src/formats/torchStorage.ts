/** The storages of PyTorch's files, and tensors that are views of them. */
import type { HostTensor } from './safetensors.js'

/** The bytes of a number, by the name of the storage's class in `torch`. */
const elementBytes = {
  FloatStorage: 4,
  DoubleStorage: 8,
  HalfStorage: 2,
  BFloat16Storage: 2,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
} as const

type StorageClass = keyof typeof elementBytes

/** The full names of the storages' classes. */
export const storageClasses: ReadonlySet<string> = new Set(
  Object.keys(elementBytes).flatMap(name => [`torch.${name}`, `torch.cuda.${name}`]),
)

export function storageClassOf(name: string): StorageClass | null {
  const short = name.replace(/^torch\.(cuda\.)?/, '')
  return isStorageClass(short) ? short : null
}

function isStorageClass(name: string): name is StorageClass {
  return Object.hasOwn(elementBytes, name)
}

/** Numbers that tensors share. Its bytes may come after the tensors that use it. */
export class TorchStorage {
  readonly kind: StorageClass
  readonly count: number
  /** Little-endian. */
  bytes: Uint8Array | null = null
  #numbers: Float32Array | Int32Array | null = null

  constructor(kind: StorageClass, count: number) {
    this.kind = kind
    this.count = count
  }

  get byteLength(): number {
    return this.count * elementBytes[this.kind]
  }

  /**
   * All numbers, as float32 or int32. They are converted once: tensors that share the storage share them.
   *
   * @param outside returns the error for an integer outside of int32
   */
  numbers(outside: (value: bigint) => Error): Float32Array | Int32Array {
    this.#numbers ??= numbersOf(this.kind, this.count, this.bytes ?? new Uint8Array(), outside)
    return this.#numbers
  }
}

function numbersOf(
  kind: StorageClass,
  count: number,
  bytes: Uint8Array,
  outside: (value: bigint) => Error,
): Float32Array | Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  switch (kind) {
    case 'FloatStorage': {
      const { buffer, byteOffset } = byteAligned(bytes)
      return new Float32Array(buffer, byteOffset, count)
    }
    case 'DoubleStorage':
      return Float32Array.from({ length: count }, (_, i) => view.getFloat64(8 * i, true))
    case 'HalfStorage':
      return Float32Array.from({ length: count }, (_, i) => fromHalf(view.getUint16(2 * i, true)))
    case 'BFloat16Storage': {
      const words = Uint32Array.from({ length: count }, (_, i) => view.getUint16(2 * i, true) << 16)
      return new Float32Array(words.buffer)
    }
    case 'LongStorage':
      return Int32Array.from({ length: count }, (_, i) => inInt32(view.getBigInt64(8 * i, true), outside))
    case 'IntStorage': {
      const { buffer, byteOffset } = byteAligned(bytes)
      return new Int32Array(buffer, byteOffset, count)
    }
    case 'ShortStorage':
      return Int32Array.from({ length: count }, (_, i) => view.getInt16(2 * i, true))
    case 'CharStorage':
      return Int32Array.from({ length: count }, (_, i) => view.getInt8(i))
    case 'ByteStorage':
    case 'BoolStorage':
      return Int32Array.from(bytes)
  }
}

/** The bytes, or a copy, at a multiple of 4. */
function byteAligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes)
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

function inInt32(value: bigint, outside: (value: bigint) => Error): number {
  if (BigInt.asIntN(32, value) !== value) throw outside(value)
  return Number(value)
}

/** A tensor of a PyTorch file: a view of a storage. Offset and strides count numbers. */
export class TorchTensor {
  readonly storage: TorchStorage
  readonly offset: number
  readonly shape: readonly number[]
  readonly strides: readonly number[]

  constructor(storage: TorchStorage, offset: number, shape: readonly number[], strides: readonly number[]) {
    this.storage = storage
    this.offset = offset
    this.shape = shape
    this.strides = strides
  }

  /** Why it cannot be a view of its storage; null if it can. */
  problem(): string | null {
    const { storage, offset, shape, strides } = this
    const whole = [offset, ...shape, ...strides].every(n => Number.isSafeInteger(n) && n >= 0)
    if (!whole || shape.length !== strides.length)
      return 'sizes and strides that are not integers of at least 0'
    const size = sizeOf(shape)
    if (size === 0) return null
    // A stride of 0 would make a large tensor from a small file.
    if (size > storage.count) return `${size} numbers of a storage of ${storage.count}`
    const last = shape.reduce((sum, n, i) => sum + (n - 1) * strides[i]!, offset)
    return last < storage.count ? null : `number ${last} of a storage of ${storage.count}`
  }

  get size(): number {
    return sizeOf(this.shape)
  }

  /** Whether its numbers stand row by row in the storage. */
  get isContiguous(): boolean {
    const { shape, strides } = this
    return shape.every((n, d) => n === 1 || strides[d] === sizeOf(shape.slice(d + 1)))
  }

  /** Its numbers, row by row. Those of contiguous tensors are a view of the storage's numbers. */
  toHost(outside: (value: bigint) => Error): HostTensor {
    const { storage, offset, shape, size, isContiguous } = this
    const all = storage.numbers(outside)
    const found = isContiguous ? all.subarray(offset, offset + size) : all.slice(0, size)
    if (!isContiguous) this.#copy(all, found)
    return found instanceof Float32Array
      ? { dtype: 'float32', shape, data: found }
      : { dtype: 'int32', shape, data: found }
  }

  #copy(from: ArrayLike<number>, to: Float32Array | Int32Array): void {
    const { offset, shape, strides } = this
    const index = shape.map(() => 0)
    for (let i = 0; i < to.length; i++) {
      to[i] = from[index.reduce((sum, n, d) => sum + n * strides[d]!, offset)]!
      for (let d = shape.length - 1; d >= 0 && ++index[d]! === shape[d]; d--) index[d] = 0
    }
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, n) => size * n, 1)
}
