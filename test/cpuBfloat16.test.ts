import { test } from 'vitest'
import { cpuPrecisions, device } from '../src/device.js'
import { productSuites } from './suite/all.js'
import { randomCasesSuite } from './suite/randomCases.js'
import { randomOpsSuite } from './suite/randomOps.js'
import type { Target } from './suite/target.js'

/** As cpu.test.ts, where the CPU multiplies in bfloat16. */

const cpu: Target = {
  name: 'cpu in bfloat16',
  precision: 'bfloat16',
  threads: [1, 2, 3, 16],
  open: threads => device('cpu', { precision: 'bfloat16', ...(threads !== undefined && { threads }) }),
}

if (cpuPrecisions().includes('bfloat16')) {
  for (const suite of productSuites) suite(cpu)
  const count = Number(process.env.PACKED_RNN_RANDOM_CASES ?? 12)
  randomCasesSuite([cpu], count)
  randomOpsSuite([cpu], count)
} else {
  test.skip('cpu in bfloat16: this CPU, or PACKED_RNN_CPU, has none', () => {})
}
