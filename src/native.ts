import { createRequire } from 'node:module'
import { addonFile, loadFailure } from './addon.js'
import { type ErrorCode, PackedRnnError } from './errors.js'

/**
 * The native addon, typed in one place. `native/addon` unpacks these arguments by name; `native/backend.h` says what
 * each op computes and which shapes its buffers have. Buffers are float32 unless their name says otherwise; a buffer
 * that is absent is `null`. A call returns before its op has run.
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

/** What a machine gives at a moment. */
export interface Ceilings {
  /** Operations a second of one thread, a fused multiply-add being two; and of all threads. */
  flopsOfOne: number
  flopsOfAll: number
  /** Bytes a second, of all threads through a = b + s c. */
  bandwidth: number
}

type Optional = NativeBuffer | null

export interface Matmul {
  m: number
  n: number
  k: number
  transposeA: boolean
  transposeB: boolean
  a: NativeBuffer
  b: NativeBuffer
  bias: Optional
  c: NativeBuffer
}

export interface GatherRows {
  rows: number
  columns: number
  sourceRows: number
  fill: number
  source: NativeBuffer
  index: NativeBuffer
  destination: NativeBuffer
}

export interface CopyColumns {
  rows: number
  columns: number
  sourceStride: number
  sourceOffset: number
  destinationStride: number
  destinationOffset: number
  source: NativeBuffer
  destination: NativeBuffer
}

/** `enum class Cell` in native/backend.h. */
export const cells = { lstm: 0, gru: 1, resetFirstGru: 2, elmanTanh: 3, elmanRelu: 4 } as const

export interface RecurrentLayer {
  /**
   * cell, rows, distinctRows, inputSize, hiddenSize, projectionSize, directions; and where this layer's states begin
   * in the h and the c of all layers, in numbers. Read before the call returns.
   */
  sizes: Float64Array
  offsets: Int32Array
  /** x; index, starts and order of indexed rows; h0, c0; wIh of each direction, then wHh, bIh, bHh and wHr. */
  inputs: Optional[]
}

export interface RecurrentLayerForward {
  layer: RecurrentLayer
  /** output, hN, cN, saved */
  results: Optional[]
}

export interface RecurrentLayerBackward {
  layer: RecurrentLayer
  output: NativeBuffer
  saved: NativeBuffer
  dOutput: Optional
  dHN: Optional
  dCN: Optional
  dX: Optional
  dH0: Optional
  dC0: Optional
  /** Of the weights, in their order. */
  gradients: Optional[]
}

/** The order of `enum class Elementwise` in native/backend.h. */
export const elementwiseFunctions = {
  copy: 0,
  add: 1,
  multiply: 2,
  scale: 3,
  tanh: 4,
  sigmoid: 5,
  relu: 6,
  tanhBackward: 7,
  sigmoidBackward: 8,
  reluBackward: 9,
} as const

/** A group of an optimiser: lists as long as that of its parameters, or empty where the rule reads none. */
export interface NativeSteppedGroup {
  parameters: NativeBuffer[]
  gradients: NativeBuffer[]
  steps: NativeBuffer[]
}

interface Rate {
  lr: number
  weightDecay: number
}

interface NativeSgdGroup extends NativeSteppedGroup, Rate {
  momentum: number
  dampening: number
  nesterov: boolean
  momenta: NativeBuffer[]
}

interface NativeAdamGroup extends NativeSteppedGroup, Rate {
  beta1: number
  beta2: number
  eps: number
  decoupled: boolean
  amsgrad: boolean
  means: NativeBuffer[]
  variances: NativeBuffer[]
  maxima: NativeBuffer[]
  rows: NativeAdamRows[]
}

interface NativeAsgdGroup extends NativeSteppedGroup, Rate {
  lambda: number
  alpha: number
  t0: number
  averages: NativeBuffer[]
  rates: NativeBuffer[]
}

interface NativeAdagradGroup extends NativeSteppedGroup, Rate {
  lrDecay: number
  eps: number
  keep: number
  add: number
  initialAccumulator: number
  sums: NativeBuffer[]
}

/** Which rows of a table a gradient holds; `ids` is null where it is dense. */
export interface NativeRows {
  tableRows: number
  columns: number
  ids: Optional
}

/** A gradient that Adam steps along; the buffers are null where it is dense. */
export interface NativeAdamRows extends NativeRows {
  rest: Optional
  missed: Optional
}

/** `kMostMissedSteps` in native/backend.h. */
export const mostMissedSteps = 256

/** The 32-bit words of `MissedSteps` for a table of so many rows: scalars of steps, their count, a place for each row. */
export function missedStepsWords(tableRows: number): number {
  return 12 * mostMissedSteps + 1 + tableRows
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

type Op<Arguments> = (device: NativeDevice, args: Arguments) => void

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
  allocate(device: NativeDevice, bytes: number): NativeBuffer
  /** `allocate` into a buffer that was released. */
  renew(device: NativeDevice, buffer: NativeBuffer, bytes: number): void
  upload(device: NativeDevice, data: Float32Array | Int32Array): NativeBuffer
  download(device: NativeDevice, buffer: NativeBuffer, integers: false): Promise<Float32Array>
  download(device: NativeDevice, buffer: NativeBuffer, integers: true): Promise<Int32Array>
  release(buffer: NativeBuffer): void
  /** The ids of a batch, once each, and where they stand; or the place of the first that is not in [0, below). */
  distinctIds(ids: Int32Array, below: number): DistinctIds | number

  matmul: Op<Matmul>
  gatherRows: Op<GatherRows>
  sumRows: Op<{
    rows: number
    columns: number
    source: NativeBuffer
    starts: NativeBuffer
    order: NativeBuffer
    destination: NativeBuffer
  }>
  addRows: Op<{
    rows: number
    columns: number
    source: NativeBuffer
    index: NativeBuffer
    destination: NativeBuffer
  }>
  sumColumns: Op<{ rows: number; columns: number; source: NativeBuffer; sums: NativeBuffer }>
  copyColumns: Op<CopyColumns>
  maxPool: Op<{
    columns: number
    offsets: Int32Array
    rows: NativeBuffer
    pooled: NativeBuffer
    /** int32 */
    places: NativeBuffer
  }>
  maxPoolBackward: Op<{
    columns: number
    offsets: Int32Array
    /** int32 */
    places: NativeBuffer
    dPooled: NativeBuffer
    dRows: NativeBuffer
  }>
  meanPool: Op<{ columns: number; offsets: Int32Array; rows: NativeBuffer; pooled: NativeBuffer }>
  meanPoolBackward: Op<{ columns: number; offsets: Int32Array; dPooled: NativeBuffer; dRows: NativeBuffer }>
  elementwise: Op<{ function: number; count: number; a: NativeBuffer; b: Optional; out: NativeBuffer }>
  fill: Op<{ count: number; value: number; from: Optional; out: NativeBuffer }>
  sum: Op<{ count: number; values: NativeBuffer; out: NativeBuffer }>
  dropout: Op<{
    rows: number
    columns: number
    directions: number
    seed: number
    step: number
    stream: number
    p: number
    offsets: Int32Array | null
    x: NativeBuffer
    y: NativeBuffer
  }>
  crossEntropy: Op<{
    rows: number
    classes: number
    mean: boolean
    ignoreIndex: number
    labelSmoothing: number
    logits: NativeBuffer
    labels: NativeBuffer
    weight: Optional
    loss: NativeBuffer
    gradient: Optional
  }>
  recurrentForward: Op<RecurrentLayerForward>
  recurrentBackward: Op<RecurrentLayerBackward>
  clipNorm: Op<{
    maxNorm: number
    largest: boolean
    mustBeFinite: boolean
    values: NativeBuffer[]
    rows: NativeRows[]
    total: NativeBuffer
  }>
  clipValue: Op<{ limit: number; values: NativeBuffer[] }>
  sgdStep: Op<{ groups: NativeSgdGroup[] }>
  adamStep: Op<{ groups: NativeAdamGroup[] }>
  adamCatchUp: Op<{
    rows: number
    columns: number
    parameter: NativeBuffer
    mean: NativeBuffer
    variance: NativeBuffer
    maximum: Optional
    missed: NativeBuffer
    /** int32; null: all rows */
    ids: Optional
  }>
  asgdStep: Op<{ groups: NativeAsgdGroup[] }>
  adagradStep: Op<{ groups: NativeAdagradGroup[] }>
  /** Numbers that a layer's forward pass saves; only its shape is read. */
  recurrentSavedCount(device: NativeDevice, layer: RecurrentLayer): number
}

function load(): Native {
  const file = addonFile()
  try {
    return createRequire(import.meta.url)(file)
  } catch (cause) {
    throw loadFailure(cause)
  }
}

export const native = load()

/** An error of the addon as this package's error. */
export function fromNative(error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return error
  if (!isErrorCode(error.code)) return error
  return new PackedRnnError(error.code, error.message, { cause: error })
}

function isErrorCode(code: string): code is ErrorCode {
  return code.startsWith('ERR_')
}
