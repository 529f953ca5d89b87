import { checkInteger, checkOptions, type OptionNames } from './check.js'
import { usableCores } from './cpuQuota.js'
import { badArgument, type ErrorCode, PackedRnnError } from './errors.js'
import { Mark } from './mark.js'
import { type Ceilings, fromNative, type NativeDevice, native, precisions } from './native.js'

/**
 * What products of matrices compute with: float32, or operands rounded to tf32's 11 or bfloat16's 8 bits. Sums, and all
 * that is no product, are float32.
 */
export type Precision = 'float32' | 'tf32' | 'bfloat16'

/** What a device is opened with; the same options give the same device. */
export interface DeviceOptions {
  /**
   * Worker threads of the CPU. The default is one for each core that the process may use, and on Linux no more than the
   * CPU quota of its container (cgroup v1 or v2), rounded up. The bits of a result do not depend on it.
   */
  threads?: number
  /**
   * The CPU's default is `'float32'`; it has `'bfloat16'` where its instructions have (AVX512-BF16). Whether that is faster
   * depends on the CPU: `packed-rnn doctor` measures it. CUDA's default is
   * `'tf32'`, as in PyTorch's recurrent layers; a device of compute capability 7.5 computes in float32 where it is asked
   * for tf32.
   */
  precision?: Precision
  /**
   * `'stepwise'` makes CUDA's recurrent ops take their second path, which serves every size, also where the first one
   * would: for comparisons. The default is `'auto'`.
   */
  path?: 'auto' | 'stepwise'
  /** Bytes that tensors may hold at once; beyond it an op fails with ERR_OUT_OF_MEMORY. The default is no limit. */
  memoryLimit?: number
}

const optionNames: OptionNames<DeviceOptions> = {
  threads: true,
  precision: true,
  path: true,
  memoryLimit: true,
}

/** Where a device is; the CPU's ordinal is 0. */
interface Place {
  kind: 'cpu' | 'cuda'
  ordinal: number
}

/** Options with their defaults, as the place has them. */
type Options = Required<Omit<DeviceOptions, 'threads'>> & { threads: number | null }

/**
 * A device is an ordered queue. Ops return at once and run in the order in which they were issued, on the device's own
 * thread; the event loop stays free. While 4 GiB of results and of ops themselves are waiting, a call blocks until there is room.
 *
 * Shapes and types are checked by the call. An op that fails later marks its outputs failed, ops that read those fail
 * with the same error, and the `await` of a value rejects with it.
 */
export class Device {
  /** @internal */
  readonly queue: NativeDevice
  /** What it is. */
  readonly kind: 'cpu' | 'cuda'
  /** Which of its kind; the CPU's is 0. */
  readonly ordinal: number
  /** What products of matrices compute with. */
  readonly precision: Precision
  /** For people: `cpu (2 threads)`, `cuda:0 (NVIDIA H100 80GB HBM3, tf32)`. */
  readonly name: string
  /** Worker threads of the CPU; null where the device has none. */
  readonly threads: number | null
  /**
   * The CPU's instruction set in use, avx512, avx2 or portable, of which PACKED_RNN_CPU forces one; of a CUDA device its
   * architecture, as `sm_90`.
   */
  readonly instructions: string

  /** @internal Use `device()`. */
  constructor({ kind, ordinal }: Place, { precision, path, threads, memoryLimit }: Options) {
    try {
      this.queue = native.openDevice({
        kind,
        ordinal,
        precision: precisions[precision],
        stepwise: path === 'stepwise',
        threads: threads ?? 0,
        memoryLimit,
      })
    } catch (error) {
      throw fromNative(error)
    }
    const { instructions, hardware } = native.deviceInfo(this.queue)
    this.kind = kind
    this.ordinal = ordinal
    this.precision = precision
    this.threads = threads
    this.instructions = instructions
    const about = kind === 'cpu' ? [`${threads} ${threads === 1 ? 'thread' : 'threads'}`] : [hardware]
    if (kind !== 'cpu' || precision !== 'float32') about.push(precision)
    if (path === 'stepwise') about.push(path)
    if (memoryLimit > 0) about.push(`at most ${memoryLimit} bytes`)
    this.name = `${kind === 'cpu' ? kind : `${kind}:${ordinal}`} (${about.join(', ')})`
  }

  /**
   * Resolves when all that was issued has run.
   * @throws PackedRnnError (rejects) with the first failure of this thread's ops that no `await` has shown yet:
   * ERR_OUT_OF_MEMORY, ERR_OP_FAILED, ERR_OUT_OF_RANGE, ERR_NON_FINITE, ERR_DEVICE_LOST.
   */
  async synchronize(): Promise<void> {
    try {
      await native.synchronize(this.queue)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** A point behind all that was issued, for times of the device itself: a call returns long before its work is done. */
  mark(): Mark {
    return new Mark(this)
  }

  /** Bytes that tensors and queued ops hold, and bytes kept for the next ones. */
  memory(): { held: number; cached: number } {
    return native.deviceMemory(this.queue)
  }
}

const opened = new Map<string, Device>()

/** The place that was the best when it was first asked for: what is made without a device goes on fitting together. */
let best: Place | undefined

/**
 * Opens a device: `'cpu'`, `'cuda'`, which is `'cuda:0'`, or another `'cuda:N'`. Without a kind PACKED_RNN_DEVICE says
 * which, or else it is the best there is: the first CUDA device that opens, or the CPU, as it also is where `threads` are
 * given. The same kind and options give the same device and queue; tensors of different devices do not mix.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown kind or option, or one that the kind lacks; ERR_OUT_OF_RANGE for
 * a number of threads outside 1 to 256, and an N that no CUDA device has; ERR_DEVICE_UNAVAILABLE where PACKED_RNN_CPU
 * names an instruction set that this CPU lacks, or it has no bfloat16; where CUDA does not open, ERR_CUDA_NO_LIBRARY, ERR_CUDA_WRONG_STAMP,
 * ERR_CUDA_NO_DRIVER, ERR_CUDA_DRIVER_TOO_OLD, ERR_CUDA_NO_DEVICE, ERR_CUDA_DEVICE_TOO_OLD or ERR_CUDA_DEVICE_UNSUPPORTED, with the reason in a
 * sentence.
 */
export function device(kind?: string, options: DeviceOptions = {}): Device {
  checkOptions('device', options, optionNames)
  const named = kind ?? (process.env.PACKED_RNN_DEVICE || undefined)
  if (named !== undefined) {
    const argument = kind === undefined ? 'PACKED_RNN_DEVICE' : 'kind'
    return openOnce(placeOf(argument, named), options)
  }
  if (options.threads !== undefined) return openOnce(CPU, options)
  best ??= findBest(options)
  return openOnce(best, options)
}

/** The device that was given, or the best. @throws PackedRnnError ERR_DEVICE for what is none, as its name. @internal */
export function deviceOr(given: Device | undefined, op: string): Device {
  const found = given ?? device()
  if (!(found instanceof Device)) throw badArgument(op, 'device', 'what device() gives', found, 'ERR_DEVICE')
  return found
}

const CPU: Place = { kind: 'cpu', ordinal: 0 }

function placeOf(argument: string, name: string): Place {
  if (name === 'cpu') return CPU
  const cuda = /^cuda(?::(\d{1,4}))?$/.exec(name)
  if (cuda === null) throw badArgument('device', argument, "'cpu', 'cuda' or 'cuda:N'", name)
  return { kind: 'cuda', ordinal: Number(cuda[1] ?? 0) }
}

/** The first CUDA device that opens, or the CPU. What keeps one from opening is told by `devices()`. */
function findBest(options: DeviceOptions): Place {
  for (const { ordinal, code } of cudaListings()) {
    if (ordinal === null || code !== null) continue
    const place: Place = { kind: 'cuda', ordinal }
    checkedOptions(place, options)
    try {
      openOnce(place, options)
      return place
    } catch (error) {
      if (!(error instanceof PackedRnnError)) throw error
    }
  }
  return CPU
}

function openOnce(place: Place, given: DeviceOptions): Device {
  const options = checkedOptions(place, given)
  const { precision, path, threads, memoryLimit } = options
  const key = [place.kind, place.ordinal, precision, path, threads, memoryLimit].join(' ')
  let found = opened.get(key)
  if (found === undefined) {
    found = new Device(place, options)
    opened.set(key, found)
  }
  return found
}

let cores: number | undefined

/** Asked once: with a quota that has changed, the same options would be another device. */
function defaultThreads(): number {
  cores ??= Math.min(usableCores(), 256)
  return cores
}

function checkedOptions({ kind }: Place, options: DeviceOptions): Options {
  const cpu = kind === 'cpu'
  const { precision = cpu ? 'float32' : 'tf32', path = 'auto', memoryLimit = 0 } = options
  const { threads = cpu ? defaultThreads() : null } = options
  const oneOf = (argument: string, value: string, words: readonly string[]) => {
    if (!words.includes(value))
      throw badArgument('device', argument, `${words.join(' or ')} on ${kind}`, value)
  }
  oneOf('precision', precision, cpu ? ['float32', 'bfloat16'] : Object.keys(precisions))
  oneOf('path', path, cpu ? ['auto'] : ['auto', 'stepwise'])
  if (!cpu && threads !== null) throw badArgument('device', 'threads', 'none on cuda', threads)
  if (threads !== null) checkInteger('device', 'threads', threads, 1, 256)
  checkInteger('device', 'memoryLimit', memoryLimit, 0, Number.MAX_SAFE_INTEGER)
  return { precision, path, threads, memoryLimit }
}

/** Why a device cannot be opened, in a sentence, and the code of the error that says so; both null where it can. */
export interface Obstacle {
  code: ErrorCode | null
  reason: string | null
}

/** The CPU, as `devices()` tells of it; its facts are null where it does not open. */
export interface CpuListing extends Obstacle {
  kind: 'cpu'
  threads: number | null
  instructions: string | null
  /** What `precision` may be here. */
  precisions: Precision[]
}

/**
 * A CUDA device, as `devices()` tells of it. Its facts are null where they are not known; so is the ordinal where there is
 * no such device at all.
 */
export interface CudaListing extends Obstacle {
  kind: 'cuda'
  ordinal: number | null
  name: string | null
  /** As `'9.0'`. */
  computeCapability: string | null
  memoryBytes: number | null
}

/**
 * The devices of this machine, the best first; those that cannot be opened come last, with the reason. Where there is no
 * CUDA device one entry says why.
 */
export function devices(): (CpuListing | CudaListing)[] {
  const all = [...cudaListings(), cpuListing()]
  return [...all.filter(({ code }) => code === null), ...all.filter(({ code }) => code !== null)]
}

function cpuListing(): CpuListing {
  try {
    const { threads, instructions } = device('cpu')
    return { kind: 'cpu', threads, instructions, precisions: cpuPrecisions(), code: null, reason: null }
  } catch (error) {
    return { kind: 'cpu', threads: null, instructions: null, precisions: [], ...obstacle(error) }
  }
}

function cudaListings(): CudaListing[] {
  const unknown = { kind: 'cuda', name: null, computeCapability: null, memoryBytes: null } as const
  try {
    return native
      .cudaDevices()
      .map((found, ordinal) =>
        found.code === undefined
          ? { kind: 'cuda', ordinal, ...found, code: null, reason: null }
          : { ...unknown, ordinal, ...found },
      )
  } catch (error) {
    return [{ ...unknown, ordinal: null, ...obstacle(error) }]
  }
}

/** What keeps a device from opening; an error that is none of this package's stays one. */
function obstacle(error: unknown): Obstacle {
  const ours = fromNative(error)
  if (!(ours instanceof PackedRnnError)) throw ours
  return { code: ours.code, reason: ours.message }
}

/** What `precision` of the CPU may be here. @internal */
export function cpuPrecisions(): Precision[] {
  const open = native.cpuPrecisions()
  const names: Precision[] = ['float32', 'tf32', 'bfloat16']
  return names.filter(name => open.includes(precisions[name]))
}

/** The instruction sets that the CPU backend has code for and this CPU supports, the best first. */
export function instructionSets(): string[] {
  return native.instructionSets()
}

/** The file of the CUDA backend's library, also where there is none. */
export function cudaLibraryFile(): string {
  return native.cudaLibraryFile()
}

/**
 * What arithmetic and memory give when the CPU's queue comes to it, by its kernels' own instructions and threads. Takes
 * about 50 ms and 192 MiB.
 * @internal
 */
export async function ceilings(of: Device): Promise<Ceilings> {
  if (of.kind !== 'cpu') throw badArgument('ceilings', 'device', 'a CPU', of.name)
  try {
    return await native.ceilings(of.queue)
  } catch (error) {
    throw fromNative(error)
  }
}
