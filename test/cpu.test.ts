import { device } from '../src/device.js'
import { suites } from './suite/all.js'
import { randomCasesSuite } from './suite/randomCases.js'
import { randomOpsSuite } from './suite/randomOps.js'
import type { Target } from './suite/target.js'

const cpu: Target = {
  name: 'cpu',
  precision: 'float32',
  threads: [1, 2, 3, 16],
  open: threads => device('cpu', threads === undefined ? {} : { threads }),
}

for (const suite of suites) suite(cpu)
const count = Number(process.env.PACKED_RNN_RANDOM_CASES ?? 12)
randomCasesSuite([cpu], count)
randomOpsSuite([cpu], count)
