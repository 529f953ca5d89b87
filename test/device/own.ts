import { expect } from 'vitest'
import { type Device, device } from '../../src/device.js'
import { PackedRnnError } from '../../src/errors.js'
import { linearForward } from '../../src/ops/linear.js'
import { type Tensor, zeros } from '../../src/tensor.js'

/** A block of the allocator: the least that a tensor holds. */
export const BLOCK = 64

let opened = 0

/** A device of the caller's own: nothing of another test is in its queue, its memory or its failures. */
export function ownDevice(memoryLimit = 2 ** 30): Device {
  // One device for each set of options, so the limits differ, but by less than a block.
  return device('cpu', {
    threads: 1 + Math.floor(opened / BLOCK),
    memoryLimit: memoryLimit + (opened++ % BLOCK),
  })
}

/** Bytes of the result of `occupy`. */
export const OCCUPIED = 4 * 2048 * 2048

/** Occupies the device for a good part of a second. Call it when the device is at rest. */
export function occupy(on: Device): Tensor<'float32', 2> {
  using x = zeros<2>([2048, 2048], { device: on })
  return linearForward(x, x)
}

/** The error that `fn` throws, which must be of this package. */
export function thrownBy(fn: () => unknown): PackedRnnError {
  try {
    fn()
  } catch (error) {
    return ours(error)
  }
  return expect.fail('nothing was thrown')
}

/** The error that `promise` rejects with, which must be of this package. */
export async function rejectionOf(promise: Promise<unknown>): Promise<PackedRnnError> {
  try {
    await promise
  } catch (error) {
    return ours(error)
  }
  return expect.fail('nothing was rejected')
}

function ours(error: unknown): PackedRnnError {
  if (error instanceof PackedRnnError) return error
  throw error
}
