import { afterAll, describe, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import type { ErrorCode } from '../../src/errors.js'
import { relu } from '../../src/ops/elementwise.js'
import { sum } from '../../src/ops/reduce.js'
import { type DType, full, memory, type Tensor, zeros } from '../../src/tensor.js'
import { thrownBy } from './own.js'

/**
 * Bad input at the door of an op: the stable code, and a message that names the op, the argument, what was wanted and
 * what came. A call that throws leaves nothing behind, and the device still works.
 */

export const cpu = device('cpu', { threads: 1 })
export const other = device('cpu', { threads: 2 })
/** The end of a message about a tensor that is on `other`. */
export const ELSEWHERE = `a tensor on ${cpu.name}, got ${other.name}`

/** Tensors made by the functions below: a case may make its arguments in the call that throws. */
let made = 0

export function argument<D extends DType, R extends number>(given: Tensor<D, R>): Tensor<D, R> {
  made++
  return given
}

export const vector = (size: number, on = cpu) => argument(zeros<1>([size], { device: on }))
export const matrix = (rows: number, columns: number, on = cpu) =>
  argument(zeros<2>([rows, columns], { device: on }))
export const cube = (a: number, b: number, c: number, on = cpu) =>
  argument(zeros<3>([a, b, c], { device: on }))

/** What JavaScript may pass where the types ask for something else. */
export const untyped = <T>(value: unknown) => value as T

export type Refusal = [code: ErrorCode, message: string, call: () => unknown]

export function refuses(what: string, refusals: Refusal[]): void {
  describe(what, () => {
    test.each(refusals)('%s: %s', (code, message, call) => {
      const before = memory().tensors - made
      const error = thrownBy(call)
      expect(error.message).toBe(message)
      expect(error.code).toBe(code)
      expect(memory().tensors - made, 'a call that throws leaves no tensor').toBe(before)
    })

    afterAll(async () => {
      await cpu.synchronize()
      expect(await sum(relu(full([3], 2, { device: cpu }))).item()).toBe(6)
    })
  })
}
