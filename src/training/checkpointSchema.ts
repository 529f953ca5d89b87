import * as v from 'valibot'
import { jsonNumber as number } from '../formats/json.js'
import type { CarryTree } from './carry.js'
import { wayOf } from './loader.js'
import { epochSchema } from './records.js'
import type { AnyOptimizerState, TrainerPosition, TrainerState } from './trainerState.js'

/** The trainer's part of a checkpoint's metadata, in the current and in the previous format. */

export const FORMAT = 'packed-rnn checkpoint 4'
/** The previous format, which only classifiers had. It can be read but is no longer written. */
export const FORMAT_BEFORE = 'packed-rnn checkpoint 3'

/** A trainer's state without tensors. */
export interface StoredState extends Pick<TrainerState, 'position' | 'masks' | 'scheduler'> {
  carry: CarryTree
  groups: AnyOptimizerState['groups']
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

const positionEntries = {
  epoch: count,
  step: count,
  tokens: count,
  seconds: v.number(),
  way: v.string(),
  epochStart: v.object({ tokens: count, seconds: v.number() }),
  history: v.array(epochSchema),
}

const steps = { skipped: count, gradNorm: number, largestGradNorm: number, learningRate: number }

const position: v.GenericSchema<unknown, TrainerPosition> = v.object({
  ...positionEntries,
  sums: v.object({ totals: v.record(v.string(), number), ...steps }),
})

/** The optimiser checks the options of its groups. */
const groups = v.array(v.object({ options: v.looseObject({}), parameters: count }))

const tree: v.GenericSchema<unknown, CarryTree> = v.union([
  v.null(),
  v.string(),
  v.array(v.lazy(() => tree)),
  v.record(
    v.string(),
    v.lazy(() => tree),
  ),
])

export const stateSchema: v.GenericSchema<unknown, StoredState> = v.object({
  position,
  masks: v.record(v.string(), count),
  scheduler: v.unknown(),
  carry: tree,
  groups,
})

const positionBefore = v.pipe(
  v.object({
    ...positionEntries,
    sums: v.object({ loss: number, weight: number, documents: count, right: count, ...steps }),
  }),
  v.transform(({ sums, way, ...rest }): TrainerPosition => {
    const { loss, weight, documents, right, ...others } = sums
    return { ...rest, way: wayNow(way), sums: { totals: { loss, weight, documents, right }, ...others } }
  }),
)

export const stateSchemaBefore: v.GenericSchema<unknown, StoredState> = v.pipe(
  v.object({ position: positionBefore, masks: count, groups }),
  v.transform(
    ({ masks, ...rest }): StoredState => ({
      ...rest,
      // The classifier's only dropout.
      masks: { 'lstm.masks': masks },
      scheduler: null,
      carry: null,
    }),
  ),
)

const wayBefore = v.object({
  documents: count,
  batchSize: count,
  maxTokens: v.optional(v.nullable(count)),
  dropLast: v.optional(v.boolean()),
  bucketByLength: v.optional(v.boolean()),
  shuffleSeed: v.optional(count),
})

/** How an epoch goes through the items, as this version words it; '' before the first epoch. */
function wayNow(way: string): string {
  let value: unknown = null
  try {
    value = JSON.parse(way)
  } catch {
    return way
  }
  const { success, output } = v.safeParse(wayBefore, value)
  if (!success) return way
  const { documents, shuffleSeed, ...order } = output
  return wayOf({ items: documents, ...order, shuffle: shuffleSeed !== undefined, seed: shuffleSeed })
}
