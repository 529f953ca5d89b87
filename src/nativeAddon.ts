import { createRequire } from 'node:module'
import { addonFile, loadFailure } from './addon.js'
import { contractNumber, type OpName } from './contract/identity.js'
import { type ErrorCode, PackedRnnError } from './errors.js'

/**
 * The native addon: devices, memory, and the ops as `src/contract` calls them. Buffers are float32 unless their name
 * says otherwise; a buffer that is absent is `null`. A call returns before its op has run.
 */

declare const handle: unique symbol

/** Device memory, freed when released or collected, and not before the last op that holds it has run. */
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

/** What a machine gives at a moment. */
export interface Ceilings {
  /** Operations a second of one thread, a fused multiply-add being two; and of all threads. */
  flopsOfOne: number
  flopsOfAll: number
  /** Bytes a second, of all threads through a = b + s c. */
  bandwidth: number
}

/** `enum class Precision` in native/backend.h. */
export const precisions = { float32: 0, tf32: 1, bfloat16: 2 } as const

/** What a queue is opened with; of options that a kind lacks, threads are 0 and the path is not stepwise. */
export interface NativeDeviceOptions {
  kind: 'cpu' | 'cuda'
  ordinal: number
  precision: number
  stepwise: boolean
  threads: number
  memoryLimit: number
}

/** A CUDA device, or why it cannot be opened. */
export type NativeCudaDevice =
  | { name: string; computeCapability: string; memoryBytes: number; code?: undefined }
  | { code: ErrorCode; reason: string }

/** A batch's ids, once each, and where they stand; see `RowIndex`. */
export interface DistinctIds {
  /** [U], ascending */
  ids: Int32Array
  index: Int32Array
  starts: Int32Array
  order: Int32Array
}

export interface Native {
  openDevice(options: NativeDeviceOptions): NativeDevice
  /** The file that is, or would be, opened as the CUDA backend's library. */
  cudaLibraryFile(): string
  /** In the order of their ordinals. Throws where there is no library, no driver or no device. */
  cudaDevices(): NativeCudaDevice[]
  /** Those that this CPU supports, the best first. */
  instructionSets(): string[]
  /** Those of `precisions` that the CPU can be opened with. */
  cpuPrecisions(): number[]
  /** `hardware` is empty for the CPU. */
  deviceInfo(device: NativeDevice): { instructions: string; hardware: string }
  /** Of a CPU's device, when its turn comes. */
  ceilings(device: NativeDevice): Promise<Ceilings>
  deviceMemory(device: NativeDevice): { held: number; cached: number }
  synchronize(device: NativeDevice): Promise<void>
  mark(device: NativeDevice): NativeMark
  /** @throws TypeError for what is no mark; the caller checks that both are of this device. */
  secondsBetween(device: NativeDevice, start: NativeMark, end: NativeMark): Promise<number>
  /** Memory that ops update; zeros at first. */
  allocate(device: NativeDevice, bytes: number): NativeBuffer
  /** For memory that comes about with the op that writes it; a released buffer serves, too. */
  handle(): NativeBuffer
  upload(device: NativeDevice, data: Float32Array | Int32Array): NativeBuffer
  download(device: NativeDevice, buffer: NativeBuffer, integers: false): Promise<Float32Array>
  download(device: NativeDevice, buffer: NativeBuffer, integers: true): Promise<Int32Array>
  release(buffer: NativeBuffer): void
  /** The ids of a batch, once each, and where they stand; or the place of the first that is not in [0, below). */
  distinctIds(ids: Int32Array, below: number): DistinctIds | number
  /** Numbers that a layer's forward pass saves. */
  recurrentSavedCount(
    device: NativeDevice,
    cell: number,
    hiddenSize: number,
    projectionSize: number,
    directions: number,
    rows: number,
  ): number
  /** The ops, which `src/contract` calls. */
  raw: Readonly<Record<OpName, (device: NativeDevice, ...args: readonly unknown[]) => void>>
  /** Where an op finds its numbers when it is called. */
  numbers: Float64Array
  /** Of the descriptions that the addon was built from. */
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
  // It would read the arguments of ops in another order.
  if (loaded.contract !== contractNumber) {
    throw loadFailure(new Error(`${file} was built from other sources than this package's TypeScript`))
  }
  return loaded
}

export const addon = load()
export const { numbers } = addon
export const { raw } = addon

/** An error of the addon as this package's error. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
  if (!isErrorCode(error.code)) return error
  return new PackedRnnError(error.code, error.message, { cause: error })
}

function isErrorCode(code: string): code is ErrorCode {
  return code.startsWith('ERR_')
}
