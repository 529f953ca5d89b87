import { availableParallelism } from 'node:os'
import { checkInteger } from './check.js'
import { badArgument } from './errors.js'
import { fromNative, type NativeDevice, native } from './native.js'

export interface DeviceOptions {
  /** Worker threads of the CPU; the default is one for each core. The bits of a result do not depend on it. */
  threads?: number
  /** Bytes that tensors may hold at once; beyond it an op fails with ERR_OUT_OF_MEMORY. The default is no limit. */
  memoryLimit?: number
}

/**
 * A device is an ordered queue. Ops return at once and run in the order in which they were issued, on the device's own
 * thread; the event loop stays free. Where 1,024 ops or 4 GB of results are waiting, a call blocks until there is room.
 *
 * Shapes and types are checked by the call. An op that fails later marks its outputs failed, ops that read those fail
 * with the same error, and the `await` of a value rejects with it.
 */
export class Device {
  /** @internal */
  readonly queue: NativeDevice
  readonly kind: 'cpu'
  readonly name: string
  readonly threads: number
  /** The instruction set in use: avx512, avx2 or portable. PACKED_RNN_CPU forces one. */
  readonly instructions: string

  /** @internal Use `device()`. */
  constructor(kind: 'cpu', threads: number, memoryLimit: number) {
    try {
      this.queue = native.openDevice(threads, memoryLimit)
    } catch (error) {
      throw fromNative(error)
    }
    const info = native.deviceInfo(this.queue)
    this.kind = kind
    this.threads = info.threads
    this.instructions = info.instructions
    const limit = memoryLimit === 0 ? '' : `, at most ${memoryLimit} bytes`
    this.name = `${kind} (${threads} ${threads === 1 ? 'thread' : 'threads'}${limit})`
  }

  /** Resolves when all that was issued has run; rejects with the first failure that no `await` has shown yet. */
  async synchronize(): Promise<void> {
    try {
      await native.synchronize(this.queue)
    } catch (error) {
      throw fromNative(error)
    }
  }

  /** Bytes that tensors and queued ops hold, and bytes kept for the next ones. */
  memory(): { held: number; cached: number } {
    return native.deviceMemory(this.queue)
  }
}

const opened = new Map<string, Device>()

/**
 * Opens a device. `'cpu'` is the only kind; without a kind PACKED_RNN_DEVICE says which, or else the best there is.
 * The same kind and options give the same device and queue; tensors of different devices do not mix.
 *
 * @throws PackedRnnError ERR_INVALID_ARGUMENT for an unknown kind, ERR_OUT_OF_RANGE for a number of threads outside
 * 1 to 256, ERR_DEVICE_UNAVAILABLE where PACKED_RNN_CPU names an instruction set that this CPU lacks.
 */
export function device(kind?: string, options: DeviceOptions = {}): Device {
  const wanted = kind ?? process.env.PACKED_RNN_DEVICE ?? 'cpu'
  if (wanted !== 'cpu') {
    throw badArgument('device', kind === undefined ? 'PACKED_RNN_DEVICE' : 'kind', "'cpu'", wanted)
  }
  const threads = options.threads ?? Math.min(availableParallelism(), 256)
  const memoryLimit = options.memoryLimit ?? 0
  checkInteger('device', 'threads', threads, 1, 256)
  checkInteger('device', 'memoryLimit', memoryLimit, 0, Number.MAX_SAFE_INTEGER)
  const key = `${wanted} ${threads} ${memoryLimit}`
  let found = opened.get(key)
  if (found === undefined) {
    found = new Device(wanted, threads, memoryLimit)
    opened.set(key, found)
  }
  return found
}

/** The devices that can be opened, the best first. */
export function devices(): { kind: 'cpu'; threads: number; instructions: string }[] {
  const cpu = device('cpu')
  return [{ kind: 'cpu', threads: cpu.threads, instructions: cpu.instructions }]
}

/** The instruction sets that the CPU backend has code for and this CPU supports, the best first. */
export function instructionSets(): string[] {
  return native.instructionSets()
}
