import { checkInstance } from './check.js'
import { badArgument } from './errors.js'
import { fromNative, type NativeDevice, type NativeMark, native } from './native.js'

/** What a mark reads of a device, whose class makes marks. */
interface Marked {
  readonly name: string
  readonly queue: NativeDevice
}

/**
 * A point in the order of a device's ops, made by `device.mark()`. On a GPU it is an event in its stream.
 *
 * @example
 * ```ts
 * import { device, sum, tensor } from 'packed-rnn'
 *
 * const cpu = device('cpu')
 * const x = tensor([1, 2, 3], [3], { device: cpu })
 * const start = cpu.mark()
 * const total = sum(x)
 * const seconds = await start.secondsUntil(cpu.mark())
 * console.log(await total.item(), seconds >= 0) // 6 true
 * ```
 */
export class Mark {
  readonly #device: Marked
  readonly #native: NativeMark

  /** @internal Use `device.mark()`. */
  constructor(device: Marked) {
    this.#device = device
    this.#native = native.mark(device.queue)
  }

  /**
   * Resolves, when the device has reached both marks, with the seconds from this mark to a later one, by the
   * device's clock: on a GPU within half a microsecond. Negative if `later` is the earlier one.
   *
   * @throws PackedRnnError (rejects) ERR_DEVICE for another device's mark; ERR_DEVICE_LOST.
   */
  async secondsUntil(later: Mark): Promise<number> {
    checkInstance('secondsUntil', 'later', later, Mark)
    if (later.#device !== this.#device) {
      throw badArgument(
        'secondsUntil',
        'later',
        `a mark of ${this.#device.name}`,
        later.#device.name,
        'ERR_DEVICE',
      )
    }
    try {
      return await native.secondsBetween(this.#device.queue, this.#native, later.#native)
    } catch (error) {
      throw fromNative(error)
    }
  }
}
