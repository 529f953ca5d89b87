import { readFileSync } from 'node:fs'
import { ranked, type Tensor, tensor } from '../../src/tensor.js'
import type { TapeCase, TapeOptions } from '../reference/exactCalls.js'
import type { Rule } from '../reference/optimizers.js'
import type { Target } from './target.js'

/** The fixtures that test/fixtures/write_fixtures.py wrote: PyTorch's values in float64, with 12 digits. */

export interface Fixture {
  shape: number[]
  data: number[]
}

export interface OpsFixtures {
  embedding: {
    ids: number[]
    paddingIdx: number | null
    weight: Fixture
    output: Fixture
    dOutput: Fixture
    dWeight: Fixture
  }[]
  linear: {
    input: Fixture
    weight: Fixture
    bias: Fixture | null
    output: Fixture
    dOutput: Fixture
    dInput: Fixture
    dWeight: Fixture
    dBias: Fixture | null
  }[]
  crossEntropy: {
    reduction: 'mean' | 'sum'
    logits: Fixture
    labels: number[]
    loss: number
    dLogits: Fixture
  }[]
  clipGradNorm: ClipFixture[]
}

export interface OptimizerFixtures {
  cases: (Rule & {
    name: string
    start: Fixture[]
    steps: { gradients: (Fixture | null)[]; after: Fixture[]; averages: (Fixture | null)[] }[]
  })[]
  /** `state` has PyTorch's names; `step` is the step that continues from it. */
  states: (Rule & {
    name: string
    start: Fixture[]
    state: Record<string, Fixture>
    gradients: Fixture[]
    after: Fixture[]
  })[]
  schedules: ScheduleFixture[]
  clipLargest: ClipFixture[]
  clipValue: { limit: number; gradients: Fixture[]; clipped: Fixture[] }[]
}

type ScheduleFixture = { rate: number; rates: Fixture } & (
  | { schedule: 'stepDecay'; options: { stepSize: number; gamma: number } }
  | { schedule: 'cosineAnnealing'; options: { steps: number; minimum?: number } }
  | {
      schedule: 'oneCycle'
      options: { steps: number; pctStart?: number; divFactor?: number; finalDivFactor?: number }
    }
)

interface ClipFixture {
  maxNorm: number
  gradients: Fixture[]
  totalNorm: number
  clipped: Fixture[]
}

export interface PackedFixtures {
  cases: {
    lengths: number[]
    input: Fixture
    data: Fixture
    batchSizes: number[]
    sortedIndices: number[]
    unsortedIndices: number[]
    padded: { batchFirst: boolean; paddingValue: number; totalLength: number | null; output: Fixture }[]
  }[]
}

export interface LstmFixtures {
  cases: {
    name: string
    inputSize: number
    hiddenSize: number
    numLayers: number
    bidirectional: boolean
    bias: boolean
    lengths: number[]
    parameters: Record<string, Fixture>
    input: Fixture
    h0: Fixture
    c0: Fixture
    output: Fixture
    hN: Fixture
    cN: Fixture
    loss: number
    dParameters: Record<string, Fixture>
    dInput: Fixture
    dH0: Fixture
    dC0: Fixture
  }[]
}

export interface CellFixture extends Omit<LstmFixtures['cases'][number], 'c0' | 'cN' | 'dC0'> {
  cell: 'lstm' | 'gru' | 'tanh' | 'relu'
  projSize: number
  c0: Fixture | null
  cN: Fixture | null
  dC0: Fixture | null
}

export interface LossFixtures {
  cases: {
    reduction: 'mean' | 'sum'
    ignoreIndex: number
    labelSmoothing: number
    weight: Fixture | null
    logits: Fixture
    labels: number[]
    loss: number
    dLogits: Fixture
  }[]
}

export interface ModuleFixtures {
  modules: {
    module: 'LSTM' | 'GRU' | 'RNN'
    options: {
      inputSize: number
      hiddenSize: number
      numLayers: number
      bidirectional: boolean
      projSize?: number
      nonlinearity?: 'tanh' | 'relu'
    }
    parameters: Record<string, Fixture>
    cases: {
      form: 'packed' | 'timeFirst' | 'batchFirst' | 'alone'
      lengths: number[]
      input: Fixture
      h0: Fixture
      c0: Fixture | null
      output: Fixture
      hN: Fixture
      cN: Fixture | null
      dInput: Fixture
      dH0: Fixture
      dC0: Fixture | null
      dParameters: Record<string, Fixture> | null
    }[]
  }[]
}

/** Cases of the tape's ops by the names and options of our calls; see test/fixtures/tape_cases.py. */
export interface TapeFixture {
  op: string
  /** JSON has no infinity. */
  options?: Omit<TapeOptions, 'p'> & { p?: 1 | 2 | 'Infinity' }
  inputs?: Record<string, Fixture>
  constants?: Record<string, Fixture>
  integers?: Record<string, Fixture>
  outputs: Fixture[]
  /** Gradients of sum(dOutput · output); absent for an op without a gradient. */
  dOutputs?: Fixture[]
  gradients?: Record<string, Fixture>
  /** Whether the gradient is PyTorch's choice, at a corner or among equal numbers; finite differences cannot show it. */
  choice?: true
}

export interface TapeFixtures {
  cases: TapeFixture[]
  running: {
    x: Fixture
    runningMean: Fixture
    runningVar: Fixture
    momentum: number
    newMean: Fixture
    newVar: Fixture
  }[]
}

export interface AdaptiveFixtures {
  cases: {
    options: { inFeatures: number; classes: number; cutoffs: number[]; divValue: number; headBias: boolean }
    parameters: Record<string, Fixture>
    x: Fixture
    targets: number[]
    output: Fixture
    loss: number
    logProb: Fixture
    predicted: number[]
    /** Gradients of sum(dOutput · output). */
    dOutput: Fixture
    dX: Fixture
    dParameters: Record<string, Fixture>
  }[]
}

interface Files {
  'adaptive.json': AdaptiveFixtures
  'cells.json': { cases: CellFixture[] }
  'loss.json': LossFixtures
  'modules.json': ModuleFixtures
  'lstm.json': LstmFixtures
  'ops.json': OpsFixtures
  'optimizers.json': OptimizerFixtures
  'packed.json': PackedFixtures
  'tape.json': TapeFixtures
}

export function readFixtures<Name extends keyof Files>(name: Name): Files[Name] {
  return JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8'))
}

/** The case of a fixture, whose inputs have these numbers. */
export function tapeCase({
  options = {},
  inputs = {},
  constants = {},
  integers = {},
}: TapeFixture): TapeCase {
  const { p, ...others } = options
  return {
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])),
    constants,
    integers,
    options: { ...others, ...(p && { p: p === 'Infinity' ? Infinity : p }) },
  }
}

/** The fixture on the target's device, requiring a gradient. */
export function fixtureTensor<R extends number>(
  target: Target,
  { shape, data }: Fixture,
  rank: R,
): Tensor<'float32', R> {
  return ranked(tensor<number>(data, shape, { device: target.open(), requiresGrad: true }), rank)
}
