import { checkInteger, checkOptions, type OptionNames } from './check.js'
import { usableCores } from './cpuQuota.js'
import { badArgument, type ErrorCode, PackedRnnError } from './errors.js'
import { Mark } from './mark.js'
import { type Ceilings, fromNative, type NativeDevice, native, precisions } from './native.js'

/**
 * The precision of matrix products: float32, or operands rounded to tf32's 11 or bfloat16's 8 bits. Sums, and
 * everything that is not a product, are float32. With rounded operands, the gates of recurrent layers may be
 * approximations that are as precise as the products.
 */
export type Precision = 'float32' | 'tf32' | 'bfloat16'

/** Options of `device()`. The same options return the same device. */
export interface DeviceOptions {
  /**
   * Worker threads of the CPU. The default is one for each core that the process may use; on Linux it is at
   * most the CPU quota of the container (cgroup v1 or v2), rounded up. The number doesn't change the bits of
   * a result.
   */
  threads?: number
  /**
   * The CPU's default is `'float32'`; it supports `'bfloat16'` if it has AVX512-BF16 instructions. Whether
   * that is faster depends on the CPU: `packed-rnn doctor` measures it. CUDA's default is `'tf32'`, as in
   * PyTorch's recurrent layers; a device of compute capability 7.5 computes in float32 instead of tf32.
   */
  precision?: Precision
  /**
   * `'stepwise'` makes CUDA's recurrent ops take their second path, which serves every size, even where the
   * first one would work: for comparisons. The default is `'auto'`.
   */
  path?: 'auto' | 'stepwise'
  /**
   * Bytes that tensors may hold at once. An op that exceeds the limit fails with ERR_OUT_OF_MEMORY. The
   * default is no limit.
   */
  memoryLimit?: number
}

const optionNames: OptionNames<DeviceOptions> = {
  threads: true,
  precision: true,
  path: true,
  memoryLimit: true,
}

/** The kind of a device and its number; the CPU's ordinal is 0. */
interface Place {
  kind: 'cpu' | 'cuda'
  ordinal: number
}

/** The options with the defaults of the device's kind. */
type Options = Required<Omit<DeviceOptions, 'threads'>> & { threads: number | null }

/**
 * A device: the CPU, or a CUDA GPU. It is an ordered queue. Calls return immediately, and each device runs
 * its ops in order on its own thread, so the event loop stays free. A call blocks only while 4 GiB of results
 * and of the ops themselves are waiting.
 *
 * The call checks shapes and types. An op that fails later marks its outputs as failed. Ops that read those
 * outputs fail with the same error, and so does the `await` of a value.
 *
 * Open one with `device()`.
 *
 * @example
 * ```ts
 * import { device, tensor } from 'packed-rnn'
 *
 * const cpu = device('cpu', { threads: 1 })
 * console.log(cpu.kind, cpu.precision, cpu.name) // cpu float32 cpu (1 thread)
 * const x = tensor([1, 2, 3], [3], { device: cpu })
 * await cpu.synchronize()
 * console.log(x.device === cpu, cpu.memory().held > 0) // true true
 * ```
 */
export class Device {
  /** @internal */
  readonly queue: NativeDevice
  /** The kind of device. */
  readonly kind: 'cpu' | 'cuda'
  /** The number of a CUDA device; the CPU's is 0. */
  readonly ordinal: number
  /** The precision of matrix products. */
  readonly precision: Precision
  /** A name for people: `cpu (2 threads)`, `cuda:0 (NVIDIA H100 80GB HBM3, tf32)`. */
  readonly name: string
  /** Worker threads of the CPU; null for a CUDA device. */
  readonly threads: number | null
  /**
   * The CPU's instruction set in use: amx, avx512, avx2 or portable; the environment variable PACKED_RNN_CPU
   * forces one. For a CUDA device its architecture, such as `sm_90`.
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
   * Resolves when everything issued so far has run.
   * @throws PackedRnnError (rejects) with the first failure of an op issued by this thread that no `await`
   * has reported yet.
   */
  async synchronize(): Promise<void> {
    try {
      await native.synchronize(this.queue)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /**
   * Returns a point after everything issued so far, to measure the time that the device itself takes: calls
   * return long before their work is done.
   */
  mark(): Mark {
    return new Mark(this)
  }

  /** Returns the bytes that tensors and queued ops hold, and the bytes cached for the next ones. */
  memory(): { held: number; cached: number } {
    return native.deviceMemory(this.queue)
  }
}

const opened = new Map<string, Device>()

/** The best device when it was first looked up, so that tensors made without a device always fit together. */
let best: Place | undefined

/**
 * Opens a device: `'cpu'`, `'cuda'` (the same as `'cuda:0'`) or `'cuda:N'`. Without a kind, the environment
 * variable PACKED_RNN_DEVICE names it. Without that, it is the CPU if `threads` is set, and otherwise the
 * first CUDA device that opens, or the CPU.
 *
 * The same kind and options return the same device and queue. An op cannot combine tensors of different
 * devices.
 *
 * @throws PackedRnnError ERR_DEVICE_UNAVAILABLE if the CPU lacks bfloat16 or the instruction set named by
 * PACKED_RNN_CPU; one of the ERR_CUDA codes if CUDA doesn't open, with the reason in a sentence.
 * @example
 * ```ts
 * import { device } from 'packed-rnn'
 *
 * const one = device('cpu', { threads: 1 })
 * console.log(one.name, one.threads, one.precision) // cpu (1 thread) 1 float32
 * console.log(one === device('cpu', { threads: 1 })) // true
 * ```
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

/**
 * Returns the given device, or the default one. @throws PackedRnnError ERR_DEVICE if it is not a `Device`.
 * @internal
 */
export function deviceOr(given: Device | undefined, op: string): Device {
  const found = given ?? device()
  if (!(found instanceof Device))
    throw badArgument(op, 'device', 'a device from device()', found, 'ERR_DEVICE')
  return found
}

const CPU: Place = { kind: 'cpu', ordinal: 0 }

function placeOf(argument: string, name: string): Place {
  if (name === 'cpu') return CPU
  const cuda = /^cuda(?::(\d{1,4}))?$/.exec(name)
  if (cuda === null) throw badArgument('device', argument, "'cpu', 'cuda' or 'cuda:N'", name)
  return { kind: 'cuda', ordinal: Number(cuda[1] ?? 0) }
}

/** Returns the first CUDA device that opens, or the CPU. `devices()` lists why the others don't open. */
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

/** Looked up once: if the quota changed in between, the same options would open another device. */
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
  if (!cpu && threads !== null) throw badArgument('device', 'threads', 'no threads on cuda', threads)
  if (threads !== null) checkInteger('device', 'threads', threads, 1, 256)
  checkInteger('device', 'memoryLimit', memoryLimit, 0, Number.MAX_SAFE_INTEGER)
  return { precision, path, threads, memoryLimit }
}

/** Why a device cannot be opened, in a sentence, and the code of that error; both are null if it can. */
export interface Obstacle {
  code: ErrorCode | null
  reason: string | null
}

/** The CPU, as listed by `devices()`. `threads` and `instructions` are null if it doesn't open. */
export interface CpuListing extends Obstacle {
  kind: 'cpu'
  threads: number | null
  instructions: string | null
  /** The values of `precision` that it supports. */
  precisions: Precision[]
}

/**
 * A CUDA device, as listed by `devices()`. Unknown facts are null; `ordinal` is null in the one entry that
 * says why there is no CUDA device.
 */
export interface CudaListing extends Obstacle {
  kind: 'cuda'
  ordinal: number | null
  name: string | null
  /** Such as `'9.0'`. */
  computeCapability: string | null
  memoryBytes: number | null
}

/**
 * Lists the devices of this machine, the best first. Devices that cannot be opened come last, with the
 * reason. If there is no CUDA device, one entry says why.
 * @example
 * ```ts
 * import { devices } from 'packed-rnn'
 *
 * const cpu = devices().find(({ kind }) => kind === 'cpu')
 * console.log(cpu?.code, cpu?.reason) // null null
 * for (const { kind, reason } of devices()) console.log(kind, reason ?? 'works')
 * ```
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

/** Returns why a device doesn't open; rethrows an error that is not a PackedRnnError. */
function obstacle(error: unknown): Obstacle {
  const ours = fromNative(error)
  if (!(ours instanceof PackedRnnError)) throw ours
  return { code: ours.code, reason: ours.message }
}

/** Returns the values of `precision` that the CPU supports. @internal */
export function cpuPrecisions(): Precision[] {
  const open = native.cpuPrecisions()
  const names: Precision[] = ['float32', 'tf32', 'bfloat16']
  return names.filter(name => open.includes(precisions[name]))
}

/** Returns the instruction sets that this CPU supports and the CPU backend has code for, the best first. */
export function instructionSets(): string[] {
  return native.instructionSets()
}

/** Returns the path of the CUDA backend's library, whether or not the file exists. */
export function cudaLibraryFile(): string {
  return native.cudaLibraryFile()
}

/**
 * Measures the arithmetic and memory throughput of the CPU, when its queue gets there, with the instructions
 * and threads of its kernels. Takes about 50 ms and 192 MiB.
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
