import { createRequire } from 'node:module'
import { addonFile, loadFailure } from './addon.js'
import { contractNumber, type OpName } from './contract/identity.js'
import { type ErrorCode, PackedRnnError } from './errors.js'

/**
 * The native addon: devices, memory, and the ops that `src/contract` calls. Buffers are float32 unless their
 * name says otherwise; an absent buffer is `null`. Calls return before their op has run.
 */

declare const handle: unique symbol

/**
 * Device memory. It is freed after it is released or garbage-collected, and after the last op that holds it
 * has run.
 */
export interface NativeBuffer {
  readonly [handle]: 'buffer'
}

/** A point in the order of a device's ops. */
export interface NativeMark {
  readonly [handle]: 'mark'
}

/** A device's queue. */
export interface NativeDevice {
  readonly [handle]: 'device'
}

/** A buffer for each direction of a layer. */
export type PerDirection = readonly (NativeBuffer | null)[]

/** The throughput of a CPU, as measured. */
export interface Ceilings {
  /** Operations a second of one thread, and of all threads; a fused multiply-add counts as two. */
  flopsOfOne: number
  flopsOfAll: number
  /** Bytes a second of all threads, computing a = b + s c. */
  bandwidth: number
}

/** The options of a queue. For a kind without an option, `threads` is 0 and `stepwise` false. */
export interface NativeDeviceOptions {
  kind: 'cpu' | 'cuda'
  ordinal: number
  precision: number
  stepwise: boolean
  threads: number
  memoryLimit: number
}

/** A CUDA device, or the reason why it cannot be opened. */
export type NativeCudaDevice =
  | { name: string; computeCapability: string; memoryBytes: number; code?: undefined }
  | { code: ErrorCode; reason: string }

/** The distinct ids of a batch and their positions; see `RowIndex`. */
export interface DistinctIds {
  /** [U], ascending */
  ids: Int32Array
  index: Int32Array
  starts: Int32Array
  order: Int32Array
}

export interface Native {
  openDevice(options: NativeDeviceOptions): NativeDevice
  /** Returns the path of the CUDA backend's library, whether or not the file exists. */
  cudaLibraryFile(): string
  /** Lists devices in the order of their ordinals. Throws if there is no library, driver or device. */
  cudaDevices(): NativeCudaDevice[]
  /** Returns the instruction sets that this CPU supports, the best first. */
  instructionSets(): string[]
  /** Returns the `precisions` that the CPU can be opened with. */
  cpuPrecisions(): number[]
  /** `hardware` is empty for the CPU. */
  deviceInfo(device: NativeDevice): { instructions: string; hardware: string }
  /** Measures a CPU device, when its queue gets there. */
  ceilings(device: NativeDevice): Promise<Ceilings>
  deviceMemory(device: NativeDevice): { held: number; cached: number }
  synchronize(device: NativeDevice): Promise<void>
  mark(device: NativeDevice): NativeMark
  /** @throws TypeError if an argument is not a mark. The caller checks that both marks are of this device. */
  secondsBetween(device: NativeDevice, start: NativeMark, end: NativeMark): Promise<number>
  /** Allocates memory that ops update; initially zeros. */
  allocate(device: NativeDevice, bytes: number): NativeBuffer
  /** Returns a handle for memory that the op writing it allocates; a released buffer can be reused instead. */
  handle(): NativeBuffer
  upload(device: NativeDevice, data: Float32Array | Int32Array): NativeBuffer
  download(device: NativeDevice, buffer: NativeBuffer, integers: false): Promise<Float32Array>
  download(device: NativeDevice, buffer: NativeBuffer, integers: true): Promise<Int32Array>
  release(buffer: NativeBuffer): void
  /**
   * Returns the distinct ids of a batch and their positions, or the position of the first id outside [0,
   * below).
   */
  distinctIds(ids: Int32Array, below: number): DistinctIds | number
  /** Returns how many numbers a layer's forward pass saves. */
  recurrentSavedCount(
    device: NativeDevice,
    cell: number,
    hiddenSize: number,
    projectionSize: number,
    directions: number,
    rows: number,
  ): number
  /** The ops, called by `src/contract`. */
  raw: Readonly<Record<OpName, (device: NativeDevice, ...args: readonly unknown[]) => void>>
  /** Where an op reads its numbers when it is called. */
  numbers: Float64Array
  /** A number that identifies the op descriptions the addon was built from. */
  contract: number
}

function load(): Native {
  const file = addonFile()
  let loaded: Native
  try {
    loaded = createRequire(import.meta.url)(file)
  } catch (cause) {
    throw loadFailure(cause)
  }
  // An addon built from other descriptions would misread the arguments of ops.
  if (loaded.contract !== contractNumber) {
    throw loadFailure(new Error(`${file} was built from different sources than this package's TypeScript`))
  }
  return loaded
}

export const addon = load()
export const { numbers } = addon
export const { raw } = addon

/** Converts an error of the addon to a PackedRnnError; returns any other value unchanged. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
  if (!isErrorCode(error.code)) return error
  return new PackedRnnError(error.code, error.message, { cause: error })
}

function isErrorCode(code: string): code is ErrorCode {
  return code.startsWith('ERR_')
}
