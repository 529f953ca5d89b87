import { describe, expect, test } from 'vitest'
import { device } from '../../src/device.js'
import { linearForward } from '../../src/ops/linear.js'
import { scope } from '../../src/scope.js'
import { zeros } from '../../src/tensor.js'
import { rejectionOf } from './own.js'

describe('marks', () => {
  test("return the device's time between them", async () => {
    const cpu = device('cpu', { threads: 1 })
    const a = zeros([512, 512], { device: cpu })
    await cpu.synchronize()
    const [start, began] = [cpu.mark(), performance.now()]
    scope(() => {
      for (let i = 0; i < 8; i++) linearForward(a, a)
    })
    const end = cpu.mark()
    const seconds = await start.secondsUntil(end)
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual((performance.now() - began) / 1000 + 1e-3)
    expect(await end.secondsUntil(start)).toBe(-seconds)
    expect(await start.secondsUntil(start)).toBe(0)
  })

  test('of another device, and other values, are rejected', async () => {
    const [one, two] = [device('cpu', { threads: 1 }), device('cpu', { threads: 2 })]
    expect(await rejectionOf(one.mark().secondsUntil(two.mark()))).toMatchObject({
      code: 'ERR_DEVICE',
      message: 'secondsUntil: later: wanted a mark of cpu (1 thread), got cpu (2 threads)',
    })
    // @ts-expect-error what JavaScript may pass
    expect(await rejectionOf(one.mark().secondsUntil(7))).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
  })
})
