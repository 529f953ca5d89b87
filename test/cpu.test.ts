import { device } from '../src/device.js'
import { cellsSuite } from './suite/cells.js'
import { clippingSuite } from './suite/clipping.js'
import { dropoutSuite } from './suite/dropout.js'
import { elementwiseSuite } from './suite/elementwise.js'
import { embeddingSuite } from './suite/embedding.js'
import { linearSuite } from './suite/linear.js'
import { lossSuite } from './suite/loss.js'
import { modulesSuite } from './suite/modules.js'
import { optimizerStateSuite } from './suite/optimizerState.js'
import { optimizersSuite } from './suite/optimizers.js'
import { packingSuite } from './suite/packing.js'
import { poolingSuite } from './suite/pooling.js'
import { recurrentSuite } from './suite/recurrent.js'
import type { Target } from './suite/target.js'

const cpu: Target = {
  name: 'cpu',
  precision: 'float32',
  open: threads => device('cpu', threads === undefined ? {} : { threads }),
}

const suites = [
  elementwiseSuite,
  linearSuite,
  embeddingSuite,
  lossSuite,
  dropoutSuite,
  packingSuite,
  poolingSuite,
  recurrentSuite,
  cellsSuite,
  modulesSuite,
  optimizersSuite,
  optimizerStateSuite,
  clippingSuite,
]
for (const suite of suites) suite(cpu)
