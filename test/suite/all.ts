import { cellsSuite } from './cells.js'
import { clippingSuite } from './clipping.js'
import { denormalsSuite } from './denormals.js'
import { dropoutSuite } from './dropout.js'
import { elementwiseSuite } from './elementwise.js'
import { embeddingSuite } from './embedding.js'
import { layersSuite } from './layers.js'
import { linearSuite } from './linear.js'
import { linearLossSuite } from './linearLoss.js'
import { lossSuite } from './loss.js'
import { modulesSuite } from './modules.js'
import { optimizerStateSuite } from './optimizerState.js'
import { optimizersSuite } from './optimizers.js'
import { packingSuite } from './packing.js'
import { poolingSuite } from './pooling.js'
import { rareClassesSuite } from './rareClasses.js'
import { recurrentSuite } from './recurrent.js'
import { refusedStepsSuite } from './refusedSteps.js'
import { repeatedSuite } from './repeated.js'
import { attentionTapeSuite } from './tapeAttention.js'
import { cumulativeTapeSuite } from './tapeCumulative.js'
import { elementwiseTapeSuite } from './tapeElementwise.js'
import { tapeFixturesSuite } from './tapeFixtures.js'
import { gradientsTapeSuite } from './tapeGradients.js'
import { indexingTapeSuite } from './tapeIndexing.js'
import { lossTapeSuite } from './tapeLoss.js'
import { normsTapeSuite } from './tapeNorms.js'
import { productsTapeSuite } from './tapeProducts.js'
import { randomTapeSuite } from './tapeRandom.js'
import { reduceTapeSuite } from './tapeReduce.js'
import { sequencesTapeSuite } from './tapeSequences.js'
import { shapeTapeSuite } from './tapeShape.js'
import type { Target } from './target.js'
import { touchedRowsSuite } from './touchedRows.js'
import { translationSuite } from './translation.js'
import { vanishedSuite } from './vanished.js'

/** The tests that every device must pass. */
export const suites: readonly ((target: Target) => void)[] = [
  elementwiseSuite,
  linearSuite,
  rareClassesSuite,
  embeddingSuite,
  lossSuite,
  linearLossSuite,
  dropoutSuite,
  packingSuite,
  poolingSuite,
  recurrentSuite,
  cellsSuite,
  vanishedSuite,
  repeatedSuite,
  denormalsSuite,
  modulesSuite,
  layersSuite,
  translationSuite,
  optimizersSuite,
  optimizerStateSuite,
  touchedRowsSuite,
  clippingSuite,
  refusedStepsSuite,
  elementwiseTapeSuite,
  cumulativeTapeSuite,
  reduceTapeSuite,
  productsTapeSuite,
  shapeTapeSuite,
  indexingTapeSuite,
  sequencesTapeSuite,
  attentionTapeSuite,
  normsTapeSuite,
  lossTapeSuite,
  randomTapeSuite,
  gradientsTapeSuite,
  tapeFixturesSuite,
]

/** The ops with matrix products, whose precision can be chosen. All others, except the gates of recurrent layers, compute in float32. */
export const productSuites: readonly ((target: Target) => void)[] = [
  linearSuite,
  linearLossSuite,
  recurrentSuite,
  cellsSuite,
  vanishedSuite,
  repeatedSuite,
  denormalsSuite,
  modulesSuite,
  layersSuite,
  translationSuite,
  productsTapeSuite,
  tapeFixturesSuite,
]

/** The tests that depend on the path of the recurrent ops. They run on the second path, too. */
export const pathSuites: readonly ((target: Target) => void)[] = [
  recurrentSuite,
  cellsSuite,
  vanishedSuite,
  repeatedSuite,
  denormalsSuite,
  modulesSuite,
]
